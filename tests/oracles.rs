//! What others make of our recordings: ffmpeg, a browser with hls.js, playlist validators, and two
//! checkers of tests/tools that share no code with the product.
//!
//! Every fixture is recorded by the program into a folder. Then, per fixture: the segments joined hold the
//! input's elementary streams byte for byte; each is a sound transport stream that decodes alone; the
//! playlist passes two strict validators and plays from start to end.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether a tool is there. Where all must be, a missing one is a failure.
fn has(tool: &str) -> bool {
    let found = match tool {
        "browser" => Path::new("/usr/bin/chromium").exists() && modules().join("hls.js").exists(),
        "validators" => modules().join("hls-parser").exists() && python_with_m3u8().exists(),
        tool => Command::new(tool).arg("-version").output().is_ok(),
    };
    let required = std::env::var_os("TAPELINE_REQUIRE_TOOLS").is_some();
    assert!(found || !required, "{tool} is required and not there; .ci/install installs it");
    if !found {
        eprintln!("SKIPPED: needs {tool}; .ci/install installs it");
    }
    found
}

fn modules() -> PathBuf {
    root().join(".ci/cache/node_modules")
}

fn python_with_m3u8() -> PathBuf {
    root().join(".ci/cache/venv/bin/python")
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

struct Recording {
    folder: tempfile::TempDir,
    playlist: PathBuf,
    segments: Vec<PathBuf>,
    /// Sum of all EXTINF.
    millis: u64,
    /// Borders without continuity.
    discontinuities: usize,
}

fn fixture(name: &str) -> PathBuf {
    root().join("fixtures").join(name).with_extension("ts")
}

fn record(name: &str) -> Recording {
    let folder = tempfile::tempdir().unwrap();
    stdout_of(
        Command::new(env!("CARGO_BIN_EXE_tapeline"))
            .args([
                "record",
                "--segment",
                "4s",
                "--sid",
                "s1",
                "--start-time",
                "2026-01-01T00:00:00Z",
                "--to",
            ])
            .arg(folder.path())
            .arg(fixture(name)),
    );
    let playlist = folder.path().join("s1_main.m3u8");
    let parsed = tapeline::playlist::parse(&std::fs::read(&playlist).unwrap()).unwrap();
    Recording {
        segments: parsed.segments.iter().map(|segment| folder.path().join(&segment.uri)).collect(),
        millis: parsed.segments.iter().map(|segment| segment.duration_millis).sum(),
        discontinuities: parsed.segments.iter().filter(|segment| segment.discontinuity).count(),
        playlist,
        folder,
    }
}

fn tool(name: &str) -> PathBuf {
    root().join("tests/tools").join(name)
}

/// The hashes of all streams, without the file's name.
fn stream_hashes(joined: &Path) -> String {
    let command = format!(
        "ffmpeg -v error -probesize 50M -analyzeduration 60M -i '{}' -map 0 -c copy -f streamhash -",
        joined.display()
    );
    stdout_of(Command::new("sh").args(["-c", &command]))
}

#[test]
fn elementary_streams_are_the_inputs_byte_for_byte() {
    if !has("python3") {
        return;
    }
    for case in &CASES {
        let recording = record(case.name);
        let from: &[&str] = match case.name {
            // Recorded from the first frame after the longest a key frame is waited for.
            "no_key" => &["--from-pts", "853200"],
            name if name.starts_with("audio") => &[],
            _ => &["--from-first-key"],
        };
        let hashes = |files: &[PathBuf]| {
            stdout_of(Command::new("python3").arg(tool("eshash.py")).args(from).args(files))
        };
        let (input, output) = (hashes(&[fixture(case.name)]), hashes(&recording.segments));
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
    if !has("ffmpeg") {
        return;
    }
    for case in CASES.iter().filter(|case| case.same_as_ffmpeg) {
        let recording = record(case.name);
        let joined = recording.folder.path().join("joined");
        let bytes: Vec<u8> =
            recording.segments.iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
        std::fs::write(&joined, bytes).unwrap();
        assert_eq!(stream_hashes(&fixture(case.name)), stream_hashes(&joined), "{}", case.name);
    }
}

#[test]
fn every_segment_is_a_sound_transport_stream() {
    if !has("python3") {
        return;
    }
    for case in &CASES {
        let recording = record(case.name);
        let mut command = Command::new("python3");
        command.arg(tool("tscheck.py")).arg("--joined").args(case.tscheck).args(&recording.segments);
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
    if !has("ffmpeg") {
        return;
    }
    for case in &CASES {
        let recording = record(case.name);
        for segment in &recording.segments {
            let mut command = Command::new("ffmpeg");
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
    if !has("validators") {
        return;
    }
    let recordings: Vec<Recording> = CASES.iter().map(|case| record(case.name)).collect();
    let playlists = || recordings.iter().map(|recording| &recording.playlist);
    stdout_of(
        Command::new("node")
            .arg(tool("validate.mjs"))
            .args(playlists())
            .env("TAPELINE_NODE_MODULES", modules()),
    );
    stdout_of(Command::new(python_with_m3u8()).arg(tool("validate_m3u8.py")).args(playlists()));
}

#[test]
fn ffmpeg_plays_the_whole_playlist() {
    if !has("ffmpeg") {
        return;
    }
    for case in CASES.iter().filter(|case| case.does_not_decode_alone.is_none()) {
        let recording = record(case.name);
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-i"]).arg(&recording.playlist).args(["-f", "null", "-"]);
        let output = run(&mut command);
        let said = String::from_utf8_lossy(&output.stderr);
        // Where the input's counters break, ffmpeg calls the packets corrupt.
        assert!(output.status.success() && (said.is_empty() || case.faulty_input), "{}: {said}", case.name);
    }
}

#[test]
fn a_browser_plays_from_start_to_end() {
    if !has("browser") {
        return;
    }
    for case in CASES.iter().filter(|case| case.in_browser) {
        let recording = record(case.name);
        let mut command = Command::new("node");
        command.arg(tool("play.mjs")).arg(&recording.playlist).env("TAPELINE_NODE_MODULES", modules());
        let report: serde_json::Value = serde_json::from_str(&stdout_of(&mut command)).unwrap();
        assert_eq!(report["ended"], true, "{}: {report}", case.name);
        assert_eq!(report["fragments"], recording.segments.len(), "{}: {report}", case.name);
        let seconds = recording.millis as f64 / 1000.0;
        let played = report["duration"].as_f64().unwrap();
        // Audio ends up to a PES packet later than the pictures.
        assert!((played - seconds).abs() < 0.75, "{}: {played} instead of {seconds}: {report}", case.name);
    }
}

#[test]
fn borders_are_marked_where_times_or_parameters_break_and_nowhere_else() {
    for (name, expected) in
        [("h264_aac", 0), ("pts_wrap", 0), ("size_change", 1), ("clock_jump", 1), ("pmt_change", 1)]
    {
        assert_eq!(record(name).discontinuities, expected, "{name}");
    }
}
