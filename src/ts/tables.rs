//! The tables of the chosen program: read from the stream, written into the segments.
//!
//! Table packets are never passed through. Each time the stream repeats a table, and at each segment's
//! start, a packet made here stands for it, so that one count of the continuity counter runs over all.
//! The PAT is reduced to the chosen program; the PMT's section is the stream's own, to the byte.

use super::packet::{PACKET_LEN, Packet, Pid};
use super::pat::{PatBuilder, ProgramRef, single_program_section};
use super::pmt::Pmt;
use super::psi::{SectionAssembler, packetize};

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
    pmt_sections: SectionAssembler,
    pmt_section: Vec<u8>,
    pmt: Option<Pmt>,
    pmt_table: Table,
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
            let Some(pat) = self.pat_builder.push(section) else { return };
            news = TableNews::Pat;
            self.present = pat.programs.iter().map(|program| program.number).collect();
            let wanted = self.wanted.or(self.program.map(|program| program.number));
            let by_number = pat.programs.iter().find(|program| Some(program.number) == wanted);
            let program = if self.wanted.is_some() { by_number } else { by_number.or(pat.programs.first()) };
            chosen = program.map(|&program| (pat.stream_id, pat.version, program));
        });
        let Some((stream_id, version, program)) = chosen else { return news };
        if let Some(section) = single_program_section(stream_id, version, program) {
            self.pat.packets = packetize(Pid::PAT, &section);
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
        self.pmt_sections.push(packet, |section| {
            let known = section == self.pmt_section;
            if known {
                news = TableNews::Pmt;
                return;
            }
            let Some(pmt) = Pmt::parse(section).filter(|pmt| pmt.program == program.number) else { return };
            let same = self.pmt.as_ref().is_some_and(|old| old.same_tracks(&pmt));
            news = if same { TableNews::Pmt } else { TableNews::Tracks };
            self.pmt = Some(pmt);
            self.pmt_section = section.to_vec();
            self.pmt_table.packets = packetize(program.map_pid, section);
        });
        news
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
