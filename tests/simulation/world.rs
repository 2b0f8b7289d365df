//! One history: workers, network and time, from one seed.
//!
//! Each worker has its own time and never runs past the next thing that may reach it. The one that is the
//! furthest behind runs next, until it hands something over; what the network has for that moment happens
//! first. So all is in the order of the simulated time, though only one thread does it.

use std::collections::BTreeMap;

use bytes::Bytes;
use tapeline::continuity::{ControlObject, Form, StoreForm};
use tapeline::media::Container;
use tapeline::naming::{NameKind, ObjectName, key};
use tapeline::recorder::Event;
use tapeline::time::WallTime;

use super::history::{History, Millis, STRANGER, What};
use super::hosts::Host;
use super::network::Network;
use super::random::Random;
use super::scenario::{Action, Launch, Order, Reach, Scenario, Setting};
use super::store::Out;
use super::worker::Worker;

#[path = "spools.rs"]
mod spools;

/// How often somebody looks after the recording.
const ROUND: Millis = 1_000;
/// How long a worker records that is launched when all is calm.
const LAST_TURN: Millis = 8_000;
/// A worker that has ended is watched for so long.
const AFTERMATH: Millis = 20_000;
/// From the calm on, everything has to come to its end in this time.
const PATIENCE: Millis = 600_000;
/// More are not launched before the calm.
const MOST_WORKERS: usize = 14;

/// What came of a seed.
#[derive(Debug)]
pub struct Outcome {
    pub setting: Setting,
    pub history: History,
    /// What lies in the store in the end.
    pub objects: BTreeMap<String, Bytes>,
    /// When the faults ended.
    pub calm_at: Millis,
    /// It did not come to an end.
    pub endless: bool,
}

struct World {
    setting: Setting,
    actions: BTreeMap<(Millis, usize), Action>,
    network: Network,
    hosts: Vec<Host>,
    /// Whether the folders of spools were held, when somebody tried to open them last.
    tried: BTreeMap<String, bool>,
    workers: Vec<Worker>,
    /// How often what is left in the end was salvaged, and whether it was put back and salvaged again.
    sweeps: u64,
    swept_again: bool,
    launched_at: Vec<Millis>,
    history: History,
    random: Random,
    calm_at: Millis,
    now: Millis,
    next_round: Millis,
}

pub fn run(seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let Scenario { setting, weather, actions } = Scenario::of(seed, &mut random);
    let calm_at = weather.calm_at;
    let network = Network::new(weather, random.fork(), setting.updates, setting.tags_by_content);
    let hosts = (0..setting.hosts).map(|_| Host::new(setting.room_limit)).collect();
    let mut world = World {
        setting,
        hosts,
        tried: BTreeMap::new(),
        actions,
        network,
        workers: Vec::new(),
        sweeps: 0,
        swept_again: false,
        launched_at: Vec::new(),
        history: History::default(),
        random,
        calm_at,
        now: 0,
        next_round: ROUND,
    };
    world.prepare();
    let endless = !world.run();
    world.try_folders(world.now);
    world.look_at_hosts();
    world.history.sort();
    let World { setting, history, network, .. } = world;
    Outcome { setting, history, objects: network.into_objects(), calm_at, endless }
}

impl World {
    fn prepare(&mut self) {
        if self.setting.examined {
            let form = if self.setting.updates { Form::Update } else { Form::Numbered };
            let text = StoreForm::new(form, WallTime::from_millis(1_767_225_600_000)).encode();
            self.plant(StoreForm::KEY.to_owned(), text);
        }
        if self.setting.strangers_playlist {
            let name = format!("{}.m3u8", self.setting.id);
            self.plant(key(&self.setting.prefix, &name), Bytes::from_static(b"#EXTM3U\n"));
        }
    }

    /// False where it does not come to an end.
    fn run(&mut self) -> bool {
        loop {
            let Some(now) = self.earliest() else { return true };
            self.now = now;
            if now > self.calm_at + PATIENCE {
                return false;
            }
            let workers = &self.workers;
            self.network.run(now, |worker| workers[worker].runs(), &mut self.history);
            self.act();
            self.let_one_run();
        }
    }

