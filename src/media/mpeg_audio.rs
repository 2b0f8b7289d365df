//! MPEG-1 and MPEG-2 audio, layers I to III, and the unofficial MPEG-2.5 (ISO/IEC 11172-3 section
//! 2.4.1.3, ISO/IEC 13818-3 section 2.4.1.3).

use super::{AudioFormat, AudioProfile};

/// MPEG-1's, by `sampling_frequency`; 3 is reserved. MPEG-2 halves them, MPEG-2.5 halves them again.
const SAMPLE_RATES: [u32; 3] = [44_100, 48_000, 32_000];

/// The format in the frame header at byte 0.
pub(super) fn format(payload: &[u8]) -> Option<AudioFormat> {
    let &[a, b, c, d, ..] = payload else { return None };
    if a != 0xff || b >> 5 != 7 {
        return None;
    }
    let divisor = match (b >> 3) & 3 {
        0 => 4,
        2 => 2,
        3 => 1,
        _ => return None,
    };
    let (layer, bitrate_index, emphasis) = ((b >> 1) & 3, c >> 4, d & 3);
    if layer == 0 || bitrate_index == 15 || emphasis == 2 {
        return None;
    }
    let sample_rate = SAMPLE_RATES.get(usize::from((c >> 2) & 3))? / divisor;
    let single_channel = d >> 6 == 3;
    let channels = if single_channel { 1 } else { 2 };
    // The header counts down.
    Some(AudioFormat { sample_rate, channels, profile: AudioProfile::MpegAudio(4 - layer) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(layer: u8, sample_rate: u32, channels: u8) -> Option<AudioFormat> {
        Some(AudioFormat { sample_rate, channels, profile: AudioProfile::MpegAudio(layer) })
    }

    #[test]
    fn rates_and_channels_are_those_of_the_tables() {
        // sync 11 bits, version 2, layer 2, no CRC 1 | bit rate 4, rate 2, padding, private | mode 2,
        // extension 2, copyright, original, emphasis 2
        let cases = [
            ("MPEG-1 layer III, 44.1 kHz, joint stereo", [0xff, 0xfb, 0x90, 0x44], some(3, 44_100, 2)),
            ("MPEG-1 layer II, 48 kHz, stereo", [0xff, 0xfd, 0xa4, 0x04], some(2, 48_000, 2)),
            ("MPEG-1 layer I, 32 kHz, mono", [0xff, 0xff, 0x98, 0xc0], some(1, 32_000, 1)),
            ("MPEG-2 layer III, 24 kHz, mono", [0xff, 0xf3, 0x84, 0xc4], some(3, 24_000, 1)),
            ("MPEG-2.5 layer III, 11.025 kHz, two channels", [0xff, 0xe3, 0x40, 0x80], some(3, 11_025, 2)),
            ("free bit rate", [0xff, 0xfb, 0x00, 0x00], some(3, 44_100, 2)),
            ("reserved version", [0xff, 0xeb, 0x90, 0x44], None),
            ("layer 0, as in ADTS", [0xff, 0xf9, 0x90, 0x44], None),
            ("bit rate 15", [0xff, 0xfb, 0xf0, 0x44], None),
            ("reserved rate", [0xff, 0xfb, 0x9c, 0x44], None),
            ("reserved emphasis", [0xff, 0xfb, 0x90, 0x46], None),
            ("10 bits of sync", [0xff, 0xdb, 0x90, 0x44], None),
        ];
        for (what, bytes, format) in cases {
            assert_eq!(super::format(&bytes), format, "{what}");
            assert_eq!(super::format(&bytes[..3]), None, "{what}, cut off");
        }
    }
}
