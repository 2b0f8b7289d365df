//! Splits a transport stream into segments, at the access units that a [`Cutter`] chooses.
//!
//! Bytes go in, in chunks of any size; [`Split`]s come out: bytes of the open segment, and the marks
//! where segments end and begin. Every segment begins with PAT and PMT, then the unit it was cut at.
//! Packets are passed through as they are; no byte of an elementary stream of the chosen program is
//! lost, repeated or reordered from its first unit on.
//!
//! At a cut each PID stays in the old segment until its open PES packet (or section) ends; meanwhile the
//! others' packets wait for the next segment, in memory, for at most a second of media or 1 MiB. Then the
//! rest is divided and counted as torn. ISO/IEC 13818-1.

use std::collections::VecDeque;

use bytes::Bytes;

use super::appender::Appender;
use super::candidate::{Candidate, Decided, by_indicator};
use super::framer::Framer;
use super::notes::Notes;
use super::packet::{PACKET_LEN, Packet, Pid};
use super::pmt::Pmt;
use super::stream_type::StreamKind;
use super::tables::{TableNews, Tables};
use super::track::{Continuity, Track, TrackKind};
use crate::media::{Cutter, Placement, RandomAccess, UnitFacts, UnitStart, VideoCodec};
use crate::time::{MediaSpan, Pts33};

/// Bytes that may wait for open PES packets to end.
const MAX_WAITING_BYTES: u64 = 1024 * 1024;
/// Media time that open PES packets may take to end.
const MAX_WAITING_TIME: MediaSpan = MediaSpan::from_secs(1);
/// Bytes kept of a stream whose map has not come yet.
const MAX_EARLY_BYTES: usize = 1024 * 1024;
/// PIDs of one program that are followed; more are dropped.
const MAX_TRACKS: usize = 0xf0;
/// A unit of a stream without dependent units.
const KEY_UNIT: UnitFacts = UnitFacts { random_access: RandomAccess::Key, video_format: None };

/// Choices of the user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SplitterOptions {
    /// `program_number` to record; `None` takes the PAT's first.
    pub program: Option<u16>,
}

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// A segment begins.
    Opened,
    /// Bytes of the open segment.
    Bytes(Bytes),
    /// The open segment has all its bytes.
    Sealed,
}

/// Where a PID's packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Foreign,
    Null,
    Pat,
    Pmt,
    Track(u8),
}

/// The next segment while the old one still has open PES packets, or while it is not yet known with
/// which unit it begins.
#[derive(Debug, Default)]
struct Ahead {
    bytes: Appender,
    /// The cutter has chosen the unit; only open PES packets hold up the border.
    decided: bool,
    /// Decoding time of that unit.
    since: Option<Pts33>,
    /// PIDs whose open PES packets are waited for.
    waiting: usize,
    /// Whether packets of a stream are in it, not only tables.
    used: bool,
}

/// The splitter's state. See the [module](self).
#[derive(Debug)]
pub struct Splitter {
    framer: Framer,
    tables: Tables,
    routes: Box<[Route; Pid::COUNT]>,
    tracks: Vec<Track>,
    /// The track whose units decide.
    lead: Option<usize>,
    candidate: Option<Candidate>,
    pcr_pid: Option<Pid>,
    last_pcr: Option<Pts33>,
    /// Packets that came before the program's map; replayed once it is known.
    early: VecDeque<Bytes>,
    /// Whether a segment is open.
    open: bool,
    segment: Appender,
    ahead: Option<Ahead>,
    out: VecDeque<Split>,
    notes: Notes,
}

impl Splitter {
    /// A splitter at the begin of a stream.
    pub fn new(options: SplitterOptions) -> Self {
        let mut splitter = Self {
            framer: Framer::default(),
            tables: Tables::new(options.program),
            routes: Box::new([Route::Foreign; Pid::COUNT]),
            tracks: Vec::new(),
            lead: None,
            candidate: None,
            pcr_pid: None,
            last_pcr: None,
            early: VecDeque::new(),
            open: false,
            segment: Appender::default(),
            ahead: None,
            out: VecDeque::new(),
            notes: Notes::default(),
        };
        splitter.lay_routes();
        splitter
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, chunk: &Bytes, cutter: &mut impl Cutter) {
        let mut framer = std::mem::take(&mut self.framer);
        framer.push(chunk, |buffer, offset| self.accept(buffer, offset, cutter));
        self.framer = framer;
        self.give_out();
    }

