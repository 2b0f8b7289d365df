//! Which pieces of which turns play, in which order, and where each ends: pure.
//!
//! In: the turns of one output, oldest first. Out: a [`Draft`], the [`Item`]s to play with a [`Verdict`] on every
//! segment that does not simply play.
//!
//! The rules. Pieces play in the order of their places. Where two turns cover the same time the newer one wins: a
//! segment of the older that the newer covers to its end is left out, or, if the newer begins inside it, *trimmed*
//! there. Nothing else can be cut away, since decoding can end anywhere but begin at key frames alone. So where the
//! newer turn ends, or pauses, inside a segment of the older, that segment plays whole, and what plays before it is
//! trimmed at its begin: no time that one of them covers is lost. *Fillers* (salvaged segments, and stored ones of which
//! nothing tells) come last, and take nothing from the others: each is used for time that is still not covered.
//!
//! Invariants: each segment is in an item or has a verdict that says why not; items of different turns do not
//! overlap by more than their tolerance, unless rewriting is off; a filler moves no border of another piece.

use super::cover::Cover;
use super::piece::{GapReason, Piece, Turn};
use super::places::{Place, places};
use crate::time::MediaSpan;

/// A segment that plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Which, and where its media is.
    pub place: Place,
    /// Where it ends; before the end of its place if it is to be trimmed.
    pub end: i64,
    /// Where to trim it, in media time from its begin.
    pub cut: Option<MediaSpan>,
    /// What was made of the cut, once it was: the object that takes the segment's place.
    pub trimmed: Option<Trimmed>,
    /// It does not continue the item before it.
    pub discontinuity: bool,
}

/// The object that takes the place of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trimmed {
    /// Its key.
    pub key: String,
    /// The URI that lists it.
    pub uri: String,
    /// Its size.
    pub bytes: u64,
    /// Pictures before the join that went with those behind it, since they are decoded later.
    pub pictures_lost: u64,
}

/// Names a piece: its turn, and its index there.
pub type PieceId = (usize, usize);

/// What became of a segment, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Left out: another one has its time.
    Covered {
        /// The one that plays at its begin.
        by: PieceId,
    },
    /// Left out: another one holds the same bytes.
    Identical {
        /// The one that plays.
        to: PieceId,
    },
    /// A filler that plays.
    Filled {
        /// Time that it alone covers.
        millis: i64,
        /// Time that it repeats.
        repeated: i64,
    },
    /// A filler that is left out, since it would repeat more than it fills.
    Repeats {
        /// Time that it alone would cover.
        millis: i64,
    },
    /// It would have been trimmed, but nothing of it lies before the join.
    Empty,
    /// It could not be trimmed, and plays whole.
    Untrimmable {
        /// Why not.
        why: String,
    },
}

/// A plan whose cuts are not made yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What plays, in order.
    pub items: Vec<Item>,
    /// What is to be said of segments, in the order in which it was decided.
    pub verdicts: Vec<(PieceId, Verdict)>,
    /// Where pieces are gaps.
    pub lost: Vec<(Place, GapReason)>,
    /// Time that two turns cover: the older one, the newer one, from, to.
    pub overlaps: Vec<Overlap>,
}

/// Time that two turns cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// Index of the older turn.
    pub older: usize,
    /// Index of the newer turn.
    pub newer: usize,
    /// From.
    pub start: i64,
    /// To.
    pub end: i64,
}

impl Draft {
    /// Plans an output. `rewrite`: segments may be trimmed; else they overlap.
    pub fn new(turns: &[Turn], rewrite: bool) -> Self {
        let places = places(turns);
        let of = |wanted: fn(&Piece) -> bool| {
            let known = turns.iter().zip(&places);
            let pick = move |(turn, places): (&Turn, &Vec<Place>)| -> Vec<Place> {
                let both = turn.pieces.iter().zip(places);
                both.filter(|(piece, _)| wanted(piece)).map(|(_, place)| *place).collect()
            };
            known.map(pick).collect::<Vec<_>>()
        };
        let firm = of(|piece| piece.gap.is_none() && !piece.origin.is_filler());
        let fillers = of(|piece| piece.gap.is_none() && piece.origin.is_filler()).concat();
        let mut sweep =
            Sweep { turns, rewrite, newer: newer(&firm), items: Vec::new(), verdicts: Vec::new() };
        sweep.run(&firm);
        let overlaps = overlaps(&firm);
        sweep.fill(fillers);
        let mut draft = Self { items: sweep.items, verdicts: sweep.verdicts, lost: Vec::new(), overlaps };
        for place in places.into_iter().flatten() {
            if let Some(reason) = piece(turns, (place.turn, place.piece)).and_then(|piece| piece.gap) {
                draft.lost.push((place, reason));
            }
        }
        draft.lost.sort_by_key(|(place, _)| (place.start, place.end));
        draft.mark_discontinuities(turns);
        draft
    }

