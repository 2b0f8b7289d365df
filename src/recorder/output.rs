//! One output: media goes in, segments go into the spool and on to the upload.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, Semaphore};
use tracing::{Instrument, Span, info, info_span};

use super::event::Event;
use super::session::Session;
use crate::checksum::RunningCrc64;
use crate::error::{Error, ErrorKind, Result};
use crate::naming::{NameKind, ObjectName};
use crate::slicer::{Action, OpenedSegment, SealedSegment, SliceError, Slicer};
use crate::spool::SpoolFile;
use crate::time::WallTime;
use crate::ts::Notes;
use crate::upload::SealedFile;

/// How often a segment's name may be taken in the spool before something is wrong.
const MAX_NAMES: usize = 1000;

/// A handle on one output of a recording. Clones are the same output.
#[derive(Debug, Clone)]
pub struct Output {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    session: Arc<Session>,
    /// The output's number in the recording.
    index: usize,
    playlist: ObjectName,
    /// Dates come from arrival.
    live: bool,
    span: Span,
    state: Mutex<State>,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct State {
    slicer: Slicer,
    segment: Option<OpenSegment>,
    ended: bool,
    /// A segment could not be written; nothing more is taken.
    broken: bool,
    without_key_frame: u64,
    /// The faults of the input that were told.
    told: Notes,
}

#[derive(Debug)]
struct OpenSegment {
    file: SpoolFile,
    name: ObjectName,
    crc64: RunningCrc64,
}

impl Output {
    pub(super) fn new(
        session: Arc<Session>,
        index: usize,
        playlist: ObjectName,
        live: bool,
        slicer: Slicer,
    ) -> Self {
        let room = Arc::new(Semaphore::new(session.options.max_waiting_segments.max(1)));
        let state = State {
            slicer,
            segment: None,
            ended: false,
            broken: false,
            without_key_frame: 0,
            told: Notes::default(),
        };
        let span = info_span!(parent: &session.span, "output", %playlist);
        let state = Mutex::new(state);
        Self { shared: Arc::new(Shared { session, index, playlist, live, span, state, room }) }
    }

    /// Waits while too many segments wait for the store. May be dropped while it waits.
    pub async fn ready(&self) {
        // A permit for each segment that may wait; one free is enough.
        drop(self.shared.room.acquire().await);
    }

    /// Takes the next bytes of the container, in chunks of any size, as having arrived now.
    ///
    /// Waits only where the local disk is slow or too many segments wait for the store. Must not be dropped
    /// while it waits: bytes would be missing. Who cannot wait calls [`ready`](Self::ready) before.
    ///
    /// # Errors
    /// `Malformed` for a stream that cannot be what was promised; `Unavailable` for a disk that takes no
    /// more; what ended the uploading. What was recorded before is stored all the same by
    /// [`Recorder::stop`](super::Recorder::stop).
    pub async fn write_bytes(&self, bytes: Bytes) -> Result<()> {
        let now = self.shared.live.then(|| self.shared.session.options.clock.wall());
        self.write_bytes_arrived(bytes, now).await
    }

    /// The same for bytes that arrived earlier.
    ///
    /// # Errors
    /// As [`write_bytes`](Self::write_bytes).
    pub async fn write_bytes_arrived(&self, bytes: Bytes, arrived: Option<WallTime>) -> Result<()> {
        self.ready().await;
        let mut state = self.shared.state.lock().await;
        self.shared.check(&state)?;
        let arrived = arrived.filter(|_| self.shared.live);
        let sliced = state.slicer.push(&bytes, arrived);
        self.shared.carry_out(&mut state).await?;
        sliced.map_err(|error| self.shared.malformed(error))
    }

    /// Tells that the input has been silent for so long that the open segment should end; the next bytes
    /// begin another. Does nothing where none is open.
    ///
    /// # Errors
    /// As [`write_bytes`](Self::write_bytes).
    pub async fn interrupt(&self) -> Result<()> {
        let mut state = self.shared.state.lock().await;
        self.shared.check(&state)?;
        state.slicer.interrupt();
        self.shared.carry_out(&mut state).await
    }

