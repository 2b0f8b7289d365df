//! Brings the frames of several tracks into the order of their decoding times.
//!
//! A frame waits until every track has one waiting, so that none can come that belongs before it, but no longer than
//! [`WINDOW`] of media: a track that begins late, pauses or ends holds no other up beyond that. What comes later than its
//! place goes out at once, behind what is gone.
//!
//! Times that a track may show: they rise (the usual); one does not, within [`BACK_TOLERANCE`]: it is decoded right after the
//! frame before, and counted; they go back further, or leap ahead: the clock has begun anew. Frames of the old clock go out
//! before those of the new one, also of tracks that learn of it later. Negative times are times like others.

use std::collections::VecDeque;
use std::ops::Add;

use bytes::Bytes;
use serde::Serialize;

use super::Frame;
use crate::time::{MediaSpan, MediaTime};

/// Frames wait no longer than this for those of other tracks.
const WINDOW: MediaSpan = MediaSpan::from_millis(500);
/// Bytes that may wait, beside the latest frame.
const MAX_WAITING_BYTES: usize = 4 << 20;
/// Frames that may wait.
const MAX_WAITING: usize = 1024;
/// No frame is larger.
const MAX_FRAME: usize = 16 << 20;
/// Times beyond this are damage: 1,500 years.
const MAX_TICKS: u64 = 1 << 52;
/// Times that go back further are those of a clock that has begun anew.
const BACK_TOLERANCE: MediaSpan = MediaSpan::from_secs(1);
/// Times that go on further ahead are as good as those of another clock.
const LEAP: MediaSpan = MediaSpan::from_secs(10);
const TICK: MediaSpan = MediaSpan::from_ticks(1);

/// What was seen of encoded frames and what was left out, since the begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct FrameNotes {
    /// Frames that came.
    pub frames: u64,
    /// Frames dropped before the first segment began: no key frame yet.
    pub frames_before_start: u64,
    /// Frames whose decoding time is not after that of the frame before, and was made so.
    pub late_frames: u64,
    /// Frames dropped because they have no time, and neither had one before them.
    pub frames_without_time: u64,
    /// Frames dropped as damaged: empty, too large, without a unit of their codec, or of an absurd time.
    pub damaged_frames: u64,
}

impl FrameNotes {
    /// The counts that speak of a fault; the others, which every input has, are 0.
    #[must_use]
    pub fn faults(self) -> Self {
        Self { frames: 0, frames_before_start: 0, ..self }
    }
}

impl Add for FrameNotes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            frames: self.frames + other.frames,
            frames_before_start: self.frames_before_start + other.frames_before_start,
            late_frames: self.late_frames + other.late_frames,
            frames_without_time: self.frames_without_time + other.frames_without_time,
            damaged_frames: self.damaged_frames + other.damaged_frames,
        }
    }
}

/// A frame in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Timed {
    pub track: usize,
    pub pts: MediaTime,
    pub dts: MediaTime,
    pub key: bool,
    pub data: Bytes,
    /// The track's clock begins anew with it.
    pub restarts: bool,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Place, Timed)>,
    /// How often the clock has begun anew, as far as the track knows.
    run: u64,
    /// The latest decoding time.
    last: Option<MediaTime>,
    /// How far it was after the one before.
    step: MediaSpan,
}

/// Where a frame belongs: in a run of the clock, at its decoding time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Place {
    run: u64,
    dts: MediaTime,
}

/// The state of the interleaving. The head of this file says how it works.
#[derive(Debug)]
pub(crate) struct Interleaver {
    tracks: Vec<Queue>,
    /// Of frames for the same time, its come first.
    lead: usize,
    waiting: usize,
    waiting_bytes: usize,
    /// The latest that came of the newest run.
    newest: Place,
    /// Goes out next, whatever comes.
    ready: VecDeque<Timed>,
    pub notes: FrameNotes,
}

impl Interleaver {
    /// One for so many tracks.
    pub fn new(tracks: usize, lead: usize) -> Self {
        Self {
            tracks: std::iter::repeat_with(Queue::default).take(tracks).collect(),
            lead,
            waiting: 0,
            waiting_bytes: 0,
            newest: Place::default(),
            ready: VecDeque::new(),
            notes: FrameNotes::default(),
        }
    }

    /// How many tracks there are.
    pub fn tracks(&self) -> usize {
        self.tracks.len()
    }

