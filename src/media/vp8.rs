//! VP8: what a frame's header tells (RFC 6386, 9.1).

use super::{RandomAccess, UnitFacts, VideoFormat, VideoProfile};

/// The facts of a frame; `None` where it has no header.
pub(super) fn facts(frame: &[u8]) -> Option<UnitFacts> {
    let is_inter = frame.first()? & 1 == 1;
    if is_inter {
        return Some(UnitFacts::default());
    }
    let [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = *frame else { return None };
    // The two upper bits ask for scaling when it is shown.
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    let video_format = VideoFormat::checked(side(w0, w1), side(h0, h1), Some(VideoProfile::Vp8));
    Some(UnitFacts { random_access: RandomAccess::Key, video_format })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_tell_their_size() {
        // The first frame of fixtures/vp8_opus.webm begins so, but for its scaling bits.
        let key = [0x50, 0x12, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x41, 0xb4, 0x80, 0x00];
        let format = VideoFormat::checked(320, 180, Some(VideoProfile::Vp8));
        let facts_of_key = UnitFacts { random_access: RandomAccess::Key, video_format: format };
        assert_eq!(facts(&key), Some(facts_of_key));
        assert_eq!(facts(&[0x51, 0x12, 0x00]), Some(UnitFacts::default()));
        assert_eq!(facts(&key[..9]), None, "cut short");
        assert_eq!(facts(&[0x50, 0, 0, 0x9d, 0x01, 0x2b, 0, 0, 0, 0]), None, "another start code");
        assert_eq!(facts(&[]), None);
    }
}
