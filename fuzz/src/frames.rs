//! Sequences of encoded frames: any codec, any times, any bytes behind a header that is right or nearly so.

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use tapeline::media::{Container, Frame, Track, TrackCodec};
use tapeline::slicer::Notes;
use tapeline::time::MediaTime;
use tapeline::ts::TsDemuxer;

use crate::slicing::{Output, Setting, check_files, check_playlist, check_segments, slice_with};

/// An output's tracks.
const TRACKS: [(Container, &[TrackCodec]); 8] = [
    (Container::MpegTs, &[TrackCodec::H264, TrackCodec::Aac]),
    (Container::MpegTs, &[TrackCodec::Opus, TrackCodec::H265, TrackCodec::Ac3]),
    (Container::MpegTs, &[TrackCodec::Mp3]),
    (Container::MpegTs, &[TrackCodec::Aac, TrackCodec::H264, TrackCodec::Aac, TrackCodec::Mp3]),
    (Container::WebM, &[TrackCodec::Vp8, TrackCodec::Opus]),
    (Container::WebM, &[TrackCodec::Opus, TrackCodec::Vp9]),
    (Container::WebM, &[TrackCodec::Av1, TrackCodec::Opus, TrackCodec::Opus]),
    (Container::WebM, &[TrackCodec::Opus]),
];

/// A frame: how its times lie to those of the one before, of whatever track, and its bytes.
#[derive(Debug, Arbitrary)]
struct Step {
    track: u8,
    kind: u8,
    millis: i8,
    scale: u8,
    shown: Option<i8>,
    data: Vec<u8>,
}

/// The bytes that a frame begins with: a key frame's, another's, or none.
fn begin(codec: TrackCodec, kind: u8) -> &'static [u8] {
    match (codec, kind % 4) {
        (_, 3) => &[],
        (TrackCodec::H264, 0) => &[
            0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0, 0, 1, 0x68, 0xce, 0, 0, 1,
            0x65, 0x88,
        ],
        (TrackCodec::H264, 1) => &[0, 0, 1, 9, 0xf0, 0, 0, 1, 0x65, 0x88],
        (TrackCodec::H264, _) => &[0, 0, 1, 0x41, 0x9a],
        (TrackCodec::H265, 0) => {
            &[0, 0, 1, 0x40, 1, 0, 0, 1, 0x42, 1, 0, 0, 1, 0x44, 1, 0, 0, 1, 0x26, 1, 0xaf]
        }
        (TrackCodec::H265, _) => &[0, 0, 1, 2, 1, 0xd0],
        (TrackCodec::Aac, _) => &[0xff, 0xf1, 0x4c, 0x80, 0x02, 0x1f, 0xfc],
        (TrackCodec::Mp3, _) => &[0xff, 0xfb, 0x90, 0x64],
        (TrackCodec::Ac3, _) => &[0x0b, 0x77, 0, 0, 0x14, 0x40, 0xe1],
        (TrackCodec::Vp8, 0) => &[0x10, 0, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0],
        (TrackCodec::Vp8, _) => &[0x11, 0, 0],
        (TrackCodec::Vp9, 0) => &[0x82, 0x49, 0x83, 0x42, 0, 0x13, 0xf0, 0x0b, 0x30],
        (TrackCodec::Vp9, _) => &[0x86],
        (TrackCodec::Av1, 0) => {
            &[0x12, 0, 0x0a, 0x0b, 0, 0, 0, 4, 0x3c, 0xfe, 0xcc, 0xda, 0xf9, 0, 0x40, 0x32, 2, 0x10, 0]
        }
        (TrackCodec::Av1, _) => &[0x32, 2, 0x30, 0],
        (TrackCodec::Opus | TrackCodec::Vorbis, _) => &[0xfc],
    }
}

/// Slices frames, of which every one must be found again, or counted as left out.
///
/// # Panics
/// Where a property does not hold.
pub fn check_frames(data: &[u8], setting: &Setting) {
    let mut data = Unstructured::new(data);
    let choice = data.arbitrary::<u8>().unwrap_or(0);
    let (container, codecs) = TRACKS[usize::from(choice) % TRACKS.len()];
    let tracks: Vec<Track> = codecs.iter().map(|codec| Track::new(*codec)).collect();
    let mut frames = Vec::new();
    let mut now = i64::from(choice) * 90_000;
    while let Ok(step) = Step::arbitrary(&mut data) {
        let track = usize::from(step.track) % codecs.len();
        // From a tick to hours.
        now += i64::from(step.millis) << (step.scale % 24);
        let time = |by: i64| Some(MediaTime::from_ticks(now + by));
        let (pts, dts) = match (step.kind >> 4) % 4 {
            0 => (None, None),
            1 => (time(0), None),
            _ => (step.shown.and_then(|by| time(i64::from(by) * 900)), time(0)),
        };
        let bytes = [begin(codecs[track], step.kind), &step.data].concat();
        frames.push(Frame { track, pts, dts, key: step.kind & 8 != 0, data: Bytes::from(bytes) });
        if data.is_empty() {
            break;
        }
    }
    let given = frames.len() as u64;
    let size: usize = frames.iter().map(|frame| frame.data.len()).sum();
    let output = slice_with(setting.slicer_of_frames(container, &tracks), size, frames);
    check_playlist(setting, &output);
    let Some(Notes::Frames(notes)) = output.notes else { return };
    let left_out = notes.damaged_frames + notes.frames_without_time + notes.frames_before_start;
    assert_eq!(notes.frames, given);
    match container {
        Container::MpegTs => {
            check_segments(&output);
            // Parameter sets that come alone are kept for the next key frame.
            let found = pes_packets(&output);
            assert!(found <= given - left_out, "{found} of {given} but for {notes:?}");
            let alone = codecs.iter().any(|codec| matches!(codec, TrackCodec::H264 | TrackCodec::H265));
            assert!(alone || found == given - left_out, "{found} of {given} but for {notes:?}");
        }
        Container::WebM => assert_eq!(check_files(&output), given - left_out, "{notes:?}"),
    }
}

fn pes_packets(output: &Output) -> u64 {
    let mut demuxer = TsDemuxer::default();
    let mut found = 0;
    for (part, (_, bytes)) in output.segments.iter().enumerate() {
        demuxer.push(bytes, part as u64, &mut |_| found += 1);
    }
    let dropped = demuxer.finish(&mut |_| found += 1);
    assert_eq!(dropped, 0, "PES packets that our own reader cannot read");
    found
}
