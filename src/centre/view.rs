//! What a node knows, for those who ask it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::lease::Lease;
use super::policy::{Control, Known};
use super::watch::Watch;
use crate::continuity::Phase;
use crate::ids::Sid;

/// Whether a recording records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was asked for, and nothing of it has begun.
    Starting,
    /// Its holder lives.
    Recording,
    /// Its holder is gone, or has given it up, or was replaced a moment ago.
    Recovering,
    /// It has ended.
    Stopped,
    /// It has used up its failovers.
    Abandoned,
}

impl State {
    /// What a control object says, where nobody judges its holder.
    pub fn of(phase: Phase) -> Self {
        match phase {
            Phase::Recording => Self::Recording,
            Phase::Recovering | Phase::Orphaned => Self::Recovering,
            Phase::Stopped => Self::Stopped,
            Phase::Abandoned => Self::Abandoned,
        }
    }

    /// As a sentence says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "being started",
            Self::Recording => "recording",
            Self::Recovering => "being recovered",
            Self::Stopped => "stopped",
            Self::Abandoned => "abandoned",
        }
    }
}

/// A worker, and what is thought of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Node {
    /// Its lease as it was read last.
    #[serde(flatten)]
    pub lease: Lease,
    /// It lives.
    pub alive: bool,
    /// It is the one that was asked.
    pub this: bool,
}

#[derive(Debug, Default)]
struct Seen {
    nodes: Vec<Node>,
    recordings: BTreeMap<Sid, State>,
}

/// Shared between the node and those who answer for it.
#[derive(Debug, Clone, Default)]
pub struct View {
    seen: Arc<Mutex<Seen>>,
}

impl View {
    pub(super) fn update<'a>(
        &self,
        watch: &Watch,
        known: impl Iterator<Item = (&'a Sid, &'a Known)>,
        me: &str,
        now: Duration,
    ) {
        let node = |lease: &Lease| Node {
            alive: watch.verdict(&lease.worker, now).lives(),
            this: lease.worker == me,
            lease: lease.clone(),
        };
        let nodes = watch.leases().map(node).collect();
        let state = |known: &Known| state(known.control.as_ref(), watch, now);
        let recordings = known.map(|(sid, known)| (sid.clone(), state(known))).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen { nodes, recordings };
    }

    /// All workers whose leases are there.
    pub fn nodes(&self) -> Vec<Node> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).nodes.clone()
    }

    /// What is thought of one of the recordings that were asked for.
    pub fn recording(&self, sid: &Sid) -> Option<State> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).recordings.get(sid).copied()
    }

    /// All recordings that were asked for.
    pub fn recordings(&self) -> BTreeMap<Sid, State> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).recordings.clone()
    }
}

fn state(control: Option<&Control>, watch: &Watch, now: Duration) -> State {
    let Some(control) = control else { return State::Starting };
    let lives = |worker: &String| watch.verdict(worker, now).lives();
    match State::of(control.phase) {
        State::Recording if !control.worker.as_ref().is_none_or(lives) => State::Recovering,
        state => state,
    }
}
