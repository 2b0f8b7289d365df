//! A multiplexer small enough to be seen through: it writes packet after packet just what a test asks for.

use std::collections::HashMap;

use tapeline::ts::{PACKET_LEN, crc32};

pub type TsPacket = [u8; PACKET_LEN];

pub const H264: u8 = 0x1b;
pub const H265: u8 = 0x24;
pub const AAC: u8 = 0x0f;
pub const SCTE35: u8 = 0x86;
pub const PMT_PID: u16 = 0x1000;
pub const VIDEO: u16 = 0x100;
pub const AUDIO: u16 = 0x101;
pub const SECTIONS: u16 = 0x102;
pub const AV: &[(u8, u16)] = &[(H264, VIDEO), (AAC, AUDIO)];

/// libx264, 1920x1080 and 640x362.
const SPS: [&[u8]; 2] = [
    &[
        0x67, 0x42, 0xc0, 0x28, 0xda, 0x01, 0xe0, 0x08, 0x9f, 0x97, 0x01, 0x10, 0, 0, 0x03, 0, 0x10, 0, 0,
        0x03, 0x03, 0x20, 0xf1, 0x83, 0x2a,
    ],
    &[
        0x67, 0x64, 0, 0x1e, 0xac, 0x56, 0x40, 0x28, 0x0b, 0xfe, 0x4c, 0x04, 0x40, 0, 0, 0x03, 0, 0x40, 0, 0,
        0x0c, 0x83, 0xc5, 0x8b, 0x65, 0x80,
    ],
];

fn units(units: &[&[u8]], fill: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect();
    bytes.extend(std::iter::repeat_n(0xaa, fill));
    bytes
}

/// A key frame of picture size 0 or 1, and so many bytes more.
pub fn key(size: usize, fill: usize) -> Vec<u8> {
    units(&[&[0x09, 0xf0], SPS[size], &[0x68, 0xce, 0x0f, 0xc8], &[0x65, 0x88, 0x84]], fill)
}

/// A key frame whose slice comes only behind so many bytes of user data.
pub fn late_key(before: usize, fill: usize) -> Vec<u8> {
    let mut user_data = vec![0x06, 0x05];
    user_data.extend(std::iter::repeat_n(0xff, before / 255));
    user_data.push((before % 255) as u8);
    user_data.extend(std::iter::repeat_n(0xbb, before));
    units(&[&[0x09, 0xf0], SPS[0], &[0x68, 0xce, 0x0f, 0xc8], &user_data, &[0x65, 0x88, 0x84]], fill)
}

pub fn picture(fill: usize) -> Vec<u8> {
    units(&[&[0x09, 0xf0], &[0x41, 0x9a, 0x21]], fill)
}

/// One ADTS frame of so many bytes; rate index 3 is 48 kHz, 4 is 44.1 kHz.
pub fn adts(rate_index: u64, len: u64) -> Vec<u8> {
    let header = 0xfff1 << 40 | 1 << 38 | rate_index << 34 | 2 << 30 | len << 13 | 0x7ff << 2;
    let [_, header @ ..] = u64::to_be_bytes(header);
    header.into_iter().chain(std::iter::repeat_n(0x55, len as usize - 7)).collect()
}

/// A PES packet. Times are ticks of 90 kHz.
#[derive(Debug, Clone)]
pub struct Pes {
    pub pid: u16,
    pub pts: Option<i64>,
    pub dts: Option<i64>,
    pub data: Vec<u8>,
    /// Its length is declared.
    pub bounded: bool,
    /// In its first packet.
    pub pcr: Option<i64>,
    pub discontinuity: bool,
    pub scrambled: bool,
}

impl Pes {
    pub fn video(pts: i64, data: Vec<u8>) -> Self {
        let base = Self::audio(pts, data);
        Self { pid: VIDEO, bounded: false, pcr: Some(pts - 9_000), ..base }
    }

