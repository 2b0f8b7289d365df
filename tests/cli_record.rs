//! `tapeline record` from files and pipes into a folder: what must be there afterwards.
#![cfg(feature = "cli")]

mod support;

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::{
    FIXTURES, Place, Record, Recording, START, files, fixture, fixture_bytes, judge_segments, tool,
};
use tapeline::clock::{Clock, SystemClock};
use tapeline::ids::Cname;
use tapeline::time::{MediaSpan, WallTime};

const KEY: &str = "s1_main.m3u8";

fn start() -> WallTime {
    WallTime::parse_rfc3339(START).unwrap()
}

/// Records a fixture into `root` from a fixed date, with segments of 4 s.
fn record(input: impl AsRef<std::ffi::OsStr>, root: &Path) -> Record {
    record_with("4s", input, root)
}

fn record_with(length: &str, input: impl AsRef<std::ffi::OsStr>, root: &Path) -> Record {
    Record::new(input, root).args(["--sid", "s1", "--segment", length, "--start-time", START])
}

#[test]
fn every_fixture_is_recorded_whole() {
    for wanted in &FIXTURES {
        let name = wanted.name;
        println!("{name}");
        let root = tempfile::tempdir().unwrap();
        let ended = record(fixture(name), root.path()).succeed();
        let recording = Recording::read_whole(root.path(), KEY);
        let summary = ended.summary();
        assert_eq!(summary["playlist"], KEY);
        assert_eq!(summary["complete"], true);
        assert_eq!(summary["uncommitted"], 0);
        assert_eq!(summary["duration_millis"], recording.millis());
        assert_eq!(summary["segments"], recording.segments.len());
        let bytes: usize = recording.bodies().iter().map(|body| body.len()).sum();
        assert_eq!(summary["bytes"], bytes);
        assert_eq!(recording.segments.len(), wanted.segments);
        assert_eq!(recording.discontinuities(), wanted.discontinuities);
        assert!(recording.millis().abs_diff(wanted.millis) <= 50, "{} ms", recording.millis());
        assert_eq!(recording.playlist.target_duration, Some(8), "twice --segment");
        // Noise in the middle tears the PES it falls into, and counters with it.
        if name != "garbage" {
            judge_segments(&recording.paths(), &[]);
        }
    }
}

#[test]
fn dates_go_on_from_the_start_time() {
    let root = tempfile::tempdir().unwrap();
    record(fixture("h264_aac"), root.path()).succeed();
    let recording = Recording::read_whole(root.path(), KEY);
    let mut due = start();
    for (segment, name) in recording.playlist.segments.iter().zip(&recording.segments) {
        assert_eq!(segment.date, Some(due));
        assert_eq!(*name, format!("s1_main_{}.ts", due.compact()));
        due = due.plus(MediaSpan::from_millis(segment.duration_millis as i64));
    }
}

#[test]
fn without_a_start_time_a_file_begins_at_its_own_date() {
    let root = tempfile::tempdir().unwrap();
    let input = root.path().join("input.ts");
    std::fs::write(&input, fixture_bytes("long_pmt")).unwrap();
    let date = std::time::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    File::options().append(true).open(&input).unwrap().set_modified(date).unwrap();
    let store = root.path().join("store");
    for input in [input.clone(), Path::new("-").to_owned()] {
        let stdin = File::open(root.path().join("input.ts")).unwrap();
        Record::new(&input, &store).args(["--sid", "s1"]).stdin(stdin).succeed();
        let recording = Recording::read_whole(&store, KEY);
        assert_eq!(recording.playlist.segments[0].date, Some(WallTime::from_millis(1_700_000_000_123)));
        std::fs::remove_dir_all(&store).unwrap();
    }
}

#[test]
fn one_program_of_two_is_recorded() {
    // Program 2 has the larger picture; either alone has its two streams and nothing of the other.
    let mut bodies = Vec::new();
    for (program, arguments) in [(1, &[] as &[&str]), (1, &["--program", "1"]), (2, &["--program", "2"])] {
        let root = tempfile::tempdir().unwrap();
        record(fixture("two_programs"), root.path()).args(arguments).succeed();
        let recording = Recording::read_whole(root.path(), KEY);
        judge_segments(&recording.paths(), &[]);
        let pids: std::collections::BTreeSet<u16> = recording
            .bodies()
            .iter()
            .flat_map(|body| body.chunks(188))
            .map(|packet| u16::from_be_bytes([packet[1] & 0x1F, packet[2]]))
            .filter(|pid| *pid >= 0x100)
            .collect();
        let wanted = if program == 1 { [0x100, 0x101, 0x1000] } else { [0x102, 0x103, 0x1001] };
        assert_eq!(pids.into_iter().collect::<Vec<_>>(), wanted);
        bodies.push(files(root.path()));
    }
    assert!(bodies[0] == bodies[1], "the first program is the default");
}

