//! A recorder's own place in the spool: the folder `<base>/<sid>.<8 random hex digits>/`, or memory.
//!
//! The random part keeps a worker that resumes a recording out of the folder that a dead one left. Memory
//! is for workers without a disk: a killed one loses all that was not stored.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::error::{Error, ErrorKind, Result};
use crate::ids::Sid;

/// The place of one recorder.
#[derive(Debug, Clone)]
pub struct SpoolFolder {
    pub(super) place: Place,
}

#[derive(Debug, Clone)]
pub(super) enum Place {
    Disk {
        path: PathBuf,
        /// The folders that were missing, from the inside out.
        made: Vec<PathBuf>,
    },
    /// The names in use.
    Memory(Arc<Mutex<BTreeSet<String>>>),
}

impl SpoolFolder {
    /// A place in memory.
    pub fn memory() -> Self {
        Self { place: Place::Memory(Arc::default()) }
    }

    /// Creates the folder below `base`, and `base` itself where it is missing.
    ///
    /// # Errors
    /// `InvalidInput` where this user may not write there, `Unavailable` where the disk does not serve.
    pub async fn create(base: &Path, sid: &Sid, random: [u8; 4]) -> Result<Self> {
        let name = format!("{sid}.{:08x}", u32::from_be_bytes(random));
        let path = base.join(name);
        let wanted = path.clone();
        let made = blocking(move || {
            let missing = wanted.ancestors().take_while(|folder| !folder.exists());
            let missing = missing.map(Path::to_owned).collect();
            std::fs::create_dir_all(wanted)?;
            Ok(missing)
        });
        match made.await {
            Ok(made) => Ok(Self { place: Place::Disk { path, made } }),
            Err(error) => Err(spool_error(&path, "create the spool", error)),
        }
    }

    /// Where the folder is; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Disk { path, .. } => Some(path),
            Place::Memory(_) => None,
        }
    }

    /// Removes the folder if nothing is left in it, and those above it that were made for it.
    ///
    /// Files that are left are segments that are not stored; they stay.
    pub async fn remove_if_empty(&self) {
        if let Place::Disk { made, .. } = &self.place {
            let made = made.clone();
            // A folder that another recorder uses by now is no fault.
            let _ = blocking(move || made.iter().try_for_each(std::fs::remove_dir)).await;
        }
    }
}

impl std::fmt::Display for SpoolFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Disk { path, .. } => path.display().fmt(f),
            Place::Memory(_) => f.write_str("memory"),
        }
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
