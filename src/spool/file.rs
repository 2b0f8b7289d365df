//! One file of the spool, appended to as bytes arrive: a segment, or a playlist's text.
//!
//! On a disk, bytes are handed to the kernel by one writer at a time on the blocking pool, in the order they came:
//! when [`flush`](SpoolFile::flush) finds 64 KiB waiting, else within half a second. While it writes, more
//! may be appended; it goes on until nothing waits. Only a disk that is slower than the input makes the
//! input wait, and then for the writer to take what waits, not for it to end: waking a thread costs more
//! than writing what it was woken for.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use super::folder::{Place, SpoolFolder, blocking, spool_error};
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};

/// So many bytes are written without delay.
const PROMPT_BYTES: usize = 64 * 1024;
/// Fewer wait for more for so long.
const PATIENCE: Duration = Duration::from_millis(500);
/// More than this may not wait: the disk is too slow.
const MAX_WAITING_BYTES: usize = 1024 * 1024;
/// Slices in one write call.
const SLICES: usize = 64;

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    /// A writer is at work and will take what waits.
    writing: bool,
    /// A timer runs that will start one.
    timed: bool,
    failure: Option<std::io::Error>,
}

#[derive(Debug)]
struct Disk {
    file: File,
    path: PathBuf,
    state: Mutex<State>,
    /// Rings each time the writer has taken what waited.
    taken: Notify,
    /// Rings each time the writer has nothing left to write.
    idle: Notify,
}

/// Bytes that stay in memory, copied so that they pin no buffer of the input.
#[derive(Debug, Default)]
struct Memory {
    full: Vec<Bytes>,
    open: Vec<u8>,
}

#[derive(Debug)]
enum Body {
    Disk(Arc<Disk>),
    Memory {
        bytes: Mutex<Memory>,
        name: String,
        /// The names in use.
        names: Arc<Mutex<BTreeSet<String>>>,
    },
}

/// A file of the spool.
#[derive(Debug)]
pub struct SpoolFile {
    body: Body,
    clock: SharedClock,
}

/// Size of the pieces in which files are read and memory is kept.
const PIECE: usize = 64 * 1024;

impl SpoolFile {
    /// Creates the file `name` in the folder. `None` where a file of that name is there already.
    ///
    /// # Errors
    /// `Unavailable` or `InvalidInput` where the file cannot be made.
    pub async fn create(folder: &SpoolFolder, name: &str, clock: SharedClock) -> Result<Option<Self>> {
        let path = match &folder.place {
            Place::Memory(names) => {
                let free = lock(names).insert(name.to_owned());
                let (name, names) = (name.to_owned(), Arc::clone(names));
                let body = Body::Memory { bytes: Mutex::default(), name, names };
                return Ok(free.then_some(Self { body, clock }));
            }
            Place::Disk { path, .. } => path.join(name),
        };
        let opened = {
            let path = path.clone();
            blocking(move || File::options().append(true).create_new(true).open(path)).await
        };
        match opened {
            Ok(file) => Ok(Some(Self::over(file, path, clock))),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(spool_error(&path, "create a file", error)),
        }
    }

    fn over(file: File, path: PathBuf, clock: SharedClock) -> Self {
        let disk = Disk { file, path, state: Mutex::default(), taken: Notify::new(), idle: Notify::new() };
        Self { body: Body::Disk(Arc::new(disk)), clock }
    }

