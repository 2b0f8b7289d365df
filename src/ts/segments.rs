//! The open segment and the one ahead of it: which of the two each packet goes into.
//!
//! At a cut each PID stays in the old segment until its open PES packet (or section) ends; meanwhile the
//! others' packets wait for the next segment, in memory, for at most a second of media or 1 MiB. Then the
//! rest is divided and counted as torn. A segment may also be ahead before it is known with which unit it
//! begins: after a new map, and after an interruption.
//!
//! Tables go into a segment ahead only once a packet does, so that a silent input's repeated tables do
//! not pile up.

use std::collections::VecDeque;

use bytes::Bytes;

use super::appender::Appender;
use super::notes::Notes;
use super::packet::{Packet, Pid};
use super::tables::Tables;
use super::track::{Track, TrackKind};
use crate::media::Split;
use crate::time::{MediaSpan, Pts33};

/// Bytes that may wait for open PES packets to end.
const MAX_WAITING_BYTES: u64 = 1024 * 1024;
/// Media time that open PES packets may take to end.
const MAX_WAITING_TIME: MediaSpan = MediaSpan::from_secs(1);

/// A packet, and the place in a buffer where it lies.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub packet: Packet<'a>,
    pub buffer: &'a Bytes,
    pub offset: usize,
}

impl<'a> Piece<'a> {
    #[inline]
    pub fn at(buffer: &'a Bytes, offset: usize) -> Option<Self> {
        Some(Self { packet: Packet::at(buffer, offset)?, buffer, offset })
    }
}

/// The next segment while the old one still has open PES packets, or while it is not yet known with
/// which unit it begins.
#[derive(Debug, Default)]
struct Ahead {
    bytes: Appender,
    /// It has its tables, and a packet.
    begun: bool,
    /// The cutter has chosen the unit; only open PES packets hold up the border.
    decided: bool,
    /// PIDs whose open PES packets are waited for.
    waiting: usize,
    /// The first time seen on each of two PIDs: that of the unit, and another, which goes on where the
    /// first falls silent.
    since: [Option<(Pid, Pts33)>; 2],
}

