//! One open segment in the spool, appended to as bytes arrive.
//!
//! Bytes are handed to the kernel by one writer at a time on the blocking pool, in the order they came:
//! when [`flush`](SpoolFile::flush) finds 64 KiB waiting, else within half a second. While it writes, more
//! may be appended; it goes on until nothing waits. Only a disk that is slower than the input makes the
//! input wait, and then for the writer to take what waits, not for it to end: waking a thread costs more
//! than writing what it was woken for.

use std::fs::File;
use std::io::{IoSlice, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use super::folder::{SpoolFolder, blocking, spool_error};
use crate::clock::SharedClock;
use crate::error::Result;

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
struct Shared {
    file: File,
    path: PathBuf,
    state: Mutex<State>,
    /// Rings each time the writer has taken what waited.
    taken: Notify,
    /// Rings each time the writer has nothing left to write.
    idle: Notify,
}

/// A segment's file while it is open.
#[derive(Debug)]
pub struct SpoolFile {
    shared: Arc<Shared>,
    clock: SharedClock,
}

impl SpoolFile {
    /// Creates the file `name` in the folder. `None` where a file of that name is there already.
    ///
    /// # Errors
    /// `Unavailable` or `InvalidInput` where the file cannot be made.
    pub async fn create(folder: &SpoolFolder, name: &str, clock: SharedClock) -> Result<Option<Self>> {
        let path = folder.path().join(name);
        let opened = {
            let path = path.clone();
            blocking(move || File::options().append(true).create_new(true).open(path)).await
        };
        match opened {
            Ok(file) => Ok(Some(Self::over(file, path, clock))),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(spool_error(&path, "create a segment", error)),
        }
    }

    fn over(file: File, path: PathBuf, clock: SharedClock) -> Self {
        let shared =
            Shared { file, path, state: Mutex::default(), taken: Notify::new(), idle: Notify::new() };
        Self { shared: Arc::new(shared), clock }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Appends bytes, without copying them. They are written by the next [`flush`](Self::flush).
    pub fn append(&self, bytes: Bytes) {
        let mut state = self.shared.lock();
        state.waiting_bytes += bytes.len();
        state.waiting.push(bytes);
    }

    /// Has written what was appended, at once or soon. Waits where more than a mebibyte is waiting.
    ///
    /// # Errors
    /// What an earlier write met; the file then ends where that write stopped.
    pub async fn flush(&self) -> Result<()> {
        loop {
            let taken = self.shared.taken.notified();
            {
                let mut state = self.shared.lock();
                if state.waiting_bytes >= PROMPT_BYTES {
                    self.shared.start_writer(&mut state);
                } else if state.waiting_bytes > 0 && !state.writing && !state.timed {
                    state.timed = true;
                    self.write_later();
                }
                if state.waiting_bytes <= MAX_WAITING_BYTES || state.failure.is_some() {
                    break;
                }
            }
            taken.await;
        }
        self.check()
    }

    /// Waits until all bytes are in the file.
    ///
    /// # Errors
    /// What a write met.
    pub async fn written(&self) -> Result<()> {
        loop {
            let idle = self.shared.idle.notified();
            {
                let mut state = self.shared.lock();
                self.shared.start_writer(&mut state);
                if !state.writing {
                    break;
                }
            }
            idle.await;
        }
        self.check()
    }

    fn check(&self) -> Result<()> {
        match self.shared.lock().failure.take() {
            Some(error) => Err(spool_error(self.path(), "write a segment", error)),
            None => Ok(()),
        }
    }

    fn write_later(&self) {
        let (shared, patience) = (Arc::downgrade(&self.shared), self.clock.sleep(PATIENCE));
        tokio::spawn(async move {
            patience.await;
            if let Some(shared) = shared.upgrade() {
                let mut state = shared.lock();
                state.timed = false;
                shared.start_writer(&mut state);
            }
        });
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_writer(self: &Arc<Self>, state: &mut State) {
        if !state.writing && !state.waiting.is_empty() && state.failure.is_none() {
            state.writing = true;
            let shared = Arc::clone(self);
            tokio::task::spawn_blocking(move || shared.write_all());
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
        let folder = folder(&base.path().join("spool")).await;
        let file = SpoolFile::create(&folder, "a.ts", SystemClock::shared()).await.unwrap().unwrap();
        let mut expected: Vec<u8> = Vec::new();
        for size in [1, 100, 70_000, 3, 0, 2_000_000, 5] {
            let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            expected.extend(&bytes);
            file.append(bytes.into());
            file.flush().await.unwrap();
        }
        file.written().await.unwrap();
        assert!(std::fs::read(file.path()).unwrap() == expected);
        assert!(SpoolFile::create(&folder, "a.ts", SystemClock::shared()).await.unwrap().is_none());
        folder.remove_if_empty().await;
        assert!(file.path().exists(), "a folder with a segment in it stays");
        std::fs::remove_file(file.path()).unwrap();
        folder.remove_if_empty().await;
        assert!(!base.path().join("spool").exists());
    }

    #[tokio::test(start_paused = true)]
    async fn few_bytes_are_written_within_half_a_second() {
        let base = tempfile::tempdir().unwrap();
        let folder = folder(base.path()).await;
        let file = SpoolFile::create(&folder, "a.ts", SystemClock::shared()).await.unwrap().unwrap();
        file.append(Bytes::from_static(b"few"));
        file.flush().await.unwrap();
        let written = file.shared.idle.notified();
        tokio::time::timeout(PATIENCE * 2, written).await.unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"few");
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
