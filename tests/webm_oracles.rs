//! What others make of our WebM: ffmpeg, mkvmerge, and a browser, each segment alone and all of them joined.

mod support;
mod webm_support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Place, files, in_browser, tool};
use webm_support::{FIXTURES, path};

/// Codecs as a source buffer is told them; without, and why, where a browser does not take what is joined.
const IN_BROWSER: [(&str, Result<&str, &str>); 9] = [
    ("audio_opus", Ok("audio/webm; codecs=\"opus\"")),
    ("av1_opus", Ok("video/webm; codecs=\"av01.0.00M.08, opus\"")),
    ("browser", Ok("video/webm; codecs=\"vp9, opus\"")),
    ("lacing", Err("Chromium takes no lacing in source buffers")),
    ("restart", Err("another codec in the middle takes another source buffer")),
    ("vp8_opus", Ok("video/webm; codecs=\"vp8, opus\"")),
    ("vp8_size_change", Ok("video/webm; codecs=\"vp8, opus\"")),
    ("vp8_vorbis", Ok("video/webm; codecs=\"vp8, vorbis\"")),
    ("vp9_opus", Ok("video/webm; codecs=\"vp9, opus\"")),
];

/// A recording of a fixture in a folder, its segments, and their lengths in seconds.
fn recorded(name: &str) -> (Place, Vec<PathBuf>, Vec<String>) {
    let place = Place::folder();
    let record = place.record(path(name)).args(["--segment", "4s", "--cname", "main"]);
    record.args(["--start-time", "2026-01-02T03:04:05Z"]).succeed();
    let root = Path::new(place.url());
    let names = files(root).into_keys().filter(|key| key.ends_with(".webm"));
    let segments: Vec<PathBuf> = names.map(|key| root.join(key)).collect();
    let list = std::fs::read_to_string(root.join("s1_main.m3u8")).unwrap();
    let lengths = list.lines().filter_map(|line| line.strip_prefix("#EXTINF:"));
    let lengths = lengths.map(|line| line.trim_end_matches(',').to_owned()).collect();
    (place, segments, lengths)
}

/// The hashes of each stream's packets.
fn packets(ffprobe: &Path, input: &Path) -> BTreeMap<u64, Vec<String>> {
    let mut command = Command::new(ffprobe);
    command.args(["-v", "error", "-show_packets", "-show_data_hash", "md5", "-of", "json"]).arg(input);
    let said = command.stderr(Stdio::null()).output().unwrap();
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let mut found: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for packet in said["packets"].as_array().unwrap() {
        let stream = packet["stream_index"].as_u64().unwrap();
        found.entry(stream).or_default().push(packet["data_hash"].as_str().unwrap().to_owned());
    }
    found
}

#[test]
fn ffmpeg_finds_the_inputs_packets_and_nothing_to_complain_of() {
    let (Some(ffmpeg), Some(ffprobe)) = (tool("ffmpeg"), tool("ffprobe")) else { return };
    for (name, _) in FIXTURES {
        let (_place, segments, _) = recorded(name);
        let mut ours: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for segment in &segments {
            for (stream, hashes) in packets(&ffprobe, segment) {
                ours.entry(stream).or_default().extend(hashes);
            }
            let mut command = Command::new(&ffmpeg);
            command.args(["-v", "warning", "-i"]).arg(segment).args(["-map", "0", "-f", "null", "-"]);
            let said = command.output().unwrap();
            let complaints = String::from_utf8_lossy(&said.stderr);
            assert!(said.status.success() && complaints.is_empty(), "{name}: {complaints}");
        }
        assert!(ours == packets(&ffprobe, &path(name)), "{name}");
    }
}

#[test]
fn mkvmerge_finds_no_error_in_the_structure() {
    let Some(mkvmerge) = tool("mkvmerge") else { return };
    let folder = tempfile::tempdir().unwrap();
    for (name, _) in FIXTURES {
        for segment in recorded(name).1 {
            let mut command = Command::new(&mkvmerge);
            command.arg("-q").arg("-o").arg(folder.path().join("out.mkv")).arg(&segment);
            let said = command.output().unwrap();
            // 1 is for warnings.
            assert_eq!(said.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&said.stdout));
        }
    }
}

