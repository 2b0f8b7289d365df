//! What stitching did and what is missing, for people and as JSON: pure.
//!
//! All lengths are milliseconds of media. For each output `covered + uncovered = span`, and
//! `duration = covered + repeated`: nothing is left without an account.

use std::fmt;

use serde::Serialize;

use super::piece::{GapReason, Origin, Standing};
use super::plan::Plan;
use super::render::Rendered;
use super::timeline::{PieceId, Verdict, piece};
use crate::ids::Generation;
use crate::time::WallTime;

/// What was made of one output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputReport {
    /// The stitched playlist's key.
    pub playlist: String,
    /// Date of the first piece; `None` where nothing has a date.
    pub begin: Option<WallTime>,
    /// Date at which the last piece ends.
    pub end: Option<WallTime>,
    /// From begin to end.
    pub span_millis: i64,
    /// The part of the span that some segment covers.
    pub covered_millis: i64,
    /// The rest of the span.
    pub uncovered_millis: i64,
    /// The part of that in gaps; what remains is in seams of at most 50 ms of media time, or a second by dates.
    pub gap_millis: i64,
    /// Time that plays more than once.
    pub repeated_millis: i64,
    /// Sum of the playlist's segments.
    pub duration_millis: u64,
    /// Sum of the playlist's `EXT-X-GAP` entries.
    pub tagged_millis: u64,
    /// Segments that the playlist lists.
    pub segments: usize,
    /// All turns are sealed: nothing of this can change.
    pub sealed: bool,
    /// What it was made of.
    pub turns: Vec<TurnReport>,
    /// Where one turn follows another.
    pub joins: Vec<JoinReport>,
    /// What nothing covers.
    pub gaps: Vec<GapReport>,
    /// What two turns cover.
    pub overlaps: Vec<OverlapReport>,
    /// Each segment that does not simply play, and why.
    pub decisions: Vec<Decision>,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TurnReport {
    /// The generation; `None` for a playlist given by name.
    pub generation: Option<Generation>,
    /// The playlist's key.
    pub playlist: String,
    /// Whether it can still grow.
    pub standing: Standing,
    /// Segments known.
    pub segments: usize,
    /// Of them, those that play.
    pub used: usize,
}

/// From an item of one turn to an item of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JoinReport {
    /// The item before.
    pub from: String,
    /// The item behind.
    pub to: String,
    /// Date of the latter's begin.
    pub at: WallTime,
    /// Time from the end of the one to the begin of the other; negative where it repeats.
    pub apart_millis: i64,
}

/// Time that nothing covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GapReport {
    /// From.
    pub begin: WallTime,
    /// To.
    pub end: WallTime,
    /// How long.
    pub millis: i64,
    /// Why.
    pub reason: GapReason,
    /// The playlist has `EXT-X-GAP` entries for it.
    pub tagged: bool,
}

/// Time that two turns cover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OverlapReport {
    /// From.
    pub begin: WallTime,
    /// To.
    pub end: WallTime,
    /// How long.
    pub millis: i64,
    /// The older turn's playlist.
    pub older: String,
    /// The newer turn's playlist.
    pub newer: String,
}

/// What became of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Its key.
    pub segment: String,
    /// From where it is known.
    pub origin: Option<Origin>,
    /// What.
    #[serde(flatten)]
    pub fate: Fate,
}

/// See [`Verdict`], of which this is the form with names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// Left out, for another one has its time.
    Covered {
        /// That one.
        by: String,
    },
    /// Left out, for another one has its bytes.
    Identical {
        /// That one.
        to: String,
    },
    /// It plays, cut at its end.
    Trimmed {
        /// The object that plays.
        object: String,
        /// How much was cut off.
        cut_millis: i64,
        /// Pictures before the join that went with it, since they are decoded behind the cut.
        pictures_lost: u64,
    },
    /// It plays whole, though what follows begins before its end.
    Whole {
        /// How much plays twice.
        repeated_millis: i64,
        /// Why it was not cut.
        why: Option<String>,
    },
    /// It fills a gap.
    Filled {
        /// How much of it.
        millis: i64,
        /// How much it repeats.
        repeated_millis: i64,
    },
    /// It could fill a gap, and would repeat more than it fills: left out.
    Repeats {
        /// How much it would fill.
        millis: i64,
    },
    /// Nothing of it lies before the join at which it would have been cut: left out.
    Empty,
    /// It is listed, and not in the store.
    Missing,
}

