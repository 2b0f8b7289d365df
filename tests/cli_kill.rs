//! `kill -9` at any moment: what is listed is there and whole, and the rest of what came is in the spool.
//!
//! `TAPELINE_TEST_KILLS` sets how many moments are tried, `TAPELINE_TEST_SEED` the first one's seed.
#![cfg(feature = "cli")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use support::{Record, Recording, START, feed, files, fixture, fixture_bytes, judge_segments, until};
use tapeline::clock::random_bytes;
use tapeline::playlist::check_append;

const KEY: &str = "s1_main.m3u8";
/// The length of one run, if it is not killed.
const SENDING: Duration = Duration::from_millis(1200);

fn record(input: impl AsRef<std::ffi::OsStr>, root: &Path) -> Record {
    let names = ["--sid", "s1", "--start-time", START];
    Record::new(input, root).args(names).args(["--segment", "1s"])
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// The same input recorded to its end: every segment as it must be, and the playlist.
fn reference() -> BTreeMap<String, Vec<u8>> {
    let root = tempfile::tempdir().unwrap();
    record(fixture("h264_aac"), root.path()).succeed();
    assert_eq!(Recording::read_whole(root.path(), KEY).segments.len(), 12);
    files(root.path())
}

/// What a killed recording must have left.
fn assert_true(root: &Path, wanted: &BTreeMap<String, Vec<u8>>) -> usize {
    let left = files(root);
    let mut listed = Vec::new();
    if left.contains_key(KEY) {
        let recording = Recording::read(root, KEY);
        assert!(!recording.playlist.ended, "ENDLIST");
        let findings = check_append(&left[KEY], &wanted[KEY]);
        assert!(findings.is_empty(), "{findings:?}");
        judge_segments(&recording.paths(), &[]);
        listed = recording.segments;
    }
    let whole: Vec<&String> = wanted.keys().filter(|name| *name != KEY).collect();
    assert!(whole.iter().zip(&listed).all(|(a, b)| *a == b), "listed from the first on, in order");
    let mut open = Vec::new();
    for (path, body) in &left {
        let name = path.rsplit('/').next().unwrap();
        // A file in the making is not yet what its name says.
        if name == KEY || path.contains('#') {
            continue;
        }
        let right = &wanted[name];
        if path.starts_with(".tapeline/spool/") {
            assert!(right.starts_with(body), "{path} holds other bytes");
            if body.len() < right.len() {
                open.push(path);
            }
        } else {
            assert!(body == right, "{path} is not whole");
        }
    }
    // One is open, and one may be sealed while its last bytes are written.
    assert!(open.len() <= 2, "{open:?}");
    listed.len()
}

#[test]
fn killed_at_any_moment_what_is_listed_is_whole() {
    let wanted = reference();
    let bytes = fixture_bytes("h264_aac");
    let first = number("TAPELINE_TEST_SEED")
        .unwrap_or_else(|| u64::from(u32::from_be_bytes(random_bytes().unwrap())));
    let mut counts = Vec::new();
    for seed in first..first + number("TAPELINE_TEST_KILLS").unwrap_or(5) {
        // The moments of consecutive seeds are spread evenly (Weyl's sequence).
        let share = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        let moment = SENDING.mul_f64(share as f64 / 65_536.0);
        println!("TAPELINE_TEST_SEED={seed}: killed after {moment:?}");
        let root = tempfile::tempdir().unwrap();
        let mut running = record("-", root.path()).stdin(Stdio::piped()).start();
        let stdin = running.take_stdin();
        std::thread::scope(|scope| {
            scope.spawn(|| feed(stdin, &bytes, SENDING));
            // Not a wait for anything: the moment is what is tried.
            std::thread::sleep(moment);
            running.kill();
        });
        assert_eq!(running.wait().code, None);
        counts.push(assert_true(root.path(), &wanted));
    }
    println!("listed: {counts:?}");
}

#[test]
fn killed_while_a_segment_is_open_the_spool_has_it() {
    let wanted = reference();
    let bytes = fixture_bytes("h264_aac");
    let root = tempfile::tempdir().unwrap();
    let mut running = record("-", root.path()).stdin(Stdio::piped()).start();
    running.write(&bytes[..bytes.len() * 11 / 24]);
    // 11 s of media: five segments of a key frame every 2 s, and a second of the sixth.
    running.wait_listed(5);
    let sixth = wanted.keys().nth(6).unwrap();
    assert!(sixth.ends_with(".ts"));
    let right = &wanted[sixth];
    // All but what is held back of the last frame, within half a second of its coming.
    until("the open segment in the spool", || {
        let spooled = files(root.path()).into_iter().find(|(path, _)| path.ends_with(sixth))?;
        (spooled.1.len() >= right.len() / 3).then_some(())
    });
    running.kill();
    assert_eq!(running.wait().code, None);
    assert_eq!(assert_true(root.path(), &wanted), 5);
    assert!(
        files(root.path()).keys().any(|path| path.contains(".tapeline/spool/s1.") && path.ends_with(sixth))
    );
}
