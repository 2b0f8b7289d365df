//! From where to where a segment reaches, by its units alone: for the last of a stream, and for one whose writing was cut
//! off. Pure.
//!
//! It ends with the lead's last frame, or where the other streams end if the lead has been silent for long before.

use crate::media::UnitTimes;
use crate::time::{MediaSpan, MediaTime};

/// Without a second frame to measure by, a frame is taken to last this long.
pub(super) const USUAL_FRAME: MediaSpan = MediaSpan::from_millis(40);
/// A lead that is silent for longer no longer tells where the segment ends; the other streams do.
pub(super) const LEAD_SILENCE: MediaSpan = MediaSpan::from_secs(1);
/// Within a segment no clock jumps, for a jump begins another: a unit further back than this, or
/// further ahead than that, is damaged.
const FARTHEST_BACK: MediaSpan = MediaSpan::from_secs(-1);
const FARTHEST_AHEAD: MediaSpan = MediaSpan::from_secs(3600);

/// Where the segment ends whose lead's greatest presentation time is `greatest`, and the others' latest is `others`.
pub(super) fn content_end(greatest: MediaTime, frame: MediaSpan, others: Option<MediaTime>) -> MediaTime {
    let lead_end = greatest + frame;
    match others {
        Some(others) if others - lead_end > LEAD_SILENCE => others,
        _ => lead_end,
    }
}

/// A stretch of a media clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Presentation time of the first frame.
    pub start: MediaTime,
    /// Where the content ends.
    pub end: MediaTime,
}

impl Extent {
    /// That of the segment with these units, in the order of their begins. `start`: what was known when it was begun; else
    /// it is the first unit's time, of the lead if there is one. `None` where nothing tells.
    pub fn of(start: Option<MediaTime>, units: &[UnitTimes]) -> Option<Self> {
        let first = units.iter().find(|unit| unit.lead).or(units.first());
        let start = start.or_else(|| first.map(|unit| MediaTime::from_ticks(unit.pts.bits() as i64)))?;
        let (mut greatest, mut others) = (start, None);
        let (mut last, mut last_dts) = (start, None);
        let mut steps = [USUAL_FRAME; 2];
        for unit in units {
            let time = unit.dts.unwrap_near(last);
            if !(FARTHEST_BACK..=FARTHEST_AHEAD).contains(&(time - last)) {
                continue;
            }
            last = last.max(time);
            let pts = unit.pts.unwrap_near(time);
            if !unit.lead {
                others = others.max(Some(pts));
                continue;
            }
            greatest = greatest.max(pts);
            let step = last_dts.replace(time).map_or(MediaSpan::ZERO, |last| time - last);
            if step > MediaSpan::ZERO {
                steps = [steps[1], step];
            }
        }
        Some(Self { start, end: content_end(greatest, steps[0].min(steps[1]), others) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Pts33;

    /// Units by the letter of their stream and their times in milliseconds: presentation, decoding.
    fn extent(start: Option<i64>, units: &[(char, i64, i64)]) -> Option<(i64, i64)> {
        let stamp = |millis: i64| Pts33::new((millis * 90).rem_euclid(1 << 33) as u64);
        let units: Vec<UnitTimes> = units
            .iter()
            .map(|&(stream, pts, dts)| UnitTimes { lead: stream == 'v', pts: stamp(pts), dts: stamp(dts) })
            .collect();
        let extent = Extent::of(start.map(|millis| MediaTime::from_ticks(millis * 90)), &units)?;
        Some((extent.start.ticks() / 90, (extent.end - extent.start).millis()))
    }

    #[test]
    fn a_segment_ends_with_its_last_frame() {
        assert_eq!(extent(None, &[]), None);
        assert_eq!(extent(Some(7), &[]), Some((7, 40)), "no frame to measure by");
        assert_eq!(extent(None, &[('v', 100, 100)]), Some((100, 40)));
        // Frames of 20 ms, in another order than they are shown.
        let reordered = [('v', 100, 60), ('v', 160, 80), ('v', 120, 100), ('v', 140, 120)];
        assert_eq!(extent(None, &reordered), Some((100, 80)));
        // Of two steps the smaller one.
        assert_eq!(extent(None, &[('v', 0, 0), ('v', 30, 30), ('v', 530, 530)]), Some((0, 560)));
    }

    #[test]
    fn others_tell_the_end_only_where_the_lead_is_silent() {
        let lead = [('v', 1000, 1000), ('v', 1040, 1040)];
        assert_eq!(extent(None, &[&lead[..], &[('a', 2080, 2080)]].concat()), Some((1000, 80)));
        assert_eq!(extent(None, &[&lead[..], &[('a', 2081, 2081)]].concat()), Some((1000, 1081)));
        assert_eq!(extent(None, &[('a', 500, 500), ('a', 3000, 3000)]), Some((500, 2500)));
    }

    #[test]
    fn a_wrap_and_a_damaged_stamp_leave_no_trace() {
        let wrap = (1 << 33) / 90;
        let units = [('v', wrap - 20, wrap - 20), ('v', wrap + 20, wrap + 20), ('v', wrap + 60, wrap + 60)];
        assert_eq!(extent(Some(wrap - 20), &units), Some((wrap - 20, 120)));
        assert_eq!(extent(None, &units), Some((wrap - 20, 120)));
        let damaged = [('v', 0, 0), ('v', 40, 40), ('v', 9_000_000, 9_000_000), ('v', 80, 80)];
        assert_eq!(extent(None, &damaged), Some((0, 120)));
        assert_eq!(extent(Some(0), &[('v', 5_000_000, 5_000_000)]), Some((0, 40)));
    }
}
