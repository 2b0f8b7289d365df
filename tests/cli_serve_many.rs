//! Many recordings on one node: what its sign of life costs does not grow with them, and where the node is gone, two heirs share
//! them in time.
//!
//! `TAPELINE_TEST_MANY` sets how many.

mod serve_support;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serve_support::{Centre, DISCONNECTED, Node, from_env, held, sids, signal};
use support::Place;
use tapeline::clock::{Clock, SystemClock};

/// Recordings in the usual run.
const FEW: usize = 60;

/// The bytes of a node's lease in the store.
fn lease_size(place: &Place, worker: &str) -> usize {
    std::fs::read(Path::new(place.url()).join(".tapeline/workers").join(format!("{worker}.json")))
        .unwrap()
        .len()
}

#[test]
fn a_dead_nodes_recordings_are_shared_by_two_heirs_in_time() {
    let count = from_env("TAPELINE_TEST_MANY", FEW);
    let capacity = count.to_string();
    // The minute in which a silent host may come back is waited for only where there are many.
    let arguments = ["--capacity", &capacity, "--fast"];
    let arguments = &arguments[..if count == FEW { 3 } else { 2 }];
    let (centre, first) = Centre::with(Place::folder(), arguments);
    let (worker, pid) = first.worker();
    let idle = lease_size(&centre.place, &worker);
    let sids = sids(0, count);
    let clock = SystemClock::new();
    centre.begin_with(&first, &sids, "15s");
    let begun = clock.monotonic();
    println!("{count} recordings have committed something after {begun:.1?}");
    let busy = lease_size(&centre.place, &worker);
    println!("lease: {idle} bytes with nothing to do, {busy} with all");
    assert!(busy < idle + 20, "the lease grows with the recordings: {idle} {busy}");
    let heirs = [(); 2].map(|()| Node::start(&centre.place, arguments));
    let before: BTreeMap<String, u8> = sids.iter().map(|sid| (sid.clone(), 0)).collect();
    let clock = SystemClock::new();
    signal("KILL", first.parent());
    signal("KILL", pid);
    let mut times = centre.moved(&before, &clock, DISCONNECTED);
    times.sort();
    let (begin, end) = (times[0], times[count - 1]);
    let rate = count as f64 / (end - begin).as_secs_f64().max(1.0);
    println!(
        "{count} recordings moved between {begin:.1?} and {end:.1?} after the fault: {rate:.1} a second"
    );
    let shares = heirs.each_ref().map(|heir| held(&centre, &sids, &heir.worker().0)[0].len());
    println!("shared as {shares:?}");
    assert_eq!(shares.iter().sum::<usize>(), count);
    assert!(shares.iter().all(|share| *share > count / 4), "{shares:?}");
    centre.end(&heirs[0], &sids[..20.min(count)], DISCONNECTED + Duration::from_secs(20));
}
