//! The task of an upload: it carries the plan out, with the requests under way beside it.

use std::sync::Arc;
use std::time::Duration;

use object_store::UpdateVersion;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::{Instrument, info, info_span, warn};

use super::driver::{Ending, Finished, Notice, SealedFile};
use super::output::Output;
use super::plan::{Plan, Step};
use super::playlist_text::PlaylistText;
use super::publish::Publication;
use super::requests::Context;
use super::standing::Standing;
use super::waiting::Waiting;
use crate::continuity::{Holder, Written};
use crate::error::{Error, ErrorKind, Result};
use crate::media::Container;
use crate::naming::{ObjectName, key};
use crate::playlist::Header;
use crate::spool::GapCause;

/// How often a full disk is tried again for the last bytes of a segment.
const PRESS: Duration = Duration::from_secs(1);
/// An outage that was shorter is not told.
const OUTAGE: Duration = Duration::from_secs(1);

/// What the task is told.
pub(super) enum Command {
    Add { playlist: ObjectName, container: Container, header: Header },
    Sealed { output: usize, sealed: Box<SealedFile> },
    MakeRoom { cause: GapCause, reply: oneshot::Sender<bool> },
    Rest,
    Finish(Ending),
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
    /// A playlist's text is not whole in the spool.
    Unreadable {
        output: usize,
        error: Error,
    },
    Committed(Result<Written>),
    Closed(Result<Ending>),
    Published {
        output: usize,
        segments: u64,
        outcome: Result<UpdateVersion>,
    },
}

pub(super) struct Work {
    context: Context,
    holder: Arc<Mutex<Holder>>,
    plan: Plan,
    outputs: Vec<Output>,
    jobs: JoinSet<Done>,
    /// Why not everything will be stored.
    failed: watch::Sender<Option<Arc<Error>>>,
    stands: watch::Sender<Standing>,
    last_commit: Option<Duration>,
    /// Segments given up.
    gaps: u64,
    /// The store's rate is limited.
    throttled: bool,
    /// Nothing more is sent.
    aborted: bool,
    ending: Option<Ending>,
}

impl Work {
    pub fn new(
        context: Context,
        holder: Holder,
        failed: watch::Sender<Option<Arc<Error>>>,
        stands: watch::Sender<Standing>,
    ) -> Self {
        let plan = Plan::new(context.options.limits, holder.form());
        Self {
            context,
            holder: Arc::new(Mutex::new(holder)),
            plan,
            outputs: Vec::new(),
            jobs: JoinSet::new(),
            failed,
            stands,
            last_commit: None,
            gaps: 0,
            throttled: false,
            aborted: false,
            ending: None,
        }
    }

