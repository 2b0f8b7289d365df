//! A recording as MP4, one file and in fragments: the same media in another wrapping, judged by ffmpeg, by a browser, and by another
//! reader's look at the boxes.

mod export_support;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use export_support::{codec_strings, decoded, exported, part, recorded, samples, two_turns};
use support::{FIXTURES, fixture_bytes, play, tool, units};
use tapeline::error::ErrorKind;
use tapeline::export::{ExportFormat, ExportOptions, Front, GapTime, Mp4Error, Mp4File, Target, export};
use tapeline::ids::Sid;
use tapeline::media::{AdtsHeader, NalUnits, OpusUnit};
use tapeline::store::Store;
use tapeline::time::MediaSpan;
use tapeline::ts::{SegmentMap, StreamKind, TsSurvey};

/// Streams of these have no place in MP4.
const NO_PLACE: [&str; 2] = ["audio_ac3", "audio_mp3"];

async fn as_mp4(store: &Store) -> Vec<u8> {
    let to = Target::Object { store: store.clone(), key: "whole.mp4".to_owned() };
    let told = exported(store, ExportFormat::Mp4, to).await.unwrap();
    let bytes = store.get("whole.mp4", 1 << 30).await.unwrap();
    assert_eq!(told.bytes, bytes.len() as u64);
    assert_eq!(told.notes, Vec::<String>::new());
    store.delete("whole.mp4").await.unwrap();
    bytes.to_vec()
}

async fn as_stream(store: &Store) -> Vec<u8> {
    let mut file = Vec::new();
    exported(store, ExportFormat::TransportStream, Target::Stream(&mut file)).await.unwrap();
    file
}

/// What a sample of pictures holds.
fn nal_units(sample: &[u8]) -> Vec<Vec<u8>> {
    let (mut units, mut rest) = (Vec::new(), sample);
    while let Some((len, tail)) = rest.split_first_chunk::<4>() {
        let (unit, tail) = tail.split_at(u32::from_be_bytes(*len) as usize);
        units.push(unit.to_vec());
        rest = tail;
    }
    units
}

/// Frames of sound in the elementary stream of a transport stream.
fn frames(stream: &[u8]) -> Vec<Vec<u8>> {
    let (mut frames, mut rest) = (Vec::new(), stream);
    while !rest.is_empty() {
        if let Some(header) = AdtsHeader::parse(rest) {
            // The last one may be cut off.
            let Some(frame) = rest.get(header.len..header.frame_len) else { break };
            frames.push(frame.to_vec());
            rest = &rest[header.frame_len..];
        } else {
            let unit = OpusUnit::parse(rest).expect("a frame");
            frames.push(unit.packet.to_vec());
            rest = unit.rest;
        }
    }
    frames
}

#[tokio::test]
async fn every_nal_unit_and_every_frame_of_every_fixture_is_there_to_the_byte() {
    for fixture in FIXTURES.iter().filter(|fixture| !NO_PLACE.contains(&fixture.name)) {
        let store = recorded(fixture.name, 6_500).await;
        // Lost packets tear frames of sound there.
        if fixture.name == "garbage" {
            continue;
        }
        let (stream, mp4) = (as_stream(&store).await, as_mp4(&store).await);
        let (of_stream, of_mp4) = (units(&stream), samples(&mp4));
        let map = SegmentMap::of(&stream).unwrap().pmt;
        let is = |pid, video: bool| {
            let kind = map.streams.iter().find(|stream| stream.pid == pid).unwrap().kind;
            matches!(kind, StreamKind::Video(_)) == video
        };
        let joined = |video| -> Vec<u8> {
            let of = of_stream.iter().filter(|(pid, _)| is(**pid, video));
            of.flat_map(|(_, units)| units).flat_map(|(_, data)| data.clone()).collect()
        };
        let none = Vec::new();
        let pictures = of_mp4.get("video").unwrap_or(&none);
        let ours: Vec<Vec<u8>> = pictures.iter().flat_map(|sample| nal_units(&sample.data)).collect();
        let stream_bytes = joined(true);
        let theirs: Vec<Vec<u8>> = NalUnits::of(&stream_bytes).map(<[u8]>::to_vec).collect();
        assert_eq!(ours.len(), theirs.len(), "{}", fixture.name);
        assert!(ours == theirs, "{}", fixture.name);
        let ours: Vec<&Vec<u8>> =
            of_mp4.get("audio").unwrap_or(&none).iter().map(|sample| &sample.data).collect();
        let theirs = frames(&joined(false));
        // The sound of this one comes with a second map, which the helper does not read.
        let is_unread = fixture.name == "pmt_change" && theirs.is_empty();
        assert!(
            is_unread || ours.iter().copied().eq(theirs.iter()),
            "{}: {} {}",
            fixture.name,
            ours.len(),
            theirs.len()
        );
        assert!(!pictures.iter().any(|picture| picture.shown < picture.decoded), "{}", fixture.name);
    }
}

