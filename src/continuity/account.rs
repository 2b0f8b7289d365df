//! What became of every second of an output, over all generations: pure arithmetic.
//!
//! Between the begin and the end of all that is known, each millisecond is committed, salvaged, or absent for a cause; what
//! is covered twice is counted twice and told. So always
//! `committed + salvaged + absent - doubled = end - begin`.
//!
//! The inside of a generation is what its own figures say, for commits keep them. Between generations the
//! time that nothing covers is the takeover's, but for what a dead worker is known to have lost there.

use std::collections::BTreeMap;

use serde::Serialize;

use super::control::OutputState;
use super::salvage::{LossCause, LostSegment, SalvagedSegment};
use crate::spool::GapCause;
use crate::time::{MediaSpan, WallTime};

/// Why there is no media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Absence {
    /// One worker was gone and the next did not record yet.
    Takeover,
    /// Nothing came of the source.
    Silence,
    /// The spool was full.
    SpoolFull,
    /// The spool's disk was full.
    DiskFull,
    /// The spool failed.
    SpoolFailed,
    /// A cause that nobody has written down.
    Unknown,
}

impl Absence {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Takeover => "between workers",
            Self::Silence => "nothing came",
            Self::SpoolFull => GapCause::SpoolFull.as_str(),
            Self::DiskFull => GapCause::DiskFull.as_str(),
            Self::SpoolFailed => GapCause::SpoolFailed.as_str(),
            Self::Unknown => "for an unknown cause",
        }
    }
}

impl From<GapCause> for Absence {
    fn from(cause: GapCause) -> Self {
        LossCause::from(cause).into()
    }
}

impl From<LossCause> for Absence {
    fn from(cause: LossCause) -> Self {
        match cause {
            LossCause::SpoolFull => Self::SpoolFull,
            LossCause::DiskFull => Self::DiskFull,
            LossCause::SpoolFailed | LossCause::Missing | LossCause::Damaged => Self::SpoolFailed,
            LossCause::Empty | LossCause::Unknown => Self::Unknown,
        }
    }
}

/// One generation's part in an output.
#[derive(Debug, Clone, Default)]
pub struct Turn<'a> {
    /// What is committed of it.
    pub committed: Option<&'a OutputState>,
    /// What was salvaged, and is not committed.
    pub salvaged: Vec<&'a SalvagedSegment>,
    /// What is known to be lost, and is not committed as a gap.
    pub lost: Vec<&'a LostSegment>,
}

/// What became of an output between `begin` and `end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// The output: its playlist in the first generation, without the prefix.
    pub output: String,
    /// The date of its first frame.
    pub begin: WallTime,
    /// The date at which its last one ends.
    pub end: WallTime,
    /// Committed, without gaps.
    pub committed_millis: u64,
    /// Salvaged, and not committed.
    pub salvaged_millis: u64,
    /// Covered by nothing, by cause.
    pub absent_millis: BTreeMap<Absence, u64>,
    /// Covered twice.
    pub doubled_millis: u64,
}

/// A half-open stretch of dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    begin: WallTime,
    end: WallTime,
}

impl Stretch {
    fn of(begin: WallTime, millis: u64) -> Self {
        let length = MediaSpan::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        Self { begin, end: begin.plus(length) }
    }

    fn between(begin: WallTime, end: WallTime) -> Self {
        Self { begin, end: end.max(begin) }
    }

    fn millis(self) -> u64 {
        millis(self.begin, self.end)
    }

    fn common(self, other: Self) -> Self {
        Self::between(self.begin.max(other.begin), self.end.min(other.end))
    }
}

/// A stretch that a turn is known to have lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Lost {
    stretch: Stretch,
    turn: usize,
    cause: Absence,
}

/// From one date to a later one; 0 to an earlier one.
fn millis(from: WallTime, to: WallTime) -> u64 {
    u64::try_from(to.millis().saturating_sub(from.millis())).unwrap_or(0)
}

/// A document from elsewhere may hold any numbers.
fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

/// How much of the time between two dates segments cover; where they overlap, once.
pub(super) fn covered<'a>(
    from: WallTime,
    to: WallTime,
    segments: impl IntoIterator<Item = &'a SalvagedSegment>,
) -> u64 {
    let hole = Stretch::between(from, to);
    let mut parts: Vec<Stretch> =
        segments.into_iter().map(|segment| Stretch::of(segment.date, segment.millis).common(hole)).collect();
    parts.sort();
    let (mut covered, mut at) = (0, from);
    for part in parts {
        covered += millis(at.max(part.begin), part.end);
        at = at.max(part.end);
    }
    covered
}