    pub fn audio(pts: i64, data: Vec<u8>) -> Self {
        Self {
            pid: AUDIO,
            pts: Some(pts),
            dts: None,
            data,
            bounded: true,
            pcr: None,
            discontinuity: false,
            scrambled: false,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut optional = Vec::new();
        if let Some(pts) = self.pts {
            optional.extend(stamp(if self.dts.is_some() { 3 } else { 2 }, pts));
        }
        if let Some(dts) = self.dts {
            optional.extend(stamp(1, dts));
        }
        let flags = u8::from(self.pts.is_some()) << 7 | u8::from(self.dts.is_some()) << 6;
        let declared = if self.bounded { (3 + optional.len() + self.data.len()) as u16 } else { 0 };
        let [high, low] = declared.to_be_bytes();
        let stream_id = if self.pid == AUDIO { 0xc0 } else { 0xe0 };
        let mut bytes = vec![0, 0, 1, stream_id, high, low, 0x80, flags, optional.len() as u8];
        bytes.extend(optional);
        bytes.extend(&self.data);
        bytes
    }
}

fn stamp(prefix: u8, ticks: i64) -> [u8; 5] {
    let t = ticks.rem_euclid(1 << 33) as u64;
    [
        prefix << 4 | (t >> 29) as u8 & 0x0e | 1,
        (t >> 22) as u8,
        (t >> 14) as u8 | 1,
        (t >> 7) as u8,
        (t << 1) as u8 | 1,
    ]
}

/// Writes packets and counts them per PID.
#[derive(Debug, Default, Clone)]
pub struct Mux {
    pub packets: Vec<TsPacket>,
    counters: HashMap<u16, u8>,
}

impl Mux {
    /// With PAT and PMT of program 1.
    pub fn program(streams: &[(u8, u16)]) -> Self {
        let mut mux = Self::default();
        mux.pat(&[(1, PMT_PID)]);
        mux.pmt(PMT_PID, 0, streams);
        mux
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.packets.concat()
    }

    pub fn counter(&mut self, pid: u16) -> &mut u8 {
        self.counters.entry(pid).or_default()
    }

    fn uncounted(&self, pid: u16, start: bool, adaptation: &[u8], payload: &[u8]) -> TsPacket {
        assert!(adaptation.len() + payload.len() == PACKET_LEN - 4);
        let [high, low] = pid.to_be_bytes();
        let control = u8::from(!adaptation.is_empty()) << 5 | u8::from(!payload.is_empty()) << 4;
        let head = [0x47, u8::from(start) << 6 | high, low, control];
        [&head, adaptation, payload].concat().try_into().unwrap()
    }

    /// Fills in the counters, in the order in which packets are sent.
    pub fn send(&mut self, packets: impl IntoIterator<Item = TsPacket>) {
        for mut packet in packets {
            let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
            let counter = self.counter(pid);
            // Packets without payload repeat the count of the one before.
            let counts = packet[3] >> 4 & 1;
            packet[3] = packet[3] & 0xf0 | (*counter + 15 + counts) & 0x0f;
            *counter = (*counter + counts) & 0x0f;
            self.packets.push(packet);
        }
    }

    pub fn pat(&mut self, programs: &[(u16, u16)]) {
        let body: Vec<u8> = programs
            .iter()
            .flat_map(|(number, pid)| [number.to_be_bytes(), (0xe000 | pid).to_be_bytes()].concat())
            .collect();
        self.section(0, &section(0, 1, 0, &body));
    }

    /// The PCR is on the first stream.
    pub fn pmt(&mut self, pid: u16, version: u8, streams: &[(u8, u16)]) {
        self.program_map(pid, 1, version, streams);
    }

    pub fn program_map(&mut self, pid: u16, program: u16, version: u8, streams: &[(u8, u16)]) {
        let pcr_pid = streams.first().map_or(0x1fff, |stream| stream.1);
        let mut body = [(0xe000 | pcr_pid).to_be_bytes(), [0xf0, 0]].concat();
        for (kind, pid) in streams {
            body.push(*kind);
            body.extend((0xe000 | pid).to_be_bytes());
            body.extend([0xf0, 0]);
        }
        self.section(pid, &section(2, program, version, &body));
    }

