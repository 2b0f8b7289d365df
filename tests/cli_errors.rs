//! What cannot be recorded: the documented exit code, one line that says what, where and what to do, and
//! nothing lost of what was recorded before.
#![cfg(feature = "cli")]

mod support;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use support::{Ended, Record, Recording, SmallDisk, committed_tail, files, fixture, fixture_bytes};

const KEY: &str = "s1_main.m3u8";

// Exit codes, as `tapeline --help` lists them.
const REFUSED: i32 = 2;
const UNREADABLE: i32 = 3;
const MISSING: i32 = 4;
const UNAVAILABLE: i32 = 5;
const EXISTS: i32 = 6;
const NOT_STORED: i32 = 9;

fn record(input: impl AsRef<std::ffi::OsStr>, store: impl AsRef<std::ffi::OsStr>) -> Record {
    Record::new(input, store).args(["--sid", "s1"])
}

/// One error, on one line, with all of `says` in it; told as an event too.
#[track_caller]
fn assert_error(ended: &Ended, code: i32, says: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    let lines: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    let [line] = lines[..] else { panic!("not one error: {}", ended.stderr) };
    for part in says {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
    // Beside it there is at most the log, whose lines bear dates.
    let odd = ended.stderr.lines().find(|line| !line.starts_with("error: ") && !line.starts_with("20"));
    assert_eq!(odd, None, "{}", ended.stderr);
    let [event] = ended.events_of("error")[..] else { panic!("not one event: {:?}", ended.events) };
    assert_eq!(format!("error: {}", event["message"].as_str().unwrap()), line);
}

#[test]
fn an_input_that_holds_nothing_to_record_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mp4 = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2\0\0\0\x08free\0\0\0\x08mdat";
    let text = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/README.md")).unwrap();
    let tables = &fixture_bytes("h264_aac")[..3 * 188];
    let mut damaged = fixture_bytes("h264_aac");
    // The PAT's CRC, and with it all there is to know: every PAT goes.
    damaged
        .chunks_mut(188)
        .filter(|packet| packet[1] & 0x1f == 0 && packet[2] == 0)
        .for_each(|packet| packet[20] ^= 1);
    let inputs: [(&str, &[u8], &str); 7] = [
        ("empty", b"", "the input is empty"),
        ("text", &text, "this is not an MPEG transport stream"),
        ("mp4", mp4, "this is not an MPEG transport stream"),
        ("one byte", b"G", "this is not an MPEG transport stream"),
        ("tables", tables, "no key frame came"),
        ("without PAT", &damaged, "no program map"),
        ("without key frame", &fixture_bytes("no_key"), "no key frame came"),
    ];
    for (name, bytes, says) in inputs {
        println!("{name}");
        let input = folder.path().join(format!("{name}.ts"));
        std::fs::write(&input, bytes).unwrap();
        let root = tempfile::tempdir().unwrap();
        let ended = record(&input, root.path()).run();
        assert_error(&ended, UNREADABLE, &[says, input.to_str().unwrap()]);
        assert!(files(root.path()).is_empty(), "{:?}", files(root.path()).keys());
        // The summary says so too, for those who read no text.
        assert_eq!(ended.events_of("summary")[0]["outputs"][0]["segments"], 0);

        let root = tempfile::tempdir().unwrap();
        let mut running = record("-", root.path()).stdin(Stdio::piped()).start();
        running.write(bytes);
        assert_error(&running.wait(), UNREADABLE, &[says, "standard input"]);
        assert!(files(root.path()).is_empty());
    }
}

#[test]
fn a_program_that_is_not_there_is_told_with_those_that_are() {
    let root = tempfile::tempdir().unwrap();
    let ended = record(fixture("two_programs"), root.path()).args(["--program", "99"]).run();
    assert_error(&ended, UNREADABLE, &["program 99 is not in this stream", "[1, 2]", "two_programs.ts"]);
    assert!(files(root.path()).is_empty());
}

