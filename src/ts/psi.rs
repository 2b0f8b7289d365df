//! Sections of program-specific information (ISO/IEC 13818-1, 2.4.4): put together from packets,
//! checked by their CRC.

use super::packet::Packet;

/// Header and CRC of the long form; the length field's 12 bits bound the other end.
const MIN_SECTION: usize = 8 + 4;

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000_0000 != 0 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

/// CRC-32/MPEG-2 (annex A). Over a whole section with its CRC it is 0.
pub fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| crc << 8 ^ CRC_TABLE[usize::from((crc >> 24) as u8 ^ byte)])
}

/// A section that has come in whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section<'a> {
    /// Its CRC is right.
    Good(&'a [u8]),
    /// Its CRC is wrong.
    Damaged(&'a [u8]),
}

/// Collects the sections of one PID. Packets go in; every section that is complete comes out once.
#[derive(Debug, Default)]
pub struct SectionAssembler {
    buffer: Vec<u8>,
    /// Whether the buffer holds the begin of a section.
    open: bool,
    errors: u64,
}

impl SectionAssembler {
    /// Sections dropped because their CRC or their length was wrong.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Forgets a section begun: a packet of it was lost.
    pub fn lose(&mut self) {
        self.open = false;
        self.buffer.clear();
    }

    /// Takes one packet's payload. `sink` gets each complete section of the long form.
    pub fn push(&mut self, packet: Packet<'_>, mut sink: impl FnMut(Section<'_>)) {
        let payload = packet.payload();
        if !packet.unit_start() {
            if self.open {
                self.buffer.extend_from_slice(payload);
                self.drain(&mut sink);
            }
            return;
        }
        let Some((&pointer, rest)) = payload.split_first() else { return };
        let Some((tail, begin)) = rest.split_at_checked(usize::from(pointer)) else {
            self.errors += 1;
            return self.lose();
        };
        if self.open {
            self.buffer.extend_from_slice(tail);
            self.drain(&mut sink);
        }
        self.lose();
        self.open = true;
        self.buffer.extend_from_slice(begin);
        self.drain(&mut sink);
    }

    fn drain(&mut self, sink: &mut impl FnMut(Section<'_>)) {
        loop {
            // 0xFF where a table id should be: the rest of the packet is stuffing.
            if self.buffer.first() == Some(&0xff) {
                return self.lose();
            }
            let Some(&[_, high, low]) = self.buffer.first_chunk() else { return };
            let len = 3 + usize::from(u16::from_be_bytes([high, low]) & 0x0fff);
            let Some(section) = self.buffer.get(..len) else { return };
            let long_form = high & 0x80 != 0;
            if long_form && len >= MIN_SECTION && crc32(section) == 0 {
                sink(Section::Good(section));
            } else if long_form {
                self.errors += 1;
                sink(Section::Damaged(section));
            }
            self.buffer.drain(..len);
        }
    }
}

/// The long form's common fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SectionHeader {
    pub table_id: u8,
    pub extension: u16,
    pub version: u8,
    pub current: bool,
    pub number: u8,
    pub last_number: u8,
}

impl SectionHeader {
    /// Header and body (without the CRC) of a section that an assembler gave out.
    pub fn split(section: &[u8]) -> Option<(Self, &[u8])> {
        let (&[table_id, _, _, ext_high, ext_low, flags, number, last_number], rest) =
            section.split_first_chunk::<8>()?;
        let body = rest.get(..rest.len().checked_sub(4)?)?;
        let header = Self {
            table_id,
            extension: u16::from_be_bytes([ext_high, ext_low]),
            version: flags >> 1 & 0x1f,
            current: flags & 1 != 0,
            number,
            last_number,
        };
        Some((header, body))
    }
}

/// A section's bytes made into packets of `pid`, the rest filled with 0xFF. The continuity counters are
/// left 0 for the one who sends them.
pub(super) fn packetize(pid: super::Pid, section: &[u8]) -> Vec<[u8; super::PACKET_LEN]> {
    let mut pointed = Vec::with_capacity(section.len() + 1);
    pointed.push(0);
    pointed.extend_from_slice(section);
    let chunks = pointed.chunks(super::PACKET_LEN - 4);
    let packets = chunks.enumerate().map(|(index, part)| {
        let mut packet = [0xff; super::PACKET_LEN];
        let [high, low] = pid.get().to_be_bytes();
        let start = if index == 0 { 0x40 } else { 0 };
        let header = [super::SYNC_BYTE, start | high, low, 0x10];
        for (to, from) in packet.iter_mut().zip(header.iter().chain(part)) {
            *to = *from;
        }
        packet
    });
    packets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::Pid;

    pub(crate) fn section(table_id: u8, body_len: usize) -> Vec<u8> {
        let len = 5 + body_len + 4;
        let mut bytes = vec![table_id, 0xb0 | (len >> 8) as u8, len as u8, 0, 1, 0xc1, 0, 0];
        bytes.extend((0..body_len).map(|n| n as u8));
        bytes.extend(crc32(&bytes).to_be_bytes());
        bytes
    }

    fn collect(packets: &[[u8; 188]]) -> (Vec<Vec<u8>>, u64) {
        let mut assembler = SectionAssembler::default();
        let mut out = Vec::new();
        for packet in packets {
            assembler.push(Packet::at(packet, 0).unwrap(), |section| match section {
                Section::Good(bytes) => out.push(bytes.to_vec()),
                Section::Damaged(_) => {}
            });
        }
        (out, assembler.errors())
    }

    #[test]
    fn the_crc_is_the_one_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0x0376_e6e7);
    }

    #[test]
    fn sections_survive_being_cut_into_packets() {
        for body in [0, 20, 170, 171, 172, 173, 500, 1012] {
            let section = section(2, body);
            assert_eq!(collect(&packetize(Pid::new(0x100), &section)), (vec![section], 0), "{body}");
        }
    }

    #[test]
    fn two_sections_in_one_packet_and_a_pointer_into_the_next() {
        let (first, second) = (section(2, 10), section(2, 200));
        let both: Vec<u8> = first.iter().chain(&second).copied().collect();
        let mut packets = packetize(Pid::new(0x100), &both);
        assert_eq!(collect(&packets), (vec![first.clone(), second.clone()], 0));
        // The second packet now points behind the first section's rest to a third one.
        let rest = both.len() - 183;
        let third = section(3, 4);
        packets[1][1] |= 0x40;
        packets[1].copy_within(4..4 + rest, 5);
        packets[1][4] = rest as u8;
        packets[1][5 + rest..5 + rest + third.len()].copy_from_slice(&third);
        assert_eq!(collect(&packets), (vec![first, second, third], 0));
    }

    #[test]
    fn damage_is_counted_and_dropped() {
        let mut bad = section(2, 30);
        bad[12] ^= 1;
        assert_eq!(collect(&packetize(Pid::PAT, &bad)), (vec![], 1));
        let mut packets = packetize(Pid::PAT, &section(2, 30));
        packets[0][4] = 200;
        assert_eq!(collect(&packets), (vec![], 1));
    }
}
