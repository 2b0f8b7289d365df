//! The tables of the chosen program: read from the stream, written into the segments.
//!
//! Table packets are never passed through. Each time the stream repeats a table, and at each segment's
//! start, a packet made here stands for it, so that one count of the continuity counter runs over all.
//! The PAT is reduced to the chosen program; the PMT's section is the stream's own, to the byte.

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

#[derive(Debug, Default)]
struct Table {
    packets: Vec<[u8; PACKET_LEN]>,
    /// The next packet's continuity counter.
    counter: u8,
}

impl Table {
    /// The packets with their counters filled in.
    fn stamp(&mut self) -> &[[u8; PACKET_LEN]] {
        for packet in &mut self.packets {
            packet[3] = packet[3] & 0xf0 | self.counter;
            self.counter = (self.counter + 1) & 0x0f;
        }
        &self.packets
    }
}

#[derive(Debug, Default)]
pub(super) struct Tables {
    wanted: Option<u16>,
    present: Vec<u16>,
    program: Option<ProgramRef>,
    pat_sections: SectionAssembler,
    pat_builder: PatBuilder,
    pat: Table,
    /// What the PAT's packets say, so that they are made once: `transport_stream_id`, version, program.
    pat_says: Option<(u16, u8, ProgramRef)>,
    pmt_sections: SectionAssembler,
    pmt_section: Vec<u8>,
    pmt: Option<Pmt>,
    pmt_table: Table,
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
        if self.pat_says != chosen
            && let Some(section) = single_program_section(stream_id, version, program)
        {
            self.pat.packets = packetize(Pid::PAT, &section);
            self.pat_says = chosen;
        }
        if self.program == Some(program) {
            return news;
        }
        self.program = Some(program);
        self.pmt_sections = SectionAssembler::default();
        TableNews::Moved
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
        let same = self.pmt.as_ref().is_some_and(|old| old.same_tracks(&pmt));
        self.damaged = None;
        self.pmt = Some(pmt);
        self.pmt_table.packets = packetize(program.map_pid, &section);
        self.pmt_section = section;
        if same { TableNews::Pmt } else { TableNews::Tracks }
    }

    /// The PAT's packet, counted.
    pub fn stamp_pat(&mut self) -> &[[u8; PACKET_LEN]] {
        self.pat.stamp()
    }

    /// The PMT's packets, counted.
    pub fn stamp_pmt(&mut self) -> &[[u8; PACKET_LEN]] {
        self.pmt_table.stamp()
    }
}

/// The section's map, if it is this program's, and a copy of the section.
fn map_of(program: ProgramRef, section: &[u8]) -> Option<(Pmt, Vec<u8>)> {
    let pmt = Pmt::parse(section).filter(|pmt| pmt.program == program.number)?;
    Some((pmt, section.to_vec()))
}
