//! The work that is measured, for the benches: streams made in memory, and lists of segments.
//!
//! A stream is a fixture over and over, its time stamps, clock references and continuity counters running
//! on. The fixture has 120 kb/s, so that a unit begins in every other packet: no real stream asks more of
//! the slicer. With `fill` plain packets put into each picture it becomes what cameras and encoders send;
//! 130 of them make 25 pictures a second 5 Mb/s.

#![allow(dead_code, reason = "each bench uses its own part")]

pub mod frames;

use std::hint::black_box;

use bytes::Bytes;
use tapeline::media::Container;
use tapeline::playlist::{Entry, Header, Renderer};
use tapeline::slicer::{Action, Slicer, SlicerOptions};
use tapeline::time::{MediaTime, WallTime};
use tapeline::ts::{Framer, PACKET_LEN, Packet, Pid};

/// What a file is read by at once.
pub const CHUNK: usize = 512 * 1024;
/// Plain packets in each picture of a stream of 5 Mb/s.
pub const USUAL_FILL: usize = 130;
/// Segments of 6 s in a day.
pub const DAY: usize = 14_400;

const FIXTURE: &[u8] = include_bytes!("../../fixtures/h264_aac.ts");
const VIDEO: u16 = 0x100;
/// What the fixture takes of the clock: 600 pictures of 3600 ticks.
const PERIOD: u64 = 600 * 3600;

/// About `bytes` of a stream with `fill` plain packets in each picture.
pub fn stream(bytes: usize, fill: usize) -> Vec<u8> {
    let (packets, _) = FIXTURE.as_chunks::<PACKET_LEN>();
    let mut out = Vec::with_capacity(bytes + FIXTURE.len());
    let mut counters = vec![0; Pid::COUNT];
    let mut count = |packet: &mut [u8; PACKET_LEN]| {
        if let Some(view) = Packet::at(packet, 0).filter(|view| view.has_payload()) {
            let counter = &mut counters[view.pid().index()];
            packet[3] = packet[3] & 0xf0 | *counter;
            *counter = (*counter + 1) & 0x0f;
        }
    };
    let mut filler = [0x55; PACKET_LEN];
    filler[..4].copy_from_slice(&[0x47, (VIDEO >> 8) as u8, VIDEO as u8, 0x10]);
    for round in 0.. {
        for packet in packets {
            if out.len() >= bytes {
                return out;
            }
            let mut packet = *packet;
            let begins = Packet::at(&packet, 0).filter(|view| view.unit_start());
            // At the end of the picture before: behind its slice's first bytes, which are looked at.
            if begins.is_some_and(|view| view.pid() == Pid::new(VIDEO)) && out.len() > PACKET_LEN * 4 {
                for _ in 0..fill {
                    count(&mut filler);
                    out.extend_from_slice(&filler);
                }
            }
            advance(&mut packet, round * PERIOD);
            count(&mut packet);
            out.extend_from_slice(&packet);
        }
    }
    out
}

/// The same packets with 16 bytes after each.
pub fn with_parity(stream: &[u8]) -> Vec<u8> {
    stream.chunks(PACKET_LEN).flat_map(|packet| packet.iter().copied().chain([0xaa; 16])).collect()
}

/// A stream in chunks, as an input hands it on.
pub fn chunks(stream: Vec<u8>) -> Vec<Bytes> {
    let stream = Bytes::from(stream);
    let starts = (0..stream.len()).step_by(CHUNK);
    starts.map(|from| stream.slice(from..stream.len().min(from + CHUNK))).collect()
}

/// Finds the packets alone.
#[inline(never)]
pub fn frame(chunks: &[Bytes]) -> usize {
    let mut framer = Framer::default();
    let mut sum = 0;
    for chunk in chunks {
        framer.push(chunk, |buffer, offset| sum += usize::from(black_box(buffer)[offset]));
    }
    sum
}

/// Slices by the default rules, and counts the segments' bytes.
#[inline(never)]
pub fn slice(container: Container, chunks: &[Bytes]) -> u64 {
    let mut slicer = Slicer::new(SlicerOptions { container, ..SlicerOptions::default() });
    let mut bytes = 0;
    for chunk in chunks {
        slicer.push(chunk, None).expect("no program was asked for");
        while let Some(action) = slicer.pull() {
            if let Action::Sealed(facts) = black_box(action) {
                bytes += facts.bytes;
            }
        }
    }
    slicer.finish().expect("the stream can be sliced");
    bytes
}

/// The segments number `from..to` of a recording.
pub fn entries(from: usize, to: usize) -> Vec<Entry> {
    let entry = |number: usize| Entry {
        uri: format!("38f8e3cfdc474cd56fc1ceba380d7e1a_channel_202611230102{number:05}.ts"),
        start: MediaTime::from_ticks(8_100_000_000 + number as i64 * 540_000),
        clock: 1,
        date: WallTime::from_millis(1_795_395_723_456 + number as i64 * 6000),
        duration_millis: 6000,
        discontinuity: false,
        gap: false,
        compat: Vec::new(),
    };
    (from..to).map(entry).collect()
}

/// A playlist without an entry.
pub fn playlist() -> Renderer {
    Renderer::new(&Header { target_duration: 30 })
}

/// Adds segments to a playlist.
#[inline(never)]
pub fn append(playlist: &mut Renderer, entries: &[Entry]) -> usize {
    for entry in entries {
        playlist.append(black_box(entry)).expect("a legal entry");
    }
    playlist.take().len()
}

/// Moves the packet's clock reference and time stamps.
fn advance(packet: &mut [u8; PACKET_LEN], ticks: u64) {
    let Some(view) = Packet::at(packet, 0) else { return };
    let (start, payload_len, pcr) = (view.unit_start(), view.payload().len(), view.pcr());
    if let Some(pcr) = pcr {
        let base = pcr.bits() + ticks;
        let extension = packet[10] & 0x7f;
        packet[6..10].copy_from_slice(&((base >> 1) as u32).to_be_bytes());
        packet[10] = (base as u8 & 1) << 7 | extension;
    }
    let pes = PACKET_LEN - payload_len;
    if start && packet[pes..].starts_with(&[0, 0, 1]) {
        let both = packet[pes + 7] >> 6;
        let stamps = [(both & 2 != 0).then_some(pes + 9), (both == 3).then_some(pes + 14)];
        stamps.into_iter().flatten().for_each(|at| advance_stamp(&mut packet[at..at + 5], ticks));
    }
}

/// A stamp of 33 bits, with marker bits between (ISO/IEC 13818-1, 2.4.3.7).
fn advance_stamp(bytes: &mut [u8], ticks: u64) {
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|n| u64::from(bytes[n]));
    let stamp = ((a >> 1 & 7) << 30 | b << 22 | c >> 1 << 15 | d << 7 | e >> 1) + ticks;
    bytes.copy_from_slice(&[
        (a & 0xf0) as u8 | (stamp >> 29) as u8 & 0x0e | 1,
        (stamp >> 22) as u8,
        (stamp >> 14) as u8 | 1,
        (stamp >> 7) as u8,
        (stamp << 1) as u8 | 1,
    ]);
}
