//! Encoded frames become segments, and ffprobe takes the same frames out of them again: as many, at the same times, with the
//! same bytes. What frames and times may be besides is tried with this project's own reader.

mod frame_support;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use frame_support::{Made, Packet, Probed, codec, demuxed, frames, make, options, probe};
use serde_json::Value;
use support::{decode_segments, judge_segments, play, tool};
use tapeline::ErrorKind;
use tapeline::ids::{MediaKind, RecordingId, Uid};
use tapeline::media::{Container, Frame, FrameNotes, Track, TrackCodec};
use tapeline::recorder::{Options, OutputSpec, Recorder};
use tapeline::slicer::{CutReason, Slicer};
use tapeline::store::Store;
use tapeline::time::{MediaSpan, MediaTime, WallTime};

/// Fixtures whose frames are taken, and how many segments of two seconds these make.
const CASES: [(&str, Container, usize); 10] = [
    ("h264_aac.ts", Container::MpegTs, 12),
    ("h265_aac.ts", Container::MpegTs, 8),
    ("h264_opus.ts", Container::MpegTs, 4),
    ("audio_mp3.ts", Container::MpegTs, 10),
    ("audio_ac3.ts", Container::MpegTs, 4),
    ("vp8_opus.webm", Container::WebM, 6),
    ("vp9_opus.webm", Container::WebM, 4),
    ("av1_opus.webm", Container::WebM, 4),
    ("vp8_vorbis.webm", Container::WebM, 3),
    ("audio_opus.webm", Container::WebM, 6),
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn tracks(probed: &Probed, configured: bool) -> Vec<Track> {
    let track = |(name, private): &(String, Vec<u8>)| {
        let track = Track::new(codec(name));
        if configured && !private.is_empty() {
            track.configuration(Bytes::from(private.clone()))
        } else {
            track
        }
    };
    probed.streams.iter().map(track).collect()
}

/// Writes segments into a folder.
fn written(made: &Made, container: Container) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let path = |index: usize| folder.path().join(format!("{index:03}.{}", container.extension()));
    let paths: Vec<PathBuf> = (0..made.segments.len()).map(path).collect();
    for (path, bytes) in paths.iter().zip(&made.segments) {
        std::fs::write(path, bytes).unwrap();
    }
    (folder, paths)
}

/// The packets of one stream.
fn of(packets: &[Packet], stream: usize) -> Vec<&Packet> {
    packets.iter().filter(|packet| packet.stream == stream).collect()
}

/// The frames in the segments are those that were put in.
fn assert_same(name: &str, given: &Probed, found: &[Probed], container: Container) {
    for stream in 0..given.streams.len() {
        let given = of(&given.packets, stream);
        let counts: Vec<usize> = found.iter().map(|found| of(&found.packets, stream).len()).collect();
        assert_eq!(counts.iter().sum::<usize>(), given.len(), "{name}: frames of track {stream}");
        let mut rest = &given[..];
        for found in found {
            let found = of(&found.packets, stream);
            let (given, after) = rest.split_at(found.len());
            rest = after;
            let Some((first_given, first_found)) = given.first().zip(found.first()) else { continue };
            for (given, found) in given.iter().zip(&found) {
                assert!(given.data == found.data, "{name}: the bytes of a frame of track {stream}");
                // Of WebM, times begin anew in each segment, and are milliseconds.
                let (given_pts, found_pts) = match container {
                    Container::MpegTs => (given.pts, found.pts),
                    Container::WebM => {
                        let millis = |ticks: i64| (ticks + 45).div_euclid(90);
                        let since = |packet: &Packet, first: &Packet| {
                            packet.pts.zip(first.pts).map(|(at, first)| millis(at) - millis(first))
                        };
                        (since(given, first_given), since(found, first_found))
                    }
                };
                assert_eq!(given_pts, found_pts, "{name}: track {stream}");
                if container == Container::MpegTs {
                    assert_eq!(given.dts, found.dts, "{name}: track {stream}");
                }
                assert_eq!(given.key, found.key, "{name}: track {stream} at {given_pts:?}");
            }
        }
        assert!(rest.is_empty());
    }
}

