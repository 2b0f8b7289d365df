//! The measures by which a stream is sliced. Defaults follow the hosted services.

use crate::time::MediaSpan;

/// The measures of slicing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlicingRules {
    /// A segment of at least this length ends at the next key frame.
    pub target: MediaSpan,
    /// The first segment ends at the first key frame after this instead, where that is sooner.
    pub first: Option<MediaSpan>,
    /// No segment is longer; where no key frame comes, it is cut without one.
    pub max_length: MediaSpan,
    /// No segment goes on past so many bytes.
    pub max_bytes: u64,
    /// A silence of this length ends a segment.
    pub interruption: MediaSpan,
}

impl Default for SlicingRules {
    /// 15 s (the first too), 30 s, 50 MB, 15 s.
    fn default() -> Self {
        Self {
            target: MediaSpan::from_secs(15),
            first: None,
            max_length: MediaSpan::from_secs(30),
            max_bytes: 50_000_000,
            interruption: MediaSpan::from_secs(15),
        }
    }
}
