//! VP9: what a frame's uncompressed header tells (VP9 bitstream specification, 6.2).

use super::bits::BitReader;
use super::{ColourSpace, RandomAccess, UnitFacts, VideoFormat, VideoProfile};

const SYNC_CODE: u32 = 0x0049_8342;
/// The colour space without subsampling.
const SRGB: u32 = 7;

/// A key frame's header.
struct Header {
    format: Option<VideoFormat>,
    /// `color_space`
    space: u32,
    bit_depth: u8,
    full_range: bool,
}

/// The facts of a frame, of a superframe's first; `None` where it has no header.
pub(super) fn facts(frame: &[u8]) -> Option<UnitFacts> {
    Some(match read(frame)? {
        Some(header) => UnitFacts { random_access: RandomAccess::Key, video_format: header.format },
        None => UnitFacts::default(),
    })
}

/// The colours of a key frame, where it tells them.
pub(super) fn colour(frame: &[u8]) -> Option<ColourSpace> {
    let Header { space, bit_depth, full_range, .. } = read(frame)??;
    let points = match space {
        1 | 3 => [6, 6, 6],
        2 => [1, 1, 1],
        4 => [7, 7, 7],
        // Ten bits and twelve have transfers of their own.
        5 if bit_depth == 12 => [9, 15, 9],
        5 => [9, 14, 9],
        SRGB => [1, 13, 0],
        _ => [ColourSpace::UNSPECIFIED; 3],
    };
    ColourSpace::told(points, full_range)
}

/// The header of a key frame, nothing of another; `None` where there is no header.
fn read(frame: &[u8]) -> Option<Option<Header>> {
    let mut bits = BitReader::plain(frame);
    if bits.u(2)? != 2 {
        return None;
    }
    let profile = bits.byte(1)? | bits.byte(1)? << 1;
    if profile == 3 && bits.flag()? {
        return None;
    }
    let shows_existing = bits.flag()?;
    let is_inter = shows_existing || bits.flag()?;
    if is_inter {
        return Some(None);
    }
    bits.skip(2)?;
    if bits.u(24)? != SYNC_CODE {
        return None;
    }
    let bit_depth = match profile {
        0 | 1 => 8,
        _ if bits.flag()? => 12,
        _ => 10,
    };
    let odd_profile = profile & 1 == 1;
    let space = bits.u(3)?;
    let full_range = space == SRGB || bits.flag()?;
    match (space == SRGB, odd_profile) {
        (true, true) => bits.skip(1)?,
        (false, true) => bits.skip(3)?,
        (_, false) => {}
    }
    let (width, height) = (bits.u(16)? + 1, bits.u(16)? + 1);
    let format = VideoFormat::checked(width, height, Some(VideoProfile::Vp9 { profile, bit_depth }));
    Some(Some(Header { format, space, bit_depth, full_range }))
}

/// The lowest level that takes pictures of that size, shown for so many nanoseconds each, or 30 a second (VP9 levels: samples of
/// luma a second, and in a picture).
pub fn level(width: u32, height: u32, nanos: Option<u64>) -> u8 {
    const LEVELS: [(u8, u64, u64); 14] = [
        (10, 829_440, 36_864),
        (11, 2_764_800, 73_728),
        (20, 4_608_000, 122_880),
        (21, 9_216_000, 245_760),
        (30, 20_736_000, 552_960),
        (31, 36_864_000, 983_040),
        (40, 83_558_400, 2_228_224),
        (41, 160_432_128, 2_228_224),
        (50, 311_951_360, 8_912_896),
        (51, 588_251_136, 8_912_896),
        (52, 1_176_502_272, 8_912_896),
        (60, 1_176_502_272, 35_651_584),
        (61, 2_353_004_544, 35_651_584),
        (62, 4_706_009_088, 35_651_584),
    ];
    let picture = u64::from(width) * u64::from(height);
    let nanos = nanos.filter(|nanos| *nanos > 0).unwrap_or(1_000_000_000 / 30);
    let second = picture.saturating_mul(1_000_000_000) / nanos;
    let fits = LEVELS.iter().find(|(_, most, largest)| second <= *most && picture <= *largest);
    fits.map_or(62, |(level, ..)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_size_and_rate() {
        assert_eq!(level(320, 180, Some(40_000_000)), 11);
        assert_eq!(level(1280, 720, None), 31);
        assert_eq!(level(1920, 1080, Some(16_666_667)), 41);
        assert_eq!(level(1920, 1080, Some(0)), 40);
        assert_eq!(level(65_536, 65_536, Some(1)), 62);
    }

    #[test]
    fn key_frames_tell_their_size() {
        // Profile 0, shown, colour space 0: 320x180.
        let key = [0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0b, 0x30];
        let of_profile =
            |profile| VideoFormat::checked(320, 180, Some(VideoProfile::Vp9 { profile, bit_depth: 8 }));
        let format = of_profile(0);
        assert_eq!(facts(&key), Some(UnitFacts { random_access: RandomAccess::Key, video_format: format }));
        // The same of profile 1, whose subsampling takes three more bits.
        let odd = [0xa2, 0x49, 0x83, 0x42, 0x00, 0x02, 0x7e, 0x01, 0x66];
        assert_eq!(facts(&odd).unwrap().video_format, of_profile(1));
        assert_eq!(facts(&[0x86]), Some(UnitFacts::default()), "an inter frame");
        // Colour space 2 is BT.709; the bit behind it says that the range is full.
        let told = [0x82, 0x49, 0x83, 0x42, 0x50, 0x13, 0xf0, 0x0b, 0x30];
        let bt709 = ColourSpace { primaries: 1, transfer: 1, matrix: 1, full_range: true };
        assert_eq!((colour(&told), colour(&key), colour(&[0x86])), (Some(bt709), None, None));
        assert_eq!(facts(&told).unwrap().video_format, format);
        assert_eq!(facts(&[0x88]), Some(UnitFacts::default()), "a frame shown again");
        for bad in [&key[..8], &[0x42, 0x49], &[0x82, 0x49, 0x83, 0x43, 0, 0, 0, 0, 0, 0], &[0xb8], &[]] {
            assert_eq!(facts(bad), None, "{bad:x?}");
        }
    }
}
