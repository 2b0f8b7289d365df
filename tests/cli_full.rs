//! A spool that is full, on a full disk, or taken away: a live input goes on and what is lost is named, a pipe
//! waits and loses nothing, and the account of every second adds up.
#![cfg(feature = "cli")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use support::{Ended, Record, Recording, Running, SmallDisk, files, fixture_bytes, judge_segments, until};
use tapeline::time::WallTime;

const KEY: &str = "s1_main.m3u8";
/// The input has 12 segments of 30 kB.
const SEGMENTS: usize = 12;
const MEDIA_LOST: i32 = 10;

/// A store that can be taken away and brought back: a folder, whose place a file takes.
struct Away {
    root: tempfile::TempDir,
}

impl Away {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn store(&self) -> PathBuf {
        self.root.path().join("store")
    }

    fn take_away(&self) {
        std::fs::rename(self.store(), self.root.path().join("away")).unwrap();
        std::fs::write(self.store(), b"").unwrap();
    }

    fn bring_back(&self) {
        std::fs::remove_file(self.store()).unwrap();
        std::fs::rename(self.root.path().join("away"), self.store()).unwrap();
    }

    fn record(&self, spool: &Path) -> Record {
        let names = ["--sid", "s1", "--segment", "2s", "--start-time", support::START];
        Record::new("-", self.store()).args(names).arg_pair("--spool", spool).stdin(Stdio::piped())
    }
}

/// The first second of each segment of two, and the rest.
fn parts() -> [Vec<u8>; SEGMENTS] {
    let bytes = fixture_bytes("h264_aac");
    let length = bytes.len() / SEGMENTS / 188 * 188;
    std::array::from_fn(|n| {
        let end = if n + 1 == SEGMENTS { bytes.len() } else { (n + 1) * length };
        bytes[n * length..end].to_vec()
    })
}

/// Records the begin, takes the store away, records more until `enough`, and brings the store back.
fn through_an_outage(away: &Away, mut running: Running, enough: impl Fn(&Value) -> bool) -> Ended {
    let mut parts = parts().into_iter();
    parts.by_ref().take(3).for_each(|part| running.write(&part));
    running.wait_listed(2);
    away.take_away();
    let mut written = 3;
    for part in parts {
        running.write(&part);
        written += 1;
    }
    assert_eq!(written, SEGMENTS);
    running.wait_for("enough is lost", enough);
    away.bring_back();
    running.wait()
}

/// The playlist and the summary tell the same of each second.
fn assert_account(ended: &Ended, root: &Path) -> Vec<usize> {
    let recording = Recording::read_with_gaps(root, KEY);
    assert!(recording.playlist.ended);
    let summary = ended.summary();
    let number = |name: &str| summary[name].as_u64().unwrap_or_else(|| panic!("{name}: {summary}"));
    let date = |name: &str| WallTime::parse_rfc3339(summary[name].as_str().unwrap()).unwrap();
    let whole = u64::try_from(date("end").since(date("begin")).millis()).unwrap();
    let accounted = number("duration_millis") + number("gap_millis") + number("silent_millis");
    assert_eq!(accounted, whole + number("doubled_millis"), "{summary}");
    let causes = summary["gap_causes"].as_object().unwrap().values();
    assert_eq!(causes.map(|millis| millis.as_u64().unwrap()).sum::<u64>(), number("gap_millis"));
    let entries = recording.playlist.segments.iter();
    let gaps: Vec<usize> =
        entries.enumerate().filter(|(_, entry)| entry.gap).map(|(place, _)| place).collect();
    assert_eq!(gaps.len() as u64, number("gaps"));
    assert_eq!((recording.playlist.segments.len() - gaps.len()) as u64, number("segments"));
    assert_eq!(number("uncommitted"), 0);
    // Each was told when it happened.
    let told: Vec<usize> =
        ended.events_of("gap").iter().map(|event| event["segment"].as_u64().unwrap() as usize).collect();
    let mut sorted = told.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, gaps);
    judge_segments(&recording.paths(), &[]);
    gaps
}

