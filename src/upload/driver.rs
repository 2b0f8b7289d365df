//! The handle on an upload: what goes in, what is told, and how it ends.
//!
//! What the store does not take now is tried again, with growing pauses, for as long as the recording runs;
//! after [`Driver::finish`] for a bounded time. A first segment that it refuses for good ends the uploading, for
//! that is a mistake and no outage, and so does the loss of the recording to another worker; the files stay
//! in the spool.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tracing::{Instrument, Span};

use super::plan::Limits;
use super::requests::Context;
use super::standing::{Standing, Trouble};
use super::work::{Command, Work};
use crate::checksum::Crc64;
use crate::clock::SharedClock;
use crate::continuity::{Holder, OutputState};
use crate::error::{Error, ErrorKind, Result};
use crate::media::Container;
use crate::naming::{ObjectName, Prefix};
use crate::playlist::Header;
use crate::slicer::SealedSegment;
use crate::spool::{GapCause, SpoolFile, SpoolFolder};
use crate::store::Store;

/// A segment that has ended.
#[derive(Debug)]
pub struct SealedFile {
    /// The name it is to have; where that is taken, the next free millisecond.
    pub name: ObjectName,
    /// What is known of it.
    pub facts: SealedSegment,
    /// Tags that other services' scripts read, for its entry.
    pub compat: Vec<String>,
    /// What there is of it.
    pub body: Body,
}

/// What there is of a segment.
#[derive(Debug)]
pub enum Body {
    /// All of it, in the spool.
    File {
        /// Its bytes, perhaps not all written yet.
        file: Arc<SpoolFile>,
        /// Their checksum.
        crc64: Crc64,
        /// Given back when the segment is stored.
        permit: Option<OwnedSemaphorePermit>,
    },
    /// Nothing: its place is a gap.
    Gap {
        /// What is left is what is known of it.
        file: Arc<SpoolFile>,
        /// Why.
        cause: GapCause,
    },
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A segment is in the store.
    Stored {
        /// The output's playlist.
        playlist: ObjectName,
        /// Under this name.
        name: ObjectName,
        /// What is known of it.
        facts: SealedSegment,
    },
    /// A segment was given up; its place in the playlist is a gap.
    Gap {
        /// The output's playlist.
        playlist: ObjectName,
        /// The name it would have had.
        name: ObjectName,
        /// What is known of it.
        facts: SealedSegment,
        /// Why.
        cause: GapCause,
    },
    /// So many entries of an output belong to the recording, whatever happens to this worker.
    Committed {
        /// The output's playlist.
        playlist: ObjectName,
        /// From the first on.
        segments: u64,
    },
    /// A playlist in the store lists so many segments.
    Listed {
        /// The output's playlist.
        playlist: ObjectName,
        /// From the first on.
        segments: u64,
        /// It shows the end.
        ended: bool,
    },
    /// Not everything will be stored; where another worker has the recording, nothing more.
    Failed(Arc<Error>),
    /// The store asks for fewer requests: so many are allowed, or as many as there are again.
    Throttled {
        /// The limit.
        per_minute: Option<u64>,
    },
    /// Nothing could be stored for a while; now the store serves again.
    Recovered {
        /// Since the first request that failed.
        outage: Duration,
    },
    /// The store did not take something; it is tried again after a pause.
    Retrying {
        /// What.
        key: String,
        /// Why.
        error: String,
        /// When again.
        pause: Duration,
    },
}

/// How to upload.
#[derive(Debug, Clone)]
pub struct DriverOptions {
    /// What may be under way at once.
    pub limits: Limits,
    /// Where pauses come from.
    pub clock: SharedClock,
    /// Decides the lengths of pauses.
    pub seed: u64,
    /// Stands before every key.
    pub prefix: Prefix,
    /// Where the texts of playlists are kept.
    pub spool: SpoolFolder,
    /// What fails for now is counted here, by whoever else makes requests for the recording too.
    pub trouble: Arc<Trouble>,
    /// How long [`Driver::finish`] waits for a store that does not serve, from its last answer on.
    pub patience: Duration,
}

/// How a recording is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// For good: its playlists get their end.
    Stop,
    /// Without its source: another worker may go on.
    Orphan,
}

/// One output at the end.
#[derive(Debug, Clone, Default)]
pub struct FinishedOutput {
    /// The playlist's key; `None` where nothing was committed.
    pub playlist: Option<String>,
    /// What is committed of it.
    pub committed: Option<OutputState>,
    /// Entries that the playlist in the store lists.
    pub listed: u64,
    /// Complete segments that are not committed; they are in the spool.
    pub uncommitted: u64,
    /// Their length.
    pub uncommitted_millis: u64,
    /// All is committed, and the playlist in the store shows all of it and the end.
    pub complete: bool,
}

