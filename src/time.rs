//! Media time and wall-clock time.
//!
//! [`MediaTime`] counts ticks of 90 kHz on an unwrapped media clock; [`MediaSpan`] is a difference of
//! two of them. [`Pts33`] is what MPEG-TS carries: 33 bits of the same clock (ISO/IEC 13818-1,
//! 2.4.3.7), wrapping every 26.5 hours. [`WallTime`] counts UTC milliseconds since the Unix epoch.
//! Integers everywhere; floats and calendars stay at the edges.

use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub};

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Ticks of the media clock in one second.
pub const TICKS_PER_SECOND: i64 = 90_000;
const TICKS_PER_MILLI: i64 = TICKS_PER_SECOND / 1000;

/// A point on an unwrapped media clock, in ticks of 90 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct MediaTime(i64);

/// A difference of two [`MediaTime`]s, in ticks of 90 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MediaSpan(i64);

impl MediaTime {
    /// A point given in ticks of 90 kHz.
    pub const fn from_ticks(ticks_90k: i64) -> Self {
        Self(ticks_90k)
    }

    /// Ticks of 90 kHz since the clock's zero.
    pub const fn ticks(self) -> i64 {
        self.0
    }
}

impl MediaSpan {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span given in ticks of 90 kHz.
    pub const fn from_ticks(ticks_90k: i64) -> Self {
        Self(ticks_90k)
    }

    /// A span given in milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(TICKS_PER_MILLI))
    }

    /// A span given in seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds * TICKS_PER_SECOND)
    }

    /// Length in ticks of 90 kHz.
    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// Length in milliseconds, rounded to the nearest (halves up).
    pub const fn millis(self) -> i64 {
        self.0.saturating_add(TICKS_PER_MILLI / 2).div_euclid(TICKS_PER_MILLI)
    }

    /// Length without its sign.
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }
}

impl From<std::time::Duration> for MediaSpan {
    /// Rounds down to a tick; saturates far beyond any recording.
    fn from(duration: std::time::Duration) -> Self {
        let ticks = duration.as_nanos() * TICKS_PER_SECOND as u128 / 1_000_000_000;
        Self(i64::try_from(ticks).unwrap_or(i64::MAX / 4).min(i64::MAX / 4))
    }
}