#[test]
fn frames_that_go_in_come_out_again() {
    let Some(ffprobe) = tool("ffprobe") else { return };
    for (name, container, segments) in CASES {
        let given = probe(&ffprobe, &fixture(name));
        let configured = container == Container::WebM;
        let made = make(options(container), &tracks(&given, configured), frames(&given));
        assert_eq!((made.segments.len(), made.notes.faults()), (segments, Default::default()), "{name}");
        assert_eq!(made.notes.frames_before_start, 0, "{name}");
        let (_folder, paths) = written(&made, container);
        let found: Vec<Probed> = paths.iter().map(|path| probe(&ffprobe, path)).collect();
        assert_same(name, &given, &found, container);
        decode_segments(&paths);
        if container == Container::MpegTs {
            judge_segments(&paths, &["--joined"]);
            assert!(pcr_gap(&paths) <= 40, "{name}");
        }
    }
}

/// The longest time between two clocks of segments that are one stream, in milliseconds, as `tscheck.py` finds it.
fn pcr_gap(segments: &[PathBuf]) -> u64 {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/tscheck.py")).arg("--joined");
    let output = command.args(segments).output().expect("python3 runs");
    let lines = String::from_utf8(output.stdout).unwrap();
    let gaps = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).unwrap()["max_pcr_gap_ms"].as_u64());
    gaps.max().expect("a summary")
}

/// A fixture in MP4, where units stand behind their lengths, AAC is raw, and parameters stand in front.
fn as_mp4(ffmpeg: &Path, name: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".mp4").tempfile().unwrap();
    let mut command = Command::new(ffmpeg);
    command.args(["-v", "error", "-y", "-i"]).arg(fixture(name));
    // What MP4 need not have: delimiters and parameter sets.
    let removed = if name.starts_with("h265") { "32-35" } else { "7-9" };
    command.args(["-c", "copy", "-bsf:v", &format!("filter_units=remove_types={removed}")]).arg(file.path());
    assert!(command.status().unwrap().success());
    file
}