    /// Takes a frame of one of the tracks. All that it completes can be pulled after it.
    pub fn push(&mut self, frame: Frame) {
        self.notes.frames += 1;
        let is_sane =
            |time: Option<MediaTime>| time.is_none_or(|time| time.ticks().unsigned_abs() < MAX_TICKS);
        let sane = (1..=MAX_FRAME).contains(&frame.data.len()) && is_sane(frame.pts) && is_sane(frame.dts);
        let Some(queue) = self.tracks.get(frame.track).filter(|_| sane) else {
            self.notes.damaged_frames += 1;
            return;
        };
        let follows = || queue.last.map(|last| last + queue.step);
        let Some(mut dts) = frame.dts.or(frame.pts).or_else(follows) else {
            self.notes.frames_without_time += 1;
            return;
        };
        let pts = frame.pts.unwrap_or(dts);
        let (last, mut step, mut run) = (queue.last, queue.step, queue.run);
        let restarts = last.is_some_and(|last| last - dts > BACK_TOLERANCE);
        let leaps = last.is_some_and(|last| dts - last > LEAP);
        // Where the track's own times say nothing of it, those of the others tell.
        if restarts || leaps || run < self.newest.run && (dts - self.newest.dts).abs() <= BACK_TOLERANCE {
            run += 1;
        }
        match last {
            _ if restarts => {}
            Some(last) if dts <= last => {
                self.notes.late_frames += 1;
                dts = last + TICK;
            }
            Some(last) => step = dts - last,
            None => {}
        }
        self.waiting += 1;
        self.waiting_bytes += frame.data.len();
        let Some(queue) = self.tracks.get_mut(frame.track) else { return };
        (queue.last, queue.step, queue.run) = (Some(dts), step, run);
        let place = Place { run, dts };
        self.newest = self.newest.max(place);
        let Frame { track, key, data, .. } = frame;
        queue.waiting.push_back((place, Timed { track, pts, dts, key, data, restarts }));
    }

    /// The next frame that waits for no other.
    pub fn pull(&mut self) -> Option<Timed> {
        if let Some(ready) = self.ready.pop_front() {
            return Some(ready);
        }
        if self.is_due() { self.pop() } else { None }
    }

    /// Lets all go that waits: nothing more is coming, or not for long.
    pub fn release(&mut self) {
        while let Some(timed) = self.pop() {
            self.ready.push_back(timed);
        }
    }

    fn is_due(&self) -> bool {
        let full = self.waiting > MAX_WAITING || self.waiting_bytes > MAX_WAITING_BYTES;
        if full || self.tracks.iter().all(|queue| !queue.waiting.is_empty()) {
            return true;
        }
        // Of the newest run: those of older ones go out with it.
        let ends =
            self.tracks.iter().flat_map(|queue| [queue.waiting.front(), queue.waiting.back()]).flatten();
        let newest = ends.map(|(place, _)| *place).filter(|place| place.run == self.newest.run);
        newest.min().is_some_and(|first| self.newest.dts - first.dts > WINDOW)
    }

