//! What a container's reader gives out: the bytes of segments.

use bytes::Bytes;

/// The next piece of the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// A segment begins.
    Opened,
    /// Bytes of the open segment.
    Bytes(Bytes),
    /// Bytes of the open segment become others. After the first of these only more of them come before its end.
    Patch(Patch),
    /// The open segment has all its bytes.
    Sealed,
}

/// Bytes that were given out and become others, as many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Where the first of them stands in the segment.
    pub offset: u64,
    /// What they were.
    pub old: Bytes,
    /// What they become.
    pub new: Bytes,
}
