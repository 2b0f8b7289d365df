//! The centre's policy over thousands of invented histories: nodes that die, stand still and come back, a store that is slow or away.
//!
//! Leases, watches and decisions are the real ones; the store, the claims and the time are played. `TAPELINE_TEST_HISTORIES` sets how many
//! histories there are, `TAPELINE_TEST_SEED` runs one.
//!
//! - I10: with the store reachable and a healthy worker, a recording whose worker was killed records again within 30 s, one whose
//!   host is silent within 90 s (with `fast` within 30 s), unless its failovers are used up.
//! - I11: while requests take less than a second and pauses less than five, nobody that lives is replaced.

use std::collections::BTreeMap;
use std::time::Duration;

use tapeline::centre::{Action, Control, Known, Lease, Policy, Standing, Wanted, Watch};
use tapeline::continuity::Phase;
use tapeline::ids::Sid;

/// Milliseconds of a history.
const END: u64 = 400_000;
/// A step of it.
const STEP: u64 = 250;
const RENEWAL: u64 = 3_000;
const KILLED: u64 = 30_000;
const SILENT: u64 = 90_000;
const LAST_GENERATION: u8 = 3;

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ bits >> 31) % limit
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

/// A recording's control object, and what the judge knows of it.
struct Recording {
    sid: Sid,
    control: Control,
    generation: u8,
    /// When its first segment of this generation is committed, by its holder.
    begins: Option<u64>,
    dead: Option<Death>,
}

/// Since when its holder is dead, how long that may last, and by when it must be over.
#[derive(Clone, Copy)]
struct Death {
    since: u64,
    limit: u64,
    by: u64,
}

struct Node {
    worker: String,
    watch: Watch,
    known: BTreeMap<usize, Known>,
    read_at: u64,
    beat: u64,
    next: u64,
    /// Nothing of it runs before.
    paused: u64,
    /// When a process takes the place of one that is gone.
    alive: bool,
    begins: u64,
    /// Takeovers on their way: when they are made, of what, on which epoch.
    claims: Vec<(u64, usize, u64)>,
}

struct World {
    chance: Chance,
    policy: Policy,
    nodes: Vec<Node>,
    recordings: Vec<Recording>,
    /// What can be read, and what can be from when on.
    leases: BTreeMap<String, Lease>,
    on_their_way: Vec<(u64, Lease)>,
    outage: u64,
    /// Nothing happens that may cost a recording its worker.
    gentle: bool,
    workers: u64,
    moved: Vec<u64>,
}

fn lease(worker: &str, beat: u64, standing: Standing) -> Lease {
    Lease { beat, standing, ..Lease::new(worker, "host", 1, 100) }
}

impl World {
    fn new(seed: u64, gentle: bool) -> Self {
        let mut chance = Chance(seed);
        let policy = Policy { fast: chance.one_in(2) };
        let (nodes, recordings) = (2 + chance.below(4), 1 + chance.below(6));
        let mut world = Self {
            chance,
            policy,
            nodes: Vec::new(),
            recordings: Vec::new(),
            leases: BTreeMap::new(),
            on_their_way: Vec::new(),
            outage: 0,
            gentle,
            workers: 0,
            moved: Vec::new(),
        };
        for _ in 0..nodes {
            let node = world.node(0);
            world.nodes.push(node);
        }
        for number in 0..recordings {
            let holder = world.chance.below(nodes) as usize;
            let worker = Some(world.nodes[holder].worker.clone());
            world.recordings.push(Recording {
                sid: Sid::new(&format!("s{seed}-{number}")).unwrap(),
                control: Control { phase: Phase::Recording, epoch: 1, worker },
                generation: 0,
                begins: None,
                dead: None,
            });
        }
        world
    }

    fn node(&mut self, begins: u64) -> Node {
        self.workers += 1;
        Node {
            worker: format!("{:016x}", self.workers),
            watch: Watch::default(),
            known: BTreeMap::new(),
            read_at: 0,
            beat: 0,
            next: begins + self.chance.below(RENEWAL),
            paused: 0,
            alive: true,
            begins,
            claims: Vec::new(),
        }
    }

