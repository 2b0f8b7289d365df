//! NAL units in a byte stream (Annex B of ITU-T H.264 and H.265), and what they are.

use memchr::memchr;

use super::{VideoCodec, h264, h265};

/// Bytes of a start code.
pub(super) const START_CODE_LEN: usize = 3;

/// What a NAL unit is to somebody who moves access units between containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NalRole {
    /// Video parameter set (H.265).
    VideoParameters,
    /// Sequence parameter set.
    SequenceParameters,
    /// Picture parameter set.
    PictureParameters,
    /// Access unit delimiter.
    Delimiter,
    /// A coded slice.
    Slice,
    /// Anything else.
    Other,
}

/// The NAL units of a byte stream, in order, without start codes and the zeros behind them.
#[derive(Debug, Clone)]
pub struct NalUnits<'a> {
    bytes: &'a [u8],
    /// The begin of the next unit; `None` behind the last.
    next: Option<usize>,
}

impl<'a> NalUnits<'a> {
    /// Those of `bytes`. What stands before the first start code belongs to none.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, next: start_code(bytes, 0).map(|at| at + START_CODE_LEN) }
    }
}

impl<'a> Iterator for NalUnits<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let begin = self.next?;
            let following = start_code(self.bytes, begin);
            self.next = following.map(|at| at + START_CODE_LEN);
            let unit = self.bytes.get(begin..following.unwrap_or(self.bytes.len()))?;
            // trailing_zero_8bits, and the zero_byte of the next start code.
            let len = unit.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            if let Some(unit) = unit.get(..len).filter(|unit| !unit.is_empty()) {
                return Some(unit);
            }
        }
    }
}

impl VideoCodec {
    /// What a NAL unit of this codec is; `Other` for all of a codec without NAL units.
    pub fn nal_role(self, unit: &[u8]) -> NalRole {
        let Some(&first) = unit.first() else { return NalRole::Other };
        match self {
            Self::H264 => h264::role(first),
            Self::H265 => h265::role(first),
            Self::Mpeg2 => NalRole::Other,
        }
    }
}

/// Where the first `00 00 01` begins at or after `from`.
///
/// Looks for the 01: zeros come in long runs of stuffing, and a searcher for the three bytes would cost more
/// to build than the usual search, which ends at byte 0.
pub(super) fn start_code(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from + START_CODE_LEN - 1;
    loop {
        let one = at + memchr(1, bytes.get(at..)?)?;
        if bytes.get(one - 2..one) == Some([0, 0].as_slice()) {
            return Some(one - 2);
        }
        at = one + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_what_stands_between_start_codes() {
        let cases: [(&[u8], &[&[u8]]); 6] = [
            (&[], &[]),
            (&[9, 0, 0], &[]),
            (&[7, 0, 0, 1, 0x67, 5], &[&[0x67, 5]]),
            (&[0, 0, 0, 1, 9, 0x10, 0, 0, 0, 1, 0x65, 0, 3, 0, 0], &[&[9, 0x10], &[0x65, 0, 3]]),
            (&[0, 0, 1, 0, 0, 1, 0x41], &[&[0x41]]),
            (&[0, 0, 1, 2, 0, 0, 3, 1, 0, 0, 1], &[&[2, 0, 0, 3, 1]]),
        ];
        for (bytes, units) in cases {
            assert_eq!(NalUnits::of(bytes).collect::<Vec<_>>(), units, "{bytes:x?}");
        }
    }

    #[test]
    fn roles_are_told_by_the_first_byte() {
        let cases = [
            (VideoCodec::H264, 0x67, NalRole::SequenceParameters),
            (VideoCodec::H264, 0x68, NalRole::PictureParameters),
            (VideoCodec::H264, 0x09, NalRole::Delimiter),
            (VideoCodec::H264, 0x65, NalRole::Slice),
            (VideoCodec::H264, 0x06, NalRole::Other),
            (VideoCodec::H264, 0xe5, NalRole::Other),
            (VideoCodec::H265, 0x40, NalRole::VideoParameters),
            (VideoCodec::H265, 0x42, NalRole::SequenceParameters),
            (VideoCodec::H265, 0x44, NalRole::PictureParameters),
            (VideoCodec::H265, 0x46, NalRole::Delimiter),
            (VideoCodec::H265, 0x26, NalRole::Slice),
            (VideoCodec::H265, 0x4e, NalRole::Other),
        ];
        for (codec, first, role) in cases {
            assert_eq!(codec.nal_role(&[first, 1]), role, "{codec} {first:x}");
        }
    }
}
