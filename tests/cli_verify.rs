//! `tapeline verify` and `tapeline inspect`: what they say, as text and JSON, and how they end.

mod support;

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use support::{Place, Said, fixture};

fn recorded() -> Place {
    let place = Place::folder();
    place.record(fixture("h264_aac")).args(["--cname", "main", "--segment", "4s"]).succeed();
    place
}

fn segment(place: &Place) -> String {
    place.objects().keys().find(|key| key.starts_with("s1_main_") && key.ends_with(".ts")).unwrap().clone()
}

#[test]
fn a_sound_recording_is_said_to_be_so() {
    let place = recorded();
    let said = place.run("verify", ["--sid", "s1"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.stdout.ends_with("1 playlists, 6 segments, 6 of them read: 0 errors, 0 warnings, 0 notes\n")
    );
    let said = place.run("verify", ["--sid", "s1", "--deep", "--json"]);
    let verified = said.json().pop().unwrap();
    assert_eq!((&verified["event"], &verified["read"]), (&"verified".into(), &6.into()), "{said:?}");
    let before = place.objects();
    place.run("verify", ["--playlist", "s1_main.m3u8"]);
    assert_eq!(place.objects(), before, "nothing is written");
}

#[test]
fn damage_is_told_by_code_and_place_and_by_the_exit_code() {
    let place = recorded();
    let key = segment(&place);
    let path = std::path::Path::new(place.url()).join(&key);
    let whole = fs::read(&path).unwrap();
    let mut broken = whole.clone();
    broken.drain(188 * 40..188 * 41);
    fs::write(&path, &broken).unwrap();
    let said = place.run("verify", ["--sid", "s1", "--json"]);
    assert_eq!(said.code, Some(11), "{said:?}");
    let found = said.json();
    let fault = found.iter().find(|line| line["code"] == "ts-continuity").expect("the gap");
    assert_eq!(
        (&fault["event"], &fault["severity"], &fault["key"]),
        (&"finding".into(), &"error".into(), &key.as_str().into())
    );
    let said = place.run("verify", ["--sid", "s1"]);
    assert!(said.stdout.contains(&format!("error: {key}, packet ")), "{said:?}");

    // A list whose last line has no end is no error.
    fs::write(&path, &whole).unwrap();
    let list = std::path::Path::new(place.url()).join("s1_main.m3u8");
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, text.trim_end_matches('\n')).unwrap();
    let said = place.run("verify", ["--sid", "s1"]);
    assert_eq!(said.code, Some(12), "{said:?}");
    assert!(
        said.stdout.contains("warning: s1_main.m3u8, line ") && said.stdout.contains("playlist-line-end")
    );
}

#[test]
fn what_is_not_there_is_an_error() {
    let place = recorded();
    place.run("verify", ["--sid", "s2"]).assert_error(4, &["no recording s2"]);
    place.run("verify", ["--playlist", "other.m3u8"]).assert_error(4, &["other.m3u8"]);
}

#[test]
fn a_stream_is_inspected_by_its_content() {
    let place = recorded();
    let path = std::path::Path::new(place.url()).join(segment(&place));
    let said = Said::of("inspect", [&path]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for part in
        ["MPEG transport stream", "H.264", "320x180", "AAC", "48000 Hz", "no fault", "before the pictures"]
    {
        assert!(said.stdout.contains(part), "{part}: {said:?}");
    }
    let said = Said::of("inspect", [path.to_str().unwrap(), "--json"]).object();
    assert_eq!((&said["content"], &said["streams"][0]["first_is_key"]), (&"ts".into(), &true.into()));
    assert_eq!(said["streams"][0]["units"], 100);

    let list = std::path::Path::new(place.url()).join("s1_main.m3u8");
    let said = Said::of("inspect", [&list]);
    for part in ["media playlist, EVENT, ended", "6 segments of 24.000 s", "media clocks: 1", "no fault"] {
        assert!(said.stdout.contains(part), "{part}: {said:?}");
    }
}

#[test]
fn standard_input_and_other_formats() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    // By its content, not by its name.
    let webm = write("a.ts", &fs::read("fixtures/browser.webm").unwrap());
    let said = Said::of("inspect", [&webm]);
    for part in ["a.ts: WebM", "VP9    160x90", "6, 2.000 s apart", "webm-size-unknown: the Segment"] {
        assert!(said.stdout.contains(part), "{part}: {said:?}");
    }
    let said = Said::of("inspect", [webm.to_str().unwrap(), "--json"]).object();
    assert_eq!((&said["content"], &said["tracks"][1]["codec"]), (&"webm".into(), &"Opus".into()));
    let said = Said::of("inspect", [&write("g", b"\x1a\x45\xdf\xa3 and so on")]);
    assert!(said.stdout.contains("webm-none"), "{said:?}");
    Said::of("inspect", [&write("b", b"\0\0\0\x18ftypmp42")]).assert_error(3, &["MP4"]);
    Said::of("inspect", [&write("c", b"")]).assert_error(3, &["empty"]);
    Said::of("inspect", [&write("d", b"hello there")]).assert_error(3, &["none of them"]);
    Said::of("inspect", [&folder.path().join("e")]).assert_error(4, &["cannot read"]);
    let variants =
        b"#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"a.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n";
    let said = Said::of("inspect", [&write("f", variants)]);
    assert!(
        said.stdout.contains("multivariant playlist, 1 variants, 1 renditions\nvariant v.m3u8: BANDWIDTH=1")
    );

    let mut child = Command::new(env!("CARGO_BIN_EXE_tapeline"))
        .args(["inspect", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:9,\na b\n").unwrap();
    let said: serde_json::Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    let codes: Vec<_> =
        said["faults"].as_array().unwrap().iter().map(|fault| fault["code"].clone()).collect();
    assert_eq!(codes, ["target-exceeded", "uri"], "{said}");
}