#[test]
fn inputs_that_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(folder.path().join("file"), b"").unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = format!("udp://{}", socket.local_addr().unwrap());
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("tcp://{closed}");
    let cases: &[(&str, i32, &[&str])] = &[
        (&path("missing.ts"), MISSING, &["missing.ts", "there is no such file"]),
        (&path(""), REFUSED, &["it is a folder"]),
        (&path("file/x.ts"), REFUSED, &["a part of the path is a file"]),
        ("", REFUSED, &["the input's name is empty"]),
        ("rtmp://127.0.0.1/live", REFUSED, &["rtmp: is no kind of input", "write ./ before it"]),
        ("file:x.ts", REFUSED, &["is no file URL"]),
        ("udp://127.0.0.1", REFUSED, &["write HOST:PORT"]),
        ("udp://192.0.2.1:5000", REFUSED, &["this machine does not have that address"]),
        (&taken, UNAVAILABLE, &["another program has that port"]),
        (&closed, UNAVAILABLE, &["the connection was refused"]),
    ];
    for (input, code, says) in cases {
        println!("{input}");
        let store = folder.path().join("store");
        assert_error(&record(input, &store).run(), *code, says);
        assert!(!store.exists(), "a mistyped input leaves no folder");
    }
}

#[test]
fn stores_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), b"").unwrap();
    let file = folder.path().join("file").to_str().unwrap().to_owned();
    let below = format!("{file}/x");
    let cases: &[(&str, i32, &[&str])] = &[
        ("/dev/null/x", REFUSED, &["/dev/null/x", "a part of the path is a file"]),
        (&below, REFUSED, &["a part of the path is a file"]),
        (&file, REFUSED, &[&file, "a part of the path is a file"]),
        ("", REFUSED, &["the store's name is empty"]),
        ("ftp://host/x", REFUSED, &["ftp: is no kind of store"]),
        ("s3://key:secret@bucket", REFUSED, &["credentials go into environment variables"]),
        ("memory:x", REFUSED, &["write memory:"]),
        // Nobody may make anything there, not even root.
        ("/proc/tapeline", REFUSED, &["cannot make the folder /proc/tapeline"]),
    ];
    for (store, code, says) in cases {
        println!("{store}");
        let ended = record(fixture("m2ts_192"), store).run();
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
        assert_error(&ended, *code, says);
    }
}

#[test]
fn a_store_or_a_spool_that_is_read_only() {
    let Some(disk) = SmallDisk::mount(1024) else { return };
    let store = disk.path().join("store");
    std::fs::create_dir(&store).unwrap();
    disk.make_read_only();
    let ended = record(fixture("m2ts_192"), &store).run();
    assert_error(&ended, REFUSED, &[store.to_str().unwrap(), "the file system is read-only"]);
    let ended = record(fixture("m2ts_192"), disk.path().join("new")).run();
    assert_error(&ended, REFUSED, &["read-only"]);

    let root = tempfile::tempdir().unwrap();
    let spool = disk.path().join("spool");
    let ended = record(fixture("m2ts_192"), root.path()).arg_pair("--spool", &spool).run();
    assert_error(&ended, REFUSED, &[spool.to_str().unwrap(), "--spool"]);
    // The spool can be written, the store cannot.
    let ended = record(fixture("m2ts_192"), &store).arg_pair("--spool", root.path()).run();
    assert_error(&ended, REFUSED, &["the file system is read-only"]);
    assert!(files(root.path()).is_empty());
}

#[test]
fn arguments_that_cannot_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let long = "x".repeat(65);
    let (long_sid, long_cname) = (format!("--sid={long}"), format!("--cname={long}"));
    let long_prefix = format!("--prefix={}", "abcdefgh/".repeat(20));
    let cases: &[(&[&str], &str)] = &[
        (&["--sid="], "sid"),
        (&["--sid=a_b"], "sid \"a_b\" is not allowed"),
        (&["--sid=stitched"], "sid"),
        (&["--sid=bak0"], "sid"),
        (&[&long_sid], "1 to 64"),
        (&["--cname="], "cname"),
        (&["--cname=a/b"], "cname \"a/b\" is not allowed"),
        (&["--cname=a__uid_s_1"], "no __uid_s_"),
        (&["--cname=\u{e9}"], "cname"),
        (&["--cname=a\nb"], "cname"),
        (&[&long_cname], "1 to 64"),
        (&["--prefix=../x"], "../x"),
        (&["--prefix=a//b"], "a//b"),
        (&["--prefix=a b"], "a b"),
        (&[&long_prefix], "abcdefgh"),
        (&["--segment=0s"], "--segment must be at least 1s"),
        (&["--segment=999ms"], "--segment must be at least 1s"),
        (&["--segment=2h"], "at most 1h"),
        (&["--segment=10s", "--max-segment=5s"], "--max-segment at least --segment"),
        (&["--max-segment=61m"], "at most 1h"),
        (&["--start-time=yesterday"], "write it as 2026-11-23T01:02:03Z"),
        (&["--start-time=2026-11-23"], "--start-time"),
    ];
    for (arguments, says) in cases {
        println!("{arguments:?}");
        let mut record = Record::new(fixture("m2ts_192"), &store).args(*arguments);
        if !arguments[0].starts_with("--sid") {
            record = record.args(["--sid", "s1"]);
        }
        assert_error(&record.run(), REFUSED, &[says]);
        assert!(!store.exists());
    }
    // Those that cannot even be read are told in the words of the arguments' parser.
    for argument in
        ["--segment=soon", "--segment=-1s", "--segment=10", "--program=x", "--program=70000", "--nonsense"]
    {
        let ended = record(fixture("m2ts_192"), &store).args([argument]).run();
        assert_eq!(ended.code, Some(REFUSED), "{argument}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("error: ") && ended.stderr.contains("--help"), "{}", ended.stderr);
        assert!(!store.exists());
    }
}

