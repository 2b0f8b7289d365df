//! A recording while this worker records it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Map;
use tokio::sync::broadcast;
use tracing::{Span, info, info_span, warn};

use super::event::Event;
use super::left;
use super::metrics::Metrics;
use super::options::{Options, OutputSpec};
use super::output::Output;
use super::place::spool;
use super::summary::{OutputSummary, Summary};
use crate::clock::draw;
use crate::continuity::{Claim, ControlObject, Holder, HolderOptions, Phase, Recordings, probe};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Cname, Generation, OutputName, RecordingId, Sid};
use crate::media::TrackError;
use crate::naming::{NameKind, ObjectName, key};
use crate::playlist::Header;
use crate::salvage::{Destination, Others};
use crate::slicer::{Slicer, SlicerOptions};
use crate::spool::{GapCause, SpoolFolder, WorkerRecord};
use crate::store::Store;
use crate::time::MediaSpan;
use crate::upload::{Driver, DriverOptions, Ending, Finished, Notice, Trouble};

/// Events kept for a listener that is slow; then it misses the oldest. They are most of what an idle recording has in memory.
const EVENTS: usize = 256;
/// The first segment of a resumed recording ends at the first key frame after this.
const RESUMED_FIRST: MediaSpan = MediaSpan::from_secs(2);
/// Ids of media clocks of one generation: those of two generations must not look like the same clock.
const CLOCKS: u32 = 1_000_000;

/// What the recorder and its outputs share.
#[derive(Debug)]
pub(super) struct Session {
    id: RecordingId,
    generation: Generation,
    uid: u32,
    store: Store,
    pub(super) options: Options,
    pub(super) spool: SpoolFolder,
    pub(super) driver: Driver,
    /// What dead workers left in the same spool.
    others: Others,
    /// Gone once the recording was stopped, which ends the listeners' streams.
    events: Mutex<Option<broadcast::Sender<Event>>>,
    trouble: Arc<Trouble>,
    /// Why the spool takes no more, as it was told last.
    full: Mutex<Option<GapCause>>,
    pub(super) span: Span,
}

impl Session {
    pub(super) fn emit(&self, event: Event) {
        if let Some(events) = &*self.events.lock().unwrap_or_else(PoisonError::into_inner) {
            // Nobody may be listening.
            let _ = events.send(event);
        }
    }

    /// Why the spool takes no more, where it does not.
    pub(super) fn full(&self) -> Option<GapCause> {
        let full = || self.spool.room().is_full().then_some(GapCause::SpoolFull);
        if self.spool.is_stuck() { Some(GapCause::DiskFull) } else { full() }
    }

    /// Tells when the spool has become full, and when it has room again.
    pub(super) fn tell_room(&self, full: Option<GapCause>, waits: bool) {
        let before = {
            let mut told = self.full.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *told, full)
        };
        let room = self.spool.room();
        match (before, full) {
            (None, Some(cause)) => {
                warn!(cause = cause.as_str(), bytes = room.used(), "no room in the spool");
                let (bytes, limit) = (room.used(), room.limit());
                self.emit(Event::SpoolFull { cause, bytes, limit, waits });
            }
            (Some(_), None) => self.emit(Event::SpoolFreed { bytes: room.used() }),
            _ => {}
        }
    }

    fn playlist(&self, output: OutputName) -> ObjectName {
        playlist_name(&self.id, self.generation, output)
    }
}

fn playlist_name(id: &RecordingId, generation: Generation, output: OutputName) -> ObjectName {
    ObjectName { generation, recording: id.clone(), output, kind: NameKind::Playlist }
}

/// A recording that this worker holds.
#[derive(Debug)]
pub struct Recorder {
    session: Arc<Session>,
    outputs: Mutex<Vec<Output>>,
}

