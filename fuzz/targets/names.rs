//! Names and URIs: what parses is written as it was, and no text has two readings.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use tapeline::naming::{
    Exported, ObjectName, Prefix, StitchedPlaylist, StitchedSegment, decode_uri, encode_uri, key,
};

fuzz_target!(|text: &str| {
    let readings = [
        reads::<ObjectName>(text),
        reads::<StitchedPlaylist>(text),
        reads::<StitchedSegment>(text),
        reads::<Exported>(text),
    ];
    assert!(readings.iter().filter(|&&reads| reads).count() <= 1, "{text:?} has two readings: {readings:?}");
    if let Ok(prefix) = Prefix::new(text) {
        assert_eq!(prefix.to_string(), text);
        assert!(key(&prefix, &"name").ends_with("name"));
    }
    if let Some(name) = decode_uri(text) {
        assert!(!name.contains('/') && name != "." && name != "..");
        assert_eq!(decode_uri(&encode_uri(&name)), Some(name));
    }
    let uri = encode_uri(text);
    assert!(uri.is_ascii());
    assert!(decode_uri(&uri).is_none_or(|name| name == text));
});

fn reads<T: FromStr + Display + PartialEq + Debug>(text: &str) -> bool {
    let Ok(name) = text.parse::<T>() else { return false };
    assert_eq!(name.to_string(), text);
    assert!(text.parse::<T>().is_ok_and(|again| again == name));
    // A name of ours may stand in a playlist.
    assert_eq!(decode_uri(&encode_uri(text)).as_deref(), Some(text));
    true
}
