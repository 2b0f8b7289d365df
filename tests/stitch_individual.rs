//! Individual mode: each user's sound and pictures are stitched on their own, and a playlist of playlists pairs them, which
//! a browser plays over the joins.

mod support;

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use support::{fixture, play, tool};
use tapeline::ids::{MediaKind, RecordingId, Uid};
use tapeline::media::Container;
use tapeline::playlist::check;
use tapeline::recorder::{Options, OutputSpec, Recorder};
use tapeline::stitch::{StitchOptions, stitch};
use tapeline::store::Store;
use tapeline::time::{MediaSpan, WallTime};

/// One stream of the fixture alone.
fn stream(ffmpeg: &Path, folder: &Path, which: &str) -> Bytes {
    let path = folder.join(format!("{}.ts", which.replace(':', "")));
    let mut command = Command::new(ffmpeg);
    command.args(["-v", "error", "-i"]).arg(fixture("h264_aac"));
    command.args(["-map", which, "-c", "copy", "-copyts", "-muxdelay", "0", "-y"]).arg(&path);
    assert!(command.status().expect("ffmpeg runs").success());
    Bytes::from(std::fs::read(path).unwrap())
}

/// Two generations of user 7's sound and pictures, the second in the middle of the first one's fifth segment.
async fn record(store: &Store, pictures: &Bytes, sound: &Bytes) {
    let id = RecordingId::new("s1", "main").unwrap();
    let mut options = Options::default();
    options.rules.target = MediaSpan::from_secs(4);
    options.rules.max_length = MediaSpan::from_secs(8);
    for (number, begin) in [0i64, 17_320].into_iter().enumerate() {
        let recorder = match number {
            0 => Recorder::start(store, id.clone(), options.clone()).await.unwrap(),
            _ => Recorder::resume(store, &id.sid, None, options.clone()).await.unwrap(),
        };
        let uid = Uid::new(7).unwrap();
        for (kind, media) in [(MediaKind::Video, pictures), (MediaKind::Audio, sound)] {
            let date = WallTime::from_millis(1_795_395_600_000 + begin);
            let spec = OutputSpec::individual(uid, kind, Container::MpegTs).start_time(date);
            recorder.output(spec).unwrap().write_bytes(media.clone()).await.unwrap();
        }
        if number == 1 {
            recorder.stop().await.unwrap()
        } else {
            recorder.orphan().await.unwrap()
        };
    }
}

#[tokio::test]
async fn a_users_sound_and_pictures_play_together_over_a_join() {
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    let folder = tempfile::tempdir().unwrap();
    let media = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    let (pictures, sound) = (stream(&ffmpeg, media.path(), "0:v"), stream(&ffmpeg, media.path(), "0:a"));
    record(&store, &pictures, &sound).await;
    let id = RecordingId::new("s1", "main").unwrap();
    let made = stitch(&store, &id.sid, &StitchOptions::default()).await.unwrap();
    let keys: Vec<&str> = made.outputs.iter().map(|output| output.key.as_str()).collect();
    assert_eq!(
        keys,
        ["stitched_s1_main__uid_s_7__uid_e_audio.m3u8", "stitched_s1_main__uid_s_7__uid_e_video.m3u8"]
    );
    for output in &made.outputs {
        assert_eq!(check(output.playlist.as_bytes()), []);
        assert_eq!(output.rewrites.len(), 1, "{}", output.report);
        assert!(output.report.gap_millis == 0 && output.report.repeated_millis == 0, "{}", output.report);
        assert!((output.report.span_millis - 41_320).abs() < 100, "{}", output.report);
    }
    made.store(&store).await.unwrap();
    let [(key, text)] = &made.multivariant[..] else { panic!("{:?}", made.multivariant) };
    assert_eq!(key, "stitched_s1_main__uid_s_7__uid_e_av.m3u8");
    assert!(text.contains("AUDIO=\"audio\""), "{text}");
    let Some(played) = play(&folder.path().join(key), &[]) else { return };
    assert_eq!(played["ended"], true, "{played}");
    let fatal = played["errors"].as_array().unwrap().iter().find(|error| error["fatal"] == true);
    assert!(fatal.is_none(), "{played}");
    assert!((played["duration"].as_f64().unwrap() - 41.32).abs() < 1.0, "{played}");
}
