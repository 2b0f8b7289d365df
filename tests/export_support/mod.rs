//! Recordings of two turns, the samples of an MP4, and what ffmpeg makes of an export.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use shiguredo_mp4::TrackKind;
use shiguredo_mp4::demux::{Input, Mp4FileDemuxer};
use tapeline::export::{ExportFormat, ExportOptions, Exported, Part, Target, export};
use tapeline::ids::{RecordingId, Sid};
use tapeline::media::Container;
use tapeline::recorder::{Options, OutputSpec, Recorder};
use tapeline::store::Store;
use tapeline::time::{MediaSpan, WallTime};

use crate::support::{Place, fixture, fixture_bytes};

pub fn part(bytes: impl Into<Bytes>, continues: bool) -> Part {
    Part {
        key: "part".to_owned(),
        bytes: bytes.into(),
        date: None,
        continues,
        length: MediaSpan::ZERO,
        gap: MediaSpan::ZERO,
    }
}

pub async fn exported(store: &Store, format: ExportFormat, to: Target<'_>) -> tapeline::Result<Exported> {
    let options = ExportOptions { format, ..ExportOptions::default() };
    export(store, &Sid::new("s1").unwrap(), &options, to, &|_, _| {}).await
}

/// In two turns that overlap, or with a gap between them.
pub async fn recorded(name: &str, apart: i64) -> Store {
    let store = Store::open("memory:").unwrap();
    let id = RecordingId::new("s1", "main").unwrap();
    let mut options = Options::default();
    (options.rules.target, options.rules.max_length) = (MediaSpan::from_secs(4), MediaSpan::from_secs(8));
    for begin in [0, apart] {
        let recorder = match begin {
            0 => Recorder::start(&store, id.clone(), options.clone()).await.unwrap(),
            _ => Recorder::resume(&store, &id.sid, None, options.clone()).await.unwrap(),
        };
        let date = WallTime::from_millis(1_795_395_600_000 + begin);
        let output = recorder.output(OutputSpec::composite(Container::MpegTs).start_time(date)).unwrap();
        output.write_bytes(Bytes::from(fixture_bytes(name))).await.unwrap();
        if begin == 0 {
            recorder.orphan().await.unwrap()
        } else {
            recorder.stop().await.unwrap()
        };
    }
    store
}

/// A sample as a reader finds it: when it is decoded and shown, in seconds, and its bytes.
pub struct Found {
    pub decoded: f64,
    pub shown: f64,
    pub key: bool,
    pub data: Vec<u8>,
}

/// The samples of each track by its kind.
pub fn samples(mp4: &[u8]) -> BTreeMap<&'static str, Vec<Found>> {
    let mut demuxer = Mp4FileDemuxer::new();
    while demuxer.required_input().is_some() {
        demuxer.handle_input(Input { position: 0, data: mp4 });
    }
    let mut found: BTreeMap<&'static str, Vec<Found>> = BTreeMap::new();
    while let Some(sample) = demuxer.next_sample().unwrap() {
        let kind = if sample.track.kind == TrackKind::Video { "video" } else { "audio" };
        let scale = f64::from(sample.track.timescale.get());
        let at = usize::try_from(sample.data_offset).unwrap();
        let decoded = sample.timestamp as f64 / scale;
        let shown = decoded + sample.composition_time_offset.unwrap_or(0) as f64 / scale;
        let data = mp4[at..at + sample.data_size].to_vec();
        found.entry(kind).or_default().push(Found { decoded, shown, key: sample.keyframe, data });
    }
    found
}

/// The codec strings of an MP4, by another reader of its sample entries: one of the pictures, one of the sound.
pub fn codec_strings(mp4: &[u8]) -> Vec<String> {
    let mut demuxer = Mp4FileDemuxer::new();
    while demuxer.required_input().is_some() {
        demuxer.handle_input(Input { position: 0, data: mp4 });
    }
    let mut found = BTreeMap::new();
    while let Some(sample) = demuxer.next_sample().unwrap() {
        if let Some(entry) = sample.sample_entry {
            let is_audio = sample.track.kind != TrackKind::Video;
            found.entry(is_audio).or_insert(shiguredo_mp4::codec_string::from_sample_entry(entry).unwrap());
        }
    }
    found.into_values().collect()
}

/// What ffmpeg decodes of a kind of stream: a hash of each picture, or of each frame of sound.
pub fn decoded(ffmpeg: &Path, input: &Path, kind: &str) -> Vec<String> {
    let said = Command::new(ffmpeg)
        .args(["-v", "warning", "-i"])
        .arg(input)
        .args(["-map", &format!("0:{kind}"), "-fps_mode", "passthrough", "-f", "framehash", "-"])
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&said.stderr);
    let is_list = input.extension().is_some_and(|extension| extension == "m3u8");
    assert!(complaints.is_empty() || is_list, "{}: {complaints}", input.display());
    let lines = String::from_utf8(said.stdout).unwrap();
    let hash = |line: &str| line.rsplit(',').next().unwrap().trim().to_owned();
    lines.lines().filter(|line| !line.starts_with('#')).map(hash).collect()
}

/// Two turns in a folder, of which the second begins before the first ends.
pub fn two_turns() -> Place {
    let place = Place::folder();
    let start = ["--start-time", "2026-01-02T03:04:05Z", "--segment", "4s", "--cname", "main"];
    let bytes = fixture_bytes("h264_aac");
    let mut first = place.record("-").args(start).stdin(Stdio::piped()).start();
    first.write(&bytes[..bytes.len() * 3 / 4]);
    first.wait_committed(4);
    first.kill();
    first.wait();
    let second = place.record(fixture("h264_aac")).args(["--resume", "--segment", "4s"]);
    second.args(["--start-time", "2026-01-02T03:04:16Z"]).succeed();
    place
}
