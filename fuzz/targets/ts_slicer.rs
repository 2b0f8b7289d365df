//! Arbitrary bytes through the slicer. The first bytes of the input are the rules and the chunks' lengths.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tapeline_fuzz::{check, with_setting};

fuzz_target!(|data: &[u8]| {
    let Some((stream, setting, chunks)) = with_setting(data) else { return };
    check(stream, &setting, &chunks);
});
