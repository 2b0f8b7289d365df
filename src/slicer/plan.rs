//! When to cut: the one place that decides where segments begin and end.
//!
//! Units of a stream come in, in order; for each the answer is whether a segment begins with it. What the
//! segments are, their times, dates and reasons, is collected until the reader has given out their bytes.
//! The rules: a key frame at or after the target; other parameters, other tracks; a silence or a jump of
//! the clock; at the latest the greatest length or size. No I/O, no clock of its own.

use std::collections::VecDeque;

use super::extent::{LEAD_SILENCE, USUAL_FRAME, content_end};
use super::facts::{CutReason, Holds, OpenedSegment, SealedSegment};
use super::rules::SlicingRules;
use super::timeline::{Flow, Other, Timeline};
use crate::ids::SegmentSeq;
use crate::media::{Cutter, Placement, RandomAccess, UnitKind, UnitStart, VideoFormat};
use crate::time::{MediaSpan, MediaTime, Pts33, WallTime};

/// A lead that never says anything is not waited for longer than this.
const LEAD_PATIENCE: MediaSpan = MediaSpan::from_secs(2);
/// A stream whose key frames nothing marks is begun anywhere after this.
const UNKNOWN_PATIENCE: MediaSpan = MediaSpan::from_secs(1);
/// Frames no further apart than this follow each other.
const SMALL_STEP: MediaSpan = MediaSpan::from_millis(200);
/// After so many changes of parameters in [`FLAP_WINDOW`] the next ones wait for the target.
const FLAP_CHANGES: usize = 3;
const FLAP_WINDOW: MediaSpan = MediaSpan::from_secs(15);
/// Other streams must be far from the clock of a silent lead for so long before theirs is believed.
const FOREIGN_PATIENCE: MediaSpan = MediaSpan::from_secs(2);
/// Stamps further back than this are another clock's.
const BACK_TOLERANCE: MediaSpan = MediaSpan::from_secs(1);

/// A segment that has been announced or ended, in the order of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Border {
    Opened(OpenedSegment),
    /// Size not yet known.
    Sealed(SealedSegment),
}

#[derive(Debug)]
struct Open {
    facts: OpenedSegment,
    /// Greatest presentation time of a lead's unit in it.
    greatest: MediaTime,
    /// Latest presentation time of any other unit in it.
    others: Option<MediaTime>,
    holds: Holds,
}

/// What is known while no segment is open yet.
#[derive(Debug, Default)]
struct Joining {
    first_lead: Option<Pts33>,
    first_other: Option<Pts33>,
}

#[derive(Debug)]
pub(super) struct Plan {
    rules: SlicingRules,
    timeline: Timeline,
    /// The date of an input whose chunks bear none.
    start: WallTime,
    arrived: Option<WallTime>,
    next: SegmentSeq,
    segment: Option<Open>,
    joining: Joining,
    /// The segment before was closed by an interruption; anything begins the next one.
    reopening: bool,
    /// Where the latest segment of this run of the clock ended: none begins before.
    ended: Option<MediaTime>,
    /// The date on which the latest segment ended.
    last_end: Option<WallTime>,
    /// The two latest steps between the lead's units.
    steps: [MediaSpan; 2],
    last_dts: Option<MediaTime>,
    video_format: Option<VideoFormat>,
    /// The sound has changed; the next key frame begins a segment.
    pending_parameters: bool,
    /// The next segment does not continue this one, whatever its times.
    pending_discontinuity: bool,
    /// When parameters have changed of late.
    changes: VecDeque<MediaTime>,
    /// The first of the other streams' stamps that are all far from the lead's clock.
    foreign_since: Option<Pts33>,
    borders: VecDeque<Border>,
}

impl Plan {
    pub fn new(rules: SlicingRules, start: WallTime, clocks_used: u32) -> Self {
        Self {
            rules,
            timeline: Timeline::new(rules.interruption, clocks_used),
            start,
            arrived: None,
            next: SegmentSeq::default(),
            segment: None,
            joining: Joining::default(),
            reopening: false,
            ended: None,
            last_end: None,
            steps: [USUAL_FRAME; 2],
            last_dts: None,
            video_format: None,
            pending_parameters: false,
            pending_discontinuity: false,
            changes: VecDeque::new(),
            foreign_since: None,
            borders: VecDeque::new(),
        }
    }

