//! AC-3 and E-AC-3 (ETSI TS 102 366 sections 4.3 and 4.4, and E.1.2.2 for E-AC-3).
//!
//! The two share the syncword and the place of `bsid`, which tells them apart.

use super::{AudioFormat, AudioProfile};

/// By `fscod`; 3 is reserved in AC-3 and an escape in E-AC-3.
const SAMPLE_RATES: [u32; 3] = [48_000, 44_100, 32_000];

/// Full bandwidth channels by `acmod`.
const CHANNELS: [u8; 8] = [2, 1, 2, 3, 3, 4, 4, 5];

/// The format in the syncframe at byte 0; in E-AC-3 that of the independent substream.
pub(super) fn format(payload: &[u8]) -> Option<AudioFormat> {
    let &[0x0b, 0x77, c, _, e, f, g, ..] = payload else { return None };
    let bsid = f >> 3;
    match bsid {
        // 9 and 10 were used for half and quarter rates; the standard has decoders mute them.
        0..=8 => ac3(e, g),
        11..=16 => e_ac3(c, e),
        _ => None,
    }
}

/// fscod 2, frmsizecod 6 | ... | acmod 3, then mix levels that depend on acmod, lfeon 1
fn ac3(sizes: u8, mode: u8) -> Option<AudioFormat> {
    const FRAME_SIZE_CODES: u8 = 38;
    if sizes & 0x3f >= FRAME_SIZE_CODES {
        return None;
    }
    let sample_rate = *SAMPLE_RATES.get(usize::from(sizes >> 6))?;
    let acmod = mode >> 5;
    let three_front = acmod & 1 == 1 && acmod != 1;
    let surround = acmod & 4 != 0;
    let stereo = acmod == 2;
    let mix_bits = [three_front, surround, stereo].into_iter().filter(|&present| present).count() * 2;
    let lfe_on = (mode >> (4 - mix_bits)) & 1;
    let channels = CHANNELS.get(usize::from(acmod))? + lfe_on;
    Some(AudioFormat { sample_rate, channels, profile: AudioProfile::Ac3 })
}

/// strmtyp 2, substreamid 3, ... | fscod 2, numblkscod or fscod2 2, acmod 3, lfeon 1
fn e_ac3(stream: u8, mode: u8) -> Option<AudioFormat> {
    const DEPENDENT: u8 = 1;
    const RESERVED: u8 = 3;
    if matches!(stream >> 6, DEPENDENT | RESERVED) {
        return None;
    }
    let sample_rate = match usize::from(mode >> 6) {
        3 => SAMPLE_RATES.get(usize::from((mode >> 4) & 3))? / 2,
        fscod => *SAMPLE_RATES.get(fscod)?,
    };
    let (acmod, lfe_on) = ((mode >> 1) & 7, mode & 1);
    let channels = CHANNELS.get(usize::from(acmod))? + lfe_on;
    Some(AudioFormat { sample_rate, channels, profile: AudioProfile::EAc3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(profile: AudioProfile, sample_rate: u32, channels: u8) -> Option<AudioFormat> {
        Some(AudioFormat { sample_rate, channels, profile })
    }

    #[test]
    fn rates_and_channels_are_those_of_the_tables() {
        // AC-3: sync 16, crc1 16 | fscod 2, frmsizecod 6 | bsid 5, bsmod 3 | acmod 3, ...
        // E-AC-3: sync 16 | strmtyp 2, substreamid 3, frmsiz 11 | fscod 2, numblkscod 2, acmod 3,
        // lfeon 1 | bsid 5, dialnorm 3
        let cases = [
            (
                "stereo, dsurmod 0, no LFE",
                [0x0b, 0x77, 0, 0, 0x14, 0x40, 0x40],
                some(AudioProfile::Ac3, 48_000, 2),
            ),
            (
                "stereo, dsurmod 3, no LFE",
                [0x0b, 0x77, 0, 0, 0x14, 0x40, 0x58],
                some(AudioProfile::Ac3, 48_000, 2),
            ),
            ("mono with LFE", [0x0b, 0x77, 0, 0, 0x54, 0x40, 0x30], some(AudioProfile::Ac3, 44_100, 2)),
            (
                "5.1: two mix levels, then LFE",
                [0x0b, 0x77, 0, 0, 0x9e, 0x40, 0xe1],
                some(AudioProfile::Ac3, 32_000, 6),
            ),
            ("5.0", [0x0b, 0x77, 0, 0, 0x1e, 0x40, 0xfe], some(AudioProfile::Ac3, 48_000, 5)),
            (
                "2/2 with LFE: one mix level",
                [0x0b, 0x77, 0, 0, 0x1e, 0x40, 0xc4],
                some(AudioProfile::Ac3, 48_000, 5),
            ),
            ("reserved rate", [0x0b, 0x77, 0, 0, 0xd4, 0x40, 0x40], None),
            ("frame size code 38", [0x0b, 0x77, 0, 0, 0x26, 0x40, 0x40], None),
            ("bsid 9", [0x0b, 0x77, 0, 0, 0x14, 0x48, 0x40], None),
            ("bsid 17", [0x0b, 0x77, 0, 0, 0x14, 0x88, 0x40], None),
            ("wrong syncword", [0x0b, 0x76, 0, 0, 0x14, 0x40, 0x40], None),
            ("E-AC-3 5.1", [0x0b, 0x77, 0x02, 0xff, 0x3f, 0x80, 0], some(AudioProfile::EAc3, 48_000, 6)),
            (
                "E-AC-3 stereo at 22.05 kHz",
                [0x0b, 0x77, 0x02, 0xff, 0xd4, 0x80, 0],
                some(AudioProfile::EAc3, 22_050, 2),
            ),
            ("E-AC-3, both rates reserved", [0x0b, 0x77, 0x02, 0xff, 0xf4, 0x80, 0], None),
            ("E-AC-3, dependent substream", [0x0b, 0x77, 0x42, 0xff, 0x3f, 0x80, 0], None),
            ("E-AC-3, reserved stream type", [0x0b, 0x77, 0xc2, 0xff, 0x3f, 0x80, 0], None),
        ];
        for (what, bytes, format) in cases {
            assert_eq!(super::format(&bytes), format, "{what}");
            assert_eq!(super::format(&bytes[..6]), None, "{what}, cut off");
        }
    }
}
