//! The codecs that WebM holds, by their names in it.

use std::fmt;

use super::opus::opus_samples;
use super::{ColourSpace, UnitFacts, av1, vp8, vp9};

/// A video codec of WebM. Its frames come whole, one a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebmVideo {
    /// VP8 (RFC 6386).
    Vp8,
    /// VP9.
    Vp9,
    /// AV1.
    Av1,
}

/// An audio codec of WebM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebmAudio {
    /// Opus (RFC 6716).
    Opus,
    /// Vorbis.
    Vorbis,
}

impl WebmVideo {
    /// The codec with that `CodecID`.
    pub fn from_id(id: &str) -> Option<Self> {
        match id {
            "V_VP8" => Some(Self::Vp8),
            "V_VP9" => Some(Self::Vp9),
            "V_AV1" => Some(Self::Av1),
            _ => None,
        }
    }

    /// What a frame tells of itself; `None` where it has no header that can be read.
    pub fn facts(self, frame: &[u8]) -> Option<UnitFacts> {
        match self {
            Self::Vp8 => vp8::facts(frame),
            Self::Vp9 => vp9::facts(frame),
            Self::Av1 => av1::facts(frame),
        }
    }

    /// How the colours of a key frame are to be read, where it tells that.
    pub fn colour(self, frame: &[u8]) -> Option<ColourSpace> {
        match self {
            Self::Vp8 => None,
            Self::Vp9 => vp9::colour(frame),
            Self::Av1 => av1::colour(frame),
        }
    }
}

impl WebmAudio {
    /// The codec with that `CodecID`.
    pub fn from_id(id: &str) -> Option<Self> {
        match id {
            "A_OPUS" => Some(Self::Opus),
            "A_VORBIS" => Some(Self::Vorbis),
            _ => None,
        }
    }

    /// How long a frame sounds, in nanoseconds, where it tells that.
    pub fn duration_nanos(self, frame: &[u8]) -> Option<u64> {
        match self {
            // Opus is always counted at 48 kHz.
            Self::Opus => opus_samples(frame).map(|samples| u64::from(samples) * 1_000_000 / 48),
            Self::Vorbis => None,
        }
    }
}

impl fmt::Display for WebmVideo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
        })
    }
}

impl fmt::Display for WebmAudio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opus => "Opus",
            Self::Vorbis => "Vorbis",
        })
    }
}
