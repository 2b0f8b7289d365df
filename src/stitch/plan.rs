//! What a stitched output comes to: items and gaps in order, and an account of every millisecond. Pure.
//!
//! Made of a [`Draft`] whose cuts are made. The account is kept in whole milliseconds of one axis, so that it adds up
//! exactly: *covered* and *uncovered* time make the span, and what plays is the covered time and what is repeated.

use std::collections::HashMap;

use super::cover::Cover;
use super::piece::{GapReason, Turn};
use super::timeline::{Draft, Item, Overlap, PieceId, Verdict, piece};

/// Shorter pieces of a gap belong to what stands beside them.
const SLIVER: i64 = 50;

/// Time that nothing covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// From.
    pub start: i64,
    /// To.
    pub end: i64,
    /// Why.
    pub reason: GapReason,
    /// The item that comes next, by index; as many as there are items at the end.
    pub before: usize,
    /// The recorder's own entry for it, if it is one.
    pub entry: Option<PieceId>,
}

/// The whole account, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Begin of the first piece.
    pub begin: i64,
    /// End of the last piece.
    pub end: i64,
    /// Time that something covers.
    pub covered: i64,
    /// Time that nothing covers.
    pub uncovered: i64,
    /// The part of that which lies in gaps; the rest is in seams too narrow to count as such.
    pub gaps: i64,
    /// Time that plays more than once.
    pub repeated: i64,
}

/// A stitched output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The turns it was made of, oldest first.
    pub turns: Vec<Turn>,
    /// What plays, in order.
    pub items: Vec<Item>,
    /// What is not covered, in order.
    pub gaps: Vec<Gap>,
    /// What two turns cover.
    pub overlaps: Vec<Overlap>,
    /// What became of segments that do not simply play.
    pub verdicts: Vec<(PieceId, Verdict)>,
    /// The account.
    pub account: Account,
    /// Whether the axis is one of dates; without any, it only counts from 0.
    pub dated: bool,
}

impl Plan {
    /// Adds a draft up.
    pub fn new(turns: Vec<Turn>, draft: Draft) -> Self {
        let Draft { items, verdicts, lost, overlaps } = draft;
        let mut cover = Cover::default();
        items.iter().for_each(|item| cover.add(item.place.start, item.end));
        let lost: Vec<(i64, i64, GapReason, PieceId)> = lost
            .iter()
            .map(|(place, reason)| (place.start, place.end, *reason, (place.turn, place.piece)))
            .collect();
        let starts = items.iter().map(|item| item.place.start).chain(lost.iter().map(|lost| lost.0));
        let ends = items.iter().map(|item| item.end).chain(lost.iter().map(|lost| lost.1));
        let (begin, end) = (starts.min().unwrap_or(0), ends.max().unwrap_or(0));
        let mut gaps = Vec::new();
        let (mut covered, mut at) = (0, begin);
        let parts: Vec<_> = cover.within(begin, end).chain([(end, end)]).collect();
        let mut uncovered = 0;
        let borders = Borders::of(&items);
        for (start, stop) in parts {
            if at < start {
                uncovered += start - at;
                gaps.extend(split(&items, &borders, &lost, at, start));
            }
            covered += stop - start;
            at = stop;
        }
        let played: i64 = items.iter().map(|item| item.end - item.place.start).sum();
        let account = Account {
            begin,
            end,
            covered,
            uncovered,
            gaps: gaps.iter().map(|gap| gap.end - gap.start).sum(),
            repeated: played - covered,
        };
        let dated = turns.iter().flat_map(|turn| &turn.pieces).any(|piece| piece.date.is_some());
        Self { turns, items, gaps, overlaps, verdicts, account, dated }
    }
}

/// Which items begin and end where.
struct Borders {
    /// The first that begins at a point.
    begins: HashMap<i64, usize>,
    /// The last that ends there.
    ends: HashMap<i64, usize>,
}

impl Borders {
    fn of(items: &[Item]) -> Self {
        let begins = items.iter().enumerate().rev().map(|(index, item)| (item.place.start, index)).collect();
        let ends = items.iter().enumerate().map(|(index, item)| (item.end, index)).collect();
        Self { begins, ends }
    }
}

/// The gaps of an interval that nothing covers: a part for each reason. None where it is a seam.
fn split(
    items: &[Item],
    borders: &Borders,
    lost: &[(i64, i64, GapReason, PieceId)],
    start: i64,
    end: i64,
) -> Vec<Gap> {
    let before = borders.begins.get(&end).copied().unwrap_or(items.len());
    let last = borders.ends.get(&start).and_then(|index| items.get(*index));
    let next = items.get(before);
    let first = lost.partition_point(|lost| lost.1 <= start);
    let recorded = lost.get(first..).unwrap_or_default().iter().take_while(|lost| lost.0 < end);
    let recorded: Vec<_> = recorded.filter(|lost| lost.1 > start).collect();
    let tolerance = last.zip(next).map_or(0, |(last, next)| last.place.tolerance(&next.place));
    if recorded.is_empty() && end - start <= tolerance {
        return Vec::new();
    }
    let between = match (last, next) {
        (Some(last), Some(next)) if last.place.turn == next.place.turn => GapReason::Silence,
        (Some(_), Some(_)) => GapReason::Failover,
        _ => GapReason::Silence,
    };
    let mut parts: Vec<Gap> = Vec::new();
    let mut at = start;
    let mut add = |from: i64, to: i64, reason, entry| {
        match parts.last_mut() {
            // What is left beside a recorded entry is rounding.
            Some(part) if to - from <= SLIVER => part.end = to,
            _ if to > from => parts.push(Gap { start: from, end: to, reason, before, entry }),
            _ => {}
        }
    };
    for (from, to, reason, id) in recorded {
        let (from, to) = ((*from).clamp(at, end), (*to).clamp(at, end));
        let from = if from - at <= SLIVER { at } else { from };
        add(at, from, between, None);
        add(from, to, *reason, Some(*id));
        at = to.max(at);
    }
    add(at, end, between, None);
    parts
}

impl Plan {
    /// The key of a piece.
    pub fn key(&self, id: PieceId) -> &str {
        piece(&self.turns, id).map_or("", |piece| &piece.key)
    }
}
