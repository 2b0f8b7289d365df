//! PES packet headers (ISO/IEC 13818-1, 2.4.3.6).

use crate::time::Pts33;

/// The begin of a PES packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PesHeader {
    /// Bytes of the whole PES packet from its start code on; `None` where it is unbounded.
    pub total_len: Option<usize>,
    /// Presentation time stamp.
    pub pts: Option<Pts33>,
    /// Decoding time stamp; `None` where it equals the PTS.
    pub dts: Option<Pts33>,
    /// Where the elementary stream's bytes begin.
    pub data_offset: usize,
}

/// The outcome of reading the begin of a PES packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParsedPes {
    /// All of the header was there.
    Header(PesHeader),
    /// The header goes on in the next packet.
    NeedMore,
    /// This is no PES packet.
    NotPes,
}

impl PesHeader {
    /// Reads a header from the first bytes of a PES packet.
    pub fn parse(bytes: &[u8]) -> ParsedPes {
        let prefix = bytes.len().min(3);
        if bytes[..prefix] != [0, 0, 1][..prefix] {
            return ParsedPes::NotPes;
        }
        let Some(&[_, _, _, stream_id, len_high, len_low]) = bytes.first_chunk() else {
            return ParsedPes::NeedMore;
        };
        let declared = usize::from(u16::from_be_bytes([len_high, len_low]));
        let total_len = (declared != 0).then_some(6 + declared);
        // Maps, padding, private 2, ECM, EMM, DSM-CC, directory: no optional header.
        if matches!(stream_id, 0xbc | 0xbe | 0xbf | 0xf0 | 0xf1 | 0xf2 | 0xf8 | 0xff) {
            return ParsedPes::Header(Self { total_len, pts: None, dts: None, data_offset: 6 });
        }
        let Some(&[_, _, _, _, _, _, marker, flags, header_len]) = bytes.first_chunk() else {
            return ParsedPes::NeedMore;
        };
        let data_offset = 9 + usize::from(header_len);
        if marker & 0xc0 != 0x80 {
            return ParsedPes::NotPes;
        }
        let Some(optional) = bytes.get(9..data_offset) else { return ParsedPes::NeedMore };
        let pts = if flags & 0x80 != 0 { timestamp(optional) } else { None };
        let dts = if flags & 0xc0 == 0xc0 { optional.get(5..).and_then(timestamp) } else { None };
        ParsedPes::Header(Self { total_len, pts, dts, data_offset })
    }
}

/// Five bytes with marker bits between 3, 15 and 15 bits. The markers are not insisted on: there are
/// muxers that get them wrong, and the bits are right all the same.
fn timestamp(bytes: &[u8]) -> Option<Pts33> {
    let &[a, b, c, d, e] = bytes.first_chunk()?;
    let high = u64::from(a >> 1 & 0x07) << 30;
    let middle = u64::from(u16::from_be_bytes([b, c]) >> 1) << 15;
    let low = u64::from(u16::from_be_bytes([d, e]) >> 1);
    Some(Pts33::new(high | middle | low))
}

/// A stamp's five bytes. `first`: the byte that was there, whose high half says which stamps the header has.
pub(crate) fn timestamp_bytes(first: u8, stamp: Pts33) -> [u8; 5] {
    let bits = stamp.bits();
    let high = u8::try_from(bits >> 30 & 0x07).unwrap_or(0);
    let with_marker =
        |shift: u32| (u16::try_from(bits >> shift & 0x7fff).unwrap_or(0) << 1 | 1).to_be_bytes();
    let ([b, c], [d, e]) = (with_marker(15), with_marker(0));
    [first & 0xf0 | high << 1 | 1, b, c, d, e]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PTS 2^33 - 1, DTS 1.
    const BOTH: [u8; 19] =
        [0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10, 0x3f, 0xff, 0xff, 0xff, 0xff, 0x11, 0x00, 0x01, 0x00, 0x03];

    #[test]
    fn both_stamps_are_read() {
        let ParsedPes::Header(header) = PesHeader::parse(&BOTH) else { panic!("a header") };
        assert_eq!(header.pts, Some(Pts33::new((1 << 33) - 1)));
        assert_eq!(header.dts, Some(Pts33::new(1)));
        assert_eq!((header.total_len, header.data_offset), (None, 19));
    }

    #[test]
    fn every_shorter_piece_asks_for_more() {
        for len in 0..BOTH.len() {
            assert_eq!(PesHeader::parse(&BOTH[..len]), ParsedPes::NeedMore, "{len}");
        }
        assert_eq!(PesHeader::parse(&[0, 0, 2]), ParsedPes::NotPes);
        assert_eq!(PesHeader::parse(&[1]), ParsedPes::NotPes);
    }

    #[test]
    fn a_declared_length_counts_from_the_start_code() {
        let ParsedPes::Header(header) = PesHeader::parse(&[0, 0, 1, 0xbe, 1, 0]) else { panic!("a header") };
        assert_eq!(header.total_len, Some(262));
    }

    #[test]
    fn a_stamp_is_written_as_it_is_read() {
        for bits in [0, 1, 0x7fff, 0x8000, 1 << 30, (1 << 33) - 1, 0x1_2345_6789] {
            let bytes = timestamp_bytes(0x31, Pts33::new(bits));
            assert_eq!(timestamp(&bytes), Some(Pts33::new(bits)), "{bits:x}");
            assert_eq!((bytes[0] & 0xf1, bytes[2] & 1, bytes[4] & 1), (0x31, 1, 1));
        }
        assert_eq!(timestamp_bytes(0x3f, Pts33::new((1 << 33) - 1)), BOTH[9..14]);
    }
}
