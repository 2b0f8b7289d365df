//! `tapeline stitch` on recordings whose workers were killed: the stitched playlist plays from start to end in ffmpeg and in
//! a browser, and the pictures in it are those recorded, once each, minus what the report names.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::{
    Objects, Place, Said, control, fixture, fixture_bytes, play, tool, until, wait_out_the_last_claim,
};
use tapeline::playlist::{check, parse};
use tapeline::time::{MediaSpan, WallTime};

/// Dates of the first frames are given, so that gaps and overlaps are as long as they should be.
const BEGIN: &str = "2026-11-23T01:00:00Z";
const STITCHED: &str = "stitched_s1_main.m3u8";

/// A worker that begins so many milliseconds after the first, and is killed once so many segments are committed;
/// `None`: it is asked to stop, and has recorded all of the fixture.
type Turn = (i64, Option<u64>);

/// The pictures of a second of the fixture.
const RATE: i64 = 25;

fn date(millis: i64) -> WallTime {
    WallTime::parse_rfc3339(BEGIN).unwrap().plus(MediaSpan::from_millis(millis))
}

/// What is left of a worker that was killed, beside what it committed. How much that is depends on the moment.
#[derive(Clone, Copy, PartialEq)]
enum Left {
    Nothing,
    Spool,
}

/// Records a fixture of 24 s once for each turn, with segments of 2 s and 4 s.
fn record(place: &Place, turns: &[Turn], left: Left) {
    let media = fixture_bytes("h264_aac");
    for (number, (begin, killed_at)) in turns.iter().enumerate() {
        wait_out_the_last_claim(place);
        let seconds = if number % 2 == 0 { 4 } else { 2 };
        let segment = format!("{seconds}s");
        let start = date(*begin).to_string();
        let resume: &[&str] = if number == 0 { &[] } else { &["--resume"] };
        let arguments = ["--segment", &segment, "--start-time", &start];
        let mut running = place.record("-").args(arguments).args(resume).stdin(Stdio::piped()).start();
        match killed_at {
            Some(committed) => {
                // A second more than these segments need, so that it has no more of them however late the kill comes.
                let ready = usize::try_from(*committed).unwrap() * seconds;
                let given = media.len() * (ready + 1) / 24;
                running.write(&media[..given]);
                running.wait_committed(*committed);
                if left == Left::Spool {
                    // Of the second that was given more.
                    let open = format!("{}.ts", date(begin + 1000 * i64::try_from(ready).unwrap()).compact());
                    until("the open segment in the spool", || {
                        place
                            .spooled()
                            .into_iter()
                            .find(|(name, body)| name.ends_with(&open) && body.len() > 4096)
                    });
                }
                running.kill();
                assert_eq!(running.wait().code, None);
                if left == Left::Nothing {
                    std::fs::remove_dir_all(place.spool()).unwrap();
                }
            }
            None => {
                let mut stdin = running.take_stdin();
                std::io::Write::write_all(&mut stdin, &media).unwrap();
                drop(stdin);
                running.wait().successful();
            }
        }
    }
}

/// Stitches, and checks what holds of any stitched recording.
fn stitch(place: &Place, arguments: &[&str]) -> Value {
    let said = place.run("stitch", ["--sid", "s1", "--json"].iter().chain(arguments));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let report = said.object()["outputs"][0].clone();
    let number = |name: &str| report[name].as_i64().unwrap_or_else(|| panic!("{name} in {report}"));
    assert_eq!(number("covered_millis") + number("uncovered_millis"), number("span_millis"));
    assert_eq!(number("duration_millis"), number("covered_millis") + number("repeated_millis"));
    report
}

fn text(place: &Place) -> Vec<u8> {
    let objects = place.objects();
    let text = objects.get(STITCHED).expect("the stitched playlist").clone();
    assert_eq!(check(&text), [], "{}", String::from_utf8_lossy(&text));
    let playlist = parse(&text).unwrap();
    for segment in playlist.segments.iter().filter(|segment| !segment.gap) {
        assert!(objects.contains_key(&segment.uri), "{} is listed, and not there", segment.uri);
    }
    text
}