    fn pop(&mut self) -> Option<Timed> {
        let lead = self.lead;
        let heads = self.tracks.iter_mut().filter(|queue| !queue.waiting.is_empty());
        let first = heads.min_by_key(|queue| {
            queue.waiting.front().map(|(place, timed)| (*place, timed.track != lead, timed.track))
        })?;
        let (_, timed) = first.waiting.pop_front()?;
        self.waiting -= 1;
        self.waiting_bytes -= timed.data.len();
        Some(timed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(track: usize, millis: impl Into<Option<i64>>) -> Frame {
        let pts = millis.into().map(|millis: i64| MediaTime::from_ticks(millis * 90));
        Frame { track, pts, dts: None, key: true, data: Bytes::from_static(b"x") }
    }

    fn drain(interleaver: &mut Interleaver) -> Vec<(usize, i64)> {
        let next = || interleaver.pull().map(|timed| (timed.track, timed.dts.ticks() / 90));
        std::iter::from_fn(next).collect()
    }

    fn push(interleaver: &mut Interleaver, frames: &[(usize, i64)]) -> Vec<(usize, i64)> {
        frames.iter().for_each(|&(track, millis)| interleaver.push(frame(track, millis)));
        drain(interleaver)
    }

    #[test]
    fn frames_wait_for_those_that_belong_before_them() {
        let mut two = Interleaver::new(2, 1);
        assert_eq!(push(&mut two, &[(0, 0), (0, 20), (0, 40)]), []);
        // For the same time the lead comes first.
        assert_eq!(push(&mut two, &[(1, 0)]), [(1, 0)]);
        assert_eq!(push(&mut two, &[(1, 33)]), [(0, 0), (0, 20), (1, 33)]);
        two.release();
        assert_eq!(drain(&mut two), [(0, 40)]);
    }

    #[test]
    fn a_track_that_is_silent_holds_no_other_up_for_long() {
        let mut two = Interleaver::new(2, 0);
        assert_eq!(push(&mut two, &[(0, 0), (0, 250), (0, 500)]), []);
        assert_eq!(push(&mut two, &[(0, 510)]), [(0, 0)]);
        // What comes late goes out behind what is gone.
        assert_eq!(push(&mut two, &[(1, -80)]), [(1, -80)]);
    }

    #[test]
    fn bytes_and_frames_that_wait_are_bounded() {
        let mut two = Interleaver::new(2, 0);
        let all: Vec<_> = (0..MAX_WAITING as i64 + 1).map(|n| (0, n / 10)).collect();
        assert_eq!(push(&mut two, &all).len(), 1);
        let mut two = Interleaver::new(2, 0);
        let data = Bytes::from(vec![0; MAX_WAITING_BYTES / 2 + 1]);
        (0..2).for_each(|n| two.push(Frame { data: data.clone(), ..frame(0, n) }));
        assert_eq!(drain(&mut two).len(), 1);
        two.push(Frame { data: Bytes::from(vec![0; MAX_FRAME + 1]), ..frame(0, 3) });
        assert_eq!(two.notes.damaged_frames, 1);
    }

    #[test]
    fn times_that_do_not_rise_have_a_meaning() {
        let mut one = Interleaver::new(1, 0);
        one.push(frame(0, None));
        assert_eq!((drain(&mut one), one.notes.frames_without_time), (vec![], 1));
        assert_eq!(push(&mut one, &[(0, -40), (0, 0)]), [(0, -40), (0, 0)]);
        one.push(frame(0, None));
        assert_eq!(drain(&mut one), [(0, 40)]);
        // Pictures in the order of their decoding that tell only when they are shown.
        [160, 80, 120].into_iter().for_each(|millis| one.push(frame(0, millis)));
        let times: Vec<_> = std::iter::from_fn(|| one.pull())
            .map(|timed| (timed.pts.ticks() / 90, timed.dts.ticks()))
            .collect();
        assert_eq!(times, [(160, 14_400), (80, 14_401), (120, 14_402)]);
        assert_eq!(one.notes.late_frames, 2);
        let far = MediaTime::from_ticks(1 << 52);
        one.push(Frame { dts: Some(far), ..frame(0, 200) });
        assert_eq!(one.notes.damaged_frames, 1);
    }

    #[test]
    fn frames_of_the_old_clock_go_out_before_those_of_the_new_one() {
        let mut two = Interleaver::new(2, 0);
        assert_eq!(push(&mut two, &[(0, 90_000), (0, 90_040)]), []);
        // The other track learns of it later.
        assert_eq!(
            push(&mut two, &[(0, 0), (1, 90_020), (1, 90_060)]),
            [(0, 90_000), (1, 90_020), (0, 90_040), (1, 90_060)]
        );
        assert_eq!(push(&mut two, &[(1, 20)]), [(0, 0)]);
        two.push(frame(0, 40));
        let next = two.pull().unwrap();
        assert_eq!((next.track, next.dts.ticks(), next.restarts), (1, 20 * 90, true));
        // One that never learns of it, or goes back too little to tell, holds nothing up for long.
        let mut two = Interleaver::new(2, 0);
        assert_eq!(push(&mut two, &[(0, 9_000), (1, 9_000)]), [(0, 9_000)]);
        assert_eq!(push(&mut two, &[(0, 7_500), (0, 8_050)]), [(1, 9_000), (0, 7_500)]);
        assert_eq!(
            push(&mut two, &[(1, 9_020), (1, 9_040), (0, 9_030)]),
            [(0, 8_050), (1, 9_020), (0, 9_030)]
        );
    }
}
