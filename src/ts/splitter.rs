//! Splits a transport stream into segments, at the access units that a [`Cutter`] chooses.
//!
//! Bytes go in, in chunks of any size; [`Split`]s come out: bytes of the open segment, and the marks
//! where segments end and begin. Every segment begins with PAT and PMT, then the unit it was cut at.
//! Packets are passed through as they are; no byte of an elementary stream of the chosen program is
//! lost, repeated or reordered from its first unit on. ISO/IEC 13818-1.

use std::collections::VecDeque;

use bytes::Bytes;

use super::candidate::{Candidate, Decided, by_indicator};
use super::clock::ProgramClock;
use super::framer::Framer;
use super::notes::Notes;
use super::packet::{PACKET_LEN, Packet, Pid};
use super::pmt::Pmt;
use super::program::{Program, Route};
use super::segments::{Piece, Segments};
use super::stream_type::StreamKind;
use super::tables::{TableNews, Tables};
use super::track::{Continuity, TrackKind};
use crate::media::{Cutter, Placement, RandomAccess, Split, UnitFacts, UnitKind, UnitStart};
use crate::time::Pts33;

/// Bytes kept of a stream whose map has not come yet.
const MAX_EARLY_BYTES: usize = 1024 * 1024;
/// A unit of a stream without dependent units.
const KEY_UNIT: UnitFacts = UnitFacts { random_access: RandomAccess::Key, video_format: None };

/// Choices of the user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SplitterOptions {
    /// `program_number` to record; `None` takes the PAT's first.
    pub program: Option<u16>,
}

/// The splitter's state. The head of this file says how it works.
#[derive(Debug)]
pub struct Splitter {
    framer: Framer,
    tables: Tables,
    program: Program,
    candidate: Option<Candidate>,
    clock: ProgramClock,
    /// Packets that came before the program's map; replayed once it is known.
    early: VecDeque<Bytes>,
    segments: Segments,
    notes: Notes,
}

