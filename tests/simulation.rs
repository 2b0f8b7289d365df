//! The simulation: the real recorder, many workers of it, under simulated clocks and a store and a network
//! that fail as a seed says. One seed is one history; the invariants of the protocol are checked on each.
//!
//! `cargo test --test simulation` runs a hundred seeds. More, or one with its whole history:
//!
//! ```text
//! cargo test --test simulation -- --seeds 5000        (or TAPELINE_TEST_SEEDS=5000)
//! cargo test --test simulation -- --seed 17           (or TAPELINE_TEST_SEED=17)
//! ```

#[path = "simulation/check/mod.rs"]
mod check;
#[path = "simulation/clock.rs"]
mod clock;
#[path = "simulation/history.rs"]
mod history;
#[path = "simulation/hosts.rs"]
mod hosts;
#[path = "simulation/media.rs"]
mod media;
#[allow(dead_code, reason = "it can do more than is needed here")]
#[path = "slicer_support/mux.rs"]
mod mux;
#[path = "simulation/network.rs"]
mod network;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/scenario.rs"]
mod scenario;
#[path = "simulation/store.rs"]
mod store;
#[path = "simulation/totals.rs"]
mod totals;
#[path = "simulation/weather.rs"]
mod weather;
#[path = "simulation/worker.rs"]
mod worker;
#[path = "simulation/world.rs"]
mod world;

use std::process::ExitCode;

use totals::Totals;

/// Seeds of a plain run: enough that everything that may happen does.
const SEEDS: u64 = 100;
/// Failing seeds that are shown before a run gives up.
const MOST_SHOWN: u64 = 5;

/// What is to be done.
enum Wanted {
    Seeds { first: u64, count: u64 },
    One(u64),
    Nothing,
}

fn main() -> ExitCode {
    match wanted() {
        Wanted::Nothing => ExitCode::SUCCESS,
        Wanted::One(seed) => one(seed),
        Wanted::Seeds { first, count } => many(first, count),
    }
}

/// From the command line, as far as it is for us: the rest is the test runner's.
fn wanted() -> Wanted {
    let number = |text: String| text.parse::<u64>().unwrap_or_else(|_| panic!("{text:?} is no number"));
    let setting = |name| std::env::var(name).ok().map(number);
    let (mut seeds, mut seed, mut first) = (setting("TAPELINE_TEST_SEEDS"), setting("TAPELINE_TEST_SEED"), 0);
    let mut arguments = std::env::args().skip(1);
    let (mut named, mut list) = (true, false);
    while let Some(argument) = arguments.next() {
        let mut value = || number(arguments.next().unwrap_or_default());
        match argument.as_str() {
            "--seeds" => seeds = Some(value()),
            "--seed" => seed = Some(value()),
            "--first" => first = value(),
            "--list" => list = true,
            "--ignored" => named = false,
            "--test-threads" | "--skip" | "--color" | "--format" => drop(arguments.next()),
            option if option.starts_with('-') => {}
            filter => named &= "simulation".contains(filter),
        }
    }
    if list && named {
        println!("simulation: test");
    }
    match seed {
        _ if list || !named => Wanted::Nothing,
        Some(seed) => Wanted::One(seed),
        None => Wanted::Seeds { first, count: seeds.unwrap_or(SEEDS) },
    }
}

/// Runs one seed and prints its history.
fn one(seed: u64) -> ExitCode {
    let outcome = world::run(seed);
    println!("seed {seed}: {:?}", outcome.setting);
    for index in 0..outcome.history.records.len() {
        print!("{}", outcome.history.line(index));
        if let Some(words) = outcome.history.words(index) {
            println!("             {words}");
        }
    }
    println!("hash {}", outcome.history.hash());
    let found = check::check(&outcome);
    found.iter().for_each(|what| println!("VIOLATED {what}"));
    if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn many(first: u64, count: u64) -> ExitCode {
    let mut totals = Totals::default();
    let mut failed = 0;
    for seed in first..first + count {
        let outcome = world::run(seed);
        let mut found = check::check(&outcome);
        if seed % 50 == 0 && world::run(seed).history.hash() != outcome.history.hash() {
            found.push("the same seed gave another history".to_owned());
        }
        totals.add(&outcome);
        if !found.is_empty() {
            failed += 1;
            println!("seed {seed} fails; see its history: cargo test --test simulation -- --seed {seed}");
            found.iter().take(5).for_each(|what| println!("    {what}"));
            if failed == MOST_SHOWN {
                break;
            }
        }
    }
    println!("simulation: {totals}");
    let missing = if failed == 0 && count >= SEEDS { totals.missing() } else { Vec::new() };
    missing.iter().for_each(|what| println!("never happened: {what}"));
    if failed == 0 && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