#[test]
fn few_frames_make_no_segment_longer_than_the_target_duration() {
    let root = tempfile::tempdir().unwrap();
    let ended = record(fixture("screen_share"), root.path()).succeed();
    let recording = Recording::read_whole(root.path(), KEY);
    assert_eq!(recording.playlist.target_duration, Some(8));
    assert!(recording.segments.len() >= 82 / 8);
    for segment in &recording.playlist.segments {
        assert!((1..=8000).contains(&segment.duration_millis), "{} ms", segment.duration_millis);
    }
    assert_eq!(ended.summary()["without_key_frame"], recording.segments.len() - 1);
    judge_segments(&recording.paths()[..1], &[]);
    judge_segments(&recording.paths()[1..], &["--no-key"]);
    // The last of 19 pictures is 82 s after the first.
    let last = recording.playlist.segments.last().unwrap();
    let end = last.date.unwrap().plus(MediaSpan::from_millis(last.duration_millis as i64));
    assert!(end.since(start()) >= MediaSpan::from_secs(82));
}

#[test]
fn without_a_key_frame_recording_begins_after_the_greatest_length() {
    let root = tempfile::tempdir().unwrap();
    let ended = record(fixture("no_key"), root.path()).succeed();
    let recording = Recording::read_whole(root.path(), KEY);
    assert_eq!(ended.summary()["without_key_frame"], 1);
    let first = recording.playlist.segments[0].date.unwrap();
    assert!(first.since(start()) >= MediaSpan::from_secs(8), "nobody waits longer than a segment may be");
    judge_segments(&recording.paths(), &["--no-key"]);
}

#[test]
fn names_follow_sid_cname_and_prefix() {
    // Every legal character, in the order of the rule and around letters.
    let every = format!("a{}z", Cname::PUNCTUATION);
    let cases = [
        ("", "main", "s1_main"),
        ("a/b", "main", "a/b/s1_main"),
        ("", &every, &format!("s1_{every}")),
        ("a/b", &every, &format!("a/b/s1_{every}")),
        ("", "bak0", "s1_bak0"),
        ("", ".", "s1_."),
        ("", "..", "s1_.."),
        ("", " ", "s1_ "),
        ("", "-", "s1_-"),
        ("", "%41%2F", "s1_%41%2F"),
    ];
    for (prefix, cname, base) in cases {
        println!("{prefix:?} {cname:?}");
        let root = tempfile::tempdir().unwrap();
        let options = [format!("--cname={cname}"), format!("--prefix={prefix}")];
        record(fixture("m2ts_192"), root.path()).args(options).succeed();
        let recording = Recording::read_whole(root.path(), &format!("{base}.m3u8"));
        assert_eq!(recording.segments[0], format!("{base}_20260102030405678.ts"));
        assert_eq!(recording.segments.len(), 2);
    }
}

#[test]
fn a_users_stream_has_its_own_names() {
    let place = Place::folder();
    place.record(fixture("audio_aac")).args(["--uid", "123", "--type", "audio"]).succeed();
    let objects = place.objects();
    let base = "s1_main__uid_s_123__uid_e_audio";
    assert!(objects.contains_key(&format!("{base}.m3u8")), "{:?}", objects.keys());
    assert!(objects.keys().any(|key| key.starts_with(&format!("{base}_20")) && key.ends_with(".ts")));
    assert_eq!(place.run("stitch", ["--sid", "s1"]).code, Some(0));
    assert!(place.objects().contains_key(&format!("stitched_{base}.m3u8")));
    let place = Place::folder();
    for arguments in [&["--uid", "123"][..], &["--type", "audio"], &["--uid", "0", "--type", "audio"]] {
        let ended = place.record(fixture("audio_aac")).args(arguments).run();
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.contains("uid"), "{}", ended.stderr);
    }
    assert!(place.objects().is_empty());
}

