//! The media clock of an input: 33-bit stamps in, unwrapped times and dates out.
//!
//! A run of the clock lasts until the stamps jump. Dates are anchored to the wall clock once per run, so
//! that within a run they are as even as the media time itself. A wrap of the 33 bits is no jump.

use crate::playlist::EntryTimes;
use crate::time::{MediaSpan, MediaTime, Pts33, WallTime};

/// Steps back up to this are disorder, not jumps.
const BACK_TOLERANCE: MediaSpan = MediaSpan::from_secs(1);
/// With a break announced by the container, a step this long is a jump.
const ANNOUNCED_JUMP: MediaSpan = MediaSpan::from_secs(1);
/// A live input's silence may differ from the step of its clock by this much.
const SILENCE_TOLERANCE: MediaSpan = MediaSpan::from_secs(5);
/// A step of an input without arrival times beyond this is a jump, not a silence.
const LONGEST_SILENCE: MediaSpan = MediaSpan::from_secs(3600);
/// Other streams may be this far from the lead's time.
const NEARBY: MediaSpan = MediaSpan::from_secs(10);

/// How a unit's time follows the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Continues,
    /// The same clock, after a long silence.
    Gap,
    /// Another run of the clock.
    Jump,
}

/// How a stamp of a stream that does not lead lies to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    Near(MediaTime),
    /// All streams have been silent for long, and this one is the first to come back.
    AfterSilence(MediaTime),
    /// Too far to belong to this run.
    Far,
}

#[derive(Debug)]
struct Run {
    /// The latest decoding time of the lead.
    last: MediaTime,
    /// The latest time of any stream.
    latest: MediaTime,
    /// Whether another stream has been near the lead's time in this run, so that its steps mean something.
    accompanied: bool,
    /// When `latest` arrived.
    arrived: Option<WallTime>,
    /// Where the clock is anchored to the date, and how times are rounded.
    times: EntryTimes,
}

#[derive(Debug)]
pub(super) struct Timeline {
    gap: MediaSpan,
    clock: u32,
    run: Option<Run>,
}

impl Run {
    /// Whether a long step of the stamps is a silence of the input.
    fn was_silent(&self, step: MediaSpan, arrived: Option<WallTime>) -> bool {
        match (self.arrived, arrived) {
            (Some(before), Some(now)) => (now.since(before) - step).abs() <= SILENCE_TOLERANCE,
            _ => step <= LONGEST_SILENCE,
        }
    }
}

impl Timeline {
    /// `gap`: a step longer than this is an interruption or a jump. Runs are numbered on from `clocks_used`.
    pub fn new(gap: MediaSpan, clocks_used: u32) -> Self {
        Self { gap, clock: clocks_used, run: None }
    }

    /// Number of the current run.
    pub fn clock(&self) -> u32 {
        self.clock
    }

    pub fn is_running(&self) -> bool {
        self.run.is_some()
    }

    /// How a stamp of the lead would follow the ones before.
    pub fn flow(&self, dts: Pts33, announced: bool, arrived: Option<WallTime>) -> Flow {
        let Some(run) = &self.run else { return Flow::Jump };
        let back = dts.unwrap_near(run.last) - run.last;
        // While the lead was silent, the others kept the clock going.
        let step = back - (run.latest - run.last);
        if back < -BACK_TOLERANCE || announced && back.abs() > ANNOUNCED_JUMP && step < self.gap {
            return Flow::Jump;
        }
        // The others have run away, and the lead knows nothing of it.
        if step < BACK_TOLERANCE - self.gap {
            return Flow::Jump;
        }
        if step < self.gap {
            return Flow::Continues;
        }
        if run.was_silent(step, arrived) { Flow::Gap } else { Flow::Jump }
    }

    /// Begins a run: `pts` has the date `date`.
    pub fn restart(&mut self, pts: Pts33, date: WallTime, arrived: Option<WallTime>) {
        let anchor = MediaTime::from_ticks(pts.bits() as i64);
        self.clock += 1;
        let times = EntryTimes::new(anchor, date);
        self.run = Some(Run { last: anchor, latest: anchor, accompanied: false, arrived, times });
    }