    /// A plan for segments behind those of another, whose media they do not continue: on `start`, or where these ended.
    pub fn following(&self, rules: SlicingRules, start: WallTime) -> Self {
        Self {
            next: self.next,
            last_end: self.last_end.max(Some(start)),
            pending_discontinuity: true,
            ..Self::new(rules, start, self.timeline.clock())
        }
    }

    /// When the bytes that follow arrived.
    pub fn arrived(&mut self, at: Option<WallTime>) {
        self.arrived = at;
    }

    /// The next border in the order of the bytes.
    pub fn border(&mut self) -> Option<Border> {
        self.borders.pop_front()
    }

    /// Segments announced so far.
    pub fn segments(&self) -> u64 {
        self.next.0
    }

    /// The date of the latest unit.
    pub fn now(&self) -> Option<WallTime> {
        self.timeline.now()
    }

    /// The input is silent: the open segment ends at its last frame.
    pub fn interrupt(&mut self) {
        if self.seal_at_content(CutReason::Interruption) {
            self.reopening = true;
            self.pending_discontinuity = true;
        }
    }

    /// The input has ended.
    pub fn finish(&mut self) {
        self.seal_at_content(CutReason::Stop);
    }

    fn frame(&self) -> MediaSpan {
        self.steps[0].min(self.steps[1])
    }

    /// Where the open segment ends if nothing more comes.
    fn content_end(&self, segment: &Open) -> MediaTime {
        let end = content_end(segment.greatest, self.frame(), segment.others);
        end.min(segment.facts.start + self.rules.max_length)
    }

    fn seal_at_content(&mut self, reason: CutReason) -> bool {
        let Some(end) = self.segment.as_ref().map(|segment| self.content_end(segment)) else { return false };
        self.seal(end, reason);
        true
    }

    fn seal(&mut self, end: MediaTime, reason: CutReason) {
        let Some(Open { facts, holds, .. }) = self.segment.take() else { return };
        self.ended = Some(end);
        self.last_end = Some(self.timeline.date(end));
        self.borders.push_back(Border::Sealed(SealedSegment {
            opened: facts,
            end,
            duration_millis: self.timeline.duration_millis(facts.start, end),
            reason,
            bytes: 0,
            holds,
        }));
    }

    fn open(&mut self, start: MediaTime, discontinuity: bool, key: bool) {
        let start = self.ended.map_or(start, |ended| start.max(ended));
        // Sound that has changed and found no key frame to cut at is told by the next border.
        let pending =
            std::mem::take(&mut self.pending_discontinuity) | std::mem::take(&mut self.pending_parameters);
        let facts = OpenedSegment {
            seq: self.next,
            start,
            date: self.timeline.date(start),
            clock: self.timeline.clock(),
            discontinuity: (discontinuity || pending) && self.next != SegmentSeq::default(),
            starts_with_key: key,
            video_format: self.video_format,
        };
        self.next = self.next.next();
        self.segment = Some(Open { facts, greatest: start, others: None, holds: Holds::default() });
        self.reopening = false;
        self.borders.push_back(Border::Opened(facts));
    }

    fn restart_clock(&mut self, pts: Pts33) {
        // A burst at the begin of a live input runs ahead of the wall clock. Dates never go back for it.
        let date = self.arrived.max(self.last_end).unwrap_or(self.start);
        self.timeline.restart(pts, date, self.arrived);
        self.last_dts = None;
        self.steps = [USUAL_FRAME; 2];
        self.changes.clear();
        self.foreign_since = None;
        self.ended = None;
    }

    // Units of the lead.

    fn lead(&mut self, unit: &UnitStart) -> Placement {
        let (Some(pts), Some(dts)) = (unit.pts, unit.dts.or(unit.pts)) else {
            return self.without_time(unit);
        };
        let flow = self.timeline.flow(dts, unit.discontinuity, self.arrived);
        let broken = flow != Flow::Continues && self.timeline.is_running();
        let was_open = self.segment.is_some();
        if broken && was_open {
            let jump = flow == Flow::Jump;
            self.seal_at_content(if jump { CutReason::ClockJump } else { CutReason::Interruption });
        }
        if flow == Flow::Jump {
            self.restart_clock(pts);
        }
        let (pts, dts_time) = self.timeline.advance(pts, dts, self.arrived);
        let step = self.last_dts.replace(dts_time).map(|last| dts_time - last);
        let follows = step.is_none_or(|step| step <= SMALL_STEP.max(self.frame() + self.frame()));
        let placement = if broken && was_open {
            self.note_format(unit);
            self.open(pts, true, unit.random_access == RandomAccess::Key);
            Placement::Cut
        } else if self.segment.is_some() {
            self.within(unit, pts, follows)
        } else {
            self.join(unit, pts, dts)
        };
        if let Some(step) = step.filter(|&step| step > MediaSpan::ZERO && step < self.rules.interruption) {
            self.steps = [self.steps[1], step];
        }
        if let Some(segment) = &mut self.segment {
            segment.greatest = segment.greatest.max(pts);
        }
        placement
    }

