//! PAT and PMT of a program that is made here (ISO/IEC 13818-1, 2.4.4).

use bytes::BytesMut;

use super::unit::MuxTrack;
use crate::media::TrackCodec;
use crate::ts::pat::{ProgramRef, single_program_section};
use crate::ts::psi::packetize;
use crate::ts::{PACKET_LEN, Pid, StreamType, crc32};

const STREAM_ID: u16 = 1;
const PROGRAM: ProgramRef = ProgramRef { number: 1, map_pid: Pid::new(0x1000) };
/// `current_next_indicator`, and version 0.
const CURRENT: u8 = 0xc1;

/// The tables, and how often they were written.
#[derive(Debug)]
pub(super) struct Tables {
    /// Of each table.
    packets: [Vec<[u8; PACKET_LEN]>; 2],
    counters: [u8; 2],
}

impl Tables {
    /// Those of a program with these tracks, of which one bears the clock.
    pub fn new(tracks: &[MuxTrack], clock: usize) -> Self {
        let pat = single_program_section(STREAM_ID, 0, PROGRAM).unwrap_or_default();
        let map = map_section(tracks, clock);
        Self { packets: [packetize(Pid::PAT, &pat), packetize(PROGRAM.map_pid, &map)], counters: [0; 2] }
    }

    /// Appends both.
    pub fn write(&mut self, out: &mut BytesMut) {
        for (packets, counter) in self.packets.iter_mut().zip(&mut self.counters) {
            for packet in packets {
                packet[3] = packet[3] & 0xf0 | *counter & 0x0f;
                *counter = counter.wrapping_add(1);
                out.extend_from_slice(packet);
            }
        }
    }
}

fn map_section(tracks: &[MuxTrack], clock: usize) -> Vec<u8> {
    let clock = tracks.get(clock).map_or(Pid::NULL, |track| track.pid);
    let [high, low] = clock.get().to_be_bytes();
    let [number_high, number_low] = PROGRAM.number.to_be_bytes();
    let mut fields = vec![number_high, number_low, CURRENT, 0, 0, 0xe0 | high, low, 0xf0, 0];
    for track in tracks {
        let [high, low] = track.pid.get().to_be_bytes();
        let (StreamType(kind), descriptors) = stream_type(track);
        fields.extend([kind, 0xe0 | high, low, 0xf0, descriptors.len() as u8]);
        fields.extend(descriptors);
    }
    // At most 16 tracks of at most 15 bytes each: far from what 12 bits count.
    let len = (fields.len() + 4) as u16;
    let [high, low] = (0xb000 | len).to_be_bytes();
    let mut section = vec![2, high, low];
    section.extend(fields);
    section.extend(crc32(&section).to_be_bytes());
    section
}

/// The type of a stream, and the descriptors without which readers would not know it.
fn stream_type(track: &MuxTrack) -> (StreamType, Vec<u8>) {
    let registered = |name: &[u8; 4]| [&[0x05, 4][..], name].concat();
    match track.codec {
        TrackCodec::H264 => (StreamType(0x1b), Vec::new()),
        TrackCodec::H265 => (StreamType(0x24), registered(b"HEVC")),
        TrackCodec::Aac => (StreamType(0x0f), Vec::new()),
        TrackCodec::Mp3 => (StreamType(0x03), Vec::new()),
        TrackCodec::Ac3 => (StreamType(0x81), registered(b"AC-3")),
        TrackCodec::Opus => {
            // ETSI TS 103 491, 4.2.3: channels.
            let channels = [0x7f, 2, 0x80, track.opus_channels];
            (StreamType::PRIVATE_PES, [&registered(b"Opus")[..], &channels].concat())
        }
        // They have no place here, as `Track::lead` has said.
        TrackCodec::Vp8 | TrackCodec::Vp9 | TrackCodec::Av1 | TrackCodec::Vorbis => {
            (StreamType::PRIVATE_PES, Vec::new())
        }
    }
}
