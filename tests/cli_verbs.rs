//! `tapeline list`, `status` and `stop`: what they say of a known recording, as text and as JSON, and what they
//! leave alone.

mod support;

use std::process::Stdio;

use serde_json::{Value, json};
use support::{Place, Record, START, Said, all_files, fixture, fixture_bytes, tool};

/// A minute after the first worker began.
const SECOND_START: &str = "2026-01-02T03:05:05.678Z";

/// A recording of two generations: five segments of 2 s, then 24 s as segments of 2, 4, 4, 4, 4, 4 and 2 s.
fn record(place: &Place) {
    let bytes = fixture_bytes("h264_aac");
    let first = place.record("-").args(["--segment", "2s", "--start-time", START, "--cname", "lobby #1"]);
    let mut first = first.stdin(Stdio::piped()).start();
    first.write(&bytes[..bytes.len() * 11 / 24]);
    first.wait_committed(5);
    first.kill();
    first.wait();
    // How much of the sixth segment it left depends on the moment: the next one is to find nothing.
    std::fs::remove_dir_all(place.spool()).unwrap();
    let second = place.record(fixture("h264_aac")).args(["--resume", "--segment", "4s"]);
    second.args(["--start-time", SECOND_START]).succeed();
}

/// Sizes of the media of one generation.
fn bytes_of(place: &Place, prefix: &str) -> u64 {
    let objects = place.objects_at_rest();
    let media = objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.ends_with(".ts"));
    media.map(|(_, body)| body.len() as u64).sum()
}

/// A copy without what differs from run to run, after a look at it.
fn without_holder(mut value: Value) -> Value {
    let holder = value.as_object_mut().unwrap().remove("holder").unwrap();
    for field in ["worker", "host", "pid", "uid", "since"] {
        assert!(!holder[field].is_null(), "{holder}");
    }
    value
}

fn what_is_there_is_told(place: &Place) {
    record(place);
    let before = place.objects_at_rest();
    let sizes = [bytes_of(place, "s1_"), bytes_of(place, "bak0_s1_")];

    let listed = place.run("list", ["--json"]);
    assert_eq!((listed.code, listed.stderr.as_str()), (Some(0), ""));
    let wanted = json!({
        "event": "recording", "sid": "s1", "cname": "lobby #1", "prefix": "", "phase": "Stopped", "epoch": 3,
        "generation": 1, "segments": 12, "bytes": sizes[0] + sizes[1], "duration_millis": 34_000,
        "end": "2026-01-02T03:05:29.678Z", "error": null,
    });
    assert_eq!(without_holder(listed.object()), wanted);

    let mut status = without_holder(place.status());
    let mut generations = status.as_object_mut().unwrap().remove("generations").unwrap();
    let total = status.as_object_mut().unwrap().remove("total").unwrap();
    let wanted = json!({
        "event": "status", "sid": "s1", "cname": "lobby #1", "prefix": "", "phase": "Stopped", "epoch": 3,
        "generation": 1,
        "joins": [{
            "from": 0, "to": 1, "playlist": "bak0_s1_lobby #1.m3u8", "end": "2026-01-02T03:04:15.678Z",
            "begin": SECOND_START, "gap_millis": 50_000, "salvaged_millis": 0, "overlap_millis": 0,
        }],
        "accounts": [{
            "output": "s1_lobby #1.m3u8", "begin": START, "end": "2026-01-02T03:05:29.678Z", "committed_millis": 34_000,
            "salvaged_millis": 0, "absent_millis": { "takeover": 50_000 }, "doubled_millis": 0,
        }],
        "unreadable": [],
    });
    assert_eq!(status, wanted);
    let mut tails = 0;
    let turns = [
        ("s1_lobby #1.m3u8", 5, 10_000, START, "2026-01-02T03:04:15.678Z"),
        ("bak0_s1_lobby #1.m3u8", 7, 24_000, SECOND_START, "2026-01-02T03:05:29.678Z"),
    ];
    for (number, (playlist, segments, millis, begin, end)) in turns.into_iter().enumerate() {
        let turn = without_holder(generations[number].take());
        let output = &turn["outputs"][0];
        // How much of it its worker had seen published depends on when.
        let tail = output["tail"].as_u64().unwrap();
        assert!(tail <= segments);
        tails += tail;
        let seal = &turn["seal"];
        assert_eq!(seal["generation"], number);
        assert!(before.contains_key(seal["key"].as_str().unwrap()), "{seal} {:?}", before.keys());
        let wanted = json!({
            "generation": number, "seal": seal, "error": null,
            "outputs": [{
                "playlist": playlist, "container": "ts", "segments": segments, "bytes": sizes[number],
                "duration_millis": millis, "gaps": 0, "gap_millis": 0, "begin": begin, "end": end, "tail": tail,
                "salvaged": { "segments": 0, "bytes": 0, "duration_millis": 0 },
            }],
        });
        assert_eq!(turn, wanted);
    }
    let wanted = json!({
        "segments": 12, "bytes": sizes[0] + sizes[1], "duration_millis": 34_000, "gaps": 0, "gap_millis": 0,
        "begin": START, "end": "2026-01-02T03:05:29.678Z", "tail": tails,
    });
    assert_eq!(total, wanted);

    assert_text(place, before.len());
    assert!(place.objects_at_rest() == before, "who reads writes nothing");
}