#[test]
fn a_second_recorder_on_the_same_names_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let bytes = fixture_bytes("h264_aac");
    // 11 s: five segments, and one that stays open.
    let (begin, rest) = bytes.split_at(bytes.len() * 11 / 24);
    let mut first = record("-", root.path()).args(["--segment", "2s"]).stdin(Stdio::piped()).start();
    first.write(begin);
    first.wait_listed(5);
    // The spool changes while the first one runs.
    let stored = || {
        let mut files = files(root.path());
        files.retain(|path, _| !path.starts_with(".tapeline"));
        files
    };
    let before = stored();
    let says = ["the recording s1 exists", "choose another --sid"];
    assert_error(&record(fixture("h264_aac"), root.path()).run(), EXISTS, &says);
    assert!(stored() == before, "the refused one left something");
    let spools = std::fs::read_dir(root.path().join(".tapeline/spool")).unwrap().count();
    assert_eq!(spools, 1, "the refused one left a spool");
    // One recording has one channel.
    let other = record(fixture("m2ts_192"), root.path()).args(["--cname", "other"]);
    assert_error(&other.run(), EXISTS, &says);
    first.write(rest);
    first.wait().successful();
    let after = files(root.path());
    let recording = Recording::read(root.path(), KEY);
    assert!(recording.playlist.ended && recording.segments.len() == 12);
    assert_error(&record(fixture("h264_aac"), root.path()).run(), EXISTS, &says);
    assert!(files(root.path()) == after);
}

/// A segment that was stored is listed, or committed, or its bytes are in the spool still.
fn assert_nothing_lost(ended: &Ended, root: &Path, spool: &Path) {
    let (stored, spooled) = (files(root), files(spool));
    let listed: Vec<String> =
        if stored.contains_key(KEY) { Recording::read(root, KEY).segments } else { Vec::new() };
    let committed = committed_tail(root.to_str().unwrap(), KEY);
    for event in ended.events_of("segment_stored") {
        let name = event["name"].as_str().unwrap();
        let bytes = event["bytes"].as_u64().unwrap();
        let kept = spooled.iter().any(|(path, body)| path.ends_with(name) && body.len() as u64 == bytes);
        assert!(
            listed.iter().chain(&committed).any(|segment| segment == name) || kept,
            "{name} is neither listed nor committed nor in the spool"
        );
    }
    for name in &listed {
        let event =
            ended.events_of("segment_stored").into_iter().find(|event| event["name"] == name.as_str());
        let bytes = event.expect("a stored segment")["bytes"].as_u64();
        assert_eq!(Some(stored[name].len() as u64), bytes, "{name} is not whole");
    }
}

