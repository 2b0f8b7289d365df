//! What is in one transport stream, and what is wrong with it: pure, one pass, whatever its chunks.
//!
//! In: the bytes of a file or a segment. Out: [`TsSurvey`]: the program with its streams, their times and key frames, and
//! every [`Fault`]. Nothing is decoded; what is checked is what a demultiplexer needs. Only the first program is looked at.
//!
//! Invariants: the result does not depend on how the bytes were chunked; memory is bounded (64 KiB a stream, a few places of
//! each kind of fault); every kind of fault is counted in full.

mod fault;
mod stream;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

pub use fault::{Fault, FaultKind};
pub use stream::StreamSurvey;

use fault::Faults;
use stream::{Around, Stream};

use super::framer::Framer;
use super::packet::{Packet, Pid};
use super::stream_type::StreamKind;
use super::tables::{TableNews, Tables};
use super::track::{Continuity, Track, TrackKind};
use crate::time::{MediaSpan, Pts33};

/// The clock may be silent for so long.
const PCR_SILENCE: MediaSpan = MediaSpan::from_secs(1);
/// No more streams and PIDs than this are followed.
const MAX_STREAMS: usize = 256;

/// What is in a transport stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TsSurvey {
    /// Bytes looked at.
    pub bytes: u64,
    /// Packets found.
    pub packets: u64,
    /// Numbers of the programs that the PAT lists.
    pub programs: Vec<u16>,
    /// PID of the first program's map.
    pub pmt_pid: Option<Pid>,
    /// PID that bears its clock.
    pub pcr_pid: Option<Pid>,
    /// How often the clock was told.
    pub pcrs: u64,
    /// The longest time for which it was not, by itself.
    pub longest_pcr_silence: Option<MediaSpan>,
    /// What is zero on the scale of all times: the first time stamp, in ticks of 90 kHz.
    pub base: Option<Pts33>,
    /// The program's streams, in the order of the map; those of later maps follow.
    pub streams: Vec<StreamSurvey>,
    /// The first faults of each kind, in the order of their places.
    pub faults: Vec<Fault>,
    /// How many of each kind there are.
    pub counts: BTreeMap<FaultKind, u64>,
}

impl TsSurvey {
    /// Surveys bytes that are all there.
    pub fn of(bytes: &Bytes) -> Self {
        let mut survey = Survey::new();
        survey.push(bytes);
        survey.finish()
    }

    /// The stream whose units decide: the first with pictures, else the first with sound.
    pub fn lead(&self) -> Option<&StreamSurvey> {
        self.pictures().or_else(|| self.sound())
    }

    /// How much later the first sound begins than the first pictures, where there are both.
    pub fn sound_lag(&self) -> Option<MediaSpan> {
        Some(self.sound()?.first_pts? - self.pictures()?.first_pts?)
    }

    fn pictures(&self) -> Option<&StreamSurvey> {
        self.streams.iter().find(|stream| stream.units > 0 && matches!(stream.kind, StreamKind::Video(_)))
    }

    fn sound(&self) -> Option<&StreamSurvey> {
        self.streams.iter().find(|stream| stream.units > 0 && matches!(stream.kind, StreamKind::Audio(_)))
    }
}

/// A survey under way.
pub struct Survey {
    framer: Framer,
    bytes: u64,
    look: Look,
}

impl Default for Survey {
    fn default() -> Self {
        Self::new()
    }
}

impl Survey {
    /// Ready for the first bytes.
    pub fn new() -> Self {
        let look = Look {
            packets: 0,
            tables: Tables::new(None),
            pat: Track::new(Pid::PAT, TrackKind::Sections),
            pmt: None,
            streams: Vec::new(),
            strangers: BTreeSet::new(),
            early: false,
            clock: None,
            pcrs: 0,
            silence: None,
            base: None,
            faults: Faults::default(),
        };
        Self { framer: Framer::default(), bytes: 0, look }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, chunk: &Bytes) {
        self.bytes += chunk.len() as u64;
        self.framer.push(chunk, |buffer, offset| self.look.take(buffer, offset));
    }

