//! The PES packets of a transport stream, for tests that compare media.

use std::collections::BTreeMap;

use tapeline::ts::{PACKET_LEN, Packet, ParsedPes, PesHeader, Pid, SegmentMap};

/// One PES packet: its header, and its elementary stream's bytes.
pub type Unit = (PesHeader, Vec<u8>);

/// Those of each PID of the program. Panics where one is not what its header says.
pub fn units(bytes: &[u8]) -> BTreeMap<Pid, Vec<Unit>> {
    let map = SegmentMap::of(bytes).expect("a map").pmt;
    let mut open: BTreeMap<Pid, Vec<Vec<u8>>> = BTreeMap::new();
    for at in (0..bytes.len()).step_by(PACKET_LEN) {
        let packet = Packet::at(bytes, at).expect("a packet");
        if map.streams.iter().any(|stream| stream.pid == packet.pid()) {
            let pes = open.entry(packet.pid()).or_default();
            if packet.unit_start() {
                pes.push(Vec::new());
            }
            pes.last_mut().expect("a unit's begin").extend_from_slice(packet.payload());
        }
    }
    let read = |pes: Vec<u8>| {
        let ParsedPes::Header(header) = PesHeader::parse(&pes) else { panic!("no PES header") };
        (header, pes[header.data_offset..].to_vec())
    };
    open.into_iter().map(|(pid, pes)| (pid, pes.into_iter().map(read).collect())).collect()
}