#[test]
fn a_disk_that_fills_up_keeps_what_was_recorded() {
    // The spool lies in the store. The input has 12 segments of 30 kB.
    for kibibytes in [4, 40, 100, 200, 300] {
        println!("{kibibytes} KiB");
        let Some(disk) = SmallDisk::mount(kibibytes) else { return };
        let root = disk.path();
        let options = ["--segment", "2s", "--stop-timeout", "2s"];
        let mut running = record("-", root).args(options).stdin(Stdio::piped()).start();
        let mut stdin = running.take_stdin();
        // It may end, or take no more.
        let feeder = std::thread::spawn(move || drop(stdin.write_all(&fixture_bytes("h264_aac"))));
        // A pipe waits for room, and there is none to come. Without room for its first object it ends.
        if running.wait_for_or_end(|event| event["event"] == "spool_full").is_some() {
            running.signal(&["TERM"], "");
        }
        let ended = running.wait();
        feeder.join().unwrap();
        assert!([UNAVAILABLE, NOT_STORED].contains(&ended.code.unwrap()), "{}", ended.stderr);
        assert_error(&ended, ended.code.unwrap(), &[root.to_str().unwrap()]);
        let full = "the disk is full";
        assert!(ended.stderr.contains(full), "{}", ended.stderr);
        assert_nothing_lost(&ended, root, root);
        assert_count_is_true(&ended, root);
    }
}

#[test]
fn a_store_that_fills_up_leaves_the_rest_in_the_spool() {
    let Some(disk) = SmallDisk::mount(200) else { return };
    let spool = tempfile::tempdir().unwrap();
    let bytes = fixture_bytes("h264_aac");
    let (begin, rest) = bytes.split_at(bytes.len() * 11 / 24);
    let mut running = record("-", disk.path())
        .args(["--segment", "2s", "--stop-timeout", "2s"])
        .arg_pair("--spool", spool.path())
        .stdin(Stdio::piped())
        .start();
    running.write(begin);
    // Five segments fit with their playlist; segments alone could fill the disk before it is written.
    running.wait_listed(5);
    running.write(rest);
    let ended = running.wait();
    assert_error(&ended, NOT_STORED, &[spool.path().to_str().unwrap(), "did not take everything within 2 s"]);
    assert!(!ended.events_of("retrying").is_empty());
    assert_nothing_lost(&ended, disk.path(), spool.path());
    assert_count_is_true(&ended, disk.path());
    // All of the input is in one place or the other.
    let recording = Recording::read(disk.path(), KEY);
    assert!(recording.segments.len() >= 5 && !recording.playlist.ended);
    let mut held: BTreeSet<String> = recording.segments.into_iter().collect();
    held.extend(committed_tail(disk.path().to_str().unwrap(), KEY));
    let segments = files(spool.path()).into_keys().filter(|path| path.ends_with(".ts"));
    held.extend(segments.filter_map(|path| Some(path.rsplit('/').next()?.to_owned())));
    assert_eq!(held.len(), 12, "{held:?}");
}

/// The error promises no more committed segments than are listed or stored. There may be more: a request
/// that was on its way when the disk failed.
fn assert_count_is_true(ended: &Ended, root: &Path) {
    let stored = files(root).into_keys().filter(|path| !path.contains('/') && path.ends_with(".ts")).count();
    // There is no count where the disk had no room for the first control object.
    let Some((before, _)) = ended.stderr.split_once(" segments are committed") else {
        assert_eq!((ended.code, stored), (Some(UNAVAILABLE), 0), "{}", ended.stderr);
        return;
    };
    let said: usize = before.rsplit(' ').next().unwrap().parse().expect("a count");
    assert!(said <= stored, "{stored} are stored: {}", ended.stderr);
}

#[test]
fn a_store_that_is_taken_away_is_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let (store, away) = (root.path().join("store"), root.path().join("away"));
    let spool = root.path().join("spool");
    let bytes = fixture_bytes("h264_aac");
    let (begin, rest) = bytes.split_at(bytes.len() * 11 / 24);
    let mut running = record("-", &store)
        .args(["--segment", "2s"])
        .arg_pair("--spool", &spool)
        .stdin(Stdio::piped())
        .start();
    running.write(begin);
    // All there is to list: nothing is being written while the folder moves.
    running.wait_listed(5);
    std::fs::rename(&store, &away).unwrap();
    std::fs::write(&store, b"").unwrap();
    running.write(rest);
    running.wait_for("a retry", |event| event["event"] == "retrying");
    std::fs::remove_file(&store).unwrap();
    std::fs::rename(&away, &store).unwrap();
    running.wait().successful();
    assert_eq!(Recording::read_whole(&store, KEY).segments.len(), 12);
    assert!(!spool.exists() || files(&spool).is_empty());
}
