//! The fault processing centre as processes: recordings are moved when their node is gone, in time, and only then.
//!
//! `TAPELINE_TEST_ROUNDS` sets how many faults are tried, `TAPELINE_TEST_RECORDINGS` on how many recordings.

mod serve_support;
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use serve_support::{Centre, DISCONNECTED, KILLED, Live, Node, from_env, held, sids, signal};
use support::{Place, until};
use tapeline::clock::SystemClock;
use tapeline::continuity::Phase;

#[test]
fn a_restart_of_all_nodes_one_by_one_moves_each_recording_once() {
    let (centre, first) = Centre::new(Place::folder());
    let old = [first, Node::start(&centre.place, &[]), Node::start(&centre.place, &[])];
    let sids = sids(0, 6);
    centre.begin(&old[0], &sids);
    // Of two that have both just begun none is much younger.
    until("the nodes to be older", || Some(old[2].lease()?["beat"].as_u64()?).filter(|beat| *beat > 10));
    let mut new = Vec::new();
    for node in old {
        new.push(Node::start(&centre.place, &[]));
        node.leave();
    }
    for sid in &sids {
        until("it to record", || centre.state(sid).filter(|state| state.phase == Phase::Recording));
    }
    let generations: Vec<u8> = sids.iter().map(|sid| centre.state(sid).unwrap().generation.get()).collect();
    println!("restart of all: generations {generations:?}");
    assert!(generations.iter().all(|generation| *generation <= 1), "{generations:?}");
    centre.end(&new[0], &sids, Duration::from_millis(500));
}

#[test]
fn the_fourth_fault_abandons_a_recording_and_spares_the_rest() {
    let (centre, first) = Centre::new(Place::folder());
    let nodes = [first, Node::start(&centre.place, &[])];
    centre.begin(&nodes[0], &["four".to_owned()]);
    for generation in 0..4 {
        if generation == 3 {
            // One that may be on the same worker, and has its failovers before it.
            centre.begin(&nodes[0], &["other".to_owned()]);
        }
        let holder = centre.state("four").unwrap().holder.lease.unwrap();
        let (_, pid) = nodes.iter().map(Node::worker).find(|(worker, _)| *worker == holder).unwrap();
        let clock = SystemClock::new();
        signal("KILL", pid);
        if generation < 3 {
            centre.moved(&BTreeMap::from([("four".to_owned(), generation)]), &clock, KILLED);
        }
    }
    until("it to be abandoned", || centre.state("four").filter(|state| state.phase == Phase::Abandoned));
    let said = until("the node to know", || {
        Some(nodes[0].ask(&["query", "four"])).filter(|said| said.code == Some(0))
    });
    assert_eq!(said.object()["state"], "abandoned");
    assert_eq!(centre.place.run("stitch", ["--sid", "four", "--out", "-"]).code, Some(0));
    until("the other to record", || centre.state("other").filter(|state| state.phase == Phase::Recording));
}

/// What befalls a node, or the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    KillWorker,
    /// Both stand still for 20 s.
    PauseNode,
    /// The worker stands still until its parent has had enough.
    HangWorker,
    SourceAway,
    KillParent,
    /// The parent alone stands still for 20 s.
    PauseParent,
    KillNode,
    /// Too long for any worker to wait for it.
    SourceGone,
}

const FAULTS: [Fault; 8] = [
    Fault::KillWorker,
    Fault::PauseNode,
    Fault::HangWorker,
    Fault::SourceAway,
    Fault::KillParent,
    Fault::PauseParent,
    Fault::KillNode,
    Fault::SourceGone,
];
const GONE: Duration = Duration::from_secs(200);
const PAUSE: Duration = Duration::from_secs(20);

impl Fault {
    /// Within which time the node's recordings must be moved; `None`: they must not.
    fn limit(self) -> Option<Duration> {
        match self {
            // Counted from when it is back.
            Self::KillWorker | Self::HangWorker | Self::SourceGone => Some(KILLED),
            Self::KillNode => Some(DISCONNECTED),
            Self::PauseNode | Self::SourceAway | Self::KillParent | Self::PauseParent => None,
        }
    }

    fn strike(self, node: &Node, live: &Live) {
        let (_, worker) = node.worker();
        let both = [worker, node.parent()];
        match self {
            Self::KillWorker => signal("KILL", worker),
            Self::HangWorker => signal("STOP", worker),
            Self::KillParent => signal("KILL", node.parent()),
            // The parent first: it would tell.
            Self::KillNode => both.iter().rev().for_each(|pid| signal("KILL", *pid)),
            Self::PauseNode => {
                both.iter().rev().for_each(|pid| signal("STOP", *pid));
                std::thread::sleep(PAUSE);
                both.iter().for_each(|pid| signal("CONT", *pid));
            }
            Self::PauseParent => {
                signal("STOP", node.parent());
                std::thread::sleep(PAUSE);
                signal("CONT", node.parent());
            }
            Self::SourceAway | Self::SourceGone => {
                live.set_silent(true);
                std::thread::sleep(if self == Self::SourceAway { PAUSE } else { GONE });
                live.set_silent(false);
            }
        }
    }
}

