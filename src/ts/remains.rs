//! What is whole of a segment whose writing was cut off: pure.
//!
//! In: the bytes of a segment as a [`Splitter`](super::Splitter) made it, up to anywhere, or with damage. Out: which of
//! them to keep. They are whole packets, PAT and PMT first, and of each PID whole PES packets or sections: the last one,
//! where it is not complete, is left out from its start on. It is complete when its declared length is reached; without
//! one, when another begins behind it on its PID, or when its last packet is stuffed, which a multiplexer does
//! only at the end (ISO/IEC 13818-1, 2.4.3.3), unless it was seen to do so elsewhere.
//!
//! What is kept of a PID is always a begin of what was there, so that counters have no new gaps, and nothing is
//! copied. Faults of the stream that its recorder passed on stay as they are; where a packet's place holds no packet,
//! that place is left out.

use std::collections::BTreeMap;
use std::ops::Range;

use super::candidate::by_indicator;
use super::clock::ProgramClock;
use super::packet::{PACKET_LEN, Packet, Pid, SYNC_BYTE};
use super::program::{Program, Route};
use super::stream_type::StreamKind;
use super::tables::{TableNews, Tables};
use super::track::{Continuity, TrackKind};
use crate::media::{Unfit, UnitTimes};
use crate::time::MediaSpan;

/// Units of other streams alone, when the first of the lead is torn, are worth keeping from this length on: no player
/// shows less of a program whose pictures are missing.
const WITHOUT_LEAD: MediaSpan = MediaSpan::from_secs(1);

/// What can be kept of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// The bytes, as ranges of what was given: in order, with something left out between any two.
    pub kept: Vec<Range<usize>>,
    /// The units in them whose times are known, in the order of their begins.
    pub units: Vec<UnitTimes>,
}

/// What is known of a PID.
#[derive(Debug, Default)]
struct Stream {
    /// A unit's begin was seen, or nothing is missing in front of its first packet.
    started: bool,
    /// Packets before this offset are of whole units.
    complete: usize,
    /// Its latest packet with a payload is stuffed.
    stuffed: bool,
    /// One in the middle of a unit was.
    stuffs_anywhere: bool,
}

struct Unit {
    offset: usize,
    pid: Pid,
    lead: bool,
    times: Option<UnitTimes>,
}

#[derive(Default)]
struct Head {
    pat: Vec<usize>,
    pmt: Vec<usize>,
}

struct Look {
    tables: Tables,
    program: Program,
    clock: ProgramClock,
    streams: BTreeMap<Pid, Stream>,
    /// The tables' packets before the program is known.
    head: Head,
    /// Nothing but tables came before the program was known.
    intact: bool,
    /// Offsets of packets, with their PID where it is not a table's.
    packets: Vec<(usize, Option<Pid>)>,
    units: Vec<Unit>,
}

impl Remains {
    /// Looks at all of a segment's bytes.
    ///
    /// # Errors
    /// Why nothing can be kept.
    pub fn of(bytes: &[u8]) -> Result<Self, Unfit> {
        let mut look = Look {
            tables: Tables::new(None),
            program: Program::new(),
            clock: ProgramClock::default(),
            streams: BTreeMap::new(),
            head: Head::default(),
            intact: true,
            packets: Vec::new(),
            units: Vec::new(),
        };
        for offset in (0..bytes.len()).step_by(PACKET_LEN) {
            // The last one may not be whole.
            let Some(packet) = Packet::at(bytes, offset) else { break };
            look.take(offset, packet);
        }
        look.conclude()
    }

    /// How many bytes are kept.
    pub fn len(&self) -> usize {
        self.kept.iter().map(ExactSizeIterator::len).sum()
    }

    /// Whether none is. Never so.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

impl Look {
    fn take(&mut self, offset: usize, packet: Packet<'_>) {
        let known = self.tables.pmt().is_some();
        if packet.bytes().first() != Some(&SYNC_BYTE) {
            self.intact &= known;
            return;
        }
        match self.program.route(packet.pid()) {
            Route::Pat => self.on_pat(offset, packet),
            Route::Pmt => self.on_pmt(offset, packet),
            Route::Track(_) => self.on_track(offset, packet),
            Route::Foreign | Route::Null => self.intact &= known,
        }
    }

    fn on_pat(&mut self, offset: usize, packet: Packet<'_>) {
        if self.tables.push_pat(packet) == TableNews::Moved {
            self.program.map_at(self.tables.map_pid());
        }
        if self.tables.pmt().is_some() {
            return self.packets.push((offset, None));
        }
        if packet.unit_start() {
            self.head = Head::default();
        }
        self.head.pat.push(offset);
    }

