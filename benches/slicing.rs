//! How fast streams are framed and sliced, frames muxed, and how playlists grow: `cargo bench --bench slicing`.
//!
//! All in memory and on one core; `benches/peer` measures the program with its files. The times are those of
//! the machine and of what else runs on it: `benches/instructions` is what a change is judged by.

mod work;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tapeline::media::Container;
use work::{DAY, USUAL_FILL};

const LEN: usize = 64_000_000;

fn slicing(c: &mut Criterion) {
    let usual = work::stream(LEN, USUAL_FILL);
    let parity = work::chunks(work::with_parity(&usual));
    let usual = work::chunks(usual);
    let dense = work::chunks(work::stream(LEN, 0));
    let mut group = c.benchmark_group("64 MB");
    group.sample_size(20).throughput(Throughput::Bytes(LEN as u64));
    // In decimal GB/s, this must exceed 4.
    group.bench_function("frame", |b| b.iter(|| work::frame(&usual)));
    group.bench_function("slice", |b| b.iter(|| work::slice(Container::MpegTs, &usual)));
    group.bench_function("slice, a unit in every other packet", |b| {
        b.iter(|| work::slice(Container::MpegTs, &dense))
    });
    group.bench_function("slice, 204-byte packets", |b| b.iter(|| work::slice(Container::MpegTs, &parity)));
    let webm = work::chunks(work::frames::webm(LEN));
    group.bench_function("slice WebM", |b| b.iter(|| work::slice(Container::WebM, &webm)));
    group.finish();
}

fn muxing(c: &mut Criterion) {
    let mut group = c.benchmark_group("64 MB of frames");
    group.sample_size(20);
    for (container, name) in [(Container::MpegTs, "MPEG-TS"), (Container::WebM, "WebM")] {
        let frames = work::frames::make(container, LEN);
        let bytes = work::frames::mux(container, &frames);
        // Packets of what comes out, for MPEG-TS.
        let throughput = match container {
            Container::MpegTs => Throughput::Elements(bytes / 188),
            Container::WebM => Throughput::Bytes(bytes),
        };
        group.throughput(throughput);
        group.bench_function(format!("copy for {name}"), |b| b.iter(|| work::frames::copy(&frames)));
        group.bench_function(name, |b| b.iter(|| work::frames::mux(container, &frames)));
    }
    group.finish();
}

fn playlists(c: &mut Criterion) {
    let day = work::entries(0, DAY);
    let mut group = c.benchmark_group("a day of 6 s");
    group.throughput(Throughput::Elements(DAY as u64));
    group.bench_function("append", |b| b.iter(|| work::append(&mut work::playlist(), &day)));
    group.finish();
}

criterion_group!(benches, slicing, muxing, playlists);
criterion_main!(benches);
