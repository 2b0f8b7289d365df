//! One output: bytes or frames go in, segments go into the spool and on to the upload.
//!
//! Where the spool or its disk is full, an input that can wait is made to wait before the next write, so long as anything
//! of the recording is on its way to the store; for one that cannot, the oldest segment that can be spared is given up,
//! and where there is none, the open one. Its place in the playlist becomes a gap.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Mutex, Semaphore};
use tracing::{Instrument, Span, info, info_span, warn};

use super::event::Event;
use super::options::OnFull;
use super::session::Session;
use crate::checksum::RunningCrc64;
use crate::error::{Error, ErrorKind, Result};
use crate::media::Frame;
use crate::naming::{NameKind, ObjectName};
use crate::playlist::{CompatSegment, CompatTags};
use crate::slicer::{Action, CutReason, Notes, OpenedSegment, SealedSegment, SliceError, Slicer};
use crate::spool::{Fact, GapCause, Opened, Sealed, SpoolFile};
use crate::time::WallTime;
use crate::upload::{Body, SealedFile};

/// How often a full disk is tried again for an input that waits.
const PRESS: Duration = Duration::from_secs(1);
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
    span: Span,
    state: Mutex<State>,
    /// Segments that may wait, of an input that can.
    places: Option<Arc<Semaphore>>,
}

#[derive(Debug)]
struct State {
    slicer: Slicer,
    /// Dates come from arrival.
    live: bool,
    /// What was counted before it was opened again.
    earlier: Option<Notes>,
    segment: Option<OpenSegment>,
    ended: bool,
    /// A segment could not be written; nothing more is taken.
    broken: bool,
    without_key_frame: u64,
    /// The faults of the input that were told.
    told: Notes,
    compat: CompatTags,
    /// Nothing came for long behind the latest segment.
    silent: bool,
}

#[derive(Debug)]
struct OpenSegment {
    file: Arc<SpoolFile>,
    name: ObjectName,
    crc64: RunningCrc64,
    /// Its bytes were given up; what still comes of it is too.
    lost: Option<GapCause>,
}

impl Output {
    pub(super) fn new(
        session: Arc<Session>,
        index: usize,
        playlist: ObjectName,
        live: bool,
        slicer: Slicer,
    ) -> Self {
        let places = match session.options.on_full {
            OnFull::Wait { segments } => Some(Arc::new(Semaphore::new(segments.max(1)))),
            OnFull::Drop => None,
        };
        let state = State::new(slicer, live);
        let span = info_span!(parent: &session.span, "output", %playlist);
        let state = Mutex::new(state);
        Self { shared: Arc::new(Shared { session, index, playlist, span, state, places }) }
    }

    /// Opens an output again that has ended: with the slicer that is to follow its own.
    ///
    /// # Errors
    /// `InvalidInput` where it has not ended; what `follow` gives.
    pub(super) fn reopen(&self, live: bool, follow: impl FnOnce(&Slicer) -> Result<Slicer>) -> Result<()> {
        // Who holds it is still writing.
        let Some(mut state) = self.shared.state.try_lock().ok().filter(|state| state.ended) else {
            return Err(self.shared.invalid("is open already"));
        };
        let slicer = follow(&state.slicer)?;
        let (earlier, without_key_frame) = (Some(state.notes()), state.without_key_frame);
        *state = State { earlier, without_key_frame, ..State::new(slicer, live) };
        // What was told before is not news.
        state.told = state.notes().faults();
        Ok(())
    }

    /// Waits, where the input is one that can wait, while too many segments wait for the store, or the spool or its
    /// disk is full. May be dropped while it waits.
    pub async fn ready(&self) {
        let Some(places) = &self.shared.places else { return };
        loop {
            self.shared.wait_for_room().await;
            tokio::select! {
                biased;
                // A permit for each segment that may wait; one free is enough.
                _ = places.acquire() => return,
                // Meanwhile the disk may have become full.
                () = self.shared.session.options.clock.sleep(PRESS) => {}
            }
        }
    }

    /// Takes the next bytes of the container, in chunks of any size, as having arrived now.
    ///
    /// Waits only where the local disk is slow, and as [`ready`](Self::ready) does. Must not be dropped
    /// while it waits: bytes would be missing. Who cannot wait calls [`ready`](Self::ready) before.
    ///
    /// # Errors
    /// `Malformed` for a stream that cannot be what was promised; `InvalidInput` for an output of frames, or one that has
    /// ended; `Unavailable` for a disk that takes no more; what ended the uploading. What was recorded before is stored all the same by
    /// [`Recorder::stop`](super::Recorder::stop).
    pub async fn write_bytes(&self, bytes: Bytes) -> Result<()> {
        let now = self.shared.session.options.clock.wall();
        self.write_bytes_arrived(bytes, Some(now)).await
    }