impl Splitter {
    /// A splitter at the begin of a stream.
    pub fn new(options: SplitterOptions) -> Self {
        Self {
            framer: Framer::default(),
            tables: Tables::new(options.program),
            program: Program::new(),
            candidate: None,
            clock: ProgramClock::default(),
            early: VecDeque::new(),
            segments: Segments::default(),
            notes: Notes::default(),
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, chunk: &Bytes, cutter: &mut impl Cutter) {
        let mut framer = std::mem::take(&mut self.framer);
        framer.push(chunk, |buffer, offset| self.accept(buffer, offset, cutter));
        self.framer = framer;
        self.segments.give_out();
    }

    /// The next piece of output. All that a `push` decided can be pulled after it.
    pub fn pull(&mut self) -> Option<Split> {
        self.segments.pull()
    }

    /// Ends the open segment now, though its PES packets may go on: the input has been silent for long.
    /// What still comes goes into the next segment, which begins with the next unit.
    pub fn interrupt(&mut self, cutter: &mut impl Cutter) {
        self.conclude_candidate(cutter);
        self.end_waiting();
        if self.segments.is_open() {
            self.segments.interrupt(&mut self.program.tracks);
            self.drop_retired();
        }
    }

    /// Takes what can still be told from the last bytes and ends the open segment.
    pub fn finish(&mut self, cutter: &mut impl Cutter) {
        let mut framer = std::mem::take(&mut self.framer);
        framer.finish(|buffer, offset| self.accept(buffer, offset, cutter));
        self.framer = framer;
        if self.tables.accept_damaged() == TableNews::Tracks {
            self.change_tracks(cutter);
        }
        self.conclude_candidate(cutter);
        if self.segments.lacks_unit() {
            self.cut_without_unit(cutter);
        }
        self.end_waiting();
        self.segments.finish();
    }

    /// Counted oddities so far.
    pub fn notes(&self) -> Notes {
        let framer = self.framer.notes();
        Notes {
            sync_losses: framer.sync_losses,
            skipped_bytes: framer.skipped_bytes,
            table_errors: self.tables.errors(),
            packets: self.notes.packets + self.early.len() as u64,
            ..self.notes
        }
    }

    /// The chosen program's map, once it was seen.
    pub fn pmt(&self) -> Option<&Pmt> {
        self.tables.pmt()
    }

    /// Numbers of the programs that the stream lists; empty before its PAT.
    pub fn programs(&self) -> &[u16] {
        self.tables.programs()
    }

    fn accept(&mut self, buffer: &Bytes, offset: usize, cutter: &mut impl Cutter) {
        let Some(piece) = Piece::at(buffer, offset) else { return };
        if self.go_on(piece) {
            return;
        }
        match self.program.route(piece.packet.pid()) {
            Route::Foreign if self.tables.pmt().is_none() => self.wait_for_map(piece.packet, cutter),
            Route::Foreign => {
                self.notes.packets += 1;
                self.notes.foreign_packets += 1;
            }
            Route::Null => {
                self.notes.packets += 1;
                self.notes.null_packets += 1;
            }
            _ if self.is_holding() => self.hold(piece, cutter),
            route => self.dispatch(route, piece, cutter),
        }
    }

    fn dispatch(&mut self, route: Route, piece: Piece<'_>, cutter: &mut impl Cutter) {
        let packet = piece.packet;
        self.notes.packets += 1;
        self.notes.transport_errors += u64::from(packet.transport_error());
        match route {
            Route::Pat => self.on_pat(packet),
            Route::Pmt => self.on_pmt(packet, cutter),
            Route::Track(_) => self.on_track(piece, cutter),
            Route::Foreign | Route::Null => {}
        }
        if self.segments.is_overfull() {
            self.end_waiting();
            if self.segments.lacks_unit() {
                self.cut_without_unit(cutter);
            }
        }
    }

    /// The short way for what nearly every packet is: a plain piece in the middle of a unit, the next in its
    /// track's count, while nothing is decided or waited for. Does nothing to any other packet.
    #[inline]
    fn go_on(&mut self, piece: Piece<'_>) -> bool {
        let packet = piece.packet;
        if !packet.is_plain() || !self.segments.is_settled() || self.is_holding() {
            return false;
        }
        let Some(track) = self.program.track(packet.pid()) else { return false };
        if !track.go_on(packet.continuity_counter()) {
            return false;
        }
        self.notes.packets += 1;
        self.segments.append(piece);
        true
    }

    /// A stream that is joined may show its map late, after packets that a segment could begin with.
    fn wait_for_map(&mut self, packet: Packet<'_>, cutter: &mut impl Cutter) {
        self.early.push_back(kept(packet));
        if self.early.len() * PACKET_LEN < MAX_EARLY_BYTES {
            return;
        }
        if self.tables.accept_damaged() == TableNews::Tracks {
            return self.change_tracks(cutter);
        }
        self.early.pop_front();
        self.notes.packets += 1;
        self.notes.foreign_packets += 1;
    }

    fn on_pat(&mut self, packet: Packet<'_>) {
        let news = self.tables.push_pat(packet);
        if news == TableNews::Nothing {
            return;
        }
        self.write_pat();
        if news == TableNews::Moved {
            self.program.map_at(self.tables.map_pid());
            self.write_pmt();
        }
    }

    fn on_pmt(&mut self, packet: Packet<'_>, cutter: &mut impl Cutter) {
        match self.tables.push_pmt(packet) {
            TableNews::Pmt => self.write_pmt(),
            TableNews::Tracks => self.change_tracks(cutter),
            _ => {}
        }
    }

    fn on_track(&mut self, piece: Piece<'_>, cutter: &mut impl Cutter) {
        let (packet, pid) = (piece.packet, piece.packet.pid());
        self.program.hand_over(packet);
        let (lead, is_clock) = (self.program.leads(pid), self.program.is_clock(pid));
        let Some(track) = self.program.track(pid) else { return };
        self.notes.scrambled_packets += u64::from(packet.scrambled());
        if is_clock {
            self.clock.take(packet);
        }
        let continuity = track.count(packet);
        match continuity {
            Continuity::Good => {}
            Continuity::Duplicate => self.notes.duplicate_packets += 1,
            Continuity::Broken => self.notes.continuity_errors += 1,
        }
        let duplicate = continuity == Continuity::Duplicate;
        if packet.unit_start() && packet.has_payload() && !duplicate {
            match track.kind {
                TrackKind::Pes(StreamKind::Video(_)) if lead => {
                    let decided = match &mut self.candidate {
                        Some(candidate) if !packet.scrambled() => candidate.begin(packet, || kept(packet)),
                        _ => Some(by_indicator(packet)),
                    };
                    // Nothing decided: the packet is held.
                    let Some(decided) = decided else { return };
                    self.decide(pid, lead, &decided, UnitKind::Video, cutter);
                }
                TrackKind::Pes(StreamKind::Audio(codec)) => {
                    let decided = Decided { facts: KEY_UNIT, ..by_indicator(packet) };
                    let changed = track.audio_changed(codec, &decided, packet);
                    self.decide(pid, lead, &decided, UnitKind::Audio { changed }, cutter);
                }
                TrackKind::Pes(StreamKind::Data) if lead => {
                    let decided = Decided { facts: KEY_UNIT, ..by_indicator(packet) };
                    self.decide(pid, lead, &decided, UnitKind::Data, cutter);
                }
                _ => {}
            }
        }
        self.place(piece, duplicate);
    }

    // Key frames: packets held back until it is known.

    fn is_holding(&self) -> bool {
        self.candidate.as_ref().is_some_and(Candidate::is_open)
    }

    fn hold(&mut self, piece: Piece<'_>, cutter: &mut impl Cutter) {
        let packet = piece.packet;
        let on_lead = self.program.leads(packet.pid()) && packet.has_payload();
        let Some(candidate) = &mut self.candidate else { return };
        let decided = if !on_lead || candidate.repeats(packet) {
            candidate.hold(kept(packet))
        } else if packet.unit_start() {
            self.conclude_candidate(cutter);
            return self.accept(piece.buffer, piece.offset, cutter);
        } else {
            candidate.go_on(kept(packet))
        };
        if let Some(decided) = decided {
            self.release(&decided, cutter);
        }
    }

    fn conclude_candidate(&mut self, cutter: &mut impl Cutter) {
        if self.is_holding()
            && let Some(decided) = self.candidate.as_mut().map(Candidate::conclude)
        {
            self.release(&decided, cutter);
        }
    }

    /// Decides on the unit and sends the packets that were held on their way.
    fn release(&mut self, decided: &Decided, cutter: &mut impl Cutter) {
        let held = self.candidate.as_mut().map(Candidate::release).unwrap_or_default();
        let Some((first, rest)) = held.split_first() else { return };
        if let Some(piece) = Piece::at(first, 0) {
            self.decide(piece.packet.pid(), true, decided, UnitKind::Video, cutter);
            self.place(piece, false);
        }
        for packet in rest {
            self.accept(packet, 0, cutter);
        }
    }

    // Cuts.

    fn decide(&mut self, pid: Pid, lead: bool, decided: &Decided, kind: UnitKind, cutter: &mut impl Cutter) {
        let header = decided.header;
        let mut pts = header.and_then(|header| header.pts);
        let mut dts = header.and_then(|header| header.dts).or(pts);
        if lead {
            // A scrambled stream shows no time stamps; its clock does.
            dts = self.clock.stamp(dts);
            pts = pts.or(dts);
        }
        let unit = UnitStart {
            lead,
            pts,
            dts,
            random_access: decided.facts.random_access,
            video_format: decided.facts.video_format,
            kind,
            discontinuity: decided.discontinuity,
            tracks_changed: self.segments.must_cut(),
            segment_bytes: self.segments.len(),
        };
        if self.segments.waited_too_long(pid, dts) {
            self.end_waiting();
        }
        if cutter.at_unit(&unit) == Placement::Cut {
            self.cut(Some(pid), dts);
        }
    }

    /// Cuts though no unit has come to cut at: what waits must not wait longer.
    fn cut_without_unit(&mut self, cutter: &mut impl Cutter) {
        let unit = UnitStart::missing(self.segments.len());
        if cutter.at_unit(&unit) == Placement::Cut {
            self.cut(None, None);
        }
    }

    /// Begins a segment with the unit that begins now on the PID `by`.
    fn cut(&mut self, by: Option<Pid>, dts: Option<Pts33>) {
        // An earlier border that is still waited for.
        self.end_waiting();
        if self.segments.cut(by, dts, &mut self.program.tracks, &mut self.tables) {
            self.end_waiting();
        }
    }

    fn end_waiting(&mut self) {
        self.segments.end_waiting(&mut self.program.tracks, &mut self.tables);
        if self.segments.is_settled() && self.program.tracks.iter().any(|track| track.retired) {
            self.drop_retired();
        }
    }

    #[inline]
    fn place(&mut self, piece: Piece<'_>, duplicate: bool) {
        // Looked up anew: a decision may have dropped tracks.
        let Some(track) = self.program.track(piece.packet.pid()) else { return };
        if self.segments.place(piece, duplicate, track, &mut self.tables, &mut self.notes) {
            self.end_waiting();
        }
    }

    // Tables.

    /// The PMT describes other streams. Packets of new ones wait for the segment that begins with the next
    /// unit of the lead; the others go on in the open one until then.
    fn change_tracks(&mut self, cutter: &mut impl Cutter) {
        self.conclude_candidate(cutter);
        self.end_waiting();
        let Some(pmt) = self.tables.pmt() else { return };
        let recording = self.segments.is_recording();
        self.program.adopt(pmt, recording);
        if recording {
            self.write_pmt();
            self.segments.begin_ahead();
        }
        if self.segments.is_open() {
            self.candidate = self.program.lead_codec().map(Candidate::new);
        } else {
            self.drop_retired();
        }
        for packet in std::mem::take(&mut self.early) {
            self.accept(&packet, 0, cutter);
        }
    }

    fn drop_retired(&mut self) {
        self.program.drop_retired();
        self.candidate = self.program.lead_codec().map(Candidate::new);
    }

    fn write_pat(&mut self) {
        if let Some(target) = self.segments.table_target() {
            self.tables.write_pat(target);
        }
    }

    fn write_pmt(&mut self) {
        if let Some(target) = self.segments.table_target() {
            self.tables.write_pmt(target);
        }
    }
}

/// A packet that must outlive its chunk. Copied, since a slice would keep all of the chunk in memory: among
/// null packets or other programs, thousands of chunks.
fn kept(packet: Packet<'_>) -> Bytes {
    Bytes::copy_from_slice(packet.bytes())
}
