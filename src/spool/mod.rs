//! The spool: the local place where segment bytes live until they are stored and committed.
//!
//! A [`SpoolBase`] is a folder on a disk, or memory. Each recorder has a [`SpoolFolder`] of its own in it, which is
//! locked for as long as the recorder lives and says whose it is ([`WorkerRecord`]). Each segment is a
//! [`SpoolFile`] that is written as bytes arrive, so that a killed process loses at most what came in the
//! last half second, with what is known of it beside it ([`SegmentFacts`]). Once the segment is sealed it is
//! uploaded from here, and removed when it is committed. What a dead worker left is opened as a [`LeftFolder`]. A
//! [`Room`] counts the bytes.

mod base;
mod disk;
mod facts;
mod file;
mod folder;
mod left;
mod memory;
mod room;
mod worker;
mod writer;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use base::SpoolBase;
pub use facts::{Fact, GapCause, Opened, Sealed, SegmentFacts};
pub use file::SpoolFile;
pub use folder::SpoolFolder;
pub use left::{Left, LeftFolder, LeftSegment};
pub use room::Room;
pub use worker::WorkerRecord;

use crate::error::{Error, ErrorKind};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a file counts in a room: segments, what is known of them, and texts of playlists do; what describes the
/// folder does not.
fn counts(name: &str) -> bool {
    !(disk::DiskFolder::is_own(name) || name == left::NOTE)
}

/// Runs file work where it may take its time.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|died| Err(std::io::Error::other(died)))
}

/// Whether it says that the disk has no room, which may pass.
fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

fn spool_error(path: &Path, doing: &str, error: std::io::Error) -> Error {
    use std::io::ErrorKind as Io;
    let (kind, advice) = match error.kind() {
        _ if is_full(&error) => (ErrorKind::Unavailable, "the disk is full; free some space"),
        Io::PermissionDenied | Io::ReadOnlyFilesystem => {
            (ErrorKind::InvalidInput, "this user may not write there; choose another folder with --spool")
        }
        Io::NotADirectory | Io::NotFound => {
            (ErrorKind::InvalidInput, "the path is not a folder; choose another with --spool")
        }
        Io::Unsupported => (
            ErrorKind::InvalidInput,
            "that file system cannot lock files; choose another folder with --spool",
        ),
        _ => (ErrorKind::Unavailable, "the disk does not serve"),
    };
    Error::new(kind, format!("cannot {doing} at {}: {advice}", path.display())).with_source(error)
}