/// Three nodes, and one fault after the other.
fn chaos(place: Place) {
    let (centre, first) = Centre::new(place);
    let mut nodes = vec![first, Node::start(&centre.place, &[]), Node::start(&centre.place, &[])];
    let count = from_env("TAPELINE_TEST_RECORDINGS", 6);
    let mut killed = Vec::new();
    for round in 0..from_env("TAPELINE_TEST_ROUNDS", 2) {
        let fault = FAULTS[round % FAULTS.len()];
        let sids = sids(round, count);
        centre.begin(&nodes[round % nodes.len()], &sids);
        // The one with most to lose.
        let of = |node: &Node| held(&centre, &sids, &node.worker().0);
        let most = (0..nodes.len()).max_by_key(|node| of(&nodes[*node])[0].len()).unwrap();
        let victim = nodes.remove(most);
        let [mut of_victim, mut of_others] = of(&victim);
        if fault == Fault::SourceGone {
            of_victim.append(&mut of_others);
        }
        let mut clock = SystemClock::new();
        fault.strike(&victim, &centre.live);
        if fault == Fault::SourceGone {
            clock = SystemClock::new();
        }
        let times = match fault.limit() {
            Some(limit) => centre.moved(&of_victim, &clock, limit),
            None => {
                std::thread::sleep(PAUSE);
                Vec::new()
            }
        };
        println!("round {round}: {fault:?}, {} of {count} recordings moved after {times:.1?}", times.len());
        if matches!(fault, Fault::KillWorker | Fault::HangWorker) {
            killed.extend(times);
        }
        let untouched = of_others.iter().chain(of_victim.iter().filter(|_| fault.limit().is_none()));
        for (sid, generation) in untouched {
            let now = centre.state(sid).unwrap();
            assert_eq!(now.generation.get(), *generation, "{fault:?}: {sid} was moved for nothing: {now:?}");
        }
        let lost = match fault {
            Fault::SourceGone => GONE + KILLED,
            _ => fault.limit().unwrap_or(PAUSE + KILLED),
        };
        centre.end(&nodes[0], &sids, lost);
        // Its like takes its place.
        drop(victim);
        nodes.push(Node::start(&centre.place, &[]));
    }
    killed.sort();
    if let (Some(longest), Some(median)) = (killed.last(), killed.get(killed.len() / 2)) {
        println!("killed: {} moved, median {median:.1?}, longest {longest:.1?}", killed.len());
        assert!(*median < KILLED / 2, "{killed:?}");
    }
}

#[test]
fn faults_of_nodes_on_a_folder() {
    chaos(Place::folder());
}

#[test]
fn faults_of_nodes_on_a_server() {
    let Some(place) = Place::bucket() else { return };
    chaos(place);
}

#[test]
fn a_killed_worker_is_replaced_at_once_and_a_node_that_leaves_without_a_gap() {
    let (centre, first) = Centre::new(Place::folder());
    let second = Node::start(&centre.place, &[]);
    let sids = sids(0, 4);
    centre.begin(&first, &sids);
    let (worker, pid) = first.worker();
    let [of_first, of_second] = held(&centre, &sids, &worker);
    let clock = SystemClock::new();
    signal("KILL", pid);
    let times = centre.moved(&of_first, &clock, KILLED);
    println!("killed: {} recordings moved after {times:?}", times.len());
    assert_eq!(held(&centre, &sids, &worker)[0], BTreeMap::new());
    for (sid, generation) in &of_second {
        assert_eq!(centre.state(sid).unwrap().generation.get(), *generation, "{sid} was moved for nothing");
    }
    // Now the second leaves, and hands on what it has.
    let (worker, _) = second.worker();
    let [of_second, _] = held(&centre, &sids, &worker);
    let absent = || of_second.keys().map(|sid| centre.absent(sid)).collect::<Vec<u64>>();
    let before = absent();
    let clock = SystemClock::new();
    second.leave();
    let times = centre.moved(&of_second, &clock, KILLED);
    println!("left: {} recordings moved after {times:?}", times.len());
    // What the killed one had left may have been salvaged meanwhile.
    let after = absent();
    let no_more = before.iter().zip(&after).all(|(before, after)| after <= before);
    assert!(no_more, "handed on without a gap in the account: {before:?} {after:?}");
    centre.end(&first, &sids, KILLED);
}

#[test]
fn what_is_asked_is_checked_and_outlives_the_node_that_was_asked() {
    let (centre, first) = Centre::new(Place::folder());
    let url = centre.live.url();
    for (arguments, code, part) in [
        (&["query", "nobody"][..], 4, "nobody asked"),
        (&["stop", "nobody"], 4, "nobody asked"),
        (&["start", "-", "--sid", "x"], 2, "every node can reach"),
        (&["start", &url, "--sid", "x", "--segment", "10ms"], 2, "at least 1 s"),
    ] {
        first.ask(arguments).assert_error(code, &[part]);
    }
    let sid = "asked".to_owned();
    centre.begin(&first, std::slice::from_ref(&sid));
    first.ask(&["start", &url, "--sid", &sid]).assert_error(6, &["already"]);
    let said = until("the recording to be known", || {
        Some(first.ask(&["query", &sid])).filter(|said| said.code == Some(0))
    });
    assert_eq!(said.object()["state"], "recording");
    // The node is gone with all it had in memory; another one finds the recording and goes on.
    let (_, pid) = first.worker();
    signal("KILL", first.parent());
    signal("KILL", pid);
    let second = Node::start(&centre.place, &["--fast"]);
    let said = until("the recording to be given up", || {
        Some(second.ask(&["query", &sid])).filter(|said| said.code != Some(0))
    });
    said.assert_error(4, &["try again"]);
    let before = BTreeMap::from([(sid.clone(), 0)]);
    let times = centre.moved(&before, &SystemClock::new(), DISCONNECTED);
    println!("both killed, --fast: moved after {times:?}");
    centre.end(&second, &[sid], DISCONNECTED);
}
