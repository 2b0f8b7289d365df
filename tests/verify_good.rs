//! Verifying finds no error and no warning in recordings of sound streams, ours and ffmpeg's.

mod support;

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use support::{fixture, fixture_bytes, skip, tool};
use tapeline::ids::{RecordingId, Sid};
use tapeline::media::Container;
use tapeline::recorder::{Options, OutputSpec, Recorder};
use tapeline::severity::Severity;
use tapeline::store::Store;
use tapeline::time::MediaSpan;
use tapeline::verify::{Depth, Verified, VerifyOptions, verify, verify_playlists};

const DEEP: VerifyOptions = VerifyOptions { cname: None, depth: Depth::Deep };

fn bad(verified: &Verified) -> Vec<String> {
    let kept = verified.findings.kept.iter().filter(|finding| finding.severity > Severity::Note);
    kept.map(|finding| finding.code.clone()).collect()
}

/// In two turns.
async fn recorded(name: &str) -> Store {
    let store = Store::open("memory:").unwrap();
    let id = RecordingId::new("s1", "main").unwrap();
    let mut options = Options::default();
    (options.rules.target, options.rules.max_length) = (MediaSpan::from_secs(4), MediaSpan::from_secs(8));
    let input = Bytes::from(fixture_bytes(name));
    let first = Recorder::start(&store, id.clone(), options.clone()).await.unwrap();
    let output = first.output(OutputSpec::composite(Container::MpegTs)).unwrap();
    output.write_bytes(input.clone()).await.unwrap();
    first.orphan().await.unwrap();
    let second = Recorder::resume(&store, &id.sid, None, options).await.unwrap();
    let output = second.output(OutputSpec::composite(Container::MpegTs)).unwrap();
    output.write_bytes(input).await.unwrap();
    second.stop().await.unwrap();
    store
}

#[tokio::test]
async fn every_fixture_recorded_is_sound_but_for_what_its_stream_lost() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain_mut(|name| match name.strip_suffix(".ts") {
        Some(stem) => {
            *name = stem.to_owned();
            true
        }
        None => false,
    });
    assert!(names.len() > 15);
    // Commits are a second apart: all at once.
    futures_util::future::join_all(names.iter().map(|name| sound(name))).await;
}

async fn sound(name: &str) {
    let store = recorded(name).await;
    let verified = verify(&store, &Sid::new("s1").unwrap(), &DEEP, &|_, _| {}).await.unwrap();
    assert!(verified.read > 0);
    // Garbage took the place of packets before the stream came here.
    let expected: &[&str] = if name == "garbage" { &["ts-continuity"] } else { &[] };
    assert!(bad(&verified).iter().all(|code| expected.contains(&code.as_str())), "{name}: {verified:#?}");
    assert_eq!(bad(&verified).is_empty(), expected.is_empty(), "{name}");
}

#[tokio::test]
async fn playlists_of_ffmpeg_are_sound() {
    let Some(ffmpeg) = tool("ffmpeg") else { return skip("ffmpeg") };
    let cases: [(&str, &str); 8] = [
        ("h264_aac", "-hls_list_size 0"),
        ("h264_aac", "-hls_list_size 0 -hls_time 4 -hls_flags program_date_time"),
        ("h264_aac", "-hls_list_size 3 -hls_time 2 -hls_flags delete_segments+omit_endlist"),
        ("h264_aac", "-hls_playlist_type event -hls_time 4 -hls_flags independent_segments+discont_start"),
        ("h265_aac", "-hls_playlist_type vod -hls_time 4"),
        ("audio_aac", "-hls_list_size 0 -hls_time 4"),
        ("audio_mp3", "-hls_list_size 0 -hls_time 4"),
        ("audio_ac3", "-hls_list_size 0 -hls_time 4"),
    ];
    for (input, options) in cases {
        let folder = tempfile::tempdir().unwrap();
        let done = Command::new(&ffmpeg)
            .current_dir(folder.path())
            .args(["-v", "error", "-i"])
            .arg(fixture(input))
            .args(["-c", "copy"])
            .args(options.split(' '))
            .arg("list.m3u8")
            .status();
        assert!(done.unwrap().success());
        let store = Store::open(folder.path().to_str().unwrap()).unwrap();
        let lists = ["list.m3u8".to_owned()];
        let verified = verify_playlists(&store, &lists, &DEEP, &|_, _| {}).await.unwrap();
        assert!(verified.read > 1, "{options}");
        assert!(bad(&verified).is_empty(), "{options}: {verified:#?}");
    }
}
