//! Arbitrary bytes through the slicer of WebM. The first bytes of the input are the rules and the chunks' lengths.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tapeline_fuzz::{check_webm, with_setting};

fuzz_target!(|data: &[u8]| {
    let Some((stream, setting, chunks)) = with_setting(data) else { return };
    check_webm(stream, &setting, &chunks);
});
