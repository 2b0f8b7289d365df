//! Edits of a transport stream, decoded from a fuzzer's bytes.
//!
//! Most keep the packets' grid and the sections' CRC, since what goes wrong behind those is never reached
//! by bytes flipped at random.

use arbitrary::Arbitrary;
use tapeline::ts::{PACKET_LEN, Packet, Pid, crc32};

use crate::fixture::piece;
use crate::slicing::{Chunks, Setting};

/// A stream never grows beyond this.
const MAX_LEN: usize = 300_000;

/// A fixture, what is done to it, and how it is sliced.
#[derive(Debug, Arbitrary)]
pub struct Case {
    fixture: u8,
    setting: Setting,
    chunks: Chunks,
    edits: Vec<Edit>,
}

impl Case {
    /// Makes the stream and checks what the slicer does with it.
    pub fn check(&self) {
        crate::check(&self.stream(), &self.setting, &self.chunks);
    }

    /// Makes the stream and checks what the survey says of it.
    pub fn check_survey(&self) {
        let stream = self.stream();
        crate::check_survey(&stream, &self.chunks);
        crate::check_segment(&stream);
    }

    fn stream(&self) -> Vec<u8> {
        let mut stream = piece(self.fixture).to_vec();
        for edit in self.edits.iter().take(64) {
            edit.apply(&mut stream);
            stream.truncate(MAX_LEN);
        }
        stream
    }
}

/// One edit. Places are in packets, or in bytes where that is said; those beyond the end are wrapped.
#[derive(Debug, Arbitrary)]
pub enum Edit {
    /// Changes bits of one byte.
    Flip { byte: u32, bits: u8 },
    /// Sets one of a packet's first 32 bytes: its header, its adaptation field, the PES header.
    Header { packet: u16, at: u8, value: u8 },
    /// Takes packets out.
    Drop { packet: u16, count: u8 },
    /// Repeats packets.
    Repeat { packet: u16, count: u8 },
    /// Puts packets of another fixture in.
    Splice { packet: u16, fixture: u8, from: u16, count: u8 },
    /// Sets the time stamps of one PES packet.
    Stamp { packet: u16, pts: u64, dts: Option<u64> },
    /// Moves all time stamps from a packet on, program clock not included.
    Shift { packet: u16, ticks: i64 },
    /// Sets a byte of a PAT or PMT section that lies in one packet, and makes its CRC right.
    Section { packet: u16, at: u8, value: u8 },
    /// Puts another section in the place of one, with a right length and CRC.
    Replace { packet: u16, section: [u8; 8], body: Vec<u8> },
    /// Repeats one packet with a counter that runs on, to fill buffers: up to 1020 packets.
    Fill { packet: u16, count: u8 },
    /// Puts bytes in, which breaks the grid.
    Garbage { byte: u32, bytes: Vec<u8> },
    /// Cuts bytes out, which breaks the grid.
    Hole { byte: u32, len: u16 },
    /// Ends the stream.
    Truncate { byte: u32 },
}

