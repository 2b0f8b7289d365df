//! One segment of an export, and where it goes.

use bytes::Bytes;

use crate::time::{MediaSpan, WallTime};

/// A segment, whole or as stitching trimmed it.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its key, for messages.
    pub key: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// Its date.
    pub date: Option<WallTime>,
    /// Its time stamps follow those of the part before.
    pub continues: bool,
    /// Its length, by its entry.
    pub length: MediaSpan,
    /// Time that nothing covers between the part before and this one, to be kept in the output.
    pub gap: MediaSpan,
}