#[tokio::test]
async fn pictures_and_sound_are_as_far_from_each_other_as_they_were() {
    let Some(ffprobe) = tool("ffprobe") else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["h264_aac", "h265_aac", "h264_opus", "pts_wrap", "clock_jump", "straddle"] {
        let store = recorded(name, 6_500).await;
        let times = |file: &str, bytes: &[u8]| {
            let path = folder.path().join(file);
            fs::write(&path, bytes).unwrap();
            ["v:0", "a:0"].map(|stream| {
                let mut command = Command::new(&ffprobe);
                command.args(["-v", "error", "-select_streams", stream, "-show_entries", "packet=pts_time"]);
                let said = command.args(["-of", "csv=p=0"]).arg(&path).output().unwrap().stdout;
                let said = String::from_utf8(said).unwrap();
                let times: Vec<f64> =
                    said.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
                times
            })
        };
        let [pictures, sound] = times("a.ts", &as_stream(&store).await);
        let [our_pictures, our_sound] = times("a.mp4", &as_mp4(&store).await);
        assert_eq!(pictures.len(), our_pictures.len(), "{name}");
        let begin = pictures.iter().chain(&sound).copied().fold(f64::MAX, f64::min);
        // ffprobe tells microseconds. A frame of sound may be half its length from its stamp, which counts in ticks.
        for (ours, theirs, near) in [(&our_pictures, &pictures, 0.000_02), (&our_sound, &sound, 0.011)] {
            for (ours, theirs) in ours.iter().zip(theirs) {
                assert!((ours - (theirs - begin)).abs() < near, "{name}: {ours} for {}", theirs - begin);
            }
        }
    }
}

#[tokio::test]
async fn it_begins_with_its_index_and_every_box_is_as_long_as_it_says() {
    let mp4 = as_mp4(&recorded("h264_aac", 6_500).await).await;
    let (mut boxes, mut at) = (Vec::new(), 0);
    while at < mp4.len() {
        let size = u64::from(u32::from_be_bytes(mp4[at..at + 4].try_into().unwrap()));
        let kind = String::from_utf8(mp4[at + 4..at + 8].to_vec()).unwrap();
        let size =
            if size == 1 { u64::from_be_bytes(mp4[at + 8..at + 16].try_into().unwrap()) } else { size };
        boxes.push(kind);
        at += usize::try_from(size).unwrap();
    }
    assert_eq!(at, mp4.len());
    assert_eq!(boxes, ["ftyp", "moov", "free", "mdat"]);
    let of_mp4 = samples(&mp4);
    let keys: Vec<f64> =
        of_mp4["video"].iter().filter(|picture| picture.key).map(|picture| picture.decoded).collect();
    // Every 2 s, 6.5 s of the first turn and 24 s of the second.
    assert_eq!(keys.len(), 4 + 12, "{keys:?}");
    assert!(of_mp4["audio"].iter().all(|frame| frame.key));
}

#[tokio::test]
async fn players_are_told_of_the_codecs_by_what_the_entries_say() {
    for name in ["h264_aac", "h265_aac", "audio_aac", "screen_share"] {
        let survey = TsSurvey::of(&Bytes::from(fixture_bytes(name)));
        let video = survey.streams.iter().filter_map(|stream| stream.video_format?.codec_string());
        let audio = survey.streams.iter().filter_map(|stream| Some(stream.audio_format?.codec_string()));
        let ours: Vec<String> = video.chain(audio).collect();
        assert!(!ours.is_empty());
        assert_eq!(ours, codec_strings(&as_mp4(&recorded(name, 60_000).await).await), "{name}");
    }
}

fn file_of(parts: impl Iterator<Item = Bytes>, expected: MediaSpan) -> (Vec<u8>, Front) {
    let mut file = Mp4File::new(expected, None);
    let mut bytes = Vec::new();
    let mut take = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok::<_, Mp4Error>(())
    };
    for bytes in parts {
        file.part(part(bytes, false), &mut take).unwrap();
    }
    let front = file.finish(&mut take).unwrap();
    bytes[..front.bytes.len()].copy_from_slice(&front.bytes);
    bytes.extend_from_slice(&front.tail);
    (bytes, front)
}

#[test]
fn an_index_that_is_larger_than_its_room_stands_at_the_end() {
    let segment = Bytes::from(fixture_bytes("h264_aac"));
    let repeated = || (0..8).map(|_| segment.clone());
    let (fast, front) = file_of(repeated(), MediaSpan::from_secs(8 * 24));
    assert!(front.tail.is_empty() && front.notes.is_empty(), "{:?}", front.notes);
    let (late, front) = file_of(repeated(), MediaSpan::ZERO);
    assert!(!front.tail.is_empty());
    assert_eq!(front.notes.len(), 1, "{:?}", front.notes);
    let (fast, late) = (samples(&fast), samples(&late));
    for kind in ["video", "audio"] {
        assert_eq!(fast[kind].len(), late[kind].len());
        assert!(fast[kind].iter().zip(&late[kind]).all(|(one, two)| one.data == two.data));
    }
    assert_eq!(fast["video"].len(), 8 * 600);
}

