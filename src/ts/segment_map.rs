//! The program map of a segment that is all there.

use super::packet::{PACKET_LEN, Packet, Pid};
use super::pat::PatBuilder;
use super::pmt::Pmt;
use super::psi::{Section, SectionAssembler};

/// The first map of the first program in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentMap {
    /// The PID on which it came.
    pub pid: Pid,
    /// Its section, to the byte.
    pub section: Vec<u8>,
    /// What that says.
    pub pmt: Pmt,
}

impl SegmentMap {
    /// Finds it in a segment of packets of 188 bytes; `None` where there is none.
    pub fn of(segment: &[u8]) -> Option<Self> {
        let (mut pats, mut maps) = (SectionAssembler::default(), SectionAssembler::default());
        let (mut builder, mut map_pid, mut found) = (PatBuilder::default(), None, None);
        for offset in (0..segment.len()).step_by(PACKET_LEN) {
            let packet = Packet::at(segment, offset)?;
            let pid = packet.pid();
            if pid == Pid::PAT {
                pats.push(packet, |section| {
                    let Section::Good(section) = section else { return };
                    let first = builder.push(section).and_then(|pat| pat.programs.first());
                    map_pid = first.map(|program| program.map_pid).or(map_pid);
                });
            } else if Some(pid) == map_pid {
                maps.push(packet, |section| {
                    let Section::Good(section) = section else { return };
                    let read = Pmt::parse(section).map(|pmt| Self { pid, section: section.to_vec(), pmt });
                    found = read.or(found.take());
                });
            }
            if found.is_some() {
                break;
            }
        }
        found
    }
}
