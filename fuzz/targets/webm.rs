//! Arbitrary bytes through the slicer of WebM. The first bytes of the input are the rules and the chunks' lengths.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use tapeline_fuzz::{Chunks, Setting, check_webm};

fuzz_target!(|data: &[u8]| {
    let Some((head, stream)) = data.split_first_chunk::<24>() else { return };
    let mut head = Unstructured::new(head);
    let Ok(setting) = Setting::arbitrary(&mut head) else { return };
    let Ok(chunks) = <[u8; 4]>::arbitrary(&mut head) else { return };
    check_webm(stream, &setting, &Chunks::new(chunks));
});