    /// A unit while a segment is open and the clock goes on.
    fn within(&mut self, unit: &UnitStart, pts: MediaTime, follows: bool) -> Placement {
        let Some(segment) = &self.segment else { return Placement::Stay };
        let (start, greatest) = (segment.facts.start, segment.greatest);
        let key = unit.random_access == RandomAccess::Key;
        let length = pts - start;
        self.pending_parameters |= key && self.note_format(unit) || sound_changed(unit);
        if unit.tracks_changed {
            return self.cut_here(pts, follows, CutReason::Tracks, true, key);
        }
        if key && self.pending_parameters {
            self.pending_parameters = false;
            if !self.flaps(pts) {
                return self.cut_here(pts, follows, CutReason::Parameters, true, key);
            }
            self.pending_discontinuity = true;
        }
        let (target, reason) = match self.rules.first.filter(|first| *first < self.rules.target) {
            Some(first) if self.next.0 == 1 => (first, CutReason::Resumed),
            _ => (self.rules.target, CutReason::Target),
        };
        if key && length >= target {
            return self.cut_here(pts, true, reason, false, key);
        }
        let would_end = greatest.max(pts) + self.frame();
        let preferred = unit.random_access == RandomAccess::Recovery
            && length + length >= self.rules.target + self.rules.max_length;
        let too_long = would_end - start > self.rules.max_length;
        if too_long || preferred || unit.segment_bytes >= self.rules.max_bytes {
            return self.cut_here(pts, follows, CutReason::Limit, false, key);
        }
        Placement::Stay
    }

    /// Ends the open segment where this unit begins, if the unit `follows` the ones in it; else at the
    /// segment's last frame.
    fn cut_here(
        &mut self,
        pts: MediaTime,
        follows: bool,
        reason: CutReason,
        discontinuity: bool,
        key: bool,
    ) -> Placement {
        let Some(segment) = &self.segment else { return Placement::Stay };
        let content_end = self.content_end(segment);
        let fits = pts > segment.facts.start && pts - segment.facts.start <= self.rules.max_length;
        let (end, start) = match (follows, key) {
            // A key frame's time is the earliest of its segment.
            (true, true) if fits => (pts, pts),
            // Other units may be followed by earlier ones.
            (true, false) => (content_end, content_end),
            _ => (content_end, pts),
        };
        let hole = end != start;
        self.seal(end, reason);
        self.open(start, discontinuity || hole, key);
        Placement::Cut
    }

    /// A unit while no segment is open.
    fn join(&mut self, unit: &UnitStart, pts: MediaTime, dts: Pts33) -> Placement {
        let key = unit.random_access == RandomAccess::Key;
        let first = *self.joining.first_lead.get_or_insert(dts);
        // Where the clock has jumped back meanwhile, the wait begins anew.
        if dts.since(first) < MediaSpan::ZERO {
            self.joining.first_lead = Some(dts);
        }
        let patience = match unit.random_access {
            // Perhaps nothing ever tells.
            RandomAccess::Unknown => UNKNOWN_PATIENCE,
            _ => self.rules.max_length,
        };
        if !key && !self.reopening && dts.since(first) < patience {
            return Placement::Stay;
        }
        if key {
            self.note_format(unit);
        }
        self.open(pts, false, key);
        Placement::Cut
    }

    fn without_time(&mut self, unit: &UnitStart) -> Placement {
        let full = unit.segment_bytes >= self.rules.max_bytes;
        let must = unit.tracks_changed || self.reopening || full;
        if !must || !self.timeline.is_running() {
            return Placement::Stay;
        }
        let start = match &self.segment {
            Some(segment) => self.content_end(segment),
            None => self.timeline.last(),
        };
        self.seal_at_content(if unit.tracks_changed { CutReason::Tracks } else { CutReason::Limit });
        self.open(start, unit.tracks_changed, false);
        Placement::Cut
    }

