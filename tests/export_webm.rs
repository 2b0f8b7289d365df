//! A recording of WebM as one file: the same blocks at the same times, with an index that leads where it says; judged by another
//! reader, by ffmpeg, mkvmerge and a browser.

mod export_support;
mod support;
mod webm_support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use export_support::exported;
use support::{in_browser, tool};
use tapeline::ErrorKind;
use tapeline::export::{ExportFormat, ExportOptions, GapTime, Target, export};
use tapeline::ids::Sid;
use tapeline::store::Store;
use webm_support::{Block, FIXTURES, File, check_index, files, fixture, recorded};

async fn as_webm(store: &Store) -> Vec<u8> {
    let to = Target::Object { store: store.clone(), key: "whole.webm".to_owned() };
    let told = exported(store, ExportFormat::WebM, to).await.unwrap();
    let bytes = store.get("whole.webm", 1 << 30).await.unwrap();
    assert_eq!(told.bytes, bytes.len() as u64);
    assert_eq!(told.notes, Vec::<String>::new());
    bytes.to_vec()
}

/// The one file that is in it, whole.
fn only(bytes: &[u8]) -> File {
    let mut files = files(bytes);
    assert_eq!(files.len(), 1);
    let file = files.remove(0);
    assert!(file.sized && file.segment.1 == bytes.len());
    assert!(file.top.iter().all(|element| element.end.is_some()));
    check_index(bytes, &file, "the export");
    file
}

fn by_track(blocks: &[Block]) -> BTreeMap<u8, Vec<(i64, bool, Vec<u8>)>> {
    let mut tracks: BTreeMap<u8, Vec<(i64, bool, Vec<u8>)>> = BTreeMap::new();
    for block in blocks {
        tracks.entry(block.track).or_default().push((block.at, block.key, block.body.clone()));
    }
    tracks
}

/// Fixtures whose tracks stay the same.
fn same_tracks() -> impl Iterator<Item = &'static str> {
    FIXTURES.into_iter().map(|(name, _)| name).filter(|name| *name != "restart")
}

#[tokio::test]
async fn the_blocks_are_the_inputs_at_their_times() {
    for name in same_tracks() {
        let made = as_webm(&recorded(name, None).await).await;
        let (ours, theirs) = (only(&made), files(&fixture(name)).remove(0));
        let (ours, theirs) = (by_track(&ours.blocks), by_track(&theirs.blocks));
        // Sound before the first picture is left out where it is too early.
        let begin = theirs.values().map(|blocks| blocks[0].0).min().unwrap();
        for (track, theirs) in &theirs {
            let moved: Vec<_> =
                theirs.iter().map(|(at, key, body)| (at - begin, *key, body.clone())).collect();
            assert!(ours[track] == moved, "{name}, track {track}");
        }
        assert_eq!(ours.len(), theirs.len(), "{name}");
    }
}

#[tokio::test]
async fn turns_follow_each_other_and_nothing_runs_back() {
    // A gap that is left out, or kept; an overlap of two seconds.
    for (apart, gap, length, expected) in [
        (20_000, GapTime::Collapse, 24_000, 600),
        (20_000, GapTime::Keep, 32_000, 600),
        (10_000, GapTime::Collapse, 22_000, 550),
    ] {
        let store = recorded("vp8_opus", Some(apart)).await;
        let to = Target::Object { store: store.clone(), key: "whole.webm".to_owned() };
        let options = ExportOptions { format: ExportFormat::WebM, gap, ..ExportOptions::default() };
        let told = export(&store, &Sid::new("s1").unwrap(), &options, to, &|_, _| {}).await.unwrap();
        let bytes = store.get("whole.webm", 1 << 30).await.unwrap();
        assert_eq!(told.bytes, bytes.len() as u64);
        let file = only(&bytes);
        for (track, blocks) in by_track(&file.blocks) {
            assert!(blocks.windows(2).all(|pair| pair[0].0 < pair[1].0), "{apart}: track {track} runs back");
        }
        let pictures = file.blocks.iter().filter(|block| block.track == 1).count();
        assert_eq!(pictures, expected, "{apart}");
        let duration = file.duration.unwrap();
        assert!((duration - f64::from(length)).abs() < 100.0, "{apart} {gap:?}: {duration}");
    }
}

#[tokio::test]
async fn what_has_no_place_in_it_is_said() {
    let refused = |store: Store| async move {
        let to = Target::Object { store: store.clone(), key: "whole.webm".to_owned() };
        let error = exported(&store, ExportFormat::WebM, to).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        error.to_string()
    };
    let other = refused(recorded("restart", None).await).await;
    assert!(other.contains("its tracks are others"), "{other}");
    let stream = refused(export_support::recorded("h264_aac", 30_000).await).await;
    assert!(stream.contains("it is no WebM"), "{stream}");
    let store = recorded("vp9_opus", None).await;
    let mut file = Vec::new();
    let error = exported(&store, ExportFormat::TransportStream, Target::Stream(&mut file)).await.unwrap_err();
    assert!(error.to_string().contains("WebM is exported as .webm"), "{error}");
    let error = exported(&store, ExportFormat::WebM, Target::Stream(&mut file)).await.unwrap_err();
    assert!(error.to_string().contains("name a file"), "{error}");
}

#[tokio::test]
async fn others_read_seek_and_play_it() {
    let folder = tempfile::tempdir().unwrap();
    for name in same_tracks() {
        let file = folder.path().join(format!("{name}.webm"));
        std::fs::write(&file, as_webm(&recorded(name, None).await).await).unwrap();
        complain(name, &file);
    }
    let joined = folder.path().join("joined.webm");
    std::fs::write(&joined, as_webm(&recorded("vp9_opus", Some(20_000)).await).await).unwrap();
    complain("joined", &joined);
    if let Some(ffprobe) = tool("ffprobe") {
        // The second turn's first key frame is 8 s in.
        let mut command = Command::new(ffprobe);
        command.args(["-v", "error", "-select_streams", "v", "-read_intervals", "9.9%+#1"]);
        command.args(["-show_entries", "packet=pts_time,flags", "-of", "csv=p=0"]).arg(&joined);
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let (at, flags) = said.trim().split_once(',').unwrap();
        assert!((7.9..8.2).contains(&at.parse::<f64>().unwrap()) && flags.starts_with('K'), "{said}");
    }
    let Some(mut command) = in_browser("play_webm.mjs") else { return };
    let said = command.args(["video/webm; codecs=\"vp9, opus\"", "16"]).arg(&joined).output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{text}{}", String::from_utf8_lossy(&said.stderr));
}

/// ffmpeg decodes it and mkvmerge takes it apart, and neither has anything to say.
fn complain(name: &str, file: &Path) {
    if let Some(ffmpeg) = tool("ffmpeg") {
        let mut command = Command::new(ffmpeg);
        command.args(["-v", "warning", "-i"]).arg(file).args(["-map", "0", "-f", "null", "-"]);
        let said = command.output().unwrap();
        let complaints = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success() && complaints.is_empty(), "{name}: {complaints}");
    }
    if let Some(mkvmerge) = tool("mkvmerge") {
        let mut command = Command::new(mkvmerge);
        command.arg("-q").arg("-o").arg(file.with_extension("mkv")).arg(file);
        let said = command.output().unwrap();
        assert_eq!(said.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&said.stdout));
    }
}
