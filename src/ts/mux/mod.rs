//! Makes transport stream segments of encoded frames.
//!
//! Frames go in, in any order that an [`Interleaver`] can mend; [`Split`]s come out, and a [`Cutter`] is asked at each frame
//! whether a segment begins with it. Each frame is one PES packet with its own times. A segment begins with PAT and PMT, which
//! are repeated for those who join in between. The clock (PCR) stands on the packets of the lead, [`DELAY`] before their
//! decoding times, and in packets of its own wherever it would be silent for more than [`CLOCK_STEP`].

mod packets;
mod tables;
mod unit;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::media::{
    Container, Cutter, Frame, FrameNotes, Interleaver, Placement, Split, Timed, Track, TrackError, UnitKind,
    UnitStart,
};
use crate::time::{MediaSpan, MediaTime, Pts33};
use packets::{Clock, PesPacket};
use tables::Tables;
use unit::{MuxTrack, Unit};

/// The clock is so much before the decoding time of the frame that it stands with.
const DELAY: MediaSpan = MediaSpan::from_millis(200);
/// The clock stands at least so often in the stream.
const CLOCK_STEP: MediaSpan = MediaSpan::from_millis(40);
/// A longer step is not filled with clocks: nothing was there.
const LONGEST_STEP: MediaSpan = MediaSpan::from_secs(10);
/// A clock that goes back further has begun anew.
const BACK_TOLERANCE: MediaSpan = MediaSpan::from_secs(1);
/// PAT and PMT stand at least so often in the stream.
const TABLES_STEP: MediaSpan = MediaSpan::from_millis(400);

/// The muxer's state. The head of this file says how it works.
#[derive(Debug)]
pub(crate) struct TsMuxer {
    interleaver: Interleaver,
    tracks: Vec<MuxTrack>,
    /// The track that decides where segments begin, and bears the clock.
    lead: usize,
    tables: Tables,
    /// When the tables stood in the stream last.
    tables_at: Option<MediaTime>,
    /// The latest clock.
    clock: Option<MediaTime>,
    /// The clock has begun anew, and has not said so yet.
    jumped: bool,
    /// Bytes of the open segment.
    segment: Option<u64>,
    buffer: BytesMut,
    out: VecDeque<Split>,
}

impl TsMuxer {
    /// A muxer of these tracks.
    ///
    /// # Errors
    /// Why they have no place in a transport stream.
    pub fn new(tracks: &[Track]) -> Result<Self, TrackError> {
        let lead = Track::lead(tracks, Container::MpegTs)?;
        let made: Result<Vec<_>, _> =
            tracks.iter().enumerate().map(|(index, track)| MuxTrack::new(index, track)).collect();
        let made = made?;
        Ok(Self {
            interleaver: Interleaver::new(tracks.len(), lead),
            tables: Tables::new(&made, lead),
            tracks: made,
            lead,
            tables_at: None,
            clock: None,
            jumped: false,
            segment: None,
            buffer: BytesMut::new(),
            out: VecDeque::new(),
        })
    }

    /// How many tracks there are.
    pub fn tracks(&self) -> usize {
        self.tracks.len()
    }

    /// Takes a frame of one of the tracks.
    pub fn push(&mut self, frame: Frame, cutter: &mut impl Cutter) {
        self.interleaver.push(frame);
        self.place_all(cutter);
    }

    /// The next piece of output. All that a `push` decided can be pulled after it.
    pub fn pull(&mut self) -> Option<Split> {
        self.out.pop_front()
    }

    /// Ends the open segment with all that waits: the input has been silent for long, or has ended.
    pub fn interrupt(&mut self, cutter: &mut impl Cutter) {
        self.interleaver.release();
        self.place_all(cutter);
        self.seal();
    }

    /// Counted oddities so far.
    pub fn notes(&self) -> FrameNotes {
        self.interleaver.notes
    }

