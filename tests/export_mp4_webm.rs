//! A recording of WebM as MP4, one file and in fragments: the same frames at the same times, judged by ffmpeg and a browser.

mod export_support;
mod support;
mod webm_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use export_support::{codec_strings, decoded, exported, part, samples};
use serde_json::Value;
use support::{fixture_bytes, play, tool};
use tapeline::ErrorKind;
use tapeline::export::{ExportFormat, ExportOptions, GapTime, Mp4Error, Mp4File, Target, export};
use tapeline::ids::Sid;
use tapeline::store::Store;
use tapeline::time::MediaSpan;
use tapeline::webm::WebmSurvey;
use webm_support::{files, fixture, path, recorded};

/// Fixtures whose codecs MP4 has a place for.
const WITH_PLACE: [&str; 3] = ["vp9_opus", "av1_opus", "audio_opus"];

async fn as_mp4(store: &Store) -> Vec<u8> {
    let to = Target::Object { store: store.clone(), key: "whole.mp4".to_owned() };
    let told = exported(store, ExportFormat::Mp4, to).await.unwrap();
    assert_eq!(told.notes, Vec::<String>::new());
    let bytes = store.get("whole.mp4", 1 << 30).await.unwrap();
    assert_eq!(told.bytes, bytes.len() as u64);
    bytes.to_vec()
}

#[tokio::test]
async fn every_frame_of_every_fixture_is_there_to_the_byte_at_its_time() {
    for name in WITH_PLACE {
        let (mp4, theirs) = (as_mp4(&recorded(name, None).await).await, files(&fixture(name)).remove(0));
        let ours = samples(&mp4);
        let tracks: Vec<(u8, &str)> =
            if name == "audio_opus" { vec![(1, "audio")] } else { vec![(1, "video"), (2, "audio")] };
        assert_eq!(ours.len(), tracks.len(), "{name}");
        for (track, kind) in tracks {
            let blocks = theirs.blocks.iter().filter(|block| block.track == track);
            let blocks: Vec<_> = blocks.collect();
            assert_eq!(blocks.len(), ours[kind].len(), "{name} {kind}");
            let (begin, first) = (blocks[0].at, ours[kind][0].decoded);
            for (block, sample) in blocks.iter().zip(&ours[kind]) {
                assert!(block.body[1..] == sample.data, "{name} {kind}");
                assert_eq!((block.key, sample.shown), (sample.key, sample.decoded), "{name} {kind}");
                let (at, ours) = ((block.at - begin) as f64 / 1000.0, sample.decoded - first);
                // Blocks count milliseconds; sound counts its samples.
                assert!(
                    (ours - at).abs() < if kind == "audio" { 0.011 } else { 1e-9 },
                    "{name} {kind}: {ours} {at}"
                );
            }
        }
    }
}

#[tokio::test]
async fn players_are_told_of_the_codecs_by_what_the_entries_say() {
    for name in WITH_PLACE {
        let survey = WebmSurvey::of(&fixture(name).into());
        let video = survey.tracks.iter().filter_map(|track| track.video_format?.codec_string());
        let audio = survey.tracks.iter().filter_map(|track| Some(track.audio_format?.codec_string()));
        let theirs = codec_strings(&as_mp4(&recorded(name, None).await).await);
        // MP4 registers Opus in capitals.
        let theirs: Vec<String> = theirs.into_iter().map(|codec| codec.replace("Opus", "opus")).collect();
        assert_eq!(video.chain(audio).collect::<Vec<_>>(), theirs, "{name}");
    }
}

/// Times and hashes of the packets of a kind, as ffprobe reads them.
fn packets(ffprobe: &Path, file: &Path, kind: &str) -> Vec<(f64, String)> {
    let mut command = Command::new(ffprobe);
    command.args(["-v", "error", "-select_streams", kind, "-show_data_hash", "sha256"]);
    command.args(["-show_entries", "packet=pts_time,data_hash", "-of", "json"]).arg(file);
    let said: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let text = |packet: &Value, field: &str| packet[field].as_str().unwrap().to_owned();
    let packet = |packet: &Value| (text(packet, "pts_time").parse().unwrap(), text(packet, "data_hash"));
    said["packets"].as_array().unwrap().iter().map(packet).collect()
}

#[tokio::test]
async fn ffprobe_finds_the_same_packets_as_far_from_each_other() {
    let Some(ffprobe) = tool("ffprobe") else { return };
    let folder = tempfile::tempdir().unwrap();
    // Laced blocks hold several frames each.
    for name in WITH_PLACE.into_iter().chain(["lacing"]) {
        let file = folder.path().join("whole.mp4");
        fs::write(&file, as_mp4(&recorded(name, None).await).await).unwrap();
        let mut begins = Vec::new();
        for kind in ["v", "a"] {
            let (theirs, ours) = (packets(&ffprobe, &path(name), kind), packets(&ffprobe, &file, kind));
            assert_eq!(theirs.len(), ours.len(), "{name} {kind}");
            assert!(theirs.iter().zip(&ours).all(|(one, two)| one.1 == two.1), "{name} {kind}");
            begins.extend(theirs.first().zip(ours.first()).map(|(theirs, ours)| ours.0 - theirs.0));
        }
        assert!(!begins.is_empty(), "{name}");
        let apart =
            begins.iter().copied().fold(f64::MIN, f64::max) - begins.iter().copied().fold(f64::MAX, f64::min);
        assert!(apart < 0.001, "{name}: {begins:?}");
    }
}