    /// The earliest time at which anything can happen; `None` at the end.
    fn earliest(&self) -> Option<Millis> {
        let running = self.workers.iter().filter(|worker| worker.runs()).map(|worker| worker.now).min();
        running.or_else(|| self.next_from_outside())
    }

    /// When something happens next that no worker does.
    fn next_from_outside(&self) -> Option<Millis> {
        let waking = self.workers.iter().filter_map(|worker| worker.paused).map(|(until, _)| until).min();
        let action = self.actions.keys().next().map(|(at, _)| *at);
        let round = (!self.is_over()).then_some(self.next_round);
        [waking, action, round, self.network.next()].into_iter().flatten().min()
    }

    fn is_over(&self) -> bool {
        self.now > self.calm_at
            && self.actions.is_empty()
            && self.workers.iter().all(|worker| worker.runtime.is_none())
            && self.is_decided()
            && (self.swept_again || self.sweeps == spools::SWEEPS)
    }

    /// Nobody can record any more.
    fn is_decided(&self) -> bool {
        self.setting.strangers_playlist || self.is_final()
    }

    fn is_final(&self) -> bool {
        self.state().is_some_and(|state| state.phase.is_final())
    }

    /// The recording's state as it is in the store.
    fn state(&self) -> Option<ControlObject> {
        let folder = format!(".tapeline/recordings/{}", self.setting.id.sid);
        let read = |key: &str| ControlObject::decode(&self.network.object(key)?.body).ok();
        let numbered = (1..).map_while(|number| read(&format!("{folder}/{number:020}.json")));
        read(&format!("{folder}.json")).or_else(|| numbered.last())
    }

    fn let_one_run(&mut self) {
        let running = self.workers.iter().enumerate().filter(|(_, worker)| worker.runs());
        let Some((index, worker)) = running.min_by_key(|(index, worker)| (worker.now, *index)) else {
            return;
        };
        let waking = self.workers.iter().filter_map(|worker| worker.paused).map(|(until, _)| until).min();
        let action = self.actions.keys().next().map(|(at, _)| *at);
        let answer = self.network.next_answer(index);
        let limits = [waking, action, answer, Some(self.next_round)];
        let until = limits.into_iter().flatten().min().unwrap_or(worker.now).max(worker.now);
        for out in self.workers[index].run(until) {
            match out {
                Out::Issue(issue) => self.network.issue(index, issue, &mut self.history),
                Out::Note(at, what) => self.history.note(at, index, what),
            }
        }
        self.look_at_spool(index);
    }

    /// Does what is due.
    fn act(&mut self) {
        for index in 0..self.workers.len() {
            let worker = &mut self.workers[index];
            if worker.paused.is_some_and(|(until, _)| until <= self.now) {
                worker.wake(self.now);
                self.history.note(self.now, index, What::Woken);
            }
            if worker.ended_at.is_some_and(|ended| ended + AFTERMATH <= self.now) && worker.runtime.is_some()
            {
                worker.runtime = None;
                self.network.forget(index);
            }
        }
        while let Some(entry) = self.actions.first_entry()
            && entry.key().0 <= self.now
        {
            let action = entry.remove();
            self.carry_out(action);
        }
        if self.next_round <= self.now {
            self.next_round = self.now + ROUND;
            self.try_folders(self.now);
            self.look_after();
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Launch(launch, count) => (0..count).for_each(|_| self.launch(launch)),
            Action::Crash(reach) => {
                if let Some(index) = self.victim() {
                    self.crash(index, reach);
                }
            }
            Action::CrashNewest => {
                let alive = |worker: &Worker| worker.runtime.is_some() && worker.ended_at.is_none();
                if let Some(index) = self.workers.iter().rposition(alive) {
                    self.crash(index, Reach::Recorder);
                }
            }
            Action::Pause { millis, suspended, lossy } => {
                if let Some(index) = self.victim().filter(|index| self.workers[*index].paused.is_none()) {
                    self.history.note(self.now, index, What::Paused { millis, suspended });
                    self.workers[index].paused = Some((self.now + millis, suspended));
                    if lossy {
                        self.workers[index].shared.lose(millis);
                    }
                }
            }
            Action::Order(order) => {
                if let Some(index) = self.victim() {
                    self.order(index, order);
                }
            }
            Action::StepClock(millis) => {
                if let Some(index) = self.victim() {
                    self.history.note(self.now, index, What::ClockStepped { millis });
                    self.workers[index].clock.step(millis);
                }
            }
            Action::JumpBack => {
                let Some(index) = self.victim() else { return };
                let began = self.opened(index).next();
                if let Some((_, date)) = began {
                    self.workers[index].shared.jump_back(date);
                    self.history.note(self.now, index, What::Jumped);
                }
            }
            Action::TakeSegmentName => {
                if let Some(index) = self.victim()
                    && let Some((playlist, start)) = self.opened(index).last()
                {
                    let kind = NameKind::Segment { start, container: Container::MpegTs };
                    let name = ObjectName { kind, ..playlist };
                    self.plant(key(&self.setting.prefix, &name), Bytes::from_static(b"a stranger's"));
                }
            }
        }
    }

