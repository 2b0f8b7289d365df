//! What a seed means: the store, the recording, the weather, and what is done to the workers when.

use std::collections::BTreeMap;
use std::time::Duration;

use tapeline::clock::{SharedChance, SharedClock};
use tapeline::ids::{MediaKind, RecordingId, Uid};
use tapeline::media::Container;
use tapeline::naming::Prefix;
use tapeline::recorder::{OnFull, Options, OutputSpec, Spool};
use tapeline::slicer::SlicingRules;
use tapeline::spool::{Room, SpoolBase};
use tapeline::time::MediaSpan;
use tapeline::upload::Limits;

use super::history::Millis;
use super::media::CHUNK;
use super::random::Random;
use super::weather::{Outage, Part, Weather};

/// How long an impatient stop waits for the store, in seconds.
const PATIENCE: u64 = 10;

/// What a worker is launched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launch {
    Start,
    Resume,
    StopForAnother,
    /// An operator has a spool salvaged.
    Salvage,
    /// What was salvaged lies there again, and is salvaged again.
    SalvageAgain,
}

/// How much goes down in a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The recorder alone.
    Recorder,
    /// All recorders of its process.
    Process,
    /// The machine, with its memory.
    Machine,
}

/// What a recording worker is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Stop,
    Orphan,
}

/// What is done at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// So many at once.
    Launch(Launch, u64),
    Crash(Reach),
    /// Whoever was launched last.
    CrashNewest,
    Pause {
        millis: Millis,
        suspended: bool,
        /// What its source sends meanwhile is lost.
        lossy: bool,
    },
    Order(Order),
    /// The wall clock is set by so much.
    StepClock(i64),
    /// The media clock jumps, and the wall clock is set back to when the worker began.
    JumpBack,
    /// A stranger's object takes the name of the segment that is open.
    TakeSegmentName,
}

/// What does not change during a history.
#[derive(Debug, Clone)]
pub struct Setting {
    pub id: RecordingId,
    pub prefix: Prefix,
    pub outputs: Vec<OutputSpec>,
    /// The store has conditional updates.
    pub updates: bool,
    pub tags_by_content: bool,
    /// The store's form is written down already.
    pub examined: bool,
    /// A stranger's playlist lies under our name from the begin.
    pub strangers_playlist: bool,
    pub clocks_agree: bool,
    /// How many machines there are for workers.
    pub hosts: u64,
    /// Bytes that a recording may have in the spool, and those of a process together, where they share a room.
    pub spool_limit: u64,
    pub room_limit: Option<u64>,
    on_full: OnFull,
    /// How long a stop waits for the store.
    pub stop_patience: Duration,
    target: MediaSpan,
    limits: Limits,
    /// A recording that was claimed less than so long ago is left alone.
    pub respite: Duration,
}

impl Setting {
    /// Whether inputs wait where there is no room.
    pub fn waits(&self) -> bool {
        self.on_full != OnFull::Drop
    }

    /// Chunks of media in a segment at most: it ends at the first key frame behind the target, and there is one in two
    /// chunks.
    pub fn chunks_of_a_segment(&self) -> u64 {
        (self.target.millis() as u64).div_ceil(CHUNK) + 2
    }

    /// By how much a worker's wall clock is wrong, in milliseconds.
    pub fn skew(&self, random: &mut Random) -> i64 {
        let most = if self.clocks_agree { 50 } else { random.pick(&[1_000, 60_000, 6 * 3_600_000]) };
        random.between(0, 2 * most) as i64 - most as i64
    }

    pub fn options(&self, spool: SpoolBase, room: Room, clock: SharedClock, chance: SharedChance) -> Options {
        let rules = SlicingRules {
            target: self.target,
            max_length: self.target + self.target,
            ..SlicingRules::default()
        };
        Options {
            rules,
            prefix: self.prefix.clone(),
            spool: Spool::In(spool),
            limits: self.limits,
            spool_limit: self.spool_limit,
            worker_room: Some(room),
            on_full: self.on_full,
            stop_patience: self.stop_patience,
            respite: self.respite,
            compat_tags: true,
            uid: None,
            lease: None,
            epoch: None,
            clock,
            chance,
        }
    }
}

