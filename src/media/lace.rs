//! Lengths as Xiph's codecs write them.

/// A length: the sum of bytes up to the first that is not 255; and what follows it.
pub fn xiph_length(mut bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    loop {
        let (&byte, rest) = bytes.split_first()?;
        bytes = rest;
        length += usize::from(byte);
        if byte != 0xff {
            return Some((length, bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_end_with_a_byte_that_is_not_full() {
        assert_eq!(xiph_length(&[7, 9]), Some((7, &[9][..])));
        assert_eq!(xiph_length(&[0xff, 0xff, 0, 9]), Some((510, &[9][..])));
        assert_eq!((xiph_length(&[0xff]), xiph_length(&[])), (None, None));
    }
}
