//! MPEG-2 video: where pictures start, which are key, and their size (ISO/IEC 13818-2 sections 6.2.2.1,
//! 6.2.2.3 and 6.2.3). MPEG-1 video has the same headers.
//!
//! An I picture is key only after a sequence header: without it no decoder can begin, and the second
//! field of an I frame has none.

use super::access_unit::{Headers, Opening};
use super::{RandomAccess, VideoFormat};

const PICTURE: u8 = 0x00;
const SEQUENCE_HEADER: u8 = 0xb3;
const EXTENSION: u8 = 0xb5;
const GROUP_OF_PICTURES: u8 = 0xb8;

const I_PICTURE: u8 = 1;
const SEQUENCE_EXTENSION: u8 = 1;

/// `unit` begins with the start code's last byte, and may be cut off anywhere.
pub(super) fn open(unit: &[u8], headers: &Headers) -> Opening {
    let Some(&code) = unit.first() else { return Opening::Incomplete };
    match code {
        PICTURE => {
            // temporal_reference takes 10 bits, picture_coding_type the next 3.
            let Some(&second) = unit.get(2) else { return Opening::Incomplete };
            let picture_coding_type = (second >> 3) & 7;
            Opening::Decides(if picture_coding_type == I_PICTURE && headers.sequence {
                RandomAccess::Key
            } else {
                RandomAccess::None
            })
        }
        SEQUENCE_HEADER => Opening::Read,
        // Also follows picture headers, which may be of the access unit before.
        EXTENSION if headers.sequence => Opening::Read,
        GROUP_OF_PICTURES => Opening::Starts,
        _ => Opening::Other,
    }
}

/// Reads a whole sequence header or extension.
pub(super) fn read(unit: &[u8], headers: &mut Headers) {
    match *unit {
        [SEQUENCE_HEADER, a, b, c, ..] => {
            headers.sequence = true;
            let width = u32::from(a) << 4 | u32::from(b) >> 4;
            let height = u32::from(b & 0x0f) << 8 | u32::from(c);
            headers.format = VideoFormat::checked(width, height, None);
        }
        // extension id 4, profile and level 8, progressive 1, chroma 2, then 2 bits more for each side
        [EXTENSION, a, b, c, ..] if a >> 4 == SEQUENCE_EXTENSION => {
            if let Some(format) = &mut headers.format {
                format.width |= u32::from((b & 1) << 1 | c >> 7) << 12;
                format.height |= u32::from((c >> 5) & 3) << 12;
            }
        }
        _ => {}
    }
}
