//! RTSP from a real server (GStreamer's): the pictures and the sound that it serves, together as they were, through a server that
//! dies and comes back; and what is refused.

mod serve_support;
mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serve_support::Node;
use support::{Place, Record, Said, files, fixture, skip, tool, until};
use tempfile::TempDir;

/// GStreamer's Python module is that of the system's Python.
const PYTHON: &str = "/usr/bin/python3";

struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// `None` where GStreamer's server is not installed.
    fn start(port: u16, file: &Path, secret: &[&str]) -> Option<Self> {
        let has = Command::new(PYTHON)
            .args(["-c", "import gi; gi.require_version('GstRtspServer', '1.0')"])
            .stderr(Stdio::null())
            .status();
        if !has.is_ok_and(|status| status.success()) {
            skip("GStreamer's RTSP server (gir1.2-gst-rtsp-server-1.0, python3-gi)");
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/rtsp_server.py");
        let mut command = Command::new(PYTHON);
        command.arg(script).arg(file).arg(port.to_string()).args(secret);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready");
        Some(Self { process, port })
    }

    fn url(&self, login: &str, path: &str) -> String {
        format!("rtsp://{login}127.0.0.1:{}/{path}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What was recorded, of names that end so.
fn named(place: &Place, end: &str) -> BTreeMap<String, Vec<u8>> {
    files(Path::new(place.url())).into_iter().filter(|(name, _)| name.ends_with(end)).collect()
}

/// The fixture as a camera would send it: without pictures that are shown in another order than they come.
fn camera() -> Option<(PathBuf, TempDir)> {
    let (ffmpeg, folder) = (tool("ffmpeg")?, tempfile::tempdir().unwrap());
    let file = folder.path().join("camera.ts");
    let mut command = Command::new(ffmpeg);
    command.args(["-v", "error", "-i"]).arg(fixture("h264_aac"));
    command.args(["-c:v", "libx264", "-bf", "0", "-g", "50", "-c:a", "copy"]).arg(&file);
    assert!(command.status().unwrap().success());
    Some((file, folder))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// When each decoded picture, or coded piece of sound, is shown, in seconds, by its hash. What sound decodes to depends on chance.
fn shown(ffmpeg: &Path, file: &Path, kind: &str) -> BTreeMap<String, f64> {
    let mut command = Command::new(ffmpeg);
    command.args(["-v", "error", "-copyts", "-i"]).arg(file);
    let how: &[&str] =
        if kind == "v" { &["-vsync", "passthrough"] } else { &["-c", "copy", "-bsf:a", "aac_adtstoasc"] };
    command.args(["-map", &format!("0:{kind}")]).args(how).args(["-f", "framemd5", "-"]);
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{kind} of {}", file.display());
    let (mut base, mut found) = (1.0, BTreeMap::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let fields: Vec<&str> = line.split([',', ' ']).filter(|field| !field.is_empty()).collect();
        match fields.as_slice() {
            ["#tb", _, ratio] => {
                let (one, of) = ratio.split_once('/').unwrap();
                base = one.parse::<f64>().unwrap() / of.parse::<f64>().unwrap();
            }
            [stream, _, pts, _, _, hash, ..] if !stream.starts_with('#') => {
                found.insert((*hash).to_owned(), pts.parse::<f64>().unwrap() * base);
            }
            _ => {}
        }
    }
    found
}

/// How much earlier the recording's times are than the original's: least and most.
fn shift(original: &BTreeMap<String, f64>, recorded: &BTreeMap<String, f64>) -> (f64, f64) {
    let shifts = recorded.iter().filter_map(|(hash, at)| Some(original.get(hash)? - at));
    shifts.fold((f64::MAX, f64::MIN), |(least, most), shift| (least.min(shift), most.max(shift)))
}

#[test]
fn pictures_and_sound_are_those_of_the_server_and_as_far_apart() {
    let Some((original, folder)) = camera() else { return };
    let Some(server) = Server::start(free_port(), &original, &[]) else { return };
    let place = Place::folder();
    let mut recording =
        Record::new(server.url("", "live"), place.url()).args(["--sid", "s1", "--segment", "4s"]).start();
    recording.wait_committed(3);
    recording.signal(&["INT"], "0");
    recording.wait().successful();
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    let joined = folder.path().join("joined.ts");
    let segments: Vec<u8> = named(&place, ".ts").into_values().flatten().collect();
    std::fs::write(&joined, segments).unwrap();
    let [video, audio] = ["v", "a"].map(|kind| {
        let (original, recorded) = (shown(&ffmpeg, &original, kind), shown(&ffmpeg, &joined, kind));
        let known = recorded.keys().filter(|hash| original.contains_key(*hash)).count();
        println!("{kind}: {} of the server's {}, {known} of them the same", recorded.len(), original.len());
        assert!(known == recorded.len() && known > 200, "{kind}: {known} of {}", recorded.len());
        shift(&original, &recorded)
    });
    println!("earlier by: video {video:?}, audio {audio:?}");
    for (least, most) in [video, audio] {
        // Of the sound before the first picture a piece may be squeezed.
        assert!(most - least < 0.025, "times are those of the server: {least} {most}");
    }
    assert!((video.0 - audio.0).abs() < 0.05, "together as they were: {video:?} {audio:?}");
}

#[test]
fn a_server_that_comes_back_is_joined_again_in_the_same_turn() {
    let port = free_port();
    let Some((file, _folder)) = camera() else { return };
    let Some(server) = Server::start(port, &file, &[]) else { return };
    let place = Place::folder();
    let node = Node::start(&place, &[]);
    let said = node.ask(&["start", &server.url("", "live"), "--sid", "s1", "--segment", "2s"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let segments = || named(&place, ".ts").len();
    until("three segments", || (segments() >= 3).then_some(()));
    drop(server);
    std::thread::sleep(Duration::from_secs(5));
    let before = segments();
    let _server = Server::start(port, &file, &[]);
    until("three more", || (segments() >= before + 3).then_some(()));
    let query = node.ask(&["query", "s1"]).object();
    assert_eq!(
        (&query["state"], &query["status"]["generation"]),
        (&"recording".into(), &0.into()),
        "{query}"
    );
    assert_eq!(node.ask(&["stop", "s1"]).code, Some(0));
    until("it to end", || {
        Some(node.ask(&["query", "s1"])).filter(|said| said.object()["state"] == "stopped")
    });
    let text = String::from_utf8(named(&place, ".m3u8").into_values().next().unwrap()).unwrap();
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{text}");
    let verified = place.run("verify", ["--sid", "s1"]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
}

#[test]
fn what_cannot_be_joined_says_why() {
    let (port, secret) = (free_port(), ["alice", "wonderland"]);
    let refused = |url: &str, code: i32, part: &str| {
        let place = Place::folder();
        let said = Said::of("record", [url, "--to", place.url()]);
        said.assert_error(code, &[part]);
        assert!(!said.stderr.contains("hidden"), "{}", said.stderr);
    };
    refused(&format!("rtsp://127.0.0.1:{port}/live"), 5, "does not serve");
    refused("rtsp:live", 2, "write rtsp://HOST/PATH");
    let Some((file, _folder)) = camera() else { return };
    let Some(server) = Server::start(port, &file, &secret) else { return };
    refused(&server.url("", "live"), 2, "another name and password");
    refused(&server.url("alice:hidden@", "live"), 2, "another name and password");
    refused(&server.url("alice:wonderland@", "other?token=hidden"), 4, "no such stream");
    let place = Place::folder();
    let mut recording = Record::new(server.url("alice:wonderland@", "live"), place.url())
        .args(["--sid", "s1", "--segment", "2s"])
        .start();
    recording.wait_committed(2);
    // It dies in the middle: what was recorded is in order, and can be gone on with.
    drop(server);
    let ended = recording.wait();
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert!(!ended.stderr.contains("wonderland"), "{}", ended.stderr);
    assert_eq!(place.status()["phase"], "Orphaned");
}
