//! What the slicer holds back is small, however sparse the program lies in its stream.
//!
//! Counted in bytes allocated and not yet freed. One test only, since the count is the process's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use tapeline::slicer::{Slicer, SlicerOptions};
use tapeline::ts::PACKET_LEN;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// As much as a file is read by at once.
const CHUNK: usize = 512 * 1024 / PACKET_LEN * PACKET_LEN;
const CHUNKS: usize = 60;

fn packet(head: &[u8]) -> [u8; PACKET_LEN] {
    let mut bytes = [0xff; PACKET_LEN];
    bytes[..head.len()].copy_from_slice(head);
    bytes
}

/// A chunk of null packets that begins with these.
fn chunk(packets: &[[u8; PACKET_LEN]]) -> Bytes {
    let mut bytes = packets.concat();
    let null = packet(&[0x47, 0x1f, 0xff, 0x10]);
    while bytes.len() < CHUNK {
        bytes.extend(null);
    }
    Bytes::from(bytes)
}

/// The most that is held while chunk after chunk of `repeated` follows `first` and a silence or none.
fn held(first: &[[u8; PACKET_LEN]], silence: bool, repeated: &[[u8; PACKET_LEN]]) -> usize {
    let before = LIVE.load(Relaxed);
    let mut slicer = Slicer::new(SlicerOptions::default());
    slicer.push(&chunk(first), None).unwrap();
    if silence {
        slicer.interrupt();
    }
    let mut most = 0;
    for _ in 0..CHUNKS {
        slicer.push(&chunk(repeated), None).unwrap();
        while slicer.pull().is_some() {}
        most = most.max(LIVE.load(Relaxed) - before);
    }
    most
}

#[test]
fn no_chunk_is_kept_for_a_few_of_its_packets() {
    let fixture = std::fs::read(format!("{}/fixtures/straddle.ts", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (packets, _) = fixture.as_chunks::<PACKET_LEN>();
    // SDT, PAT and PMT.
    let tables = &packets[..3];
    let unknown = packet(&[0x47, 0x01, 0x00, 0x10]);
    let audio = packet(&[0x47, 0x01, 0x01, 0x10]);
    let no_slice = packet(&[0x47, 0x41, 0x00, 0x10, 0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0, 0, 0, 0, 1, 9, 0xf0]);
    // Twelve packets are more than is copied anyway.
    for (what, first, silence, repeated) in [
        ("before the map", vec![unknown], false, unknown),
        ("held for a key frame", [tables, &[no_slice]].concat(), false, audio),
        ("waiting for a unit to begin with", packets.to_vec(), true, audio),
    ] {
        let most = held(&first, silence, &[repeated; 12]);
        assert!(most < 8 << 20, "{what}: {} KiB", most >> 10);
    }
}