impl Ahead {
    fn begin(&mut self, tables: &mut Tables) {
        if !std::mem::replace(&mut self.begun, true) {
            tables.write_pat(&mut self.bytes);
            tables.write_pmt(&mut self.bytes);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Segments {
    /// Whether a segment is open.
    open: bool,
    segment: Appender,
    ahead: Option<Ahead>,
    out: VecDeque<Split>,
}

impl Segments {
    pub fn pull(&mut self) -> Option<Split> {
        self.out.pop_front()
    }

    pub fn is_open(&self) -> bool {
        self.open
    }

    /// A segment is open, or packets are kept for one.
    pub fn is_recording(&self) -> bool {
        self.open || self.ahead.is_some()
    }

    /// A segment is open, and nothing is waited for.
    #[inline]
    pub fn is_settled(&self) -> bool {
        self.open && self.ahead.is_none()
    }

    /// The next segment is only waited for by open PES packets.
    fn is_decided(&self) -> bool {
        self.ahead.as_ref().is_some_and(|ahead| ahead.decided)
    }

    /// Packets wait for a segment to begin, with whichever unit.
    pub fn lacks_unit(&self) -> bool {
        self.ahead.as_ref().is_some_and(|ahead| !ahead.decided && ahead.begun)
    }

    /// A segment must begin with the next unit, while another is open.
    pub fn must_cut(&self) -> bool {
        self.open && self.ahead.as_ref().is_some_and(|ahead| !ahead.decided)
    }

    /// More waits than may.
    #[inline]
    pub fn is_overfull(&self) -> bool {
        self.ahead.as_ref().is_some_and(|ahead| ahead.bytes.len() > MAX_WAITING_BYTES)
    }

    /// Bytes of the segment that the latest unit is in.
    pub fn len(&self) -> u64 {
        let ahead = self.ahead.as_ref().filter(|ahead| ahead.decided || !self.open);
        ahead.map_or(self.segment.len(), |ahead| ahead.bytes.len())
    }

    /// Keeps what begins from now on for the next segment.
    pub fn begin_ahead(&mut self) {
        self.ahead.get_or_insert_default();
    }

    /// Begins a segment with the unit that begins now on the PID `by`. Says whether the old one is
    /// complete.
    pub fn cut(
        &mut self,
        by: Option<Pid>,
        dts: Option<Pts33>,
        tracks: &mut [Track],
        tables: &mut Tables,
    ) -> bool {
        if !self.is_recording() {
            self.open = true;
            self.segment = Appender::default();
            self.out.push_back(Split::Opened);
            tables.write_pat(&mut self.segment);
            tables.write_pmt(&mut self.segment);
            return false;
        }
        let ahead = self.ahead.get_or_insert_default();
        for track in tracks {
            if !track.ahead && !track.retired {
                track.ahead = by == Some(track.pid) || !track.is_open();
                ahead.waiting += usize::from(!track.ahead);
            }
        }
        ahead.decided = true;
        ahead.since = [by.zip(dts), None];
        ahead.waiting == 0
    }

    /// Whether open PES packets have taken too long to end, by a unit that begins now.
    pub fn waited_too_long(&mut self, pid: Pid, dts: Option<Pts33>) -> bool {
        let Some((ahead, now)) = self.ahead.as_mut().filter(|ahead| ahead.decided).zip(dts) else {
            return false;
        };
        for since in &mut ahead.since {
            let (clock, first) = *since.get_or_insert((pid, now));
            if clock == pid {
                return now.since(first).abs() > MAX_WAITING_TIME;
            }
        }
        false
    }

    /// Makes the segment ahead the open one, whether or not PES packets are still open in the old one.
    /// Does nothing where none is ahead or its unit is not known.
    pub fn end_waiting(&mut self, tracks: &mut [Track], tables: &mut Tables) {
        let Some(mut ahead) = self.ahead.take_if(|ahead| ahead.decided) else { return };
        ahead.begin(tables);
        let old = std::mem::replace(&mut self.segment, ahead.bytes);
        self.seal(old);
        self.out.push_back(Split::Opened);
        self.open = true;
        for track in tracks {
            track.torn |= !track.ahead && track.is_open();
            track.ahead = false;
        }
    }

    /// Ends the open segment; what still comes is kept for the next one.
    pub fn interrupt(&mut self, tracks: &mut [Track]) {
        let old = std::mem::take(&mut self.segment);
        self.seal(old);
        self.begin_ahead();
        for track in tracks {
            track.torn |= !track.ahead && track.is_open();
            track.ahead = true;
        }
    }

    /// Ends the open segment for good.
    pub fn finish(&mut self) {
        let old = std::mem::take(&mut self.segment);
        self.seal(old);
        self.ahead = None;
    }

    fn seal(&mut self, mut old: Appender) {
        self.out.extend(old.take().into_iter().map(Split::Bytes));
        if std::mem::take(&mut self.open) {
            self.out.push_back(Split::Sealed);
        }
    }

    /// Appends the next packet of a unit under way, while nothing is waited for.
    #[inline]
    pub fn append(&mut self, piece: Piece<'_>) {
        self.segment.packet(piece.buffer, piece.offset);
    }

    /// Puts a packet into the segment it belongs to. Says whether the old one is complete.
    #[inline]
    pub fn place(
        &mut self,
        piece: Piece<'_>,
        duplicate: bool,
        track: &mut Track,
        tables: &mut Tables,
        notes: &mut Notes,
    ) -> bool {
        let packet = piece.packet;
        let starts = packet.unit_start() && packet.has_payload() && !duplicate;
        if !self.is_recording() || !track.started && !starts {
            // Tables that nobody needs yet are no loss.
            notes.packets_before_start += u64::from(matches!(track.kind, TrackKind::Pes(_)));
            return false;
        }
        track.started = true;
        let continues = track.continues(packet, starts);
        if std::mem::take(&mut track.torn) {
            notes.torn_pes += u64::from(continues);
        }
        let waited_for = self.is_decided() && !track.ahead && !track.retired;
        let begins_ahead = waited_for && starts && !continues;
        track.ahead |= begins_ahead;
        if !duplicate {
            track.follow(packet);
        }
        let Some(ahead) = &mut self.ahead else {
            self.segment.packet(piece.buffer, piece.offset);
            return false;
        };
        if track.ahead {
            ahead.begin(tables);
            ahead.bytes.packet(piece.buffer, piece.offset);
        } else {
            self.segment.packet(piece.buffer, piece.offset);
            track.ahead = waited_for && !track.is_open();
        }
        ahead.waiting -= usize::from(waited_for && track.ahead);
        ahead.decided && ahead.waiting == 0
    }

    /// Tables switch to the next segment at once; before the first there is nowhere to write them.
    pub fn table_target(&mut self) -> Option<&mut Appender> {
        match &mut self.ahead {
            Some(ahead) => ahead.begun.then_some(&mut ahead.bytes),
            None => self.open.then_some(&mut self.segment),
        }
    }

    /// Gives out what is in the open segment. What waits must outlive the chunk it came in.
    pub fn give_out(&mut self) {
        if self.open {
            let bytes = self.segment.take();
            self.out.extend(bytes.into_iter().map(Split::Bytes));
        }
        if let Some(ahead) = &mut self.ahead {
            ahead.bytes.keep();
        }
    }
}
