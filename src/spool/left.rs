//! A folder of the spool that nobody holds any more: what a dead worker left, or one that could not store it all.
//!
//! Opening it takes its lock, so that only one process brings its content away and no live worker's is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::base::{Base, SpoolBase};
use super::disk::{self, DiskFolder};
use super::facts::{EXTENSION, SegmentFacts};
use super::memory::{MemoryDisk, MemoryFolder, MemoryHold};
use super::worker::{self, WorkerRecord};
use super::{blocking, spool_error};
use crate::error::{Error, ErrorKind, Result};
use crate::naming::{NameKind, ObjectName};

/// A note about what was done with the folder.
pub(super) const NOTE: &str = "salvage.json";
/// Facts, notes and descriptions are not larger.
const LIMIT: u64 = 16 << 20;

/// What opening a folder found.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "made once for each folder")]
pub enum Left {
    /// A live process holds it: its worker as it describes itself, or one that brings its content away.
    Held(Option<Box<WorkerRecord>>),
    /// There is none of that name that a recorder made.
    Gone,
    /// It is ours until it is dropped.
    Open(LeftFolder),
}

/// A folder that nobody else holds.
#[derive(Debug)]
pub struct LeftFolder {
    place: Place,
    name: String,
    worker: Result<WorkerRecord, String>,
    segments: Vec<LeftSegment>,
    /// Files of our own that are no segments.
    own: Vec<String>,
    /// Files of somebody else's.
    foreign: Vec<String>,
}

/// A segment in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftSegment {
    /// Its file's name.
    pub name: ObjectName,
    /// What is known of it; `None` where that is lost.
    pub facts: Option<SegmentFacts>,
    /// Its size; `None` where the bytes are gone.
    pub bytes: Option<u64>,
}

#[derive(Debug)]
enum Place {
    Disk(Arc<DiskFolder>),
    Memory { disk: MemoryDisk, folder: MemoryFolder, _hold: MemoryHold },
}

impl LeftFolder {
    /// Opens the folder `name` of a base.
    ///
    /// # Errors
    /// `InvalidInput` or `Unavailable` where it cannot be read.
    pub async fn open(base: &SpoolBase, name: &str) -> Result<Left> {
        let place = match &base.place {
            Base::Disk(base) => {
                let path = base.join(name);
                let wanted = path.clone();
                match blocking(move || DiskFolder::open(&wanted)).await {
                    Ok(Some(folder)) => Place::Disk(Arc::new(folder)),
                    Ok(None) => {
                        let path = path.join(worker::NAME);
                        let text = blocking(move || std::fs::read(path)).await;
                        return Ok(held(text.ok().as_deref()));
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Left::Gone),
                    Err(error) => return Err(spool_error(&path, "open the spool", error)),
                }
            }
            Base::Memory(disk) => {
                let Some(folder) = disk.get(name) else { return Ok(Left::Gone) };
                let Some(hold) = folder.hold() else {
                    return Ok(held(folder.get(worker::NAME).map(|file| file.read().concat()).as_deref()));
                };
                Place::Memory { disk: disk.clone(), folder, _hold: hold }
            }
        };
        let worker = match place.read(worker::NAME, LIMIT).await? {
            Some(text) => WorkerRecord::decode(&text),
            None => Err(format!("there is no {} in it", worker::NAME)),
        };
        let (segments, own, foreign) = (Vec::new(), Vec::new(), Vec::new());
        let mut folder = Self { place, name: name.to_owned(), worker, segments, own, foreign };
        folder.look().await?;
        Ok(Left::Open(folder))
    }

    /// Whether a folder of a disk is one that a recorder made, and not one that holds those.
    ///
    /// # Errors
    /// `InvalidInput` or `Unavailable` where it cannot be read.
    pub async fn is_one(path: &Path) -> Result<bool> {
        let wanted = path.to_owned();
        let is = blocking(move || disk::is_recorders(&wanted)).await;
        is.map_err(|error| spool_error(path, "read the spool", error))
    }

    /// Sorts out what lies there.
    async fn look(&mut self) -> Result<()> {
        let mut found: BTreeMap<ObjectName, (bool, Option<u64>)> = BTreeMap::new();
        for (name, bytes) in self.place.list().await? {
            let (stem, is_facts) = match name.strip_suffix(EXTENSION) {
                Some(stem) => (stem, true),
                None => (name.as_str(), false),
            };
            match stem.parse::<ObjectName>() {
                Ok(segment) if matches!(segment.kind, NameKind::Segment { .. }) => {
                    let (facts, size) = found.entry(segment).or_default();
                    if is_facts { *facts = true } else { *size = Some(bytes) }
                }
                // A playlist's text, or a note of ours.
                Ok(_) if !is_facts => self.own.push(name),
                _ if name == NOTE => self.own.push(name),
                _ if DiskFolder::is_own(&name) => {}
                _ => self.foreign.push(name),
            }
        }
        for (name, (facts, bytes)) in found {
            let text = match facts {
                true => self.place.read(&format!("{name}{EXTENSION}"), LIMIT).await?,
                false => None,
            };
            let facts = text.and_then(|text| SegmentFacts::read(&text));
            self.segments.push(LeftSegment { name, facts, bytes });
        }
        Ok(())
    }

    /// The folder's name in its base.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose it was.
    ///
    /// # Errors
    /// Why that cannot be told, in words.
    pub fn worker(&self) -> Result<&WorkerRecord, &str> {
        self.worker.as_ref().map_err(String::as_str)
    }

