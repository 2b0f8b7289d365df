//! One recording on this worker: its source is joined, recorded, and joined again where it breaks.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tracing::{info, warn};

use super::policy::RECONNECT;
use super::request::Request;
use crate::continuity::random_uid;
use crate::error::{Error, ErrorKind, Result};
use crate::input::{Joining, Media, Source, Sources, shown};
use crate::media::Container;
use crate::recorder::{Feed, OnFull, Options, OutputSpec, Recorder};
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
    pub sources: Arc<dyn Sources>,
    pub request: Request,
    pub options: Options,
}

/// What the node says to a recording while it runs.
#[derive(Debug)]
pub struct Heard {
    pub asked: watch::Receiver<Ask>,
    /// How the picture is to be laid out, since somebody said so.
    pub layouts: watch::Receiver<Option<Value>>,
}

/// What the loop works with.
struct Session {
    job: Job,
    joining: Joining,
    recorder: Recorder,
    source: Box<dyn Source>,
    /// What it has given already.
    first: Option<Media>,
    feed: Feed,
    heard: Heard,
    /// It was told to commit nothing.
    rests: bool,
}

/// How feeding ended.
enum Fed {
    Asked,
    ToTheEnd,
    SourceLost,
    /// What the source gives is nothing that could be recorded, here or elsewhere.
    Useless(Error),
}

/// Records until it is asked to end, its source is gone for good, or another worker has it.
pub async fn record(job: Job, heard: Heard) -> Outcome {
    run(job, heard).await.unwrap_or_else(Outcome::Failed)
}

async fn run(job: Job, mut heard: Heard) -> Result<Outcome> {
    let Job { store, request, options, .. } = &job;
    let mut options = options.clone();
    let uid = random_uid(&options.chance)?;
    options.uid = Some(uid);
    let joining = Joining { source: request.source.clone(), recording: request.id(), uid };
    // Joined first: a source that cannot be reached from here must not cost a failover.
    let (source, first) = match options.epoch {
        None => (join(&job, &joining).await?, None),
        Some(_) => attach(&job, &joining, &mut heard).await?,
    };
    if source.waits() {
        options.on_full = OnFull::USUAL_WAIT;
    }
    let recorder = match options.epoch {
        None => Recorder::start(store, request.id(), options).await?,
        Some(_) => Recorder::resume(store, &request.sid, Some(&request.cname), options).await?,
    };
    info!(sid = %request.sid, generation = %recorder.generation(), uid = recorder.uid(), "recording");
    let feed = Feed::new(OutputSpec::composite(Container::default()));
    let mut session = Session { job, joining, recorder, source, first, feed, heard, rests: false };
    let fed = session.run().await;
    let Session { job, recorder, heard, .. } = session;
    let asked = *heard.asked.borrow();
    if asked == Ask::Leave {
        drop(recorder);
        return Ok(Outcome::Relieved);
    }
    let stops = matches!(fed, Ok(Fed::ToTheEnd | Fed::Useless(_))) || asked == Ask::Stop;
    let summary = if stops { recorder.stop().await } else { recorder.orphan().await };
    summary?;
    match fed {
        // Another machine may do better.
        Err(error) => warn!(sid = %job.request.sid, error = %error.report(), "left to others"),
        Ok(Fed::Useless(error)) => {
            warn!(sid = %job.request.sid, error = %error.report(), "ended: its source cannot be recorded");
        }
        Ok(Fed::Asked | Fed::ToTheEnd | Fed::SourceLost) => {}
    }
    Ok(if stops { Outcome::Stopped } else { Outcome::Handed })
}

async fn join(job: &Job, joining: &Joining) -> Result<Box<dyn Source>> {
    tokio::select! {
        joined = job.sources.join(joining) => joined,
        () = job.options.clock.sleep(JOIN) => {
            let message = format!("{} does not answer for {} s", shown(&joining.source), JOIN.as_secs());
            Err(Error::new(ErrorKind::Unavailable, message))
        }
    }
}

