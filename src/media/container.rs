//! The containers that segments come in.

use serde::{Deserialize, Serialize};

/// What a segment is wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Container {
    /// MPEG-2 transport stream (ISO/IEC 13818-1).
    #[default]
    #[serde(rename = "ts")]
    MpegTs,
    /// WebM, the subset of Matroska (RFC 9559) that browsers record.
    #[serde(rename = "webm")]
    WebM,
}

impl Container {
    /// The container of a stream that begins with `bytes`, some kilobytes of it: WebM where a file of it begins there, else a
    /// transport stream.
    pub fn of_stream(bytes: &[u8]) -> Self {
        const EBML: [u8; 4] = 0x1a45_dfa3_u32.to_be_bytes();
        if bytes.starts_with(&EBML) { Self::WebM } else { Self::MpegTs }
    }

    /// The end of an object's name, without its dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::MpegTs => "ts",
            Self::WebM => "webm",
        }
    }

    /// The container with that extension.
    pub fn from_extension(extension: &str) -> Option<Self> {
        [Self::MpegTs, Self::WebM].into_iter().find(|container| container.extension() == extension)
    }

    /// The media type that a store should serve the segment with.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::MpegTs => "video/mp2t",
            Self::WebM => "video/webm",
        }
    }
}