/// The same for people.
fn assert_text(place: &Place, objects: usize) {
    let words = |line: &str| line.split("  ").map(str::trim).filter(|word| !word.is_empty()).count();
    let listed = place.run("list", [""; 0]);
    let [head, row] = listed.stdout.lines().collect::<Vec<_>>()[..] else { panic!("{}", listed.stdout) };
    assert_eq!((words(head), words(row)), (8, 8), "{}", listed.stdout);
    assert_eq!(head.find("PHASE"), row.find("Stopped"), "{}", listed.stdout);
    assert!(row.starts_with(
        "s1   lobby #1  Stopped  1           12        34s     2026-01-02T03:05:29.678Z  process "
    ));

    let said = place.run("status", ["--sid", "s1"]).stdout;
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("recording     s1_lobby #1 in "), "{said}");
    assert_eq!(lines[1], "phase         Stopped, generation 1, epoch 3");
    for (number, line) in lines[2..4].iter().enumerate() {
        let parts = [&format!("generation {number}  sealed; process "), " on ", "since 20", ", uid "];
        assert!(parts.iter().all(|part| line.contains(*part)), "{line}");
    }
    assert_eq!(lines[4], "");
    assert!(lines[5].starts_with("GENERATION  PLAYLIST "), "{said}");
    assert!(lines[6].starts_with("0           s1_lobby #1.m3u8       5         10s     "), "{said}");
    assert!(lines[7].starts_with("1           bak0_s1_lobby #1.m3u8  7         24s     "), "{said}");
    assert!(lines[8].starts_with("all "), "{said}");
    let join = "gap of 50s between generations 0 and 1 (bak0_s1_lobby #1.m3u8): 2026-01-02T03:04:15.678Z to \
                2026-01-02T03:05:05.678Z";
    let account = "s1_lobby #1.m3u8: 1m 24s are 34s committed, 50s missing (between workers)";
    assert_eq!(lines[9..], ["", join, account], "{said}");
    assert_eq!(place.objects_at_rest().len(), objects);
}

#[test]
fn what_is_in_a_folder_is_told() {
    what_is_there_is_told(&Place::folder());
}

#[test]
fn what_is_in_a_bucket_is_told() {
    let Some(place) = Place::bucket() else { return };
    what_is_there_is_told(&place);
}

fn where_there_is_nothing_nothing_is_told(place: &Place) {
    for arguments in [&[][..], &["--json"]] {
        let said = place.run("list", arguments);
        assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{}", said.stderr);
        assert_eq!(said.stderr.contains("no recordings in "), arguments.is_empty());
    }
    for verb in ["status", "stop"] {
        place.run(verb, ["--sid", "s1"]).assert_error(4, &["no recording s1", "none at all"]);
        place.run(verb, ["--sid", "a_b"]).assert_error(2, &["a_b"]);
        place.run(verb, [""; 0]).assert_error(2, &["--sid"]);
    }
    assert!(place.objects_at_rest().is_empty());
}

#[test]
fn where_nothing_was_recorded_nothing_is_told_and_nothing_made() {
    where_there_is_nothing_nothing_is_told(&Place::folder());
    if let Some(place) = Place::bucket() {
        where_there_is_nothing_nothing_is_told(&place);
    }
}

