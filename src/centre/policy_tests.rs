//! Who does what when, by table.

use super::*;
use crate::centre::lease::Standing;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn lease(worker: &str, beat: u64, standing: Standing) -> Lease {
    Lease { beat, standing, ..Lease::new(worker, "host", 1, 10) }
}

/// The world at a second: `a` is what happens to worker a from second 30 on, `b` and `c` live on.
fn watch_at(second: u64, a: impl Fn(u64) -> Option<Lease>) -> Watch {
    let mut watch = Watch::default();
    for at in (0..=second).step_by(3) {
        let others = ["b", "c"].map(|worker| lease(worker, at, Standing::Serving));
        watch.read(secs(at), a(at).into_iter().chain(others).collect());
    }
    watch
}

fn known(wanted: Wanted, phase: Option<Phase>, worker: Option<&str>) -> Known {
    let control = phase.map(|phase| Control { phase, epoch: 7, worker: worker.map(str::to_owned) });
    Known { wanted, control, since: Duration::ZERO }
}

/// The seconds from which on each of b and c acts, as far as 200, and what it does.
fn acts(
    policy: Policy,
    known: impl Fn(u64) -> Known,
    a: impl Fn(u64) -> Option<Lease>,
) -> Vec<(Action, u64)> {
    let sid = Sid::new("s1").unwrap();
    let mut found: Vec<(Action, u64)> = Vec::new();
    for worker in ["b", "c"] {
        let first = (0..200).find_map(|second| {
            let watch = watch_at(second, &a);
            let action = policy.decide(&sid, &known(second), &watch, worker, secs(second))?;
            Some((action, second))
        });
        found.extend(first);
    }
    found.sort_by_key(|(_, second)| *second);
    found
}

const TAKE: Action = Action::TakeOver { epoch: 7 };

#[test]
fn a_holder_is_replaced_when_it_is_gone_and_not_before() {
    let recording = |_| known(Wanted::Record, Some(Phase::Recording), Some("a"));
    let lives = |at| Some(lease("a", at, Standing::Serving));
    let silent = |at: u64| Some(lease("a", at.min(30), Standing::Serving));
    let killed = |at: u64| {
        let standing = if at < 30 { Standing::Serving } else { Standing::Gone };
        Some(lease("a", at.min(30), standing))
    };
    let usual = Policy::default();
    assert_eq!(acts(usual, recording, lives), []);
    // The second one acts a turn later, should the first not have done so.
    assert_eq!(acts(usual, recording, killed), [(TAKE, 30), (TAKE, 35)]);
    // Silent since 30; a minute is given to come back.
    assert_eq!(acts(usual, recording, silent), [(TAKE, 90), (TAKE, 95)]);
    assert_eq!(acts(Policy { fast: true }, recording, silent), [(TAKE, 42), (TAKE, 47)]);
    // Who comes back within that minute keeps it.
    let back = |at: u64| Some(lease("a", if (30..80).contains(&at) { 30 } else { at }, Standing::Serving));
    assert_eq!(acts(usual, recording, back), []);
    // Who drains is relieved at once, and lives.
    let drains = |at: u64| {
        let standing = if at < 30 { Standing::Serving } else { Standing::Draining };
        Some(lease("a", at, standing))
    };
    assert_eq!(acts(usual, recording, drains), [(TAKE, 30), (TAKE, 35)]);
    // Who takes its lease along has left: the list is believed after a while.
    let left = |at| (at < 30).then(|| lease("a", at, Standing::Serving));
    let times: Vec<u64> = acts(usual, recording, left).into_iter().map(|(_, second)| second).collect();
    assert_eq!(times, [42, 47]);
}

#[test]
fn what_is_left_by_one_who_drains_goes_to_those_that_are_younger() {
    let mut watch = Watch::default();
    let leases =
        [("a", 500, Standing::Draining), ("b", 500, Standing::Serving), ("new", 2, Standing::Serving)];
    watch.read(secs(0), leases.map(|(worker, beat, standing)| lease(worker, beat, standing)).into());
    for number in 0..20 {
        let sid = Sid::new(&format!("s{number}")).unwrap();
        let firsts = |worker| {
            let known = known(Wanted::Record, Some(Phase::Recording), Some(worker));
            ranked(&sid, &known, &watch, secs(0)).first().copied()
        };
        assert_eq!(firsts("a"), Some("new"));
    }
    // Of who does not drain the usual one is first, which is the new one for some only.
    let known = known(Wanted::Record, Some(Phase::Recording), Some("b"));
    let first = |number| ranked(&Sid::new(&format!("s{number}")).unwrap(), &known, &watch, secs(0))[0];
    let new = (0..100).map(first).filter(|first| *first == "new").count();
    assert!((20..80).contains(&new), "{new}");
}

#[test]
fn what_is_wanted_decides_what_is_done() {
    let killed = |at: u64| {
        let standing = if at < 30 { Standing::Serving } else { Standing::Gone };
        Some(lease("a", at.min(30), standing))
    };
    let lives = |at| Some(lease("a", at, Standing::Serving));
    let usual = Policy::default();
    let of = |wanted, phase, worker| move |_: u64| known(wanted, phase, worker);
    // New ones go to the worker whose turn it is; a is the third there.
    let begun = acts(usual, of(Wanted::Record, None, None), lives);
    assert!(begun.iter().all(|(action, second)| *action == Action::Start && *second <= 10), "{begun:?}");
    assert_eq!(acts(usual, of(Wanted::Stop, None, None), lives), []);
    for phase in [Phase::Stopped, Phase::Abandoned] {
        assert_eq!(acts(usual, of(Wanted::Record, Some(phase), Some("a")), killed), []);
    }
    // Its holder lives, and ends it itself.
    assert_eq!(acts(usual, of(Wanted::Stop, Some(Phase::Recording), Some("a")), lives), []);
    assert_eq!(
        acts(usual, of(Wanted::Stop, Some(Phase::Recording), Some("a")), killed),
        [(Action::Stop, 30), (Action::Stop, 35)]
    );
    // Somebody's `tapeline record`, without a lease.
    assert_eq!(acts(usual, of(Wanted::Record, Some(Phase::Recording), None), killed), []);
    // Given up by its holder, which lives: at once, and a is no better or worse than others.
    let orphaned = acts(usual, of(Wanted::Record, Some(Phase::Orphaned), Some("a")), lives);
    assert!(orphaned.len() == 2 && orphaned[0].1 <= 5 && orphaned[0].0 == TAKE, "{orphaned:?}");
}

#[test]
fn an_outage_of_the_store_replaces_nobody() {
    let sid = Sid::new("s1").unwrap();
    let known = known(Wanted::Record, Some(Phase::Recording), Some("a"));
    let mut watch = watch_at(30, |at| Some(lease("a", at, Standing::Serving)));
    for at in (33..300).step_by(3) {
        watch.missed(secs(at));
        assert_eq!(Policy::default().decide(&sid, &known, &watch, "b", secs(at)), None);
    }
    // a comes back last, 11 s after the others.
    for at in (300..=309).step_by(3) {
        let others = ["b", "c"].map(|worker| lease(worker, at, Standing::Serving));
        watch.read(secs(at), others.into_iter().chain([lease("a", 30, Standing::Serving)]).collect());
        assert_eq!(Policy { fast: true }.decide(&sid, &known, &watch, "b", secs(at)), None, "at {at}");
    }
}
