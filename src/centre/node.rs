//! A worker of the centre: it renews its lease, watches the others', and starts, takes over and ends recordings.
//!
//! One loop for all of them: nothing of it grows with the recordings that simply run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::board::{Membership, Requests};
use super::knowledge::Knowledge;
use super::lease::{Lease, MOST_HANDED, RENEWAL, Standing};
use super::policy::{Action, Control, Known, Policy};
use super::request::Request;
use super::task::{Ask, Heard, Job, Outcome, record};
use super::view::View;
use super::watch::{Verdict, Watch};
use crate::clock::{SharedClock, draw};
use crate::continuity::{Holder, HolderOptions, Phase, Recordings, this_host};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Sid;
use crate::input::Sources;
use crate::recorder::Options;
use crate::salvage::{Destination, News, Others, SalvageOptions};
use crate::store::Store;
use crate::time::MediaSpan;

/// The loop turns so often.
const TICK: Duration = Duration::from_secs(1);
/// A request of the loop's own that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// What could not be begun is tried again after this, the own lost sources too.
const AGAIN: Duration = Duration::from_secs(15);
/// Recordings that are begun, or taken over, at once: heirs of many must not ask a store for all at one time.
const PACE: usize = 32;
/// Control objects read at once.
const READS: usize = 16;
/// Who leaves records on for so long, until others have taken what it has.
const DRAIN: Duration = Duration::from_secs(30);
/// Who leaves stays listed so long, for others to read what it has handed on.
const FAREWELL: Duration = Duration::from_secs(8);
/// What is over is looked for so often.
const TIDY: Duration = Duration::from_secs(60);
/// A lease that nobody has renewed for so long is taken away, and the request for a recording that has ended.
const FORGOTTEN: Duration = Duration::from_secs(3600);
/// How long the store may keep a salvage waiting.
const SALVAGE_PATIENCE: Duration = Duration::from_secs(60);

/// What a node needs.
#[derive(Debug)]
pub struct NodeOptions {
    /// Where everything is.
    pub store: Store,
    /// In which form it keeps recordings.
    pub recordings: Recordings,
    /// How what is to be recorded is joined.
    pub sources: Arc<dyn Sources>,
    /// How workers hear of each other.
    pub membership: Box<dyn Membership>,
    /// When recordings are taken over.
    pub policy: Policy,
    /// Recordings that this worker holds at most.
    pub capacity: u32,
    /// How it records; prefix, lease, epoch and lengths of segments are each recording's.
    pub recorder: Options,
    /// What others may ask about.
    pub view: View,
}

/// Random hex digits for a worker's lease.
///
/// # Errors
/// Where there is no chance to draw from.
pub fn worker_id(options: &Options) -> Result<String> {
    Ok(format!("{:016x}", u64::from_be_bytes(draw(&*options.chance)?)))
}

struct Running {
    ask: watch::Sender<Ask>,
    layout: watch::Sender<Option<Value>>,
}

/// How a node leaves.
struct Leaving {
    /// What nobody has taken by then is left without a worker.
    gives_up: Duration,
    /// The node may be gone then.
    gone: Duration,
}

struct Node {
    options: NodeOptions,
    lease: Lease,
    requests: Requests,
    watch: Watch,
    knowledge: Knowledge,
    running: BTreeMap<Sid, Running>,
    /// How pictures are to be laid out, where somebody said so.
    layouts: BTreeMap<Sid, Value>,
    /// Not to be tried before.
    not_before: BTreeMap<Sid, Duration>,
    done: mpsc::UnboundedSender<(Sid, Outcome)>,
    /// Recordings that others have taken have left something in the spool since the last salvage began.
    left: bool,
    /// The salvage under way: one, whatever the number of recordings that were taken.
    salvage: Option<JoinHandle<()>>,
}

