//! A simulated worker: the recorder as it is, on a runtime of its own whose time stands still unless the
//! world lets it run. A worker that is not run is paused; one whose runtime is dropped has crashed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tapeline::clock::{Clock, SharedClock, draw};
use tapeline::continuity::{Holder, HolderOptions, Recordings, probe};
use tapeline::ids::{RecordingId, Sid};
use tapeline::recorder::{Options, Output, OutputSpec, Recorder};
use tapeline::salvage::{Destination, SalvageOptions, salvage, tidy};
use tapeline::spool::{Left, LeftFolder, Room, SpoolBase};
use tapeline::store::Store;
use tapeline::time::WallTime;
use tokio::runtime::Runtime;

use super::clock::SimulatedClock;
use super::history::{Ended, Millis, Visit, What};
use super::hosts::Host;
use super::media::{CHUNK, Media};
use super::random::{Random, SeededChance};
use super::scenario::{Launch, Order, Setting};
use super::store::{Out, Outbox, WorkerStore};

/// For how long an operator has each request of a salvage repeated.
const SALVAGE_PATIENCE: Duration = Duration::from_secs(60);

/// What the world and the worker's tasks share.
#[derive(Debug, Default)]
pub struct Shared {
    pub order: Mutex<Option<Order>>,
    /// Where the wall clock is to be set to while the media clock jumps.
    jump_back: Mutex<Option<WallTime>>,
    /// What is lost of the source, in milliseconds.
    lost: AtomicU64,
    /// The recorder was given out.
    pub holds: AtomicBool,
    pub ended: AtomicBool,
}

impl Shared {
    /// The media clock jumps, and the wall clock is set to this date.
    pub fn jump_back(&self, date: WallTime) {
        *self.jump_back.lock().unwrap() = Some(date);
    }

    fn order(&self) -> Option<Order> {
        *self.order.lock().unwrap()
    }

    /// So much of the source is lost.
    pub fn lose(&self, millis: Millis) {
        self.lost.store(millis, Ordering::Relaxed);
    }
}

#[derive(Debug)]
pub struct Worker {
    /// `None` once it has crashed, or ended long ago.
    pub runtime: Option<Runtime>,
    pub clock: Arc<SimulatedClock>,
    pub outbox: Arc<Outbox>,
    pub shared: Arc<Shared>,
    /// Its own time.
    pub now: Millis,
    /// Where it runs, and the account that its recorder's bytes count in.
    pub host: usize,
    pub room: Room,
    /// The most that was noted to be there.
    noted: u64,
    /// Until when it is paused, and whether with its machine.
    pub paused: Option<(Millis, bool)>,
    pub ended_at: Option<Millis>,
    /// Its room was looked at since.
    pub accounted: bool,
}

