//! A limit in bytes a second: times go in, turns come out. Pure.
//!
//! Whoever has bytes to send takes a turn, waits for it, sends, and takes the next: so those who share a limit
//! come one after the other, piece by piece, and a small request is not held up by a large one.

use std::time::Duration;

/// Time that passed unused may be made up for so far.
const CREDIT: Duration = Duration::from_millis(50);
/// Pieces in a second.
const PIECES: u64 = 50;

/// A limit, and how far it is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Bytes a second.
    rate: u64,
    /// When all turns given are over.
    free: Duration,
}

impl Pace {
    /// So many bytes a second, at least 1.
    pub fn new(rate: u64) -> Self {
        Self { rate: rate.max(1), free: Duration::ZERO }
    }

    /// What may be sent in one turn.
    pub fn piece(&self) -> usize {
        usize::try_from((self.rate / PIECES).clamp(256, 16 * 1024)).expect("a small number")
    }

    /// The turn for so many bytes: when they may be sent.
    pub fn turn(&mut self, now: Duration, bytes: usize) -> Duration {
        let begin = self.free.max(now.saturating_sub(CREDIT));
        let nanos = u128::from(u64::try_from(bytes).unwrap_or(u64::MAX)) * 1_000_000_000;
        let length = nanos / u128::from(self.rate);
        self.free = begin + Duration::from_nanos(u64::try_from(length).unwrap_or(u64::MAX));
        // At the end of its own time: the first bytes take theirs, too.
        self.free
    }
}
