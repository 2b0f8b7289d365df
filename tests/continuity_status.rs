//! What a recording came to, computed from its control object and its seals.

use serde_json::Map;
use tapeline::checksum::{Crc64, Sha256};
use tapeline::continuity::{Addition, ControlObject, HolderName, Seal, SealName, Status, TailEntry};
use tapeline::ids::{Generation, RecordingId};
use tapeline::media::Container;
use tapeline::naming::Prefix;
use tapeline::time::{MediaTime, WallTime};

fn holder(pid: u32) -> HolderName {
    let (worker, host) = (format!("{pid:032x}"), "host".to_owned());
    HolderName { worker, host, pid, uid: 7, since: WallTime::from_millis(0), unknown: Map::new() }
}

/// Entries of 2 s from `begin` on, in seconds; those in `gaps` are gaps.
fn addition(playlist: &str, begin: i64, entries: u64, gaps: &[u64], published: u64) -> Addition {
    let entry = |place: u64| {
        let date = WallTime::from_millis(begin * 1000 + i64::try_from(place).unwrap() * 2000);
        let gap = gaps.contains(&place);
        TailEntry {
            utc: date,
            start: MediaTime::from_ticks(0),
            clock: 1,
            date,
            millis: 2000,
            bytes: if gap { 0 } else { 100 },
            crc64: Crc64::of(b""),
            discontinuity: false,
            gap,
            cause: None,
            unknown: serde_json::Map::new(),
        }
    };
    Addition {
        playlist: playlist.to_owned(),
        container: Container::MpegTs,
        target_duration: 4,
        entries: (0..entries).map(entry).collect(),
        hash: Sha256::of(b""),
        published,
    }
}

fn claim(state: &ControlObject, seals: &mut Vec<Result<Seal, String>>) -> ControlObject {
    let seal = Seal::of(state);
    let (generation, key) = (state.generation, seal.name());
    let name = SealName { generation, key, sha256: Sha256::of(&seal.encode()), unknown: Map::new() };
    seals.push(Ok(seal));
    state.claim(holder(u32::from(generation.get()) + 1), name, "n".to_owned()).unwrap()
}

/// Three generations of a composite output and a user's audio, the second without the latter, the third with
/// nothing committed so far in the former.
fn three() -> (ControlObject, Vec<Result<Seal, String>>) {
    let id = RecordingId::new("s1", "main").unwrap();
    let prefix = Prefix::new("a/b").unwrap();
    let audio = "s1_main__uid_s_5__uid_e_audio.m3u8";
    let mut seals = Vec::new();
    let first = ControlObject::start(&id, prefix, holder(0), "n".to_owned());
    let first = first
        .commit(&[addition("s1_main.m3u8", 0, 5, &[1, 2], 3), addition(audio, 1, 2, &[], 0)], "n".to_owned());
    let second = claim(&first, &mut seals);
    let second = second.commit(&[addition("bak0_s1_main.m3u8", 9, 3, &[], 3)], "n".to_owned());
    let third = claim(&second, &mut seals);
    let third = third.commit(&[addition(&format!("bak1_{audio}"), 100, 1, &[], 0)], "n".to_owned());
    (third, seals)
}

#[test]
fn figures_come_from_the_seals_and_the_control_object() {
    let (state, seals) = three();
    let status = Status::new(&state, seals);
    assert_eq!(status.error(), None);
    let turns: Vec<_> = status
        .generations
        .iter()
        .map(|turn| {
            let outputs = turn.outputs.iter();
            let outputs: Vec<_> =
                outputs.map(|output| (&*output.playlist, output.segments, output.tail)).collect();
            (turn.generation.get(), turn.seal.is_some(), turn.holder.as_ref().unwrap().pid, outputs)
        })
        .collect();
    let wanted = [
        (0, true, 0, vec![("a/b/s1_main.m3u8", 5, 2), ("a/b/s1_main__uid_s_5__uid_e_audio.m3u8", 2, 2)]),
        (1, true, 1, vec![("a/b/bak0_s1_main.m3u8", 3, 0)]),
        (2, false, 2, vec![("a/b/bak1_s1_main__uid_s_5__uid_e_audio.m3u8", 1, 1)]),
    ];
    assert_eq!(turns, wanted);
    let total = status.total;
    assert_eq!(
        (total.segments, total.bytes, total.gaps, total.gap_millis, total.tail),
        (11, 900, 2, 4000, 5)
    );
    // Of each generation the longest output: 10 s, 6 s and 2 s.
    assert_eq!(total.duration_millis, 18_000);
    assert_eq!((total.begin.unwrap().millis(), total.end.unwrap().millis()), (0, 102_000));
}

#[test]
fn joins_are_between_the_turns_that_recorded_the_same_output() {
    let (state, seals) = three();
    let joins = Status::new(&state, seals).joins;
    let joins: Vec<_> = joins
        .iter()
        .map(|join| (join.from.get(), join.to.get(), &*join.playlist, join.gap_millis, join.overlap_millis))
        .collect();
    let audio = "a/b/bak1_s1_main__uid_s_5__uid_e_audio.m3u8";
    assert_eq!(joins, [(0, 1, "a/b/bak0_s1_main.m3u8", 0, 1000), (0, 2, audio, 95_000, 0)]);
}

#[test]
fn a_seal_that_is_missing_takes_only_its_own_figures_away() {
    let (state, mut seals) = three();
    seals[0] = Err("it is gone".to_owned());
    let status = Status::new(&state, seals);
    assert_eq!(status.error(), Some("it is gone"));
    assert_eq!((status.total.segments, status.joins.len()), (4, 0));
    let lost = &status.generations[0];
    assert_eq!((lost.generation, lost.outputs.len(), &lost.holder), (Generation::FIRST, 0, &None));
    assert!(lost.seal.is_some());
}

#[test]
fn a_recording_that_has_ended_is_counted_once() {
    let (state, mut seals) = three();
    let seal = Seal::of(&state);
    let (generation, key) = (state.generation, seal.name());
    let name = SealName { generation, key, sha256: Sha256::of(&seal.encode()), unknown: Map::new() };
    let stopped = state.stop(name, "n".to_owned()).unwrap();
    let before = Status::new(&state, seals.clone());
    // Whoever read all seals that are named may give the last one too.
    seals.push(Ok(seal));
    let after = Status::new(&stopped, seals);
    assert_eq!((after.total, after.generations.len()), (before.total, 3));
    assert_eq!(after.generations[2].seal.as_ref().unwrap().generation, generation);
}

#[test]
fn a_recording_that_has_just_begun_has_nothing() {
    let id = RecordingId::new("s1", "main").unwrap();
    let state = ControlObject::start(&id, Prefix::default(), holder(3), "n".to_owned());
    let status = Status::new(&state, Vec::new());
    assert_eq!((status.total, status.generations.len()), (Default::default(), 1));
    assert_eq!(serde_json::to_value(&status).unwrap()["total"]["begin"], serde_json::Value::Null);
}
