//! A node's socket on its own machine: a question as a line of JSON, and its answer as another.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tracing::debug;

use super::desk::{Desk, Question};
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};

/// No question is longer.
const LONGEST: u64 = 64 * 1024;
/// Who asks has so long for a question, and the node for its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers at the socket until it is dropped.
///
/// # Errors
/// `Conflict` where another node answers there; `InvalidInput` where there can be no socket.
pub async fn listen(path: &Path, desk: Arc<Desk>, clock: SharedClock) -> Result<()> {
    let listener = bind(path).await?;
    loop {
        let Some((stream, _)) = taken(listener.accept().await, &clock).await else { continue };
        let (desk, clock) = (Arc::clone(&desk), clock.clone());
        tokio::spawn(async move {
            tokio::select! {
                served = serve(stream, &desk) => drop(served.inspect_err(|error| debug!(%error, "not answered"))),
                () = clock.sleep(PATIENCE) => debug!("given up"),
            }
        });
    }
}

/// What a listener has accepted. Where it fails, for want of files perhaps, it is asked again after a pause.
pub(super) async fn taken<T>(accepted: io::Result<T>, clock: &SharedClock) -> Option<T> {
    match accepted {
        Ok(taken) => Some(taken),
        Err(error) => {
            debug!(%error, "not accepted");
            clock.sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

async fn bind(path: &Path) -> Result<UnixListener> {
    let invalid = |error: io::Error| {
        let message = format!("cannot listen at {}", path.display());
        Error::new(ErrorKind::InvalidInput, message).with_source(error)
    };
    if UnixStream::connect(path).await.is_ok() {
        let message = format!("a node answers at {} already; name another --socket", path.display());
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    // One that nobody answers at was left by a node that is gone.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(invalid(error)),
        _ => {}
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(invalid)?;
    }
    let listener = UnixListener::bind(path).map_err(invalid)?;
    // Who may ask may start and stop recordings.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(invalid)?;
    Ok(listener)
}

async fn serve(mut stream: UnixStream, desk: &Desk) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    BufReader::new(read.take(LONGEST)).read_line(&mut line).await?;
    let answer = match serde_json::from_str::<Question>(&line) {
        Ok(question) => desk.answer(question).await,
        Err(error) => Err(Error::new(ErrorKind::InvalidInput, format!("no question: {error}"))),
    };
    let answer = match answer {
        Ok(answer) => json!({ "ok": answer }),
        Err(error) => json!({ "error": { "kind": error.kind().as_str(), "message": error.report() } }),
    };
    write.write_all(format!("{answer}\n").as_bytes()).await
}

/// Asks a node.
///
/// # Errors
/// What the node answers; `Unavailable` where none answers there.
pub async fn ask(path: &Path, question: &Question) -> Result<Value> {
    let unavailable = |error: io::Error| {
        let message = format!("no node answers at {}; is tapeline serve running there?", path.display());
        Error::new(ErrorKind::Unavailable, message).with_source(error)
    };
    let internal = |error: serde_json::Error| {
        Error::new(ErrorKind::Internal, "the node's answer cannot be read").with_source(error)
    };
    let mut stream = UnixStream::connect(path).await.map_err(unavailable)?;
    let mut text = serde_json::to_vec(question).map_err(internal)?;
    text.push(b'\n');
    stream.write_all(&text).await.map_err(unavailable)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.map_err(unavailable)?;
    let mut answer: Value = serde_json::from_str(&line).map_err(internal)?;
    match answer.get_mut("ok") {
        Some(answer) => Ok(answer.take()),
        None => {
            let text = |field: &str| answer["error"][field].as_str().unwrap_or_default().to_owned();
            let kind = ErrorKind::from_word(&text("kind")).unwrap_or(ErrorKind::Internal);
            Err(Error::new(kind, text("message")))
        }
    }
}