/// The hashes of decoded frames, by stream.
fn decoded(ffmpeg: &Path, input: &str) -> Vec<String> {
    let mut command = Command::new(ffmpeg);
    command.args(["-v", "error", "-i", input, "-map", "0", "-fps_mode", "passthrough", "-f", "framehash"]);
    let output = command.args(["-hash", "adler32", "-"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{input}: {said}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let hashes = lines.lines().filter(|line| !line.starts_with('#'));
    let mut hashes: Vec<String> = hashes
        .map(|line| {
            format!("{} {}", line.split(',').next().unwrap(), line.rsplit(',').next().unwrap().trim())
        })
        .collect();
    // A stable sort: by stream, each in its order.
    hashes.sort_by_key(|hash| hash.chars().next());
    hashes
}

#[test]
fn frames_of_mp4_get_what_a_transport_stream_needs() {
    let (Some(ffmpeg), Some(ffprobe)) = (tool("ffmpeg"), tool("ffprobe")) else { return };
    for name in ["h264_aac.ts", "h265_aac.ts"] {
        let mp4 = as_mp4(&ffmpeg, name);
        let given = probe(&ffprobe, mp4.path());
        assert_eq!(given.packets[0].data[0], 0, "a length, not a start code");
        let made = make(options(Container::MpegTs), &tracks(&given, true), frames(&given));
        assert_eq!(made.notes.faults(), Default::default(), "{name}");
        let (folder, paths) = written(&made, Container::MpegTs);
        judge_segments(&paths, &["--joined"]);
        decode_segments(&paths);
        let joined = folder.path().join("joined.ts");
        std::fs::write(&joined, made.segments.concat()).unwrap();
        let (ours, theirs) =
            (decoded(&ffmpeg, joined.to_str().unwrap()), decoded(&ffmpeg, mp4.path().to_str().unwrap()));
        assert_eq!(ours.len(), theirs.len(), "{name}");
        assert!(ours == theirs, "{name}");
    }
}

#[test]
fn what_no_configuration_told_is_taken_from_the_first_key_frame() {
    let Some(ffprobe) = tool("ffprobe") else { return };
    for name in ["av1_opus.webm", "vp9_opus.webm", "vp8_opus.webm"] {
        let given = probe(&ffprobe, &fixture(name));
        let made = make(options(Container::WebM), &tracks(&given, false), frames(&given));
        let (_folder, paths) = written(&made, Container::WebM);
        for path in &paths {
            let (ours, theirs) = (probe(&ffprobe, path), &given);
            assert_eq!(ours.size, theirs.size, "{name}");
            if name.starts_with("av1") {
                assert_eq!(ours.streams[0], theirs.streams[0], "{name}");
            }
        }
        decode_segments(&paths);
    }
}

const VIDEO: usize = 0;
const AUDIO: usize = 1;

#[test]
fn colours_are_told_where_key_frames_tell_them() {
    let (Some(ffmpeg), Some(ffprobe), Some(mkvinfo)) = (tool("ffmpeg"), tool("ffprobe"), tool("mkvinfo"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for (codec, speed) in [("libvpx-vp9", "-speed"), ("libaom-av1", "-cpu-used")] {
        for colour in [None, Some("bt709")] {
            let input = folder.path().join("input.webm");
            let mut command = Command::new(&ffmpeg);
            command.args([
                "-v",
                "error",
                "-y",
                "-f",
                "lavfi",
                "-i",
                "testsrc=size=128x72:rate=25:duration=1",
            ]);
            command.args(["-pix_fmt", "yuv420p", "-c:v", codec, speed, "8"]);
            for option in ["-colorspace", "-color_primaries", "-color_trc"] {
                command.args(colour.map(|colour| [option, colour]).into_iter().flatten());
            }
            assert!(command.arg(&input).status().unwrap().success());
            let given = probe(&ffprobe, &input);
            let made = make(options(Container::WebM), &tracks(&given, false), frames(&given));
            let (_folder, segments) = written(&made, Container::WebM);
            let said = Command::new(&mkvinfo).arg(&segments[0]).output().unwrap();
            let said = String::from_utf8(said.stdout).unwrap();
            let points = ["matrix coefficients: 1", "transfer: 1", "primaries: 1", "range: 1"];
            for point in points.map(|point| format!("Color {point}")) {
                assert_eq!(said.contains(&point), colour.is_some(), "{codec}: {point}\n{said}");
            }
        }
    }
}

fn h264_aac() -> Vec<Track> {
    vec![Track::new(TrackCodec::H264), Track::new(TrackCodec::Aac)]
}

/// The frames of a fixture of H.264 and AAC.
fn given() -> Vec<Frame> {
    demuxed(&std::fs::read(fixture("h264_aac.ts")).unwrap())
}

fn made(frames: &[Frame]) -> Made {
    make(options(Container::MpegTs), &h264_aac(), frames.iter().cloned())
}

/// Sorted by track, in each track's order; what makes no difference to a reader left out.
fn sorted(mut frames: Vec<Frame>) -> Vec<Frame> {
    for frame in &mut frames {
        frame.dts = frame.dts.or(frame.pts).filter(|dts| Some(*dts) != frame.pts);
    }
    frames.sort_by_key(|frame| frame.track);
    frames
}

/// What was made is sound, and holds these frames.
fn assert_holds(made: &Made, frames: &[Frame]) {
    assert_holds_but(made, frames, &[]);
}

/// The same, with more options for `tscheck.py`.
fn assert_holds_but(made: &Made, frames: &[Frame], options: &[&str]) {
    assert!(sorted(demuxed(&made.segments.concat())) == sorted(frames.to_vec()));
    let (_folder, paths) = written(made, Container::MpegTs);
    judge_segments(&paths, &[&["--joined"], options].concat());
    if tool("python3").is_some() {
        assert!(pcr_gap(&paths) <= 40);
    }
}

#[test]
fn frames_are_found_again_by_our_own_reader() {
    let frames = given();
    let made = made(&frames);
    assert_eq!((made.segments.len(), made.notes.faults()), (12, FrameNotes::default()));
    let keys = made.facts.iter().filter(|facts| facts.opened.starts_with_key && !facts.opened.discontinuity);
    assert_eq!(keys.count(), 12);
    assert_holds(&made, &frames);
}

#[test]
fn tracks_may_come_in_any_order_within_half_a_second() {
    let frames = given();
    let expected = made(&frames);
    // Each track by itself is in order; the sound comes late by so much.
    for late in [-400, -150, 90, 450] {
        let mut moved = frames.clone();
        let arrival = |frame: &Frame| {
            let time = frame.dts.or(frame.pts).unwrap().ticks();
            time + if frame.track == AUDIO { late * 90 } else { 0 }
        };
        moved.sort_by_key(arrival);
        assert!(moved != frames, "{late}");
        assert!(made(&moved) == expected, "{late}");
    }
}

#[test]
fn a_slow_track_and_ones_that_begin_late_or_end_early_are_kept_whole() {
    let all = given();
    let begin = all[0].pts.unwrap();
    let after = |frame: &Frame| (frame.pts.unwrap() - begin).millis();
    // A picture every two seconds: the clock goes on between them.
    let is_key = |frame: &Frame| {
        frame.data.windows(5).any(|unit| unit == [0, 0, 0, 1, 0x65] || unit[..4] == [0, 0, 1, 0x65])
    };
    let slides: Vec<Frame> =
        all.iter().filter(|frame| frame.track == AUDIO || is_key(frame)).cloned().collect();
    assert_eq!(slides.iter().filter(|frame| frame.track == VIDEO).count(), 12);
    // Several in a segment.
    let mut options = options(Container::MpegTs);
    (options.rules.target, options.rules.max_length) = (MediaSpan::from_secs(8), MediaSpan::from_secs(16));
    let in_long_segments = |frames: &[Frame]| make(options, &h264_aac(), frames.iter().cloned());
    assert_holds(&in_long_segments(&slides), &slides);
    let slides: Vec<Frame> = slides.into_iter().filter(|frame| frame.track == VIDEO).collect();
    assert_holds(&in_long_segments(&slides), &slides);
    let partly = |track: usize, from: i64, to: i64| -> Vec<Frame> {
        let is_in = |frame: &&Frame| frame.track != track || (from..to).contains(&after(frame));
        all.iter().filter(is_in).cloned().collect()
    };
    let sound = partly(AUDIO, 5_000, 15_000);
    assert_holds(&made(&sound), &sound);
    let pictures = partly(VIDEO, 0, 9_000);
    let ended = made(&pictures);
    assert_holds(&ended, &pictures);
    assert!(ended.facts.iter().all(|facts| facts.duration_millis <= 10_000));
}

#[test]
fn a_clock_that_begins_anew_cuts_and_loses_nothing() {
    let original = given();
    let mut frames = original.clone();
    let begin = original[0].pts.unwrap();
    // After 11 s of decoding all times go back by 8 s; later they leap ahead by two hours.
    for (frame, original) in frames.iter_mut().zip(&original) {
        let after = (original.dts.or(original.pts).unwrap() - begin).millis();
        let by = if after > 18_000 {
            7_200_000
        } else if after > 11_000 {
            -8_000
        } else {
            0
        };
        let moved = |time: Option<MediaTime>| time.map(|time| time + MediaSpan::from_millis(by));
        (frame.pts, frame.dts) = (moved(frame.pts), moved(frame.dts));
    }
    let made = made(&frames);
    assert_eq!(made.notes.faults(), FrameNotes::default());
    let jumps = made.facts.iter().filter(|facts| facts.reason == CutReason::ClockJump).count();
    assert_eq!(jumps, 2, "{:?}", made.facts);
    assert_eq!(made.facts.iter().filter(|facts| facts.opened.discontinuity).count(), 2);
    // It jumps in mid-stream, where no key frame is.
    assert_holds_but(&made, &frames, &["--clock-may-jump", "--no-key"]);
}

#[test]
fn what_cannot_be_used_is_left_out_and_counted() {
    let good = given();
    let mut frames = good.clone();
    let broken = |track: usize, data: &'static [u8]| {
        let at = good[40].pts;
        Frame { track, pts: at, dts: None, key: true, data: Bytes::from_static(data) }
    };
    let at = frames.iter().position(|frame| frame.track == AUDIO).unwrap() + 40;
    frames.insert(at, broken(VIDEO, b""));
    frames.insert(at, broken(VIDEO, b"no unit"));
    frames.insert(at, broken(AUDIO, b"no header"));
    let made = make(options(Container::MpegTs), &h264_aac(), frames);
    assert_eq!(made.notes.damaged_frames, 3);
    assert_eq!(demuxed(&made.segments.concat()).len(), good.len());
    // Before the first key frame there is nothing to begin with.
    let late: Vec<Frame> = good.iter().skip(30).cloned().collect();
    let made = make(options(Container::MpegTs), &h264_aac(), late.clone());
    let kept = demuxed(&made.segments.concat()).len();
    assert_eq!(made.notes.frames_before_start, (late.len() - kept) as u64);
    assert!(kept < late.len() && made.facts[0].opened.starts_with_key);
}

/// A session of its own, with outputs of frames of two containers.
#[tokio::test]
async fn a_recording_of_frames_plays_and_its_outputs_say_what_they_take() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    let rules = options(Container::MpegTs).rules;
    let id = RecordingId::new("s1", "main").unwrap();
    let recorder = Recorder::start(&store, id, Options { rules, ..Options::default() }).await.unwrap();
    let date = WallTime::from_millis(1_795_395_600_000);
    let spec = |name: OutputSpec, tracks: &[TrackCodec]| {
        let tracks = tracks.iter().map(|codec| Track::new(*codec));
        tracks.fold(name.start_time(date), OutputSpec::track)
    };
    let composite = spec(OutputSpec::composite(Container::MpegTs), &[TrackCodec::H264, TrackCodec::Aac]);
    let user = OutputSpec::individual(Uid::new(7).unwrap(), MediaKind::Audio, Container::WebM);
    let refused = recorder.output(spec(user.clone(), &[TrackCodec::Aac])).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    assert!(refused.to_string().contains("s1_main__uid_s_7__uid_e_audio"), "{refused}");
    let sound = recorder.output(spec(user, &[TrackCodec::Opus])).unwrap();
    let output = recorder.output(composite).unwrap();
    for (at, frame) in given().into_iter().enumerate() {
        // Opus of 20 ms: silence by one byte of its table of contents.
        let pts = Some(MediaTime::from_ticks(at as i64 * 1800));
        let opus =
            Frame { track: 0, pts, dts: None, key: true, data: Bytes::from_static(&[0xf8, 0xff, 0xfe]) };
        sound.write_frame(opus).await.unwrap();
        output.write_frame(frame).await.unwrap();
    }
    let bytes = output.write_bytes(Bytes::from_static(b"bytes")).await.unwrap_err();
    let mut stray = given().remove(0);
    stray.track = 2;
    let stray = output.write_frame(stray).await.unwrap_err();
    for (error, why) in [(bytes, "write_frame"), (stray, "2 tracks")] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(why), "{error}");
    }
    let summary = recorder.stop().await.unwrap();
    let lengths: Vec<u64> = summary.outputs.iter().map(|output| output.account.duration_millis).collect();
    assert_eq!(lengths, [given().len() as u64 * 20, 24_000]);
    let list = folder.path().join("s1_main.m3u8");
    if let Some(ffmpeg) = tool("ffmpeg") {
        assert!(decoded(&ffmpeg, list.to_str().unwrap()).len() > 1000);
    }
    let Some(played) = play(&list, &[12.0, 0.0]) else { return };
    assert_eq!((&played["ended"], &played["fragments"]), (&true.into(), &12.into()), "{played}");
}

