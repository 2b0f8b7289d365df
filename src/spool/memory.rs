//! The spool of workers without a disk: the same folders and files, in memory.
//!
//! What is not stored is lost with the process. Within it folders outlive their recorder, as those on a disk
//! do; the simulation relies on that.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::lock;

/// Bytes are kept in pieces of this size.
const PIECE: usize = 64 * 1024;

/// All folders of one place in memory. Clones are the same place.
#[derive(Debug, Clone, Default)]
pub(super) struct MemoryDisk {
    folders: Arc<Mutex<BTreeMap<String, MemoryFolder>>>,
}

/// One folder. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct MemoryFolder {
    files: Arc<Mutex<BTreeMap<String, MemoryFile>>>,
    held: Arc<AtomicBool>,
}

/// The hold of a folder, until it is dropped.
#[derive(Debug)]
pub(super) struct MemoryHold(Arc<AtomicBool>);

impl Drop for MemoryHold {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// One file. Clones are the same. The bytes are copies, so that they pin no buffer of the input.
#[derive(Debug, Clone, Default)]
pub(super) struct MemoryFile {
    bytes: Arc<Mutex<Pieces>>,
}

#[derive(Debug, Default)]
struct Pieces {
    full: Vec<Bytes>,
    open: Vec<u8>,
}

impl MemoryDisk {
    /// The names of all folders.
    pub fn folders(&self) -> Vec<String> {
        lock(&self.folders).keys().cloned().collect()
    }

    /// Makes a folder.
    pub fn create(&self, name: &str) -> MemoryFolder {
        lock(&self.folders).entry(name.to_owned()).or_default().clone()
    }

    /// A folder that is there.
    pub fn get(&self, name: &str) -> Option<MemoryFolder> {
        lock(&self.folders).get(name).cloned()
    }

    /// Removes a folder.
    pub fn remove(&self, name: &str) {
        lock(&self.folders).remove(name);
    }

    /// Bytes of all files that count.
    pub fn used(&self) -> u64 {
        let folders: Vec<MemoryFolder> = lock(&self.folders).values().cloned().collect();
        folders
            .iter()
            .flat_map(|folder| {
                let names = folder.names().into_iter().filter(|name| super::counts(name));
                names.filter_map(|name| folder.get(&name))
            })
            .map(|file| file.len())
            .sum()
    }
}

impl MemoryFolder {
    /// Holds the folder; `None` where somebody does.
    pub fn hold(&self) -> Option<MemoryHold> {
        let was_held = self.held.swap(true, Ordering::Acquire);
        (!was_held).then(|| MemoryHold(Arc::clone(&self.held)))
    }

    /// The names of all files.
    pub fn names(&self) -> Vec<String> {
        lock(&self.files).keys().cloned().collect()
    }

    /// A file, made where it is missing.
    pub fn file(&self, name: &str) -> MemoryFile {
        lock(&self.files).entry(name.to_owned()).or_default().clone()
    }

    /// A file that is there.
    pub fn get(&self, name: &str) -> Option<MemoryFile> {
        lock(&self.files).get(name).cloned()
    }

    /// Removes a file.
    pub fn remove(&self, name: &str) {
        lock(&self.files).remove(name);
    }
}

impl MemoryFile {
    /// Adds bytes at the end.
    pub fn append(&self, bytes: &[u8]) {
        let mut pieces = lock(&self.bytes);
        pieces.open.extend_from_slice(bytes);
        if pieces.open.len() >= PIECE {
            let full = std::mem::take(&mut pieces.open).into_boxed_slice();
            pieces.full.push(Bytes::from(full));
        }
    }

    /// Puts bytes in the place of others.
    pub fn patch(&self, offset: u64, mut bytes: &[u8]) {
        let mut pieces = lock(&self.bytes);
        let Pieces { full, open } = &mut *pieces;
        let mut at = usize::try_from(offset).unwrap_or(usize::MAX);
        for piece in full {
            let now = piece.len().saturating_sub(at).min(bytes.len());
            if now > 0 {
                let (these, later) = bytes.split_at(now);
                let mut changed = piece.to_vec();
                changed.splice(at..at + now, these.iter().copied());
                (*piece, bytes) = (Bytes::from(changed), later);
            }
            at = at.saturating_sub(piece.len());
        }
        let end = at.saturating_add(bytes.len()).min(open.len());
        open.splice(at.min(end)..end, bytes.iter().copied());
    }

    /// All bytes, in pieces.
    pub fn read(&self) -> Vec<Bytes> {
        let pieces = lock(&self.bytes);
        let open = Bytes::copy_from_slice(&pieces.open);
        pieces.full.iter().cloned().chain(Some(open)).filter(|piece| !piece.is_empty()).collect()
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        let pieces = lock(&self.bytes);
        (pieces.full.iter().map(Bytes::len).sum::<usize>() + pieces.open.len()) as u64
    }
}
