//! Samples, and the clock that their times are read by.

use crate::time::{MediaTime, Pts33, TICKS_PER_SECOND};

/// One picture, or one frame of sound, as MP4 stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Decoding time in the track's timescale; zero is the same instant for all tracks.
    pub dts: i64,
    /// How much later it is shown.
    pub shown_after: i64,
    /// How long it lasts by itself, where it tells.
    pub length: Option<u32>,
    /// Decoding may begin here.
    pub key: bool,
    /// Which of the track's sample entries describes it.
    pub entry: usize,
    /// The part in which it began.
    pub part: u64,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// Makes times without end of stamps that wrap. One for all streams, so that all have the same zero.
#[derive(Debug, Default)]
pub struct Clock {
    last: Option<MediaTime>,
}

impl Clock {
    /// A stamp's time in ticks of 90 kHz.
    pub fn ticks(&mut self, stamp: Pts33) -> i64 {
        let near = self.last.unwrap_or(MediaTime::from_ticks(stamp.bits().cast_signed()));
        let time = stamp.unwrap_near(near);
        self.last = Some(time);
        time.ticks()
    }
}

/// Ticks of 90 kHz in another timescale, to the nearest.
pub fn scaled(ticks: i64, timescale: u32) -> i64 {
    let scale = i128::from(TICKS_PER_SECOND);
    let units = (i128::from(ticks) * i128::from(timescale) + scale / 2).div_euclid(scale);
    i64::try_from(units).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_go_on_over_the_wrap_for_all_streams() {
        let mut clock = Clock::default();
        let before = clock.ticks(Pts33::new((1 << 33) - 3000));
        assert_eq!(clock.ticks(Pts33::new(600)) - before, 3600);
        assert_eq!(clock.ticks(Pts33::new((1 << 33) - 90)) - before, 2910);
    }

    #[test]
    fn scaling_is_to_the_nearest() {
        assert_eq!(scaled(90_000, 48_000), 48_000);
        assert_eq!(scaled(1, 44_100), 0);
        assert_eq!(scaled(2, 44_100), 1);
        assert_eq!(scaled(-90_000, 44_100), -44_100);
    }
}
