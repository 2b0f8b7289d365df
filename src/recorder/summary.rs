//! What became of a recording.

use serde::Serialize;

use crate::continuity::Phase;
use crate::ts::Notes;

/// The recording at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Recording id.
    pub sid: String,
    /// Channel name.
    pub cname: String,
    /// How it was left: `Stopped`, or `Orphaned` and open for another worker.
    pub phase: Phase,
    /// This worker's turn at the recording, from 0.
    pub generation: u8,
    /// The random recording uid of this turn.
    pub uid: u32,
    /// In the order they were opened.
    pub outputs: Vec<OutputSummary>,
}

/// One output at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputSummary {
    /// The playlist's key; `None` where nothing was recorded.
    pub playlist: Option<String>,
    /// Segments that are committed: they belong to the recording.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their length.
    pub duration_millis: u64,
    /// Segments that the playlist in the store lists.
    pub listed: u64,
    /// Segments that could not be stored and committed; they are in the spool.
    pub uncommitted: u64,
    /// All segments are committed, and the playlist shows them and its end.
    pub complete: bool,
    /// Segments that do not begin with a key frame.
    pub without_key_frame: u64,
    /// Counted oddities of the input.
    pub notes: Notes,
}