    pub async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) -> Finished {
        let clock = self.context.options.clock.clone();
        let mut deadline = None;
        while self.ending.is_none() || !(self.plan.is_done() || self.aborted) {
            let until = |at: Option<Duration>| {
                let clock = clock.clone();
                async move {
                    match at {
                        Some(at) => clock.sleep(at.saturating_sub(clock.monotonic())).await,
                        None => std::future::pending().await,
                    }
                }
            };
            let wake = self.plan.wake().filter(|_| !self.aborted);
            tokio::select! {
                // In a fixed order, so that the simulation can repeat a run.
                biased;
                Some(done) = self.jobs.join_next() => match done {
                    Ok(done) => {
                        self.settle(done).await;
                        // The store serves: it has as long again.
                        deadline = deadline.map(|_| clock.monotonic() + self.context.options.patience);
                    }
                    // Called off by an earlier failure.
                    Err(died) if died.is_cancelled() => {}
                    Err(died) => {
                        self.fail(Error::new(ErrorKind::Internal, "a request's task died").with_source(died));
                    }
                },
                command = inbox.recv(), if self.ending.is_none() => match command {
                    Some(Command::Add { playlist, container, header }) => {
                        self.add(playlist, container, header);
                    }
                    Some(Command::Sealed { output, sealed }) => self.take(output, *sealed),
                    Some(Command::Rest) => self.plan.rest(),
                    Some(Command::MakeRoom { cause, reply }) => {
                        // Who asked may be gone.
                        let _ = reply.send(self.make_room(cause).await);
                    }
                    Some(Command::Finish(ending)) => {
                        self.ending = Some(ending);
                        self.plan.end(ending == Ending::Stop);
                        deadline = Some(clock.monotonic() + self.context.options.patience);
                    }
                    // Dropped without a stop: the same as a crash.
                    None => break,
                },
                () = until(deadline) => {
                    let patience = self.context.options.patience.as_secs();
                    let why = self.context.options.trouble.why().map(|why| format!(": {why}")).unwrap_or_default();
                    let message = format!("the store did not take everything within {patience} s{why}");
                    self.fail(Error::new(ErrorKind::DataLoss, message));
                }
                () = until(wake) => {}
            }
            self.begin_all();
            self.tell_rate();
            self.stands.send_replace(self.standing());
        }
        self.jobs.shutdown().await;
        self.finished().await
    }

    async fn finished(self) -> Finished {
        let failure = self.failed.borrow().clone();
        let holder = self.holder.lock().await;
        let mut outputs = Vec::new();
        for output in self.outputs {
            // A text that nobody needs any more; else it may help to find out what was meant.
            if failure.is_none() {
                output.text.file().remove().await;
            }
            outputs.push(output.finished(holder.state(), &self.context.options.prefix));
        }
        Finished { outputs, failure }
    }

    fn standing(&self) -> Standing {
        // Of each output the first was complete first: an outage may last for thousands of them.
        let oldest = self.outputs.iter().filter_map(|output| output.waiting.first_key_value());
        let (under_way, under_way_bytes) = self.plan.under_way();
        Standing {
            waiting: self.outputs.iter().map(|output| output.waiting.len() as u64).sum(),
            committed: self.outputs.iter().map(|output| output.committed).sum(),
            oldest: oldest.map(|(_, waiting)| waiting.since).min(),
            under_way,
            under_way_bytes,
            last_commit: self.last_commit,
            gaps: self.gaps,
        }
    }

    /// Keeps the first failure: it is the reason of those that follow.
    fn note(&self, error: Error) {
        if self.failed.borrow().is_some() {
            return;
        }
        info!(error = %error.report(), "not everything will be stored");
        let error = Arc::new(error);
        self.failed.send_replace(Some(Arc::clone(&error)));
        (self.context.notices)(Notice::Failed(error));
    }

    /// Ends the uploading.
    fn fail(&mut self, error: Error) {
        self.note(error);
        self.aborted = true;
        self.jobs.abort_all();
        // Whoever waits for room is to look at the failure instead.
        self.outputs.iter_mut().for_each(|output| output.waiting.clear());
    }

    fn add(&mut self, playlist: ObjectName, container: Container, header: Header) {
        // Outputs are known by their number: after one that failed none is taken.
        if self.aborted {
            return;
        }
        let options = &self.context.options;
        let text = PlaylistText::create(&options.spool, &playlist, &header, options.clock.clone());
        match text {
            Ok(text) => {
                self.plan.add_output();
                self.outputs.push(Output::new(playlist, container, header, text));
            }
            Err(error) => self.fail(error),
        }
    }

    fn take(&mut self, index: usize, sealed: SealedFile) {
        let Some(output) = self.outputs.get_mut(index) else { return };
        let waiting = Waiting::new(sealed, self.context.options.clock.monotonic());
        if self.aborted {
            return output.count(&waiting);
        }
        match waiting.gap {
            None => self.plan.sealed(index, waiting.facts.bytes),
            Some(_) => self.plan.sealed_as_gap(index),
        }
        let place = output.take(waiting);
        self.tell_gap(index, place);
    }

    /// Has bytes removed from the spool; false where there are none to spare.
    async fn make_room(&mut self, cause: GapCause) -> bool {
        let mut waiting = self.outputs.iter_mut().flat_map(|output| output.waiting.values_mut());
        if let Some(copy) = waiting.find(|waiting| waiting.is_copy()) {
            copy.free().await;
            return true;
        }
        let Some((index, place)) = self.plan.to_spare().filter(|_| !self.aborted) else { return false };
        self.give_up(index, place, cause).await;
        true
    }

    async fn give_up(&mut self, index: usize, place: u64, cause: GapCause) {
        self.plan.given_up(index, place);
        let output = self.outputs.get_mut(index);
        if let Some(waiting) = output.and_then(|output| output.waiting.get_mut(&place)) {
            waiting.give_up(cause).await;
            self.tell_gap(index, place);
        }
    }

    /// Counts and tells a segment that was given up.
    fn tell_gap(&mut self, index: usize, place: u64) {
        let Some(output) = self.outputs.get(index) else { return };
        let Some(waiting) = output.waiting.get(&place) else { return };
        let Some(cause) = waiting.gap else { return };
        warn!(segment = %waiting.name, cause = cause.as_str(), "segment lost");
        self.gaps += 1;
        let (playlist, name, facts) = (output.playlist.clone(), waiting.name.clone(), waiting.facts);
        (self.context.notices)(Notice::Gap { playlist, name, facts, cause });
    }

    fn begin_all(&mut self) {
        while !self.aborted
            && let Some(step) = self.plan.step(self.context.options.clock.monotonic())
        {
            match step {
                Step::Store { output, place } => self.store(output, place),
                Step::Commit => self.commit(),
                Step::Close => self.close(),
                Step::Publish { output } => self.publish(output),
            }
        }
    }

    fn store(&mut self, index: usize, place: u64) {
        let proven = self.outputs.iter().any(|output| output.committed > 0);
        let output = self.outputs.get_mut(index);
        let Some(waiting) = output.and_then(|output| output.waiting.get_mut(&place)) else { return };
        let (context, file, name) = (self.context.clone(), Arc::clone(&waiting.file), waiting.name.clone());
        let (bytes, span) = (waiting.facts.bytes, info_span!("segment", output = index, segment = place));
        let job = async move {
            loop {
                match file.press().await {
                    Ok(true) => break,
                    Ok(false) => {
                        let (now, spool) = (context.options.clock.monotonic(), &context.options.spool);
                        context
                            .options
                            .trouble
                            .met(now, format!("the disk is full where the spool is, {spool}"));
                        context.options.clock.sleep(PRESS).await;
                    }
                    Err(error) => return Done::Unwritten { output: index, place, error },
                }
            }
            let name = context.store_segment(name, &file, bytes, proven).await;
            Done::Stored { output: index, place, name }
        };
        waiting.under_way(self.jobs.spawn(job.instrument(span)));
    }

    fn commit(&mut self) {
        let mut additions = Vec::new();
        for (index, places) in self.plan.batch().into_iter().enumerate() {
            let published = self.plan.published_segments(index);
            let Some(output) = self.outputs.get_mut(index) else { continue };
            match output.addition(places, published) {
                Ok(addition) => additions.extend(addition),
                Err(error) => {
                    let message = "a segment does not fit its playlist";
                    return self.fail(Error::new(ErrorKind::Internal, message).with_source(error));
                }
            }
        }
        let holder = Arc::clone(&self.holder);
        let job = async move {
            let mut holder = holder.lock().await;
            let outcome = holder.commit(&additions).await;
            Done::Committed(outcome.map(|()| holder.take_written()))
        };
        self.jobs.spawn(job.instrument(info_span!("commit")));
    }

    fn close(&mut self) {
        let Some(ending) = self.ending else { return };
        let holder = Arc::clone(&self.holder);
        let job = async move {
            let mut holder = holder.lock().await;
            let outcome = match ending {
                Ending::Stop => holder.stop().await,
                Ending::Orphan => holder.orphan().await,
            };
            Done::Closed(outcome.map(|()| ending))
        };
        self.jobs.spawn(job.instrument(info_span!("close")));
    }

    fn publish(&mut self, index: usize) {
        let ended = self.plan.shows_end(index);
        let Some(output) = self.outputs.get_mut(index) else { return };
        let segments = output.committed;
        let publication = Publication {
            key: key(&self.context.options.prefix, &output.playlist),
            pieces: Vec::new(),
            least: output.text.least(),
            known: output.known.clone(),
        };
        let (file, len) = (Arc::clone(output.text.file()), output.committed_text);
        let end = ended.then(|| output.text.end());
        let (context, holder) = (self.context.clone(), Arc::clone(&self.holder));
        let job = async move {
            let mut pieces = match file.read(len).await {
                Ok(pieces) => pieces,
                Err(error) => return Done::Unreadable { output: index, error },
            };
            pieces.extend(end);
            let publication = Publication { pieces, ..publication };
            let outcome = context.publish(&holder, publication).await;
            Done::Published { output: index, segments, outcome }
        };
        self.jobs.spawn(job.instrument(info_span!("playlist", output = index, segments)));
    }

    async fn settle(&mut self, done: Done) {
        match done {
            Done::Stored { output: index, place, name: Ok(name) } => {
                self.serves();
                if let Some(output) = self.outputs.get_mut(index)
                    && let Some(waiting) = output.waiting.get_mut(&place)
                {
                    waiting.stored(name.clone());
                    let (playlist, facts) = (output.playlist.clone(), waiting.facts);
                    (self.context.notices)(Notice::Stored { playlist, name, facts });
                }
                self.plan.stored(index, place);
            }
            Done::Committed(Ok(written)) => {
                self.serves();
                self.committed(written).await;
            }
            Done::Closed(Ok(ending)) => {
                self.serves();
                self.plan.closed(ending == Ending::Stop);
            }
            Done::Published { output: index, segments, outcome: Ok(known) } => {
                self.serves();
                let ended = self.plan.shows_end(index);
                if let Some(output) = self.outputs.get_mut(index) {
                    output.published(known, segments, ended);
                    let playlist = output.playlist.clone();
                    (self.context.notices)(Notice::Listed { playlist, segments, ended });
                }
                self.plan.published(index);
            }
            Done::Unreadable { output, error } => {
                self.note(error);
                self.plan.muted(output);
            }
            // The spool has lost the segment.
            Done::Stored { output, place, name: Err(error) } if error.kind() == ErrorKind::NotFound => {
                self.lose(output, place, error).await;
            }
            Done::Unwritten { output, place, error } => self.lose(output, place, error).await,
            Done::Stored { name: Err(error), .. }
            | Done::Committed(Err(error))
            | Done::Closed(Err(error))
            | Done::Published { outcome: Err(error), .. } => self.fail(error),
        }
    }

    /// A request succeeded.
    fn serves(&self) {
        let over = self.context.options.trouble.over(self.context.options.clock.monotonic());
        if let Some(outage) = over.filter(|&outage| outage >= OUTAGE) {
            (self.context.notices)(Notice::Recovered { outage });
        }
    }

    /// Tells when the store's rate has become limited, and when it is not any more.
    fn tell_rate(&mut self) {
        let limit = self.context.store.traffic().rate_limit;
        if limit.is_some() != self.throttled {
            self.throttled = limit.is_some();
            let per_minute = limit.map(|per_second| (per_second * 60.0).round() as u64);
            (self.context.notices)(Notice::Throttled { per_minute });
        }
    }

    /// A segment is not in the spool as it should be.
    async fn lose(&mut self, index: usize, place: u64, error: Error) {
        warn!(error = %error.report(), "the spool failed");
        self.give_up(index, place, GapCause::SpoolFailed).await;
    }

    /// What is committed need not be kept.
    async fn committed(&mut self, written: Written) {
        let now = self.context.options.clock.monotonic();
        for (output, places) in self.outputs.iter_mut().zip(self.plan.batch()) {
            if places.is_empty() {
                continue;
            }
            output.commit(places).await;
            let (playlist, segments) = (output.playlist.clone(), output.committed);
            (self.context.notices)(Notice::Committed { playlist, segments });
        }
        self.last_commit = Some(now);
        let texts = self.outputs.iter().map(|output| output.committed_text);
        self.plan.committed(now, written, texts);
    }
}
