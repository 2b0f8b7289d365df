//! Where the frames of a PES packet's audio begin: pure.
//!
//! Only for codecs whose frames tell their length. Everything else gives nothing, and is then cut at whole PES packets.

use crate::media::AudioCodec;
use crate::time::{MediaSpan, TICKS_PER_SECOND};

/// ISO/IEC 13818-7, table 35.
const AAC_RATES: [i64; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
const ADTS_HEADER: usize = 7;
/// Samples of an AAC frame.
const AAC_SAMPLES: i64 = 1024;

/// For each frame, its first byte in `data` and its time after the first one's. `None` unless `data` is whole frames
/// from its first byte on.
pub fn frame_starts(codec: AudioCodec, data: &[u8]) -> Option<Vec<(usize, MediaSpan)>> {
    if codec != AudioCodec::Aac {
        return None;
    }
    let (mut starts, mut at, mut samples) = (Vec::new(), 0, 0);
    while at < data.len() {
        let header: &[u8; ADTS_HEADER] = data.get(at..)?.first_chunk()?;
        let &[0xff, b, c, d, e, f, g] = header else { return None };
        if b & 0xf6 != 0xf0 {
            return None;
        }
        let rate = AAC_RATES.get(usize::from(c >> 2 & 0x0f))?;
        let len = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f >> 5);
        if len < ADTS_HEADER {
            return None;
        }
        starts.push((at, MediaSpan::from_ticks(samples * TICKS_PER_SECOND / rate)));
        samples += AAC_SAMPLES * (i64::from(g & 3) + 1);
        at += len;
    }
    (at == data.len()).then_some(starts)
}