#[test]
fn by_default_the_sid_is_new_each_time() {
    let root = tempfile::tempdir().unwrap();
    let sids: Vec<String> = (0..2)
        .map(|_| {
            let ended = Record::new(fixture("m2ts_192"), root.path()).succeed();
            ended.events.last().unwrap()["sid"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_ne!(sids[0], sids[1]);
    for sid in &sids {
        assert!(sid.len() == 32 && sid.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{sid}");
        Recording::read(root.path(), &format!("{sid}_main.m3u8"));
    }
}

#[test]
fn a_pipe_a_fifo_and_a_redirected_file_give_what_the_file_gives() {
    let file_root = tempfile::tempdir().unwrap();
    record(fixture("h264_aac"), file_root.path()).succeed();
    let wanted = files(file_root.path());
    let bytes = fixture_bytes("h264_aac");

    let root = tempfile::tempdir().unwrap();
    record("-", root.path()).stdin(File::open(fixture("h264_aac")).unwrap()).succeed();
    assert!(files(root.path()) == wanted, "redirected");

    let root = tempfile::tempdir().unwrap();
    let mut running = record("-", root.path()).stdin(Stdio::piped()).start();
    running.write(&bytes);
    running.wait().successful();
    assert!(files(root.path()) == wanted, "pipe");

    let Some(mkfifo) = tool("mkfifo") else { return };
    let root = tempfile::tempdir().unwrap();
    let fifo = root.path().join("fifo");
    assert!(Command::new(mkfifo).arg(&fifo).status().unwrap().success());
    let store = root.path().join("store");
    let running = record(&fifo, &store).start();
    // Opening waits for the reader.
    let sender = std::thread::spawn(move || std::fs::write(fifo, bytes));
    running.wait().successful();
    sender.join().unwrap().unwrap();
    assert!(files(&store) == wanted, "FIFO");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for name in ["h264_aac", "garbage", "clock_jump", "screen_share"] {
        let [first, second] = [(); 2].map(|()| {
            let root = tempfile::tempdir().unwrap();
            record(fixture(name), root.path()).succeed();
            files(root.path())
        });
        assert!(first == second, "{name}");
    }
}

#[test]
fn a_file_url_and_a_folder_are_the_same_store() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("a b");
    let url = format!("file://{}/a%20b", root.path().display());
    Record::new(format!("file://{}", fixture("rs_204").display()), &url)
        .args(["--sid", "s1", "--start-time", START])
        .succeed();
    Recording::read_whole(&folder, KEY);
}

#[test]
fn events_come_in_a_sensible_order() {
    let root = tempfile::tempdir().unwrap();
    let ended = record_with("2s", fixture("h264_aac"), root.path()).succeed();
    let recording = Recording::read_whole(root.path(), KEY);
    let place = |wanted: &dyn Fn(&Value) -> bool| ended.events.iter().position(wanted).expect("the event");
    for (number, name) in recording.segments.iter().enumerate() {
        let of = |event: &Value, kind: &str| event["event"] == kind && event["segment"] == number;
        let opened = place(&|event| of(event, "segment_opened"));
        let stored = place(&|event| of(event, "segment_stored"));
        let listed = place(&|event| {
            event["event"] == "segment_listed" && event["segments"].as_u64() > Some(number as u64)
        });
        assert!(opened < stored && stored < listed, "segment {number}: {opened} {stored} {listed}");
        let (opened, stored) = (&ended.events[opened], &ended.events[stored]);
        assert_eq!(opened["date"], recording.playlist.segments[number].date.unwrap().to_string());
        assert_eq!(opened["starts_with_key"], true);
        assert_eq!(stored["name"], name.as_str());
        assert_eq!(stored["bytes"], recording.files[name].len());
        assert_eq!(stored["duration_millis"], recording.playlist.segments[number].duration_millis);
    }
    for kind in ["segment_opened", "segment_stored"] {
        assert_eq!(ended.events_of(kind).len(), recording.segments.len(), "{kind}");
    }
    let listed = ended.events_of("segment_listed");
    let ends: Vec<bool> = listed.iter().map(|event| event["ended"].as_bool().unwrap()).collect();
    assert_eq!(ends.iter().filter(|ended| **ended).count(), 1);
    assert_eq!(listed.last().unwrap()["ended"], true);
    assert!(listed.windows(2).all(|pair| pair[0]["segments"].as_u64() <= pair[1]["segments"].as_u64()));
    ended.summary();
}

#[test]
fn events_come_while_the_input_is_silent() {
    let file_root = tempfile::tempdir().unwrap();
    record(fixture("h264_aac"), file_root.path()).succeed();

    let root = tempfile::tempdir().unwrap();
    let mut running = record("-", root.path()).stdin(Stdio::piped()).start();
    let bytes = fixture_bytes("h264_aac");
    let (begin, rest) = bytes.split_at(bytes.len() * 11 / 24);
    running.write(begin);
    // Nothing more comes, but 11 s of media hold two segments of 4 s. Were they only told at the next
    // bytes, or at the interruption after 15 s, there would be a discontinuity.
    running.wait_listed(2);
    running.write(rest);
    running.wait().successful();
    assert!(files(root.path()) == files(file_root.path()));
}

#[test]
fn realtime_takes_as_long_as_the_media() {
    // 5 s of media, up to the last picture's begin, with a second for the order of pictures.
    let root = tempfile::tempdir().unwrap();
    let clock = SystemClock::new();
    let ended = record(fixture("m2ts_192"), root.path()).args(["--realtime"]).succeed();
    let took = clock.monotonic();
    let media = Duration::from_millis(ended.summary()["duration_millis"].as_u64().unwrap());
    assert!(media >= Duration::from_millis(4900), "{media:?}");
    assert!(took >= media - Duration::from_secs(1), "{took:?} for {media:?}");
    Recording::read_whole(root.path(), KEY);
}
