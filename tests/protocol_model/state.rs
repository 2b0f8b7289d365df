//! The state of the model: the bucket, the requests under way and what each worker knows. Every field is a
//! byte or two, since some hundred thousand such states are copied and hashed.
//!
//! The hash of a playlist is the list itself. A worker is known by its slot; what an ended worker left
//! behind (requests, claims) is `GONE`'s, so that a new worker in its slot cannot take it for its own.

use std::fmt;

/// The greatest bounds of any run. The bounds of one run are in `Model`.
pub const WORKERS: usize = 3;
pub const GENERATIONS: usize = 4;
pub const FLIGHT: usize = 3;
/// Seal objects of one generation that matter at the same time.
const SEALS: usize = 3;

/// The id of the worker in a slot is the slot plus one.
pub type WorkerId = u8;
pub const NOBODY: WorkerId = 0;
pub const GONE: WorkerId = 15;

/// The entries of a playlist: segment `i` of its generation, or the GAP in its place; perhaps ENDLIST.
/// Bits 0 to 2: how many; 3 to 6: which are gaps; 7: ENDLIST.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct List(u8);

impl List {
    pub const EMPTY: List = List(0);

    pub fn len(self) -> u8 {
        self.0 & 7
    }

    pub fn is_gap(self, entry: u8) -> bool {
        self.0 & (8 << entry) != 0
    }

    pub fn gaps(self) -> u8 {
        (self.0 >> 3) & 15
    }

    pub fn with_segment(self) -> List {
        List(self.0 + 1)
    }

    pub fn with_gap(self) -> List {
        List((self.0 | (8 << self.len())) + 1)
    }

    /// Entry `entry` made a gap after the fact: only variants do that.
    pub fn with_gap_at(self, entry: u8) -> List {
        List(self.0 | (8 << entry))
    }

    pub fn with_end(self) -> List {
        List(self.0 | 128)
    }

    pub fn without_end(self) -> List {
        List(self.0 & 127)
    }

    pub fn is_ended(self) -> bool {
        self.0 & 128 != 0
    }

    pub fn is_prefix_of(self, longer: List) -> bool {
        let shared = (1 << self.len()) - 1;
        let same_entries = self.len() <= longer.len() && (self.gaps() ^ longer.gaps()) & shared == 0;
        same_entries && (!self.is_ended() || self == longer)
    }

    /// Bit `i` for entry `i`, where that is a segment.
    pub fn segments(self) -> u8 {
        ((1 << self.len()) - 1) & !self.gaps()
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: String =
            (0..self.len()).map(|entry| if self.is_gap(entry) { '-' } else { '#' }).collect();
        write!(f, "[{entries}{}]", if self.is_ended() { " END" } else { "" })
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Phase {
    #[default]
    Recording,
    Recovering,
    Orphaned,
    Stopped,
    Abandoned,
}

impl Phase {
    pub fn is_final(self) -> bool {
        matches!(self, Phase::Stopped | Phase::Abandoned)
    }
}

/// Who wrote a version. Unique together with the version's counter, because a worker writes a version
/// once; `attempt` is for the variant that draws a new nonce when it repeats.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nonce {
    pub worker: WorkerId,
    pub attempt: u8,
}

/// A seal: its name, `seal-<generation>-<name>.json`, and its content. No name, no seal: counters begin at 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seal {
    pub name: u8,
    pub list: List,
    pub tail_from: u8,
}

impl Seal {
    pub fn is_some(self) -> bool {
        self.name != 0
    }
}

/// A version of the control object. `counter` is also its version in the register: the nonce makes every
/// body new, so an ETag says no more. `seal` is the one that this write names; those of older generations are
/// carried along by everybody, and are kept in `Turn::sealed`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Control {
    pub counter: u8,
    pub epoch: u8,
    pub nonce: Nonce,
    pub generation: u8,
    pub phase: Phase,
    pub list: List,
    pub tail_from: u8,
    pub seal: Seal,
}

