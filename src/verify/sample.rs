//! Which segments are read: pure.

use std::collections::BTreeSet;

use crate::stitch::{PieceId, Plan};

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// Of each output the segments beside joins, gaps and discontinuities, and some of the others.
    #[default]
    Sample,
    /// All segments.
    Deep,
}

/// Of those that nothing distinguishes so many are read of each output, evenly spread.
const SPREAD: usize = 16;
/// And so many beside joins and the like: what has more of them is read with `--deep`.
const BORDERS: usize = 256;

/// The pieces of an output that are to be read.
pub(super) fn choose(plan: &Plan, depth: Depth) -> BTreeSet<PieceId> {
    let all = || {
        let turns = plan.turns.iter().enumerate();
        turns.flat_map(|(turn, list)| {
            let pieces = list.pieces.iter().enumerate().filter(|(_, piece)| piece.gap.is_none());
            pieces.map(move |(index, piece)| ((turn, index), piece))
        })
    };
    if depth == Depth::Deep {
        return all().map(|(id, _)| id).collect();
    }
    let mut chosen = BTreeSet::new();
    let mut before: Option<PieceId> = None;
    for (id, piece) in all() {
        // The first of a turn, one that is marked, one behind a gap: and the one before it.
        let plain = before.is_some_and(|before| (before.0, before.1 + 1) == id)
            && !piece.discontinuity
            && !piece.origin.is_filler();
        if !plain && chosen.len() < BORDERS {
            chosen.extend(before);
            chosen.insert(id);
        }
        before = Some(id);
    }
    chosen.extend(before);
    let count = all().count();
    let step = count.div_ceil(SPREAD).max(1);
    chosen.extend(all().step_by(step).map(|(id, _)| id));
    chosen
}
