//! The fault processing centre when its store is away, for all of its nodes or for one.
//!
//! `TAPELINE_TEST_OUTAGE` sets for how many seconds the store is away for all.
#![cfg(all(feature = "cli", feature = "aws"))]

mod fault_proxy;
mod serve_support;
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use fault_proxy::FaultProxy;
use serve_support::{Centre, KILLED, Node, from_env, held, sids};
use support::{Place, skip, until};
use tapeline::clock::SystemClock;

/// Nothing that was captured is missing, but for what rounding makes of it.
const WHOLE: Duration = Duration::from_millis(500);

/// A centre on a server, whose first node has a way of its own to it; the others have the same.
fn behind(proxy: &FaultProxy, others: &[&str]) -> Option<(Centre, Vec<Node>)> {
    let (centre, first) = Centre::new(Place::bucket()?);
    // It was there to prepare the store.
    first.leave();
    let endpoint = proxy.endpoint();
    let mut nodes = vec![Node::start(&centre.place, &["--endpoint", &endpoint])];
    nodes.extend((0..2).map(|_| Node::start(&centre.place, others)));
    Some((centre, nodes))
}

fn proxy() -> Option<FaultProxy> {
    match std::env::var("AWS_ENDPOINT_URL") {
        Ok(server) => Some(FaultProxy::start(&server)),
        Err(_) => {
            skip("an S3 server, named by AWS_ENDPOINT_URL");
            None
        }
    }
}

#[test]
fn a_store_that_is_away_for_all_replaces_nobody() {
    let Some(proxy) = proxy() else { return };
    let endpoint = proxy.endpoint();
    let Some((centre, nodes)) = behind(&proxy, &["--endpoint", &endpoint, "--fast"]) else { return };
    let sids = sids(0, 4);
    centre.begin(&nodes[0], &sids);
    let outage = from_env("TAPELINE_TEST_OUTAGE", 20);
    proxy.set(&format!("* from 0s to {outage}s: away"));
    std::thread::sleep(Duration::from_secs(outage as u64 + 20));
    for sid in &sids {
        assert_eq!(centre.state(sid).unwrap().generation.get(), 0, "{sid} was moved for nothing");
    }
    centre.end(&nodes[0], &sids, WHOLE);
}

#[test]
fn a_node_that_is_cut_off_is_replaced_and_brings_what_it_has_when_it_is_back() {
    let Some(proxy) = proxy() else { return };
    let Some((centre, nodes)) = behind(&proxy, &["--fast"]) else { return };
    let (worker, _) = nodes[0].worker();
    let mut sids = sids(0, 3);
    centre.begin(&nodes[1], &sids);
    // As many as it takes until that node has one.
    while held(&centre, &sids, &worker)[0].is_empty() {
        sids.push(format!("r0-{}", sids.len()));
        centre.begin(&nodes[1], &sids[sids.len() - 1..]);
    }
    let [of_first, of_others] = held(&centre, &sids, &worker);
    let clock = SystemClock::new();
    proxy.set("* from 0s to 1000s: away");
    let times = centre.moved(&of_first, &clock, KILLED);
    println!("cut off: {} recordings moved after {times:.1?}", times.len());
    for (sid, generation) in &of_others {
        assert_eq!(centre.state(sid).unwrap().generation.get(), *generation, "{sid} was moved for nothing");
    }
    proxy.set("");
    // It recorded on into its spool, is fenced now, and salvages what it had.
    let absent = |sid: &String| centre.absent(sid);
    let whole = || of_first.keys().map(absent).all(|absent| u128::from(absent) <= WHOLE.as_millis());
    until("all that the node had to be salvaged", || whole().then_some(()));
    let generations = |of: &BTreeMap<String, u8>| -> Vec<u8> {
        of.keys().map(|sid| centre.state(sid).unwrap().generation.get()).collect()
    };
    assert!(generations(&of_first).iter().all(|generation| *generation == 1), "{:?}", generations(&of_first));
    centre.end(&nodes[1], &sids, WHOLE);
}
