//! Pieces of the committed fixtures, each around what its file is for. See fixtures/README.md.

/// Bytes of a piece. Some seconds of every fixture, and little enough for hundreds of runs a second.
const PIECE: usize = 40_000;

macro_rules! fixtures {
    ($(($file:literal, $from:expr)),* $(,)?) => {
        &[$((include_bytes!(concat!("../../fixtures/", $file)), $from)),*]
    };
}

/// The files and the byte, at a packet's begin, at which a piece starts.
const FIXTURES: &[(&[u8], usize)] = fixtures![
    ("h264_aac.ts", 0),
    ("h265_aac.ts", 0),
    ("audio_aac.ts", 0),
    ("audio_mp3.ts", 0),
    ("audio_ac3.ts", 0),
    ("h264_opus.ts", 0),
    ("straddle.ts", 0),
    ("two_programs.ts", 0),
    ("long_pmt.ts", 0),
    ("screen_share.ts", 0),
    ("no_key.ts", 0),
    ("m2ts_192.ts", 0),
    ("rs_204.ts", 0),
    // The jump is at packet 581.
    ("clock_jump.ts", 188 * 420),
    // The clock wraps at packet 753.
    ("pts_wrap.ts", 188 * 600),
    // The new map and the new size come in the middle.
    ("pmt_change.ts", 188 * 360),
    ("size_change.ts", 188 * 450),
    // The noise begins at byte 92419.
    ("garbage.ts", 188 * 330),
];

/// A piece, by any number.
pub fn piece(number: u8) -> &'static [u8] {
    let (file, from) = FIXTURES[usize::from(number) % FIXTURES.len()];
    &file[from..file.len().min(from + PIECE)]
}