    fn place_all(&mut self, cutter: &mut impl Cutter) {
        while let Some(timed) = self.interleaver.pull() {
            self.place(&timed, cutter);
        }
    }

    fn place(&mut self, timed: &Timed, cutter: &mut impl Cutter) {
        let Some(track) = self.tracks.get_mut(timed.track) else { return };
        let Some(unit) = track.unit(timed) else {
            self.interleaver.notes.damaged_frames += 1;
            return;
        };
        if unit.is_empty() {
            return;
        }
        let lead = timed.track == self.lead;
        let start = UnitStart {
            lead,
            pts: Some(Pts33::from(timed.pts)),
            dts: Some(Pts33::from(timed.dts)),
            random_access: unit.facts.random_access,
            video_format: unit.facts.video_format,
            kind: if track.is_video {
                UnitKind::Video
            } else {
                UnitKind::Audio { changed: unit.audio_changed }
            },
            discontinuity: lead && timed.restarts,
            tracks_changed: false,
            segment_bytes: self.segment.unwrap_or(0),
        };
        match cutter.at_unit(&start) {
            Placement::Cut => self.open(),
            Placement::Stay if self.segment.is_none() => {
                self.interleaver.notes.frames_before_start += 1;
                return;
            }
            Placement::Stay => {}
        }
        self.write(timed, &unit);
    }

    fn open(&mut self) {
        self.seal();
        self.out.push_back(Split::Opened);
        self.segment = Some(0);
        self.tables_at = None;
    }

    fn seal(&mut self) {
        if self.segment.take().is_some() {
            self.out.push_back(Split::Sealed);
        }
    }

    fn write(&mut self, timed: &Timed, unit: &Unit) {
        let now = timed.dts - DELAY;
        let begins = self.tables_at.is_none();
        if self.tables_at.is_none_or(|at| (now - at).abs() >= TABLES_STEP) {
            self.tables.write(&mut self.buffer);
            self.tables_at = Some(now);
        }
        let clock = self.clock(now, begins, timed.track == self.lead);
        let Some(track) = self.tracks.get_mut(timed.track) else { return };
        let times = (Pts33::from(timed.pts), Pts33::from(timed.dts));
        let packet = PesPacket {
            stream_id: track.stream_id,
            times,
            bounded: !track.is_video,
            random_access: unit.is_key(),
            clock,
            parts: [&unit.front, &unit.body],
        };
        packet.write(track.pid, &mut track.counter, &mut self.buffer);
        let bytes: Bytes = self.buffer.split().freeze();
        if let Some(segment) = &mut self.segment {
            *segment += bytes.len() as u64;
        }
        self.out.push_back(Split::Bytes(bytes));
    }

    /// Writes the clocks that are due before `now`; gives that of a frame of the lead.
    fn clock(&mut self, now: MediaTime, begins: bool, is_lead: bool) -> Option<Clock> {
        let step = self.clock.map(|last| now - last);
        if step.is_some_and(|step| step < -BACK_TOLERANCE || step > LONGEST_STEP) {
            self.clock = None;
            self.jumped = true;
        }
        while let Some(next) = self.clock.map(|last| last + CLOCK_STEP).filter(|next| *next < now) {
            self.write_clock(next);
        }
        let goes_on = self.clock.is_none_or(|last| last < now);
        if is_lead && goes_on {
            self.clock = Some(now);
            return Some(Clock { at: Pts33::from(now), jumped: std::mem::take(&mut self.jumped) });
        }
        // A segment that begins with another track tells its clock first.
        if !is_lead && (self.clock.is_none() || begins && goes_on) {
            self.write_clock(now);
        }
        None
    }

    /// A packet with nothing but the clock.
    fn write_clock(&mut self, at: MediaTime) {
        let clock = Clock { at: Pts33::from(at), jumped: std::mem::take(&mut self.jumped) };
        if let Some(lead) = self.tracks.get(self.lead) {
            clock.write(lead.pid, lead.counter, &mut self.buffer);
        }
        self.clock = Some(at);
    }
}
