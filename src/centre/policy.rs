//! When a recording is taken over, and by whom: pure.
//!
//! In: what was asked for, what the control object says, who lives. Out: what this worker is to do now. Control objects arbitrate
//! where two decide the same: a claim is made on the state that was judged, and the second one fails.

use std::time::Duration;

use super::lease::Lease;
use super::placement::order;
use super::request::Wanted;
use super::watch::{SILENCE, Verdict, Watch};
use crate::continuity::Phase;
use crate::ids::Sid;

/// A worker of which nothing is heard may come back for so long.
pub const RECONNECT: Duration = Duration::from_secs(60);
/// Where the worker that should take a recording does not, the next one does after this.
const TURN: Duration = Duration::from_secs(5);

/// What is known of a recording that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What is wanted of it.
    pub wanted: Wanted,
    /// Its control object, where it has begun.
    pub control: Option<Control>,
    /// Since when this is known, on the own clock.
    pub since: Duration,
}

/// What of a control object matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// What it is doing.
    pub phase: Phase,
    /// Which claim it is.
    pub epoch: u64,
    /// The worker that holds it; `None` for one that has no lease.
    pub worker: Option<String>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Begin the recording.
    Start,
    /// Take it over from the holder of that epoch.
    TakeOver {
        /// The epoch that was judged.
        epoch: u64,
    },
    /// End it, whose holder is gone.
    Stop,
}

/// How to go about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// A silent worker is taken for dead as soon as it is taken for silent.
    pub fast: bool,
}

impl Policy {
    /// What worker `me` is to do about a recording that it does not hold. `None`: nothing now.
    pub fn decide(&self, sid: &Sid, known: &Known, watch: &Watch, me: &str, now: Duration) -> Option<Action> {
        let (action, since) = self.due(known, watch, now)?;
        let rank = ranked(sid, known, watch, now).iter().position(|worker| *worker == me)?;
        let turn = TURN.saturating_mul(u32::try_from(rank).unwrap_or(u32::MAX));
        (now >= since.saturating_add(turn)).then_some(action)
    }

    /// What is to be done by anybody, and since when.
    fn due(&self, known: &Known, watch: &Watch, now: Duration) -> Option<(Action, Duration)> {
        let Some(control) = &known.control else {
            return (known.wanted == Wanted::Record).then_some((Action::Start, known.since));
        };
        if control.phase.is_final() {
            return None;
        }
        let since = self.lost(control, watch, now)?.max(known.since);
        Some(match known.wanted {
            Wanted::Record => (Action::TakeOver { epoch: control.epoch }, since),
            Wanted::Stop => (Action::Stop, since),
        })
    }

    /// Since when its holder is given up, if it is.
    fn lost(&self, control: &Control, watch: &Watch, now: Duration) -> Option<Duration> {
        if control.phase == Phase::Orphaned {
            return Some(Duration::ZERO);
        }
        // Who has no lease is nobody's to judge.
        match watch.verdict(control.worker.as_ref()?, now) {
            Verdict::Alive => None,
            // Who drains records on until somebody has it.
            Verdict::Gone(length) | Verdict::Draining(length) => Some(now.saturating_sub(length)),
            Verdict::Silent(silence) => {
                let patience = if self.fast { SILENCE } else { RECONNECT };
                let beyond = silence.checked_sub(patience)?;
                Some(now.saturating_sub(beyond))
            }
        }
    }
}

/// Who is to try, best first. What is left by one who drains goes to those that are much younger, where there are such: they are
/// not the next to drain, and where each node's successor begins before it leaves, a restart of all moves each recording once.
fn ranked<'a>(sid: &Sid, known: &Known, watch: &'a Watch, now: Duration) -> Vec<&'a str> {
    let holder = known.control.as_ref().and_then(|control| control.worker.as_ref());
    let leaving = holder.filter(|holder| matches!(watch.verdict(holder, now), Verdict::Draining(_)));
    let leaving = watch.leases().find(|lease| Some(&lease.worker) == leaving);
    // Leases are renewed equally often, so that their numbers tell ages.
    let is_young = |lease: &&Lease| leaving.is_some_and(|leaving| lease.beat < leaving.beat / 2);
    let mut ranked = order(sid, watch.living(now).filter(is_young));
    ranked.extend(order(sid, watch.living(now).filter(|lease| !is_young(lease))));
    ranked
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