    /// A section in packets of its own.
    pub fn section(&mut self, pid: u16, section: &[u8]) {
        let bytes = [&[0], section].concat();
        self.send_payload(pid, &bytes);
    }

    /// A payload that begins with a pointer field, filled up with 0xFF.
    pub fn send_payload(&mut self, pid: u16, bytes: &[u8]) {
        let packets: Vec<_> = bytes
            .chunks(PACKET_LEN - 4)
            .enumerate()
            .map(|(index, part)| {
                let mut payload = part.to_vec();
                payload.resize(PACKET_LEN - 4, 0xff);
                self.uncounted(pid, index == 0, &[], &payload)
            })
            .collect();
        self.send(packets);
    }

    /// The rest of a section that began in an earlier packet, without a pointer field.
    pub fn send_rest(&mut self, pid: u16, bytes: &[u8]) {
        let mut payload = bytes.to_vec();
        payload.resize(PACKET_LEN - 4, 0xff);
        let packet = self.uncounted(pid, false, &[], &payload);
        self.send([packet]);
    }

    pub fn pes(&mut self, pes: &Pes) {
        let packets = self.pes_packets(pes);
        self.send(packets);
    }

    /// The packets of a PES packet, not yet counted, so that they can be sent between others.
    pub fn pes_packets(&self, pes: &Pes) -> Vec<TsPacket> {
        let bytes = pes.bytes();
        let mut rest = &bytes[..];
        let mut packets = Vec::new();
        while !rest.is_empty() {
            let first = packets.is_empty();
            let mut adaptation = Vec::new();
            if first && (pes.pcr.is_some() || pes.discontinuity) {
                let flags = u8::from(pes.discontinuity) << 7 | u8::from(pes.pcr.is_some()) << 4;
                adaptation = vec![0, flags];
                if let Some(pcr) = pes.pcr {
                    let base = pcr.rem_euclid(1 << 33) as u64;
                    adaptation.extend(((base << 15) | 0x7e00).to_be_bytes()[2..].iter());
                }
            }
            let room = PACKET_LEN - 4 - adaptation.len();
            let taken = rest.len().min(room);
            let missing = room - taken;
            if missing > 0 {
                if adaptation.is_empty() {
                    adaptation.push(0);
                    if missing > 1 {
                        adaptation.push(0);
                    }
                    adaptation.resize(missing.max(1), 0xff);
                } else {
                    adaptation.resize(adaptation.len() + missing, 0xff);
                }
            }
            if let Some(length) = adaptation.first().map(|_| adaptation.len() as u8 - 1) {
                adaptation[0] = length;
            }
            let mut packet = self.uncounted(pes.pid, first, &adaptation, &rest[..taken]);
            if pes.scrambled {
                packet[3] |= 0x80;
            }
            packets.push(packet);
            rest = &rest[taken..];
        }
        packets
    }

    /// A packet with nothing but a clock.
    pub fn clock(&mut self, pid: u16, pcr: i64) {
        let base = pcr.rem_euclid(1 << 33) as u64;
        let mut adaptation = vec![183, 0x10];
        adaptation.extend(((base << 15) | 0x7e00).to_be_bytes()[2..].iter());
        adaptation.resize(PACKET_LEN - 4, 0xff);
        let packet = self.uncounted(pid, false, &adaptation, &[]);
        self.send([packet]);
    }
}

/// A section of the long form with its CRC.
pub fn section(table_id: u8, extension: u16, version: u8, body: &[u8]) -> Vec<u8> {
    let len = 5 + body.len() + 4;
    let mut bytes = vec![table_id, 0xb0 | (len >> 8) as u8, len as u8];
    bytes.extend(extension.to_be_bytes());
    bytes.extend([0xc1 | version << 1, 0, 0]);
    bytes.extend(body);
    bytes.extend(crc32(&bytes).to_be_bytes());
    bytes
}