    /// Whether the unit's picture size is another than before.
    fn note_format(&mut self, unit: &UnitStart) -> bool {
        let Some(format) = unit.video_format else { return false };
        self.video_format.replace(format).is_some_and(|last| last != format)
    }

    /// Notes a change of parameters. Those that wait count too: else a stream that goes on flapping would
    /// be shredded again as soon as the first cuts are old.
    fn flaps(&mut self, now: MediaTime) -> bool {
        let recent = |change: &MediaTime| now - *change <= FLAP_WINDOW;
        let flaps = self.changes.len() == FLAP_CHANGES && self.changes.iter().all(recent);
        self.changes.push_back(now);
        if self.changes.len() > FLAP_CHANGES {
            self.changes.pop_front();
        }
        flaps
    }

    // Units of other streams.

    fn other(&mut self, unit: &UnitStart) -> Placement {
        let Some(pts) = unit.pts else { return Placement::Stay };
        if self.segment.is_none() && !self.reopening {
            return self.join_without_lead(pts);
        }
        let (time, silence) = match self.timeline.other(pts, self.arrived) {
            Other::Near(time) => (time, false),
            Other::AfterSilence(time) => (time, true),
            Other::Far => return self.foreign(pts, unit),
        };
        self.foreign_since = None;
        let Some(segment) = &mut self.segment else { return self.begin_at(time) };
        if silence {
            self.seal_at_content(CutReason::Interruption);
            self.pending_discontinuity = true;
            return self.begin_at(time);
        }
        self.pending_parameters |= sound_changed(unit);
        segment.others = Some(segment.others.map_or(time, |others| others.max(time)));
        let (start, lead_silence) = (segment.facts.start, time - segment.greatest);
        if lead_silence <= LEAD_SILENCE {
            return Placement::Stay;
        }
        // The lead would have said when to cut.
        let (end, reason) = if time - start > self.rules.max_length {
            (start + self.rules.max_length, CutReason::Limit)
        } else if unit.segment_bytes >= self.rules.max_bytes {
            (time, CutReason::Limit)
        } else if unit.tracks_changed && lead_silence > LEAD_PATIENCE {
            (time, CutReason::Tracks)
        } else {
            return Placement::Stay;
        };
        self.seal(end, reason);
        self.pending_discontinuity |= reason == CutReason::Tracks;
        self.begin_at(end)
    }

    /// A unit whose clock is not the lead's. Where the lead is gone, this stream is gone by in the end.
    fn foreign(&mut self, pts: Pts33, unit: &UnitStart) -> Placement {
        let since = *self.foreign_since.get_or_insert(pts);
        if pts.since(since) < -BACK_TOLERANCE {
            self.foreign_since = Some(pts);
        }
        if pts.since(since) < FOREIGN_PATIENCE {
            return Placement::Stay;
        }
        self.lead(&UnitStart { random_access: RandomAccess::None, ..*unit })
    }

    fn join_without_lead(&mut self, pts: Pts33) -> Placement {
        let first = *self.joining.first_other.get_or_insert(pts);
        if pts.since(first) < -BACK_TOLERANCE {
            self.joining.first_other = Some(pts);
        }
        let waits_for_key = self.joining.first_lead.is_some();
        let patience = if waits_for_key { self.rules.max_length } else { LEAD_PATIENCE };
        if pts.since(first) < patience {
            return Placement::Stay;
        }
        self.restart_clock(pts);
        let (time, _) = self.timeline.advance(pts, pts, self.arrived);
        self.begin_at(time)
    }

    /// Begins a segment with a unit that is not the lead's.
    fn begin_at(&mut self, time: MediaTime) -> Placement {
        self.open(time, false, false);
        Placement::Cut
    }
}

fn sound_changed(unit: &UnitStart) -> bool {
    unit.kind == UnitKind::Audio { changed: true }
}

impl Cutter for Plan {
    fn at_unit(&mut self, unit: &UnitStart) -> Placement {
        let placement = if unit.lead {
            self.foreign_since = None;
            self.lead(unit)
        } else {
            self.other(unit)
        };
        if let Some(Open { holds, .. }) = &mut self.segment {
            match unit.kind {
                UnitKind::Video => holds.video = true,
                UnitKind::Audio { .. } => holds.audio = true,
                UnitKind::Data => {}
            }
        }
        placement
    }

    fn date(&self) -> WallTime {
        self.segment.as_ref().map_or(self.start, |segment| segment.facts.date)
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
