//! Encoded frames of a camera's rate, and what is made of them.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use tapeline::media::{Container, Frame, Track, TrackCodec};
use tapeline::slicer::{Action, Slicer, SlicerOptions};
use tapeline::time::MediaTime;

/// 30 pictures of so many bytes a second are 6 Mb/s.
const PICTURE: usize = 25_000;
const SOUND: usize = 340;
const PICTURE_TICKS: i64 = 3000;
const SOUND_TICKS: i64 = 1800;
/// Pictures from one key frame to the next.
const GROUP: usize = 60;

/// The tracks of frames for a container.
pub fn tracks(container: Container) -> Vec<Track> {
    let codecs = match container {
        Container::MpegTs => [TrackCodec::H264, TrackCodec::Opus],
        Container::WebM => [TrackCodec::Vp8, TrackCodec::Opus],
    };
    codecs.map(Track::new).to_vec()
}

/// What a picture begins with.
fn head(container: Container, key: bool) -> &'static [u8] {
    match (container, key) {
        (Container::MpegTs, true) => &[
            0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0, 0, 0,
            1, 0x68, 0xce, 0, 0, 0, 1, 0x65, 0x88,
        ],
        (Container::MpegTs, false) => &[0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x41, 0x9a],
        (Container::WebM, true) => &[0x10, 0, 0, 0x9d, 1, 0x2a, 0x00, 5, 0xd0, 2],
        (Container::WebM, false) => &[0x11, 0, 0],
    }
}

/// About so many bytes of pictures and sound, each in memory of its own.
pub fn make(container: Container, bytes: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    let (mut size, mut sound) = (0, 0);
    for number in 0.. {
        if size >= bytes {
            break;
        }
        let key = number % GROUP == 0;
        let at = number as i64 * PICTURE_TICKS;
        let mut data = BytesMut::from(head(container, key));
        data.resize(PICTURE, 0x55);
        size += data.len();
        let time = |ticks: i64| Some(MediaTime::from_ticks(ticks));
        frames.push(Frame { track: 0, pts: time(at), dts: None, key, data: data.freeze() });
        while sound * SOUND_TICKS < at + PICTURE_TICKS {
            let mut data = BytesMut::from(&[0xfc][..]);
            data.resize(SOUND, 0x55);
            frames.push(Frame {
                track: 1,
                pts: time(sound * SOUND_TICKS),
                dts: None,
                key: true,
                data: data.freeze(),
            });
            sound += 1;
        }
    }
    frames
}

/// Makes segments of frames by the default rules, and counts their bytes.
#[inline(never)]
pub fn mux(container: Container, frames: &[Frame]) -> u64 {
    made(container, frames, |bytes| {
        black_box(bytes);
    })
}

/// A stream of WebM: the segments joined.
pub fn webm(bytes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    made(Container::WebM, &make(Container::WebM, bytes), |bytes| out.extend_from_slice(&bytes));
    out
}

fn made(container: Container, frames: &[Frame], mut sink: impl FnMut(Bytes)) -> u64 {
    let options = SlicerOptions { container, ..SlicerOptions::default() };
    let mut slicer = Slicer::of_frames(options, &tracks(container)).expect("tracks with a place in it");
    let mut sum = 0;
    let mut pull = |slicer: &mut Slicer| {
        while let Some(action) = slicer.pull() {
            match action {
                Action::Bytes(bytes) => sink(bytes),
                Action::Sealed(facts) => sum += facts.bytes,
                _ => {}
            }
        }
    };
    for frame in frames {
        slicer.push_frame(frame.clone(), None);
        pull(&mut slicer);
    }
    slicer.finish().expect("there is a key frame");
    pull(&mut slicer);
    sum
}

/// Copies frames into one buffer, as large as what the muxers give out at once: what muxing costs at least.
#[inline(never)]
pub fn copy(frames: &[Frame]) -> u64 {
    let mut sum = 0;
    let mut buffer = BytesMut::new();
    for frame in frames {
        buffer.reserve(frame.data.len());
        buffer.extend_from_slice(&frame.data);
        sum += black_box(buffer.split().freeze()).len() as u64;
    }
    sum
}
