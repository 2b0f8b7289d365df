//! What others make of our recordings: ffmpeg, a browser with hls.js, playlist validators, and two
//! checkers of tests/tools that share no code with the product.
//!
//! Every fixture is recorded by the program into a folder. Then, per fixture: the segments joined hold the
//! input's elementary streams byte for byte; each is a sound transport stream that decodes alone; the
//! playlist passes two strict validators and plays from start to end.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{Record, Recording, fixture, skip, tool};

/// A fixture and what is special about its recording.
struct Case {
    name: &'static str,
    /// Why a segment alone need not decode without a complaint.
    does_not_decode_alone: Option<&'static str>,
    /// More for tscheck.py, with the reason.
    tscheck: &'static [&'static str],
    /// The input's own faults that tscheck finds again.
    faulty_input: bool,
    /// ffmpeg's hashes of input and output are compared too; not where the recording begins later than
    /// the input, or leaves out a program.
    same_as_ffmpeg: bool,
    /// hls.js plays it.
    in_browser: bool,
}

const PLAIN: Case = Case {
    name: "",
    does_not_decode_alone: None,
    tscheck: &[],
    faulty_input: false,
    same_as_ffmpeg: true,
    in_browser: false,
};

const NO_KEY: Option<&str> = Some("the input has no key frame where it had to be cut");

const CASES: [Case; 18] = [
    Case { name: "h264_aac", in_browser: true, ..PLAIN },
    Case { name: "h265_aac", ..PLAIN },
    Case { name: "h264_opus", ..PLAIN },
    Case { name: "audio_aac", in_browser: true, ..PLAIN },
    Case { name: "audio_mp3", ..PLAIN },
    Case { name: "audio_ac3", ..PLAIN },
    Case { name: "pts_wrap", in_browser: true, ..PLAIN },
    Case { name: "size_change", in_browser: true, ..PLAIN },
    // Its audio begins in the middle of a PES packet at the first key frame.
    Case { name: "straddle", same_as_ffmpeg: false, in_browser: true, ..PLAIN },
    Case {
        name: "garbage",
        does_not_decode_alone: Some("packets are missing in the input"),
        faulty_input: true,
        same_as_ffmpeg: false,
        ..PLAIN
    },
    Case { name: "m2ts_192", ..PLAIN },
    Case { name: "rs_204", ..PLAIN },
    Case { name: "screen_share", does_not_decode_alone: NO_KEY, tscheck: &["--no-key"], ..PLAIN },
    // Recording begins after the longest a key frame is waited for.
    Case {
        name: "no_key",
        does_not_decode_alone: NO_KEY,
        tscheck: &["--no-key"],
        same_as_ffmpeg: false,
        ..PLAIN
    },
    Case { name: "two_programs", same_as_ffmpeg: false, ..PLAIN },
    // The input's counters break where its clock does.
    Case {
        name: "clock_jump",
        tscheck: &["--clock-may-jump"],
        faulty_input: true,
        in_browser: true,
        ..PLAIN
    },
    // hls.js cannot add the audio that comes later ("the audio SourceBuffer does not exist").
    Case { name: "pmt_change", ..PLAIN },
    // hls.js reads a map of one packet only ("found no media").
    Case { name: "long_pmt", ..PLAIN },
];

/// What `.ci/install` puts beside the project.
fn cache(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/cache").join(path)
}

fn judge(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools").join(name)
}

