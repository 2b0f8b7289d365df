//! Where the frames of a PES packet's audio begin: pure.
//!
//! Only for codecs whose frames tell their length. Everything else gives nothing, and is then cut at whole PES packets.

use crate::media::{AdtsHeader, AudioCodec};
use crate::time::{MediaSpan, TICKS_PER_SECOND};

/// For each frame, its first byte in `data` and its time after the first one's. `None` unless `data` is whole frames
/// from its first byte on.
pub fn frame_starts(codec: AudioCodec, data: &[u8]) -> Option<Vec<(usize, MediaSpan)>> {
    if codec != AudioCodec::Aac {
        return None;
    }
    let (mut starts, mut at, mut samples) = (Vec::new(), 0, 0);
    while at < data.len() {
        let header = AdtsHeader::parse(data.get(at..)?)?;
        starts.push((at, MediaSpan::from_ticks(samples * TICKS_PER_SECOND / i64::from(header.sample_rate))));
        samples += i64::from(header.samples);
        at += header.frame_len;
    }
    (at == data.len()).then_some(starts)
}
