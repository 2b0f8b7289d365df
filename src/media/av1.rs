//! AV1: what the open bitstream units of a temporal unit tell, as far as its first frame (AV1 bitstream specification, 5.3
//! to 5.9).

use super::bits::BitReader;
use super::{ColourSpace, RandomAccess, UnitFacts, VideoFormat, VideoProfile};

const SEQUENCE_HEADER: u8 = 1;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;
const KEY_FRAME: u32 = 0;

/// What a sequence header says.
struct Sequence {
    format: Option<VideoFormat>,
    /// A still picture's frame header says nothing: it is a key frame.
    still: bool,
    profile: u32,
    /// Of the first operating point.
    point: OperatingPoint,
    /// `None` where the header is cut off.
    colour: Option<Colour>,
}

#[derive(Debug, Clone, Copy, Default)]
struct OperatingPoint {
    level: u32,
    tier: u32,
}

/// How samples are coded (5.5.2), as far as `av1C` says it.
#[derive(Debug, Clone, Copy, Default)]
struct Colour {
    high_bitdepth: bool,
    twelve_bit: bool,
    monochrome: bool,
    subsampling_x: bool,
    subsampling_y: bool,
    chroma_position: u32,
    space: Option<ColourSpace>,
}

/// The configuration record of the stream that begins with a temporal unit (`av1C`: AV1 in ISOBMFF, 2.3); `None` where the
/// unit has no whole sequence header.
pub fn av1_record(mut unit: &[u8]) -> Option<Vec<u8>> {
    loop {
        let (kind, payload, rest) = obu(unit)?;
        if kind != SEQUENCE_HEADER {
            unit = rest;
            continue;
        }
        let Sequence { profile, point, colour, .. } = read_sequence(payload)?;
        let colour = colour?;
        let flags = [
            colour.high_bitdepth,
            colour.twelve_bit,
            colour.monochrome,
            colour.subsampling_x,
            colour.subsampling_y,
        ];
        let flags = flags.into_iter().fold(point.tier, |flags, flag| flags << 1 | u32::from(flag));
        let fields = [profile << 5 | point.level, flags << 2 | colour.chroma_position];
        let mut record = vec![0x81];
        record.extend(fields.map(|field| u8::try_from(field).unwrap_or(0)));
        record.push(0);
        record.extend_from_slice(unit.get(..unit.len() - rest.len())?);
        return Some(record);
    }
}

/// The colours of the stream that begins with a temporal unit, where its sequence header tells them.
pub(super) fn colour(mut unit: &[u8]) -> Option<ColourSpace> {
    loop {
        let (kind, payload, rest) = obu(unit)?;
        if kind == SEQUENCE_HEADER {
            return read_sequence(payload)?.colour?.space;
        }
        unit = rest;
    }
}

/// A temporal unit without its delimiter, which WebM and MP4 do not carry.
pub fn av1_without_delimiter(unit: &[u8]) -> &[u8] {
    const TEMPORAL_DELIMITER: u8 = 2;
    match obu(unit) {
        Some((TEMPORAL_DELIMITER, _, rest)) => rest,
        _ => unit,
    }
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
    let profile = bits.u(3)?;
    bits.skip(1)?;
    let still = bits.flag()?;
    let point = match still {
        true => OperatingPoint { level: bits.u(5)?, tier: 0 },
        false => operating_points(&mut bits)?,
    };
    let (width_bits, height_bits) = (bits.u(4)? + 1, bits.u(4)? + 1);
    let (width, height) = (bits.u(width_bits)? + 1, bits.u(height_bits)? + 1);
    let colour = skip_tools(&mut bits, still).and_then(|()| read_colour(&mut bits, profile));
    let bit_depth = match colour {
        Some(Colour { twelve_bit: true, .. }) => 12,
        Some(Colour { high_bitdepth: true, .. }) => 10,
        _ => 8,
    };
    let OperatingPoint { level, tier } = point;
    let described = VideoProfile::Av1 {
        profile: u8::try_from(profile).ok()?,
        level: u8::try_from(level).ok()?,
        high_tier: tier != 0,
        bit_depth,
    };
    let format = VideoFormat::checked(width, height, Some(described));
    Some(Sequence { format, still, profile, point, colour })
}

