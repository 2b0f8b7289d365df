//! A recorder's own place in the spool: the folder `<base>/<sid>.<8 random hex digits>/`, locked while the recorder
//! lives.
//!
//! The random part keeps a worker that resumes a recording out of the folder that a dead one left.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use super::base::{Base, SpoolBase};
use super::disk::DiskFolder;
use super::memory::{MemoryDisk, MemoryFolder, MemoryHold};
use super::room::Room;
use super::worker::{self, WorkerRecord};
use super::{blocking, lock, spool_error};
use crate::error::Result;
use crate::ids::Sid;

/// The place of one recorder. Clones are the same; with the last one its lock is given back.
#[derive(Debug, Clone)]
pub struct SpoolFolder {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub place: Place,
    /// The names in use.
    pub names: Mutex<BTreeSet<String>>,
    pub room: Room,
}

#[derive(Debug)]
pub(super) enum Place {
    Disk(Arc<DiskFolder>),
    Memory { disk: MemoryDisk, name: String, folder: MemoryFolder, _hold: Option<MemoryHold> },
}

impl SpoolFolder {
    /// Creates the folder in `base`, and `base` itself where it is missing. Its files take their bytes from `room`.
    ///
    /// # Errors
    /// `InvalidInput` where this user may not write there, or that file system cannot lock files; `Unavailable`
    /// where the disk does not serve.
    pub async fn create(base: &SpoolBase, sid: &Sid, random: [u8; 4], room: Room) -> Result<Self> {
        let name = format!("{sid}.{:08x}", u32::from_be_bytes(random));
        let place = match &base.place {
            Base::Disk(base) => {
                let (base, path) = (base.clone(), base.join(&name));
                let made = blocking(move || DiskFolder::create(&base, &name)).await;
                Place::Disk(Arc::new(made.map_err(|error| spool_error(&path, "create the spool", error))?))
            }
            Base::Memory(disk) => {
                let folder = disk.create(&name);
                let hold = folder.hold();
                Place::Memory { disk: disk.clone(), name, folder, _hold: hold }
            }
        };
        Ok(Self { inner: Arc::new(Inner { place, names: Mutex::default(), room }) })
    }

    /// Says whose the folder is, and where its media belongs.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn introduce(&self, worker: &WorkerRecord) -> Result<()> {
        let text = worker.encode();
        match &self.inner.place {
            Place::Disk(folder) => {
                let (disk, path) = (Arc::clone(folder), &folder.path);
                let written = blocking(move || disk.introduce(text)).await;
                written.map_err(|error| spool_error(path, "describe the spool", error))
            }
            Place::Memory { folder, .. } => {
                folder.remove(worker::NAME);
                folder.file(worker::NAME).append(&text);
                Ok(())
            }
        }
    }

    /// Where the folder is; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        match &self.inner.place {
            Place::Disk(folder) => Some(&folder.path),
            Place::Memory { .. } => None,
        }
    }

    /// The account of its bytes.
    pub fn room(&self) -> &Room {
        &self.inner.room
    }

    /// Whether the disk had no room for all that was appended to files of the folder.
    pub fn is_stuck(&self) -> bool {
        match &self.inner.place {
            Place::Disk(folder) => {
                lock(&folder.stuck).iter().filter_map(Weak::upgrade).any(|file| file.is_stuck())
            }
            Place::Memory { .. } => false,
        }
    }

    /// Tries again to write what is stuck. True where nothing is any more.
    pub async fn press(&self) -> bool {
        let Place::Disk(folder) = &self.inner.place else { return true };
        let stuck = std::mem::take(&mut *lock(&folder.stuck));
        for file in stuck.iter().filter_map(Weak::upgrade) {
            // What fails otherwise is told by the file's next write.
            let _ = file.press().await;
        }
        !self.is_stuck()
    }

    /// Takes a name; false where it is in use.
    pub(super) fn take_name(&self, name: &str) -> bool {
        lock(&self.inner.names).insert(name.to_owned())
    }

    pub(super) fn free_name(&self, name: &str) {
        lock(&self.inner.names).remove(name);
    }

    /// Removes the folder if nothing is left in it, and those above it that were made for it.
    ///
    /// Files that are left are segments that are not stored; they stay.
    pub async fn remove_if_empty(&self) {
        match &self.inner.place {
            Place::Disk(folder) => {
                let folder = Arc::clone(folder);
                // One that stays is found by the next salvage.
                let _ = blocking(move || folder.remove_if_empty()).await;
            }
            Place::Memory { disk, name, folder, .. } => {
                if folder.names().iter().all(|file| file == worker::NAME) {
                    disk.remove(name);
                }
            }
        }
    }
}

impl std::fmt::Display for SpoolFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.inner.place {
            Place::Disk(folder) => folder.path.display().fmt(f),
            Place::Memory { .. } => f.write_str("memory"),
        }
    }
}