/// The hashes of the decoded pictures; ffmpeg must have nothing to say.
fn pictures(ffmpeg: &Path, input: &Path) -> Vec<String> {
    let mut command = Command::new(ffmpeg);
    command.args(["-v", "error", "-i"]).arg(input);
    command.args(["-map", "0:v", "-fps_mode", "passthrough", "-f", "framehash", "-hash", "adler32", "-"]);
    let output = command.output().expect("ffmpeg runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{}: {said}", input.display());
    let lines = String::from_utf8(output.stdout).unwrap();
    let hashes = lines.lines().filter(|line| !line.starts_with('#'));
    hashes.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// Whether `part` comes out of `whole` by leaving out some.
fn is_part(part: &[String], whole: &[String]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|one| rest.any(|other| other == one))
}

/// Milliseconds of media that the stitched playlist has of each turn, in its order.
fn lengths(place: &Place) -> Vec<i64> {
    let playlist = parse(&text(place)).unwrap();
    let mut lengths: Vec<(String, i64)> = Vec::new();
    for segment in &playlist.segments {
        let own = segment.uri.strip_prefix("stitched_").unwrap_or(&segment.uri);
        let turn = own.split("s1_main").next().unwrap().to_owned();
        let millis = i64::try_from(segment.duration_millis).unwrap();
        match lengths.last_mut().filter(|(last, _)| *last == turn) {
            Some((_, sum)) => *sum += millis,
            None => lengths.push((turn, millis)),
        }
    }
    lengths.into_iter().map(|(_, sum)| sum).collect()
}

/// The positions of the joins in the stitched playlist, in seconds.
fn joins(place: &Place) -> Vec<f64> {
    let (mut at, mut joins) = (0, Vec::new());
    for segment in parse(&text(place)).unwrap().segments {
        if segment.discontinuity {
            joins.push(at as f64 / 1000.0);
        }
        at += segment.duration_millis;
    }
    joins
}

fn root(place: &Place) -> PathBuf {
    PathBuf::from(place.url())
}

/// Every picture of each turn up to its end, once, but for those that the report says were lost.
fn assert_pictures(place: &Place, report: &Value) {
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    let (all, whole) =
        (pictures(&ffmpeg, &root(place).join(STITCHED)), pictures(&ffmpeg, &fixture("h264_aac")));
    let decisions = report["decisions"].as_array().unwrap();
    let lost: u64 = decisions.iter().filter_map(|decision| decision["pictures_lost"].as_u64()).sum();
    let mut rest = &all[..];
    let mut expected = 0;
    for millis in lengths(place) {
        let count = usize::try_from((millis * RATE + 999) / 1000).unwrap().min(whole.len());
        expected += count;
        // The next turn begins with the first picture again.
        let next = rest.iter().skip(1).position(|hash| *hash == whole[0]).map_or(rest.len(), |at| at + 1);
        let (own, after) = rest.split_at(next);
        assert!(own.len() <= count && is_part(own, &whole[..count]), "{} of {count} pictures", own.len());
        rest = after;
    }
    assert!(rest.is_empty(), "{} pictures more", rest.len());
    assert_eq!(all.len() as u64 + lost, expected as u64, "{report}");
}

#[test]
fn one_to_three_failovers_become_one_list_of_every_picture_once() {
    // Gaps of 10 s and 60 s, an overlap in the middle of a segment, and a join without either.
    let cases: [&[Turn]; 3] = [
        &[(0, Some(4)), (30_000, None)],
        &[(0, Some(5)), (14_280, Some(6)), (84_000, None)],
        &[(0, Some(5)), (20_000, Some(6)), (31_720, Some(2)), (50_000, None)],
    ];
    for turns in cases {
        let place = Place::folder();
        record(&place, turns, Left::Nothing);
        let before = place.objects();
        let report = stitch(&place, &[]);
        assert_eq!(report["turns"].as_array().unwrap().len(), turns.len());
        assert_eq!(report["joins"].as_array().unwrap().len(), turns.len() - 1);
        assert_eq!(report["sealed"], true);
        let first = text(&place);
        assert!(String::from_utf8(first.clone()).unwrap().contains("#EXT-X-INDEPENDENT-SEGMENTS\n"));
        assert_pictures(&place, &report);
        // Twice the same, and nothing older changed.
        stitch(&place, &[]);
        assert_eq!(text(&place), first);
        let mut after: Objects = place.objects();
        after.retain(|key, _| !key.starts_with("stitched_"));
        assert_eq!(after, before);
    }
}

