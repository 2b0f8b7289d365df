//! Program association table: which programs there are and where their maps are
//! (ISO/IEC 13818-1, 2.4.4.3).

use std::collections::BTreeMap;

use super::packet::{Packet, Pid};
use super::psi::SectionHeader;

/// A program and the PID of its map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramRef {
    /// `program_number`; never 0, which points to the network table.
    pub number: u16,
    /// `program_map_PID`.
    pub map_pid: Pid,
}

/// All programs of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pat {
    /// `transport_stream_id`.
    pub stream_id: u16,
    /// `version_number`: 5 bits.
    pub version: u8,
    /// In the order of the table.
    pub programs: Vec<ProgramRef>,
}

const TABLE_ID: u8 = 0;

/// Puts the sections of one version together.
#[derive(Debug, Default)]
pub(super) struct PatBuilder {
    pat: Pat,
    /// The CRC of each section seen, by its number.
    seen: BTreeMap<u8, u32>,
}

impl PatBuilder {
    /// Takes a section. Gives the table once all of its sections have been seen, again at each repeat of
    /// the last one.
    pub fn push(&mut self, section: &[u8]) -> Option<&Pat> {
        let (header, body) = SectionHeader::split(section)?;
        if header.table_id != TABLE_ID || !header.current {
            return None;
        }
        let (_, &crc) = section.split_last_chunk()?;
        let crc = u32::from_be_bytes(crc);
        let known = self.seen.get(&header.number).copied();
        let same_table = (header.extension, header.version) == (self.pat.stream_id, self.pat.version);
        // Where one multiplexer follows another, tables differ under one version.
        if !same_table || known.is_some_and(|known| known != crc) {
            *self = Self::default();
            self.pat.stream_id = header.extension;
            self.pat.version = header.version;
        }
        if self.seen.insert(header.number, crc).is_none() {
            let (entries, _) = body.as_chunks::<4>();
            for &[a, b, c, d] in entries {
                let number = u16::from_be_bytes([a, b]);
                if number != 0 {
                    let map_pid = Pid::new(u16::from_be_bytes([c, d]));
                    self.pat.programs.push(ProgramRef { number, map_pid });
                }
            }
        }
        let complete = (0..=header.last_number).all(|number| self.seen.contains_key(&number));
        complete.then_some(&self.pat)
    }
}

/// The section of a table with one program alone: what a segment holds of its stream.
///
/// Built by `mpeg2ts`, which writes whole packets padded by an adaptation field; the section is taken
/// out, so that the packet can be padded behind it as every reader expects.
pub(super) fn single_program_section(stream_id: u16, version: u8, program: ProgramRef) -> Option<Vec<u8>> {
    use mpeg2ts::ts::payload::Pat;
    use mpeg2ts::ts::{
        ContinuityCounter, Pid, ProgramAssociation, TransportScramblingControl, TsHeader, TsPacket,
        TsPacketWriter, TsPayload, VersionNumber, WriteTsPacket,
    };
    let association = ProgramAssociation {
        program_num: program.number,
        program_map_pid: Pid::new(program.map_pid.get()).ok()?,
    };
    let table = Pat {
        transport_stream_id: stream_id,
        version_number: VersionNumber::from_u8(version & 0x1f).ok()?,
        table: vec![association],
    };
    let packet = TsPacket {
        header: TsHeader {
            transport_error_indicator: false,
            transport_priority: false,
            pid: Pid::new(Pid::PAT).ok()?,
            transport_scrambling_control: TransportScramblingControl::NotScrambled,
            continuity_counter: ContinuityCounter::new(),
        },
        adaptation_field: None,
        payload: Some(TsPayload::Pat(table)),
    };
    let mut writer = TsPacketWriter::new(Vec::new());
    writer.write_ts_packet(&packet).ok()?;
    let bytes = writer.into_stream();
    let (_pointer, section) = Packet::at(&bytes, 0)?.payload().split_first()?;
    Some(section.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::psi::{Section, SectionAssembler, crc32, packetize};

    #[test]
    fn a_table_built_reads_back() {
        let program = ProgramRef { number: 7, map_pid: Pid::new(0x1abc) };
        let section = single_program_section(0x1234, 9, program).unwrap();
        assert_eq!(crc32(&section), 0);
        let mut builder = PatBuilder::default();
        let expected = Pat { stream_id: 0x1234, version: 9, programs: vec![program] };
        let mut read = None;
        let mut assembler = SectionAssembler::default();
        for packet in packetize(Pid::PAT, &section) {
            assembler.push(Packet::at(&packet, 0).unwrap(), |section| match section {
                Section::Good(bytes) => read = builder.push(bytes).cloned(),
                Section::Damaged(_) => panic!("built with a wrong CRC"),
            });
        }
        assert_eq!(read, Some(expected));
    }

    #[test]
    fn a_table_of_two_sections_is_complete_when_both_were_seen() {
        let part = |number: u8, programs: &[[u8; 4]]| {
            let len = 9 + 4 * programs.len();
            let mut bytes = vec![0, 0xb0, len as u8, 0, 1, 0xc3, number, 1];
            bytes.extend(programs.concat());
            bytes.extend(crc32(&bytes).to_be_bytes());
            bytes
        };
        let mut builder = PatBuilder::default();
        assert_eq!(builder.push(&part(1, &[[0, 2, 0xe2, 0]])), None);
        let pat = builder.push(&part(0, &[[0, 0, 0xe0, 0x10], [0, 1, 0xe1, 0]])).unwrap();
        let numbers: Vec<_> = pat.programs.iter().map(|p| (p.number, p.map_pid.get())).collect();
        assert_eq!(numbers, [(2, 0x200), (1, 0x100)]);
    }
}
