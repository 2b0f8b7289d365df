//! What became of a recording.

use serde::Serialize;

use crate::ts::Notes;

/// The recording at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Recording id.
    pub sid: String,
    /// Channel name.
    pub cname: String,
    /// In the order they were opened.
    pub outputs: Vec<OutputSummary>,
}

/// One output at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputSummary {
    /// The playlist's key; `None` where nothing was recorded.
    pub playlist: Option<String>,
    /// Segments that the playlist lists.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their length.
    pub duration_millis: u64,
    /// Segments that could not be stored and listed; they are in the spool.
    pub unlisted: u64,
    /// The playlist shows all segments and its end.
    pub complete: bool,
    /// Segments that do not begin with a key frame.
    pub without_key_frame: u64,
    /// Counted oddities of the input.
    pub notes: Notes,
}
