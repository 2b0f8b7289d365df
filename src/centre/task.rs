//! One recording on this worker: its source is joined, recorded, and joined again where it breaks.

use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};

use super::policy::RECONNECT;
use super::request::Request;
use crate::error::{Error, ErrorKind, Result};
use crate::input::{self, Source};
use crate::media::Container;
use crate::recorder::{OnFull, Options, Output, OutputSpec, Recorder};
use crate::store::Store;

/// A source that does not answer for so long cannot be joined.
const JOIN: Duration = Duration::from_secs(10);
/// Between two tries to join it.
const PAUSE: Duration = Duration::from_secs(2);

/// What a recording is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// To go on.
    Run,
    /// To go on without committing anything: another worker is to take it.
    Rest,
    /// To be left, since another worker has it.
    Leave,
    /// To end for good.
    Stop,
    /// To be left to whoever takes it.
    HandOn,
}

/// What became of it on this worker.
#[derive(Debug)]
pub enum Outcome {
    /// It has ended.
    Stopped,
    /// Anybody may take it.
    Handed,
    /// Another worker has it; what this one had is in the spool.
    Relieved,
    /// It did not begin, or goes on elsewhere.
    Failed(Error),
}

/// What is to be recorded, and how.
#[derive(Debug)]
pub struct Job {
    pub store: Store,
    pub request: Request,
    pub options: Options,
}

/// What the loop works with.
struct Session {
    job: Job,
    recorder: Recorder,
    source: Source,
    output: Option<Output>,
    ask: watch::Receiver<Ask>,
    /// It was told to commit nothing.
    rests: bool,
}

/// How feeding ended.
enum Fed {
    Asked,
    ToTheEnd,
    SourceLost,
}

/// Records until it is asked to end, its source is gone for good, or another worker has it.
pub async fn record(job: Job, ask: watch::Receiver<Ask>) -> Outcome {
    run(job, ask).await.unwrap_or_else(Outcome::Failed)
}

async fn run(job: Job, ask: watch::Receiver<Ask>) -> Result<Outcome> {
    // Joined first: a source that cannot be reached from here must not cost a failover.
    let source = join(&job).await?;
    let Job { store, request, options } = &job;
    let mut options = options.clone();
    if source.waits() {
        options.on_full = OnFull::USUAL_WAIT;
    }
    let recorder = match options.epoch {
        None => Recorder::start(store, request.id(), options).await?,
        Some(_) => Recorder::resume(store, &request.sid, Some(&request.cname), options).await?,
    };
    info!(sid = %request.sid, generation = %recorder.generation(), uid = recorder.uid(), "recording");
    let mut session = Session { job, recorder, source, output: None, ask, rests: false };
    let fed = session.feed().await;
    let Session { job, recorder, ask, .. } = session;
    let asked = *ask.borrow();
    if asked == Ask::Leave {
        drop(recorder);
        return Ok(Outcome::Relieved);
    }
    let stops = matches!(fed, Ok(Fed::ToTheEnd)) || asked == Ask::Stop;
    let summary = if stops { recorder.stop().await } else { recorder.orphan().await };
    summary?;
    if let Err(error) = fed {
        // Another machine may do better.
        warn!(sid = %job.request.sid, error = %error.report(), "left to others");
    }
    Ok(if stops { Outcome::Stopped } else { Outcome::Handed })
}

async fn join(job: &Job) -> Result<Source> {
    let clock = job.options.clock.clone();
    let source = &job.request.source;
    tokio::select! {
        joined = input::open(source, clock.clone()) => joined,
        () = clock.sleep(JOIN) => {
            let message = format!("{source} does not answer for {} s", JOIN.as_secs());
            Err(Error::new(ErrorKind::Unavailable, message))
        }
    }
}

/// Waits until the recording is asked to end; until then, it may be asked to rest. Where the node is gone that would ask, it ends.
async fn asked(ask: &mut watch::Receiver<Ask>, recorder: &Recorder, rests: &mut bool) {
    loop {
        match *ask.borrow_and_update() {
            Ask::Run => {}
            Ask::Rest if *rests => {}
            Ask::Rest => {
                recorder.rest();
                *rests = true;
            }
            Ask::Leave | Ask::HandOn | Ask::Stop => return,
        }
        if ask.changed().await.is_err() {
            return;
        }
    }
}

impl Session {
    async fn feed(&mut self) -> Result<Fed> {
        let millis = self.job.options.rules.interruption.millis();
        let silent_for = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        let clock = self.job.options.clock.clone();
        let mut silence = clock.sleep(silent_for);
        loop {
            let chunk = tokio::select! {
                biased;
                () = asked(&mut self.ask, &self.recorder, &mut self.rests) => return Ok(Fed::Asked),
                chunk = self.source.next() => chunk,
                () = &mut silence, if self.source.is_live() => {
                    silence = clock.sleep(silent_for);
                    if let Some(output) = &self.output {
                        output.interrupt().await?;
                    }
                    continue;
                }
            };
            silence = clock.sleep(silent_for);
            let why = match chunk {
                Ok(Some(chunk)) => {
                    let output = match &self.output {
                        Some(output) => output.clone(),
                        None => {
                            let spec = OutputSpec::composite(Container::of_stream(&chunk.bytes));
                            self.output.insert(self.recorder.output(spec)?).clone()
                        }
                    };
                    output.write_bytes_arrived(chunk.bytes, chunk.arrived).await?;
                    continue;
                }
                Ok(None) if !self.source.is_live() => return Ok(Fed::ToTheEnd),
                Ok(None) => "it has ended".to_owned(),
                Err(error) => error.report(),
            };
            warn!(sid = %self.job.request.sid, why, "the source is lost");
            if let Some(output) = &self.output {
                output.interrupt().await?;
            }
            match self.join_again().await {
                Some(fed) => return Ok(fed),
                None => info!(sid = %self.job.request.sid, "the source is back"),
            }
        }
    }

    /// Tries to join the source again; how feeding ends, where that is not to be.
    async fn join_again(&mut self) -> Option<Fed> {
        let clock = self.job.options.clock.clone();
        let give_up = clock.monotonic() + RECONNECT;
        while clock.monotonic() < give_up {
            tokio::select! {
                biased;
                () = asked(&mut self.ask, &self.recorder, &mut self.rests) => return Some(Fed::Asked),
                () = clock.sleep(PAUSE) => {}
            }
            if let Ok(source) = join(&self.job).await {
                self.source = source;
                return None;
            }
        }
        Some(Fed::SourceLost)
    }
}