    /// Takes what is left, and tells.
    pub fn finish(mut self) -> TsSurvey {
        self.framer.finish(|buffer, offset| self.look.take(buffer, offset));
        let notes = self.framer.notes();
        let mut look = self.look;
        let end = look.packets;
        if look.packets > 0 && (notes.sync_losses > 0 || notes.skipped_bytes > 0) {
            let message = format_args!(
                "{} bytes belong to no packet (sync lost: {})",
                notes.skipped_bytes, notes.sync_losses
            );
            look.faults.add(FaultKind::Garbage, None, end, message);
        }
        look.conclude();
        look.faults.kept.sort_by_key(|fault| fault.packet);
        let Look { packets, tables, streams, clock, pcrs, silence, base, faults, .. } = look;
        TsSurvey {
            bytes: self.bytes,
            packets,
            programs: tables.programs().to_vec(),
            pmt_pid: tables.map_pid(),
            pcr_pid: clock.map(|clock| clock.pid),
            pcrs,
            longest_pcr_silence: silence,
            base,
            streams: streams.into_iter().map(|stream| stream.survey).collect(),
            faults: faults.kept,
            counts: faults.counts,
        }
    }
}

/// The program's clock.
struct Clock {
    pid: Pid,
    latest: Option<Pts33>,
    announced: bool,
}

struct Look {
    packets: u64,
    tables: Tables,
    /// Continuity of the tables' packets.
    pat: Track,
    pmt: Option<Track>,
    streams: Vec<Stream>,
    /// PIDs that are no stream's, seen so far.
    strangers: BTreeSet<Pid>,
    /// Something came before the tables.
    early: bool,
    clock: Option<Clock>,
    pcrs: u64,
    silence: Option<MediaSpan>,
    base: Option<Pts33>,
    faults: Faults,
}

impl Look {
    fn take(&mut self, buffer: &Bytes, offset: usize) {
        let Some(packet) = Packet::at(buffer, offset) else { return };
        let number = self.packets;
        self.packets += 1;
        let pid = packet.pid();
        if pid == Pid::NULL {
            return;
        }
        if packet.transport_error() {
            self.faults.add(FaultKind::TransportError, Some(pid), number, "a receiver marked it as damaged");
        }
        let media = self.streams.iter().any(|stream| stream.survey.pid == pid);
        if packet.has_payload() && packet.payload().is_empty() && media {
            let message = "an adaptation field that leaves no payload";
            self.faults.add(FaultKind::AdaptationField, Some(pid), number, message);
        }
        if packet.scrambled() && media {
            self.faults.add(FaultKind::Scrambled, Some(pid), number, "its payload cannot be read");
        }
        if pid == Pid::PAT {
            self.on_pat(packet, number);
        } else if self.tables.map_pid() == Some(pid) {
            self.on_pmt(packet, number);
        } else {
            self.on_stream(packet, number);
        }
    }

    fn on_pat(&mut self, packet: Packet<'_>, number: u64) {
        let errors = self.tables.errors();
        if count_table(&mut self.pat, packet, number, &mut self.faults)
            && self.tables.push_pat(packet) == TableNews::Moved
        {
            self.pmt = self.tables.map_pid().map(|pid| Track::new(pid, TrackKind::Sections));
        }
        self.damaged(errors, Pid::PAT, number);
    }

    fn on_pmt(&mut self, packet: Packet<'_>, number: u64) {
        let errors = self.tables.errors();
        let Some(track) = &mut self.pmt else { return };
        if count_table(track, packet, number, &mut self.faults)
            && self.tables.push_pmt(packet) == TableNews::Tracks
        {
            self.adopt(number);
        }
        self.damaged(errors, packet.pid(), number);
    }

    fn damaged(&mut self, before: u64, pid: Pid, number: u64) {
        if self.tables.errors() > before {
            let message = "its CRC or its length is wrong";
            self.faults.add(FaultKind::DamagedTable, Some(pid), number, message);
        }
    }

    /// Follows a map.
    fn adopt(&mut self, number: u64) {
        let Some(pmt) = self.tables.pmt() else { return };
        for stream in &pmt.streams {
            let known = self.streams.iter().any(|known| known.describes(stream));
            if !known && self.streams.len() < MAX_STREAMS {
                self.streams.push(Stream::new(stream));
            }
        }
        let latest = self.clock.as_ref().and_then(|clock| clock.latest);
        self.clock = pmt.pcr_pid.map(|pid| Clock { pid, latest, announced: true });
        if std::mem::take(&mut self.early) {
            let message = "packets of its streams come before the map";
            self.faults.add(FaultKind::TablesLate, None, number, message);
        }
    }

