//! A pipe, a FIFO, a terminal or a device: whatever is opened like a file and read when it pleases.
//!
//! Its reads can take for ever and cannot be called off, so they happen on a thread of their own, which
//! dies with the process; a task of the blocking pool would keep the runtime from ending. The thread is at
//! most two chunks ahead, then the sender waits.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::open::cannot_read;
use super::pool::{Filled, Pool};
use crate::error::{Error, ErrorKind, Result};

/// A Linux pipe holds 64 KiB unless its owner says otherwise, and one read gives no more.
const CHUNK: usize = 64 * 1024;
/// Idle buffers kept. The consumer holds some chunks while it parses; more would only be memory.
const KEEP: usize = 4;

/// The consumer's end.
#[derive(Debug)]
pub(super) struct PipeReader {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
}

impl PipeReader {
    /// Starts to read what `open` opens; it is called on the thread, since opening a FIFO waits for its
    /// writer.
    pub fn start(name: &str, open: impl FnOnce() -> io::Result<File> + Send + 'static) -> Result<Self> {
        let (sender, receiver) = mpsc::channel(1);
        let thread = std::thread::Builder::new().name("pipe input".into());
        thread
            .spawn(move || match open() {
                Ok(file) => pump(file, &sender),
                // The reader may have gone; then nobody wants to know.
                Err(error) => drop(sender.blocking_send(Err(error))),
            })
            .map_err(|error| {
                let message = format!("cannot start a thread to read {name}: too many threads?");
                Error::new(ErrorKind::Unavailable, message).with_source(error)
            })?;
        Ok(Self { chunks: receiver })
    }

    /// Starts to read the pipe at a path.
    pub fn open(name: &str, path: PathBuf) -> Result<Self> {
        Self::start(name, move || File::open(path))
    }

    /// The next chunk; `None` at the end.
    pub async fn next(&mut self, name: &str) -> Result<Option<Bytes>> {
        match self.chunks.recv().await {
            Some(Ok(bytes)) => Ok(Some(bytes)),
            Some(Err(error)) => Err(cannot_read(name, error)),
            None => Ok(None),
        }
    }
}

/// Reads to the end, to an error, or until nobody listens any more.
fn pump(mut file: File, sender: &mpsc::Sender<io::Result<Bytes>>) {
    let pool = Pool::new(CHUNK, KEEP);
    loop {
        let mut filled = pool.take();
        let outcome = fill(&mut file, &mut filled, false);
        // What was read before an error is worth keeping.
        if filled.len() > 0 && sender.blocking_send(Ok(filled.into_bytes())).is_err() {
            return;
        }
        match outcome {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return drop(sender.blocking_send(Err(error))),
        }
    }
}

/// Reads once, or until the buffer is full. False at the end of the file.
pub(super) fn fill(file: &mut File, filled: &mut Filled, full: bool) -> io::Result<bool> {
    loop {
        let room = filled.room();
        if room.is_empty() {
            return Ok(true);
        }
        match file.read(room) {
            Ok(0) => return Ok(false),
            Ok(count) => filled.advance(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if !full {
            return Ok(true);
        }
    }
}
