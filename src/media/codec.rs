//! The codecs whose streams this project looks into. All others pass through unread.

use std::fmt;

use super::{AudioFormat, ac3, adts, mpeg_audio};

/// A video codec whose access units can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// ITU-T H.264, Annex B byte stream.
    H264,
    /// ITU-T H.265, Annex B byte stream.
    H265,
    /// ISO/IEC 13818-2 (H.262), and ISO/IEC 11172-2 with the same headers.
    Mpeg2,
}

/// An audio codec that the recorder knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// AAC in ADTS frames.
    Aac,
    /// MPEG-1, MPEG-2 and MPEG-2.5 audio, layers I to III.
    MpegAudio,
    /// AC-3 and E-AC-3.
    Ac3,
    /// Opus.
    Opus,
}

impl AudioCodec {
    /// The format that the first frame of `payload` announces: the bytes of one PES packet, from its
    /// first elementary stream byte.
    ///
    /// `None` when no legal frame header stands at byte 0, as in a PES packet that begins in the middle
    /// of a frame, and always for Opus, whose channel count stands in the PMT.
    pub fn format(self, payload: &[u8]) -> Option<AudioFormat> {
        match self {
            Self::Aac => adts::format(payload),
            Self::MpegAudio => mpeg_audio::format(payload),
            Self::Ac3 => ac3::format(payload),
            Self::Opus => None,
        }
    }
}

impl fmt::Display for VideoCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
            Self::Mpeg2 => "MPEG-2 video",
        })
    }
}

impl fmt::Display for AudioCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aac => "AAC",
            Self::MpegAudio => "MPEG audio",
            Self::Ac3 => "AC-3",
            Self::Opus => "Opus",
        })
    }
}
