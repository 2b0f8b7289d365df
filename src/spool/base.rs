//! The place that holds the spool folders of all recorders of a machine.

use std::path::{Path, PathBuf};

use super::disk;
use super::memory::MemoryDisk;
use super::room::Room;
use super::{blocking, spool_error};
use crate::error::Result;

/// A folder on a disk, or memory. Clones are the same place.
#[derive(Debug, Clone)]
pub struct SpoolBase {
    pub(super) place: Base,
}

#[derive(Debug, Clone)]
pub(super) enum Base {
    Disk(PathBuf),
    Memory(MemoryDisk),
}

impl SpoolBase {
    /// A folder on a disk, made when it is needed.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self { place: Base::Disk(path.into()) }
    }

    /// A place in memory, of its own.
    pub fn memory() -> Self {
        Self { place: Base::Memory(MemoryDisk::default()) }
    }

    /// Where it is; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Base::Disk(path) => Some(path),
            Base::Memory(_) => None,
        }
    }

    /// The names of the recorders' folders in it, sorted; none where it does not exist.
    ///
    /// # Errors
    /// `InvalidInput` or `Unavailable` where it cannot be read.
    pub async fn folders(&self) -> Result<Vec<String>> {
        let path = match &self.place {
            Base::Disk(path) => path.clone(),
            Base::Memory(disk) => return Ok(disk.folders()),
        };
        let wanted = path.clone();
        blocking(move || disk::folders(&wanted))
            .await
            .map_err(|error| spool_error(&path, "list the spool", error))
    }

    /// An account of at most `limit` bytes in which all counts that lies there now.
    pub async fn room(&self, limit: u64) -> Room {
        let room = Room::new(limit);
        room.take(self.used().await);
        room
    }

    /// Bytes of the files in it that count in a room, as far as they can be seen.
    pub async fn used(&self) -> u64 {
        match &self.place {
            Base::Disk(path) => {
                let path = path.clone();
                blocking(move || Ok(disk::used(&path))).await.unwrap_or(0)
            }
            Base::Memory(disk) => disk.used(),
        }
    }
}

impl std::fmt::Display for SpoolBase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Base::Disk(path) => path.display().fmt(f),
            Base::Memory(_) => f.write_str("memory"),
        }
    }
}