#[test]
fn tracks_without_a_place_in_the_container_are_refused() {
    let refused = |container, tracks: &[Track]| {
        Slicer::of_frames(options(container), tracks).map(drop).unwrap_err().to_string()
    };
    let track = Track::new;
    let configured = |codec, bytes: &'static [u8]| track(codec).configuration(Bytes::from_static(bytes));
    let cases = [
        (Container::MpegTs, vec![], "needs a track"),
        (Container::MpegTs, vec![track(TrackCodec::Vp8)], "VP8 is none of the codecs of a transport stream"),
        (Container::WebM, vec![track(TrackCodec::H264)], "H.264 is none of the codecs of WebM"),
        (Container::WebM, vec![track(TrackCodec::Vorbis)], "without it nothing can be decoded"),
        (Container::MpegTs, vec![configured(TrackCodec::H264, b"?")], "no avcC or hvcC record"),
        (Container::MpegTs, vec![configured(TrackCodec::Aac, b"?")], "AAC"),
        (Container::WebM, vec![configured(TrackCodec::Opus, b"Opus")], "no OpusHead"),
        (Container::WebM, vec![track(TrackCodec::Vp8), track(TrackCodec::Vp9)], "one track of video"),
        (Container::MpegTs, vec![track(TrackCodec::Aac); 17], "at most 16 tracks"),
    ];
    for (container, tracks, why) in cases {
        let said = refused(container, &tracks);
        assert!(said.contains(why), "{said}");
    }
}