    fn lives(&self, worker: &str) -> bool {
        self.nodes.iter().any(|node| node.alive && node.worker == worker)
    }

    /// One history. Gives how long each takeover took.
    fn run(mut self) -> Vec<u64> {
        for now in (0..END).step_by(STEP as usize) {
            self.deliver(now);
            self.befall(now);
            for index in 0..self.nodes.len() {
                self.turn(index, now);
            }
            self.judge(now);
        }
        self.moved
    }

    fn deliver(&mut self, now: u64) {
        let (there, later) =
            std::mem::take(&mut self.on_their_way).into_iter().partition(|(at, _)| *at <= now);
        self.on_their_way = later;
        let there: Vec<(u64, Lease)> = there;
        for (_, lease) in there {
            // What its parent wrote last is not undone by what its worker had sent before.
            let is_newer = self.leases.get(&lease.worker).is_none_or(|known| known.beat < lease.beat);
            if is_newer {
                self.leases.insert(lease.worker.clone(), lease);
            }
        }
        for recording in &mut self.recordings {
            let holder = recording.control.worker.clone().unwrap();
            let lives = self.nodes.iter().any(|node| node.alive && node.worker == holder);
            if recording.begins.is_some_and(|at| at <= now) && lives {
                (recording.begins, recording.control.phase) = (None, Phase::Recording);
            }
        }
    }

    /// What happens to nodes and store.
    fn befall(&mut self, now: u64) {
        if self.chance.one_in(600) {
            let longest = if self.gentle { 4_750 } else { 20_000 };
            let index = self.chance.below(self.nodes.len() as u64) as usize;
            self.nodes[index].paused = now + self.chance.below(longest);
        }
        if self.chance.one_in(800) {
            self.outage = now + self.chance.below(120_000);
        }
        // One at a time, and one stays: else nobody is healthy.
        let healthy = self.nodes.iter().all(|node| node.alive && node.begins + 30_000 < now);
        if self.gentle || !healthy || now < self.outage || !self.chance.one_in(150) {
            return;
        }
        let index = self.chance.below(self.nodes.len() as u64) as usize;
        let (gone, told) = (self.nodes[index].worker.clone(), self.chance.one_in(2));
        self.nodes[index].alive = false;
        if told {
            let at = now + 250 + self.chance.below(1_000);
            self.on_their_way.push((at, lease(&gone, u64::MAX, Standing::Gone)));
        }
        let limit = if told || self.policy.fast { KILLED } else { SILENT };
        for recording in &mut self.recordings {
            if recording.control.worker.as_ref() == Some(&gone) && !recording.control.phase.is_final() {
                recording.dead = Some(Death { since: now, limit, by: now + limit });
            }
        }
        let again = now + if told { 2_000 } else { 60_000 + self.chance.below(60_000) };
        let next = self.node(again);
        self.nodes.push(next);
    }

    fn turn(&mut self, index: usize, now: u64) {
        let node = &self.nodes[index];
        if !node.alive || now < node.paused || now < node.begins {
            return;
        }
        self.claim(index, now);
        let since = Duration::from_millis(now);
        if now >= self.nodes[index].next {
            let latency = self.chance.below(950);
            let node = &mut self.nodes[index];
            node.next = now + RENEWAL;
            node.beat += 1;
            if now < self.outage {
                node.watch.missed(since);
                return;
            }
            self.on_their_way.push((now + latency, lease(&node.worker, node.beat, Standing::Serving)));
            node.watch.read(since, self.leases.values().cloned().collect());
        }
        if now < self.outage || !now.is_multiple_of(1_000) {
            return;
        }
        let node = &mut self.nodes[index];
        if now >= node.read_at + RENEWAL {
            node.read_at = now;
            for (number, recording) in self.recordings.iter().enumerate() {
                let control = Some(recording.control.clone());
                let known = node.known.get(&number).filter(|known| known.control == control);
                let first = known.map_or(since, |known| known.since);
                node.known.insert(number, Known { wanted: Wanted::Record, control, since: first });
            }
        }
        for (number, known) in &node.known {
            let sid = &self.recordings[*number].sid;
            let busy = node.claims.iter().any(|(_, claimed, _)| claimed == number);
            let action = self.policy.decide(sid, known, &node.watch, &node.worker, since);
            if let (false, Some(Action::TakeOver { epoch })) = (busy, action) {
                // To join a source takes its time.
                node.claims.push((now + 250 + self.chance.below(2_000), *number, epoch));
            }
        }
    }

