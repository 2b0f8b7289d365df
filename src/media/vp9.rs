//! VP9: what a frame's uncompressed header tells (VP9 bitstream specification, 6.2).

use super::bits::BitReader;
use super::{RandomAccess, UnitFacts, VideoFormat};

const SYNC_CODE: u32 = 0x0049_8342;
/// The colour space without subsampling.
const SRGB: u32 = 7;

/// The facts of a frame, of a superframe's first; `None` where it has no header.
pub(super) fn facts(frame: &[u8]) -> Option<UnitFacts> {
    let mut bits = BitReader::plain(frame);
    if bits.u(2)? != 2 {
        return None;
    }
    let profile = bits.u(1)? | bits.u(1)? << 1;
    if profile == 3 && bits.flag()? {
        return None;
    }
    let shows_existing = bits.flag()?;
    let is_inter = shows_existing || bits.flag()?;
    if is_inter {
        return Some(UnitFacts::default());
    }
    bits.skip(2)?;
    if bits.u(24)? != SYNC_CODE {
        return None;
    }
    if profile >= 2 {
        bits.skip(1)?;
    }
    let odd_profile = profile & 1 == 1;
    match (bits.u(3)? == SRGB, odd_profile) {
        (true, true) => bits.skip(1)?,
        (true, false) => {}
        (false, true) => bits.skip(4)?,
        (false, false) => bits.skip(1)?,
    }
    let (width, height) = (bits.u(16)? + 1, bits.u(16)? + 1);
    let video_format = VideoFormat::checked(width, height);
    Some(UnitFacts { random_access: RandomAccess::Key, video_format })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_tell_their_size() {
        // Profile 0, shown, colour space 0: 320x180.
        let key = [0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0b, 0x30];
        let format = Some(VideoFormat { width: 320, height: 180 });
        assert_eq!(facts(&key), Some(UnitFacts { random_access: RandomAccess::Key, video_format: format }));
        // The same of profile 1, whose subsampling takes three more bits.
        let odd = [0xa2, 0x49, 0x83, 0x42, 0x00, 0x02, 0x7e, 0x01, 0x66];
        assert_eq!(facts(&odd).unwrap().video_format, format);
        assert_eq!(facts(&[0x86]), Some(UnitFacts::default()), "an inter frame");
        assert_eq!(facts(&[0x88]), Some(UnitFacts::default()), "a frame shown again");
        for bad in [&key[..8], &[0x42, 0x49], &[0x82, 0x49, 0x83, 0x43, 0, 0, 0, 0, 0, 0], &[0xb8], &[]] {
            assert_eq!(facts(bad), None, "{bad:x?}");
        }
    }
}
