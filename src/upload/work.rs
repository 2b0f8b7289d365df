//! The task of an upload: it carries the plan out, with the requests under way beside it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::UpdateVersion;
use serde_json::Map;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tracing::{Instrument, info, info_span};

use super::driver::{Ending, Finished, FinishedOutput, Notice, SealedFile};
use super::plan::{Plan, Step};
use super::playlist_text::PlaylistText;
use super::publish::Publication;
use super::requests::Context;
use crate::continuity::{Addition, Holder, TailEntry, Written};
use crate::error::{Error, ErrorKind, Result};
use crate::media::Container;
use crate::naming::{NameKind, ObjectName, key};
use crate::playlist::Header;

/// What the task is told.
pub(super) enum Command {
    Add { playlist: ObjectName, container: Container, header: Header },
    Sealed { output: usize, sealed: Box<SealedFile> },
    Finish(Ending),
}

struct Output {
    playlist: ObjectName,
    container: Container,
    header: Header,
    text: PlaylistText,
    /// Length of the text with what is committed.
    committed_text: u64,
    /// The playlist in the store, once it is ours.
    known: Option<UpdateVersion>,
    /// Segments handed over.
    sealed: u64,
    /// Segments being stored, stored, or being committed, by their place.
    waiting: BTreeMap<u64, SealedFile>,
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
    /// Nothing more is sent.
    aborted: bool,
    ending: Option<Ending>,
}