    /// Ends the output: its open segment is complete with what has come. Does nothing the second time.
    ///
    /// # Errors
    /// `Malformed` where nothing in all that came could be recorded, and why; `Unavailable` for a disk that
    /// takes no more.
    pub async fn finish(&self) -> Result<()> {
        let mut state = self.shared.state.lock().await;
        if std::mem::replace(&mut state.ended, true) || state.broken {
            return Ok(());
        }
        let sliced = state.slicer.finish();
        self.shared.carry_out(&mut state).await?;
        sliced.map_err(|error| self.shared.malformed(error))
    }

    pub(super) fn playlist(&self) -> &ObjectName {
        &self.shared.playlist
    }

    /// Counted oddities of the input so far.
    pub async fn notes(&self) -> Notes {
        self.shared.state.lock().await.slicer.notes()
    }

    /// The date of the latest frame; `None` before the first.
    pub async fn now(&self) -> Option<WallTime> {
        self.shared.state.lock().await.slicer.now()
    }

    /// Segments that begin without a key frame.
    pub(super) async fn without_key_frame(&self) -> u64 {
        self.shared.state.lock().await.without_key_frame
    }
}

impl Shared {
    fn check(&self, state: &State) -> Result<()> {
        if state.ended || state.broken {
            let why = if state.ended { "has ended" } else { "could not be written any further" };
            return Err(Error::new(ErrorKind::InvalidInput, format!("the output {} {why}", self.playlist)));
        }
        self.session.driver.check()
    }

    fn malformed(&self, error: SliceError) -> Error {
        Error::new(ErrorKind::Malformed, error.to_string()).with_source(error)
    }

    async fn carry_out(&self, state: &mut State) -> Result<()> {
        let done = self.carry_out_all(state).instrument(self.span.clone()).await;
        done.inspect_err(|_| state.broken = true)
    }

    /// An error of the disk names the playlist; one that ended the uploading is not this output's own.
    async fn carry_out_all(&self, state: &mut State) -> Result<()> {
        while let Some(action) = state.slicer.pull() {
            match (action, &mut state.segment) {
                (Action::Open(facts), _) => {
                    self.open(state, facts).await.map_err(|error| error.context(&self.playlist))?;
                }
                (Action::Bytes(bytes), Some(segment)) => {
                    segment.crc64.update(&bytes);
                    segment.file.append(bytes);
                }
                (Action::Bytes(_), None) => {}
                (Action::Sealed(facts), _) => self.seal(state, facts)?,
            }
        }
        match &state.segment {
            Some(segment) => segment.file.flush().await.map_err(|error| error.context(&self.playlist)),
            None => Ok(()),
        }
    }

    async fn open(&self, state: &mut State, facts: OpenedSegment) -> Result<()> {
        let container = state.slicer.container();
        let mut start = facts.date;
        for _ in 0..MAX_NAMES {
            let name = ObjectName { kind: NameKind::Segment { start, container }, ..self.playlist.clone() };
            let clock = self.session.options.clock.clone();
            let Some(file) = SpoolFile::create(&self.session.spool, &name.to_string(), clock).await? else {
                // Two segments that begin in the same millisecond.
                start = start.next_milli();
                continue;
            };
            info!(segment = facts.seq.0, date = %facts.date, key = facts.starts_with_key, "segment opened");
            state.segment = Some(OpenSegment { file, name, crc64: RunningCrc64::default() });
            state.without_key_frame += u64::from(!facts.starts_with_key);
            self.session.emit(Event::SegmentOpened {
                playlist: self.playlist.to_string(),
                segment: facts.seq.0,
                date: facts.date.to_string(),
                starts_with_key: facts.starts_with_key,
                discontinuity: facts.discontinuity,
            });
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict, "the spool holds too many segments that began at one time"))
    }

    fn seal(&self, state: &mut State, facts: SealedSegment) -> Result<()> {
        let Some(OpenSegment { file, name, crc64 }) = state.segment.take() else { return Ok(()) };
        let notes = state.slicer.notes();
        if std::mem::replace(&mut state.told, notes.faults()) != notes.faults() {
            self.session.emit(Event::InputFaults { playlist: self.playlist.to_string(), notes });
        }
        // Without room the next write waits, not this one, which is halfway through its bytes.
        let permit = Arc::clone(&self.room).try_acquire_owned().ok();
        let sealed = SealedFile { file: Arc::new(file), name, facts, crc64: crc64.current(), permit };
        self.session.driver.sealed(self.index, sealed)
    }
}