/// Runs a worker until `stop` ends; then what it records is left to others. `beat` is called as long as the loop turns.
///
/// # Errors
/// `Unavailable` where its lease could not be taken away at the end. Other failures are waited out.
pub async fn serve(
    worker: String,
    options: NodeOptions,
    stop: impl Future<Output = ()>,
    beat: impl Fn() + Send,
) -> Result<()> {
    let (done, mut ended) = mpsc::unbounded_channel();
    let clock = options.recorder.clock.clone();
    let lease = Lease::new(&worker, &this_host(), std::process::id(), options.capacity);
    let requests = Requests::new(&options.store);
    let mut node = Node {
        options,
        lease,
        requests,
        watch: Watch::default(),
        knowledge: Knowledge::default(),
        running: BTreeMap::new(),
        layouts: BTreeMap::new(),
        not_before: BTreeMap::new(),
        done,
        left: false,
        salvage: None,
    };
    let mut stop = std::pin::pin!(stop);
    let mut renewed: Option<Duration> = None;
    let mut leaving: Option<Leaving> = None;
    let mut tidied = clock.monotonic();
    loop {
        let now = clock.monotonic();
        beat();
        if renewed.is_none_or(|at| now.saturating_sub(at) >= RENEWAL) {
            renewed = Some(now);
            node.exchange().await;
            beat();
        }
        match &leaving {
            None => {
                node.act().await;
                beat();
                if now.saturating_sub(tidied) >= TIDY {
                    tidied = now;
                    node.forget().await;
                }
            }
            Some(leaving) => {
                node.relieve(now >= leaving.gives_up).await;
                if node.running.is_empty() && now >= leaving.gone && !node.salvages() {
                    break;
                }
            }
        }
        node.salvage();
        tokio::select! {
            () = &mut stop, if leaving.is_none() => {
                info!(recordings = node.running.len(), "leaving");
                node.lease.standing = Standing::Draining;
                for running in node.running.values() {
                    // It may have ended meanwhile.
                    let _ = running.ask.send(Ask::Rest);
                }
                let now = clock.monotonic();
                leaving = Some(Leaving { gives_up: now + DRAIN, gone: now });
                renewed = None;
            }
            Some((sid, outcome)) = ended.recv() => {
                node.ended(&sid, outcome);
                while let Ok((sid, outcome)) = ended.try_recv() {
                    node.ended(&sid, outcome);
                }
                if let Some(leaving) = &mut leaving {
                    // Others are to read what was handed on.
                    leaving.gone = clock.monotonic() + FAREWELL;
                    renewed = None;
                }
            }
            // What is known then is acted on at once.
            () = node.options.membership.changed() => renewed = None,
            () = clock.sleep(TICK) => {}
        }
    }
    let remove = node.options.membership.remove(&node.lease.worker);
    in_time(&clock, remove).await
}

/// What the loop itself waits for must not take long: others take a worker that says nothing for dead.
async fn in_time<T>(clock: &SharedClock, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        () = clock.sleep(PATIENCE) => {
            let message = format!("the store does not answer for {} s", PATIENCE.as_secs());
            Err(Error::new(ErrorKind::Unavailable, message))
        }
    }
}

impl Node {
    fn now(&self) -> Duration {
        self.options.recorder.clock.monotonic()
    }

    /// Says that this worker lives, and hears who else does, and what is asked for.
    async fn exchange(&mut self) {
        self.lease.beat += 1;
        self.lease.recordings = u32::try_from(self.running.len()).unwrap_or(u32::MAX);
        let clock = self.options.recorder.clock.clone();
        let membership = &mut self.options.membership;
        let (lease, requests) = (&self.lease, &self.requests);
        let exchange = async {
            membership.renew(lease).await?;
            let leases = membership.read().await?;
            let (asked, layouts) = requests.read().await?;
            Ok::<_, Error>((leases, asked, layouts))
        };
        let heard = in_time(&clock, exchange).await;
        let now = clock.monotonic();
        match heard {
            Ok((leases, asked, layouts)) => {
                self.watch.read(now, leases);
                self.knowledge.ask(asked);
                self.lay_out(layouts);
            }
            Err(error) => {
                warn!(error = %error.report(), "leases are not exchanged");
                self.watch.missed(now);
            }
        }
    }