impl Recorder {
    /// Begins a recording.
    ///
    /// The first recording on a store examines it, and refuses one that would lose recordings.
    ///
    /// # Errors
    /// `Conflict` where the store holds a recording of that sid already, saying its state, or objects of
    /// its names; `InvalidInput` where the store or the spool refuses this user, does not exist, or lacks a
    /// guarantee; `Unavailable` where the store cannot be reached.
    pub async fn start(store: &Store, id: RecordingId, options: Options) -> Result<Self> {
        let composite = key(&options.prefix, &playlist_name(&id, Generation::FIRST, OutputName::Composite));
        let foreign = store.check_access(&composite).await?;
        let (recordings, told) = prepare(store, &options).await?;
        let register = recordings.register(&id.sid);
        if foreign && register.read().await?.is_none() {
            let message =
                format!("{composite} exists in {store}, made by somebody else; choose another --sid");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let spool = spool(store, &id.sid, &options).await?;
        let started = Holder::start(register, &id, options.prefix.clone(), told.holder_options(&options));
        match started.await {
            Ok(holder) => Self::hold(store, holder, options, spool, told).await,
            Err(error) => {
                spool.remove_if_empty().await;
                Err(error)
            }
        }
    }

    /// Takes a recording over whose worker is gone, which is the caller's word: claims its next generation
    /// and goes on under its names. Its first segment ends early, so that it is soon safe. `cname` is
    /// checked where it is given: one sid has one channel.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` for another channel or prefix than the recording's; `Conflict` where the
    /// recording was stopped, has another epoch than [`Options::epoch`], or another claim came first or was made a moment ago, saying whose;
    /// `Abandoned` where it has used up its failovers; else as [`start`](Self::start).
    pub async fn resume(
        store: &Store,
        sid: &Sid,
        cname: Option<&Cname>,
        mut options: Options,
    ) -> Result<Self> {
        if Recordings::open(store).await?.is_none() {
            let message = format!("there is no recording {sid} in {store}: nobody has recorded there");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let (recordings, told) = prepare(store, &options).await?;
        let claim = Claim::read(recordings.register(sid), told.holder_options(&options)).await?;
        let state = claim.state();
        let another = |what: &str, its: &str, given: &str| {
            let message = format!("the recording {sid} has the {what} {its:?}, not {given:?}: leave it out");
            Err(Error::new(ErrorKind::InvalidInput, message))
        };
        if let Some(cname) = cname.filter(|cname| **cname != state.cname) {
            return another("channel", state.cname.as_str(), cname.as_str());
        }
        if options.prefix != state.prefix && !options.prefix.is_empty() {
            return another("prefix", state.prefix.as_str(), options.prefix.as_str());
        }
        claim.respect(options.clock.wall(), options.respite)?;
        if let Some(epoch) = options.epoch.filter(|epoch| *epoch != state.epoch) {
            let message = format!(
                "{} has changed hands since it was given up: it has epoch {}, not {epoch}, and {} holds it",
                state.id(),
                state.epoch,
                state.holder
            );
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        options.prefix = state.prefix.clone();
        options.rules.first = Some(RESUMED_FIRST);
        let spool = spool(store, sid, &options).await?;
        match claim.make().await {
            Ok(holder) => Self::hold(store, holder, options, spool, told).await,
            Err(error) => {
                spool.remove_if_empty().await;
                Err(error)
            }
        }
    }

    /// Records what `holder` holds.
    async fn hold(
        store: &Store,
        holder: Holder,
        options: Options,
        spool: SpoolFolder,
        told: Told,
    ) -> Result<Self> {
        // The store has just served: what failed before is over, though nothing may be sent for long.
        let _ = told.trouble.over(options.clock.monotonic());
        let state = holder.state();
        let (id, generation, uid) = (state.id(), state.generation, state.holder.uid);
        spool.introduce(&worker_record(store, state)).await?;
        let span = info_span!("recording", sid = %id.sid, cname = %id.cname, %generation);
        info!(parent: &span, store = %store, %spool, uid, "recording");
        let seed = u64::from_be_bytes(draw(&*options.chance)?);
        let driver_options = DriverOptions {
            limits: options.limits,
            clock: options.clock.clone(),
            seed,
            prefix: options.prefix.clone(),
            spool: spool.clone(),
            trouble: Arc::clone(&told.trouble),
            patience: options.stop_patience,
        };
        let (listener, recordings) = (listener(told.events.clone()), Recordings::new(store, holder.form()));
        let driver = span.in_scope(|| Driver::start(store.clone(), holder, driver_options, listener));
        let place = Destination { store: store.clone(), recordings };
        let others = left::salvage(place, &options, seed, &driver, &told.trouble, told.events.clone())?;
        let (events, full) = (Mutex::new(Some(told.events)), Mutex::default());
        let (store, trouble) = (store.clone(), told.trouble);
        let session = Session {
            id,
            generation,
            uid,
            store,
            options,
            spool,
            driver,
            others,
            events,
            trouble,
            full,
            span,
        };
        Ok(Self { session: Arc::new(session), outputs: Mutex::default() })
    }

    /// What is recorded.
    pub fn id(&self) -> &RecordingId {
        &self.session.id
    }

    /// Which turn at the recording this is.
    pub fn generation(&self) -> Generation {
        self.session.generation
    }

    /// The random recording uid under which this turn joins the channel.
    pub fn uid(&self) -> u32 {
        self.session.uid
    }

    /// The folder where segments wait until they are stored; `None` for memory.
    pub fn spool(&self) -> Option<&Path> {
        self.session.spool.path()
    }

    /// How the recording stands: what waits in the spool, what is being stored, what troubles it.
    pub fn metrics(&self) -> Metrics {
        let session = &self.session;
        let now = session.options.clock.monotonic();
        let traffic = session.store.traffic();
        Metrics::new(session.spool.room(), &session.driver.standing(), &session.trouble, traffic, now)
    }

    /// Opens an output. Each has its own playlist; handles are independent of each other.
    ///
    /// One that has [ended](Output::finish) can be opened again, with the same container: its playlist goes on behind a
    /// discontinuity.
    ///
    /// # Errors
    /// `InvalidInput` for an output that is open already, and for tracks that its container has no place for.
    pub fn output(&self, spec: OutputSpec) -> Result<Output> {
        let session = &self.session;
        let playlist = session.playlist(spec.name);
        let invalid = |why: &str| Error::new(ErrorKind::InvalidInput, format!("the output {playlist} {why}"));
        let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        let slicer_options = SlicerOptions {
            container: spec.container,
            rules: session.options.rules,
            start: spec.start.unwrap_or_else(|| session.options.clock.wall()),
            program: spec.program,
            clocks_used: u32::from(session.generation.get()) * CLOCKS,
        };
        let unfit = |why: TrackError| invalid(&format!("cannot be opened: {why}"));
        session.driver.check()?;
        let live = spec.start.is_none();
        if let Some(output) = outputs.iter().find(|output| *output.playlist() == playlist) {
            output.reopen(live, |slicer| {
                if slicer.container() != spec.container {
                    return Err(invalid("has begun in another container, and a playlist has one"));
                }
                slicer.following(slicer_options, &spec.tracks).map_err(unfit)
            })?;
            return Ok(output.clone());
        }
        let slicer = match spec.tracks.as_slice() {
            [] => Slicer::new(slicer_options),
            tracks => Slicer::of_frames(slicer_options, tracks).map_err(unfit)?,
        };
        let header = Header::covering(session.options.rules.max_length);
        session.driver.add_output(playlist.clone(), spec.container, header);
        let output = Output::new(Arc::clone(session), outputs.len(), playlist, live, slicer);
        outputs.push(output.clone());
        Ok(output)
    }

    /// What happens from now on, until the recording is stopped.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        let events = self.session.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.as_ref().map_or_else(|| broadcast::channel(1).1, broadcast::Sender::subscribe)
    }

    /// Commits and publishes nothing more: another worker is about to take the recording over, and what is recorded here until it
    /// has begun is to be salvaged from the spool, once this recorder was dropped. [`stop`](Self::stop) and
    /// [`orphan`](Self::orphan) commit all of it after all.
    pub fn rest(&self) {
        self.session.driver.rest();
    }

    /// Ends all outputs, stores and commits what is left, stops the recording for good, and gives every
    /// playlist its end.
    ///
    /// # Errors
    /// `Fenced` where another worker has the recording, or somebody else has stopped it; `DataLoss` where
    /// the store did not take everything in time; what else ended the uploading early. The message says
    /// what is missing and where the spool is that holds it.
    pub async fn stop(self) -> Result<Summary> {
        self.leave(Ending::Stop).await
    }

    /// Does the same for a worker that has lost its source for good, but leaves the recording open: any
    /// other worker may resume it at once.
    ///
    /// # Errors
    /// As [`stop`](Self::stop).
    pub async fn orphan(self) -> Result<Summary> {
        self.leave(Ending::Orphan).await
    }

    async fn leave(self, ending: Ending) -> Result<Summary> {
        let clock = &self.session.options.clock;
        let late = clock.monotonic() + self.session.options.stop_patience;
        let outputs = std::mem::take(&mut *self.outputs.lock().unwrap_or_else(PoisonError::into_inner));
        let mut failure = None;
        for output in &outputs {
            match output.finish().await {
                // That nothing came is told by the summary.
                Err(error) if error.kind() != ErrorKind::Malformed => failure = failure.or(Some(error)),
                _ => {}
            }
        }
        let finished = self.session.driver.finish(ending).await;
        // Who could not store its own waits for no other's.
        let rest = late.saturating_sub(clock.monotonic());
        self.session.others.finish(if finished.failure.is_none() { rest } else { Duration::ZERO }).await;
        self.session.spool.remove_if_empty().await;
        let summary = self.summary(&outputs, &finished, ending).await;
        self.session.emit(Event::Summary(Box::new(summary.clone())));
        self.session.events.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (finished.failure, failure) {
            (Some(error), _) => Err(self.incomplete(&summary, error.kind(), &error)),
            (None, Some(error)) => Err(self.incomplete(&summary, ErrorKind::DataLoss, &error)),
            (None, None) => Ok(summary),
        }
    }

    async fn summary(&self, outputs: &[Output], finished: &Finished, ending: Ending) -> Summary {
        let mut summaries = Vec::new();
        for (output, finished) in outputs.iter().zip(&finished.outputs) {
            summaries.push(OutputSummary::new(
                finished,
                output.without_key_frame().await,
                output.notes().await,
            ));
        }
        let id = &self.session.id;
        let phase = if ending == Ending::Stop { Phase::Stopped } else { Phase::Orphaned };
        Summary {
            sid: id.sid.to_string(),
            cname: id.cname.to_string(),
            store: self.session.store.to_string(),
            phase: finished.failure.is_none().then_some(phase),
            generation: self.generation().get(),
            uid: self.uid(),
            outputs: summaries,
        }
    }

    fn incomplete(&self, summary: &Summary, kind: ErrorKind, error: &Error) -> Error {
        let committed: u64 = summary.outputs.iter().map(|output| output.account.segments).sum();
        let missing: u64 = summary.outputs.iter().map(|output| output.account.uncommitted).sum();
        let message = format!(
            "{} is incomplete: {committed} segments are committed, {missing} complete ones are not, and what \
             is not committed is in {}: {}",
            self.session.id,
            self.session.spool,
            error.report()
        );
        Error::new(kind, message)
    }
}

impl Drop for Recorder {
    /// The same as a crash, unless it was stopped.
    fn drop(&mut self) {
        self.session.driver.abort();
        self.session.others.abort();
    }
}

/// Turns what the upload tells into events.
fn listener(events: broadcast::Sender<Event>) -> impl Fn(Notice) + Send + Sync + 'static {
    move |notice| {
        let event = match notice {
            Notice::Stored { playlist, name, facts } => Event::SegmentStored {
                playlist: playlist.to_string(),
                segment: facts.opened.seq.0,
                name: name.to_string(),
                bytes: facts.bytes,
                duration_millis: facts.duration_millis,
                reason: facts.reason,
            },
            Notice::Committed { playlist, segments } => {
                Event::SegmentCommitted { playlist: playlist.to_string(), segments }
            }
            Notice::Listed { playlist, segments, ended } => {
                Event::SegmentListed { playlist: playlist.to_string(), segments, ended }
            }
            Notice::Gap { playlist, name, facts, cause } => Event::Gap {
                playlist: playlist.to_string(),
                segment: facts.opened.seq.0,
                name: name.to_string(),
                duration_millis: facts.duration_millis,
                cause,
            },
            Notice::Throttled { per_minute } => Event::Throttled { requests_per_minute: per_minute },
            Notice::Recovered { outage } => Event::Recovered { outage_millis: millis(outage) },
            Notice::Failed(error) => Event::Failed { kind: error.kind().as_str(), error: error.report() },
            Notice::Retrying { key, error, pause } => {
                Event::Retrying { key, error, pause_millis: millis(pause) }
            }
        };
        // Nobody may be listening.
        let _ = events.send(event);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Where what happens is told.
struct Told {
    events: broadcast::Sender<Event>,
    trouble: Arc<Trouble>,
}

impl Told {
    fn holder_options(&self, options: &Options) -> HolderOptions {
        let (listener, trouble) = (listener(self.events.clone()), Arc::clone(&self.trouble));
        let clock = options.clock.clone();
        HolderOptions {
            clock: options.clock.clone(),
            chance: options.chance.clone(),
            lease: options.lease.clone(),
            uid: options.uid,
            on_retry: Arc::new(move |key, error, pause| {
                trouble.met(clock.monotonic(), error.report());
                listener(Notice::Retrying { key: key.to_owned(), error: error.report(), pause });
            }),
        }
    }
}

/// Makes sure of the store, and gives its recordings and where this one's events go.
async fn prepare(store: &Store, options: &Options) -> Result<(Recordings, Told)> {
    let form = probe::prepare(store, &options.clock, draw(&*options.chance)?).await?;
    let (events, _) = broadcast::channel(EVENTS);
    Ok((Recordings::new(store, form), Told { events, trouble: Arc::default() }))
}

/// What tells whoever finds the spool whose it is.
fn worker_record(store: &Store, state: &ControlObject) -> WorkerRecord {
    WorkerRecord {
        schema: WorkerRecord::SCHEMA,
        sid: state.sid.clone(),
        cname: state.cname.clone(),
        prefix: state.prefix.clone(),
        generation: state.generation,
        uid: state.holder.uid,
        store: store.to_string(),
        host: state.holder.host.clone(),
        pid: state.holder.pid,
        since: state.holder.since,
        unknown: Map::new(),
    }
}