#[tokio::test]
async fn a_codec_without_a_place_is_refused_by_name_and_nothing_is_left() {
    for name in NO_PLACE {
        let store = recorded(name, 6_500).await;
        let before = keys(&store).await;
        let to = Target::Object { store: store.clone(), key: "whole.mp4".to_owned() };
        let error = exported(&store, ExportFormat::Mp4, to).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(
            error.message().contains("PID 0x0100 is ")
                && error.message().contains("H.264, H.265, VP9, AV1, AAC and Opus")
        );
        assert_eq!(keys(&store).await, before);
    }
    // No key frame, and so nothing that describes the pictures.
    let error = Mp4File::new(MediaSpan::ZERO, None).finish(&mut |_| Ok::<_, Mp4Error>(())).unwrap_err();
    assert_eq!(error, Mp4Error::Nothing);
}

async fn keys(store: &Store) -> Vec<String> {
    store.list_folder("").await.unwrap().objects.into_iter().map(|object| object.key).collect()
}

#[tokio::test]
async fn targets_that_do_not_take_a_format_say_so() {
    let store = recorded("h264_aac", 6_500).await;
    let mut stream = Vec::new();
    let folder = || Target::Folder { store: store.clone(), folder: "hls".to_owned() };
    for (format, to) in [
        (ExportFormat::Mp4, Target::Stream(&mut stream)),
        (ExportFormat::Mp4, folder()),
        (ExportFormat::TransportStream, folder()),
        (ExportFormat::Hls, Target::Object { store: store.clone(), key: "x".to_owned() }),
    ] {
        let error = exported(&store, format, to).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    // What is there is not replaced, unless that is wanted.
    exported(&store, ExportFormat::Hls, folder()).await.unwrap();
    let error = exported(&store, ExportFormat::Hls, folder()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
}

#[tokio::test]
async fn gaps_are_left_out_or_kept() {
    let store = recorded("h264_aac", 54_000).await;
    for (gap, seconds) in [(GapTime::Collapse, 48.0), (GapTime::Keep, 78.0)] {
        let options =
            ExportOptions { format: ExportFormat::Mp4, gap, replace: true, ..ExportOptions::default() };
        let to = Target::Object { store: store.clone(), key: "whole.mp4".to_owned() };
        export(&store, &Sid::new("s1").unwrap(), &options, to, &|_, _| {}).await.unwrap();
        let mp4 = store.get("whole.mp4", 1 << 30).await.unwrap();
        for (kind, found) in samples(&mp4) {
            let last = found.last().unwrap().shown;
            assert!((last - seconds).abs() < 0.6, "{gap:?} {kind}: {last}");
        }
    }
}

#[test]
fn ffmpeg_decodes_the_same_pictures_and_sound_from_all_forms() {
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    let place = two_turns();
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for name in ["whole.ts", "whole.mp4", "hls/"] {
        let said = place.run("export", ["--sid", "s1", "--out", &out(name)]);
        assert_eq!(said.code, Some(0), "{said:?}");
    }
    for kind in ["v", "a"] {
        let of = |name: &str| decoded(&ffmpeg, Path::new(&out(name)), kind);
        let theirs = of("whole.ts");
        assert!(theirs.len() > 700, "{}", theirs.len());
        assert_eq!(of("whole.mp4"), theirs, "{kind}");
        assert_eq!(of("hls/s1_main.m3u8"), theirs, "{kind}");
    }
}

#[test]
fn a_browser_plays_the_fragments_to_the_end() {
    let place = two_turns();
    let folder = tempfile::tempdir().unwrap();
    let out = format!("{}/hls/", folder.path().display());
    let told = place.run("export", ["--sid", "s1", "--out", &out, "--json"]).object();
    let list = Path::new(&out).join("s1_main.m3u8");
    let text = fs::read(&list).unwrap();
    assert_eq!(tapeline::playlist::check(&text), []);
    let Some(played) = play(&list, &[10.7, 11.3, 0.0]) else { return };
    assert_eq!(played["ended"], true, "{played}");
    assert_eq!(played["seeked"].as_array().unwrap().len(), 3, "{played}");
    let seconds = told["duration_millis"].as_f64().unwrap() / 1000.0;
    assert!((played["duration"].as_f64().unwrap() - seconds).abs() < 0.5, "{played} {told}");
    let buffered = played["buffered"].as_array().unwrap();
    assert_eq!(buffered.len(), 1, "no hole: {played}");
}