    /// Takes away leases that nobody has renewed for long, and requests for recordings that have ended long ago.
    async fn forget(&self) {
        let now = self.now();
        let old = |lease: &&Lease| match self.watch.verdict(&lease.worker, now) {
            Verdict::Silent(since) | Verdict::Gone(since) => since >= FORGOTTEN,
            Verdict::Alive | Verdict::Draining(_) => false,
        };
        let leases = self.watch.leases().filter(old).map(|lease| &lease.worker);
        let ended = |known: &Known| {
            let is_final = known.control.as_ref().is_some_and(|control| control.phase.is_final());
            is_final && now.saturating_sub(known.since) >= FORGOTTEN
        };
        let requests = self.knowledge.known().filter(|(_, known)| ended(known)).map(|(sid, _)| sid);
        let forget = async {
            for worker in leases {
                self.options.membership.remove(worker).await?;
            }
            for sid in requests {
                self.requests.remove(sid).await?;
            }
            Ok(())
        };
        if let Err(error) = in_time(&self.options.recorder.clock, forget).await {
            warn!(error = %error.report(), "what is over stays listed");
        }
    }

    /// Tells those that run how they are to be laid out, where that is new.
    fn lay_out(&mut self, layouts: BTreeMap<Sid, Value>) {
        for (sid, running) in &self.running {
            let layout = layouts.get(sid);
            running.layout.send_if_modified(|known| {
                let changed = layout.is_some() && known.as_ref() != layout;
                if changed {
                    *known = layout.cloned();
                }
                changed
            });
        }
        self.layouts = layouts;
    }

    /// Does what is to be done now.
    async fn act(&mut self) {
        self.look().await;
        let now = self.now();
        self.stop_what_ended();
        let mut begun = 0;
        for (sid, known) in self.knowledge.known() {
            if self.running.contains_key(sid) || self.not_before.get(sid).is_some_and(|at| now < *at) {
                continue;
            }
            let me = &self.lease.worker;
            let Some(action) = self.options.policy.decide(sid, known, &self.watch, me, now) else { continue };
            let Some(request) = self.knowledge.request(sid) else { continue };
            let full = self.running.len() >= usize::try_from(self.options.capacity).unwrap_or(usize::MAX);
            if full && action != Action::Stop {
                continue;
            }
            begun += 1;
            if begun > PACE {
                break;
            }
            info!(%sid, ?action, "acting");
            let (ask, asked) = watch::channel(Ask::Run);
            let (layout, layouts) = watch::channel(self.layouts.get(sid).cloned());
            let (done, sid) = (self.done.clone(), sid.clone());
            let heard = Heard { asked, layouts };
            let work = work(&self.options, request.clone(), self.lease.worker.clone(), action, heard);
            self.running.insert(sid.clone(), Running { ask, layout });
            tokio::spawn(async move {
                let outcome = work.await;
                // The node is gone: nobody asks any more.
                let _ = done.send((sid, outcome));
            });
        }
        self.options.view.update(&self.watch, self.knowledge.known(), &self.lease.worker, now);
    }

    /// Ends the recordings that others have taken, or all of them.
    async fn relieve(&mut self, all: bool) {
        self.look().await;
        let me = Some(&self.lease.worker);
        for (sid, running) in &self.running {
            let control = self.knowledge.control(sid);
            // Whoever took it has begun: only then nothing is missing between the two.
            let is_relieved = control
                .is_some_and(|control| control.worker.as_ref() != me && control.phase == Phase::Recording);
            if is_relieved || all {
                // It may have ended meanwhile.
                let _ = running.ask.send(if is_relieved { Ask::Leave } else { Ask::HandOn });
            }
        }
        self.options.view.update(&self.watch, self.knowledge.known(), &self.lease.worker, self.now());
    }

    fn stop_what_ended(&self) {
        for (sid, running) in &self.running {
            if self.knowledge.is_to_end(sid) {
                // It may have ended meanwhile.
                let _ = running.ask.send(Ask::Stop);
            }
        }
    }

    /// Reads the control objects that may have changed.
    async fn look(&mut self) {
        let now = self.now();
        self.not_before.retain(|_, at| now < *at);
        let held = |sid: &Sid| self.running.contains_key(sid);
        let wanted = self.knowledge.stale(&self.lease, held, &self.watch, now);
        let (recordings, clock) = (&self.options.recordings, &self.options.recorder.clock);
        let give_up = now + PATIENCE;
        let reads = futures_util::stream::iter(wanted).map(|sid| async move {
            // Those that the time is too short for are read the next time.
            let left = give_up.saturating_sub(clock.monotonic());
            let read = tokio::select! {
                read = recordings.read(&sid) => Some(read),
                () = clock.sleep(left) => None,
            };
            (sid, read)
        });
        let mut reads = reads.buffer_unordered(READS);
        let mut heard = Vec::new();
        while let Some(read) = reads.next().await {
            heard.push(read);
        }
        drop(reads);
        for (sid, read) in heard {
            let control = match read {
                Some(Ok(state)) => {
                    Some(Control { phase: state.phase, epoch: state.epoch, worker: state.holder.lease })
                }
                Some(Err(error)) if error.kind() == ErrorKind::NotFound => None,
                None => continue,
                Some(Err(error)) => {
                    warn!(%sid, error = %error.report(), "cannot be looked at");
                    continue;
                }
            };
            self.knowledge.learn(sid, control, self.now());
        }
        self.knowledge.heed(&self.watch);
    }