impl FinishedOutput {
    /// Entries committed, gaps included.
    pub fn entries(&self) -> u64 {
        self.committed.as_ref().map_or(0, |output| output.segments)
    }
}

/// The recording at the end.
#[derive(Debug)]
pub struct Finished {
    /// In the order they were added.
    pub outputs: Vec<FinishedOutput>,
    /// Why the uploading ended early.
    pub failure: Option<Arc<Error>>,
}

/// The handle on the task.
#[derive(Debug)]
pub struct Driver {
    commands: mpsc::UnboundedSender<Command>,
    failure: watch::Receiver<Option<Arc<Error>>>,
    standing: watch::Receiver<Standing>,
    /// Segments handed over.
    sealed: AtomicU64,
    /// Taken by the one who waits for its end.
    task: Mutex<Option<JoinHandle<Finished>>>,
    abort: AbortHandle,
}

impl Driver {
    /// Starts the task. `notices` gets what happens.
    pub fn start(
        store: Store,
        holder: Holder,
        options: DriverOptions,
        notices: impl Fn(Notice) + Send + Sync + 'static,
    ) -> Self {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (failed, failure) = watch::channel(None);
        let (stands, standing) = watch::channel(Standing::default());
        let context = Context { store, options: Arc::new(options), notices: Arc::new(notices) };
        let work = Work::new(context, holder, failed, stands);
        let task = tokio::spawn(work.run(inbox).instrument(Span::current()));
        let (abort, task) = (task.abort_handle(), Mutex::new(Some(task)));
        Self { commands, failure, standing, sealed: AtomicU64::new(0), task, abort }
    }

    /// Adds an output; they are counted from 0.
    pub fn add_output(&self, playlist: ObjectName, container: Container, header: Header) {
        self.send(Command::Add { playlist, container, header });
    }

    /// Gives up the oldest segment that can be spared, of any output: best one whose bytes are in the store already,
    /// which loses nothing; else one that is not being sent. False where there is none.
    pub async fn make_room(&self, cause: GapCause) -> bool {
        let (reply, freed) = oneshot::channel();
        self.send(Command::MakeRoom { cause, reply });
        freed.await.unwrap_or(false)
    }

    /// Commits and publishes nothing more before the end.
    pub fn rest(&self) {
        self.send(Command::Rest);
    }

    /// How the upload stands.
    pub fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// The same, for whoever wants to look again.
    pub fn watch(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Whether a segment that was handed over is not committed, though the task may not know of it yet.
    pub fn has_waiting(&self) -> bool {
        self.sealed.load(Ordering::Relaxed) > self.standing.borrow().committed
    }

    /// Hands over the next segment of an output.
    ///
    /// # Errors
    /// Why the uploading has ended, where it has.
    pub fn sealed(&self, output: usize, sealed: SealedFile) -> Result<()> {
        self.sealed.fetch_add(1, Ordering::Relaxed);
        self.send(Command::Sealed { output, sealed: Box::new(sealed) });
        self.check()
    }

    /// # Errors
    /// Why the uploading has ended, where it has.
    pub fn check(&self) -> Result<()> {
        if let Some(error) = &*self.failure.borrow() {
            return Err(same(error));
        }
        if self.commands.is_closed() {
            return Err(Error::new(ErrorKind::InvalidInput, "the recording was stopped"));
        }
        Ok(())
    }

    /// Stores, commits and publishes what is left, leaves the recording, and says what became of it all.
    /// The second call has nothing to say.
    pub async fn finish(&self, ending: Ending) -> Finished {
        self.send(Command::Finish(ending));
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let failure = match task {
            Some(task) => match task.await {
                Ok(finished) => return finished,
                Err(died) => Error::new(ErrorKind::Internal, "the uploading task died").with_source(died),
            },
            None => Error::new(ErrorKind::InvalidInput, "the recording was stopped"),
        };
        Finished { outputs: Vec::new(), failure: Some(Arc::new(failure)) }
    }

    /// Ends the uploading at once, as a crash would.
    pub fn abort(&self) {
        self.abort.abort();
    }

    fn send(&self, command: Command) {
        // A task that has ended has said why in `failure`.
        let _ = self.commands.send(command);
    }
}

/// The same error for another listener.
fn same(error: &Arc<Error>) -> Error {
    Error::new(error.kind(), error.message()).with_source(Arc::clone(error))
}
