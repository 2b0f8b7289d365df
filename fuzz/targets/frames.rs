//! Sequences of encoded frames through the muxers. The first bytes of the input are the rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tapeline_fuzz::{check_frames, with_setting};

fuzz_target!(|data: &[u8]| {
    let Some((frames, setting, _)) = with_setting(data) else { return };
    check_frames(frames, &setting);
});