impl Account {
    /// The account of an output by its turns, from the first generation on. `None` where nothing is known of it.
    pub fn of(output: &str, turns: &[Turn<'_>]) -> Option<Self> {
        // What covers time, and whose turn it is.
        let mut blocks: Vec<(Stretch, usize)> = Vec::new();
        let mut lost: Vec<Lost> = Vec::new();
        for (number, turn) in turns.iter().enumerate() {
            blocks
                .extend(turn.committed.map(|state| (Stretch::between(state.begin, state.end.date), number)));
            let salvaged = turn.salvaged.iter();
            blocks.extend(salvaged.map(|segment| (Stretch::of(segment.date, segment.millis), number)));
            let known = turn.lost.iter().filter_map(|lost| Some((lost.date, lost.millis?, lost.cause)));
            lost.extend(known.map(|(date, millis, cause)| Lost {
                stretch: Stretch::of(date, millis),
                turn: number,
                cause: cause.into(),
            }));
        }
        blocks.sort();
        lost.sort();
        let all = || blocks.iter().map(|block| block.0).chain(lost.iter().map(|lost| lost.stretch));
        let (begin, end) =
            (all().map(|stretch| stretch.begin).min()?, all().map(|stretch| stretch.end).max()?);
        let mut account = Self {
            output: output.to_owned(),
            begin,
            end,
            committed_millis: 0,
            salvaged_millis: sum(turns.iter().flat_map(|turn| &turn.salvaged).map(|segment| segment.millis)),
            absent_millis: BTreeMap::new(),
            doubled_millis: 0,
        };
        turns.iter().filter_map(|turn| turn.committed).for_each(|state| account.add_committed(state));
        let lost_in = lost.iter().map(|lost| (lost.stretch, lost.turn));
        let first = blocks.iter().copied().chain(lost_in).min();
        let (mut at, mut turn) = (begin, first.map_or(0, |first| first.1));
        for &(stretch, of_turn) in &blocks {
            let cause = if of_turn == turn { Absence::Silence } else { Absence::Takeover };
            account.add_hole(Stretch::between(at, stretch.begin), cause, &lost);
            account.double(millis(stretch.begin, at.min(stretch.end)));
            if stretch.end >= at {
                (at, turn) = (stretch.end, of_turn);
            }
        }
        account.add_hole(Stretch::between(at, end), Absence::Silence, &lost);
        account.absent_millis.retain(|_, millis| *millis > 0);
        Some(account)
    }

    fn add(&mut self, cause: Absence, millis: u64) {
        let absent = self.absent_millis.entry(cause).or_default();
        *absent = absent.saturating_add(millis);
    }

    fn double(&mut self, millis: u64) {
        self.doubled_millis = self.doubled_millis.saturating_add(millis);
    }

    fn add_committed(&mut self, state: &OutputState) {
        let committed = state.duration_millis.saturating_sub(state.gap_millis);
        self.committed_millis = self.committed_millis.saturating_add(committed);
        state.gap_causes.iter().for_each(|(cause, millis)| self.add((*cause).into(), *millis));
        self.add(Absence::Silence, state.silent_millis);
        self.double(state.doubled_millis);
        // A program that did not write all of it down.
        let known = sum(state.gap_causes.values().copied());
        self.add(Absence::Unknown, state.gap_millis.saturating_sub(known));
        let told =
            state.duration_millis.saturating_add(state.silent_millis).saturating_sub(state.doubled_millis);
        let between = Stretch::between(state.begin, state.end.date).millis();
        self.add(Absence::Unknown, between.saturating_sub(told));
        self.double(told.saturating_sub(between));
    }

    /// Time that nothing covers: what is known to be lost in it, and the rest for `cause`.
    fn add_hole(&mut self, hole: Stretch, cause: Absence, lost: &[Lost]) {
        let mut at = hole.begin;
        for &Lost { stretch, cause: why, .. } in lost {
            let part = stretch.common(Stretch::between(at, hole.end));
            if part.millis() > 0 {
                self.add(cause, millis(at, part.begin));
                self.add(why, part.millis());
                at = part.end;
            }
        }
        self.add(cause, millis(at, hole.end));
    }
}