    /// The next piece of output. All that a `push` decided can be pulled after it.
    pub fn pull(&mut self) -> Option<Split> {
        self.out.pop_front()
    }

    /// Ends the open segment now, though its PES packets may go on: the input has been silent for long.
    /// What still comes goes into the next segment, which begins with the next unit.
    pub fn interrupt(&mut self, cutter: &mut impl Cutter) {
        self.conclude_candidate(cutter);
        self.end_waiting();
        if !self.open {
            return;
        }
        self.give_out();
        self.out.push_back(Split::Sealed);
        self.open = false;
        // Tracks of a new map may be ahead already: their packets wait for the next segment as before.
        if self.ahead.is_none() {
            self.begin_ahead();
        }
        for track in &mut self.tracks {
            track.torn |= !track.ahead && track.is_open();
            track.ahead = true;
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
        if self.ahead.as_ref().is_some_and(|ahead| !ahead.decided && ahead.used) {
            self.cut_without_unit(cutter);
        }
        self.end_waiting();
        self.give_out();
        if std::mem::take(&mut self.open) {
            self.out.push_back(Split::Sealed);
        }
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
        let Some(packet) = Packet::at(buffer, offset) else { return };
        if self.go_on(packet, buffer, offset) {
            return;
        }
        let route = self.routes[packet.pid().index()];
        if self.tables.pmt().is_none() && matches!(route, Route::Foreign) {
            return self.wait_for_map(kept(packet), cutter);
        }
        match route {
            Route::Null => {
                self.notes.packets += 1;
                self.notes.null_packets += 1;
            }
            Route::Foreign => {
                self.notes.packets += 1;
                self.notes.foreign_packets += 1;
            }
            _ if self.is_holding() => self.hold(packet, kept(packet), cutter),
            route => self.dispatch(route, packet, buffer, offset, cutter),
        }
    }

    fn dispatch(
        &mut self,
        route: Route,
        packet: Packet<'_>,
        buffer: &Bytes,
        offset: usize,
        cutter: &mut impl Cutter,
    ) {
        self.notes.packets += 1;
        if packet.transport_error() {
            self.notes.transport_errors += 1;
        }
        match route {
            Route::Pat => self.on_pat(packet),
            Route::Pmt => self.on_pmt(packet, cutter),
            Route::Track(index) => self.on_track(usize::from(index), packet, buffer, offset, cutter),
            Route::Foreign | Route::Null => {}
        }
    }

    /// The short way for what nearly every packet is: a plain piece in the middle of a unit, the next in its
    /// track's count, while nothing is decided or waited for. Does nothing to any other packet.
    #[inline]
    fn go_on(&mut self, packet: Packet<'_>, buffer: &Bytes, offset: usize) -> bool {
        if !packet.is_plain() || !self.open || self.ahead.is_some() || self.is_holding() {
            return false;
        }
        let Route::Track(index) = self.routes[packet.pid().index()] else { return false };
        let Some(track) = self.tracks.get_mut(usize::from(index)) else { return false };
        if !track.go_on(packet.continuity_counter()) {
            return false;
        }
        self.notes.packets += 1;
        self.segment.packet(buffer, offset);
        true
    }

    /// A stream that is joined may show its map late, after packets that a segment could begin with.
    fn wait_for_map(&mut self, packet: Bytes, cutter: &mut impl Cutter) {
        self.early.push_back(packet);
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

    fn replay_early(&mut self, cutter: &mut impl Cutter) {
        for packet in std::mem::take(&mut self.early) {
            self.accept(&packet, 0, cutter);
        }
    }

    fn on_pat(&mut self, packet: Packet<'_>) {
        match self.tables.push_pat(packet) {
            TableNews::Nothing => {}
            TableNews::Moved => {
                self.lay_routes();
                self.write_pat();
            }
            _ => self.write_pat(),
        }
    }

    fn on_pmt(&mut self, packet: Packet<'_>, cutter: &mut impl Cutter) {
        match self.tables.push_pmt(packet) {
            TableNews::Pmt => self.write_pmt(),
            TableNews::Tracks => self.change_tracks(cutter),
            _ => {}
        }
    }

    fn on_track(
        &mut self,
        index: usize,
        packet: Packet<'_>,
        buffer: &Bytes,
        offset: usize,
        cutter: &mut impl Cutter,
    ) {
        let Some(track) = self.tracks.get_mut(index) else { return };
        if packet.scrambled() {
            self.notes.scrambled_packets += 1;
        }
        if self.pcr_pid == Some(track.pid)
            && let Some(pcr) = packet.pcr()
        {
            self.last_pcr = Some(pcr);
        }
        let continuity = track.count(packet);
        match continuity {
            Continuity::Good => {}
            Continuity::Duplicate => self.notes.duplicate_packets += 1,
            Continuity::Broken => self.notes.continuity_errors += 1,
        }
        let duplicate = continuity == Continuity::Duplicate;
        if packet.unit_start() && packet.has_payload() && !duplicate {
            let lead = self.lead == Some(index);
            match track.kind {
                TrackKind::Pes(StreamKind::Video(_)) if lead => {
                    let decided = match &mut self.candidate {
                        Some(candidate) if !packet.scrambled() => candidate.begin(packet, || kept(packet)),
                        _ => Some(by_indicator(packet)),
                    };
                    // Nothing decided: the packet is held.
                    let Some(decided) = decided else { return };
                    self.decide(packet.pid(), lead, &decided, false, cutter);
                }
                TrackKind::Pes(StreamKind::Audio(codec)) => {
                    let decided = Decided { facts: KEY_UNIT, ..by_indicator(packet) };
                    let changed = track.audio_changed(codec, &decided, packet);
                    self.decide(packet.pid(), lead, &decided, changed, cutter);
                }
                TrackKind::Pes(StreamKind::Data) if lead => {
                    let decided = Decided { facts: KEY_UNIT, ..by_indicator(packet) };
                    self.decide(packet.pid(), lead, &decided, false, cutter);
                }
                _ => {}
            }
        }
        self.place(packet, duplicate, buffer, offset);
        if self.ahead.as_ref().is_some_and(|ahead| !ahead.decided && ahead.bytes.len() > MAX_WAITING_BYTES) {
            self.cut_without_unit(cutter);
        }
    }

    // Key frames: packets held back until it is known.

    fn is_holding(&self) -> bool {
        self.candidate.as_ref().is_some_and(Candidate::is_open)
    }

    fn hold(&mut self, packet: Packet<'_>, held: Bytes, cutter: &mut impl Cutter) {
        let on_lead = match self.routes[packet.pid().index()] {
            Route::Track(index) => self.lead == Some(usize::from(index)) && packet.has_payload(),
            _ => false,
        };
        if on_lead && packet.unit_start() {
            self.conclude_candidate(cutter);
            return self.accept(&held, 0, cutter);
        }
        let Some(candidate) = &mut self.candidate else { return };
        let decided = if on_lead { candidate.go_on(held) } else { candidate.hold(held) };
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
        if let Some(packet) = Packet::at(first, 0) {
            self.decide(packet.pid(), true, decided, false, cutter);
            self.place(packet, false, first, 0);
        }
        for packet in rest {
            self.accept(packet, 0, cutter);
        }
    }

    // Cuts.

    fn decide(
        &mut self,
        pid: Pid,
        lead: bool,
        decided: &Decided,
        audio_changed: bool,
        cutter: &mut impl Cutter,
    ) {
        let header = decided.header;
        let pts = header.and_then(|header| header.pts);
        // A scrambled stream shows no time stamps; its clock does.
        let pts = if lead { pts.or(self.last_pcr) } else { pts };
        let unit = UnitStart {
            lead,
            pts,
            dts: header.and_then(|header| header.dts).or(pts),
            random_access: decided.facts.random_access,
            video_format: decided.facts.video_format,
            audio_changed,
            discontinuity: decided.discontinuity,
            tracks_changed: self.open && self.ahead.as_ref().is_some_and(|ahead| !ahead.decided),
            segment_bytes: self.segment_bytes(),
        };
        if lead && self.waited_too_long(unit.dts) {
            self.end_waiting();
        }
        if cutter.at_unit(&unit) == Placement::Cut {
            self.cut(Some(pid), unit.dts);
        }
    }

    fn segment_bytes(&self) -> u64 {
        let decided = self.ahead.as_ref().filter(|ahead| ahead.decided || !self.open);
        decided.map_or(self.segment.len(), |ahead| ahead.bytes.len())
    }

    /// Cuts though no unit has come to cut at: what waits must not wait longer.
    fn cut_without_unit(&mut self, cutter: &mut impl Cutter) {
        let unit = UnitStart {
            lead: true,
            pts: None,
            dts: None,
            random_access: RandomAccess::None,
            video_format: None,
            audio_changed: false,
            discontinuity: false,
            tracks_changed: true,
            segment_bytes: self.segment_bytes(),
        };
        if cutter.at_unit(&unit) == Placement::Cut {
            self.cut(None, None);
        }
    }

    /// Begins a segment with the unit that begins now on track `by`.
    fn cut(&mut self, by: Option<Pid>, dts: Option<Pts33>) {
        if self.ahead.as_ref().is_some_and(|ahead| ahead.decided) {
            self.end_waiting();
        }
        if !self.open && self.ahead.is_none() {
            self.open = true;
            self.segment = Appender::default();
            self.out.push_back(Split::Opened);
            self.write_pat();
            self.write_pmt();
            return;
        }
        if self.ahead.is_none() {
            self.begin_ahead();
        }
        let mut waiting = 0;
        for track in &mut self.tracks {
            if !track.ahead && !track.retired {
                track.ahead = by == Some(track.pid) || !track.is_open();
                waiting += usize::from(!track.ahead);
            }
        }
        if let Some(ahead) = &mut self.ahead {
            ahead.decided = true;
            ahead.since = dts;
            ahead.waiting = waiting;
        }
        if waiting == 0 {
            self.end_waiting();
        }
    }

    fn begin_ahead(&mut self) {
        self.ahead = Some(Ahead::default());
        self.write_pat();
        self.write_pmt();
    }

    fn waited_too_long(&self, now: Option<Pts33>) -> bool {
        let since = self.ahead.as_ref().filter(|ahead| ahead.decided).and_then(|ahead| ahead.since);
        matches!((since, now), (Some(since), Some(now)) if now.since(since).abs() > MAX_WAITING_TIME)
    }

    /// Makes the segment ahead the open one, whether or not PES packets are still open in the old one.
    fn end_waiting(&mut self) {
        if !self.ahead.as_ref().is_some_and(|ahead| ahead.decided) {
            return;
        }
        let Some(ahead) = self.ahead.take() else { return };
        let old = std::mem::replace(&mut self.segment, ahead.bytes);
        let tail = { old }.take();
        self.out.extend(tail.into_iter().map(Split::Bytes));
        if self.open {
            self.out.push_back(Split::Sealed);
        }
        self.out.push_back(Split::Opened);
        self.open = true;
        for track in &mut self.tracks {
            track.torn |= !track.ahead && track.is_open();
            track.ahead = false;
        }
        if self.tracks.iter().any(|track| track.retired) {
            self.drop_retired();
        }
    }

    // Tracks.

    /// The PMT describes other streams. Packets of new ones wait for the segment that begins with the next
    /// unit of the lead; the others go on in the open one until then.
    fn change_tracks(&mut self, cutter: &mut impl Cutter) {
        self.conclude_candidate(cutter);
        self.end_waiting();
        let Some(pmt) = self.tables.pmt() else { return };
        let mut wanted: Vec<(Pid, TrackKind)> = Vec::new();
        for stream in &pmt.streams {
            let kind = match stream.kind {
                StreamKind::Sections => TrackKind::Sections,
                kind => TrackKind::Pes(kind),
            };
            wanted.push((stream.pid, kind));
        }
        self.pcr_pid = pmt.pcr_pid;
        for (pid, kind) in pmt
            .pcr_pid
            .map(|pid| (pid, TrackKind::Clock))
            .into_iter()
            .chain([(Pid::SDT, TrackKind::Sections)])
        {
            if !wanted.iter().any(|&(known, _)| known == pid) {
                wanted.push((pid, kind));
            }
        }
        let recording = self.open || self.ahead.is_some();
        if recording && self.ahead.is_none() {
            self.begin_ahead();
        } else if recording {
            self.write_pmt();
        }
        for track in &mut self.tracks {
            track.retired = !wanted.contains(&(track.pid, track.kind));
        }
        for (pid, kind) in wanted {
            let known = self.tracks.iter().any(|track| (track.pid, track.kind) == (pid, kind));
            if !known && self.tracks.len() < MAX_TRACKS {
                let mut track = Track::new(pid, kind);
                track.ahead = recording;
                self.tracks.push(track);
            }
        }
        if recording {
            self.choose_lead();
            self.lay_routes();
        } else {
            self.drop_retired();
            self.replay_early(cutter);
        }
    }

    fn drop_retired(&mut self) {
        self.tracks.retain(|track| !track.retired);
        self.choose_lead();
        self.lay_routes();
    }

    fn choose_lead(&mut self) {
        let rank = |track: &Track| match track.kind {
            TrackKind::Pes(StreamKind::Video(_)) => 0,
            TrackKind::Pes(StreamKind::Audio(_)) => 1,
            TrackKind::Pes(StreamKind::Data) => 2,
            TrackKind::Pes(StreamKind::Sections) | TrackKind::Sections | TrackKind::Clock => 3,
        };
        let live = self.tracks.iter().enumerate().filter(|(_, track)| !track.retired && rank(track) < 3);
        self.lead = live.min_by_key(|(_, track)| rank(track)).map(|(index, _)| index);
        let codec = self.lead.and_then(|index| self.tracks.get(index)).and_then(|track| match track.kind {
            TrackKind::Pes(StreamKind::Video(codec)) => codec,
            _ => None,
        });
        self.candidate = codec.map(|codec: VideoCodec| Candidate::new(codec));
    }

    fn lay_routes(&mut self) {
        self.routes.fill(Route::Foreign);
        for (index, track) in (0u8..).zip(&self.tracks) {
            // A PID that changed its kind belongs to the newer track.
            self.routes[track.pid.index()] = Route::Track(index);
        }
        self.routes[Pid::NULL.index()] = Route::Null;
        if let Some(pid) = self.tables.map_pid() {
            self.routes[pid.index()] = Route::Pmt;
        }
        self.routes[Pid::PAT.index()] = Route::Pat;
    }

    // Packets into segments.

    #[inline]
    fn place(&mut self, packet: Packet<'_>, duplicate: bool, buffer: &Bytes, offset: usize) {
        // Looked up anew: a decision may have dropped tracks.
        let Route::Track(index) = self.routes[packet.pid().index()] else { return };
        let Some(track) = self.tracks.get_mut(usize::from(index)) else { return };
        let starts = packet.unit_start() && packet.has_payload() && !duplicate;
        if !self.open && self.ahead.is_none() {
            self.notes.packets_before_start += 1;
            return;
        }
        if !track.started {
            if !starts {
                self.notes.packets_before_start += 1;
                return;
            }
            track.started = true;
        }
        if track.torn {
            self.notes.torn_pes += u64::from(!starts && track.is_open());
            track.torn = false;
        }
        let waiting = self.ahead.as_ref().is_some_and(|ahead| ahead.decided);
        if waiting && starts && !track.ahead && !track.retired {
            track.ahead = true;
            if let Some(ahead) = &mut self.ahead {
                ahead.waiting -= 1;
            }
        }
        if !duplicate {
            track.follow(packet);
        }
        match &mut self.ahead {
            None => self.segment.packet(buffer, offset),
            Some(ahead) if track.ahead => {
                ahead.bytes.packet(buffer, offset);
                ahead.used = true;
            }
            Some(ahead) => {
                self.segment.packet(buffer, offset);
                if waiting && !track.is_open() && !track.retired {
                    track.ahead = true;
                    ahead.waiting -= 1;
                }
            }
        }
        if let Some(ahead) = &self.ahead
            && ahead.decided
            && (ahead.waiting == 0 || ahead.bytes.len() > MAX_WAITING_BYTES)
        {
            self.end_waiting();
        }
    }

    fn write_pat(&mut self) {
        let Some(target) = target(self.open, &mut self.segment, &mut self.ahead) else { return };
        for packet in self.tables.stamp_pat() {
            Packet::at(packet, 0).into_iter().for_each(|packet| target.copy(packet));
        }
    }

    fn write_pmt(&mut self) {
        let Some(target) = target(self.open, &mut self.segment, &mut self.ahead) else { return };
        for packet in self.tables.stamp_pmt() {
            Packet::at(packet, 0).into_iter().for_each(|packet| target.copy(packet));
        }
    }

    fn give_out(&mut self) {
        if self.open {
            let bytes = self.segment.take();
            self.out.extend(bytes.into_iter().map(Split::Bytes));
        }
        if let Some(ahead) = &mut self.ahead {
            ahead.bytes.keep();
        }
    }
}

/// Tables switch to the next segment at once; before the first there is nowhere to write them.
fn target<'a>(
    open: bool,
    segment: &'a mut Appender,
    ahead: &'a mut Option<Ahead>,
) -> Option<&'a mut Appender> {
    match ahead {
        Some(ahead) => Some(&mut ahead.bytes),
        None => open.then_some(segment),
    }
}

/// A packet that must outlive its chunk. Copied, since a slice would keep all of the chunk in memory: among
/// null packets or other programs, thousands of chunks.
fn kept(packet: Packet<'_>) -> Bytes {
    Bytes::copy_from_slice(packet.bytes())
}
