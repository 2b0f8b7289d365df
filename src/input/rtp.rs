//! MPEG-TS in RTP (RFC 2250): where the packets lie in a datagram.
//!
//! Some senders put an RTP header before the TS packets of each datagram. It is recognised and skipped;
//! order and loss are not looked after, the continuity counters of TS show both.

use std::ops::Range;

/// Static payload type of MPEG-TS (RFC 3551, section 6).
const MP2T: u8 = 33;
const TS_SYNC: u8 = 0x47;

/// The range of a datagram that holds its payload: all of it, unless it is an RTP packet with MPEG-TS.
pub(super) fn payload(datagram: &[u8]) -> Range<usize> {
    rtp_payload(datagram).unwrap_or(0..datagram.len())
}

/// RFC 3550, section 5.1.
fn rtp_payload(datagram: &[u8]) -> Option<Range<usize>> {
    let &[flags, marker_and_type, ..] = datagram else { return None };
    if flags >> 6 != 2 || marker_and_type & 0x7f != MP2T {
        return None;
    }
    let (padded, extended, sources) = (flags & 0x20 != 0, flags & 0x10 != 0, usize::from(flags & 0x0f));
    let mut start = 12 + 4 * sources;
    if extended {
        let words = datagram.get(start + 2..start + 4)?;
        start += 4 + 4 * words.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    }
    let padding = if padded { usize::from(*datagram.last()?) } else { 0 };
    let end = datagram.len().checked_sub(padding)?;
    // A header that does not lead to a TS packet was none.
    (start < end && datagram.get(start) == Some(&TS_SYNC)).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(flags: u8, payload_type: u8) -> Vec<u8> {
        let mut bytes = vec![0; 12];
        bytes[0] = flags;
        bytes[1] = payload_type;
        bytes
    }

    #[test]
    fn the_header_with_all_its_parts_is_skipped() {
        let ts = [[TS_SYNC].as_slice(), &[7; 187]].concat();
        let plain = [header(0x80, 33), ts.clone()].concat();
        assert_eq!(payload(&plain), 12..200);
        let marked = [header(0x80, 0x80 | 33), ts.clone()].concat();
        assert_eq!(payload(&marked), 12..200);
        let sources = [header(0x82, 33), vec![0; 8], ts.clone()].concat();
        assert_eq!(payload(&sources), 20..208);
        let extended = [header(0x90, 33), vec![0, 0, 0, 1], vec![9; 4], ts.clone()].concat();
        assert_eq!(payload(&extended), 20..208);
        let padded = [header(0xa0, 33), ts, vec![0, 0, 3]].concat();
        assert_eq!(payload(&padded), 12..200);
    }

    #[test]
    fn what_is_no_ts_in_rtp_is_left_whole() {
        let ts = [[TS_SYNC].as_slice(), &[7; 187]].concat();
        let cut = header(0x9f, 33);
        for datagram in
            [ts.clone(), vec![], vec![0x80], cut, header(0x80, 33), [header(0x80, 96), ts].concat()]
        {
            assert_eq!(payload(&datagram), 0..datagram.len());
        }
    }
}