#[test]
fn a_live_input_gives_up_the_oldest_segments_and_names_them() {
    let (away, spool) = (Away::new(), tempfile::tempdir().unwrap());
    let running = away.record(spool.path()).args(["--on-full", "drop", "--spool-limit", "200kB"]).start();
    let ended = through_an_outage(&away, running, |event| event["event"] == "gap" && event["segment"] == 7);
    assert_eq!(ended.code, Some(MEDIA_LOST), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("the spool was full") && ended.stderr.contains("segments"),
        "{}",
        ended.stderr
    );
    let gaps = assert_account(&ended, &away.store());
    // Those under way are not given up: what was sent of them would be wasted.
    assert!(gaps.windows(2).all(|pair| pair[1] == pair[0] + 1) && gaps.contains(&7), "{gaps:?}");
    assert!(ended.events_of("gap").iter().all(|event| event["cause"] == "spool_full"));
    let full = ended.events_of("spool_full");
    assert!(!full.is_empty() && full[0]["waits"] == false && full[0]["limit"] == 200_000);
    assert!(files(spool.path()).is_empty());
}

#[test]
fn a_pipe_waits_for_room_and_loses_nothing() {
    let (away, spool) = (Away::new(), tempfile::tempdir().unwrap());
    let mut running = away.record(spool.path()).args(["--spool-limit", "100kB"]).start();
    let mut parts = parts().into_iter();
    parts.by_ref().take(3).for_each(|part| running.write(&part));
    running.wait_listed(2);
    away.take_away();
    let mut stdin = running.take_stdin();
    let feeder = std::thread::spawn(move || {
        parts.for_each(|part| std::io::Write::write_all(&mut stdin, &part).unwrap());
    });
    let full = running.wait_for("the spool is full", |event| event["event"] == "spool_full");
    assert!(full["waits"] == true && full["cause"] == "spool_full", "{full}");
    away.bring_back();
    running.wait_for("room", |event| event["event"] == "spool_freed");
    feeder.join().unwrap();
    let ended = running.wait().successful();
    assert_eq!(assert_account(&ended, &away.store()), [0usize; 0]);
    assert_eq!(Recording::read_whole(&away.store(), KEY).segments.len(), SEGMENTS);
}

#[test]
fn on_a_full_disk_a_live_input_goes_on() {
    let Some(disk) = SmallDisk::mount(150) else { return };
    let away = Away::new();
    let running = away.record(&disk.path().join("spool")).args(["--on-full", "drop"]).start();
    let ended = through_an_outage(&away, running, |event| event["event"] == "gap" && event["segment"] == 8);
    assert_eq!(ended.code, Some(MEDIA_LOST), "{}", ended.stderr);
    assert!(ended.stderr.contains("the spool's disk was full"), "{}", ended.stderr);
    assert_account(&ended, &away.store());
    assert!(ended.events_of("gap").iter().all(|event| event["cause"] == "disk_full"));
}

#[test]
fn a_spool_that_is_removed_costs_what_was_in_it_and_no_more() {
    let root = tempfile::tempdir().unwrap();
    let (store, spool) = (root.path().join("store"), root.path().join("spool"));
    let names = ["--sid", "s1", "--segment", "2s", "--on-full", "drop"];
    let mut running =
        Record::new("-", &store).args(names).arg_pair("--spool", &spool).stdin(Stdio::piped()).start();
    let mut parts = parts().into_iter();
    parts.by_ref().take(5).for_each(|part| running.write(&part));
    running.wait_listed(4);
    // What is committed is gone from there: this is the open one. Before it is on the disk nothing would be lost.
    until("the open segment in the spool", || {
        files(&spool).iter().any(|(path, bytes)| path.ends_with(".ts") && !bytes.is_empty()).then_some(())
    });
    std::fs::remove_dir_all(&spool).unwrap();
    parts.for_each(|part| running.write(&part));
    let ended = running.wait();
    assert_eq!(ended.code, Some(MEDIA_LOST), "{}", ended.stderr);
    assert!(ended.stderr.contains("the spool failed"), "{}", ended.stderr);
    let gaps = assert_account(&ended, &store);
    assert!(gaps == [4], "the one that was open: {gaps:?}");
}
