//! Carries the plan out: one task for a recording, with the requests under way beside it.
//!
//! What the store does not take now is tried again, with growing pauses, for as long as the recording runs;
//! after [`Driver::finish`] for a bounded time. What it refuses for good ends the uploading; the files stay
//! in the spool.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tracing::{Instrument, Span, info_span, warn};

use super::plan::{Limits, Plan, Step};
use super::requests::Context;
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::naming::{ObjectName, Prefix, encode_uri, key};
use crate::playlist::{Entry, Header, Renderer};
use crate::slicer::SealedSegment;
use crate::spool::SpoolFile;
use crate::store::Store;

/// A complete segment in the spool.
#[derive(Debug)]
pub struct SealedFile {
    /// Its bytes, perhaps not all written yet.
    pub file: Arc<SpoolFile>,
    /// The name it is to have; where that is taken, the next free millisecond.
    pub name: ObjectName,
    /// What is known of it.
    pub facts: SealedSegment,
    /// Given back when the segment is listed.
    pub permit: Option<OwnedSemaphorePermit>,
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
    /// A playlist in the store lists so many segments.
    Listed {
        /// The output's playlist.
        playlist: ObjectName,
        /// From the first on.
        segments: u64,
        /// It shows the end.
        ended: bool,
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
    /// How long [`Driver::finish`] waits for a store that does not serve.
    pub patience: Duration,
}

/// One output at the end.
#[derive(Debug, Clone)]
pub struct FinishedOutput {
    /// The playlist's key; `None` where no segment was listed.
    pub playlist: Option<String>,
    /// Segments in the playlist.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their length.
    pub duration_millis: u64,
    /// Segments that are still in the spool.
    pub unlisted: u64,
    /// The playlist in the store shows all of them, and the end.
    pub complete: bool,
}

/// The recording at the end.
#[derive(Debug)]
pub struct Finished {
    /// In the order they were added.
    pub outputs: Vec<FinishedOutput>,
    /// Why the uploading ended early.
    pub failure: Option<Arc<Error>>,
}

enum Command {
    Add { playlist: ObjectName, header: Header },
    Sealed { output: usize, sealed: Box<SealedFile> },
    Finish,
}

/// The handle on the task.
#[derive(Debug)]
pub struct Driver {
    commands: mpsc::UnboundedSender<Command>,
    failure: watch::Receiver<Option<Arc<Error>>>,
    /// Taken by the one who waits for its end.
    task: Mutex<Option<JoinHandle<Finished>>>,
    abort: AbortHandle,
}

impl Driver {
    /// Starts the task. `notices` gets what happens.
    pub fn start(
        store: Store,
        options: DriverOptions,
        notices: impl Fn(Notice) + Send + Sync + 'static,
    ) -> Self {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (failed, failure) = watch::channel(None);
        let context = Context { store, options: options.clone(), notices: Arc::new(notices) };
        let work = Work {
            context,
            plan: Plan::new(options.limits),
            outputs: Vec::new(),
            jobs: JoinSet::new(),
            failed,
            aborted: false,
            finishing: false,
        };
        let task = tokio::spawn(work.run(inbox).instrument(Span::current()));
        Self { commands, failure, abort: task.abort_handle(), task: Mutex::new(Some(task)) }
    }

    /// Adds an output; they are counted from 0.
    pub fn add_output(&self, playlist: ObjectName, header: Header) {
        self.send(Command::Add { playlist, header });
    }