    fn on_stream(&mut self, packet: Packet<'_>, number: u64) {
        let pid = packet.pid();
        self.on_clock(packet, number);
        let clock = self.clock.as_ref().and_then(|clock| clock.latest);
        // The newest of those that had the PID.
        let stream = self.streams.iter_mut().rfind(|stream| stream.survey.pid == pid);
        if let Some(stream) = stream {
            let base = &mut self.base;
            let mut around = Around { packet: number, faults: &mut self.faults, base, clock };
            return stream.take(packet, &mut around);
        }
        // PIDs up to 0x1f are the standards' own tables.
        let is_clock = self.clock.as_ref().is_some_and(|clock| clock.pid == pid);
        let known = self.tables.pmt().is_some();
        let stranger = pid.get() > 0x1f && !is_clock && self.strangers.len() < MAX_STREAMS;
        if stranger && self.strangers.insert(pid) {
            // Of several programs the others' PIDs are in maps that are not read.
            if known && self.tables.programs().len() == 1 {
                let message = "packets of a PID that the map does not name";
                self.faults.add(FaultKind::UnknownPid, Some(pid), number, message);
            }
            self.early |= !known;
        }
    }

    fn on_clock(&mut self, packet: Packet<'_>, number: u64) {
        let Some(clock) = self.clock.as_mut().filter(|clock| clock.pid == packet.pid()) else { return };
        clock.announced |= packet.discontinuity();
        let Some(now) = packet.pcr() else { return };
        self.pcrs += 1;
        let before = clock.latest.replace(now);
        let announced = std::mem::take(&mut clock.announced);
        let Some(step) = before.map(|before| now.since(before)).filter(|_| !announced) else { return };
        if step < MediaSpan::ZERO {
            let message = format_args!("by {} s", -step);
            return self.faults.add(FaultKind::PcrBack, Some(packet.pid()), number, message);
        }
        self.silence = self.silence.max(Some(step));
        if step > PCR_SILENCE {
            let message = format_args!("none for {step} s");
            self.faults.add(FaultKind::PcrRare, Some(packet.pid()), number, message);
        }
    }

    fn conclude(&mut self) {
        let end = self.packets;
        for stream in &mut self.streams {
            let base = &mut self.base;
            let mut around = Around { packet: end, faults: &mut self.faults, base, clock: None };
            stream.finish(&mut around, FaultKind::PesUnfinished);
        }
        if end == 0 {
            return self.faults.add(FaultKind::NotTs, None, 0, "there is no packet in it");
        }
        if self.tables.programs().is_empty() {
            return self.faults.add(FaultKind::NoPat, None, end, "no table tells what is in it");
        }
        if self.tables.pmt().is_none() {
            return self.faults.add(FaultKind::NoPmt, None, end, "no map tells what its streams are");
        }
        for stream in &self.streams {
            let survey = &stream.survey;
            if survey.packets == 0 {
                let message = format_args!("stream type {:#04x}", survey.stream_type.0);
                self.faults.add(FaultKind::EmptyStream, Some(survey.pid), end, message);
            }
        }
        if let Some(clock) = self.clock.as_ref().filter(|_| self.pcrs == 0) {
            self.faults.add(FaultKind::NoPcr, Some(clock.pid), end, "the map names it as the clock's");
        }
    }
}

/// Whether the table's packet is a new one.
fn count_table(track: &mut Track, packet: Packet<'_>, number: u64, faults: &mut Faults) -> bool {
    let pid = Some(packet.pid());
    match track.count(packet) {
        Continuity::Good => true,
        Continuity::Duplicate => {
            faults.add(FaultKind::Duplicate, pid, number, "the same packet again");
            false
        }
        Continuity::Broken => {
            let message = format_args!("counter {} does not follow", packet.continuity_counter());
            faults.add(FaultKind::ContinuityGap, pid, number, message);
            true
        }
    }
}
