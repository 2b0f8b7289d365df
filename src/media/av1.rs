//! AV1: what the open bitstream units of a temporal unit tell, as far as its first frame (AV1 bitstream specification, 5.3
//! to 5.9).

use super::bits::BitReader;
use super::{RandomAccess, UnitFacts, VideoFormat};

const SEQUENCE_HEADER: u8 = 1;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;
const KEY_FRAME: u32 = 0;

/// What a sequence header says.
struct Sequence {
    format: Option<VideoFormat>,
    /// A still picture's frame header says nothing: it is a key frame.
    still: bool,
}

/// The facts of a temporal unit; `None` where no frame is found in it. Without its sequence header a key frame is no place to
/// begin.
pub(super) fn facts(mut unit: &[u8]) -> Option<UnitFacts> {
    let mut sequence: Option<Sequence> = None;
    loop {
        let (kind, payload, rest) = obu(unit)?;
        unit = rest;
        match kind {
            SEQUENCE_HEADER if sequence.is_none() => sequence = Some(read_sequence(payload)?),
            FRAME_HEADER | FRAME => {
                let mut bits = BitReader::plain(payload);
                let still = sequence.as_ref().is_some_and(|sequence| sequence.still);
                let is_key = still || !bits.flag()? && bits.u(2)? == KEY_FRAME;
                return Some(match sequence {
                    Some(sequence) if is_key => {
                        UnitFacts { random_access: RandomAccess::Key, video_format: sequence.format }
                    }
                    _ => UnitFacts::default(),
                });
            }
            _ => {}
        }
    }
}

/// The first open bitstream unit: its type, its payload, and what follows.
fn obu(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let header = *bytes.first()?;
    let (is_forbidden, has_extension, has_size) = (header & 0x80 != 0, header & 4 != 0, header & 2 != 0);
    if is_forbidden {
        return None;
    }
    let body = bytes.get(1 + usize::from(has_extension)..)?;
    let kind = header >> 3 & 15;
    if !has_size {
        return Some((kind, body, &[]));
    }
    let (len, taken) = leb128(body)?;
    let (payload, rest) = body.get(taken..)?.split_at_checked(len)?;
    Some((kind, payload, rest))
}

/// A length, and the bytes that it takes.
fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value: u64 = 0;
    for (at, byte) in bytes.iter().take(8).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, at + 1));
        }
    }
    None
}

fn read_sequence(payload: &[u8]) -> Option<Sequence> {
    let mut bits = BitReader::plain(payload);
    bits.skip(3)?;
    bits.skip(1)?;
    let still = bits.flag()?;
    if still {
        bits.skip(5)?;
    } else {
        skip_timing(&mut bits)?;
    }
    let (width_bits, height_bits) = (bits.u(4)? + 1, bits.u(4)? + 1);
    let (width, height) = (bits.u(width_bits)? + 1, bits.u(height_bits)? + 1);
    Some(Sequence { format: VideoFormat::checked(width, height), still })
}

/// Timing, delays and operating points.
fn skip_timing(bits: &mut BitReader<'_>) -> Option<()> {
    let mut delay_bits = None;
    if bits.flag()? {
        bits.skip(64)?;
        if bits.flag()? {
            bits.ue()?;
        }
        if bits.flag()? {
            delay_bits = Some(bits.u(5)? + 1);
            bits.skip(32 + 5 + 5)?;
        }
    }
    let has_display_delay = bits.flag()?;
    let points = bits.u(5)? + 1;
    for _ in 0..points {
        bits.skip(12)?;
        if bits.u(5)? > 7 {
            bits.skip(1)?;
        }
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.skip(2 * delay_bits + 1)?;
        }
        if has_display_delay && bits.flag()? {
            bits.skip(4)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Profile 0, no timing, one operating point of level 0: 320x180.
    const SEQUENCE: [u8; 9] = [0x0a, 0x07, 0x00, 0x00, 0x00, 0x04, 0x3c, 0xfe, 0xcc];

    #[test]
    fn key_frames_with_their_sequence_tell_their_size() {
        // frame_width_bits 9, frame_height_bits 8.
        let format = Some(VideoFormat { width: 320, height: 180 });
        let sequence = obu(&SEQUENCE).map(|(_, payload, _)| payload);
        assert_eq!(sequence.and_then(read_sequence).and_then(|sequence| sequence.format), format);
        let key = [&[0x12, 0x00][..], &SEQUENCE, &[0x32, 0x02, 0x10, 0x00]].concat();
        let facts_of_key = UnitFacts { random_access: RandomAccess::Key, video_format: format };
        assert_eq!(facts(&key), Some(facts_of_key));
        let without = [0x32, 0x02, 0x10, 0x00];
        assert_eq!(facts(&without), Some(UnitFacts::default()), "no sequence header");
        let inter = [&SEQUENCE[..], &[0x32, 0x02, 0x30, 0x00]].concat();
        assert_eq!(facts(&inter), Some(UnitFacts::default()));
        let shown_again = [&SEQUENCE[..], &[0x1a, 0x01, 0x80]].concat();
        assert_eq!(facts(&shown_again), Some(UnitFacts::default()));
        for bad in [&SEQUENCE[..], &SEQUENCE[..5], &[0x92, 0], &[0x32, 0xff], &[0x32, 0x05, 0x10], &[]] {
            assert_eq!(facts(bad), None, "{bad:x?}");
        }
    }
}
