//! Frames that share a block (RFC 9559, 10.3).

use super::ebml::vint;
use crate::media::xiph_length;

/// What a block's flags say of lacing.
pub(super) const FLAGS: u8 = 0x06;
const XIPH: u8 = 0x02;
const FIXED: u8 = 0x04;

/// The frames of a block, by its flags and what stands behind them; none where the lengths do not fit.
pub(super) fn frames(flags: u8, body: &[u8]) -> Vec<&[u8]> {
    match flags & FLAGS {
        0 => vec![body],
        lacing => laced(lacing, body).unwrap_or_default(),
    }
}

fn laced(lacing: u8, body: &[u8]) -> Option<Vec<&[u8]>> {
    let (&more, mut rest) = body.split_first()?;
    let mut lengths = Vec::with_capacity(usize::from(more) + 1);
    match lacing {
        FIXED => {
            let count = usize::from(more) + 1;
            let fits = !rest.is_empty() && rest.len().is_multiple_of(count);
            return fits.then(|| rest.chunks(rest.len() / count).collect());
        }
        XIPH => {
            for _ in 0..more {
                let (length, tail) = xiph_length(rest)?;
                rest = tail;
                lengths.push(length);
            }
        }
        // EBML lacing: the first length, then by how much each differs from the one before.
        _ => {
            let mut length = 0;
            for place in 0..more {
                let (value, taken) = vint(rest)?;
                rest = rest.get(taken..)?;
                let value = i64::try_from(value).ok()?;
                // Differences are moved by half of what their bytes can hold.
                let middle = (1 << (7 * taken - 1)) - 1;
                length = if place == 0 { value } else { length + value - middle };
                lengths.push(usize::try_from(length).ok()?);
            }
        }
    }
    let mut frames = Vec::with_capacity(lengths.len() + 1);
    for length in lengths {
        let (frame, tail) = rest.split_at_checked(length)?;
        frames.push(frame);
        rest = tail;
    }
    frames.push(rest);
    Some(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block's body of three frames of 1, 300 and 2 bytes, in front of which `head` stands.
    fn body(head: &[u8]) -> Vec<u8> {
        [head, &[1], &[2; 300], &[3; 2]].concat()
    }

    #[test]
    fn frames_are_as_long_as_their_block_says() {
        let expected: [&[u8]; 3] = [&[1], &[2; 300], &[3; 2]];
        assert_eq!(frames(0x82, &body(&[2, 1, 0xff, 45])), expected, "Xiph");
        // 1, and 299 more in two bytes: 0x4000 + 299 + 8191.
        assert_eq!(frames(0x06, &body(&[2, 0x81, 0x61, 0x2a])), expected, "EBML");
        assert_eq!(frames(0x04, &[1, 7, 7, 8, 8]), [&[7, 7][..], &[8, 8]], "fixed");
        assert_eq!(frames(0x80, &[9, 9]), [&[9, 9][..]], "none");
    }

    #[test]
    fn lengths_that_do_not_fit_make_no_frames() {
        for (flags, body) in [
            (0x02, &[][..]),
            (0x02, &[1]),
            (0x02, &[1, 0xff]),
            (0x02, &[1, 5, 0]),
            (0x04, &[1, 7, 7, 7]),
            (0x06, &[2, 0x81]),
            (0x06, &[2, 0x81, 0x80, 0, 0, 0]),
            (0x06, &[1, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(frames(flags, body), Vec::<&[u8]>::new(), "{flags:x} {body:x?}");
        }
        assert_eq!(frames(0x04, &[3]), Vec::<&[u8]>::new(), "no bytes at all");
    }
}
