//! Counted oddities of a WebM stream. None of them ends a recording.

use serde::Serialize;

/// What was seen and what was left out, since the begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WebmNotes {
    /// Blocks looked at.
    pub blocks: u64,
    /// Blocks of tracks that no entry announces, dropped.
    pub foreign_blocks: u64,
    /// Blocks dropped before the first segment began: no key frame yet.
    pub blocks_before_start: u64,
    /// Blocks without a legal header, dropped.
    pub damaged_blocks: u64,
    /// Further files in the stream: an encoder that began anew.
    pub restarts: u64,
    /// How often the order of elements was lost.
    pub sync_losses: u64,
    /// Bytes that belong to no element, dropped.
    pub skipped_bytes: u64,
}

impl WebmNotes {
    /// The counts that speak of a fault; the others, which every stream has, are 0.
    #[must_use]
    pub fn faults(self) -> Self {
        Self { blocks: 0, blocks_before_start: 0, ..self }
    }
}