#[test]
fn seeking_by_cues_lands_on_the_key_frame() {
    let Some(ffprobe) = tool("ffprobe") else { return };
    // Key frames every two seconds, in segments of four.
    for segment in recorded("vp8_opus").1 {
        let mut command = Command::new(&ffprobe);
        command.args(["-v", "error", "-select_streams", "v", "-read_intervals", "2.5%+#1", "-show_packets"]);
        let said = command.args(["-of", "json"]).arg(&segment).output().unwrap();
        let said: Value = serde_json::from_slice(&said.stdout).unwrap();
        let packet = &said["packets"][0];
        assert!(packet["flags"].as_str().unwrap().starts_with('K'), "{said}");
        let at: f64 = packet["pts_time"].as_str().unwrap().parse().unwrap();
        assert!((1.9..2.1).contains(&at), "{at}");
    }
}

#[test]
fn a_browser_plays_each_segment_alone_and_all_of_them_joined() {
    for (name, codecs) in IN_BROWSER {
        let Ok(codecs) = codecs else { continue };
        let Some(mut command) = in_browser("play_webm.mjs") else { return };
        let (_place, segments, lengths) = recorded(name);
        let said = command.arg(codecs).arg(lengths.join(",")).args(&segments).output().unwrap();
        let text = String::from_utf8_lossy(&said.stdout);
        let complaints = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{name}: {text}{complaints}");
        let played: Value = serde_json::from_str(&text).unwrap();
        let alone = played["alone"].as_array().unwrap();
        for (alone, length) in alone.iter().zip(&lengths) {
            let (found, expected) = (alone["duration"].as_f64().unwrap(), length.parse::<f64>().unwrap());
            assert!((found - expected).abs() < 0.1, "{name}: {played}");
        }
        let total: f64 = lengths.iter().map(|length| length.parse::<f64>().unwrap()).sum();
        let joined = &played["joined"];
        assert!((joined["duration"].as_f64().unwrap() - total).abs() < 0.1, "{name}: {played}");
        assert_eq!(joined["buffered"].as_array().unwrap().len(), 1, "{name}: no hole: {played}");
    }
}

#[test]
fn a_killed_workers_webm_is_salvaged_by_the_next() {
    let place = Place::folder();
    let bytes = webm_support::fixture("browser");
    let start = ["--segment", "4s", "--cname", "main", "--start-time", "2026-01-02T03:04:05Z"];
    let mut first = place.record("-").args(start).stdin(Stdio::piped()).start();
    first.write(&bytes[..bytes.len() * 3 / 4]);
    first.wait_committed(2);
    // What was read is in the spool within half a second.
    support::until("the open segment is in the spool", || {
        place.spooled().iter().any(|(name, body)| name.ends_with(".webm") && body.len() > 8_000).then_some(())
    });
    first.kill();
    first.wait();
    let second = place.record(path("browser")).args(["--resume", "--segment", "4s"]);
    second.args(["--start-time", "2026-01-02T03:04:25Z"]).succeed();
    let record =
        place.objects().into_iter().find(|(key, _)| key.contains("/salvage-0-")).expect("a record").1;
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["lost"].as_array().unwrap().len(), 0, "{record}");
    let [segment] = &record["segments"].as_array().unwrap()[..] else { panic!("not one: {record}") };
    assert_eq!(segment["state"], "torn");
    let file = Path::new(place.url()).join(segment["key"].as_str().unwrap());
    let found = webm_support::files(&std::fs::read(&file).unwrap());
    assert!(found.len() == 1 && found[0].sized && found[0].blocks[0].body.len() > 4);
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    let mut command = Command::new(ffmpeg);
    let said = command.args(["-v", "warning", "-i"]).arg(file).args(["-f", "null", "-"]).output().unwrap();
    assert!(said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
}
