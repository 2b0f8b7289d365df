//! Reads bits and Exp-Golomb codes of a NAL unit's payload.
//!
//! In: the bytes of one NAL unit as they stand in the stream. Out: the syntax elements `u(n)`, `ue(v)`
//! and `se(v)` of ITU-T H.264 sections 7.2 and 9.1, `None` once the bytes end. Emulation prevention bytes
//! (section 7.4.1.1) are removed on the way, so that nothing is copied and only what is read is looked at.

/// A place in a NAL unit, or in a header of VP9 or AV1, which have no emulation prevention.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    rest: &'a [u8],
    /// Emulation prevention bytes are removed.
    escaped: bool,
    /// Zero bytes just before `rest`, 2 at most.
    zeros: u8,
    /// The byte being read; its low `left` bits are still to come.
    current: u8,
    left: u32,
}

impl<'a> BitReader<'a> {
    /// Begins at the first byte of `bytes`, which must not be inside an escaped sequence.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, escaped: true, zeros: 0, current: 0, left: 0 }
    }

    /// The same for bytes that stand as they are.
    pub(super) fn plain(bytes: &'a [u8]) -> Self {
        Self { escaped: false, ..Self::new(bytes) }
    }

    /// The next `count` bits, 32 at most.
    pub(super) fn u(&mut self, count: u32) -> Option<u32> {
        let mut value: u64 = 0;
        let mut wanted = count.min(32);
        while wanted > 0 {
            if self.left == 0 {
                self.current = self.next_byte()?;
                self.left = 8;
            }
            let taken = wanted.min(self.left);
            self.left -= taken;
            wanted -= taken;
            let bits = (u32::from(self.current) >> self.left) & ((1 << taken) - 1);
            value = (value << taken) | u64::from(bits);
        }
        u32::try_from(value).ok()
    }

    /// The next `count` bits, 8 at most.
    pub(super) fn byte(&mut self, count: u32) -> Option<u8> {
        self.u(count.min(8)).and_then(|value| u8::try_from(value).ok())
    }

    /// The next bit.
    pub(super) fn flag(&mut self) -> Option<bool> {
        Some(self.u(1)? == 1)
    }

    /// Passes over `count` bits.
    pub(super) fn skip(&mut self, mut count: u32) -> Option<()> {
        while count > 0 {
            let step = count.min(32);
            self.u(step)?;
            count -= step;
        }
        Some(())
    }

    /// An unsigned Exp-Golomb code. Codes above 2^32 - 2 are in no standard.
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some(((1 << zeros) - 1) + self.u(zeros)?)
    }

    /// A signed Exp-Golomb code: 0, 1, -1, 2, -2, ...
    pub(super) fn se(&mut self) -> Option<i32> {
        let code = i64::from(self.ue()?);
        let magnitude = (code + 1) / 2;
        i32::try_from(if code % 2 == 1 { magnitude } else { -magnitude }).ok()
    }

    fn next_byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        if self.escaped && self.zeros >= 2 && byte == 3 {
            self.zeros = 0;
            return self.next_byte();
        }
        self.zeros = if byte == 0 { self.zeros.saturating_add(1).min(2) } else { 0 };
        Some(byte)
    }

    /// The four offsets of a cropping window, left, right, top, bottom, in steps of `step_x` and `step_y`
    /// samples: how many samples fall away across and down.
    pub(super) fn cropping(&mut self, step_x: u32, step_y: u32) -> Option<(u32, u32)> {
        let (left, right, top, bottom) = (self.ue()?, self.ue()?, self.ue()?, self.ue()?);
        let across = left.checked_add(right)?.checked_mul(step_x)?;
        let down = top.checked_add(bottom)?.checked_mul(step_y)?;
        Some((across, down))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The plain way: all of the payload at once, as a string of `0` and `1`.
    fn unescaped_bits(bytes: &[u8]) -> String {
        let mut out: Vec<u8> = Vec::new();
        let mut zeros = 0;
        for &byte in bytes {
            if zeros >= 2 && byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            out.push(byte);
        }
        out.iter().map(|byte| format!("{byte:08b}")).collect()
    }

    #[test]
    fn exp_golomb_codes_are_those_of_the_standard() {
        // 1 010 011 00100 00101 and then padding: tables 9-2 and 9-3.
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut unsigned = BitReader::new(&bytes);
        assert_eq!([(); 5].map(|()| unsigned.ue()), [0, 1, 2, 3, 4].map(Some));
        let mut signed = BitReader::new(&bytes);
        assert_eq!([(); 5].map(|()| signed.se()), [0, 1, -1, 2, -2].map(Some));
    }

    #[test]
    fn the_longest_code_is_read_and_a_longer_one_refused() {
        let longest = [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(BitReader::new(&longest).ue(), Some(u32::MAX - 1));
        assert_eq!(BitReader::new(&longest).se(), Some(-i32::MAX));
        assert_eq!(BitReader::new(&[0, 0, 0, 0, 0x80, 0, 0, 0, 0]).ue(), None);
    }

    #[test]
    fn emulation_prevention_bytes_are_no_payload() {
        let mut reader = BitReader::new(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3]);
        assert_eq!(reader.u(24), Some(1));
        assert_eq!(reader.u(32), Some(0));
        assert_eq!(reader.u(1), None);
    }

    proptest! {
        #[test]
        fn reads_what_unescaping_at_once_reads(
            bytes in proptest::collection::vec(prop_oneof![Just(0u8), Just(3), any::<u8>()], 0..40),
            widths in proptest::collection::vec(0u32..=32, 0..40),
        ) {
            let bits = unescaped_bits(&bytes);
            let mut reader = BitReader::new(&bytes);
            let mut at = 0;
            for width in widths {
                let end = at + width as usize;
                let expected = bits.get(at..end).map(|b| if b.is_empty() { 0 } else { u32::from_str_radix(b, 2).unwrap() });
                prop_assert_eq!(reader.u(width), expected);
                if expected.is_none() {
                    break;
                }
                at = end;
            }
        }
    }
}