    /// Where the file is; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        match &self.body {
            Body::Disk(disk) => Some(&disk.path),
            Body::Memory { .. } => None,
        }
    }

    /// Appends bytes. On a disk they are not copied, and written by the next [`flush`](Self::flush).
    pub fn append(&self, bytes: Bytes) {
        match &self.body {
            Body::Disk(disk) => {
                let mut state = disk.lock();
                state.waiting_bytes += bytes.len();
                state.waiting.push(bytes);
            }
            Body::Memory { bytes: memory, .. } => {
                let mut memory = lock(memory);
                memory.open.extend_from_slice(&bytes);
                if memory.open.len() >= PIECE {
                    let full = std::mem::take(&mut memory.open).into_boxed_slice();
                    memory.full.push(Bytes::from(full));
                }
            }
        }
    }

    /// Has written what was appended, at once or soon. Waits where more than a mebibyte is waiting.
    ///
    /// # Errors
    /// What an earlier write met; the file then ends where that write stopped.
    pub async fn flush(&self) -> Result<()> {
        let Body::Disk(disk) = &self.body else { return Ok(()) };
        loop {
            let taken = disk.taken.notified();
            {
                let mut state = disk.lock();
                if state.waiting_bytes >= PROMPT_BYTES {
                    disk.start_writer(&mut state);
                } else if state.waiting_bytes > 0 && !state.writing && !state.timed {
                    state.timed = true;
                    self.write_later(disk);
                }
                if state.waiting_bytes <= MAX_WAITING_BYTES || state.failure.is_some() {
                    break;
                }
            }
            taken.await;
        }
        disk.check()
    }

    /// Waits until all bytes are in the file.
    ///
    /// # Errors
    /// What a write met.
    pub async fn written(&self) -> Result<()> {
        let Body::Disk(disk) = &self.body else { return Ok(()) };
        loop {
            let idle = disk.idle.notified();
            {
                let mut state = disk.lock();
                disk.start_writer(&mut state);
                if !state.writing {
                    break;
                }
            }
            idle.await;
        }
        disk.check()
    }

    /// The first `len` bytes, in pieces.
    ///
    /// # Errors
    /// What reading met; `DataLoss` where the file is shorter.
    pub async fn read(&self, len: u64) -> Result<Vec<Bytes>> {
        let disk = match &self.body {
            Body::Disk(disk) => Arc::clone(disk),
            Body::Memory { bytes: memory, .. } => {
                let memory = lock(memory);
                let mut pieces = memory.full.clone();
                pieces.push(Bytes::copy_from_slice(&memory.open));
                return Ok(first(pieces, len));
            }
        };
        self.written().await?;
        let path = disk.path.clone();
        let read = blocking(move || {
            let mut file = File::open(&path)?.take(len);
            let mut pieces = Vec::new();
            loop {
                let mut piece = Vec::with_capacity(PIECE);
                let count = file.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
                pieces.push(Bytes::from(piece));
                if count < PIECE {
                    return Ok(pieces);
                }
            }
        });
        let pieces = read.await.map_err(|error| spool_error(&disk.path, "read", error))?;
        if pieces.iter().map(|piece| piece.len() as u64).sum::<u64>() == len {
            return Ok(pieces);
        }
        let message = format!("{} is shorter than what was written to it", disk.path.display());
        Err(Error::new(ErrorKind::DataLoss, message))
    }

    /// Removes the file. What cannot be removed is only in the way.
    pub async fn remove(&self) {
        match &self.body {
            Body::Disk(disk) => {
                let path = disk.path.clone();
                let _ = blocking(move || std::fs::remove_file(path)).await;
            }
            Body::Memory { bytes, name, names } => {
                *lock(bytes) = Memory::default();
                lock(names).remove(name);
            }
        }
    }

    fn write_later(&self, disk: &Arc<Disk>) {
        let (disk, patience) = (Arc::downgrade(disk), self.clock.sleep(PATIENCE));
        tokio::spawn(async move {
            patience.await;
            if let Some(disk) = disk.upgrade() {
                let mut state = disk.lock();
                state.timed = false;
                disk.start_writer(&mut state);
            }
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Disk {
    fn check(&self) -> Result<()> {
        match self.lock().failure.take() {
            Some(error) => Err(spool_error(&self.path, "write", error)),
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn start_writer(self: &Arc<Self>, state: &mut State) {
        if !state.writing && !state.waiting.is_empty() && state.failure.is_none() {
            state.writing = true;
            let disk = Arc::clone(self);
            tokio::task::spawn_blocking(move || disk.write_all());
        }
    }

    /// Writes until nothing waits.
    fn write_all(&self) {
        let mut batch = Vec::new();
        loop {
            // The slices just written go here, which gives their buffers back to the input.
            batch.clear();
            {
                let mut state = self.lock();
                std::mem::swap(&mut batch, &mut state.waiting);
                state.waiting_bytes = 0;
                if batch.is_empty() {
                    state.writing = false;
                    break;
                }
            }
            self.taken.notify_waiters();
            if let Err(error) = batch.chunks(SLICES).try_for_each(|part| write_slices(&self.file, part)) {
                let mut state = self.lock();
                *state = State { failure: Some(error), timed: state.timed, ..State::default() };
                break;
            }
        }
        self.taken.notify_waiters();
        self.idle.notify_waiters();
    }
}

fn write_slices(mut file: &File, parts: &[Bytes]) -> std::io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let mut slices = &mut slices[..];
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(count) => IoSlice::advance_slices(&mut slices, count),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::ids::Sid;

    async fn folder(base: &Path) -> SpoolFolder {
        SpoolFolder::create(base, &Sid::new("s1").unwrap(), [0, 0, 0, 1]).await.unwrap()
    }

    #[tokio::test]
    async fn bytes_reach_the_file_in_order_whatever_their_size() {
        let base = tempfile::tempdir().unwrap();
        for folder in [folder(&base.path().join("spool")).await, SpoolFolder::memory()] {
            let file = SpoolFile::create(&folder, "a.ts", SystemClock::shared()).await.unwrap().unwrap();
            let mut expected: Vec<u8> = Vec::new();
            for size in [1, 100, 70_000, 3, 0, 2_000_000, 5] {
                let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
                expected.extend(&bytes);
                file.append(bytes.into());
                file.flush().await.unwrap();
            }
            file.written().await.unwrap();
            for len in [0, 1, 65_536, 70_000, expected.len()] {
                let read = file.read(len as u64).await.unwrap().concat();
                assert!(read == expected[..len], "{len} of {}: {}", expected.len(), read.len());
            }
            assert!(SpoolFile::create(&folder, "a.ts", SystemClock::shared()).await.unwrap().is_none());
            let Some(path) = file.path() else { continue };
            assert!(file.read(expected.len() as u64 + 1).await.is_err(), "it is shorter");
            folder.remove_if_empty().await;
            assert!(path.exists(), "a folder with a segment in it stays");
            file.remove().await;
            folder.remove_if_empty().await;
            assert!(!base.path().join("spool").exists());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn few_bytes_are_written_within_half_a_second() {
        let base = tempfile::tempdir().unwrap();
        let folder = folder(base.path()).await;
        let file = SpoolFile::create(&folder, "a.ts", SystemClock::shared()).await.unwrap().unwrap();
        file.append(Bytes::from_static(b"few"));
        file.flush().await.unwrap();
        let Body::Disk(disk) = &file.body else { panic!("on a disk") };
        let written = disk.idle.notified();
        tokio::time::timeout(PATIENCE * 2, written).await.unwrap();
        assert_eq!(std::fs::read(&disk.path).unwrap(), b"few");
    }

    #[tokio::test]
    async fn a_full_disk_is_reported() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let file = SpoolFile::over(full, "/dev/full".into(), SystemClock::shared());
        file.append(Bytes::from(vec![0; PROMPT_BYTES]));
        let error = file.written().await.unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
    }
}
