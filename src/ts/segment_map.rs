//! The program map of a segment that is all there.

use super::packet::{PACKET_LEN, Packet, Pid};
use super::pat::PatBuilder;
use super::pmt::Pmt;
use super::psi::{Section, SectionAssembler};

/// The first map of the first program in `segment`, which is packets of 188 bytes; `None` where there is none.
pub fn first_map(segment: &[u8]) -> Option<Pmt> {
    let (mut pats, mut maps) = (SectionAssembler::default(), SectionAssembler::default());
    let (mut builder, mut map_pid, mut found) = (PatBuilder::default(), None, None);
    for offset in (0..segment.len()).step_by(PACKET_LEN) {
        let packet = Packet::at(segment, offset)?;
        if packet.pid() == Pid::PAT {
            pats.push(packet, |section| {
                let Section::Good(section) = section else { return };
                let first = builder.push(section).and_then(|pat| pat.programs.first());
                map_pid = first.map(|program| program.map_pid).or(map_pid);
            });
        } else if Some(packet.pid()) == map_pid {
            maps.push(packet, |section| {
                let Section::Good(section) = section else { return };
                found = Pmt::parse(section).or(found.take());
            });
        }
        if found.is_some() {
            break;
        }
    }
    found
}
