//! From what is known of pieces to their places on one axis of time: pure.
//!
//! The axis counts UTC milliseconds. Exact media time decides: a media clock is laid on the axis once, by the date of
//! the first piece that is read on it, so that pieces of one clock lie to each other as their media does, in whichever
//! turn they are. A piece without media time lies at its date; one without a date either, where the piece before
//! it ends. A place is computed from borders, not from lengths, so that errors do not add up; its end is its begin plus
//! `EXTINF`, which our recorder rounds so that both agree.
//!
//! A clock whose dates in another turn contradict the media time by more than [`SAME_CLOCK`] is another clock that only
//! bears the same number.

use std::collections::HashMap;

use super::piece::{Piece, Turn};
use crate::time::{MediaSpan, MediaTime, WallTime};

/// Dates of hosts whose clocks are set differ by less.
const SAME_CLOCK: i64 = 60_000;
/// Ends and begins on one media clock that are so near are one point.
const MEDIA_TOLERANCE: i64 = 50;
/// The same where only dates tell.
const DATE_TOLERANCE: i64 = 1000;

/// A piece's place, in milliseconds of the axis; half open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Index of the turn.
    pub turn: usize,
    /// Index of the piece in its turn.
    pub piece: usize,
    /// Its begin.
    pub start: i64,
    /// Its end.
    pub end: i64,
    /// First presentation time, and which clock of all it is on.
    pub media: Option<(MediaTime, usize)>,
}

impl Place {
    /// Its length.
    pub fn length(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }

    /// How far apart the end of one piece and the begin of another may be, and still be one point.
    pub fn tolerance(&self, other: &Self) -> i64 {
        match (self.media, other.media) {
            (Some((_, one)), Some((_, two))) if one == two => MEDIA_TOLERANCE,
            _ => DATE_TOLERANCE,
        }
    }

    /// Media time from this piece's begin to that of a later one: exact where both are on one clock.
    pub fn until(&self, later: &Self) -> MediaSpan {
        match (self.media, later.media) {
            (Some((from, one)), Some((to, two))) if one == two => to - from,
            _ => MediaSpan::from_millis(later.start.saturating_sub(self.start)),
        }
    }
}

/// A media clock on the axis.
struct Anchor {
    clock: usize,
    start: MediaTime,
    millis: i64,
}

impl Anchor {
    fn place(&self, start: MediaTime) -> i64 {
        self.millis.saturating_add((start - self.start).millis())
    }
}

/// The places of all pieces, turn by turn in their order.
pub fn places(turns: &[Turn]) -> Vec<Vec<Place>> {
    let mut placer = Placer::default();
    turns.iter().enumerate().map(|(turn, list)| placer.turn(turn, &list.pieces)).collect()
}

#[derive(Default)]
struct Placer {
    /// The clocks that bear a number, of which each later one was found to be another.
    clocks: HashMap<u32, Vec<Anchor>>,
    count: usize,
    /// Where the latest piece ends.
    end: i64,
}

impl Placer {
    fn turn(&mut self, turn: usize, pieces: &[Piece]) -> Vec<Place> {
        let place = |(index, piece): (usize, &Piece)| {
            let media = piece.media.map(|(start, number)| {
                let (clock, millis) = self.on_clock(start, number, piece.date);
                (start, clock, millis)
            });
            let start =
                media.map(|(.., millis)| millis).or(piece.date.map(WallTime::millis)).unwrap_or(self.end);
            let end = start.saturating_add_unsigned(piece.millis);
            self.end = end;
            let media = media.map(|(start, clock, _)| (start, clock));
            Place { turn, piece: index, start, end, media }
        };
        pieces.iter().enumerate().map(place).collect()
    }

    /// Which clock of all bears that number here, and where the axis has that time of it.
    fn on_clock(&mut self, start: MediaTime, number: u32, date: Option<WallTime>) -> (usize, i64) {
        let anchors = self.clocks.entry(number).or_default();
        let date = date.map(WallTime::millis);
        let agrees = |anchor: &&Anchor| {
            date.is_none_or(|date| date.abs_diff(anchor.place(start)) <= SAME_CLOCK.unsigned_abs())
        };
        if let Some(anchor) = anchors.iter().find(agrees) {
            return (anchor.clock, anchor.place(start));
        }
        let millis = date.unwrap_or(self.end);
        let clock = self.count;
        self.count += 1;
        anchors.push(Anchor { clock, start, millis });
        (clock, millis)
    }
}