impl OutputReport {
    /// The report on a plan as it was rendered.
    pub fn new(playlist: String, plan: &Plan, rendered: &Rendered) -> Self {
        let account = plan.account;
        let date = |at: i64| plan.dated.then_some(WallTime::from_millis(at));
        Self {
            playlist,
            begin: date(account.begin),
            end: date(account.end),
            span_millis: account.end - account.begin,
            covered_millis: account.covered,
            uncovered_millis: account.uncovered,
            gap_millis: account.gaps,
            repeated_millis: account.repeated,
            duration_millis: rendered.duration_millis,
            tagged_millis: rendered.tagged_millis,
            segments: plan.items.len(),
            sealed: plan.turns.iter().all(|turn| turn.standing == Standing::Sealed),
            turns: turns(plan),
            joins: joins(plan),
            gaps: gaps(plan, rendered),
            overlaps: overlaps(plan),
            decisions: decisions(plan),
        }
    }

    /// Nothing is missing from begin to end, and nothing plays twice.
    pub fn is_seamless(&self) -> bool {
        self.gaps.is_empty() && self.repeated_millis == 0
    }
}

fn turns(plan: &Plan) -> Vec<TurnReport> {
    let mut used = vec![0; plan.turns.len()];
    for item in &plan.items {
        if let Some(count) = used.get_mut(item.place.turn) {
            *count += 1;
        }
    }
    let report = |(turn, used): (&super::Turn, usize)| TurnReport {
        generation: turn.generation,
        playlist: turn.playlist.clone(),
        standing: turn.standing,
        segments: turn.pieces.iter().filter(|piece| piece.gap.is_none()).count(),
        used,
    };
    plan.turns.iter().zip(used).map(report).collect()
}

fn joins(plan: &Plan) -> Vec<JoinReport> {
    let pairs = plan.items.windows(2).filter_map(|pair| pair.first().zip(pair.last()));
    let joins = pairs.filter(|(from, to)| from.place.turn != to.place.turn);
    let report = |(from, to): (&super::Item, &super::Item)| JoinReport {
        from: plan.key((from.place.turn, from.place.piece)).to_owned(),
        to: plan.key((to.place.turn, to.place.piece)).to_owned(),
        at: WallTime::from_millis(to.place.start),
        apart_millis: to.place.start - from.end,
    };
    joins.map(report).collect()
}

fn gaps(plan: &Plan, rendered: &Rendered) -> Vec<GapReport> {
    let report = |(index, gap): (usize, &super::Gap)| GapReport {
        begin: WallTime::from_millis(gap.start),
        end: WallTime::from_millis(gap.end),
        millis: gap.end - gap.start,
        reason: gap.reason,
        tagged: rendered.tagged.contains(&index),
    };
    plan.gaps.iter().enumerate().map(report).collect()
}

fn overlaps(plan: &Plan) -> Vec<OverlapReport> {
    let name = |turn: usize| plan.turns.get(turn).map(|turn| turn.playlist.clone()).unwrap_or_default();
    let report = |overlap: &super::Overlap| OverlapReport {
        begin: WallTime::from_millis(overlap.start),
        end: WallTime::from_millis(overlap.end),
        millis: overlap.end - overlap.start,
        older: name(overlap.older),
        newer: name(overlap.newer),
    };
    plan.overlaps.iter().map(report).collect()
}

