//! Elementary streams: a probe that sees a unit grow must say what one says that sees it at once.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use tapeline::media::{AccessUnitProbe, AudioCodec, VideoCodec, WebmAudio, WebmVideo};

fuzz_target!(|data: &[u8]| {
    let Some((head, unit)) = data.split_first_chunk::<8>() else { return };
    let Ok(steps) = <[u8; 8]>::arbitrary(&mut Unstructured::new(head)) else { return };
    for codec in [VideoCodec::H264, VideoCodec::H265, VideoCodec::Mpeg2] {
        growing(codec, unit, &steps);
    }
    for codec in [AudioCodec::Aac, AudioCodec::MpegAudio, AudioCodec::Ac3, AudioCodec::Opus] {
        if let Some(format) = codec.format(unit) {
            assert!(format.channels > 0 && format.sample_rate > 0, "{codec}: {format:?}");
            // The slicer asks with 16 bytes at least.
            assert_eq!(codec.format(&unit[..unit.len().min(16)]), Some(format), "{codec}");
        }
    }
    for codec in [WebmVideo::Vp8, WebmVideo::Vp9, WebmVideo::Av1] {
        if let Some(format) = codec.facts(unit).and_then(|facts| facts.video_format) {
            assert!(format.width > 0 && format.height > 0, "{codec}: {format:?}");
        }
    }
    // 120 ms at most.
    assert!(WebmAudio::Opus.duration_nanos(unit).is_none_or(|nanos| nanos <= 120_000_000));
});

fn growing(codec: VideoCodec, unit: &[u8], steps: &[u8]) {
    let whole = AccessUnitProbe::new(codec).examine(unit);
    let concluded = AccessUnitProbe::new(codec).conclude(unit);
    let mut probe = AccessUnitProbe::new(codec);
    let mut end = 0;
    for &step in steps.iter().cycle() {
        let seen = probe.examine(&unit[..end]);
        assert!(seen.is_none() || seen == whole, "{codec}, {end} bytes: {seen:?}, all: {whole:?}");
        if end == unit.len() {
            break;
        }
        end = unit.len().min(end + usize::from(step) + 1);
    }
    assert_eq!(probe.conclude(unit), concluded, "{codec}");
    if let Some(format) = concluded.video_format {
        assert!(format.width > 0 && format.height > 0, "{codec}: {format:?}");
    }
}
