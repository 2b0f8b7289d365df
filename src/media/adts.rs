//! AAC in ADTS frames (ISO/IEC 13818-7 section 6.2, ISO/IEC 14496-3 section 1.A.3.2).

use super::AudioFormat;

/// By `sampling_frequency_index`; 13 to 15 are reserved.
const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// By `channel_configuration`. With 0 the channels stand in the frame's body, which is not read.
const CHANNELS: [Option<u8>; 8] = [None, Some(1), Some(2), Some(3), Some(4), Some(5), Some(6), Some(8)];

/// Samples of a raw data block.
const BLOCK_SAMPLES: u32 = 1024;

/// The header of an ADTS frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdtsHeader {
    /// Bytes of the header, its checksum included.
    pub len: usize,
    /// Bytes of the frame, its header included.
    pub frame_len: usize,
    /// `audioObjectType` of MPEG-4: 1 Main, 2 LC, 3 SSR, 4 LTP.
    pub object_type: u8,
    /// `sampling_frequency_index`.
    pub rate_index: u8,
    /// Samples per second.
    pub sample_rate: u32,
    /// `channel_configuration`; 0 where the channels stand in the frame's body.
    pub channel_configuration: u8,
    /// Samples of each channel in the frame.
    pub samples: u32,
}

impl AdtsHeader {
    /// The shortest header.
    pub const MIN_LEN: usize = 7;

    /// The header at byte 0, if one stands there.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, d, e, f, g] = bytes.first_chunk()?;
        let layer = (b >> 1) & 3;
        if a != 0xff || b >> 4 != 0xf || layer != 0 {
            return None;
        }
        let len = if b & 1 == 1 { Self::MIN_LEN } else { 9 };
        let frame_len = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f) >> 5;
        let rate_index = (c >> 2) & 0xf;
        let sample_rate = *SAMPLE_RATES.get(usize::from(rate_index))?;
        (frame_len >= len).then_some(Self {
            len,
            frame_len,
            object_type: (c >> 6) + 1,
            rate_index,
            sample_rate,
            channel_configuration: (c & 1) << 2 | d >> 6,
            samples: BLOCK_SAMPLES * (u32::from(g & 3) + 1),
        })
    }

    /// Channels; `None` where the header does not tell.
    pub fn channels(&self) -> Option<u8> {
        *CHANNELS.get(usize::from(self.channel_configuration))?
    }
}

/// The format in the ADTS header at byte 0.
pub(super) fn format(payload: &[u8]) -> Option<AudioFormat> {
    let header = AdtsHeader::parse(payload)?;
    Some(AudioFormat { sample_rate: header.sample_rate, channels: header.channels()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// sync FFF, MPEG-4, layer 0, no CRC | AAC LC, rate index, private bit 0, channels | 4 bits of
    /// copyright and home 0 | frame length in 13 bits | buffer fullness 7FF, one block.
    fn header(rate_index: u64, channels: u64, frame_length: u64) -> [u8; 7] {
        let bits =
            0xfff1 << 40 | 1 << 38 | rate_index << 34 | channels << 30 | frame_length << 13 | 0x7ff << 2;
        let [_, header @ ..] = bits.to_be_bytes();
        header
    }

    fn some(sample_rate: u32, channels: u8) -> Option<AudioFormat> {
        Some(AudioFormat { sample_rate, channels })
    }

    #[test]
    fn rates_and_channels_are_those_of_the_tables() {
        let cases = [
            ("48 kHz stereo", header(3, 2, 300), some(48_000, 2)),
            ("44.1 kHz mono", header(4, 1, 7), some(44_100, 1)),
            ("5.1", header(3, 6, 8191), some(48_000, 6)),
            ("7.1", header(12, 7, 300), some(7_350, 8)),
            ("channels in the body", header(3, 0, 300), None),
            ("reserved rate", header(13, 2, 300), None),
            ("rate written out, which ADTS cannot", header(15, 2, 300), None),
            ("shorter than its header", header(3, 2, 6), None),
        ];
        for (what, bytes, format) in cases {
            assert_eq!(super::format(&bytes), format, "{what}");
        }
        // The first header of ffmpeg's `-f lavfi -i sine=sample_rate=44100 -ac 2 -c:a aac -f adts`.
        assert_eq!(super::format(&[0xff, 0xf1, 0x50, 0x80, 0x2b, 0x3f, 0xfc]), some(44_100, 2));
    }

    #[test]
    fn only_a_whole_header_at_byte_0_counts() {
        let good = header(3, 2, 300);
        assert_eq!(super::format(&good[..6]), None);
        assert_eq!(super::format(&[&[0], good.as_slice()].concat()), None);
        for (at, bit) in [(0, 0x01), (1, 0x80), (1, 0x02), (1, 0x04)] {
            let mut bad = good;
            bad[at] ^= bit;
            assert_eq!(super::format(&bad), None, "byte {at}, bit {bit:#x}");
        }
    }
}