#[derive(Debug)]
pub struct Scenario {
    pub setting: Setting,
    pub weather: Weather,
    pub actions: BTreeMap<(Millis, usize), Action>,
}

impl Scenario {
    pub fn of(seed: u64, random: &mut Random) -> Self {
        let updates = random.permille(600);
        let long = random.permille(250);
        let calm_at = if long { random.between(80_000, 220_000) } else { random.between(20_000, 60_000) };
        let setting = Self::setting(seed, updates, random);
        let mut actions =
            vec![(random.between(0, 500), Action::Launch(Launch::Start, random.pick(&[1, 1, 1, 2, 3])))];
        for _ in 0..random.between(0, 6) {
            actions.push((random.between(1_000, calm_at), Self::action(calm_at, random)));
        }
        // Whole lives of recordings: as many claims as there may be, and one more.
        if random.permille(150) {
            actions.extend((1..=5).map(|turn| {
                let at = calm_at * turn / 6;
                (at, Action::Launch(Launch::Resume, random.pick(&[1, 1, 2])))
            }));
        }
        let mut weather = Self::weather(calm_at, random);
        if long {
            weather.outages.push(Self::long_outage(calm_at, random));
            if random.permille(400) {
                let at = random.between(calm_at * 2 / 3, calm_at);
                actions.push((at, Action::Crash(random.pick(&[Reach::Recorder, Reach::Process]))));
            }
        }
        // A worker with something to publish is paused, loses its recording, and wakes up.
        if random.permille(200) {
            let at = random.between(5_000, calm_at);
            let millis = random.between(10_000, 40_000);
            let to = at + random.between(0, 4_000);
            let part = random.pick(&[Part::AllButControl, Part::Playlists]);
            let outage = Outage { from: at - 3_000, to, worker: None, hangs: false, part };
            weather.outages.push(outage);
            let launch = random.pick(&[Launch::Resume, Launch::StopForAnother]);
            actions.push((at, Action::Pause { millis, suspended: random.permille(500), lossy: false }));
            actions.push((random.between(to, at + millis), Action::Launch(launch, 1)));
        }
        if random.permille(350) {
            Self::salvages(calm_at, &mut actions, &mut weather, random);
        }
        let actions = actions.into_iter().enumerate().map(|(index, (at, action))| ((at, index), action));
        Self { setting, weather, actions: actions.collect() }
    }

    fn setting(seed: u64, updates: bool, random: &mut Random) -> Setting {
        let uid = Uid::new(random.between(1, 1_000_000) as u32).unwrap();
        let specs = [
            OutputSpec::composite(Container::MpegTs),
            OutputSpec::individual(uid, MediaKind::Video, Container::MpegTs),
            OutputSpec::individual(uid, MediaKind::Audio, Container::MpegTs),
        ];
        let outputs = specs[..random.pick(&[1, 1, 2, 3])].to_vec();
        // What all outputs have open at once, and the text of their playlists, has to fit where segments are given
        // up for want of room; an input that waits goes on all the same.
        let few = outputs.len() as u64 * random.between(20_000, 50_000);
        let fewer = random.pick(&[few, few, few / 10]);
        let (spool_limit, room_limit, on_full) = match random.between(0, 7) {
            0 | 1 => (few, None, OnFull::Drop),
            2 => (u64::MAX, Some(few), OnFull::Drop),
            3 => (few, Some(few + few / 2), OnFull::Drop),
            4 => (fewer, None, OnFull::Wait { segments: 1024 }),
            5 => (u64::MAX, Some(2 * fewer), OnFull::Wait { segments: random.pick(&[3, 1024]) }),
            6 => (8 << 30, None, OnFull::Drop),
            _ => (8 << 30, None, OnFull::Wait { segments: random.pick(&[1, 3, 1024]) }),
        };
        Setting {
            id: RecordingId::new("s1", "main").unwrap(),
            prefix: Prefix::new(random.pick(&["", "", "a/b"])).unwrap(),
            outputs,
            updates,
            tags_by_content: random.permille(500),
            // By the seed itself: in every run, however short.
            examined: seed % 20 != 3,
            strangers_playlist: seed % 25 == 7,
            clocks_agree: random.permille(500),
            target: MediaSpan::from_secs(random.between(1, 4) as i64),
            limits: Limits { segments: random.between(1, 4) as usize, bytes: 16 << 20 },
            hosts: random.between(1, 3),
            spool_limit,
            room_limit,
            on_full,
            // The long one is longer than any outage here: what is not stored in the end is a fault.
            stop_patience: Duration::from_secs(random.pick(&[600, 600, 600, PATIENCE])),
            respite: Duration::from_secs(random.pick(&[0, 0, 0, 15])),
        }
    }