#[test]
fn a_store_that_is_not_there_is_said_and_not_made() {
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("missing");
    for (verb, arguments) in [("list", &[][..]), ("status", &["--sid", "s1"]), ("stop", &["--sid", "s1"])] {
        Said::by(verb, &missing, arguments).assert_error(4, &["missing", "no such file or folder"]);
        Said::by(verb, "s4://bucket", arguments).assert_error(2, &["no kind of store"]);
        assert!(!missing.exists());
        if Place::bucket().is_some() {
            let said = Said::by(verb, "s3://tapeline-no-such-bucket/x", arguments);
            said.assert_error(2, &["the bucket does not exist"]);
        }
    }
}

#[test]
fn recordings_are_listed_in_the_order_of_their_ids_and_those_that_cannot_be_read_as_well() {
    let place = Place::folder();
    for sid in ["b", "a", "c"] {
        Record::new(fixture("m2ts_192"), place.url()).args(["--sid", sid]).succeed();
    }
    let root = std::path::Path::new(place.url());
    let recordings = root.join(".tapeline/recordings");
    std::fs::create_dir(recordings.join("aa")).unwrap();
    // Made and never finished: no recording.
    std::fs::create_dir(recordings.join("ab")).unwrap();
    std::fs::write(recordings.join("aa/00000000000000000001.json"), "{}").unwrap();
    let before = all_files(root);
    let said = place.run("list", ["--json"]);
    said.assert_error(3, &["aa", "cannot be read"]);
    let rows = said.json();
    let sids: Vec<_> = rows.iter().map(|row| row["sid"].as_str().unwrap_or("error")).collect();
    assert_eq!(sids, ["a", "aa", "b", "c", "error"]);
    assert!(rows[1]["error"].as_str().unwrap().contains("missing field `schema`"), "{}", rows[1]);
    assert_eq!((&rows[4]["event"], &rows[4]["kind"]), (&json!("error"), &json!("malformed")));
    let said = place.run("list", [""; 0]);
    let lines: Vec<_> = said.stdout.lines().collect();
    assert_eq!((said.code, lines.len()), (Some(3), 5), "{}", said.stdout);
    assert!(lines[2].starts_with("aa   the control object "), "{}", lines[2]);
    assert!(lines[3].starts_with("b    main "), "{}", lines[3]);
    assert!(all_files(root) == before);
}

#[test]
fn a_seal_that_is_gone_or_changed_is_told_beside_the_rest() {
    let place = Place::folder();
    record(&place);
    let status = place.status();
    let seal =
        std::path::Path::new(place.url()).join(status["generations"][0]["seal"]["key"].as_str().unwrap());
    let text = std::fs::read_to_string(&seal).unwrap();
    let damages: [(&dyn Fn(), &str); 2] = [
        (&|| std::fs::write(&seal, text.replace("\"segments\":5", "\"segments\":6")).unwrap(), "changed it"),
        (&|| std::fs::remove_file(&seal).unwrap(), "no such object"),
    ];
    for (damage, says) in damages {
        damage();
        for arguments in [&["--sid", "s1"][..], &["--sid", "s1", "--json"]] {
            let said = place.run("status", arguments);
            said.assert_error(3, &["status of s1 is incomplete", says]);
            assert!(said.stdout.contains("bak0_s1_lobby #1.m3u8"), "{}", said.stdout);
        }
        let status = place.run("status", ["--sid", "s1", "--json"]).json();
        assert_eq!((status.len(), &status[0]["total"]["segments"]), (2, &json!(7)));
        assert!(status[0]["generations"][0]["error"].as_str().unwrap().contains(says));
        let listed = place.run("list", [""; 0]);
        listed.assert_error(3, &["status of s1 is incomplete", says]);
        assert!(listed.stdout.contains("lobby #1"), "{}", listed.stdout);
    }
}

#[test]
fn who_may_not_write_may_read() {
    let Some(setpriv) = tool("setpriv") else { return };
    let place = Place::folder();
    record(&place);
    let wanted = place.run("status", ["--sid", "s1", "--json"]).object();
    let chmod = std::process::Command::new("chmod").args(["-R", "a+rX,a-w", place.url()]).status();
    assert!(chmod.unwrap().success());
    // Another user than the one who recorded, without that one's powers.
    let mut command = std::process::Command::new(setpriv);
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_tapeline")]);
    let output = command.args(["status", place.url(), "--sid", "s1", "--json"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), wanted);
}