async fn in_forms(store: &Store, folder: &Path) -> [PathBuf; 3] {
    let out = [folder.join("whole.webm"), folder.join("whole.mp4"), folder.join("hls/s1_main.m3u8")];
    let local = Store::open(folder.to_str().unwrap()).unwrap();
    for (format, to) in [
        (ExportFormat::WebM, Target::File(out[0].clone())),
        (ExportFormat::Mp4, Target::File(out[1].clone())),
        (ExportFormat::Hls, Target::Folder { store: local, folder: "hls".to_owned() }),
    ] {
        exported(store, format, to).await.unwrap();
    }
    out
}

#[tokio::test]
async fn ffmpeg_decodes_the_same_and_a_browser_plays_the_fragments() {
    for name in ["vp9_opus", "av1_opus"] {
        // Two turns that overlap.
        let store = recorded(name, Some(6_000)).await;
        let folder = tempfile::tempdir().unwrap();
        let [webm, mp4, list] = in_forms(&store, folder.path()).await;
        assert_eq!(tapeline::playlist::check(&fs::read(&list).unwrap()), []);
        if let Some(ffmpeg) = tool("ffmpeg") {
            let theirs = decoded(&ffmpeg, &webm, "v");
            assert!(theirs.len() > 200, "{name}: {}", theirs.len());
            assert!(decoded(&ffmpeg, &mp4, "v") == theirs, "{name}");
            assert!(decoded(&ffmpeg, &list, "v") == theirs, "{name}");
        }
        let Some(played) = play(&list, &[5.5, 6.5, 0.0]) else { continue };
        assert_eq!(played["ended"], true, "{name}: {played}");
        assert_eq!(played["seeked"].as_array().unwrap().len(), 3, "{name}: {played}");
        assert_eq!(played["buffered"].as_array().unwrap().len(), 1, "{name}, no hole: {played}");
    }
}

#[tokio::test]
async fn turns_follow_each_other_and_nothing_runs_back() {
    // A gap that is left out, or kept; an overlap of two seconds.
    for (apart, gap, length, expected) in [
        (20_000, GapTime::Collapse, 16.0, 400),
        (20_000, GapTime::Keep, 28.0, 400),
        (6_000, GapTime::Collapse, 14.0, 350),
    ] {
        let store = recorded("vp9_opus", Some(apart)).await;
        let to = Target::Object { store: store.clone(), key: "whole.mp4".to_owned() };
        let options = ExportOptions { format: ExportFormat::Mp4, gap, ..ExportOptions::default() };
        export(&store, &Sid::new("s1").unwrap(), &options, to, &|_, _| {}).await.unwrap();
        let samples = samples(&store.get("whole.mp4", 1 << 30).await.unwrap());
        for (kind, samples) in &samples {
            assert!(samples.is_sorted_by(|one, two| one.decoded < two.decoded), "{apart}: {kind} runs back");
            let last = samples.last().unwrap().decoded;
            assert!((last - length).abs() < 0.2, "{apart} {gap:?} {kind}: {last}");
        }
        assert_eq!(samples["video"].len(), expected, "{apart}");
    }
}

#[tokio::test]
async fn what_has_no_place_is_refused_by_name() {
    for (name, why) in [("vp8_opus", "track 1 is VP8, and MP4"), ("vp8_vorbis", "track 2 is Vorbis, and MP4")]
    {
        let store = recorded(name, None).await;
        let to = Target::Object { store: store.clone(), key: "whole.mp4".to_owned() };
        let error = exported(&store, ExportFormat::Mp4, to).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.report().contains(why), "{name}: {}", error.report());
        assert_eq!(store.head("whole.mp4").await.unwrap(), None, "{name}");
    }
    // What cannot be joined with what came before.
    for (before, then, expected) in [
        (fixture("vp9_opus"), fixture("av1_opus"), Mp4Error::OtherTracks),
        (fixture("vp9_opus"), fixture_bytes("h264_aac"), Mp4Error::NoFile),
        (fixture_bytes("h264_aac"), fixture("vp9_opus"), Mp4Error::NoStream),
    ] {
        let mut file = Mp4File::new(MediaSpan::ZERO, None);
        file.part(part(before, false), &mut |_| Ok::<_, Mp4Error>(())).unwrap();
        let error = file.part(part(then, false), &mut |_| Ok::<_, Mp4Error>(())).unwrap_err();
        assert_eq!(error, expected);
    }
}
