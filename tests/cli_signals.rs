//! Ctrl-C and SIGTERM end a recording cleanly, whenever and however often they come.
#![cfg(feature = "cli")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Ended, Record, Recording, Running, fixture, fixture_bytes, judge_segments, until};

const KEY: &str = "s1_main.m3u8";

fn record(input: impl AsRef<std::ffi::OsStr>, root: &Path) -> Record {
    Record::new(input, root).args(["--sid", "s1", "--segment", "2s"])
}

/// What must be there after a recording that was asked to stop.
fn assert_whole(ended: &Ended, root: &Path, what: &str) -> Recording {
    assert_eq!(ended.code, Some(0), "{what}: {}", ended.stderr);
    let recording = Recording::read_whole(root, KEY);
    assert_eq!(ended.summary()["complete"], true, "{what}");
    assert_eq!(ended.summary()["segments"], recording.segments.len(), "{what}");
    judge_segments(&recording.paths(), &["--allow-torn"]);
    recording
}

/// Names of signals, and the pause between them.
const REQUESTS: [(&[&str], &str); 6] = [
    (&["TERM"], ""),
    (&["INT"], ""),
    (&["TERM", "TERM"], "0.002"),
    (&["INT", "TERM"], "0.002"),
    (&["TERM"; 10], ""),
    (&["INT", "TERM", "INT", "TERM", "INT", "TERM", "INT", "TERM", "INT", "TERM"], "0.001"),
];

#[test]
fn a_recording_at_the_pace_of_its_media_ends_whole() {
    for (signals, pause) in REQUESTS {
        let what = format!("{signals:?} {pause:?}");
        let root = tempfile::tempdir().unwrap();
        let mut running = record(fixture("h264_aac"), root.path()).args(["--realtime"]).start();
        running.wait_for("the second segment", |event| {
            event["event"] == "segment_opened" && event["segment"] == 1
        });
        running.signal(signals, pause);
        let ended = running.wait();
        let recording = assert_whole(&ended, root.path(), &what);
        assert_eq!(recording.segments.len(), 2, "{what}: what was open is listed, and no more was read");
    }
}

#[test]
fn a_recording_of_a_pipe_keeps_all_that_came() {
    let bytes = fixture_bytes("h264_aac");
    let (begin, _) = bytes.split_at(bytes.len() * 3 / 4);
    let whole = tempfile::tempdir().unwrap();
    let input = whole.path().join("begin.ts");
    std::fs::write(&input, begin).unwrap();
    let store = whole.path().join("store");
    record(&input, &store).succeed();
    let wanted = Recording::read_whole(&store, KEY);
    for (signals, pause) in REQUESTS {
        let what = format!("{signals:?} {pause:?}");
        let root = tempfile::tempdir().unwrap();
        let mut running = record("-", root.path()).stdin(Stdio::piped()).start();
        running.write(begin);
        // 18 s of media: the eighth segment is listed only when all that was written has been read.
        running.wait_listed(8);
        running.signal(signals, pause);
        let ended = running.wait();
        let recording = assert_whole(&ended, root.path(), &what);
        assert!(recording.bodies() == wanted.bodies(), "{what}");
    }
}

/// Nothing came and nothing was recorded: no fault of anyone.
fn assert_nothing(ended: &Ended, root: &Path) {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stderr, "");
    assert!(support::files(root).is_empty());
}

/// Starts, and waits until hardly anything is left to do but to wait for the input: the spool is made last.
fn start_waiting(input: &str, root: &Path) -> Running {
    let running = record(input, root).stdin(Stdio::piped()).start();
    let spool = root.join(".tapeline/spool");
    until("the spool", || spool.exists().then_some(()));
    running
}

#[test]
fn waiting_for_the_first_byte_can_be_ended() {
    for (signals, pause) in REQUESTS {
        // Nobody is to send; any port will do.
        for input in ["-", "udp://127.0.0.1:0", "tcp://@127.0.0.1:0"] {
            let root = tempfile::tempdir().unwrap();
            println!("{signals:?} {input}");
            let mut running = start_waiting(input, root.path());
            let _open = running.take_stdin();
            running.signal(signals, pause);
            assert_nothing(&running.wait(), root.path());
        }
    }
}

#[test]
fn a_stream_that_has_not_begun_can_be_ended() {
    let root = tempfile::tempdir().unwrap();
    let mut running = start_waiting("-", root.path());
    // The tables and a packet of a picture. Whether they are read before the signal is seen is open.
    running.write(&fixture_bytes("h264_aac")[..4 * 188]);
    let _open = running.take_stdin();
    running.signal(&["TERM"], "");
    let ended = running.wait();
    match ended.code {
        Some(0) if support::files(root.path()).is_empty() => assert_nothing(&ended, root.path()),
        Some(0) => drop(assert_whole(&ended, root.path(), "four packets")),
        _ => {
            assert_eq!(ended.code, Some(3), "{}", ended.stderr);
            assert!(ended.stderr.contains("no key frame came"), "{}", ended.stderr);
            assert!(support::files(root.path()).is_empty());
        }
    }
}

#[test]
fn a_request_right_after_the_input_has_ended_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let mut running = record("-", root.path()).stdin(Stdio::piped()).start();
    running.write(&fixture_bytes("h264_aac"));
    drop(running.take_stdin());
    let stored = |event: &Value| event["event"] == "segment_stored";
    running.wait_for("a stored segment", stored);
    running.signal(&["TERM", "INT", "TERM"], "");
    assert_whole(&running.wait(), root.path(), "after the end");
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_recording() {
    let root = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tapeline"))
        .args(["record", "--json", "--segment", "4s", "--sid", "s1", "--to"])
        .args([root.path(), &fixture("h264_aac")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    let ended = child.wait().unwrap();
    assert!(ended.success(), "{ended}");
    assert_eq!(Recording::read_whole(root.path(), "s1_main.m3u8").segments.len(), 6);
}