impl Control {
    pub fn exists(&self) -> bool {
        self.counter != 0
    }

    /// A write that begins a generation. Only these write an empty list in `Recovering`.
    pub fn is_claim(&self) -> bool {
        self.counter == 1 || (self.phase == Phase::Recovering && self.seal.is_some())
    }

    pub fn next(&self) -> Control {
        Control { counter: self.counter + 1, nonce: Nonce::default(), seal: Seal::default(), ..*self }
    }

    pub fn signed(self, slot: usize) -> Control {
        Control { nonce: Nonce { worker: slot as u8 + 1, ..self.nonce }, ..self }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{} epoch {} g{} {:?}", self.counter, self.epoch, self.generation, self.phase)?;
        write!(f, " {} tail from {}", self.list, self.tail_from)?;
        if self.seal.is_some() {
            write!(f, ", names seal {} of {}", self.seal.name, self.seal.list)
        } else {
            Ok(())
        }
    }
}

/// One generation: who claimed it, and its objects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Turn {
    pub claimant: WorkerId,
    /// Bit `i`: segment `i` is stored.
    pub stored: u8,
    pub playlist: Option<List>,
    /// The seal that the control object names.
    pub sealed: Seal,
    /// The seal objects in the bucket.
    pub seals: [Seal; SEALS],
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Condition {
    Absent,
    /// The ETag is the content, as on S3: a store that numbers its versions only refuses more.
    Matches(List),
    Any,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Request {
    /// Replaces the version before it.
    Cas(Control),
    PutSeal {
        generation: u8,
        seal: Seal,
    },
    PutPlaylist {
        by: WorkerId,
        generation: u8,
        list: List,
        condition: Condition,
    },
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Cas(body) => write!(f, "CAS v{} to {body}", body.counter - 1),
            Request::PutSeal { generation, seal } => {
                write!(f, "PUT seal-{generation}-{} {}", seal.name, seal.list)
            }
            Request::PutPlaylist { generation, list, condition, .. } => {
                write!(f, "PUT playlist of g{generation} {list} if {condition:?}")
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Role {
    #[default]
    Empty,
    /// Starts, claims, abandons or stops a recording that it does not hold: `pending` says which.
    Claimant,
    /// Holds a generation, or believes so.
    Holder,
    /// Has stopped its recording and publishes the last time.
    Finished,
}

/// What one worker knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Worker {
    pub role: Role,
    /// The version it read (claimant) or last wrote (holder).
    pub view: Control,
    /// The write it has not seen decided, without its signature.
    pub pending: Control,
    /// `pending` was sent at least once.
    pub sent: bool,
    /// The seal that `pending` names is known to be stored.
    pub sealed: bool,
    /// `pending` was made a version, and versions stay readable: numbered form only.
    pub landed: bool,
    /// Segments known to be stored, and those dropped, in order.
    pub ready: List,
    /// The playlist last known to be in the bucket.
    pub published: Option<List>,
    /// Claimant: the generation that it decided to end.
    pub meant: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct State {
    pub control: Control,
    pub turns: [Turn; GENERATIONS],
    pub workers: [Worker; WORKERS],
    pub flight: [Option<Request>; FLIGHT],
}

impl State {
    /// The worker's process is gone; its requests under way are not.
    pub fn end(&mut self, slot: usize) {
        self.workers[slot] = Worker::default();
        self.rename(|id| if id == slot as u8 + 1 { GONE } else { id });
    }

    pub fn rename(&mut self, new: impl Fn(WorkerId) -> WorkerId) {
        self.control.nonce.worker = new(self.control.nonce.worker);
        for turn in &mut self.turns {
            turn.claimant = new(turn.claimant);
        }
        for request in self.flight.iter_mut().flatten() {
            match request {
                Request::Cas(body) => body.nonce.worker = new(body.nonce.worker),
                Request::PutPlaylist { by, .. } => *by = new(*by),
                Request::PutSeal { .. } => {}
            }
        }
    }
}
