//! The tables of the chosen program: read from the stream, written into the segments.
//!
//! Table packets are never passed through. Each time the stream repeats a table, and at each segment's
//! start, a packet made here stands for it, so that each PID's continuity counter runs over all.
//! The PAT is reduced to the chosen program; the PMT's section is the stream's own, to the byte.

use std::collections::BTreeMap;

use super::appender::Appender;
use super::packet::{PACKET_LEN, Packet, Pid};
use super::pat::{PatBuilder, ProgramRef, single_program_section};
use super::pmt::Pmt;
use super::psi::{Section, SectionAssembler, crc32, packetize};

/// What a table packet brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TableNews {
    /// A PAT that leaves the program where it is, or a table not complete.
    Nothing,
    /// The PAT, as known.
    Pat,
    /// The PMT: the same tracks.
    Pmt,
    /// The PID of the PMT is another one now.
    Moved,
    /// The PMT: other tracks.
    Tracks,
}

/// A table's packets.
type Packets = Vec<[u8; PACKET_LEN]>;

/// The next packet's continuity counter, on each PID that a table was written on: a map may move away
/// and come back.
#[derive(Debug, Default)]
struct Counters(BTreeMap<Pid, u8>);

impl Counters {
    fn write(&mut self, packets: &mut Packets, target: &mut Appender) {
        for packet in packets {
            let [_, high, low, ..] = *packet;
            let counter = self.0.entry(Pid::new(u16::from_be_bytes([high, low]))).or_default();
            packet[3] = packet[3] & 0xf0 | *counter;
            *counter = (*counter + 1) & 0x0f;
            Packet::at(packet, 0).into_iter().for_each(|packet| target.copy(packet));
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Tables {
    wanted: Option<u16>,
    present: Vec<u16>,
    program: Option<ProgramRef>,
    pat_sections: SectionAssembler,
    pat_builder: PatBuilder,
    /// `transport_stream_id` and `version_number` of the PAT.
    pat_version: (u16, u8),
    pat: Packets,
    pmt_sections: SectionAssembler,
    pmt_section: Vec<u8>,
    pmt: Option<Pmt>,
    pmt_packets: Packets,
    counters: Counters,
    /// The latest map that came with a wrong CRC, before a good one did.
    damaged: Option<Vec<u8>>,
}

impl Tables {
    pub fn new(wanted: Option<u16>) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// The chosen program's map, once it was seen.
    pub fn pmt(&self) -> Option<&Pmt> {
        self.pmt.as_ref()
    }

    /// The PID of the chosen program's map.
    pub fn map_pid(&self) -> Option<Pid> {
        self.program.map(|program| program.map_pid)
    }

    /// Numbers of the programs that the PAT lists; empty before there was one.
    pub fn programs(&self) -> &[u16] {
        &self.present
    }

    /// Sections dropped as damaged.
    pub fn errors(&self) -> u64 {
        self.pat_sections.errors() + self.pmt_sections.errors()
    }

    /// Takes a packet of PID 0.
    pub fn push_pat(&mut self, packet: Packet<'_>) -> TableNews {
        let mut news = TableNews::Nothing;
        let mut chosen = None;
        self.pat_sections.push(packet, |section| {
            let Section::Good(section) = section else { return };
            let Some(pat) = self.pat_builder.push(section) else { return };
            news = TableNews::Pat;
            self.present = pat.programs.iter().map(|program| program.number).collect();
            let wanted = self.wanted.or(self.program.map(|program| program.number));
            let by_number = pat.programs.iter().find(|program| Some(program.number) == wanted);
            let program = if self.wanted.is_some() { by_number } else { by_number.or(pat.programs.first()) };
            chosen = program.map(|&program| (pat.stream_id, pat.version, program));
        });
        let Some((stream_id, version, program)) = chosen else { return news };
        let known = self.program.replace(program) == Some(program);
        if known && self.pat_version == (stream_id, version) {
            return news;
        }
        self.pat_version = (stream_id, version);
        // Another program is written once its own map has come.
        if self.pmt.as_ref().is_none_or(|pmt| pmt.program == program.number) {
            self.lay_tables(program);
        }
        if known {
            return news;
        }
        self.pmt_sections = SectionAssembler::default();
        TableNews::Moved
    }

    fn lay_tables(&mut self, program: ProgramRef) {
        let (stream_id, version) = self.pat_version;
        if let Some(section) = single_program_section(stream_id, version, program) {
            self.pat = packetize(Pid::PAT, &section);
        }
        if self.pmt.is_some() {
            self.pmt_packets = packetize(program.map_pid, &self.pmt_section);
        }
    }

    /// Takes a packet of the map's PID.
    pub fn push_pmt(&mut self, packet: Packet<'_>) -> TableNews {
        let Some(program) = self.program else { return TableNews::Nothing };
        let mut news = TableNews::Nothing;
        let mut other = None;
        self.pmt_sections.push(packet, |section| match section {
            Section::Good(bytes) if bytes == self.pmt_section => news = TableNews::Pmt,
            Section::Good(bytes) => other = map_of(program, bytes).or(other.take()),
            Section::Damaged(bytes) if self.pmt.is_none() && map_of(program, bytes).is_some() => {
                self.damaged = Some(bytes.to_vec());
            }
            Section::Damaged(_) => {}
        });
        match other {
            Some((pmt, section)) => self.replace_pmt(program, pmt, section),
            None => news,
        }
    }

    /// Takes the latest damaged map for good: no good one has come for long, and a map with a wrong byte
    /// is better than no recording. It is written with a right CRC.
    pub fn accept_damaged(&mut self) -> TableNews {
        let (Some(program), Some(mut section)) = (self.program, self.damaged.take()) else {
            return TableNews::Nothing;
        };
        section.truncate(section.len().saturating_sub(4));
        section.extend(crc32(&section).to_be_bytes());
        match map_of(program, &section) {
            Some((pmt, section)) => self.replace_pmt(program, pmt, section),
            None => TableNews::Nothing,
        }
    }

    fn replace_pmt(&mut self, program: ProgramRef, pmt: Pmt, section: Vec<u8>) -> TableNews {
        let same = self.pmt.as_ref().is_some_and(|old| old.program == pmt.program && old.same_tracks(&pmt));
        self.damaged = None;
        self.pmt = Some(pmt);
        self.pmt_section = section;
        self.lay_tables(program);
        if same { TableNews::Pmt } else { TableNews::Tracks }
    }

    /// Appends the PAT.
    pub fn write_pat(&mut self, target: &mut Appender) {
        self.counters.write(&mut self.pat, target);
    }

    /// Appends the PMT.
    pub fn write_pmt(&mut self, target: &mut Appender) {
        self.counters.write(&mut self.pmt_packets, target);
    }
}

/// The section's map, if it is this program's, and a copy of the section.
fn map_of(program: ProgramRef, section: &[u8]) -> Option<(Pmt, Vec<u8>)> {
    let pmt = Pmt::parse(section).filter(|pmt| pmt.program == program.number)?;
    Some((pmt, section.to_vec()))
}