    /// Hands over the next segment of an output.
    ///
    /// # Errors
    /// Why the uploading has ended, where it has.
    pub fn sealed(&self, output: usize, sealed: SealedFile) -> Result<()> {
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

    /// Stores and lists what is left, ends the playlists, and says what became of it all. The second call
    /// has nothing to say.
    pub async fn finish(&self) -> Finished {
        self.send(Command::Finish);
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

struct Output {
    playlist: ObjectName,
    renderer: Renderer,
    /// The playlist is in the store, and ours.
    created: bool,
    /// Segments handed over.
    sealed: u64,
    /// Segments being stored or stored, by their place.
    waiting: BTreeMap<u64, SealedFile>,
    /// Spool files of segments that the next publishing lists.
    listed_files: Vec<PathBuf>,
    /// What the next publishing would come to.
    listed: FinishedOutput,
    /// What the store is known to hold.
    finished: FinishedOutput,
}

enum Done {
    Stored {
        output: usize,
        place: u64,
        name: Result<ObjectName>,
    },
    /// A segment is not whole in the spool.
    Unwritten {
        output: usize,
        place: u64,
        error: Error,
    },
    Published {
        output: usize,
        outcome: Result<FinishedOutput>,
    },
}

struct Work {
    context: Context,
    plan: Plan,
    outputs: Vec<Output>,
    jobs: JoinSet<Done>,
    /// Why not everything will be stored.
    failed: watch::Sender<Option<Arc<Error>>>,
    /// Nothing more is sent.
    aborted: bool,
    finishing: bool,
}

impl Work {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) -> Finished {
        let patience = self.context.options.patience;
        let mut deadline = None;
        while !(self.finishing && (self.plan.is_done() || self.aborted)) {
            let expired = async {
                match &mut deadline {
                    Some(deadline) => deadline.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = inbox.recv(), if !self.finishing => match command {
                    Some(Command::Add { playlist, header }) => self.add(playlist, &header),
                    Some(Command::Sealed { output, sealed }) => self.take(output, *sealed),
                    Some(Command::Finish) => {
                        self.finishing = true;
                        self.plan.end();
                        deadline = Some(self.context.options.clock.sleep(patience));
                    }
                    // Dropped without a stop: the same as a crash.
                    None => break,
                },
                Some(done) = self.jobs.join_next() => match done {
                    Ok(done) => self.settle(done),
                    // Called off by an earlier failure.
                    Err(died) if died.is_cancelled() => {}
                    Err(died) => {
                        self.fail(Error::new(ErrorKind::Internal, "a request's task died").with_source(died));
                    }
                },
                () = expired => {
                    let message = format!("the store did not take everything within {} s", patience.as_secs());
                    self.fail(Error::new(ErrorKind::DataLoss, message));
                }
            }
            self.begin_all();
        }
        self.jobs.shutdown().await;
        let failure = self.failed.borrow().clone();
        let outputs = self.outputs.into_iter().map(|mut output| {
            output.finished.unlisted = output.sealed - output.finished.segments;
            output.finished
        });
        Finished { outputs: outputs.collect(), failure }
    }

    /// Keeps the first failure: it is the reason of those that follow.
    fn note(&self, error: Error) {
        self.failed.send_if_modified(|failed| {
            let first = failed.is_none();
            if first {
                warn!(error = %error.report(), "not everything will be stored");
                *failed = Some(Arc::new(error));
            }
            first
        });
    }

    /// Ends the uploading.
    fn fail(&mut self, error: Error) {
        self.note(error);
        self.aborted = true;
        self.jobs.abort_all();
        // Whoever waits for room is to look at the failure instead.
        self.outputs.iter_mut().for_each(|output| output.waiting.clear());
    }

    fn add(&mut self, playlist: ObjectName, header: &Header) {
        self.plan.add_output();
        let nothing = FinishedOutput {
            playlist: None,
            segments: 0,
            bytes: 0,
            duration_millis: 0,
            unlisted: 0,
            complete: false,
        };
        self.outputs.push(Output {
            playlist,
            renderer: Renderer::new(header),
            created: false,
            sealed: 0,
            waiting: BTreeMap::new(),
            listed_files: Vec::new(),
            listed: nothing.clone(),
            finished: nothing,
        });
    }

    fn take(&mut self, index: usize, sealed: SealedFile) {
        let Some(output) = self.outputs.get_mut(index) else { return };
        output.sealed += 1;
        if !self.aborted {
            self.plan.sealed(index, sealed.facts.bytes);
            output.waiting.insert(output.sealed - 1, sealed);
        }
    }

    fn begin_all(&mut self) {
        while !self.aborted
            && let Some(step) = self.plan.step()
        {
            match step {
                Step::Store { output, place } => self.store(output, place),
                Step::List { output, place } => self.list(output, place),
                Step::Publish { output } => self.publish(output),
            }
        }
    }

    fn store(&mut self, output: usize, place: u64) {
        let Some(sealed) = self.outputs.get(output).and_then(|output| output.waiting.get(&place)) else {
            return;
        };
        let (context, file, name) = (self.context.clone(), Arc::clone(&sealed.file), sealed.name.clone());
        let span = info_span!("segment", output, segment = place);
        let proven = self.outputs.iter().any(|output| output.listed.segments > 0);
        let job = async move {
            if let Err(error) = file.written().await {
                return Done::Unwritten { output, place, error };
            }
            let name = context.store_segment(name, file.path(), proven).await;
            Done::Stored { output, place, name }
        };
        self.jobs.spawn(job.instrument(span));
    }

    fn list(&mut self, index: usize, place: u64) {
        let Some(output) = self.outputs.get_mut(index) else { return };
        let Some(sealed) = output.waiting.remove(&place) else { return };
        let opened = sealed.facts.opened;
        let entry = Entry {
            uri: encode_uri(&sealed.name.to_string()),
            start: opened.start,
            clock: opened.clock,
            date: opened.date,
            duration_millis: sealed.facts.duration_millis,
            discontinuity: opened.discontinuity,
            gap: false,
        };
        if let Err(error) = output.renderer.append(&entry) {
            return self.fail(
                Error::new(ErrorKind::Internal, "a segment does not fit its playlist").with_source(error),
            );
        }
        output.listed.segments += 1;
        output.listed.bytes += sealed.facts.bytes;
        output.listed.duration_millis += sealed.facts.duration_millis;
        output.listed_files.push(sealed.file.path().to_owned());
    }

    fn publish(&mut self, index: usize) {
        let ended = self.plan.shows_end(index);
        let Some(output) = self.outputs.get_mut(index) else { return };
        if ended {
            output.renderer.end();
        }
        let key = key(&self.context.options.prefix, &output.playlist);
        output.listed.playlist = Some(key.clone());
        output.listed.complete = ended;
        let listed = output.listed.clone();
        let (text, created) = (output.renderer.chunks(), output.created);
        let files = std::mem::take(&mut output.listed_files);
        let (context, segments) = (self.context.clone(), output.listed.segments);
        let span = info_span!("playlist", output = index, segments);
        let playlist = output.playlist.clone();
        let job = async move {
            let outcome = context.publish(key, text, created).await;
            if outcome.is_ok() {
                // What is listed need not be kept. What cannot be removed is only in the way.
                let removal = move || files.iter().for_each(|file| drop(std::fs::remove_file(file)));
                let _ = tokio::task::spawn_blocking(removal).await;
                (context.notices)(Notice::Listed { playlist, segments, ended });
            }
            Done::Published { output: index, outcome: outcome.map(|()| listed) }
        };
        self.jobs.spawn(job.instrument(span));
    }

    fn settle(&mut self, done: Done) {
        match done {
            Done::Stored { output: index, place, name: Ok(name) } => {
                if let Some(output) = self.outputs.get_mut(index)
                    && let Some(sealed) = output.waiting.get_mut(&place)
                {
                    sealed.name = name.clone();
                    let playlist = output.playlist.clone();
                    (self.context.notices)(Notice::Stored { playlist, name, facts: sealed.facts });
                }
                self.plan.stored(index, place);
            }
            Done::Published { output: index, outcome: Ok(finished) } => {
                if let Some(output) = self.outputs.get_mut(index) {
                    output.created = true;
                    output.finished = finished;
                }
                self.plan.published(index);
            }
            Done::Unwritten { output: index, place, error } => {
                self.note(error);
                self.plan.lost(index, place);
                if let Some(output) = self.outputs.get_mut(index) {
                    output.waiting.split_off(&place);
                }
            }
            Done::Stored { name: Err(error), .. } | Done::Published { outcome: Err(error), .. } => {
                self.fail(error)
            }
        }
    }
}