/// A script of `tests/tools` for Node, with what it needs; without it, the test is to return.
fn node(script: &str, module: &str) -> Option<Command> {
    let node = tool("node")?;
    if !cache("node_modules").join(module).exists() {
        skip(&format!("{module}; .ci/install play installs it"));
        return None;
    }
    let mut command = Command::new(node);
    command.arg(judge(script)).env("TAPELINE_NODE_MODULES", cache("node_modules"));
    Some(command)
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Standard output of a command that must succeed.
fn stdout_of(command: &mut Command) -> String {
    let output = run(command);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out.into_owned()
}

/// A fixture's recording, and the folder that goes with it.
struct Recorded {
    folder: tempfile::TempDir,
    recording: Recording,
}

const PLAYLIST: &str = "s1_main.m3u8";

fn record(name: &str) -> Recorded {
    let folder = tempfile::tempdir().unwrap();
    Record::new(fixture(name), folder.path()).args(["--segment", "4s", "--sid", "s1"]).succeed();
    Recorded { recording: Recording::read_whole(folder.path(), PLAYLIST), folder }
}

impl Recorded {
    fn playlist(&self) -> PathBuf {
        self.folder.path().join(PLAYLIST)
    }
}

/// The hashes of all streams, without the file's name.
fn stream_hashes(ffmpeg: &Path, joined: &Path) -> String {
    // Streams that begin late must be found as well.
    let mut command = Command::new(ffmpeg);
    command.args(["-v", "error", "-probesize", "50M", "-analyzeduration", "60M", "-i"]).arg(joined);
    stdout_of(command.args(["-map", "0", "-c", "copy", "-f", "streamhash", "-"]))
}

#[test]
fn elementary_streams_are_the_inputs_byte_for_byte() {
    let Some(python) = tool("python3") else { return };
    for case in &CASES {
        let recorded = record(case.name);
        let recording = &recorded.recording;
        let from: &[&str] = match case.name {
            // Recorded from the first frame after the longest a key frame is waited for.
            "no_key" => &["--from-pts", "853200"],
            name if name.starts_with("audio") => &[],
            _ => &["--from-first-key"],
        };
        let hashes = |files: &[PathBuf]| {
            stdout_of(Command::new(&python).arg(judge("eshash.py")).args(from).args(files))
        };
        let (input, output) = (hashes(&[fixture(case.name)]), hashes(&recording.paths()));
        assert!(!output.is_empty(), "{}", case.name);
        if case.name == "two_programs" {
            let first_program: Vec<&str> = input.lines().take(output.lines().count()).collect();
            assert_eq!(first_program, output.lines().collect::<Vec<_>>(), "{}", case.name);
        } else {
            assert_eq!(input, output, "{}", case.name);
        }
    }
}

#[test]
fn ffmpeg_finds_the_same_packets_in_the_joined_segments() {
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    for case in CASES.iter().filter(|case| case.same_as_ffmpeg) {
        let recorded = record(case.name);
        let recording = &recorded.recording;
        let joined = recorded.folder.path().join("joined");
        let bytes: Vec<u8> = recording.bodies().into_iter().flatten().copied().collect();
        std::fs::write(&joined, bytes).unwrap();
        assert_eq!(
            stream_hashes(&ffmpeg, &fixture(case.name)),
            stream_hashes(&ffmpeg, &joined),
            "{}",
            case.name
        );
    }
}

#[test]
fn every_segment_is_a_sound_transport_stream() {
    let Some(python) = tool("python3") else { return };
    for case in &CASES {
        let recorded = record(case.name);
        let recording = &recorded.recording;
        let mut command = Command::new(&python);
        command.arg(judge("tscheck.py")).arg("--joined").args(case.tscheck).args(recording.paths());
        let output = run(&mut command);
        if case.faulty_input {
            // Its faults must be found, or the checker checks nothing; they are the input's own.
            assert!(!output.status.success(), "{}: no fault found", case.name);
        } else {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{}: {said}", case.name);
        }
    }
}

#[test]
fn every_segment_decodes_alone() {
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    for case in &CASES {
        let recorded = record(case.name);
        let recording = &recorded.recording;
        for segment in &recording.paths() {
            let mut command = Command::new(&ffmpeg);
            command.args(["-v", "error", "-xerror", "-i"]).arg(segment).args(["-f", "null", "-"]);
            let output = run(&mut command);
            let said = String::from_utf8_lossy(&output.stderr);
            let clean = output.status.success() && said.is_empty();
            assert!(clean || case.does_not_decode_alone.is_some(), "{}: {segment:?}: {said}", case.name);
        }
    }
}

#[test]
fn playlists_pass_two_strict_validators() {
    let python = cache("venv/bin/python");
    let Some(mut node) = node("validate.mjs", "hls-parser") else { return };
    if !python.exists() {
        return skip("the Python package m3u8; .ci/install media installs it");
    }
    let recordings: Vec<Recorded> = CASES.iter().map(|case| record(case.name)).collect();
    stdout_of(node.args(recordings.iter().map(Recorded::playlist)));
    let mut second = Command::new(python);
    stdout_of(second.arg(judge("validate_m3u8.py")).args(recordings.iter().map(Recorded::playlist)));
}

#[test]
fn ffmpeg_plays_the_whole_playlist() {
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    for case in CASES.iter().filter(|case| case.does_not_decode_alone.is_none()) {
        let recorded = record(case.name);
        let mut command = Command::new(&ffmpeg);
        command.args(["-v", "error", "-i"]).arg(recorded.playlist()).args(["-f", "null", "-"]);
        let output = run(&mut command);
        let said = String::from_utf8_lossy(&output.stderr);
        // Where the input's counters break, ffmpeg calls the packets corrupt.
        assert!(output.status.success() && (said.is_empty() || case.faulty_input), "{}: {said}", case.name);
    }
}

#[test]
fn a_browser_plays_from_start_to_end() {
    let Some(_) = tool("chromium") else { return };
    for case in CASES.iter().filter(|case| case.in_browser) {
        let Some(mut node) = node("play.mjs", "hls.js") else { return };
        let recorded = record(case.name);
        let said = stdout_of(node.arg(recorded.playlist()));
        let report: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(report["ended"], true, "{}: {report}", case.name);
        assert_eq!(report["fragments"], recorded.recording.segments.len(), "{}: {report}", case.name);
        let seconds = recorded.recording.millis() as f64 / 1000.0;
        let played = report["duration"].as_f64().unwrap();
        // Audio ends up to a PES packet later than the pictures.
        assert!((played - seconds).abs() < 0.75, "{}: {played} instead of {seconds}: {report}", case.name);
    }
}
