//! What fuzzing found in the slicer, each made small and from a fixture. See fuzz/.

use std::collections::HashMap;

use bytes::Bytes;
use tapeline::slicer::{Action, Slicer, SlicerOptions};
use tapeline::ts::{PACKET_LEN, Packet, Pid, crc32};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn bytes_out(slicer: &mut Slicer) -> Vec<u8> {
    let bytes = std::iter::from_fn(|| slicer.pull()).filter_map(|action| match action {
        Action::Bytes(bytes) => Some(bytes),
        _ => None,
    });
    bytes.flatten().collect()
}

/// PIDs with a hole in their counters.
fn holes(stream: &[u8]) -> Vec<Pid> {
    let mut last: HashMap<Pid, u8> = HashMap::new();
    let packets = stream.chunks(PACKET_LEN).filter_map(|bytes| Packet::at(bytes, 0));
    let counted = packets.filter(|packet| packet.has_payload());
    let broken = counted.filter(|packet| {
        let counter = packet.continuity_counter();
        last.insert(packet.pid(), counter).is_some_and(|last| (last + 1) & 0x0f != counter)
    });
    broken.map(|packet| packet.pid()).collect()
}

/// An interruption used to begin the next segment anew, without what waited for it already.
#[test]
fn a_silence_right_after_a_new_map_loses_nothing() {
    let stream = fixture("pmt_change.ts");
    // The new map is packet 416; a key frame follows it, then the first audio.
    for silence in 410..450 {
        let mut slicer = Slicer::new(SlicerOptions::default());
        let (before, after) = stream.split_at(silence * PACKET_LEN);
        slicer.push(&Bytes::copy_from_slice(before), None).unwrap();
        slicer.interrupt();
        slicer.push(&Bytes::copy_from_slice(after), None).unwrap();
        slicer.finish().unwrap();
        assert_eq!(holes(&bytes_out(&mut slicer)), [], "silence after packet {silence}");
    }
}

/// A map that names a stream's PID for its clock alone, and the next one, of another run of the clock, that has it back: packets that
/// waited for the next segment used to be overtaken by those behind them.
#[test]
fn a_kind_that_comes_back_goes_on_behind_what_waits() {
    let mut stream = fixture("clock_jump.ts");
    let pid = |packet: &[u8]| Packet::at(packet, 0).unwrap().pid();
    // The other run begins at packet 581.
    let map =
        stream.chunks(PACKET_LEN).take(581).rposition(|packet| pid(packet) == Pid::new(0x1000)).unwrap();
    // The section stands behind the header and the pointer; its CRC is right.
    let section = &mut stream[map * PACKET_LEN + 5..][..26];
    section[13] = 0xab;
    let crc = crc32(&section[..22]).to_be_bytes();
    section[22..].copy_from_slice(&crc);
    let mut slicer = Slicer::new(SlicerOptions::default());
    slicer.push(&Bytes::from(stream.clone()), None).unwrap();
    slicer.finish().unwrap();
    let video = |stream: &[u8]| -> Vec<Vec<u8>> {
        let packets = stream.chunks(PACKET_LEN).filter(|packet| pid(packet) == Pid::new(0x100));
        packets.map(<[u8]>::to_vec).collect()
    };
    let (given, made) = (video(&stream), video(&bytes_out(&mut slicer)));
    // Both runs show the same pictures: each packet is looked for behind the one before.
    let mut rest = given.iter();
    let overtaken = made.iter().position(|packet| !rest.any(|other| other == packet));
    assert!(made.len() > 400 && overtaken.is_none(), "{overtaken:?} of {}", made.len());
}