    /// Makes the claims that are due: on the epoch that was judged, or not at all.
    fn claim(&mut self, index: usize, now: u64) {
        let node = &mut self.nodes[index];
        let (due, later): (Vec<_>, Vec<_>) = node.claims.iter().partition(|(at, ..)| *at <= now);
        if due.is_empty() || now < self.outage {
            return;
        }
        node.claims = later;
        let worker = node.worker.clone();
        for (_, number, epoch) in due {
            let holder = self.recordings[number].control.worker.clone().unwrap();
            let lives = self.lives(&holder);
            let recording = &mut self.recordings[number];
            if recording.control.epoch != epoch || recording.control.phase.is_final() {
                continue;
            }
            assert!(
                !lives || !self.gentle,
                "I11: {holder} lives, and {worker} takes {} at {now}",
                recording.sid
            );
            recording.control.epoch += 1;
            if recording.generation == LAST_GENERATION {
                recording.control.phase = Phase::Abandoned;
                recording.dead = None;
                continue;
            }
            recording.generation += 1;
            (recording.control.phase, recording.control.worker) = (Phase::Recovering, Some(worker.clone()));
            recording.begins = Some(now + 1_000 + self.chance.below(3_000));
        }
    }

    fn judge(&mut self, now: u64) {
        // Time in which the store, or every heir, was away is nobody's.
        let away = now < self.outage || self.nodes.iter().any(|node| node.alive && now < node.paused);
        for recording in &mut self.recordings {
            let Some(dead) = &mut recording.dead else { continue };
            if away {
                // Leases must be seen to stand still once more.
                dead.by = now + dead.limit;
                continue;
            }
            let Death { since, by, .. } = *dead;
            if recording.control.phase == Phase::Recording && recording.begins.is_none() {
                let holder = recording.control.worker.as_ref().unwrap();
                if self.nodes.iter().any(|node| node.alive && node.worker == *holder) {
                    self.moved.push(now - since);
                    recording.dead = None;
                    continue;
                }
            }
            assert!(now <= by, "I10: {} waits since {since} for a worker, at {now}", recording.sid);
        }
    }
}

fn seeds() -> std::ops::Range<u64> {
    if let Ok(seed) = std::env::var("TAPELINE_TEST_SEED") {
        let seed = seed.parse().unwrap();
        return seed..seed + 1;
    }
    0..std::env::var("TAPELINE_TEST_HISTORIES").map_or(3_000, |text| text.parse().unwrap())
}

#[test]
fn who_is_dead_is_replaced_in_time() {
    let mut moved = Vec::new();
    for seed in seeds() {
        let run = std::panic::catch_unwind(|| World::new(seed, false).run());
        moved.extend(run.unwrap_or_else(|_| panic!("TAPELINE_TEST_SEED={seed}")));
    }
    moved.sort_unstable();
    assert!(!moved.is_empty() || std::env::var("TAPELINE_TEST_SEED").is_ok());
    println!(
        "{} takeovers, median {} ms, longest {:?}",
        moved.len(),
        moved.get(moved.len() / 2).unwrap_or(&0),
        moved.last()
    );
}

#[test]
fn who_lives_is_not() {
    for seed in seeds() {
        let run = std::panic::catch_unwind(|| World::new(seed, true).run());
        let moved = run.unwrap_or_else(|_| panic!("TAPELINE_TEST_SEED={seed}"));
        assert!(moved.is_empty());
    }
}