/// From the frames' numbers to the loop filters.
fn skip_tools(bits: &mut BitReader<'_>, still: bool) -> Option<()> {
    if !still && bits.flag()? {
        bits.skip(4 + 3)?;
    }
    // Large superblocks, intra filters.
    bits.skip(3)?;
    if !still {
        bits.skip(4)?;
        let order_hints = bits.flag()?;
        if order_hints {
            bits.skip(2)?;
        }
        let chooses_screen_content = bits.flag()?;
        if (chooses_screen_content || bits.flag()?) && !bits.flag()? {
            bits.skip(1)?;
        }
        if order_hints {
            bits.skip(3)?;
        }
    }
    bits.skip(3)
}

fn read_colour(bits: &mut BitReader<'_>, profile: u32) -> Option<Colour> {
    /// BT.709 primaries, sRGB transfer, identity matrix: no subsampling.
    const SRGB: [u8; 3] = [1, 13, 0];
    let high_bitdepth = bits.flag()?;
    let twelve_bit = profile == 2 && high_bitdepth && bits.flag()?;
    let monochrome = profile != 1 && bits.flag()?;
    let described = bits.flag()?;
    let mut description = [ColourSpace::UNSPECIFIED; 3];
    for field in description.iter_mut().filter(|_| described) {
        *field = bits.byte(8)?;
    }
    let colour = Colour { high_bitdepth, twelve_bit, monochrome, ..Colour::default() };
    if !monochrome && description == SRGB {
        return Some(Colour { space: ColourSpace::told(description, true), ..colour });
    }
    let space = ColourSpace::told(description, bits.flag()?);
    let (subsampling_x, subsampling_y) = match profile {
        _ if monochrome => (true, true),
        0 => (true, true),
        1 => (false, false),
        _ if twelve_bit => {
            let across = bits.flag()?;
            (across, across && bits.flag()?)
        }
        _ => (true, false),
    };
    let has_position = !monochrome && subsampling_x && subsampling_y;
    let chroma_position = if has_position { bits.u(2)? } else { 0 };
    Some(Colour { subsampling_x, subsampling_y, chroma_position, space, ..colour })
}

/// Timing, delays and operating points, of which the first counts.
fn operating_points(bits: &mut BitReader<'_>) -> Option<OperatingPoint> {
    let mut first = None;
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
        let level = bits.u(5)?;
        let tier = if level > 7 { bits.u(1)? } else { 0 };
        first.get_or_insert(OperatingPoint { level, tier });
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.skip(2 * delay_bits + 1)?;
        }
        if has_display_delay && bits.flag()? {
            bits.skip(4)?;
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ffmpeg with libaom wrote as `CodecPrivate` of fixtures/av1_opus.webm: 4 bytes, and the sequence header.
    const RECORD: [u8; 17] = [
        0x81, 0x00, 0x0c, 0x00, 0x0a, 0x0b, 0x00, 0x00, 0x00, 0x04, 0x3c, 0xfe, 0xcc, 0xda, 0xf9, 0x00, 0x40,
    ];
    /// Profile 0, no timing, one operating point of level 0: 320x180.
    const SEQUENCE: [u8; 9] = [0x0a, 0x07, 0x00, 0x00, 0x00, 0x04, 0x3c, 0xfe, 0xcc];

    #[test]
    fn the_record_is_that_of_an_encoder() {
        let unit = [&[0x12, 0x00][..], &RECORD[4..], &[0x32, 0x02, 0x10, 0x00]].concat();
        assert_eq!(av1_record(&unit).as_deref(), Some(&RECORD[..]));
        assert_eq!(av1_without_delimiter(&unit), &unit[2..]);
        assert_eq!(av1_without_delimiter(&unit[2..]), &unit[2..]);
        for len in 0..RECORD.len() - 4 {
            assert_eq!(av1_record(&RECORD[4..4 + len]), None, "{len}");
        }
    }

    #[test]
    fn key_frames_with_their_sequence_tell_their_size() {
        // frame_width_bits 9, frame_height_bits 8.
        let profile = VideoProfile::Av1 { profile: 0, level: 0, high_tier: false, bit_depth: 8 };
        let format = VideoFormat::checked(320, 180, Some(profile));
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