    /// The items that wait for their cut, from the first on.
    pub fn cuts(&self) -> impl Iterator<Item = (usize, &Item)> {
        self.items.iter().enumerate().filter(|(_, item)| item.cut.is_some() && item.trimmed.is_none())
    }

    /// Takes what came of a cut.
    pub fn settle(&mut self, index: usize, trimmed: Trimmed) {
        if let Some(item) = self.items.get_mut(index) {
            item.trimmed = Some(trimmed);
        }
    }

    /// A segment that cannot be cut plays whole.
    pub fn keep_whole(&mut self, index: usize, why: String) {
        if let Some(item) = self.items.get_mut(index) {
            (item.cut, item.end) = (None, item.place.end);
            self.verdicts.push(((item.place.turn, item.place.piece), Verdict::Untrimmable { why }));
        }
    }

    /// Nothing of these items lies before their cuts: they do not play.
    pub fn remove(&mut self, turns: &[Turn], empty: &[usize]) {
        let mut index = 0;
        self.items.retain(|item| {
            let gone = empty.contains(&index);
            index += 1;
            if gone {
                self.verdicts.push(((item.place.turn, item.place.piece), Verdict::Empty));
            }
            !gone
        });
        self.mark_discontinuities(turns);
    }

    /// An item continues the one before only where both stand in one list with nothing but gaps between them, and time
    /// does not run back.
    fn mark_discontinuities(&mut self, turns: &[Turn]) {
        let mut before: Option<(Place, i64)> = None;
        for item in &mut self.items {
            let Place { turn, piece: index, start, .. } = item.place;
            let own = piece(turns, (turn, index));
            let follows = before.is_some_and(|(before, end)| {
                let between = turns.get(turn).and_then(|turn| turn.pieces.get(before.piece + 1..index));
                let gaps = between.is_some_and(|between| between.iter().all(|piece| piece.gap.is_some()));
                let back = start < before.start || end - start > before.tolerance(&item.place);
                before.turn == turn && gaps && !back && own.is_some_and(|own| !own.origin.is_filler())
            });
            let breaks = own.is_none_or(|own| own.discontinuity) || !follows;
            item.discontinuity = breaks && before.is_some();
            before = Some((item.place, item.end));
        }
    }
}

/// The piece that is called so.
pub fn piece(turns: &[Turn], id: PieceId) -> Option<&Piece> {
    turns.get(id.0)?.pieces.get(id.1)
}

/// For each turn the time that newer ones cover.
fn newer(firm: &[Vec<Place>]) -> Vec<Cover> {
    let after = |turn: usize| firm.get(turn + 1..).unwrap_or_default().iter().flatten().copied();
    (0..firm.len()).map(|turn| Cover::of(after(turn))).collect()
}

/// What each turn and each later one have both.
fn overlaps(firm: &[Vec<Place>]) -> Vec<Overlap> {
    let covers: Vec<Cover> = firm.iter().map(|places| Cover::of(places.iter().copied())).collect();
    let mut found: Vec<Overlap> = Vec::new();
    for (newer, cover) in covers.iter().enumerate() {
        let Some(sample) = firm.get(newer).and_then(|places| places.first()) else { continue };
        for (older, places) in firm.iter().enumerate().take(newer) {
            let mut shared = Cover::default();
            for place in places {
                let both = cover.within(place.start, place.end);
                both.for_each(|(start, end)| shared.add(start, end));
            }
            let tolerance = places.iter().map(|place| place.tolerance(sample)).min().unwrap_or(0);
            let long = shared.within(i64::MIN, i64::MAX).filter(|(start, end)| end - start > tolerance);
            found.extend(long.map(|(start, end)| Overlap { older, newer, start, end }));
        }
    }
    found.sort_by_key(|overlap| (overlap.start, overlap.end, overlap.older, overlap.newer));
    found
}

struct Sweep<'a> {
    turns: &'a [Turn],
    rewrite: bool,
    newer: Vec<Cover>,
    items: Vec<Item>,
    verdicts: Vec<(PieceId, Verdict)>,
}