    /// The same for bytes that arrived earlier.
    ///
    /// # Errors
    /// As [`write_bytes`](Self::write_bytes).
    pub async fn write_bytes_arrived(&self, bytes: Bytes, arrived: Option<WallTime>) -> Result<()> {
        self.ready().await;
        let mut state = self.shared.state.lock().await;
        self.shared.check(&state)?;
        if state.slicer.tracks() > 0 {
            return Err(self.shared.invalid("takes frames, not bytes: call write_frame"));
        }
        let arrived = arrived.filter(|_| state.live);
        let sliced = state.slicer.push(&bytes, arrived);
        self.shared.carry_out(&mut state).await?;
        sliced.map_err(|error| self.shared.malformed(error))
    }

    /// Takes the next encoded frame of one of the output's tracks, as having arrived now. Frames of one track come in the
    /// order of their decoding; those of different tracks may be half a second of media apart, in any order.
    ///
    /// Waits as [`write_bytes`](Self::write_bytes) does, and must not be dropped while it waits either. A frame waits for those
    /// of other tracks that belong before it, at most half a second of media, and holds the buffer that its data is a slice of
    /// until then and until it is written.
    ///
    /// # Errors
    /// `InvalidInput` for a track that the output has not, or one that has ended; else as
    /// [`write_bytes`](Self::write_bytes). A frame that cannot be used is none: it is dropped, and counted in
    /// [`notes`](Self::notes).
    pub async fn write_frame(&self, frame: Frame) -> Result<()> {
        let now = self.shared.session.options.clock.wall();
        self.write_frame_arrived(frame, Some(now)).await
    }

