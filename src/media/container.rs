//! The containers that segments come in.

use serde::{Deserialize, Serialize};

/// What a segment is wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Container {
    /// MPEG-2 transport stream (ISO/IEC 13818-1).
    #[serde(rename = "ts")]
    MpegTs,
    /// WebM, the subset of Matroska (RFC 9559) that browsers record.
    #[serde(rename = "webm")]
    WebM,
}

impl Container {
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