impl Sweep<'_> {
    /// Goes over all turns at once, in the order of begins; each turn keeps its own order.
    fn run(&mut self, firm: &[Vec<Place>]) {
        let mut heads: Vec<_> = firm.iter().map(|places| places.iter().peekable()).collect();
        loop {
            let begins = heads.iter_mut().enumerate();
            let starts =
                begins.filter_map(|(turn, head)| Some((head.peek()?.start, std::cmp::Reverse(turn))));
            let Some((_, std::cmp::Reverse(turn))) = starts.min() else { break };
            if let Some(place) = heads.get_mut(turn).and_then(Iterator::next) {
                self.take(*place);
            }
        }
    }

    fn take(&mut self, next: Place) {
        while let Some(last) = self.items.last() {
            let playing = last.place;
            let tolerance = playing.tolerance(&next);
            let apart = next.start >= playing.end.saturating_sub(tolerance);
            // A list whose clock was set back goes on from where it was: it has nothing to do with what plays so far.
            if next.turn == playing.turn || apart || next.start < playing.start {
                break;
            }
            if self.yields(&playing, &next, tolerance) {
                self.leave_out(next, playing);
                return;
            }
            if next.start.saturating_sub(playing.start) > tolerance {
                if let Some(last) = self.items.last_mut().filter(|_| self.rewrite) {
                    last.cut = Some(playing.until(&next));
                    last.end = next.start;
                }
                break;
            }
            // Nothing would be left of it.
            self.items.pop();
            self.leave_out(playing, next);
            if let Some(before) = self.items.last_mut() {
                (before.cut, before.end) = (None, before.place.end);
            }
        }
        self.items.push(Item { place: next, end: next.end, cut: None, trimmed: None, discontinuity: false });
    }

    /// Whether `next`, which begins inside `playing`, is to be left out.
    fn yields(&self, playing: &Place, next: &Place, tolerance: i64) -> bool {
        let older = if next.turn > playing.turn { playing } else { next };
        let reach = self.newer.get(older.turn).map_or(next.start, |cover| cover.end_from(next.start, 0));
        let covered = reach.saturating_add(tolerance) >= older.end;
        if next.turn > playing.turn { !covered } else { covered }
    }

    fn leave_out(&mut self, place: Place, by: Place) {
        let (id, by) = ((place.turn, place.piece), (by.turn, by.piece));
        let content = |id| piece(self.turns, id).and_then(|piece| piece.bytes.zip(piece.crc64));
        let same = content(id).is_some() && content(id) == content(by);
        let verdict = if same { Verdict::Identical { to: by } } else { Verdict::Covered { by } };
        self.verdicts.push((id, verdict));
    }

    /// Uses fillers for what is not covered; of two for the same time the newer one, and a salvaged one first.
    fn fill(&mut self, mut fillers: Vec<Place>) {
        let origin = |place: &Place| piece(self.turns, (place.turn, place.piece)).map(|piece| piece.origin);
        fillers.sort_by_key(|place| (origin(place), place.start, std::cmp::Reverse(place.turn), place.piece));
        let mut cover = Cover::default();
        self.items.iter().for_each(|item| cover.add(item.place.start, item.end));
        for place in fillers {
            let covered: Vec<_> = cover.within(place.start, place.end).collect();
            let sum: i64 = covered.iter().map(|(start, end)| end - start).sum();
            let at_begin = covered.first().filter(|(start, _)| *start == place.start);
            let repeated = at_begin.map_or(0, |(start, end)| end - start);
            // After its begin: what comes next ends it.
            let next = covered.iter().find(|(start, _)| *start > place.start).map(|(start, _)| *start);
            let position = self.items.partition_point(|item| item.place.start <= place.start);
            let before = position.checked_sub(1).and_then(|index| self.items.get(index));
            let tolerance = before.map_or(0, |before| before.place.tolerance(&place));
            let millis = place.length() - sum;
            let id = (place.turn, place.piece);
            if millis <= tolerance && sum > 0 {
                match before.map(|before| before.place) {
                    Some(by) => self.leave_out(place, by),
                    None => self.verdicts.push((id, Verdict::Repeats { millis })),
                }
                continue;
            }
            if repeated > tolerance && repeated >= millis {
                self.verdicts.push((id, Verdict::Repeats { millis }));
                continue;
            }
            let mut item = Item { place, end: place.end, cut: None, trimmed: None, discontinuity: false };
            let follower = self.items.get(position).map(|item| item.place);
            if let (Some(next), Some(follower)) = (next, follower)
                && place.end.saturating_sub(next) > place.tolerance(&follower)
                && self.rewrite
            {
                let dated = MediaSpan::from_millis(next.saturating_sub(place.start));
                let cut = if follower.start == next { place.until(&follower) } else { dated };
                (item.end, item.cut) = (next, Some(cut));
            }
            cover.add(place.start, item.end);
            self.items.insert(position, item);
            self.verdicts.push((id, Verdict::Filled { millis, repeated }));
        }
    }
}
