//! Supplemental enhancement information: the recovery point, which H.264 and H.265 lay out alike.
//!
//! ITU-T H.264 section 7.3.2.3.1 and H.265 section 7.3.5: a payload type and a size, each a run of 0xFF
//! bytes and a last byte, then that many bytes; all other messages are passed over.

use super::RandomAccess;
use super::bits::BitReader;

const RECOVERY_POINT: u32 = 6;

/// Walks the messages of an SEI unit to the first recovery point, and leaves the reader at its payload.
/// `payload` is the NAL unit without its header.
pub(super) fn recovery_point(payload: &[u8]) -> Option<BitReader<'_>> {
    let mut reader = BitReader::new(payload);
    loop {
        let kind = number(&mut reader)?;
        let size = number(&mut reader)?;
        if kind == RECOVERY_POINT {
            return Some(reader);
        }
        reader.skip(size.checked_mul(8)?)?;
    }
}

/// What a recovery point allows, by whether its count is 0; `None` where there is none to read.
pub(super) fn allows(at_once: Option<bool>) -> RandomAccess {
    match at_once {
        Some(true) => RandomAccess::Key,
        Some(false) => RandomAccess::Recovery,
        None => RandomAccess::None,
    }
}

/// The sum of 0xFF bytes and of the first other byte.
fn number(reader: &mut BitReader<'_>) -> Option<u32> {
    let mut sum: u32 = 0;
    loop {
        let byte = reader.u(8)?;
        sum = sum.checked_add(byte)?;
        if byte != 0xff {
            return Some(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recovery_point_is_found_among_other_messages() {
        let long = [[4, 0xff, 0x02].as_slice(), &[0x55; 257]].concat();
        let cases: [(&str, Vec<u8>, Option<u32>); 5] = [
            ("alone", vec![6, 1, 0xc4, 0x80], Some(0xc4)),
            ("after a buffering period", vec![0, 2, 9, 9, 6, 1, 0xc4, 0x80], Some(0xc4)),
            ("after user data of 257 bytes", [long.as_slice(), &[6, 1, 0xc4]].concat(), Some(0xc4)),
            ("not there", vec![1, 1, 6, 0x80, 0], None),
            ("type 261, whose last byte is 6", vec![0xff, 6, 1, 0xc4, 0x80], None),
        ];
        for (what, bytes, first) in cases {
            assert_eq!(recovery_point(&bytes).and_then(|mut r| r.u(8)), first, "{what}");
        }
    }
}
