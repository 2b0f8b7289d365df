//! One file of the spool, appended to as bytes arrive: a segment with its facts, or a playlist's text.
//!
//! On a disk everything is done by one writer at a time on the blocking pool, in the order it came: when
//! [`flush`](SpoolFile::flush) finds 64 KiB waiting, else within half a second. While it writes, more
//! may be appended; it goes on until nothing waits. Only a disk that is slower than the input makes the
//! input wait, and then for the writer to take what waits, not for it to end: waking a thread costs more
//! than writing what it was woken for.
//!
//! Where the disk is full, what could not be written waits in memory until it is [pressed](SpoolFile::press)
//! again: no byte is lost, and who appends looks at [`SpoolFolder::is_stuck`] before it appends more. Any
//! other failure is final: the file ends where the write stopped.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::facts::{EXTENSION, Fact, Opened, Sealed};
use super::folder::{Place, SpoolFolder};
use super::memory::{MemoryFile, MemoryFolder};
use super::writer::{Job, Writer};
use super::{blocking, spool_error};
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};

/// So many bytes are written without delay.
const PROMPT_BYTES: usize = 64 * 1024;
/// Fewer wait for more for so long.
const PATIENCE: Duration = Duration::from_millis(500);
/// More than this may not wait: the disk is too slow.
const MAX_WAITING_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
enum Body {
    Disk(Arc<Writer>),
    Memory { folder: MemoryFolder, file: MemoryFile },
}

/// A file of the spool.
#[derive(Debug)]
pub struct SpoolFile {
    body: Body,
    folder: SpoolFolder,
    name: String,
    /// Bytes taken from the folder's room, and those of the facts.
    taken: AtomicU64,
    facts: AtomicU64,
    clock: SharedClock,
}

impl SpoolFile {
    /// Begins the file `name` in the folder, that of a segment with its facts. `None` where the name is in use.
    pub fn create(
        folder: &SpoolFolder,
        name: &str,
        opened: Option<Opened>,
        clock: SharedClock,
    ) -> Option<Self> {
        if !folder.take_name(name) {
            return None;
        }
        let name = name.to_owned();
        let body = match &folder.inner.place {
            Place::Disk(disk) => Body::Disk(Writer::new(Arc::clone(disk), name.clone())),
            Place::Memory { folder, .. } => Body::Memory { folder: folder.clone(), file: folder.file(&name) },
        };
        let (taken, facts) = (AtomicU64::new(0), AtomicU64::new(0));
        let file = Self { body, folder: folder.clone(), name, taken, facts, clock };
        if let Some(opened) = opened {
            file.add_fact(&Fact::Opened(opened));
        }
        Some(file)
    }

    /// Where the file is, once it has bytes; `None` in memory.
    pub fn path(&self) -> Option<PathBuf> {
        match &self.body {
            Body::Disk(writer) => Some(writer.path()),
            Body::Memory { .. } => None,
        }
    }

    fn add_fact(&self, fact: &Fact) {
        let line = self.count(fact);
        match &self.body {
            Body::Disk(writer) => writer.lock().jobs.push(Job::Fact(line)),
            Body::Memory { folder, .. } => {
                folder.file(&format!("{}{EXTENSION}", self.name)).append(line.as_bytes());
            }
        }
    }

    /// The line of a fact, for which room is taken.
    fn count(&self, fact: &Fact) -> String {
        let line = fact.encode();
        self.facts.fetch_add(line.len() as u64, Ordering::Relaxed);
        self.folder.room().take(line.len() as u64);
        line
    }

    /// Appends bytes. On a disk they are not copied, and written by the next [`flush`](Self::flush).
    pub fn append(&self, bytes: Bytes) {
        let len = bytes.len() as u64;
        self.taken.fetch_add(len, Ordering::Relaxed);
        self.folder.room().take(len);
        match &self.body {
            Body::Disk(writer) => {
                let mut state = writer.lock();
                // After a failure nothing is written any more, and must not wait for it.
                if state.failure.is_none() {
                    state.waiting_bytes += bytes.len();
                    state.jobs.push(Job::Bytes(bytes));
                }
            }
            Body::Memory { file, .. } => file.append(&bytes),
        }
    }

    /// Puts bytes in the place of those that were appended from `offset` on.
    pub fn patch(&self, offset: u64, bytes: Bytes) {
        match &self.body {
            Body::Disk(writer) => {
                let mut state = writer.lock();
                if state.failure.is_none() {
                    state.waiting_bytes += bytes.len();
                    state.jobs.push(Job::Patch(offset, bytes));
                }
            }
            Body::Memory { file, .. } => file.patch(offset, &bytes),
        }
    }

