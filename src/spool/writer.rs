//! What writes one file of the spool on a disk: one writer at a time on the blocking pool, which does all that waits
//! in the order it came.
//!
//! Where the disk is full, what was not written stays first in the queue. Any other failure is final.

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::Notify;

use super::disk::DiskFolder;
use super::{is_full, lock, spool_error};
use crate::error::Result;

/// Slices in one write call.
const SLICES: usize = 64;
/// Size of the pieces in which files are read.
const PIECE: usize = 64 * 1024;

/// A thing for the writer to do.
#[derive(Debug)]
pub(super) enum Job {
    Fact(String),
    Bytes(Bytes),
    /// Bytes that take the place of others, from an offset on.
    Patch(u64, Bytes),
    /// Nothing more will come.
    Close,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub jobs: Vec<Job>,
    pub waiting_bytes: usize,
    /// A writer is at work and will take what waits.
    pub writing: bool,
    /// A timer runs that will start one.
    pub timed: bool,
    /// The disk had no room for what waits.
    pub stuck: bool,
    pub failure: Option<(io::ErrorKind, String)>,
}

#[derive(Debug)]
pub(super) struct Writer {
    pub folder: Arc<DiskFolder>,
    pub name: String,
    state: Mutex<State>,
    /// Open from the first byte until it is closed, so that a long outage costs no descriptors.
    pub file: Mutex<Option<Arc<File>>>,
    /// Rings each time the writer has taken what waited.
    pub taken: Notify,
    /// Rings each time the writer ends.
    pub idle: Notify,
}

impl Writer {
    /// Of a file that is not there yet.
    pub fn new(folder: Arc<DiskFolder>, name: String) -> Arc<Self> {
        Arc::new(Self {
            folder,
            name,
            state: Mutex::default(),
            file: Mutex::default(),
            taken: Notify::new(),
            idle: Notify::new(),
        })
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path.join(&self.name)
    }

