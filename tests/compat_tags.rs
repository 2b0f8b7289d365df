//! Tags that scripts for the hosted services' recordings read: where streams begin, and how large their pictures are.

use std::path::Path;

use bytes::Bytes;
use tapeline::ids::{MediaKind, RecordingId, Uid};
use tapeline::media::Container;
use tapeline::playlist::{check, parse};
use tapeline::recorder::{Options, Output, OutputSpec, Recorder};
use tapeline::stitch::{StitchOptions, stitch};
use tapeline::store::Store;
use tapeline::time::{MediaSpan, WallTime};

fn options(compat_tags: bool) -> Options {
    let mut options = Options { compat_tags, ..Options::default() };
    (options.rules.target, options.rules.max_length) = (MediaSpan::from_secs(4), MediaSpan::from_secs(8));
    options
}

async fn write(output: &Output, fixture: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture);
    output.write_bytes(Bytes::from(std::fs::read(path).unwrap())).await.unwrap();
}

/// The tags of each segment, without their times, and whether each time is that of the segment's name.
async fn tags(store: &Store, playlist: &str) -> Vec<Vec<String>> {
    let text = store.get(playlist, 1 << 20).await.unwrap();
    assert_eq!(check(&text), [], "{playlist}");
    let tags = parse(&text).unwrap().segments.into_iter().map(|segment| {
        let tags = segment.other_tags.iter().filter_map(|tag| tag.strip_prefix("#EXT-X-AGORA-"));
        let tags = tags.map(|tag| {
            let (tag, time) = tag.split_once(",TIME=").unwrap();
            assert!(segment.uri.contains(time), "{tag} at {time}: {}", segment.uri);
            tag.to_owned()
        });
        tags.collect()
    });
    tags.collect()
}

const SOUND: &str = "TRACK-EVENT:EVENT=START,TRACK_TYPE=AUDIO";
const PICTURES: &str = "TRACK-EVENT:EVENT=START,TRACK_TYPE=VIDEO";
const SIZE: &str = "ROTATE:WIDTH=320,HEIGHT=180,ROTATE=0";

#[tokio::test]
async fn they_stand_where_streams_begin_and_where_sizes_change() {
    let store = Store::open("memory:").unwrap();
    let id = RecordingId::new("s1", "main").unwrap();
    let first = Recorder::start(&store, id.clone(), options(true)).await.unwrap();
    let from = |millis| OutputSpec::composite(Container::MpegTs).start_time(WallTime::from_millis(millis));
    write(&first.output(from(1_795_395_600_000)).unwrap(), "h264_aac.ts").await;
    first.orphan().await.unwrap();
    let second = Recorder::resume(&store, &id.sid, None, options(true)).await.unwrap();
    write(&second.output(from(1_795_395_630_000)).unwrap(), "size_change.ts").await;
    second.stop().await.unwrap();

    let of_first = tags(&store, "s1_main.m3u8").await;
    assert_eq!(of_first[0], [SOUND, PICTURES, SIZE]);
    assert!(of_first.len() > 4 && of_first[1..].iter().all(Vec::is_empty), "{of_first:?}");
    let of_second = tags(&store, "bak0_s1_main.m3u8").await;
    assert_eq!(of_second[0].last().unwrap(), SIZE, "of its own begin");
    let sizes: Vec<&String> = of_second[1..].iter().flatten().collect();
    assert!(!sizes.is_empty() && sizes.iter().all(|tag| tag.starts_with("ROTATE:")), "{of_second:?}");
    // They are of what is committed, and go with their segments.
    let stitched = stitch(&store, &id.sid, &StitchOptions::default()).await.unwrap();
    stitched.store(&store).await.unwrap();
    assert_eq!(stitched.notes, Vec::<String>::new());
    let all = tags(&store, "stitched_s1_main.m3u8").await;
    assert_eq!(all, [of_first, of_second].concat());
}

#[tokio::test]
async fn an_output_that_opens_again_says_so_and_one_without_pictures_tells_no_size() {
    let store = Store::open("memory:").unwrap();
    let recorder =
        Recorder::start(&store, RecordingId::new("s1", "main").unwrap(), options(true)).await.unwrap();
    let sound = OutputSpec::individual(Uid::new(5).unwrap(), MediaKind::Audio, Container::WebM);
    for _ in 0..2 {
        let output = recorder.output(sound.clone()).unwrap();
        write(&output, "audio_opus.webm").await;
        output.finish().await.unwrap();
    }
    let video = OutputSpec::individual(Uid::new(5).unwrap(), MediaKind::Video, Container::WebM);
    write(&recorder.output(video).unwrap(), "vp8_size_change.webm").await;
    recorder.stop().await.unwrap();
    let of_sound = tags(&store, "s1_main__uid_s_5__uid_e_audio.m3u8").await;
    let begins: Vec<usize> = (0..of_sound.len()).filter(|place| !of_sound[*place].is_empty()).collect();
    assert_eq!(begins, [0, of_sound.len() / 2]);
    assert!(begins.iter().all(|place| of_sound[*place] == [SOUND]), "{of_sound:?}");
    let of_video = tags(&store, "s1_main__uid_s_5__uid_e_video.m3u8").await;
    assert_eq!(of_video[0].iter().filter(|tag| tag.starts_with("ROTATE:")).count(), 1, "{of_video:?}");
    assert!(of_video[1..].iter().flatten().any(|tag| tag.starts_with("ROTATE:")), "{of_video:?}");
}

#[tokio::test]
async fn what_comes_after_a_silence_begins_anew() {
    let store = Store::open("memory:").unwrap();
    let recorder =
        Recorder::start(&store, RecordingId::new("s1", "main").unwrap(), options(true)).await.unwrap();
    let output = recorder.output(OutputSpec::composite(Container::MpegTs)).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/h264_aac.ts");
    let mut bytes = Bytes::from(std::fs::read(path).unwrap());
    let rest = bytes.split_off(bytes.len() / 2);
    output.write_bytes(bytes).await.unwrap();
    output.interrupt().await.unwrap();
    output.write_bytes(rest).await.unwrap();
    recorder.stop().await.unwrap();
    let told = tags(&store, "s1_main.m3u8").await;
    let begins: Vec<&Vec<String>> = told.iter().filter(|tags| !tags.is_empty()).collect();
    assert_eq!(begins, [&[SOUND, PICTURES, SIZE], &[SOUND, PICTURES, SIZE]], "{told:?}");
}

#[tokio::test]
async fn nobody_gets_them_unasked() {
    let store = Store::open("memory:").unwrap();
    let recorder =
        Recorder::start(&store, RecordingId::new("s1", "main").unwrap(), options(false)).await.unwrap();
    write(&recorder.output(OutputSpec::composite(Container::MpegTs)).unwrap(), "h264_aac.ts").await;
    recorder.stop().await.unwrap();
    assert!(tags(&store, "s1_main.m3u8").await.iter().all(|tags| tags.is_empty()));
}
