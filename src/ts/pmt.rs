//! Program map table: the streams of a program (ISO/IEC 13818-1, 2.4.4.8).

use super::packet::Pid;
use super::psi::SectionHeader;
use super::stream_type::{StreamKind, StreamType};

/// One elementary stream of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElementaryStream {
    /// `elementary_PID`.
    pub pid: Pid,
    /// `stream_type`.
    pub stream_type: StreamType,
    /// What the type and the descriptors make of it.
    pub kind: StreamKind,
}

/// A program's map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pmt {
    /// `program_number`.
    pub program: u16,
    /// `version_number`: 5 bits.
    pub version: u8,
    /// `PCR_PID`; `None` where the program has no clock of its own.
    pub pcr_pid: Option<Pid>,
    /// In the order of the table.
    pub streams: Vec<ElementaryStream>,
}

const TABLE_ID: u8 = 2;

impl Pmt {
    /// Reads a section that an assembler gave out. `None` where it is another table, not yet valid, or
    /// its lengths lead out of it.
    pub fn parse(section: &[u8]) -> Option<Self> {
        let (header, body) = SectionHeader::split(section)?;
        if header.table_id != TABLE_ID || !header.current {
            return None;
        }
        let (&[pcr_high, pcr_low, info_high, info_low], rest) = body.split_first_chunk()?;
        let mut rest = rest.get(length12(info_high, info_low)..)?;
        let mut streams = Vec::new();
        while let Some((&[stream_type, pid_high, pid_low, len_high, len_low], tail)) =
            rest.split_first_chunk()
        {
            let (descriptors, tail) = tail.split_at_checked(length12(len_high, len_low))?;
            let stream_type = StreamType(stream_type);
            streams.push(ElementaryStream {
                pid: Pid::new(u16::from_be_bytes([pid_high, pid_low])),
                stream_type,
                kind: stream_type.kind(descriptors),
            });
            rest = tail;
        }
        let pcr_pid = Pid::new(u16::from_be_bytes([pcr_high, pcr_low]));
        Some(Self {
            program: header.extension,
            version: header.version,
            pcr_pid: (pcr_pid != Pid::NULL).then_some(pcr_pid),
            streams,
        })
    }

    /// Whether both maps describe the same streams. The rest of a map may change without a cut.
    pub fn same_tracks(&self, other: &Self) -> bool {
        self.pcr_pid == other.pcr_pid && self.streams == other.streams
    }
}

fn length12(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high, low]) & 0x0fff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::crc32;

    fn section(body: &[u8]) -> Vec<u8> {
        let len = 9 + body.len();
        let mut bytes = vec![2, 0xb0, len as u8, 0, 5, 0xc7, 0, 0];
        bytes.extend(body);
        bytes.extend(crc32(&bytes).to_be_bytes());
        bytes
    }

    #[test]
    fn streams_are_read_in_their_order() {
        let body = [
            0xe1, 0x00, 0xf0, 2, 0x09, 0, // PCR on 0x100, one empty program descriptor
            0x1b, 0xe1, 0x00, 0xf0, 0, // H.264
            0x33, 0xe1, 0x01, 0xf0, 1, 0xaa, // a type without a meaning here
        ];
        let pmt = Pmt::parse(&section(&body)).unwrap();
        assert_eq!((pmt.program, pmt.version, pmt.pcr_pid), (5, 3, Some(Pid::new(0x100))));
        let types: Vec<_> = pmt.streams.iter().map(|s| (s.pid.get(), s.stream_type.0)).collect();
        assert_eq!(types, [(0x100, 0x1b), (0x101, 0x33)]);
    }

    #[test]
    fn lengths_that_lead_out_of_the_section_are_refused() {
        for body in [&[0xff, 0xff, 0xf3, 0xff][..], &[0xff, 0xff, 0xf0, 0, 0x1b, 0xe1, 0, 0xf0, 9], &[0xff]] {
            assert_eq!(Pmt::parse(&section(body)), None, "{body:x?}");
        }
        let none = Pmt::parse(&section(&[0xff, 0xff, 0xf0, 0])).unwrap();
        assert_eq!((none.pcr_pid, none.streams.len()), (None, 0));
    }
}
