//! What a stream looks and sounds like: the parameters whose change ends a segment.

use std::fmt;

use super::{AudioProfile, VideoProfile};

/// The size of the pictures, in luma samples, after cropping, and what decodes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VideoFormat {
    /// Samples across; never 0.
    pub width: u32,
    /// Samples down, of a whole frame where fields are coded; never 0.
    pub height: u32,
    /// Codec, profile and level; `None` for MPEG-2, of which none are read.
    pub profile: Option<VideoProfile>,
}

impl VideoFormat {
    /// A format, unless a side is 0.
    pub(super) fn checked(width: u32, height: u32, profile: Option<VideoProfile>) -> Option<Self> {
        (width != 0 && height != 0).then_some(Self { width, height, profile })
    }

    /// The string by which players are told of the codec (RFC 6381), where its profile is known.
    pub fn codec_string(&self) -> Option<String> {
        self.profile.map(|profile| profile.codec_string(self.width, self.height))
    }
}

/// The shape of the sound, as its frame headers announce it.
///
/// A backward compatible extension may double what is heard: the sample rate of HE-AAC, the channels
/// of HE-AAC v2 and of E-AC-3 with dependent substreams. Headers change when the sound does, and that is
/// what these numbers are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AudioFormat {
    /// Samples per second.
    pub sample_rate: u32,
    /// Channels, those for low frequencies included; never 0.
    pub channels: u8,
    /// What decodes it.
    pub profile: AudioProfile,
}

impl AudioFormat {
    /// The string by which players are told of the codec (RFC 6381).
    pub fn codec_string(&self) -> String {
        self.profile.codec_string()
    }
}

impl fmt::Display for VideoFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl fmt::Display for AudioFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz, {} channels", self.sample_rate, self.channels)
    }
}