impl Edit {
    fn apply(&self, stream: &mut Vec<u8>) {
        if stream.len() < PACKET_LEN {
            return;
        }
        match *self {
            Self::Flip { byte, bits } => {
                let at = byte as usize % stream.len();
                stream[at] ^= bits;
            }
            Self::Header { packet, at, value } => {
                let at = grid(stream, packet) + usize::from(at % 32);
                stream[at] = value;
            }
            Self::Drop { packet, count } => {
                let (from, to) = packets(stream, packet, count);
                stream.drain(from..to);
            }
            Self::Repeat { packet, count } => {
                let (from, to) = packets(stream, packet, count);
                let copy = stream[from..to].to_vec();
                stream.splice(to..to, copy);
            }
            Self::Splice { packet, fixture, from, count } => {
                let other = piece(fixture);
                let (from, to) = packets(other, from, count);
                let at = grid(stream, packet);
                stream.splice(at..at, other[from..to].iter().copied());
            }
            Self::Stamp { packet, pts, dts } => {
                let from = grid(stream, packet);
                let first = stamps(stream, from).next();
                if let Some(at) = first {
                    write(stream, at, Some(pts));
                    if stream[at - 2] & 0xc0 == 0xc0 {
                        write(stream, at + 5, dts);
                    }
                }
            }
            Self::Shift { packet, ticks } => {
                let from = grid(stream, packet);
                let places: Vec<usize> = stamps(stream, from).collect();
                for at in places {
                    shift(stream, at, ticks);
                    if stream[at - 2] & 0xc0 == 0xc0 {
                        shift(stream, at + 5, ticks);
                    }
                }
            }
            Self::Section { packet, at, value } => {
                let Some(packet) = table(stream, packet) else { return };
                let len = usize::from(packet[6] & 0x0f) << 8 | usize::from(packet[7]);
                let Some(end) = (3 + len).checked_sub(4).filter(|end| (1..=PACKET_LEN - 9).contains(end))
                else {
                    return;
                };
                packet[5 + usize::from(at) % end] = value;
                let crc = crc32(&packet[5..5 + end]).to_be_bytes();
                packet[5 + end..9 + end].copy_from_slice(&crc);
            }
            Self::Replace { packet, section: header, ref body } => {
                let Some(packet) = table(stream, packet) else { return };
                let body = &body[..body.len().min(PACKET_LEN - 5 - 8 - 4)];
                let len = 5 + body.len() + 4;
                let mut section = header.to_vec();
                section[1] = 0xb0;
                section[2] = len as u8;
                section.extend(body);
                section.extend(crc32(&section).to_be_bytes());
                packet[5..].fill(0xff);
                packet[5..5 + section.len()].copy_from_slice(&section);
            }
            Self::Fill { packet, count } => {
                let from = grid(stream, packet);
                let mut copy = stream[from..from + PACKET_LEN].to_vec();
                let mut run = Vec::new();
                for _ in 0..4 * usize::from(count) {
                    copy[3] = copy[3] & 0xf0 | copy[3].wrapping_add(1) & 0x0f;
                    run.extend_from_slice(&copy);
                }
                stream.splice(from + PACKET_LEN..from + PACKET_LEN, run);
            }
            Self::Garbage { byte, ref bytes } => {
                let at = byte as usize % stream.len();
                stream.splice(at..at, bytes.iter().copied());
            }
            Self::Hole { byte, len } => {
                let from = byte as usize % stream.len();
                let to = stream.len().min(from + usize::from(len));
                stream.drain(from..to);
            }
            Self::Truncate { byte } => {
                let len = byte as usize % stream.len();
                stream.truncate(len);
            }
        }
    }
}

/// Where a packet begins, while the packets' grid is whole.
fn grid(stream: &[u8], packet: u16) -> usize {
    usize::from(packet) % (stream.len() / PACKET_LEN) * PACKET_LEN
}

fn packets(stream: &[u8], packet: u16, count: u8) -> (usize, usize) {
    let from = grid(stream, packet);
    (from, (from + (1 + usize::from(count)) * PACKET_LEN).min(stream.len()))
}

/// Where the presentation time stamps are, from a packet on.
fn stamps(stream: &[u8], from: usize) -> impl Iterator<Item = usize> {
    (from..stream.len()).step_by(PACKET_LEN).filter_map(|at| {
        let packet = Packet::at(stream, at)?;
        let payload = packet.payload();
        let stamped = packet.unit_start()
            && payload.len() >= 19
            && payload.starts_with(&[0, 0, 1])
            && payload[6] & 0xc0 == 0x80
            && payload[7] & 0x80 != 0;
        stamped.then_some(at + PACKET_LEN - payload.len() + 9)
    })
}

fn write(stream: &mut [u8], at: usize, stamp: Option<u64>) {
    let Some(ticks) = stamp else { return };
    let bytes = [
        stream[at] & 0xf0 | (ticks >> 29) as u8 & 0x0e | 1,
        (ticks >> 22) as u8,
        (ticks >> 14) as u8 | 1,
        (ticks >> 7) as u8,
        (ticks << 1) as u8 | 1,
    ];
    stream[at..at + 5].copy_from_slice(&bytes);
}

fn shift(stream: &mut [u8], at: usize, ticks: i64) {
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|n| u64::from(stream[at + n]));
    let old = (a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1;
    write(stream, at, Some(old.wrapping_add_signed(ticks)));
}

/// The first packet from one on with which a section of a table begins, unshifted by an adaptation field.
fn table(stream: &mut [u8], packet: u16) -> Option<&mut [u8]> {
    let from = grid(stream, packet);
    let at = (from..stream.len()).step_by(PACKET_LEN).find(|&at| {
        Packet::at(stream, at).is_some_and(|packet| {
            let known = [Pid::PAT, Pid::new(0x1000), Pid::new(0x1001)].contains(&packet.pid());
            let bytes = packet.bytes();
            known && packet.unit_start() && bytes[3] & 0x30 == 0x10 && bytes[4] == 0
        })
    })?;
    stream.get_mut(at..at + PACKET_LEN)
}