impl Work {
    pub fn new(context: Context, holder: Holder, failed: watch::Sender<Option<Arc<Error>>>) -> Self {
        let plan = Plan::new(context.options.limits, holder.form());
        let holder = Arc::new(Mutex::new(holder));
        let (outputs, jobs) = (Vec::new(), JoinSet::new());
        Self { context, holder, plan, outputs, jobs, failed, aborted: false, ending: None }
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
                        self.add(playlist, container, header).await;
                    }
                    Some(Command::Sealed { output, sealed }) => self.take(output, *sealed),
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
                    let message = format!("the store did not take everything within {patience} s");
                    self.fail(Error::new(ErrorKind::DataLoss, message));
                }
                () = until(wake) => {}
            }
            self.begin_all();
        }
        self.jobs.shutdown().await;
        let failure = self.failed.borrow().clone();
        let mut outputs = Vec::new();
        for mut output in self.outputs {
            output.finished.uncommitted = output.sealed - output.finished.segments;
            // A text that nobody needs any more; else it may help to find out what was meant.
            if failure.is_none() {
                output.text.file().remove().await;
            }
            outputs.push(output.finished);
        }
        Finished { outputs, failure }
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

    async fn add(&mut self, playlist: ObjectName, container: Container, header: Header) {
        // Outputs are known by their number: after one that failed none is taken.
        if self.aborted {
            return;
        }
        let options = &self.context.options;
        let text = PlaylistText::create(&options.spool, &playlist, &header, options.clock.clone()).await;
        match text {
            Ok(text) => {
                self.plan.add_output();
                self.outputs.push(Output {
                    playlist,
                    container,
                    header,
                    text,
                    committed_text: 0,
                    known: None,
                    sealed: 0,
                    waiting: BTreeMap::new(),
                    finished: FinishedOutput::default(),
                });
            }
            Err(error) => self.fail(error),
        }
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

    fn store(&mut self, output: usize, place: u64) {
        let Some(sealed) = self.outputs.get(output).and_then(|output| output.waiting.get(&place)) else {
            return;
        };
        let (context, file, name) = (self.context.clone(), Arc::clone(&sealed.file), sealed.name.clone());
        let (bytes, span) = (sealed.facts.bytes, info_span!("segment", output, segment = place));
        let proven = self.outputs.iter().any(|output| output.finished.segments > 0);
        let job = async move {
            if let Err(error) = file.written().await {
                return Done::Unwritten { output, place, error };
            }
            let name = context.store_segment(name, &file, bytes, proven).await;
            Done::Stored { output, place, name }
        };
        self.jobs.spawn(job.instrument(span));
    }

    fn commit(&mut self) {
        let mut additions = Vec::new();
        for (index, places) in self.plan.batch().into_iter().enumerate() {
            let published = self.plan.published_segments(index);
            let Some(output) = self.outputs.get_mut(index) else { continue };
            let entries: Vec<TailEntry> =
                places.filter_map(|place| output.waiting.get(&place)).filter_map(tail_entry).collect();
            let appended = entries
                .iter()
                .try_for_each(|entry| output.text.append(&entry.entry(&output.playlist, output.container)));
            if let Err(error) = appended {
                let message = "a segment does not fit its playlist";
                return self.fail(Error::new(ErrorKind::Internal, message).with_source(error));
            }
            if output.finished.segments > 0 || !entries.is_empty() {
                additions.push(Addition {
                    playlist: output.playlist.to_string(),
                    container: output.container,
                    target_duration: output.header.target_duration,
                    entries,
                    hash: output.text.hash(),
                    published,
                });
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
        let segments = output.finished.segments;
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
                if let Some(output) = self.outputs.get_mut(index)
                    && let Some(sealed) = output.waiting.get_mut(&place)
                {
                    sealed.name = name.clone();
                    let playlist = output.playlist.clone();
                    (self.context.notices)(Notice::Stored { playlist, name, facts: sealed.facts });
                }
                self.plan.stored(index, place);
            }
            Done::Committed(Ok(written)) => self.committed(written).await,
            Done::Closed(Ok(ending)) => self.plan.closed(ending == Ending::Stop),
            Done::Published { output: index, segments, outcome: Ok(known) } => {
                let ended = self.plan.shows_end(index);
                if let Some(output) = self.outputs.get_mut(index) {
                    output.known = Some(known);
                    output.finished.listed = segments;
                    output.finished.complete = ended && output.sealed == segments;
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
                self.lose(output, place, error);
            }
            Done::Unwritten { output, place, error } => self.lose(output, place, error),
            Done::Stored { name: Err(error), .. }
            | Done::Committed(Err(error))
            | Done::Closed(Err(error))
            | Done::Published { outcome: Err(error), .. } => self.fail(error),
        }
    }

    /// A segment cannot be stored, nor any behind it be listed.
    fn lose(&mut self, index: usize, place: u64, error: Error) {
        self.note(error);
        self.plan.lost(index, place);
        if let Some(output) = self.outputs.get_mut(index) {
            output.waiting.split_off(&place);
        }
    }

    /// What is committed need not be kept.
    async fn committed(&mut self, written: Written) {
        for (output, places) in self.outputs.iter_mut().zip(self.plan.batch()) {
            if places.is_empty() {
                continue;
            }
            for place in places {
                let Some(sealed) = output.waiting.remove(&place) else { continue };
                output.finished.segments += 1;
                output.finished.bytes += sealed.facts.bytes;
                output.finished.duration_millis += sealed.facts.duration_millis;
                sealed.file.remove().await;
            }
            output.committed_text = output.text.len();
            output.finished.playlist = Some(key(&self.context.options.prefix, &output.playlist));
            let (playlist, segments) = (output.playlist.clone(), output.finished.segments);
            (self.context.notices)(Notice::Committed { playlist, segments });
        }
        let texts = self.outputs.iter().map(|output| output.committed_text);
        self.plan.committed(self.context.options.clock.monotonic(), written, texts);
    }
}

fn tail_entry(sealed: &SealedFile) -> Option<TailEntry> {
    let NameKind::Segment { start: utc, .. } = sealed.name.kind else { return None };
    let opened = sealed.facts.opened;
    Some(TailEntry {
        utc,
        start: opened.start,
        clock: opened.clock,
        date: opened.date,
        millis: sealed.facts.duration_millis,
        bytes: sealed.facts.bytes,
        crc64: sealed.crc64,
        discontinuity: opened.discontinuity,
        gap: false,
        unknown: Map::new(),
    })
}