    pub fn check(&self) -> Result<()> {
        match &self.lock().failure {
            Some((kind, text)) => {
                Err(spool_error(&self.path(), "write", io::Error::new(*kind, text.clone())))
            }
            None => Ok(()),
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub fn start(self: &Arc<Self>, state: &mut State) {
        if !state.writing && !state.stuck && !state.jobs.is_empty() && state.failure.is_none() {
            state.writing = true;
            let writer = Arc::clone(self);
            tokio::task::spawn_blocking(move || writer.write_all());
        }
    }

    /// Whether the disk had no room for all that came.
    pub fn is_stuck(&self) -> bool {
        self.lock().stuck
    }

    /// Tries again to write what is stuck. True where all is written.
    pub async fn press(self: &Arc<Self>) -> Result<bool> {
        self.lock().stuck = false;
        self.drain().await;
        self.check()?;
        Ok(!self.is_stuck())
    }

    /// Waits until nothing is being written and nothing waits to be.
    pub async fn drain(self: &Arc<Self>) {
        loop {
            let idle = self.idle.notified();
            {
                let mut state = self.lock();
                self.start(&mut state);
                if !state.writing {
                    return;
                }
            }
            idle.await;
        }
    }

    /// Throws away what waits.
    pub async fn clear(self: &Arc<Self>) -> Arc<Self> {
        {
            let mut state = self.lock();
            (state.jobs, state.waiting_bytes, state.stuck) = (Vec::new(), 0, false);
        }
        self.drain().await;
        lock(&self.file).take();
        Arc::clone(self)
    }

    /// Writes until nothing waits.
    fn write_all(self: &Arc<Self>) {
        let mut batch = Vec::new();
        loop {
            // The slices just written go here, which gives their buffers back to the input.
            batch.clear();
            {
                let mut state = self.lock();
                std::mem::swap(&mut batch, &mut state.jobs);
                state.waiting_bytes = 0;
                if batch.is_empty() {
                    state.writing = false;
                    break;
                }
            }
            self.taken.notify_waiters();
            let Err((done, error)) = self.carry_out(&mut batch) else { continue };
            let mut state = self.lock();
            state.writing = false;
            if is_full(&error) {
                state.stuck = true;
                lock(&self.folder.stuck).push(Arc::downgrade(self));
                let later = std::mem::take(&mut state.jobs);
                state.jobs = batch.drain(done..).chain(later).collect();
                state.waiting_bytes = state.jobs.iter().map(Job::len).sum();
            } else {
                state.jobs.clear();
                state.failure = Some((error.kind(), error.to_string()));
            }
            break;
        }
        self.taken.notify_waiters();
        self.idle.notify_waiters();
    }

    /// Does jobs in order. What was done of a job that failed is cut off its front.
    ///
    /// # Errors
    /// What it met, and at which job.
    fn carry_out(&self, jobs: &mut [Job]) -> Result<(), (usize, io::Error)> {
        let mut done = 0;
        while let Some(job) = jobs.get_mut(done) {
            match job {
                Job::Fact(line) => {
                    if let Err(error) = self.folder.add_fact(&self.name, line) {
                        // A part of it may be written: what follows begins a line of its own.
                        line.insert(0, '\n');
                        return Err((done, error));
                    }
                    done += 1;
                }
                Job::Bytes(_) => {
                    let file = self.open().map_err(|error| (done, error))?;
                    let rest = jobs.get_mut(done..).unwrap_or_default();
                    let bytes = |job: &mut Job| matches!(job, Job::Bytes(_));
                    let run = rest.iter_mut().take(SLICES).map(bytes).take_while(|&is| is).count();
                    let written = write_slices(&file, rest.get(..run).unwrap_or_default());
                    let mut left = written.0;
                    for job in rest.iter_mut().take(run) {
                        let Job::Bytes(bytes) = job else { continue };
                        if left < bytes.len() {
                            drop(bytes.split_to(left));
                            break;
                        }
                        left -= bytes.len();
                        done += 1;
                    }
                    written.1.map_err(|error| (done, error))?;
                }
                Job::Patch(offset, bytes) => {
                    let file = self.open().map_err(|error| (done, error))?;
                    // The whole of it again, where it was cut short: that changes nothing.
                    file.write_all_at(bytes, *offset).map_err(|error| (done, error))?;
                    done += 1;
                }
                Job::Close => {
                    // A segment without a byte has a file too.
                    self.open().map_err(|error| (done, error))?;
                    lock(&self.file).take();
                    done += 1;
                }
            }
        }
        Ok(())
    }

    fn open(&self) -> io::Result<Arc<File>> {
        let mut open = lock(&self.file);
        if let Some(file) = &*open {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(self.folder.create_file(&self.name)?);
        *open = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Through the descriptor where it is still open: then it can be read though somebody has removed the file.
    pub fn read(&self, len: u64) -> io::Result<Vec<Bytes>> {
        let open = lock(&self.file).clone();
        let file = match open {
            Some(file) => file,
            None => Arc::new(File::open(self.path())?),
        };
        let (mut pieces, mut at) = (Vec::new(), 0);
        while at < len {
            let mut piece = vec![0; PIECE.min(usize::try_from(len - at).unwrap_or(PIECE))];
            match file.read_at(&mut piece, at) {
                Ok(0) => break,
                Ok(count) => {
                    piece.truncate(count);
                    pieces.push(Bytes::from(piece));
                    at += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(pieces)
    }
}

impl Job {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) | Self::Patch(_, bytes) => bytes.len(),
            Self::Fact(_) | Self::Close => 0,
        }
    }
}

/// Writes the bytes of jobs in a row; says how many were written, and what stopped it.
fn write_slices(mut file: &File, jobs: &[Job]) -> (usize, io::Result<()>) {
    let bytes = jobs.iter().filter_map(|job| match job {
        Job::Bytes(bytes) => Some(IoSlice::new(bytes)),
        Job::Fact(_) | Job::Patch(..) | Job::Close => None,
    });
    let mut slices: Vec<IoSlice<'_>> = bytes.collect();
    let mut slices = &mut slices[..];
    let mut written = 0;
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => {
                written += count;
                IoSlice::advance_slices(&mut slices, count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}
