//! From borders on the media clock to the two times a playlist shows.
//!
//! In: the ticks of 90 kHz at which segments of one media clock start and end. Out: `EXTINF` in
//! milliseconds and `EXT-X-PROGRAM-DATE-TIME`. Each border is rounded once, measured from one origin,
//! and both segments that share it use the same rounded value. So a sum of durations is never more
//! than half a millisecond from the truth, however long the recording, and a date plus its `EXTINF`
//! is exactly the next date. Rounding each duration alone drifts: up to 1.7 s in 24 hours.

use crate::time::{MediaTime, TICKS_PER_SECOND, WallTime};

/// The rounding of one run of a media clock, fixed by its first segment's start and date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryTimes {
    origin: MediaTime,
    anchor: WallTime,
}

impl EntryTimes {
    /// A run whose `origin` happened at `anchor`.
    pub const fn new(origin: MediaTime, anchor: WallTime) -> Self {
        Self { origin, anchor }
    }

    /// The `EXTINF` of `start..end` in milliseconds; 0 when `end` lies before `start`.
    pub fn duration_millis(&self, start: MediaTime, end: MediaTime) -> u64 {
        u64::try_from(self.border(end).saturating_sub(self.border(start))).unwrap_or(0)
    }

    /// The `EXT-X-PROGRAM-DATE-TIME` of a segment that starts at `start`.
    pub fn date(&self, start: MediaTime) -> WallTime {
        WallTime::from_millis(self.anchor.millis().saturating_add(self.border(start)))
    }

    /// Milliseconds from the origin to a border, rounded to the nearest (halves up).
    fn border(&self, point: MediaTime) -> i64 {
        const TICKS_PER_MILLI: i128 = TICKS_PER_SECOND as i128 / 1000;
        let ticks = i128::from(point.ticks()) - i128::from(self.origin.ticks());
        let millis = (ticks + TICKS_PER_MILLI / 2).div_euclid(TICKS_PER_MILLI);
        // A difference of two i64 divided by 90 always fits.
        i64::try_from(millis).unwrap_or(i64::MAX)
    }
}
