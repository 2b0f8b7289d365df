//! What a recording came to, computed from its control object and its seals.

use serde_json::Map;
use tapeline::checksum::{Crc64, Sha256};
use tapeline::continuity::{
    Addition, ControlObject, HolderName, LossCause, LostSegment, SalvageRecord, SalvageState,
    SalvagedSegment, Seal, SealName, Status, TailEntry,
};
use tapeline::ids::{Generation, RecordingId};
use tapeline::media::Container;
use tapeline::naming::Prefix;
use tapeline::time::{MediaTime, WallTime};

fn holder(pid: u32) -> HolderName {
    let (worker, host) = (format!("{pid:032x}"), "host".to_owned());
    HolderName {
        worker,
        host,
        pid,
        lease: None,
        uid: 7,
        since: WallTime::from_millis(0),
        unknown: Map::new(),
    }
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
            without_key: false,
            compat: Vec::new(),
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
    let status = Status::new(&state, seals, Vec::new());
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
    let joins = Status::new(&state, seals, Vec::new()).joins;
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
    let status = Status::new(&state, seals, Vec::new());
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
    let before = Status::new(&state, seals.clone(), Vec::new());
    // Whoever read all seals that are named may give the last one too.
    seals.push(Ok(seal));
    let after = Status::new(&stopped, seals, Vec::new());
    assert_eq!((after.total, after.generations.len()), (before.total, 3));
    assert_eq!(after.generations[2].seal.as_ref().unwrap().generation, generation);
}

#[test]
fn a_recording_that_has_just_begun_has_nothing() {
    let id = RecordingId::new("s1", "main").unwrap();
    let state = ControlObject::start(&id, Prefix::default(), holder(3), "n".to_owned());
    let status = Status::new(&state, Vec::new(), Vec::new());
    assert_eq!((status.total, status.generations.len()), (Default::default(), 1));
    assert_eq!(serde_json::to_value(&status).unwrap()["total"]["begin"], serde_json::Value::Null);
}

/// What the worker of a turn left: segments of 2 s, by playlist, place and second of their begin.
fn record(generation: u8, segments: &[(&str, Option<u64>, i64)]) -> SalvageRecord {
    let segment = |&(playlist, place, begin): &(&str, Option<u64>, i64)| {
        let date = WallTime::from_millis(begin * 1000);
        let stem = playlist.strip_suffix(".m3u8").unwrap();
        SalvagedSegment {
            playlist: playlist.to_owned(),
            segment: place,
            key: format!("a/b/{stem}_{}.ts", date.compact()),
            state: SalvageState::Whole,
            cause: None,
            utc: date,
            start: MediaTime::from_ticks(0),
            clock: 1,
            date,
            millis: 2000,
            bytes: 50,
            crc64: Crc64::of(b""),
            sha256: Sha256::of(b""),
            discontinuity: false,
            unknown: Map::new(),
        }
    };
    let id = RecordingId::new("s1", "main").unwrap();
    SalvageRecord {
        schema: SalvageRecord::SCHEMA,
        sid: id.sid,
        cname: id.cname,
        prefix: Prefix::new("a/b").unwrap(),
        generation: Generation::new(generation).unwrap(),
        folder: "0badcafe".to_owned(),
        worker: None,
        segments: segments.iter().map(segment).collect(),
        lost: Vec::new(),
        unknown: Map::new(),
    }
}

#[test]
fn what_was_salvaged_is_told_where_it_is_not_committed_and_fills_gaps() {
    let (state, seals) = three();
    let audio = "s1_main__uid_s_5__uid_e_audio.m3u8";
    // Of the first turn two that are committed, by place and by date, and of the audio one that is not, twice; the
    // second left what it had of the audio, of which it had committed nothing; the third is live.
    let mut first =
        record(0, &[("s1_main.m3u8", Some(4), 8), ("s1_main.m3u8", None, 9), (audio, Some(2), 5)]);
    first
        .segments
        .push(SalvagedSegment { segment: Some(3), ..record(0, &[(audio, None, 7)]).segments.remove(0) });
    first.lost.push(LostSegment {
        playlist: audio.to_owned(),
        segment: Some(4),
        name: "s1_main__uid_s_5__uid_e_audio_19700101000009000.ts".to_owned(),
        cause: LossCause::SpoolFull,
        start: None,
        clock: None,
        date: WallTime::from_millis(9000),
        millis: Some(3000),
        unknown: Map::new(),
    });
    let again = SalvageRecord { folder: "0badcaff".to_owned(), ..first.clone() };
    let name = format!("bak0_{audio}");
    let second = record(1, &[(&name, Some(0), 50), (&name, Some(1), 52)]);
    for salvage in [&first, &again, &second] {
        assert_eq!(SalvageRecord::decode(&salvage.encode()).unwrap(), *salvage);
    }
    let records = vec![Ok(first), Err("one is gone".to_owned()), Ok(again), Ok(second)];
    let status = Status::new(&state, seals, records);
    assert_eq!(
        (status.error(), &status.unreadable[..]),
        (Some("one is gone"), &["one is gone".to_owned()][..])
    );
    let told: Vec<_> = status
        .generations
        .iter()
        .flat_map(|turn| &turn.outputs)
        .map(|output| {
            (&*output.playlist, output.segments, output.salvaged.segments, output.salvaged.duration_millis)
        })
        .collect();
    let wanted = [
        ("a/b/s1_main.m3u8", 5, 0, 0),
        ("a/b/s1_main__uid_s_5__uid_e_audio.m3u8", 2, 2, 4000),
        ("a/b/bak0_s1_main.m3u8", 3, 0, 0),
        ("a/b/bak0_s1_main__uid_s_5__uid_e_audio.m3u8", 0, 2, 4000),
        ("a/b/bak1_s1_main__uid_s_5__uid_e_audio.m3u8", 1, 0, 0),
    ];
    assert_eq!(told, wanted);
    // What is salvaged is no part of what is committed.
    assert_eq!((status.total.segments, status.total.bytes), (11, 900));
    let joins = status.joins.iter();
    let joins: Vec<_> = joins
        .map(|join| {
            (join.from.get(), join.to.get(), join.gap_millis, join.salvaged_millis, join.overlap_millis)
        })
        .collect();
    // The audio: 1 to 5, then 5 to 9 salvaged, 9 to 12 lost, 50 to 54 salvaged, 100 to 102.
    assert_eq!(joins, [(0, 1, 0, 0, 1000), (0, 1, 41_000, 4000, 0), (1, 2, 46_000, 4000, 0)]);
    let accounts: Vec<_> = status
        .accounts
        .iter()
        .map(|account| {
            let absent: Vec<_> = account.absent_millis.iter().map(|(c, ms)| format!("{c:?} {ms}")).collect();
            (&*account.output, account.committed_millis, account.salvaged_millis, absent.join(", "))
        })
        .collect();
    let wanted = [
        ("s1_main.m3u8", 12_000, 0, "Unknown 4000".to_owned()),
        (audio, 6000, 8000, "Takeover 84000, SpoolFull 3000".to_owned()),
    ];
    assert_eq!(accounts, wanted);
}
