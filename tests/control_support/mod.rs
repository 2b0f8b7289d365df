//! Control objects to test with.

#![allow(dead_code, reason = "each test that includes this uses its own part of it")]

use serde_json::Map;
use tapeline::checksum::{Crc64, Sha256};
use tapeline::continuity::{Addition, ControlObject, HolderName, Seal, SealName, TailEntry};
use tapeline::ids::{Generation, RecordingId};
use tapeline::media::Container;
use tapeline::naming::Prefix;
use tapeline::time::{MediaSpan, MediaTime, WallTime};

/// The sid of all of them.
pub const SID: &str = "38f8e3cfdc474cd56fc1ceba380d7e1a";

pub fn id() -> RecordingId {
    RecordingId::new(SID, "lobby").unwrap()
}

pub fn date(millis: i64) -> WallTime {
    WallTime::parse_rfc3339("2026-11-23T01:02:03.456Z").unwrap().plus(MediaSpan::from_millis(millis))
}

pub fn holder(worker: &str) -> HolderName {
    HolderName {
        worker: worker.to_owned(),
        host: "recorder-1".to_owned(),
        lease: None,
        pid: 4711,
        uid: 99_000_001,
        since: date(0),
        unknown: serde_json::Map::new(),
    }
}

/// One that begins.
pub fn started() -> ControlObject {
    ControlObject::start(&id(), Prefix::new("2026/nov").unwrap(), holder("a0"), "a0-1".to_owned())
}

/// The playlist of a generation.
pub fn playlist(generation: u8) -> String {
    match generation.checked_sub(1) {
        None => format!("{SID}_lobby.m3u8"),
        Some(backup) => format!("bak{backup}_{SID}_lobby.m3u8"),
    }
}

/// The entry of this number, of 15 s.
pub fn entry(number: u32) -> TailEntry {
    let start = i64::from(number) * 15_000;
    TailEntry {
        utc: date(start),
        start: MediaTime::from_ticks(8_100_000_000 + 90 * start),
        clock: 1,
        date: date(start),
        millis: 15_000,
        bytes: 1_000 + u64::from(number),
        crc64: Crc64::of(&number.to_be_bytes()),
        discontinuity: false,
        gap: false,
        cause: None,
        without_key: false,
        compat: Vec::new(),
        unknown: Map::new(),
    }
}

/// Entries for a generation's one output.
pub fn addition(generation: u8, entries: Vec<TailEntry>, published: u64) -> Addition {
    let names: String = entries.iter().map(|entry| entry.utc.compact()).collect();
    let hash = Sha256::of(names.as_bytes());
    Addition {
        playlist: playlist(generation),
        container: Container::MpegTs,
        target_duration: 30,
        entries,
        hash,
        published,
    }
}

/// The name of the seal of its current generation.
pub fn seal_name(state: &ControlObject) -> SealName {
    let seal = Seal::of(state);
    SealName {
        generation: state.generation,
        key: format!(".tapeline/recordings/{SID}/{}", seal.name()),
        sha256: Sha256::of(&seal.encode()),
        unknown: serde_json::Map::new(),
    }
}

/// Claimed by another worker.
pub fn claimed(state: &ControlObject, worker: &str) -> ControlObject {
    state.claim(holder(worker), seal_name(state), format!("{worker}-1")).unwrap()
}

/// In this generation, with nothing committed in any.
pub fn in_generation(number: u8) -> ControlObject {
    let mut state = started();
    for generation in 0..number {
        state = claimed(&state, &format!("b{generation}"));
    }
    assert_eq!(state.generation, Generation::new(number).unwrap());
    state
}