    /// Takes the lead's stamps: presentation and decoding time, unwrapped.
    pub fn advance(&mut self, pts: Pts33, dts: Pts33, arrived: Option<WallTime>) -> (MediaTime, MediaTime) {
        let Some(run) = &mut self.run else { return Default::default() };
        let decoding = dts.unwrap_near(run.last);
        run.last = decoding;
        run.latest = run.latest.max(decoding);
        run.arrived = arrived;
        (pts.unwrap_near(decoding), decoding)
    }

    /// Takes a stamp of another stream.
    pub fn other(&mut self, pts: Pts33, arrived: Option<WallTime>) -> Other {
        let Some(run) = &mut self.run else { return Other::Far };
        let time = pts.unwrap_near(run.latest);
        let step = time - run.latest;
        let silence = run.accompanied && step >= self.gap;
        let near = step.abs() <= NEARBY || run.accompanied && step > MediaSpan::ZERO;
        if !near || silence && !run.was_silent(step, arrived) {
            return Other::Far;
        }
        run.accompanied = true;
        if step > MediaSpan::ZERO {
            run.latest = time;
            run.arrived = arrived;
        }
        if silence { Other::AfterSilence(time) } else { Other::Near(time) }
    }

    /// The date of a time of this run.
    pub fn date(&self, time: MediaTime) -> WallTime {
        self.run.as_ref().map_or_else(WallTime::default, |run| run.times.date(time))
    }

    /// A length in this run, in milliseconds.
    pub fn duration_millis(&self, start: MediaTime, end: MediaTime) -> u64 {
        self.run.as_ref().map_or(0, |run| run.times.duration_millis(start, end))
    }

    /// The latest decoding time of the lead.
    pub fn last(&self) -> MediaTime {
        self.run.as_ref().map_or_else(MediaTime::default, |run| run.last)
    }

    /// The date of the latest unit.
    pub fn now(&self) -> Option<WallTime> {
        self.is_running().then(|| self.date(self.last()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Pts33 {
        Pts33::new((seconds * 90_000).rem_euclid(1 << 33) as u64)
    }

    fn running_at(seconds: i64, arrived: Option<i64>) -> Timeline {
        let mut timeline = Timeline::new(MediaSpan::from_secs(15), 0);
        timeline.restart(at(seconds), WallTime::from_millis(1_000_000), wall(arrived));
        timeline
    }

    fn wall(seconds: Option<i64>) -> Option<WallTime> {
        seconds.map(|s| WallTime::from_millis(s * 1000))
    }

    #[test]
    fn steps_are_told_apart() {
        // step in seconds, announced, silence on the wall clock, expected
        let cases = [
            (1, false, None, Flow::Continues),
            (-1, false, None, Flow::Continues),
            (-2, false, None, Flow::Jump),
            (14, false, None, Flow::Continues),
            (14, true, None, Flow::Jump),
            (16, false, None, Flow::Gap),
            (7200, false, None, Flow::Jump),
            (16, false, Some(15), Flow::Gap),
            (16, false, Some(1), Flow::Jump),
            (7200, false, Some(7199), Flow::Gap),
        ];
        for (step, announced, silence, expected) in cases {
            let timeline = running_at(1000, silence.map(|_| 0));
            let flow = timeline.flow(at(1000 + step), announced, wall(silence));
            assert_eq!(flow, expected, "step {step} s, announced {announced}, silence {silence:?}");
        }
    }

    #[test]
    fn a_wrap_leaves_no_trace() {
        // The clock wraps after 95443.7 s.
        let mut timeline = running_at(95_443, None);
        assert_eq!(timeline.flow(at(95_445), false, None), Flow::Continues);
        let (pts, _) = timeline.advance(at(95_445), at(95_445), None);
        assert_eq!(pts.ticks(), 95_445 * 90_000);
        assert_eq!(timeline.date(pts).millis(), 1_002_000);
    }
}
