//! A recording while this worker records it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;
use tracing::{Span, info, info_span};

use super::event::Event;
use super::options::{Options, OutputSpec};
use super::output::Output;
use super::summary::{OutputSummary, Summary};
use crate::clock::random_bytes;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Generation, OutputName, RecordingId};
use crate::media::Container;
use crate::naming::{NameKind, ObjectName, key};
use crate::playlist::Header;
use crate::slicer::{Slicer, SlicerOptions};
use crate::spool::SpoolFolder;
use crate::store::Store;
use crate::upload::{Driver, DriverOptions, Finished, Notice};

/// Events kept for a listener that is slow; then it misses the oldest.
const EVENTS: usize = 1024;

/// What the recorder and its outputs share.
#[derive(Debug)]
pub(super) struct Session {
    id: RecordingId,
    generation: Generation,
    pub(super) options: Options,
    pub(super) spool: SpoolFolder,
    pub(super) driver: Driver,
    /// Gone once the recording was stopped, which ends the listeners' streams.
    events: Mutex<Option<broadcast::Sender<Event>>>,
    pub(super) span: Span,
}

impl Session {
    pub(super) fn emit(&self, event: Event) {
        if let Some(events) = &*self.events.lock().unwrap_or_else(PoisonError::into_inner) {
            // Nobody may be listening.
            let _ = events.send(event);
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
    /// # Errors
    /// `Conflict` where the store holds a recording of that name already; `InvalidInput` where the store or
    /// the spool refuses this user or does not exist; `Unavailable` where the store cannot be reached.
    pub async fn start(store: &Store, id: RecordingId, options: Options) -> Result<Self> {
        let generation = Generation::FIRST;
        let span = info_span!("recording", sid = %id.sid, cname = %id.cname, %generation);
        let composite = key(&options.prefix, &playlist_name(&id, generation, OutputName::Composite));
        if store.check_access(&composite).await? {
            let message = format!(
                "{composite} exists in {store}: this recording was made already; choose another --sid"
            );
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let base = match &options.spool {
            Some(folder) => folder.clone(),
            None => default_spool(store)?,
        };
        let spool = SpoolFolder::create(&base, &id.sid, random_bytes()?).await?;
        info!(parent: &span, store = %store, spool = %spool.path().display(), "recording");
        let (events, _) = broadcast::channel(EVENTS);
        let driver_options = DriverOptions {
            limits: options.limits,
            clock: options.clock.clone(),
            seed: u64::from_be_bytes(random_bytes()?),
            prefix: options.prefix.clone(),
            patience: options.stop_patience,
        };
        let listener = listener(events.clone());
        let driver = span.in_scope(|| Driver::start(store.clone(), driver_options, listener));
        let session =
            Session { id, generation, options, spool, driver, events: Mutex::new(Some(events)), span };
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

    /// Where segments wait until they are stored.
    pub fn spool(&self) -> &Path {
        self.session.spool.path()
    }

    /// Opens an output. Each has its own playlist; handles are independent of each other.
    ///
    /// # Errors
    /// `InvalidInput` for an output that is open already, or a container that cannot be recorded.
    pub fn output(&self, spec: OutputSpec) -> Result<Output> {
        if spec.container != Container::MpegTs {
            return Err(Error::new(ErrorKind::InvalidInput, "only MPEG-TS can be recorded so far"));
        }
        let session = &self.session;
        let playlist = session.playlist(spec.name);
        let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        if outputs.iter().any(|output| *output.playlist() == playlist) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("the output {playlist} is open already"),
            ));
        }
        let slicer = Slicer::new(SlicerOptions {
            rules: session.options.rules,
            start: spec.start.unwrap_or_else(|| session.options.clock.wall()),
            program: spec.program,
        });
        session.driver.check()?;
        session.driver.add_output(playlist.clone(), Header::covering(session.options.rules.max_length));
        let output = Output::new(Arc::clone(session), outputs.len(), playlist, spec.start.is_none(), slicer);
        outputs.push(output.clone());
        Ok(output)
    }

    /// What happens from now on, until the recording is stopped.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        let events = self.session.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.as_ref().map_or_else(|| broadcast::channel(1).1, broadcast::Sender::subscribe)
    }

    /// Ends all outputs, stores and lists what is left, and gives every playlist its end.
    ///
    /// # Errors
    /// `DataLoss` where the store did not take everything in time; what ended the uploading early. The
    /// message says what is missing and where the spool is that holds it.
    pub async fn stop(self) -> Result<Summary> {
        let outputs = std::mem::take(&mut *self.outputs.lock().unwrap_or_else(PoisonError::into_inner));
        let mut failure = None;
        for output in &outputs {
            match output.finish().await {
                // That nothing came is told by the summary.
                Err(error) if error.kind() != ErrorKind::Malformed => failure = failure.or(Some(error)),
                _ => {}
            }
        }
        let finished = self.session.driver.finish().await;
        self.session.spool.remove_if_empty().await;
        self.session.events.lock().unwrap_or_else(PoisonError::into_inner).take();
        let summary = self.summary(&outputs, &finished).await;
        match (finished.failure, failure) {
            (Some(error), _) => Err(self.incomplete(&summary, error.kind(), &error)),
            (None, Some(error)) => Err(self.incomplete(&summary, ErrorKind::DataLoss, &error)),
            (None, None) => Ok(summary),
        }
    }

    async fn summary(&self, outputs: &[Output], finished: &Finished) -> Summary {
        let mut summaries = Vec::new();
        for (output, finished) in outputs.iter().zip(&finished.outputs) {
            summaries.push(OutputSummary {
                playlist: finished.playlist.clone(),
                segments: finished.segments,
                bytes: finished.bytes,
                duration_millis: finished.duration_millis,
                unlisted: finished.unlisted,
                complete: finished.complete,
                without_key_frame: output.without_key_frame().await,
                notes: output.notes().await,
            });
        }
        let id = &self.session.id;
        Summary { sid: id.sid.to_string(), cname: id.cname.to_string(), outputs: summaries }
    }

    fn incomplete(&self, summary: &Summary, kind: ErrorKind, error: &Error) -> Error {
        let listed: u64 = summary.outputs.iter().map(|output| output.segments).sum();
        let missing: u64 = summary.outputs.iter().map(|output| output.unlisted).sum();
        let message = format!(
            "{} is incomplete: {listed} segments are listed, {missing} complete ones are not, and what is not \
             stored is in {}: {}",
            self.session.id,
            self.session.spool.path().display(),
            error.report()
        );
        Error::new(kind, message)
    }
}

impl Drop for Recorder {
    /// The same as a crash, unless it was stopped.
    fn drop(&mut self) {
        self.session.driver.abort();
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
            Notice::Listed { playlist, segments, ended } => {
                Event::SegmentListed { playlist: playlist.to_string(), segments, ended }
            }
            Notice::Retrying { key, error, pause } => Event::Retrying {
                key,
                error,
                pause_millis: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            },
        };
        // Nobody may be listening.
        let _ = events.send(event);
    }
}

/// A folder of a local store lies on the store's file system: segments are linked into place. Else the
/// user's folder for state (XDG Base Directory Specification).
fn default_spool(store: &Store) -> Result<PathBuf> {
    if let Some(root) = store.local_root() {
        return Ok(root.join(".tapeline").join("spool"));
    }
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local").join("state"));
    let base = state.or_else(home).ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "there is no home folder for the spool; name one with --spool")
    })?;
    Ok(base.join("tapeline").join("spool"))
}
