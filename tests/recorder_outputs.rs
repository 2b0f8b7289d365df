//! Outputs of one recording that open and close while it runs: the users of a channel, each with its own playlists.

mod frame_support;

use bytes::Bytes;
use frame_support::{demuxed, options};
use tapeline::ErrorKind;
use tapeline::ids::{MediaKind, RecordingId, Sid, Uid};
use tapeline::media::{Container, Frame, Track, TrackCodec};
use tapeline::playlist::{Playlist, check, parse};
use tapeline::recorder::{Event, Options, Output, OutputSpec, Recorder};
use tapeline::slicer::Notes;
use tapeline::stitch::{StitchOptions, stitch};
use tapeline::store::Store;
use tapeline::time::{MediaTime, WallTime};

fn date(millis: i64) -> WallTime {
    WallTime::from_millis(1_795_395_600_000 + millis)
}

async fn start(store: &Store) -> Recorder {
    let rules = options(Container::MpegTs).rules;
    let id = RecordingId::new("s1", "main").unwrap();
    Recorder::start(store, id, Options { rules, ..Options::default() }).await.unwrap()
}

/// A user's pictures (H.264) or sound (Opus), from so many milliseconds after the begin on.
fn spec(uid: u32, kind: MediaKind, begin: i64) -> OutputSpec {
    let (codec, container) = match kind {
        MediaKind::Video => (TrackCodec::H264, Container::MpegTs),
        MediaKind::Audio => (TrackCodec::Opus, Container::WebM),
    };
    let spec = OutputSpec::individual(Uid::new(uid).unwrap(), kind, container);
    spec.start_time(date(begin)).track(Track::new(codec))
}

/// Six seconds of pictures, from a key frame on.
fn pictures() -> Vec<Frame> {
    let all = demuxed(&std::fs::read("fixtures/h264_aac.ts").unwrap());
    all.into_iter().filter(|frame| frame.track == 0).take(150).collect()
}

/// As much of Opus, in frames of 20 ms.
fn sound() -> Vec<Frame> {
    let frame = |n: i64| Frame {
        track: 0,
        pts: Some(MediaTime::from_ticks(n * 1800)),
        dts: None,
        key: true,
        data: Bytes::from_static(&[0xf8, 0xff, 0xfe]),
    };
    (0..300).map(frame).collect()
}

async fn write(output: &Output, frames: Vec<Frame>) {
    for frame in frames {
        output.write_frame(frame).await.unwrap();
    }
}

async fn list(store: &Store, name: &str) -> Playlist {
    let text = store.get(&format!("s1_main__uid_s_{name}.m3u8"), 1 << 20).await.unwrap();
    assert_eq!(check(&text), [], "{}", String::from_utf8_lossy(&text));
    parse(&text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn seventeen_users_come_and_go() {
    let store = Store::open("memory:").unwrap();
    let recorder = start(&store).await;
    for uid in 1..=17 {
        let video = recorder.output(spec(uid, MediaKind::Video, i64::from(uid) * 100)).unwrap();
        let audio = recorder.output(spec(uid, MediaKind::Audio, i64::from(uid) * 100)).unwrap();
        write(&video, pictures()).await;
        write(&audio, sound()).await;
        // Every other one leaves before the end.
        if uid % 2 == 0 {
            video.finish().await.unwrap();
            audio.finish().await.unwrap();
        }
    }
    let summary = recorder.stop().await.unwrap();
    assert_eq!(summary.outputs.len(), 34);
    assert!(summary.outputs.iter().all(|output| output.complete && output.account.duration_millis == 6000));
    for uid in 1..=17 {
        for kind in ["video", "audio"] {
            let list = list(&store, &format!("{uid}__uid_e_{kind}")).await;
            assert!(list.ended);
            assert_eq!(list.segments.len(), 3, "{uid} {kind}");
            assert_eq!(list.segments[0].date, Some(date(i64::from(uid) * 100)));
        }
    }
    let stitched = stitch(&store, &Sid::new("s1").unwrap(), &StitchOptions::default()).await.unwrap();
    assert_eq!(stitched.outputs.len(), 34);
}

#[tokio::test(start_paused = true)]
async fn faults_of_before_are_not_told_again() {
    let store = Store::open("memory:").unwrap();
    let recorder = start(&store).await;
    let mut events = recorder.events();
    for begin in [0, 20_000] {
        let video = recorder.output(spec(7, MediaKind::Video, begin)).unwrap();
        if begin == 0 {
            video.write_frame(Frame { data: Bytes::new(), ..pictures().remove(0) }).await.unwrap();
        }
        write(&video, pictures()).await;
        video.finish().await.unwrap();
    }
    let summary = recorder.stop().await.unwrap();
    let Notes::Frames(notes) = summary.outputs[0].notes else { panic!("notes of frames") };
    assert_eq!(notes.damaged_frames, 1);
    let mut told = 0;
    while let Ok(event) = events.try_recv() {
        told += usize::from(matches!(event, Event::InputFaults { .. }));
    }
    assert_eq!(told, 1);
}

#[tokio::test(start_paused = true)]
async fn a_user_who_comes_again_goes_on_in_the_same_playlist() {
    let store = Store::open("memory:").unwrap();
    let recorder = start(&store).await;
    let video = recorder.output(spec(7, MediaKind::Video, 0)).unwrap();
    write(&video, pictures()).await;
    let open = recorder.output(spec(7, MediaKind::Video, 20_000)).unwrap_err();
    assert!(open.to_string().contains("is open already"), "{open}");
    video.finish().await.unwrap();
    assert_eq!(video.write_frame(pictures().remove(0)).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    let other = OutputSpec::individual(Uid::new(7).unwrap(), MediaKind::Video, Container::WebM);
    let other = recorder.output(other).unwrap_err();
    assert!(other.to_string().contains("another container"), "{other}");
    // The same frames again: a clock of its own.
    let again = recorder.output(spec(7, MediaKind::Video, 20_000)).unwrap();
    write(&again, pictures()).await;
    // A date that lies before what is there moves behind it.
    again.finish().await.unwrap();
    let third = recorder.output(spec(7, MediaKind::Video, 0)).unwrap();
    write(&third, pictures()).await;
    let summary = recorder.stop().await.unwrap();
    let [output] = &summary.outputs[..] else { panic!("one output") };
    assert_eq!((output.account.segments, output.account.duration_millis), (9, 18_000));
    let Notes::Frames(notes) = output.notes else { panic!("notes of frames") };
    assert_eq!(notes.frames, 450);
    let list = list(&store, "7__uid_e_video").await;
    assert!(list.ended);
    let breaks: Vec<usize> = (0..9).filter(|index| list.segments[*index].discontinuity).collect();
    assert_eq!(breaks, [3, 6]);
    let dates: Vec<_> = list.segments.iter().map(|segment| segment.date.unwrap()).collect();
    assert_eq!((dates[0], dates[3], dates[6]), (date(0), date(20_000), date(26_000)));
    let clocks: Vec<u32> = list.segments.iter().map(|segment| segment.media.unwrap().1).collect();
    assert_eq!(clocks, [1, 1, 1, 2, 2, 2, 3, 3, 3]);
}
