//! Counted oddities of an input, by its container.

use serde::Serialize;

use crate::media::FrameNotes;
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
    /// Of encoded frames.
    Frames(FrameNotes),
}

impl Notes {
    /// The sum with what was counted before, of an output that was opened again. With an input of another kind there is none:
    /// then these alone.
    #[must_use]
    pub fn after(self, earlier: Self) -> Self {
        match (self, earlier) {
            (Self::MpegTs(notes), Self::MpegTs(earlier)) => Self::MpegTs(notes + earlier),
            (Self::WebM(notes), Self::WebM(earlier)) => Self::WebM(notes + earlier),
            (Self::Frames(notes), Self::Frames(earlier)) => Self::Frames(notes + earlier),
            (notes, _) => notes,
        }
    }

    /// The counts that speak of a fault; the others, which every stream has, are 0.
    #[must_use]
    pub fn faults(self) -> Self {
        match self {
            Self::MpegTs(notes) => Self::MpegTs(notes.faults()),
            Self::WebM(notes) => Self::WebM(notes.faults()),
            Self::Frames(notes) => Self::Frames(notes.faults()),
        }
    }
}