    /// The segments that a worker has opened: their playlists and dates.
    fn opened(&self, index: usize) -> impl Iterator<Item = (ObjectName, WallTime)> {
        self.history.records.iter().filter(move |record| record.worker == index).filter_map(|record| {
            let What::Told(Event::SegmentOpened { playlist, date, .. }) = &record.what else { return None };
            Some((playlist.parse().ok()?, WallTime::parse_rfc3339(date)?))
        })
    }

    /// Mostly the one that holds the recording, or thinks so.
    fn victim(&mut self) -> Option<usize> {
        let all: Vec<usize> = (0..self.workers.len())
            .filter(|index| self.workers[*index].runtime.is_some() && self.workers[*index].ended_at.is_none())
            .collect();
        let mut holders = all.iter().copied().filter(|index| self.workers[*index].holds());
        let latest = holders.next_back().filter(|_| self.random.permille(700));
        latest.or_else(|| (!all.is_empty()).then(|| self.random.pick(&all)))
    }

    fn plant(&mut self, key: String, body: Bytes) {
        if self.network.plant(&key, body.clone()) {
            self.history.note(self.now, STRANGER, What::Planted { key, body });
        }
    }

    fn launch(&mut self, launch: Launch) {
        let host = self.place(launch);
        self.launch_on(host, launch);
    }

    fn launch_on(&mut self, host: usize, launch: Launch) {
        self.history.note(self.now, self.workers.len(), What::Launched { launch, host });
        let its = (host, &self.hosts[host]);
        self.workers.push(Worker::launch(self.now, launch, &self.setting, its, &mut self.random));
        self.launched_at.push(self.now);
    }

    /// The first order counts.
    fn order(&mut self, index: usize, order: Order) {
        let given = &mut *self.workers[index].shared.order.lock().unwrap();
        if given.is_none() {
            *given = Some(order);
            self.history.note(self.now, index, What::Ordered(order));
        }
    }

    /// While there are faults, now and then takes up a recording that nobody holds; when all is calm, brings
    /// it to its end.
    fn look_after(&mut self) {
        let calm = self.now >= self.calm_at;
        let alive = |worker: &Worker| worker.runtime.is_some() && worker.ended_at.is_none();
        if self.workers.iter().any(alive) {
            for index in (0..self.workers.len()).filter(|_| calm) {
                let worker = &self.workers[index];
                let ordered = worker.shared.order.lock().unwrap().is_some();
                let since = self.launched_at[index].max(self.calm_at);
                if worker.holds() && !ordered && self.now >= since + LAST_TURN {
                    let order = if self.random.permille(100) { Order::Orphan } else { Order::Stop };
                    self.order(index, order);
                }
            }
        } else if self.sweep() {
        } else if calm || self.random.permille(120) && self.workers.len() < MOST_WORKERS {
            let launch = match self.state() {
                None if self.setting.strangers_playlist => return,
                None => Launch::Start,
                Some(state) if state.phase.is_final() => return,
                Some(_) => Launch::Resume,
            };
            let count = if calm { 1 } else { self.random.pick(&[1, 1, 2, 3]) };
            (0..count).for_each(|_| self.launch(launch));
        }
    }
}
