//! A recorder's own folder in the spool: `<base>/<sid>.<8 random hex digits>/`.
//!
//! The random part keeps a worker that resumes a recording out of the folder that a dead one left.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::ids::Sid;

/// The folder of one recorder.
#[derive(Debug, Clone)]
pub struct SpoolFolder {
    path: PathBuf,
    base: PathBuf,
}

impl SpoolFolder {
    /// Creates the folder below `base`, and `base` itself where it is missing.
    ///
    /// # Errors
    /// `InvalidInput` where this user may not write there, `Unavailable` where the disk does not serve.
    pub async fn create(base: &Path, sid: &Sid, random: [u8; 4]) -> Result<Self> {
        let name = format!("{sid}.{:08x}", u32::from_be_bytes(random));
        let folder = Self { path: base.join(name), base: base.to_owned() };
        let path = folder.path.clone();
        blocking(move || std::fs::create_dir_all(path))
            .await
            .map_err(|error| spool_error(&folder.path, "create the spool", error))?;
        Ok(folder)
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder if nothing is left in it, and the one above it if that was the last.
    ///
    /// Files that are left are segments that are not stored; they stay.
    pub async fn remove_if_empty(&self) {
        let folders = [self.path.clone(), self.base.clone()];
        // A folder that is in use or was never there is no fault.
        let _ = blocking(move || folders.iter().try_for_each(std::fs::remove_dir)).await;
    }
}

/// Runs file work where it may take its time.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|died| Err(std::io::Error::other(died)))
}

pub(super) fn spool_error(path: &Path, doing: &str, error: std::io::Error) -> Error {
    use std::io::ErrorKind as Io;
    let (kind, advice) = match error.kind() {
        Io::StorageFull | Io::QuotaExceeded => (ErrorKind::Unavailable, "the disk is full; free some space"),
        Io::PermissionDenied | Io::ReadOnlyFilesystem => {
            (ErrorKind::InvalidInput, "this user may not write there; choose another folder with --spool")
        }
        Io::NotADirectory | Io::NotFound => {
            (ErrorKind::InvalidInput, "the path is not a folder; choose another with --spool")
        }
        _ => (ErrorKind::Unavailable, "the disk does not serve"),
    };
    Error::new(kind, format!("cannot {doing} at {}: {advice}", path.display())).with_source(error)
}
