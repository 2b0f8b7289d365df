//! Fixed work, once, for `benches/instructions` to count: `fixed_work NAME`, or all of it without a name.
//!
//! The counted part is the call of `counted`; making the stream before it is not.

mod work;

use std::hint::black_box;

use tapeline::media::Container;
use work::{DAY, USUAL_FILL};

const LEN: usize = 16_000_000;
/// Entries that are added.
const ENTRIES: usize = 5000;

/// What callgrind counts: its name is known to `benches/instructions`.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

fn main() {
    // `cargo bench` hands on a `--bench`.
    let name = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let wanted = |work: &str| name.as_deref().is_none_or(|name| name == work);
    let streams =
        [("frame", USUAL_FILL), ("slice", USUAL_FILL), ("slice_dense", 0), ("slice_204", USUAL_FILL)];
    for (work, fill) in streams {
        if !wanted(work) {
            continue;
        }
        let stream = work::stream(LEN, fill);
        let packets = stream.len() / tapeline::ts::PACKET_LEN;
        let chunks = work::chunks(if work == "slice_204" { work::with_parity(&stream) } else { stream });
        if work == "frame" {
            counted(|| work::frame(&chunks));
        } else {
            counted(|| work::slice(Container::MpegTs, &chunks));
        }
        println!("{work} {packets} packet");
    }
    for (work, container) in [("mux_ts", Container::MpegTs), ("mux_webm", Container::WebM)] {
        if wanted(work) {
            let frames = work::frames::make(container, LEN);
            counted(|| work::frames::mux(container, &frames));
            println!("{work} {} frame", frames.len());
        }
    }
    if wanted("slice_webm") {
        let chunks = work::chunks(work::frames::webm(LEN));
        counted(|| work::slice(Container::WebM, &chunks));
        println!("slice_webm {} frame", work::frames::make(Container::WebM, LEN).len());
    }
    for (work, before) in [("append", 0), ("append_after_a_day", DAY)] {
        if !wanted(work) {
            continue;
        }
        let mut playlist = work::playlist();
        work::append(&mut playlist, &work::entries(0, before));
        let entries = work::entries(before, before + ENTRIES);
        counted(|| work::append(&mut playlist, &entries));
        println!("{work} {ENTRIES} entry");
    }
}