    fn on_pmt(&mut self, offset: usize, packet: Packet<'_>) {
        let known = self.tables.pmt().is_some();
        if !known {
            if packet.unit_start() {
                self.head.pmt.clear();
            }
            self.head.pmt.push(offset);
        }
        if self.tables.push_pmt(packet) == TableNews::Tracks
            && let Some(pmt) = self.tables.pmt()
        {
            self.program.adopt(pmt, false);
        }
        if known {
            self.packets.push((offset, None));
        } else if self.tables.pmt().is_some() {
            let Head { pat, pmt } = std::mem::take(&mut self.head);
            self.packets.extend(pat.into_iter().chain(pmt).map(|offset| (offset, None)));
        }
    }

    fn on_track(&mut self, offset: usize, packet: Packet<'_>) {
        let pid = packet.pid();
        self.program.hand_over(packet);
        let (lead, is_clock) = (self.program.leads(pid), self.program.is_clock(pid));
        let Some(track) = self.program.track(pid) else { return };
        if is_clock {
            self.clock.take(packet);
        }
        let repeats = track.count(packet) == Continuity::Duplicate;
        let starts = packet.unit_start() && packet.has_payload() && !repeats;
        let new = || Stream { started: self.intact, ..Stream::default() };
        let stream = self.streams.entry(pid).or_insert_with(new);
        stream.started |= starts || track.kind == TrackKind::Clock;
        if !stream.started {
            // The rest of a unit whose begin is missing.
            return;
        }
        self.packets.push((offset, Some(pid)));
        if let (true, TrackKind::Pes(kind)) = (starts, track.kind) {
            stream.complete = offset;
            let tells = lead || matches!(kind, StreamKind::Audio(_));
            let header = by_indicator(packet).header.filter(|_| tells);
            let pts = header.and_then(|header| header.pts);
            let mut dts = header.and_then(|header| header.dts).or(pts);
            if lead {
                // A scrambled stream shows no time stamps; its clock does.
                dts = self.clock.stamp(dts);
            }
            let times = pts.or(dts).zip(dts).map(|(pts, dts)| UnitTimes { lead, pts, dts });
            self.units.push(Unit { offset, pid, lead, times });
        }
        if packet.has_payload() && !repeats {
            stream.stuffs_anywhere |= stream.stuffed && !starts;
            stream.stuffed = packet.is_stuffed();
            track.follow(packet);
        }
        if !track.is_open() {
            stream.complete = offset + PACKET_LEN;
        }
    }

    fn conclude(mut self) -> Result<Remains, Unfit> {
        if self.tables.pmt().is_none() {
            return Err(Unfit::NoProgram);
        }
        for (pid, stream) in &mut self.streams {
            let ends = stream.stuffed && !stream.stuffs_anywhere;
            if ends && self.program.track(*pid).is_some_and(|track| track.lacks_length()) {
                stream.complete = usize::MAX;
            }
        }
        let streams = &self.streams;
        let whole =
            |pid: Pid, offset: usize| streams.get(&pid).is_some_and(|stream| offset < stream.complete);
        let (kept, torn): (Vec<Unit>, Vec<Unit>) =
            self.units.into_iter().partition(|unit| whole(unit.pid, unit.offset));
        if kept.is_empty() || lacks_lead(&kept, &torn) {
            return Err(Unfit::NothingWhole);
        }
        let packets =
            self.packets.into_iter().filter(|&(offset, pid)| pid.is_none_or(|pid| whole(pid, offset)));
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for (offset, _) in packets {
            match ranges.last_mut() {
                Some(last) if last.end == offset => last.end += PACKET_LEN,
                _ => ranges.push(offset..offset + PACKET_LEN),
            }
        }
        Ok(Remains { kept: ranges, units: kept.into_iter().filter_map(|unit| unit.times).collect() })
    }
}

/// Whether all that there was of the lead is torn, and the rest is short.
fn lacks_lead(kept: &[Unit], torn: &[Unit]) -> bool {
    if kept.iter().any(|unit| unit.lead) || !torn.iter().any(|unit| unit.lead) {
        return false;
    }
    let mut stamps = kept.iter().chain(torn).filter_map(|unit| unit.times);
    let Some(first) = stamps.next() else { return true };
    stamps.all(|times| times.pts.since(first.pts).abs() <= WITHOUT_LEAD)
}