    /// The same for a frame that arrived earlier.
    ///
    /// # Errors
    /// As [`write_frame`](Self::write_frame).
    pub async fn write_frame_arrived(&self, frame: Frame, arrived: Option<WallTime>) -> Result<()> {
        self.ready().await;
        let mut state = self.shared.state.lock().await;
        self.shared.check(&state)?;
        let tracks = state.slicer.tracks();
        if frame.track >= tracks {
            let what = format!("has {tracks} tracks of frames, and none with the number {}", frame.track);
            return Err(self.shared.invalid(&what));
        }
        let arrived = arrived.filter(|_| state.live);
        state.slicer.push_frame(frame, arrived);
        self.shared.carry_out(&mut state).await
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
        self.shared.state.lock().await.notes()
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

impl State {
    fn new(slicer: Slicer, live: bool) -> Self {
        let told = slicer.notes().faults();
        Self {
            slicer,
            live,
            earlier: None,
            segment: None,
            ended: false,
            broken: false,
            without_key_frame: 0,
            told,
            compat: CompatTags::default(),
            silent: false,
        }
    }

    /// What stands before the segment's entry for other services' scripts, where that is wanted.
    fn compat_tags(&mut self, facts: &SealedSegment, wanted: bool) -> Vec<String> {
        let silent = self.silent;
        self.silent = facts.reason == CutReason::Interruption;
        if !wanted {
            return Vec::new();
        }
        let SealedSegment { opened, holds, .. } = facts;
        self.compat.before(&CompatSegment {
            date: opened.date,
            resumes: silent,
            video: holds.video,
            audio: holds.audio,
            size: opened.video_format.map(|format| (format.width, format.height)),
        })
    }

    /// All that was counted.
    fn notes(&self) -> Notes {
        let notes = self.slicer.notes();
        self.earlier.map_or(notes, |earlier| notes.after(earlier))
    }
}

impl Shared {
    fn check(&self, state: &State) -> Result<()> {
        if state.ended || state.broken {
            let why = if state.ended { "has ended" } else { "could not be written any further" };
            return Err(self.invalid(why));
        }
        self.session.driver.check()
    }

    fn invalid(&self, why: &str) -> Error {
        Error::new(ErrorKind::InvalidInput, format!("the output {} {why}", self.playlist))
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
                    self.open(state, facts).map_err(|error| error.context(&self.playlist))?;
                }
                (Action::Bytes(bytes), Some(segment)) if segment.lost.is_none() => {
                    segment.crc64.update(&bytes);
                    segment.file.append(bytes);
                }
                (Action::Patch(patch), Some(segment)) if segment.lost.is_none() => {
                    segment.crc64.patch(patch.offset, &patch.old, &patch.new);
                    segment.file.patch(patch.offset, patch.new);
                }
                (Action::Bytes(_) | Action::Patch(_), _) => {}
                (Action::Sealed(facts), _) => self.seal(state, facts)?,
            }
        }
        self.write(state).await
    }

    /// Brings what was appended into the spool, or says what has become of it.
    async fn write(&self, state: &mut State) -> Result<()> {
        if let Some(segment) = state.segment.as_mut().filter(|segment| segment.lost.is_none())
            && let Err(error) = segment.file.flush().await
        {
            match self.session.options.on_full {
                OnFull::Wait { .. } => return Err(error.context(&self.playlist)),
                OnFull::Drop => {
                    warn!(error = %error.report(), "the spool failed");
                    segment.lose(GapCause::SpoolFailed).await;
                }
            }
        }
        if self.session.options.on_full == OnFull::Drop {
            self.make_room(state).await;
        }
        Ok(())
    }

    /// Gives segments up until the spool and its disk have room again.
    async fn make_room(&self, state: &mut State) {
        let spool = &self.session.spool;
        loop {
            let cause = self.session.full();
            self.session.tell_room(cause, false);
            let Some(cause) = cause else { return };
            let freed = self.session.driver.make_room(cause).await;
            if spool.press().await && cause == GapCause::DiskFull || freed {
                continue;
            }
            match state.segment.as_mut().filter(|segment| segment.lost.is_none()) {
                Some(segment) => segment.lose(cause).await,
                // There is no more to give up: it is others' media that fills it.
                None => return,
            }
        }
    }

    /// Waits until the spool and its disk have room. Where nothing of the recording waits for the store, nothing will make
    /// room: then the open segments get complete, however little there may be in the spool.
    async fn wait_for_room(&self) {
        let spool = &self.session.spool;
        loop {
            let freed = spool.room().freed();
            spool.press().await;
            let waiting = self.session.driver.has_waiting();
            let cause = self.session.full().filter(|&cause| cause != GapCause::SpoolFull || waiting);
            self.session.tell_room(cause, true);
            // Where nothing more can be stored, the next write says why.
            if cause.is_none() || self.session.driver.check().is_err() {
                return;
            }
            tokio::select! {
                biased;
                () = freed => {}
                () = self.session.options.clock.sleep(PRESS) => {}
            }
        }
    }

    fn open(&self, state: &mut State, facts: OpenedSegment) -> Result<()> {
        let container = state.slicer.container();
        let mut start = facts.date;
        for _ in 0..MAX_NAMES {
            let name = ObjectName { kind: NameKind::Segment { start, container }, ..self.playlist.clone() };
            let (spool, clock) = (&self.session.spool, self.session.options.clock.clone());
            let opened = Opened::new(self.playlist.to_string(), &facts);
            let Some(file) = SpoolFile::create(spool, &name.to_string(), Some(opened), clock) else {
                // Two segments that begin in the same millisecond.
                start = start.next_milli();
                continue;
            };
            info!(segment = facts.seq.0, date = %facts.date, key = facts.starts_with_key, "segment opened");
            let file = Arc::new(file);
            state.segment = Some(OpenSegment { file, name, crc64: RunningCrc64::default(), lost: None });
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
        let Some(OpenSegment { file, name, crc64, lost }) = state.segment.take() else { return Ok(()) };
        let notes = state.notes();
        if std::mem::replace(&mut state.told, notes.faults()) != notes.faults() {
            self.session.emit(Event::InputFaults { playlist: self.playlist.to_string(), notes });
        }
        let crc64 = crc64.current();
        let body = match lost {
            Some(cause) => Body::Gap { file, cause },
            None => {
                file.seal(Sealed::new(&facts, crc64));
                // Without a place the next write waits, not this one, which is halfway through its bytes.
                let places = self.places.as_ref();
                let permit = places.and_then(|places| Arc::clone(places).try_acquire_owned().ok());
                Body::File { file, crc64, permit }
            }
        };
        let compat = state.compat_tags(&facts, self.session.options.compat_tags);
        self.session.driver.sealed(self.index, SealedFile { name, facts, compat, body })
    }
}

impl OpenSegment {
    async fn lose(&mut self, cause: GapCause) {
        self.lost = Some(cause);
        self.file.drop_bytes(Fact::Dropped(cause)).await;
    }
}