    /// Has written what was appended, at once or soon. Waits where more than a mebibyte is waiting for a disk that
    /// is slow, not for one that is full.
    ///
    /// # Errors
    /// What a write met; the file then ends where that write stopped.
    pub async fn flush(&self) -> Result<()> {
        let Body::Disk(writer) = &self.body else { return Ok(()) };
        loop {
            let taken = writer.taken.notified();
            {
                let mut state = writer.lock();
                if state.waiting_bytes >= PROMPT_BYTES {
                    writer.start(&mut state);
                } else if !(state.jobs.is_empty() || state.writing || state.timed || state.stuck) {
                    state.timed = true;
                    self.write_later(writer);
                }
                if state.waiting_bytes <= MAX_WAITING_BYTES || state.stuck || state.failure.is_some() {
                    break;
                }
            }
            taken.await;
        }
        writer.check()
    }

    /// The segment is complete. Nothing may be appended any more.
    pub fn seal(&self, sealed: Sealed) {
        self.add_fact(&Fact::Sealed(sealed));
        if let Body::Disk(writer) = &self.body {
            let mut state = writer.lock();
            state.jobs.push(Job::Close);
            writer.start(&mut state);
        }
    }

    /// Tries again to write what the disk had no room for. True where all is written.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub async fn press(&self) -> Result<bool> {
        match &self.body {
            Body::Disk(writer) => writer.press().await,
            Body::Memory { .. } => Ok(true),
        }
    }

    /// Waits until all bytes are in the file.
    ///
    /// # Errors
    /// What a write met; `Unavailable` where the disk is full and it can be tried again.
    pub async fn written(&self) -> Result<()> {
        if self.press().await? {
            return Ok(());
        }
        let full = io::Error::from(io::ErrorKind::StorageFull);
        Err(spool_error(&self.path().unwrap_or_default(), "write", full))
    }

    /// The first `len` bytes, in pieces.
    ///
    /// # Errors
    /// What reading met; `DataLoss` where the file is shorter.
    pub async fn read(&self, len: u64) -> Result<Vec<Bytes>> {
        let writer = match &self.body {
            Body::Disk(writer) => Arc::clone(writer),
            Body::Memory { file, .. } => return Ok(first(file.read(), len)),
        };
        self.written().await?;
        let path = writer.path();
        let pieces = blocking(move || writer.read(len)).await;
        let pieces = pieces.map_err(|error| spool_error(&path, "read", error))?;
        if pieces.iter().map(|piece| piece.len() as u64).sum::<u64>() == len {
            return Ok(pieces);
        }
        let message = format!("{} is shorter than what was written to it", path.display());
        Err(Error::new(ErrorKind::DataLoss, message))
    }

    /// Removes the bytes, and notes what became of them.
    pub async fn drop_bytes(&self, fact: Fact) {
        match &self.body {
            Body::Disk(writer) => {
                let (writer, line) = (writer.clear().await, self.count(&fact));
                let _ = blocking(move || {
                    // The bytes first: the disk may be full.
                    let _ = std::fs::remove_file(writer.path());
                    writer.folder.add_fact(&writer.name, &line)
                })
                .await;
            }
            Body::Memory { folder, .. } => {
                folder.remove(&self.name);
                self.add_fact(&fact);
            }
        }
        self.give_back(&self.taken);
    }

    /// Removes the file, and what is known of it. What cannot be removed is only in the way.
    pub async fn remove(&self) {
        let facts = format!("{}{EXTENSION}", self.name);
        match &self.body {
            Body::Disk(writer) => {
                let writer = writer.clear().await;
                let _ = blocking(move || {
                    // The facts last: bytes without facts cannot be told what they are.
                    let _ = std::fs::remove_file(writer.path());
                    std::fs::remove_file(writer.folder.path.join(facts))
                })
                .await;
            }
            Body::Memory { folder, .. } => {
                folder.remove(&self.name);
                folder.remove(&facts);
            }
        }
        self.give_back(&self.taken);
        self.give_back(&self.facts);
        self.folder.free_name(&self.name);
    }

    fn give_back(&self, taken: &AtomicU64) {
        self.folder.room().give_back(taken.swap(0, Ordering::Relaxed));
    }

    fn write_later(&self, writer: &Arc<Writer>) {
        let (writer, patience) = (Arc::downgrade(writer), self.clock.sleep(PATIENCE));
        tokio::spawn(async move {
            patience.await;
            if let Some(writer) = writer.upgrade() {
                let mut state = writer.lock();
                state.timed = false;
                writer.start(&mut state);
            }
        });
    }
}

/// The first `len` bytes of pieces.
fn first(pieces: Vec<Bytes>, len: u64) -> Vec<Bytes> {
    let mut left = len;
    let mut cut = |mut piece: Bytes| {
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= piece.len() as u64;
        piece
    };
    pieces.into_iter().map(&mut cut).filter(|piece| !piece.is_empty()).collect()
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
