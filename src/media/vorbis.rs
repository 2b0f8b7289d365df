//! Vorbis: what its headers tell (Vorbis I specification, 4.2).

use bytes::Bytes;

use super::{AudioFormat, AudioProfile, xiph_length};

/// The three headers of a stream, as WebM's `CodecPrivate` has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VorbisHeaders {
    /// The record as it came.
    pub record: Bytes,
    /// What the identification header says.
    pub format: AudioFormat,
}

impl VorbisHeaders {
    /// Reads the record; `None` for what is none.
    pub fn parse(record: &Bytes) -> Option<Self> {
        // Three packets, of which the first two tell their lengths, in bytes of 255 and one below.
        let (&[2], rest) = record.split_first_chunk()? else { return None };
        let (first, rest) = xiph_length(rest)?;
        let (second, rest) = xiph_length(rest)?;
        let (identification, others) = rest.split_at_checked(first)?;
        let (_, setup) = others.split_at_checked(second)?;
        let &[1, b'v', b'o', b'r', b'b', b'i', b's', 0, 0, 0, 0, channels, a, b, c, d] =
            identification.first_chunk()?
        else {
            return None;
        };
        let sample_rate = u32::from_le_bytes([a, b, c, d]);
        let format = AudioFormat { sample_rate, channels, profile: AudioProfile::Vorbis };
        let legal = channels > 0 && format.sample_rate > 0 && setup.starts_with(b"\x05vorbis");
        legal.then(|| Self { record: record.clone(), format })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_told_from_what_is_none() {
        let identification = b"\x01vorbis\0\0\0\0\x02\x80\xbb\0\0rest";
        let record = |first: &[u8]| {
            let comment = vec![3; 300];
            Bytes::from([&[2, first.len() as u8, 0xff, 45][..], first, &comment, b"\x05vorbis..."].concat())
        };
        let good = record(identification);
        let format = AudioFormat { sample_rate: 48_000, channels: 2, profile: AudioProfile::Vorbis };
        assert_eq!(VorbisHeaders::parse(&good).map(|headers| headers.format), Some(format));
        for len in 0..good.len() - 3 {
            assert_eq!(VorbisHeaders::parse(&good.slice(..len)), None, "{len}");
        }
        assert_eq!(VorbisHeaders::parse(&record(b"\x01vorbis\0\0\0\0\x00\x80\xbb\0\0rest")), None);
        assert_eq!(VorbisHeaders::parse(&record(&identification[..15])), None);
    }
}