    fn action(calm_at: Millis, random: &mut Random) -> Action {
        match random.between(0, 16) {
            0..=2 => Action::Launch(Launch::Resume, random.between(1, 3)),
            3 | 4 => Action::Crash(random.pick(&[
                Reach::Recorder,
                Reach::Recorder,
                Reach::Process,
                Reach::Machine,
            ])),
            5..=7 => Action::Pause {
                millis: random.between(200, calm_at),
                suspended: random.permille(400),
                lossy: random.permille(500),
            },
            8 => Action::Order(Order::Stop),
            9 => Action::Order(Order::Orphan),
            10 => Action::StepClock(random.between(0, 7_200_000) as i64 - 3_600_000),
            11 | 12 => Action::JumpBack,
            13 | 14 => Action::TakeSegmentName,
            15 => Action::Launch(Launch::Salvage, random.pick(&[1, 1, 2])),
            _ => Action::Launch(Launch::StopForAnother, random.pick(&[1, 1, 2])),
        }
    }

    /// A worker dies in an outage, and several want its spool at once; one of them dies as well.
    fn salvages(
        calm_at: Millis,
        actions: &mut Vec<(Millis, Action)>,
        weather: &mut Weather,
        random: &mut Random,
    ) {
        let at = random.between(8_000, calm_at);
        let to = at + random.between(0, 10_000);
        let part = random.pick(&[Part::All, Part::AllButControl, Part::Control]);
        weather.outages.push(Outage {
            from: at - 6_000,
            to,
            worker: None,
            hangs: random.permille(300),
            part,
        });
        actions.push((at, Action::Crash(random.pick(&[Reach::Recorder, Reach::Process]))));
        let begin = at + random.between(0, 12_000);
        for _ in 0..random.between(1, 3) {
            let launch = random.pick(&[Launch::Salvage, Launch::Salvage, Launch::Resume]);
            actions.push((begin + random.between(0, 500), Action::Launch(launch, 1)));
        }
        if random.permille(600) {
            actions.push((begin + random.between(500, 3_000), Action::CrashNewest));
        }
    }

    /// Long enough to fill a spool.
    fn long_outage(calm_at: Millis, random: &mut Random) -> Outage {
        let from = random.between(3_000, 20_000);
        let to = calm_at.min(from + random.between(60_000, 200_000));
        let part = random.pick(&[Part::All, Part::All, Part::AllButControl, Part::Control]);
        Outage { from, to, worker: None, hangs: random.permille(300), part }
    }

    fn weather(calm_at: Millis, random: &mut Random) -> Weather {
        let outages = (0..random.pick(&[0, 0, 1, 1, 2, 3])).map(|_| {
            let from = random.between(1_000, calm_at);
            let worker = random.permille(400).then(|| random.between(0, 2) as usize);
            Outage {
                from,
                to: from + random.pick(&[1_000, 5_000, 15_000, 45_000]),
                worker,
                hangs: random.permille(500),
                part: random.pick(&[
                    Part::All,
                    Part::All,
                    Part::Control,
                    Part::AllButControl,
                    Part::Playlists,
                ]),
            }
        });
        let outages = outages.collect();
        Weather {
            faults: random.pick(&[0, 10, 50, 100, 200, 350]),
            control_faults: random.pick(&[0, 50, 100, 200, 350, 500]),
            from: random.pick(&[0, 1_000, 2_000, 5_000]),
            latency: random.pick(&[(1, 10), (5, 40), (20, 200), (100, 1_200)]),
            outages,
            calm_at,
        }
    }
}
