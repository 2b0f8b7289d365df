//! The fixtures, and what a recording of each must show. The facts are from `fixtures/README.md`.

use std::path::PathBuf;

/// One fixture recorded with `--segment 4s`.
pub struct Fixture {
    /// The file's name without `.ts`.
    pub name: &'static str,
    /// Its media, in milliseconds, from where recording can begin; to within a frame of its last stream.
    pub millis: u64,
    /// Segments.
    pub segments: usize,
    /// `EXT-X-DISCONTINUITY`.
    pub discontinuities: usize,
}

const fn row(name: &'static str, millis: u64, segments: usize, discontinuities: usize) -> Fixture {
    Fixture { name, millis, segments, discontinuities }
}

/// All but `screen_share` and `no_key`, whose length is no sum of key frame intervals.
pub const FIXTURES: [Fixture; 16] = [
    row("audio_aac", 20_300, 5, 0),
    row("audio_ac3", 8_100, 2, 0),
    row("audio_mp3", 20_160, 5, 0),
    row("clock_jump", 16_000, 4, 1),
    row("garbage", 12_000, 3, 0),
    row("h264_aac", 24_000, 6, 0),
    row("h264_opus", 8_000, 2, 0),
    row("h265_aac", 16_000, 4, 0),
    row("long_pmt", 6_000, 2, 0),
    row("m2ts_192", 5_000, 2, 0),
    row("pmt_change", 16_000, 4, 1),
    row("pts_wrap", 16_000, 4, 0),
    row("rs_204", 5_000, 2, 0),
    row("size_change", 16_000, 4, 1),
    row("straddle", 16_000, 4, 0),
    row("two_programs", 8_000, 2, 0),
];

/// Where a fixture is.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("{name}.ts"))
}

/// Its bytes.
pub fn fixture_bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).expect("the fixture")
}
