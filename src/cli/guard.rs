//! The small process that watches over a worker's: it tells others at once when that is gone, ends one that hangs, and begins
//! another.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::signals::StopSignals;
use super::terminal::tell;
use crate::centre::{Lease, Membership, Standing};
use crate::clock::SharedClock;
use crate::continuity::this_host;
use crate::error::{Error, ErrorKind, Result};

/// A worker that does not say a word for so long hangs.
const SILENCE: Duration = Duration::from_secs(10);
/// A wait that is so much longer than it should be was not one.
const SLACK: Duration = Duration::from_secs(2);
/// Between the end of a worker and the begin of the next.
const PAUSE: Duration = Duration::from_secs(1);
/// A first one that ends sooner than this does so because of what cannot be mended by another. Where one has lived, what the next
/// one lacks may come back.
const TOO_SOON: Duration = Duration::from_secs(3);
/// A word to others about a worker's end is tried so often.
const TRIES: usize = 10;

/// How a worker's process ended.
enum End {
    /// It left, as it was asked to.
    Left,
    /// It was killed, or crashed, or hung.
    Gone(String),
}

/// Keeps a worker running until this process is asked to stop.
///
/// # Errors
/// `Internal` where no process can be begun, or each ends at once.
pub async fn guard(membership: &dyn Membership, clock: &SharedClock) -> Result<()> {
    let mut signals = StopSignals::listen()?;
    let mut has_lived = false;
    loop {
        let begin = clock.monotonic();
        let mut child = spawn()?;
        let pid = child.id().unwrap_or(0);
        let mut worker = None;
        let end = watch(&mut child, &mut worker, &mut signals, clock).await?;
        let why = match end {
            End::Left => return Ok(()),
            End::Gone(why) => why,
        };
        tell(format_args!("the worker {} is gone: {why}", worker.as_deref().unwrap_or("that was begun")));
        if let Some(worker) = &worker {
            bury(membership, worker, pid, clock).await;
        }
        has_lived |= clock.monotonic().saturating_sub(begin) >= TOO_SOON;
        if !has_lived {
            return Err(Error::new(
                ErrorKind::Internal,
                format!("the worker ends as soon as it begins: {why}"),
            ));
        }
        tokio::select! {
            () = signals.requested() => return Ok(()),
            () = clock.sleep(PAUSE) => {}
        }
    }
}

fn spawn() -> Result<Child> {
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Internal, "cannot begin a worker's process").with_source(error)
    };
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).arg("--worker");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)
}

/// Waits for the end of a worker's process. The first line that it says is its name.
async fn watch(
    child: &mut Child,
    worker: &mut Option<String>,
    signals: &mut StopSignals,
    clock: &SharedClock,
) -> Result<End> {
    let Some(output) = child.stdout.take() else {
        return Err(Error::new(ErrorKind::Internal, "the worker's process has no output"));
    };
    let mut lines = BufReader::new(output).lines();
    let mut leaving = false;
    loop {
        let since = clock.monotonic();
        tokio::select! {
            biased;
            () = signals.requested(), if !leaving => {
                leaving = true;
                if let Some(pid) = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
                    // It may have ended meanwhile.
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
                }
            }
            line = lines.next_line() => match line {
                Ok(Some(line)) => drop(worker.get_or_insert(line)),
                Ok(None) | Err(_) => {
                    let status = child.wait().await.map_err(|error| {
                        Error::new(ErrorKind::Internal, "the worker's end is unknown").with_source(error)
                    })?;
                    return Ok(if leaving { End::Left } else { End::Gone(status.to_string()) });
                }
            },
            () = clock.sleep(SILENCE) => {
                // Who was stopped itself has not listened.
                if clock.monotonic().saturating_sub(since) > SILENCE + SLACK {
                    continue;
                }
                // Nobody else is to be told that it is gone while it may still write.
                let _ = child.kill().await;
                return Ok(End::Gone(format!("it hung for {} s, and was killed", SILENCE.as_secs())));
            }
        }
    }
}

/// Tells others that a worker is gone: its last lease.
async fn bury(membership: &dyn Membership, worker: &str, pid: u32, clock: &SharedClock) {
    let standing = Standing::Gone;
    let lease = Lease { beat: u64::MAX, standing, ..Lease::new(worker, &this_host(), pid, 0) };
    for _ in 0..TRIES {
        match membership.renew(&lease).await {
            Ok(()) => return,
            Err(error) => tell(format_args!("others do not know it yet: {}", error.report())),
        }
        clock.sleep(PAUSE).await;
    }
}
