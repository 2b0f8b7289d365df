//! Breadth-first search over all states, so that the first violation has a shortest trace.
//!
//! Only the states of two depths are held whole; of the others, 64 bits of hash and the place of the state before.
//! Two states with the same hash would count as one: among ten million, a chance of 3 in a million. The
//! trace is found again by taking, from the first state on, the step that leads to the hash noted.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::invariants::{Invariant, Transition};
use crate::landmarks::Landmarks;
use crate::reduce::key;
use crate::state::{State, WORKERS};
use crate::step::Step;
use crate::variants::Model;
use crate::worker::{Successors, successors};

pub struct Explored {
    pub states: usize,
    /// Of the farthest state, in steps.
    pub depth: usize,
    pub landmarks: Landmarks,
    pub violation: Option<Violation>,
}

pub struct Violation {
    pub invariant: Invariant,
    pub trace: Vec<Told>,
}

/// A step of a trace, by a worker whose name no other has.
pub struct Told {
    name: char,
    step: Step,
    after: State,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} is broken after {} steps:", self.invariant, self.trace.len())?;
        for (number, Told { name, step, after }) in self.trace.iter().enumerate() {
            writeln!(f, "{:>3}. {name} {step}\n       {after}", number + 1)?;
        }
        Ok(())
    }
}

/// A state on the way: its hash, and the place of the one before it.
struct Reached {
    hash: u64,
    from: usize,
}

/// Explores all states, or those up to the first step that breaks one of `watched`.
pub fn explore(model: &Model, watched: &[Invariant]) -> Explored {
    let first = State::default();
    let mut known: HashSet<u64, BuildHasherDefault<Hashed>> = HashSet::default();
    let mut reached = vec![Reached { hash: hash(&first), from: 0 }];
    known.insert(reached[0].hash);
    let mut level = vec![(0, first)];
    let mut explored = Explored { states: 0, depth: 0, landmarks: Landmarks::default(), violation: None };
    let mut out = Successors::new();
    while !level.is_empty() {
        let mut next = Vec::new();
        for (from, before) in &level {
            successors(model, before, &mut out);
            for (step, after) in &out {
                let transition = Transition { model, before, step, after };
                let broken = watched.iter().find(|invariant| !transition.keeps(**invariant));
                let hash = hash(&key(model, after));
                if let Some(&invariant) = broken {
                    reached.push(Reached { hash, from: *from });
                    explored.states = known.len();
                    let trace = retrace(model, &reached, invariant);
                    explored.violation = Some(Violation { invariant, trace });
                    return explored;
                }
                explored.landmarks.pass(&transition);
                if known.insert(hash) {
                    next.push((reached.len(), *after));
                    reached.push(Reached { hash, from: *from });
                }
            }
        }
        explored.depth += usize::from(!next.is_empty());
        level = next;
    }
    explored.states = known.len();
    explored
}

/// The steps to the last state reached.
fn retrace(model: &Model, reached: &[Reached], invariant: Invariant) -> Vec<Told> {
    let mut hashes = Vec::new();
    let mut place = reached.len() - 1;
    while place != 0 {
        hashes.push(reached[place].hash);
        place = reached[place].from;
    }
    let mut trace: Vec<Told> = Vec::new();
    let mut out = Successors::new();
    let (mut before, mut names, mut unused) = (State::default(), [' '; WORKERS], 'A'..);
    while let Some(wanted) = hashes.pop() {
        successors(model, &before, &mut out);
        let is_last = hashes.is_empty();
        let found = out.iter().find(|(step, after)| {
            let transition = Transition { model, before: &before, step, after };
            hash(&key(model, after)) == wanted && (!is_last || !transition.keeps(invariant))
        });
        let (step, after) = *found.expect("a step leads to the state noted");
        if let Step::Begins { slot, .. } = step {
            names[slot] = unused.next().unwrap_or('?');
        }
        trace.push(Told { name: step.slot().map_or(' ', |slot| names[slot]), step, after });
        before = after;
    }
    trace
}

fn hash(state: &State) -> u64 {
    let mut hasher = Fingerprint::default();
    state.hash(&mut hasher);
    hasher.finish()
}

/// Eight bytes at a time, multiplied and folded. Quick without optimisation, where the standard one is not.
#[derive(Default)]
struct Fingerprint {
    mixed: u64,
    waiting: u64,
    bytes: u32,
}

impl Fingerprint {
    fn mix(&self, word: u64) -> u64 {
        let product = u128::from(self.mixed ^ word) * 0xd6e8_feb8_6659_fd93;
        ((product >> 64) as u64 ^ product as u64).wrapping_add(0x9e37_79b9_7f4a_7c15)
    }
}

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u8(byte);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.waiting = self.waiting << 8 | u64::from(byte);
        self.bytes += 1;
        if self.bytes == 8 {
            self.mixed = self.mix(self.waiting);
            (self.waiting, self.bytes) = (0, 0);
        }
    }

    /// Which alternative of an `enum`.
    fn write_isize(&mut self, alternative: isize) {
        self.write_u8(alternative as u8);
    }

    /// How long an array is, which does not change.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        // The bytes so far begin with how many alternatives were there: none is a prefix of another.
        let last = self.mix(self.waiting ^ u64::from(self.bytes) << 56);
        last ^ (last >> 32)
    }
}

/// What is hashed already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are stored");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