    /// The segments, in the order of their names.
    pub fn segments(&self) -> &[LeftSegment] {
        &self.segments
    }

    /// Files that no recorder of this program makes; they stay.
    pub fn foreign(&self) -> &[String] {
        &self.foreign
    }

    /// Where the folder is; `None` in memory.
    pub fn path(&self) -> Option<PathBuf> {
        match &self.place {
            Place::Disk(folder) => Some(folder.path.clone()),
            Place::Memory { .. } => None,
        }
    }

    /// Where the file of a segment is; `None` in memory.
    pub fn path_of(&self, segment: &ObjectName) -> Option<PathBuf> {
        Some(self.path()?.join(segment.to_string()))
    }

    /// The bytes of a segment of at most `limit`.
    ///
    /// # Errors
    /// `NotFound`; `Malformed` for a larger one; else where it cannot be read.
    pub async fn read(&self, segment: &ObjectName, limit: u64) -> Result<Bytes> {
        let read = self.place.read(&segment.to_string(), limit).await?;
        read.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("{segment} is gone from the spool")))
    }

    /// What an earlier visitor noted.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub async fn note(&self) -> Result<Option<Bytes>> {
        self.place.read(NOTE, LIMIT).await
    }

    /// Notes something for whoever comes next, whole or not at all.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub async fn set_note(&mut self, text: Bytes) -> Result<()> {
        self.place.write(NOTE, text).await?;
        if !self.own.iter().any(|name| name == NOTE) {
            self.own.push(NOTE.to_owned());
        }
        Ok(())
    }

    /// Removes the segments, but for those to `keep`, and all else of our own, and the folder where nothing is left in
    /// it. Gives the bytes that this freed, as a room counts them.
    ///
    /// # Errors
    /// What cannot be removed.
    pub async fn clear(self, keep: &BTreeSet<ObjectName>) -> Result<u64> {
        let mut freed = 0;
        let segments = self.segments.iter().filter(|segment| !keep.contains(&segment.name));
        let segments: BTreeSet<String> = segments.map(|segment| segment.name.to_string()).collect();
        for (name, bytes) in self.place.list().await? {
            let segment = name.strip_suffix(EXTENSION).unwrap_or(&name);
            if segments.contains(segment) || name != NOTE && self.own.contains(&name) {
                self.place.remove(&name).await?;
                freed += bytes;
            }
        }
        // The note goes last: with it, what is left needs no second look.
        if keep.is_empty() && self.own.iter().any(|name| name == NOTE) {
            self.place.remove(NOTE).await?;
        }
        match self.place {
            Place::Disk(folder) => {
                let path = folder.path.clone();
                let removed = blocking(move || folder.remove_if_empty()).await;
                removed.map_err(|error| spool_error(&path, "remove the spool", error))?;
            }
            Place::Memory { disk, folder, .. } => {
                if folder.names().iter().all(|name| name == worker::NAME) {
                    disk.remove(&self.name);
                }
            }
        }
        Ok(freed)
    }
}

impl std::fmt::Display for LeftFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Disk(folder) => folder.path.display().fmt(f),
            Place::Memory { .. } => f.write_str(&self.name),
        }
    }
}

fn held(text: Option<&[u8]>) -> Left {
    Left::Held(text.and_then(|text| WorkerRecord::decode(text).ok()).map(Box::new))
}

impl Place {
    /// Every file's name and size.
    async fn list(&self) -> Result<Vec<(String, u64)>> {
        match self {
            Self::Disk(folder) => {
                let disk = Arc::clone(folder);
                let listed = blocking(move || disk.list()).await;
                listed.map_err(|error| spool_error(&folder.path, "list the spool", error))
            }
            Self::Memory { folder, .. } => {
                let named = folder.names().into_iter();
                Ok(named.filter_map(|name| folder.get(&name).map(|file| (name, file.len()))).collect())
            }
        }
    }

    async fn read(&self, name: &str, limit: u64) -> Result<Option<Bytes>> {
        let bytes = match self {
            Self::Disk(folder) => {
                let (disk, wanted) = (Arc::clone(folder), name.to_owned());
                match blocking(move || disk.read_file(&wanted, limit)).await {
                    Ok(bytes) => Bytes::from(bytes),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(spool_error(&folder.path.join(name), "read", error)),
                }
            }
            Self::Memory { folder, .. } => {
                let Some(file) = folder.get(name) else { return Ok(None) };
                file.read().concat().into()
            }
        };
        if bytes.len() as u64 <= limit {
            return Ok(Some(bytes));
        }
        Err(Error::new(ErrorKind::Malformed, format!("{name} in the spool is larger than {limit} bytes")))
    }

    async fn write(&self, name: &str, text: Bytes) -> Result<()> {
        match self {
            Self::Disk(folder) => {
                let (disk, name) = (Arc::clone(folder), name.to_owned());
                let written = blocking(move || disk.write_whole(&name, &text)).await;
                written.map_err(|error| spool_error(&folder.path, "write", error))
            }
            Self::Memory { folder, .. } => {
                folder.remove(name);
                folder.file(name).append(&text);
                Ok(())
            }
        }
    }

    async fn remove(&self, name: &str) -> Result<()> {
        match self {
            Self::Disk(folder) => {
                let path = folder.path.join(name);
                let wanted = path.clone();
                let removed = blocking(move || std::fs::remove_file(wanted)).await;
                removed.map_err(|error| spool_error(&path, "remove", error))
            }
            Self::Memory { folder, .. } => {
                folder.remove(name);
                Ok(())
            }
        }
    }
}