/// Joins a source for a recording that is to be taken over, and waits until it gives something: one that lets everybody in and
/// says nothing must not cost a failover either.
async fn attach(job: &Job, joining: &Joining, heard: &mut Heard) -> Result<(Box<dyn Source>, Option<Media>)> {
    let clock = &job.options.clock;
    let attached = async {
        loop {
            let given = async {
                let mut source = job.sources.join(joining).await?;
                let media = source.next().await?;
                Ok::<_, Error>((source, media))
            };
            match given.await {
                Ok((source, Some(media))) => return (source, Some(media)),
                Ok((_, None)) => {}
                Err(error) => info!(sid = %job.request.sid, error = %error.report(), "not joined"),
            }
            clock.sleep(PAUSE).await;
        }
    };
    tokio::select! {
        attached = attached => Ok(attached),
        Ok(_) = heard.asked.wait_for(|ask| *ask != Ask::Run) => {
            Err(Error::new(ErrorKind::Conflict, "it is to be left before it has begun here"))
        }
        () = clock.sleep(RECONNECT) => {
            let message = format!("{} gave nothing for {} s", shown(&joining.source), RECONNECT.as_secs());
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

/// Whether a source is none that anybody could record: it gave nothing but what cannot be read.
async fn is_useless(error: &Error, feed: &Feed) -> bool {
    error.kind() == ErrorKind::Malformed && feed.now().await.is_none()
}

impl Session {
    async fn run(&mut self) -> Result<Fed> {
        // What somebody chose holds for all turns.
        self.lay_out().await;
        let millis = self.job.options.rules.interruption.millis();
        let silent_for = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        let clock = self.job.options.clock.clone();
        let mut silence = clock.sleep(silent_for);
        let mut lost: Option<Duration> = None;
        loop {
            let live = self.source.is_live();
            let media = tokio::select! {
                biased;
                () = asked(&mut self.heard.asked, &self.recorder, &mut self.rests) => return Ok(Fed::Asked),
                Ok(()) = self.heard.layouts.changed() => {
                    self.lay_out().await;
                    continue;
                }
                media = async {
                    match self.first.take() {
                        Some(media) => Ok(Some(media)),
                        None => self.source.next().await,
                    }
                } => media,
                () = &mut silence, if live => {
                    silence = clock.sleep(silent_for);
                    self.feed.interrupt().await?;
                    continue;
                }
            };
            silence = clock.sleep(silent_for);
            let why = match media {
                Ok(Some(media)) => {
                    lost = None;
                    match self.feed.write(&self.recorder, media).await {
                        Ok(()) => continue,
                        Err(error) if is_useless(&error, &self.feed).await => return Ok(Fed::Useless(error)),
                        Err(error) => return Err(error),
                    }
                }
                Ok(None) if !self.source.is_live() => return Ok(Fed::ToTheEnd),
                Ok(None) => "it has ended".to_owned(),
                Err(error) => error.report(),
            };
            // One that lets us in and says nothing is as lost as before.
            let since = *lost.get_or_insert_with(|| {
                warn!(sid = %self.job.request.sid, why, "the source is lost");
                clock.monotonic()
            });
            self.feed.interrupt().await?;
            match self.join_again(since + RECONNECT).await {
                Some(fed) => return Ok(fed),
                None => info!(sid = %self.job.request.sid, "the source is back"),
            }
        }
    }

    /// Gives the source the layout that somebody chose, if somebody did.
    async fn lay_out(&mut self) {
        let Some(layout) = self.heard.layouts.borrow_and_update().clone() else { return };
        let sid = &self.job.request.sid;
        match self.source.update_layout(&layout).await {
            Ok(()) => info!(%sid, "laid out anew"),
            Err(error) => warn!(%sid, error = %error.report(), "the layout stays as it is"),
        }
    }

    /// Tries to join the source again until `give_up`; how feeding ends, where that is not to be.
    async fn join_again(&mut self, give_up: Duration) -> Option<Fed> {
        let clock = self.job.options.clock.clone();
        while clock.monotonic() < give_up {
            tokio::select! {
                biased;
                () = asked(&mut self.heard.asked, &self.recorder, &mut self.rests) => return Some(Fed::Asked),
                () = clock.sleep(PAUSE) => {}
            }
            if let Ok(source) = join(&self.job, &self.joining).await {
                self.source = source;
                self.lay_out().await;
                return None;
            }
        }
        Some(Fed::SourceLost)
    }
}
