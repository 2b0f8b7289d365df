//! What an object is, and the HTTP headers that follow from it.
//!
//! Players choose their parser by `Content-Type` when a link has no usable ending, and caches between
//! store and player obey `Cache-Control`. A segment never changes once stored; a playlist does.

use object_store::{Attribute, Attributes};

use crate::media::Container;
use crate::naming::{NameKind, ObjectName};

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// An M3U8 playlist: rewritten while the recording runs.
    Playlist,
    /// An MPEG-TS segment.
    TsSegment,
    /// A WebM segment.
    WebmSegment,
    /// A recording exported as MPEG-TS.
    TsExport,
    /// A recording exported as MP4, or a part of it.
    Mp4Export,
    /// A recording exported as WebM.
    WebmExport,
    /// A JSON document of the recorder's own: control objects, seals, leases.
    Control,
}

impl ObjectKind {
    /// What a recorded object is.
    pub const fn of(name: &ObjectName) -> Self {
        match name.kind {
            NameKind::Playlist => Self::Playlist,
            NameKind::Segment { container: Container::MpegTs, .. } => Self::TsSegment,
            NameKind::Segment { container: Container::WebM, .. } => Self::WebmSegment,
        }
    }

    /// The object's media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            // RFC 8216, section 10.
            Self::Playlist => "application/vnd.apple.mpegurl",
            // RFC 3555, section 4.2.9.
            Self::TsSegment | Self::TsExport => "video/mp2t",
            // RFC 4337.
            Self::Mp4Export => "video/mp4",
            Self::WebmSegment | Self::WebmExport => "video/webm",
            Self::Control => "application/json",
        }
    }

    /// What caches may do with the object.
    pub const fn cache_control(self) -> &'static str {
        match self {
            // An export may be made again.
            Self::Playlist | Self::Control | Self::TsExport | Self::Mp4Export | Self::WebmExport => {
                "no-cache"
            }
            Self::TsSegment | Self::WebmSegment => "public, max-age=31536000, immutable",
        }
    }

    /// Both headers, in the form `object_store` takes them.
    pub(super) fn attributes(self) -> Attributes {
        Attributes::from_iter([
            (Attribute::ContentType, self.content_type()),
            (Attribute::CacheControl, self.cache_control()),
        ])
    }
}
