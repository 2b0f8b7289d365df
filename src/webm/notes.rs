//! Counted oddities of a WebM stream. None of them ends a recording.

use std::ops::Add;

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

impl Add for WebmNotes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            blocks: self.blocks + other.blocks,
            foreign_blocks: self.foreign_blocks + other.foreign_blocks,
            blocks_before_start: self.blocks_before_start + other.blocks_before_start,
            damaged_blocks: self.damaged_blocks + other.damaged_blocks,
            restarts: self.restarts + other.restarts,
            sync_losses: self.sync_losses + other.sync_losses,
            skipped_bytes: self.skipped_bytes + other.skipped_bytes,
        }
    }
}
