//! Counted oddities of an input, by its container.

use serde::Serialize;

use crate::ts::Notes as TsNotes;
use crate::webm::WebmNotes;

/// What was seen of an input and what was left out, since the begin. None of it ends a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Notes {
    /// Of a transport stream.
    MpegTs(TsNotes),
    /// Of WebM.
    WebM(WebmNotes),
}

impl Notes {
    /// The counts that speak of a fault; the others, which every stream has, are 0.
    #[must_use]
    pub fn faults(self) -> Self {
        match self {
            Self::MpegTs(notes) => Self::MpegTs(notes.faults()),
            Self::WebM(notes) => Self::WebM(notes.faults()),
        }
    }
}
