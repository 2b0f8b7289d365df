//! Codecs with their profiles and levels, and the strings by which players are told of them (RFC 6381).

use super::vp9;

/// What a video stream's parameters say of the decoder that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoProfile {
    /// H.264 (ITU-T H.264, 7.4.2.1.1).
    H264 {
        /// `profile_idc`
        profile: u8,
        /// The constraint flags and two reserved bits.
        constraints: u8,
        /// `level_idc`
        level: u8,
    },
    /// H.265 (ITU-T H.265, 7.3.3).
    H265 {
        /// `general_profile_space`
        space: u8,
        /// `general_tier_flag`
        high_tier: bool,
        /// `general_profile_idc`
        profile: u8,
        /// `general_profile_compatibility_flag`, the first in the highest bit.
        compatibility: u32,
        /// The 48 bits of the constraint flags.
        constraints: [u8; 6],
        /// `general_level_idc`
        level: u8,
    },
    /// VP8, which has no profile that matters.
    Vp8,
    /// VP9. Its level follows from the pictures' size, at 30 a second.
    Vp9 {
        /// 0 to 3.
        profile: u8,
        /// Bits of a sample.
        bit_depth: u8,
    },
    /// AV1 (AV1 bitstream specification, 5.5).
    Av1 {
        /// `seq_profile`
        profile: u8,
        /// `seq_level_idx` of the first operating point.
        level: u8,
        /// `seq_tier` of it.
        high_tier: bool,
        /// Bits of a sample.
        bit_depth: u8,
    },
}

/// What the headers of sound say of the decoder that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioProfile {
    /// AAC, by its `audioObjectType`. A backward compatible extension (HE-AAC) is not seen.
    Aac(u8),
    /// MPEG audio, by its layer.
    MpegAudio(u8),
    /// AC-3.
    Ac3,
    /// E-AC-3.
    EAc3,
    /// Opus.
    Opus,
    /// Vorbis.
    Vorbis,
}

impl VideoProfile {
    /// The string for pictures of that size.
    pub(super) fn codec_string(self, width: u32, height: u32) -> String {
        match self {
            Self::H264 { profile, constraints, level } => {
                format!("avc1.{profile:02x}{constraints:02x}{level:02x}")
            }
            Self::H265 { space, high_tier, profile, compatibility, constraints, level } => {
                let space = ["", "A", "B", "C"].get(usize::from(space)).copied().unwrap_or_default();
                let tier = if high_tier { 'H' } else { 'L' };
                let compatibility = compatibility.reverse_bits();
                let mut string = format!("hvc1.{space}{profile}.{compatibility:X}.{tier}{level}");
                // Zero bytes at the end are left out (ISO/IEC 14496-15, annex E).
                let used = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                for byte in constraints.iter().take(used) {
                    string.push_str(&format!(".{byte:X}"));
                }
                string
            }
            Self::Vp8 => "vp8".to_owned(),
            Self::Vp9 { profile, bit_depth } => {
                let level = vp9::level(width, height, None);
                format!("vp09.{profile:02}.{level:02}.{bit_depth:02}")
            }
            Self::Av1 { profile, level, high_tier, bit_depth } => {
                let tier = if high_tier { 'H' } else { 'M' };
                format!("av01.{profile}.{level:02}{tier}.{bit_depth:02}")
            }
        }
    }
}

impl AudioProfile {
    pub(super) fn codec_string(self) -> String {
        match self {
            Self::Aac(object_type) => format!("mp4a.40.{object_type}"),
            // Object types 32 to 34 are layers I to III (ISO/IEC 14496-3, 1.5.1.1).
            Self::MpegAudio(layer) => format!("mp4a.40.{}", 31 + u32::from(layer)),
            Self::Ac3 => "ac-3".to_owned(),
            Self::EAc3 => "ec-3".to_owned(),
            Self::Opus => "opus".to_owned(),
            Self::Vorbis => "vorbis".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_those_of_the_registrations() {
        let h265 = VideoProfile::H265 {
            space: 0,
            high_tier: false,
            profile: 1,
            compatibility: 0x6000_0000,
            constraints: [0xb0, 0, 0, 0, 0, 0],
            level: 93,
        };
        let cases = [
            (VideoProfile::H264 { profile: 100, constraints: 0, level: 40 }, "avc1.640028"),
            (VideoProfile::H264 { profile: 66, constraints: 0xe0, level: 30 }, "avc1.42e01e"),
            (h265, "hvc1.1.6.L93.B0"),
            (VideoProfile::Vp8, "vp8"),
            (VideoProfile::Vp9 { profile: 0, bit_depth: 8 }, "vp09.00.40.08"),
            (VideoProfile::Av1 { profile: 0, level: 4, high_tier: false, bit_depth: 10 }, "av01.0.04M.10"),
        ];
        for (profile, expected) in cases {
            assert_eq!(profile.codec_string(1920, 1080), expected);
        }
        let sound = [
            (AudioProfile::Aac(2), "mp4a.40.2"),
            (AudioProfile::MpegAudio(3), "mp4a.40.34"),
            (AudioProfile::Ac3, "ac-3"),
            (AudioProfile::EAc3, "ec-3"),
            (AudioProfile::Opus, "opus"),
            (AudioProfile::Vorbis, "vorbis"),
        ];
        for (profile, expected) in sound {
            assert_eq!(profile.codec_string(), expected);
        }
    }
}