fn decisions(plan: &Plan) -> Vec<Decision> {
    let decision = |id: PieceId, fate: Fate| Decision {
        segment: plan.key(id).to_owned(),
        origin: piece(&plan.turns, id).map(|piece| piece.origin),
        fate,
    };
    let untrimmable = |id: PieceId| {
        plan.verdicts.iter().find_map(|(other, verdict)| match verdict {
            Verdict::Untrimmable { why } if *other == id => Some(why.clone()),
            _ => None,
        })
    };
    let mut found: Vec<(PieceId, Fate)> = Vec::new();
    for (id, verdict) in &plan.verdicts {
        found.push((
            *id,
            match verdict {
                Verdict::Covered { by } => Fate::Covered { by: plan.key(*by).to_owned() },
                Verdict::Identical { to } => Fate::Identical { to: plan.key(*to).to_owned() },
                Verdict::Filled { millis, repeated } => {
                    Fate::Filled { millis: *millis, repeated_millis: *repeated }
                }
                Verdict::Repeats { millis } => Fate::Repeats { millis: *millis },
                Verdict::Empty => Fate::Empty,
                Verdict::Untrimmable { .. } => continue,
            },
        ));
    }
    for (index, item) in plan.items.iter().enumerate() {
        let id = (item.place.turn, item.place.piece);
        let next = plan.items.get(index + 1).filter(|next| next.place.turn != item.place.turn);
        if let Some(trimmed) = &item.trimmed {
            let (object, pictures_lost) = (trimmed.key.clone(), trimmed.pictures_lost);
            found.push((id, Fate::Trimmed { object, cut_millis: item.place.end - item.end, pictures_lost }));
        } else if let Some(next) = next
            && item.end - next.place.start > item.place.tolerance(&next.place)
        {
            let repeated_millis = item.end - next.place.start;
            found.push((id, Fate::Whole { repeated_millis, why: untrimmable(id) }));
        }
    }
    for (turn, list) in plan.turns.iter().enumerate() {
        let missing = list.pieces.iter().enumerate();
        let missing = missing.filter(|(_, piece)| piece.gap == Some(GapReason::Missing));
        found.extend(missing.map(|(index, _)| ((turn, index), Fate::Missing)));
    }
    found.sort_by_key(|(id, _)| *id);
    found.into_iter().map(|(id, fate)| decision(id, fate)).collect()
}

/// Seconds with three decimals.
fn seconds(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03} s", millis / 1000, millis % 1000)
}

impl fmt::Display for OutputReport {
    /// For people, a line for each thing; no line end at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.playlist)?;
        if let (Some(begin), Some(end)) = (self.begin, self.end) {
            writeln!(f, "  from      {begin} to {end}, {}", seconds(self.span_millis))?;
        }
        write!(f, "  covered   {} by {} segments", seconds(self.covered_millis), self.segments)?;
        if self.repeated_millis > 0 {
            write!(f, ", of which {} plays twice", seconds(self.repeated_millis))?;
        }
        write!(f, "\n  missing   {}", seconds(self.uncovered_millis))?;
        if self.uncovered_millis > self.gap_millis {
            write!(f, ", of which {} in seams", seconds(self.uncovered_millis - self.gap_millis))?;
        }
        for turn in &self.turns {
            let TurnReport { playlist, standing, segments, used, .. } = turn;
            write!(f, "\n  {:9} {playlist}: {used} of {segments} segments", standing.as_str())?;
        }
        for gap in &self.gaps {
            let tagged = if gap.tagged { ", tagged" } else { "" };
            write!(
                f,
                "\n  gap       {} at {}: {}{tagged}",
                seconds(gap.millis),
                gap.begin,
                gap.reason.as_str()
            )?;
        }
        for overlap in &self.overlaps {
            let OverlapReport { begin, millis, older, newer, .. } = overlap;
            write!(f, "\n  overlap   {} at {begin}: {older} and {newer}", seconds(*millis))?;
        }
        for decision in &self.decisions {
            write!(f, "\n  {decision}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let segment = &self.segment;
        match &self.fate {
            Fate::Covered { by } => write!(f, "left out  {segment}: {by} has its time"),
            Fate::Identical { to } => write!(f, "left out  {segment}: it is the same as {to}"),
            Fate::Trimmed { object, cut_millis, pictures_lost } => {
                write!(f, "trimmed   {segment} by {}: {object}", seconds(*cut_millis))?;
                match pictures_lost {
                    0 => Ok(()),
                    lost => write!(f, ", without {lost} pictures that are decoded behind the cut"),
                }
            }
            Fate::Whole { repeated_millis, why } => {
                write!(f, "whole     {segment}, of which {} plays twice", seconds(*repeated_millis))?;
                why.iter().try_for_each(|why| write!(f, ": {why}"))
            }
            Fate::Filled { millis, repeated_millis } => {
                let origin = self.origin.map_or("", Origin::as_str);
                write!(f, "filled    {} by {segment} ({origin})", seconds(*millis))?;
                match repeated_millis {
                    0 => Ok(()),
                    again => write!(f, ", which repeats {}", seconds(*again)),
                }
            }
            Fate::Repeats { millis } => {
                write!(f, "left out  {segment}: it would fill {} and repeat more", seconds(*millis))
            }
            Fate::Empty => write!(f, "left out  {segment}: nothing of it lies before the join"),
            Fate::Missing => write!(f, "missing   {segment}: it is listed, and not in the store"),
        }
    }
}