impl Worker {
    pub fn launch(
        now: Millis,
        launch: Launch,
        setting: &Setting,
        (host, its): (usize, &Host),
        random: &mut Random,
    ) -> Self {
        let clock = Arc::new(SimulatedClock::default());
        let (outbox, shared) = (Arc::new(Outbox::default()), Arc::new(Shared::default()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        clock.step(setting.skew(random));
        let room = its.room();
        let chance = Arc::new(SeededChance(Mutex::new(random.fork())));
        let end = WorkerStore { outbox: outbox.clone(), clock: clock.clone() };
        let job = Job {
            store: Store::from_object_store("simulated:", Arc::new(end)),
            options: setting.options(its.base().clone(), room.clone(), clock.clone(), chance),
            base: its.base().clone(),
            room: room.clone(),
            clock: clock.clone(),
            outbox: outbox.clone(),
            shared: shared.clone(),
            media: random.fork(),
            id: setting.id.clone(),
            outputs: setting.outputs.clone(),
        };
        runtime.block_on(async {
            clock.begin(now);
            tokio::spawn(job.run(launch));
        });
        let (runtime, paused, ended_at) = (Some(runtime), None, None);
        Self { runtime, clock, outbox, shared, now, host, room, noted: 0, paused, ended_at, accounted: false }
    }

    pub fn runs(&self) -> bool {
        self.runtime.is_some() && self.paused.is_none()
    }

    pub fn holds(&self) -> bool {
        self.runtime.is_some()
            && self.shared.holds.load(Ordering::Relaxed)
            && !self.shared.ended.load(Ordering::Relaxed)
    }

    /// Runs it up to a time, or until it hands something over.
    pub fn run(&mut self, until: Millis) -> Vec<Out> {
        let Some(runtime) = &self.runtime else { return Vec::new() };
        self.now = runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.outbox.filled.notified() => {}
                () = tokio::time::sleep_until(self.clock.instant(until)) => {}
            }
            self.clock.now()
        });
        if self.ended_at.is_none() && self.shared.ended.load(Ordering::Relaxed) {
            self.ended_at = Some(self.now);
        }
        self.outbox.take()
    }

    /// Bytes in its room, where they are more than may be there, and than were seen before.
    pub fn overdrawn(&mut self, limit: u64) -> Option<u64> {
        let bytes = self.room.used();
        let more = bytes > limit.max(self.noted);
        more.then(|| {
            self.noted = bytes;
            bytes
        })
    }

    /// The pause is over: all of its timers are late at once, unless its machine slept, whose timers
    /// know nothing of it.
    pub fn wake(&mut self, now: Millis) {
        let Some((_, suspended)) = self.paused.take() else { return };
        let millis = now - self.now;
        if suspended {
            self.clock.slept(millis);
        } else if let Some(runtime) = &self.runtime {
            runtime.block_on(tokio::time::advance(Duration::from_millis(millis)));
        }
        self.now = now;
    }
}

struct Job {
    store: Store,
    base: SpoolBase,
    room: Room,
    options: Options,
    clock: Arc<SimulatedClock>,
    outbox: Arc<Outbox>,
    shared: Arc<Shared>,
    media: Random,
    id: RecordingId,
    outputs: Vec<OutputSpec>,
}

impl Job {
    async fn run(self, launch: Launch) {
        let (outbox, shared, clock) = (self.outbox.clone(), self.shared.clone(), self.clock.clone());
        let ended = match launch {
            Launch::Start => {
                let started = Recorder::start(&self.store, self.id.clone(), self.options.clone()).await;
                self.record(started).await
            }
            Launch::Resume => {
                let resumed = Recorder::resume(&self.store, &self.id.sid, None, self.options.clone()).await;
                self.record(resumed).await
            }
            Launch::StopForAnother => self.stop_for_another(&self.id.sid).await,
            Launch::Salvage | Launch::SalvageAgain => self.salvage().await,
        };
        shared.ended.store(true, Ordering::Relaxed);
        outbox.push(Out::Note(clock.now(), What::Ended(ended)));
    }

    async fn stop_for_another(&self, sid: &Sid) -> Ended {
        let clock: SharedClock = self.clock.clone();
        let options = HolderOptions {
            lease: None,
            uid: None,
            clock: clock.clone(),
            chance: self.options.chance.clone(),
            on_retry: Arc::new(|_, _, _| {}),
        };
        let stopped = async {
            let random = draw(&*self.options.chance)?;
            let form = probe::prepare(&self.store, &clock, random).await?;
            let register = Recordings::new(&self.store, form).register(sid);
            Holder::stop_for_another(register, options).await
        };
        match stopped.await {
            Ok(_) => Ended::Well(None),
            Err(error) => Ended::NotBegun(error.kind(), error.report()),
        }
    }

