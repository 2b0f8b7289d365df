//! Opus packets (RFC 6716, section 3), and how transport streams wrap them (ETSI TS 103 491, "Opus in MPEG-2 TS", table 4-2).

use bytes::Bytes;

use super::xiph_length;

/// An access unit of a transport stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusUnit<'a> {
    /// Samples at 48 kHz to leave out at its begin.
    pub start_trim: u16,
    /// The Opus packet.
    pub packet: &'a [u8],
    /// What follows it.
    pub rest: &'a [u8],
}

impl<'a> OpusUnit<'a> {
    /// The unit at byte 0, if all of one stands there.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[prefix, flags], rest) = bytes.split_first_chunk()?;
        // control_header_prefix 0x3ff in 11 bits.
        if prefix != 0x7f || flags & 0xe0 != 0xe0 {
            return None;
        }
        let (size, mut rest) = xiph_length(rest)?;
        let mut start_trim = 0;
        if flags & 0x10 != 0 {
            let (&trim, tail) = rest.split_first_chunk()?;
            (start_trim, rest) = (u16::from_be_bytes(trim) & 0x1fff, tail);
        }
        if flags & 0x08 != 0 {
            rest = rest.get(2..)?;
        }
        if flags & 0x04 != 0 {
            let (&extension, tail) = rest.split_first()?;
            rest = tail.get(usize::from(extension)..)?;
        }
        let (packet, rest) = rest.split_at_checked(size)?;
        Some(Self { start_trim, packet, rest })
    }
}

/// The control header of a unit with so many bytes of Opus, without trims (table 4-2).
pub fn opus_control_header(packet: usize) -> Vec<u8> {
    let mut header = vec![0x7f, 0xe0];
    header.extend(std::iter::repeat_n(0xff, packet / 255));
    header.push(u8::try_from(packet % 255).unwrap_or(0));
    header
}

const OPUS_HEAD: [u8; 8] = *b"OpusHead";

/// The identification header of an Opus stream (RFC 7845, section 5.1), which MP4 and WebM carry too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpusHead {
    /// The record as it came.
    pub record: Bytes,
    /// Channels; never 0.
    pub channels: u8,
    /// Samples at 48 kHz to leave out at the begin.
    pub pre_skip: u16,
    /// Samples per second of what was encoded; for people.
    pub input_sample_rate: u32,
    /// By how much to make it louder, in 1/256 dB.
    pub output_gain: i16,
    /// How channels are coded: 0 for one or two in one stream.
    pub mapping_family: u8,
}

impl OpusHead {
    /// Reads the record; `None` for what is none.
    pub fn parse(record: &Bytes) -> Option<Self> {
        let (magic, rest) = record.split_first_chunk()?;
        let (&[version, channels], rest) = rest.split_first_chunk()?;
        let (&pre_skip, rest) = rest.split_first_chunk()?;
        let (&rate, rest) = rest.split_first_chunk()?;
        let (&gain, rest) = rest.split_first_chunk()?;
        let mapping_family = *rest.first()?;
        let legal = *magic == OPUS_HEAD
            && version >> 4 == 0
            && channels > 0
            && (mapping_family != 0 || channels <= 2);
        legal.then(|| Self {
            record: record.clone(),
            channels,
            pre_skip: u16::from_le_bytes(pre_skip),
            input_sample_rate: u32::from_le_bytes(rate),
            output_gain: i16::from_le_bytes(gain),
            mapping_family,
        })
    }

    /// Two channels, with what the usual encoder puts in front.
    pub fn usual() -> Self {
        const PRE_SKIP: u16 = 312;
        const RATE: u32 = 48_000;
        // Version 1, two channels; no gain, family 0.
        let record = [&OPUS_HEAD[..], &[1, 2], &PRE_SKIP.to_le_bytes(), &RATE.to_le_bytes(), &[0, 0, 0]];
        Self {
            record: record.concat().into(),
            channels: 2,
            pre_skip: PRE_SKIP,
            input_sample_rate: RATE,
            output_gain: 0,
            mapping_family: 0,
        }
    }
}

/// Samples at 48 kHz of each channel in an Opus packet; `None` for what is none.
pub fn opus_samples(packet: &[u8]) -> Option<u32> {
    let (&toc, rest) = packet.split_first()?;
    let config = toc >> 3;
    let frame = match config {
        0..=11 => [480, 960, 1920, 2880][usize::from(config & 3)],
        12..=15 => [480, 960][usize::from(config & 1)],
        _ => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(rest.first()? & 0x3f),
    };
    // 120 ms at most.
    Some(frame * frames).filter(|samples| (1..=5760).contains(samples))
}

/// Channels that an Opus packet codes; `None` for an empty one.
pub fn opus_channels(packet: &[u8]) -> Option<u8> {
    packet.first().map(|toc| if toc & 4 == 0 { 1 } else { 2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_told_by_their_control_header() {
        let plain = OpusUnit::parse(&[0x7f, 0xe0, 3, 0xfc, 1, 2, 9]).unwrap();
        assert_eq!((plain.packet, plain.rest, plain.start_trim), (&[0xfc, 1, 2][..], &[9][..], 0));
        let long: Vec<u8> = [&[0x7f, 0xf8, 0xff, 1, 0x01, 0x38, 0, 5][..], &[7; 256]].concat();
        let unit = OpusUnit::parse(&long).unwrap();
        assert_eq!((unit.packet.len(), unit.start_trim), (256, 312));
        let extended = OpusUnit::parse(&[0x7f, 0xe4, 1, 2, 8, 8, 0xfc]).unwrap();
        assert_eq!(extended.packet, [0xfc]);
        for bad in [
            &[0x7f][..],
            &[0x7f, 0x00, 1, 1],
            &[0x7f, 0xe0, 3, 0xfc, 1],
            &[0x7f, 0xf0, 0, 1],
            &[0x7f, 0xe0, 0xff],
        ] {
            assert_eq!(OpusUnit::parse(bad), None, "{bad:x?}");
        }
    }

    #[test]
    fn a_control_header_is_read_as_it_is_written() {
        for len in [1, 254, 255, 256, 510, 1275] {
            let bytes = [opus_control_header(len), vec![0xfc; len]].concat();
            let unit = OpusUnit::parse(&bytes).unwrap();
            assert_eq!((unit.packet.len(), unit.rest.len(), unit.start_trim), (len, 0, 0));
        }
    }

    #[test]
    fn heads_are_told_from_what_is_none() {
        let usual = OpusHead::usual();
        assert_eq!(OpusHead::parse(&usual.record), Some(usual.clone()));
        for (at, value) in [(0, b'o'), (8, 0x10), (9, 0), (9, 3)] {
            let mut bad = usual.record.to_vec();
            bad[at] = value;
            assert_eq!(OpusHead::parse(&bad.into()), None, "byte {at}");
        }
        assert_eq!(OpusHead::parse(&usual.record.slice(..18)), None);
    }

    #[test]
    fn lengths_are_those_of_the_table() {
        let cases: [(&[u8], Option<u32>); 8] = [
            (&[0x00], Some(480)),
            (&[0x18], Some(2880)),
            (&[0x68], Some(960)),
            (&[0xfc], Some(960)),
            (&[0xe1], Some(240)),
            (&[0xfb, 3], Some(2880)),
            (&[0xfb, 0x3f], None),
            (&[], None),
        ];
        for (packet, samples) in cases {
            assert_eq!(opus_samples(packet), samples, "{packet:x?}");
        }
        assert_eq!(
            (opus_channels(&[0xfc]), opus_channels(&[0xf8]), opus_channels(&[])),
            (Some(2), Some(1), None)
        );
    }
}