#[test]
fn a_browser_plays_over_every_join_to_the_end() {
    let place = Place::folder();
    record(&place, &[(0, Some(5)), (14_280, Some(6)), (60_000, None)], Left::Nothing);
    for mode in ["collapse", "tag"] {
        let report = stitch(&place, &["--gap", mode]);
        // To both sides of each join, and back.
        let seeks: Vec<f64> = joins(&place).iter().flat_map(|at| [at - 0.6, at + 0.3]).chain([0.0]).collect();
        let Some(played) = play(&root(&place).join(STITCHED), &seeks) else { return };
        assert_eq!(played["ended"], true, "{mode}: {played}");
        assert_eq!(played["seeked"].as_array().unwrap().len(), seeks.len(), "{mode}: {played}");
        assert_eq!(played["fragments"], report["segments"], "{mode}: {played}");
        let listed = report["duration_millis"].as_f64().unwrap() + report["tagged_millis"].as_f64().unwrap();
        let seconds = played["duration"].as_f64().unwrap();
        assert!((seconds - listed / 1000.0).abs() < 1.0, "{mode}: {seconds} of {listed}: {played}");
    }
}

#[test]
fn without_an_id_it_lists_what_could_be_stitched_and_writes_nothing() {
    let place = Place::folder();
    record(&place, &[(0, Some(2)), (30_000, None)], Left::Nothing);
    let before = place.objects();
    let said = place.run("stitch", ["--json"]);
    let found = said.object();
    assert_eq!((&found["recording"], &found["generations"]), (&"s1_main".into(), &2.into()), "{found}");
    let said = place.run("stitch", ["--sid", "s1", "--out", "-"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    assert_eq!(check(said.stdout.as_bytes()), []);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (picture, report, list) = (file("p.svg"), file("r.json"), file("l.m3u8"));
    let arguments = [
        "--sid",
        "s1",
        "--out",
        &list,
        "--picture",
        &picture,
        "--report",
        &report,
        "--base-url",
        "https://x/y",
    ];
    assert_eq!(place.run("stitch", arguments).code, Some(0));
    assert_eq!(place.objects(), before);
    let read = |name: &str| std::fs::read_to_string(name).unwrap();
    assert!(read(&list).contains("\nhttps://x/y/bak0_s1_main_20261123010030000.ts\n"));
    assert!(read(&picture).starts_with("<svg"));
    let report: Value = serde_json::from_str(&read(&report)).unwrap();
    assert_eq!(report["outputs"][0]["gaps"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_not_there_is_said() {
    let place = Place::folder();
    let said = place.run("stitch", ["--sid", "s1"]);
    said.assert_error(4, &["no recording s1"]);
    let said = place.run("stitch", [""; 0]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""));
    assert!(said.stderr.contains("nothing to stitch"), "{}", said.stderr);
    place.run("stitch", ["--playlist", "none.m3u8"]).assert_error(4, &["none.m3u8"]);
    place.run("stitch", ["--playlist", "x.m3u8", "--sid", "s1"]).assert_error(2, &["cannot be used with"]);
    assert!(place.objects().is_empty(), "nothing was tried out or written");
}

#[test]
fn what_was_salvaged_fills_the_gap_that_its_worker_left() {
    let place = Place::folder();
    record(&place, &[(0, Some(2)), (40_000, None)], Left::Spool);
    // The second worker may have done it already.
    let spool = root(&place).join(".tapeline/spool");
    let said = Said::by("salvage", "--spool", [spool]);
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    let after = stitch(&place, &[]);
    let number = |report: &Value, name: &str| report[name].as_i64().unwrap();
    // The worker had taken more in, of which the last was still open.
    let sealed = stitch(&place, &["--sealed-only", "--out", "/dev/null"]);
    assert!(number(&sealed, "covered_millis") < number(&after, "covered_millis"), "{sealed} {after}");
    let decisions = after["decisions"].as_array().unwrap();
    let filled: Vec<&Value> = decisions.iter().filter(|decision| decision["fate"] == "filled").collect();
    assert!(!filled.is_empty() && filled.iter().all(|decision| decision["origin"] == "salvaged"), "{after}");
    // Nothing tells of a salvaged segment how it begins.
    assert!(!String::from_utf8(text(&place)).unwrap().contains("INDEPENDENT"));
    if let Some(ffmpeg) = tool("ffmpeg") {
        let all = pictures(&ffmpeg, &root(&place).join(STITCHED));
        let whole = pictures(&ffmpeg, &fixture("h264_aac"));
        let (older, newer) = all.split_at(all.len() - whole.len());
        assert!(newer == whole && is_part(older, &whole));
        let millis = number(&after, "covered_millis") - 24_000;
        assert!((older.len() as i64 - millis * RATE / 1000).abs() <= 3, "{} of {millis} ms", older.len());
    }
}

#[test]
fn one_address_plays_from_before_a_failover_to_after_it() {
    let place = Place::folder();
    // The second begins inside what the first has listed: that stays, though it would be left out if it were stitched anew.
    let turns = [(0, Some(5)), (6_000, Some(9)), (60_000, None)];
    let follower = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tapeline"));
        command.args(["stitch", place.url(), "--sid", "s1", "--follow", "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
    };
    let (versions, said) = std::thread::scope(|scope| {
        let recording = scope.spawn(|| record(&place, &turns, Left::Nothing));
        until("a recording", || control(&place).filter(|state| !state.outputs.is_empty()));
        // Two that follow at once, of which one goes away and comes again.
        let (first, mut second) = (follower(), follower());
        let mut versions: Vec<Vec<u8>> = Vec::new();
        let path = root(&place).join(STITCHED);
        let ended = || versions_end(&path);
        let mut killed = false;
        loop {
            if let Ok(text) = std::fs::read(&path)
                && versions.last() != Some(&text)
            {
                versions.push(text);
            }
            if !killed && versions.len() > 2 {
                second.kill().unwrap();
                second.wait().unwrap();
                second = follower();
                killed = true;
            }
            if ended() || recording.is_finished() && second.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        recording.join().unwrap();
        versions.push(std::fs::read(&path).unwrap());
        let ends = [first.wait_with_output().unwrap(), second.wait_with_output().unwrap()];
        (versions, ends)
    });
    for output in &said {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}{err}");
        assert!(out.lines().last().unwrap().contains("\"ended\":true"), "{out}");
    }
    for pair in versions.windows(2) {
        assert!(pair[1].starts_with(&pair[0]), "what is listed stays");
    }
    assert!(versions.len() > 4, "{} versions", versions.len());
    let last = versions.last().unwrap();
    assert_eq!(check(last), [], "{}", String::from_utf8_lossy(last));
    let playlist = parse(last).unwrap();
    assert!(playlist.ended && playlist.segments.iter().filter(|segment| segment.discontinuity).count() == 2);
    // Every committed segment is in it, but those whose time was listed before.
    let sealed = stitch(&place, &["--sealed-only", "--no-rewrite", "--out", "/dev/null"]);
    let sum: u64 = playlist.segments.iter().map(|segment| segment.duration_millis).sum();
    assert!(sum >= sealed["covered_millis"].as_u64().unwrap(), "{sum} {sealed}");
    if let Some(ffmpeg) = tool("ffmpeg") {
        assert!(!pictures(&ffmpeg, &root(&place).join(STITCHED)).is_empty());
    }
}

fn versions_end(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|text| text.ends_with(b"#EXT-X-ENDLIST\n"))
}

#[test]
fn a_bucket_is_stitched_and_anyone_plays_it_by_signed_urls() {
    let Some(place) = Place::bucket() else { return };
    record(&place, &[(0, Some(5)), (14_280, None)], Left::Nothing);
    let report = stitch(&place, &[]);
    assert_eq!(report["overlaps"].as_array().unwrap().len(), 1);
    let first = text(&place);
    assert_eq!(stitch(&place, &[]), report);
    assert_eq!(text(&place), first);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("signed.m3u8");
    let out = file.to_str().unwrap();
    let said = place.run("stitch", ["--sid", "s1", "--presign", "10m", "--out", out]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let signed = std::fs::read(&file).unwrap();
    assert_eq!(check(&signed), []);
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    let mut command = Command::new(ffmpeg);
    command.args([
        "-v",
        "error",
        "-protocol_whitelist",
        "file,http,https,tcp,tls",
        "-allowed_extensions",
        "ALL",
    ]);
    // Without the credentials that the program has.
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let output = command.arg("-i").arg(&file).args(["-f", "null", "-"]).output().expect("ffmpeg runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