    /// As the program does.
    async fn salvage(&self) -> Ended {
        let options = SalvageOptions {
            clock: self.clock.clone(),
            seed: self.media.clone().next(),
            patience: Some(SALVAGE_PATIENCE),
            on_retry: Arc::new(|_, _, _| {}),
            may_go: Arc::new(|| true),
        };
        let mut known = None;
        for name in self.base.folders().await.expect("memory serves") {
            let visit = match LeftFolder::open(&self.base, &name).await.expect("memory serves") {
                Left::Held(_) => Visit::Held,
                Left::Gone => Visit::Gone,
                Left::Open(folder) => {
                    self.note(What::Visiting { name: name.clone() });
                    match self.salvage_one(folder, &mut known, &options).await {
                        Ok(()) => Visit::Salvaged,
                        Err(error) => Visit::Failed(error.kind(), error.report()),
                    }
                }
            };
            self.note(What::Visited { name, visit });
        }
        Ended::Salvaged
    }

    async fn salvage_one(
        &self,
        folder: LeftFolder,
        known: &mut Option<Destination>,
        options: &SalvageOptions,
    ) -> tapeline::Result<()> {
        if folder.segments().is_empty() {
            self.room.give_back(tidy(folder).await.freed);
            return Ok(());
        }
        if known.is_none() {
            let random = draw(&*self.options.chance)?;
            let form = options.repeat("form", || probe::prepare(&self.store, &options.clock, random)).await?;
            let recordings = Recordings::new(&self.store, form);
            *known = Some(Destination { store: self.store.clone(), recordings });
        }
        let destination = known.as_ref().expect("it was set");
        let salvaged = salvage(folder, destination, options).await?;
        // It is a part of the host's process.
        self.room.give_back(salvaged.freed);
        Ok(())
    }

    async fn record(mut self, recorder: tapeline::Result<Recorder>) -> Ended {
        let recorder = match recorder {
            Ok(recorder) => recorder,
            Err(error) => return Ended::NotBegun(error.kind(), error.report()),
        };
        self.shared.holds.store(true, Ordering::Relaxed);
        self.note(What::Held { generation: recorder.generation().get() });
        let mut events = recorder.events();
        let (outbox, clock) = (self.outbox.clone(), self.clock.clone());
        let listening = tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(event) => outbox.push(Out::Note(clock.now(), What::Told(event))),
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => break,
                    Err(missed) => panic!("{missed}"),
                }
            }
        });
        let fed = self.feed(&recorder).await;
        let left = match fed {
            Ok(Order::Orphan) => recorder.orphan().await,
            // As the program does: what ended the uploading is told by the stop.
            Ok(Order::Stop) | Err(_) => recorder.stop().await,
        };
        self.note(What::LetGo);
        let _ = listening.await;
        match left {
            Ok(summary) => Ended::Well(Some(summary)),
            Err(error) => Ended::Failed(error.kind(), error.report()),
        }
    }

    /// Feeds the outputs until ordered to leave.
    async fn feed(&mut self, recorder: &Recorder) -> tapeline::Result<Order> {
        let mut outputs: Vec<(Output, Media)> = Vec::new();
        for spec in &self.outputs {
            outputs.push((recorder.output(spec.clone())?, Media::new(self.media.fork())));
        }
        loop {
            self.clock.sleep(Duration::from_millis(CHUNK)).await;
            if let Some(order) = self.shared.order() {
                return Ok(order);
            }
            let jump = self.shared.jump_back.lock().unwrap().take();
            if let Some(date) = jump {
                self.clock.step(date.millis() - self.clock.wall().millis());
            }
            let lost = self.shared.lost.swap(0, Ordering::Relaxed);
            for (output, media) in &mut outputs {
                if jump.is_some() {
                    media.jump();
                }
                media.skip(lost);
                // As the program does: who waits for room can be told to leave.
                loop {
                    tokio::select! {
                        biased;
                        () = output.ready() => break,
                        () = self.clock.sleep(Duration::from_millis(CHUNK)) => {}
                    }
                    if let Some(order) = self.shared.order() {
                        return Ok(order);
                    }
                }
                output.write_bytes(media.chunk()).await?;
            }
        }
    }

    fn note(&self, what: What) {
        self.outbox.push(Out::Note(self.clock.now(), what));
    }
}