impl Add<MediaSpan> for MediaTime {
    type Output = Self;
    fn add(self, span: MediaSpan) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<MediaSpan> for MediaTime {
    type Output = Self;
    fn sub(self, span: MediaSpan) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Sub for MediaTime {
    type Output = MediaSpan;
    fn sub(self, earlier: Self) -> MediaSpan {
        MediaSpan(self.0.saturating_sub(earlier.0))
    }
}

impl Add for MediaSpan {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for MediaSpan {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for MediaSpan {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for MediaSpan {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl fmt::Display for MediaSpan {
    /// Seconds with three decimals, as `EXTINF` wants them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.millis();
        let sign = if millis < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:03}", millis.abs() / 1000, millis.abs() % 1000)
    }
}

/// A 33-bit timestamp of 90 kHz as MPEG-TS carries it (PTS, DTS, or a PCR's base).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Pts33(u64);

impl From<MediaTime> for Pts33 {
    /// The low 33 bits.
    fn from(time: MediaTime) -> Self {
        Self(time.ticks().rem_euclid(Self::MODULUS) as u64)
    }
}

impl Pts33 {
    const MODULUS: i64 = 1 << 33;

    /// Keeps the low 33 bits.
    pub const fn new(bits: u64) -> Self {
        Self(bits & ((1 << 33) - 1))
    }

    /// The 33 bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The shortest way from `earlier` to `self` around the clock: between -2^32 and 2^32 - 1 ticks.
    pub const fn since(self, earlier: Self) -> MediaSpan {
        let half = Self::MODULUS / 2;
        let delta = (self.0 as i64 - earlier.0 as i64 + half).rem_euclid(Self::MODULUS) - half;
        MediaSpan(delta)
    }

    /// The point nearest to `reference` whose low 33 bits are these.
    pub const fn unwrap_near(self, reference: MediaTime) -> MediaTime {
        let base = Self::new(reference.0.rem_euclid(Self::MODULUS) as u64);
        MediaTime(reference.0.saturating_add(self.since(base).0))
    }
}

impl Add<MediaSpan> for Pts33 {
    type Output = Self;
    fn add(self, span: MediaSpan) -> Self {
        Self((self.0 as i64 + span.0 % Self::MODULUS).rem_euclid(Self::MODULUS) as u64)
    }
}

/// A point in wall-clock time: UTC milliseconds since the Unix epoch. Documents hold it as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WallTime(i64);

/// The years in which a [`WallTime`] has its 17-digit form: 1970 to 9999.
const LAST_MILLI: i64 = 253_402_300_799_999;

impl WallTime {
    /// Milliseconds since the Unix epoch, clamped to the years 1970 to 9999, in which every date
    /// has the two written forms of this project.
    pub const fn from_millis(millis: i64) -> Self {
        if millis < 0 {
            Self(0)
        } else if millis > LAST_MILLI {
            Self(LAST_MILLI)
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The point `span` later, rounded to the nearest millisecond.
    #[must_use]
    pub const fn plus(self, span: MediaSpan) -> Self {
        Self::from_millis(self.0.saturating_add(span.millis()))
    }

    /// The next millisecond.
    #[must_use]
    pub const fn next_milli(self) -> Self {
        Self::from_millis(self.0 + 1)
    }

    /// Time since `earlier`; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> MediaSpan {
        MediaSpan::from_millis(self.0 - earlier.0)
    }

    /// The 17 digits `yyyyMMddHHmmssSSS` that object names carry.
    pub fn compact(self) -> String {
        self.utc().format("%Y%m%d%H%M%S%3f").to_string()
    }

    /// Reads the 17 digits of an object name.
    pub fn parse_compact(digits: &str) -> Option<Self> {
        if digits.len() != 17 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let date = NaiveDateTime::parse_from_str(digits.get(..14)?, "%Y%m%d%H%M%S").ok()?;
        let millis: i64 = digits.get(14..)?.parse().ok()?;
        let wall = date.and_utc().timestamp_millis().checked_add(millis)?;
        // A leap second, which chrono reads, would not come back as the same digits.
        Some(Self::from_millis(wall)).filter(|time| time.millis() == wall && time.compact() == digits)
    }

    /// Reads an RFC 3339 date, with any offset; `+0000` without its colon too, as ffmpeg writes it.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let date = DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .ok()?;
        let millis = date.timestamp_millis();
        (0..=LAST_MILLI).contains(&millis).then_some(Self(millis))
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

impl TryFrom<String> for WallTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse_rfc3339(&text).ok_or_else(|| format!("{text:?} is no date like 2026-11-23T01:02:03.456Z"))
    }
}

impl From<WallTime> for String {
    fn from(time: WallTime) -> Self {
        time.to_string()
    }
}

impl fmt::Display for WallTime {
    /// RFC 3339 with milliseconds and `Z`, as `EXT-X-PROGRAM-DATE-TIME` wants it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wrap_is_a_small_step() {
        let before = Pts33::new((1 << 33) - 10);
        let after = Pts33::new(20);
        assert_eq!(after.since(before).ticks(), 30);
        assert_eq!(before.since(after).ticks(), -30);
        let unwrapped = after.unwrap_near(MediaTime::from_ticks((1 << 33) - 10));
        assert_eq!(unwrapped.ticks(), (1 << 33) + 20);
    }

    #[test]
    fn spans_round_to_the_nearest_milli() {
        for (ticks, text) in
            [(0, "0.000"), (44, "0.000"), (45, "0.001"), (1_351_710, "15.019"), (-90, "-0.001")]
        {
            assert_eq!(MediaSpan::from_ticks(ticks).to_string(), text, "{ticks}");
        }
    }

    #[test]
    fn dates_have_two_written_forms() {
        let time = WallTime::parse_rfc3339("2026-11-23T01:02:03.456Z").unwrap();
        assert_eq!(time.compact(), "20261123010203456");
        assert_eq!(time.to_string(), "2026-11-23T01:02:03.456Z");
        assert_eq!(WallTime::parse_rfc3339("2026-11-23T02:02:03.456+0100"), Some(time));
        for bad in ["", "2026112301020345", "20261323010203456", "2026112301020345x", "20261123010260456"] {
            assert_eq!(WallTime::parse_compact(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn compact_dates_round_trip(millis in 0..=LAST_MILLI) {
            let time = WallTime::from_millis(millis);
            prop_assert_eq!(WallTime::parse_compact(&time.compact()), Some(time));
            prop_assert_eq!(WallTime::parse_rfc3339(&time.to_string()), Some(time));
        }

        #[test]
        fn unwrapping_keeps_the_bits_and_stays_near(bits in 0u64..1 << 33, near in -(1i64 << 40)..1 << 40) {
            let time = Pts33::new(bits).unwrap_near(MediaTime::from_ticks(near));
            prop_assert_eq!(time.ticks().rem_euclid(1 << 33) as u64, bits);
            prop_assert!((time.ticks() - near).abs() <= 1 << 32);
        }
    }
}