    fn ended(&mut self, sid: &Sid, outcome: Outcome) {
        self.running.remove(sid);
        self.knowledge.outdate(sid);
        match outcome {
            Outcome::Stopped => info!(%sid, "stopped"),
            Outcome::Relieved => {
                info!(%sid, "relieved");
                self.left = true;
            }
            Outcome::Handed => {
                info!(%sid, "handed on");
                self.not_before.insert(sid.clone(), self.now() + AGAIN);
                if self.lease.handed.len() < MOST_HANDED {
                    self.lease.handed.push(sid.clone());
                }
            }
            Outcome::Failed(error) => {
                warn!(%sid, error = %error.report(), "not recording");
                match error.kind() {
                    // Somebody else was first.
                    ErrorKind::Conflict | ErrorKind::Abandoned => {}
                    ErrorKind::Fenced => self.left = true,
                    _ => drop(self.not_before.insert(sid.clone(), self.now() + AGAIN)),
                }
            }
        }
    }

    /// Whether something is being salvaged, or is to be.
    fn salvages(&self) -> bool {
        self.left || self.salvage.as_ref().is_some_and(|salvage| !salvage.is_finished())
    }

    /// Begins to bring to the store what recordings had in the spool that other workers have taken, unless that is under way.
    fn salvage(&mut self) {
        if !self.left || self.salvage.as_ref().is_some_and(|salvage| !salvage.is_finished()) {
            return;
        }
        self.left = false;
        let place =
            Destination { store: self.options.store.clone(), recordings: self.options.recordings.clone() };
        let recorder = &self.options.recorder;
        let Ok(base) = recorder.spool.base(&place.store) else { return };
        let options = SalvageOptions {
            clock: recorder.clock.clone(),
            seed: self.lease.beat,
            patience: Some(SALVAGE_PATIENCE),
            on_retry: Arc::new(|_, _, _| {}),
            may_go: Arc::new(|| true),
        };
        let others = Others::start(base, place, options, |news| {
            if let News::Failed { folder, error } = news {
                warn!(folder, error = %error.report(), "not salvaged");
            }
        });
        self.salvage = Some(tokio::spawn(async move { others.finish(SALVAGE_PATIENCE).await }));
    }
}

/// Carries an action out.
fn work(
    options: &NodeOptions,
    request: Request,
    worker: String,
    action: Action,
    heard: Heard,
) -> impl Future<Output = Outcome> + Send + use<> {
    let mut recorder = options.recorder.clone();
    recorder.prefix = request.prefix.clone();
    recorder.lease = Some(worker);
    recorder.rules.target = MediaSpan::from_millis(i64::try_from(request.segment_millis).unwrap_or(i64::MAX));
    recorder.rules.max_length = recorder.rules.target + recorder.rules.target;
    recorder.epoch = match action {
        Action::TakeOver { epoch } => Some(epoch),
        Action::Start | Action::Stop => None,
    };
    let (store, recordings) = (options.store.clone(), options.recordings.clone());
    let sources = Arc::clone(&options.sources);
    async move {
        if action != Action::Stop {
            return record(Job { store, sources, request, options: recorder }, heard).await;
        }
        let holder_options = HolderOptions {
            clock: recorder.clock.clone(),
            chance: recorder.chance.clone(),
            on_retry: Arc::new(|_, _, _| {}),
            lease: None,
            uid: None,
        };
        let stopped = Holder::stop_for_another(recordings.register(&request.sid), holder_options).await;
        stopped.map_or_else(Outcome::Failed, |_| Outcome::Stopped)
    }
}
