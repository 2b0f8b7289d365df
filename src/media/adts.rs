//! AAC in ADTS frames (ISO/IEC 13818-7 section 6.2, ISO/IEC 14496-3 section 1.A.3.2).

use super::AudioFormat;

/// By `sampling_frequency_index`; 13 to 15 are reserved.
const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// By `channel_configuration`. With 0 the channels stand in the frame's body, which is not read.
const CHANNELS: [Option<u8>; 8] = [None, Some(1), Some(2), Some(3), Some(4), Some(5), Some(6), Some(8)];

/// The format in the ADTS header at byte 0.
pub(super) fn format(payload: &[u8]) -> Option<AudioFormat> {
    let &[a, b, c, d, e, f, _, ..] = payload else { return None };
    let layer = (b >> 1) & 3;
    if a != 0xff || b >> 4 != 0xf || layer != 0 {
        return None;
    }
    let header_len = if b & 1 == 1 { 7 } else { 9 };
    let frame_length = u32::from(d & 3) << 11 | u32::from(e) << 3 | u32::from(f) >> 5;
    if frame_length < header_len {
        return None;
    }
    let sample_rate = *SAMPLE_RATES.get(usize::from((c >> 2) & 0xf))?;
    let channels = (*CHANNELS.get(usize::from((c & 1) << 2 | d >> 6))?)?;
    Some(AudioFormat { sample_rate, channels })
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
