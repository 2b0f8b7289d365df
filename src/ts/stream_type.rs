//! `stream_type` of a program map (ISO/IEC 13818-1, table 2-34, and what ATSC, DVB and SMPTE add).

use crate::media::{AudioCodec, VideoCodec};

/// The code as the map has it. Any value is legal; unknown ones pass through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamType(pub u8);

/// What a stream is to the slicer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    /// Pictures. Without a codec whose access units are understood, the stream's own flags decide.
    Video(Option<VideoCodec>),
    /// Sound. Without a codec, changes of its parameters go unseen.
    Audio(Option<AudioCodec>),
    /// PES packets of another kind: subtitles, timed metadata.
    Data,
    /// Sections, not PES packets.
    Sections,
}

impl StreamType {
    /// PES packets whose content the descriptors tell.
    pub const PRIVATE_PES: Self = Self(0x06);

    /// The kind, which `descriptors` (tag, length, value; 2.6) settle for private streams.
    pub fn kind(self, descriptors: &[u8]) -> StreamKind {
        match self.0 {
            0x01 | 0x02 => StreamKind::Video(Some(VideoCodec::Mpeg2)),
            0x1b => StreamKind::Video(Some(VideoCodec::H264)),
            0x24 => StreamKind::Video(Some(VideoCodec::H265)),
            // MPEG-4 part 2, auxiliary and 3D pictures, SVC and MVC, JPEG 2000, H.265 layers, VVC, EVC,
            // AVS, VC-1, Dirac.
            0x10 | 0x1e..=0x23 | 0x25..=0x2c | 0x31..=0x33 | 0x35 | 0x42 | 0xd1 | 0xd2 | 0xd4 | 0xea => {
                StreamKind::Video(None)
            }
            0x03 | 0x04 => StreamKind::Audio(Some(AudioCodec::MpegAudio)),
            0x0f => StreamKind::Audio(Some(AudioCodec::Aac)),
            0x81 | 0x87 => StreamKind::Audio(Some(AudioCodec::Ac3)),
            // LATM, raw MPEG-4 audio, MPEG-H, LPCM, DTS and TrueHD of Blu-ray.
            0x11 | 0x1c | 0x2d | 0x2e | 0x80 | 0x82..=0x85 | 0x8a | 0xa1 | 0xa2 => StreamKind::Audio(None),
            0x05 | 0x08..=0x0e | 0x14 | 0x16..=0x1a | 0x86 | 0xc0 => StreamKind::Sections,
            0x06 => private_kind(descriptors),
            _ => StreamKind::Data,
        }
    }
}

fn private_kind(descriptors: &[u8]) -> StreamKind {
    for (tag, value) in Descriptors(descriptors) {
        match (tag, value) {
            (0x05, b"Opus") => return StreamKind::Audio(opus_codec(descriptors)),
            (0x05, b"HEVC") => return StreamKind::Video(Some(VideoCodec::H265)),
            (0x05, b"AV01") => return StreamKind::Video(None),
            // AC-3 and E-AC-3 of DVB (ETSI EN 300 468, annex D), and AC-3 by registration.
            (0x6a | 0x7a, _) | (0x05, b"AC-3" | b"EAC3") => {
                return StreamKind::Audio(Some(AudioCodec::Ac3));
            }
            // DTS and AAC of DVB.
            (0x7b | 0x7c, _) => return StreamKind::Audio(None),
            _ => {}
        }
    }
    StreamKind::Data
}

/// Opus of one or two channels. More are several streams in one (ETSI TS 103 491), which nobody here takes apart.
fn opus_codec(descriptors: &[u8]) -> Option<AudioCodec> {
    let many = |(tag, value): (u8, &[u8])| tag == 0x7f && matches!(value, [0x80, code, ..] if *code > 2);
    (!Descriptors(descriptors).any(many)).then_some(AudioCodec::Opus)
}

/// Walks a descriptor loop; stops where a length leads out of it.
struct Descriptors<'a>(&'a [u8]);

impl<'a> Iterator for Descriptors<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[tag, len], rest) = self.0.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(usize::from(len))?;
        self.0 = rest;
        Some((tag, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_streams_are_told_by_their_descriptors() {
        let opus = [0x05, 4, b'O', b'p', b'u', b's', 0x7f, 2, 0x80, 2];
        let surround = [0x05, 4, b'O', b'p', b'u', b's', 0x7f, 2, 0x80, 6];
        let cases: [(&[u8], StreamKind); 5] = [
            (&surround, StreamKind::Audio(None)),
            (&opus, StreamKind::Audio(Some(AudioCodec::Opus))),
            (&[0x0a, 1, 0, 0x6a, 1, 0], StreamKind::Audio(Some(AudioCodec::Ac3))),
            (&[0x59, 0], StreamKind::Data),
            (&[0x05, 40, b'O'], StreamKind::Data),
        ];
        for (descriptors, kind) in cases {
            assert_eq!(StreamType::PRIVATE_PES.kind(descriptors), kind, "{descriptors:x?}");
        }
        assert_eq!(StreamType(0x33).kind(&[]), StreamKind::Video(None));
        assert_eq!(StreamType(0xfe).kind(&[]), StreamKind::Data);
    }
}
