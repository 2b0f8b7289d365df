//! What became of a folder that was salvaged.

use serde::{Deserialize, Serialize};

use crate::continuity::{SalvageRecord, SalvageState, SalvagedSegment};
use crate::error::Error;
use crate::ids::{Generation, RecordingId};

/// A folder after its salvage.
#[derive(Debug)]
pub struct Salvage {
    /// Its name.
    pub folder: String,
    /// The recording; `None` where there was nothing of any.
    pub id: Option<RecordingId>,
    /// The turn whose folder it was.
    pub generation: Generation,
    /// What lay in it; `None` where nothing did.
    pub record: Option<SalvageRecord>,
    /// Which of the record's segments were committed by their worker, where that could be found out.
    pub committed: Option<Vec<bool>>,
    /// What stays in the folder.
    pub left: Vec<Remainder>,
    /// Bytes that were removed.
    pub freed: u64,
    /// Why not all was removed that could have been.
    pub uncleared: Option<Error>,
}

/// A file that stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remainder {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
    /// It has the name of a segment: media may be missing.
    pub segment: bool,
}

impl Salvage {
    /// The segments that are in the store now.
    pub fn segments(&self) -> &[SalvagedSegment] {
        self.record.as_ref().map_or(&[], |record| &record.segments)
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.segments().iter().map(|segment| segment.bytes).sum()
    }

    /// Their length.
    pub fn millis(&self) -> u64 {
        self.segments().iter().map(|segment| segment.millis).sum()
    }

    /// Those that were cut back.
    pub fn torn(&self) -> impl Iterator<Item = &SalvagedSegment> {
        self.segments().iter().filter(|segment| segment.state == SalvageState::Torn)
    }

    /// How many of them their worker had committed.
    pub fn already_committed(&self) -> usize {
        self.committed.iter().flatten().filter(|committed| **committed).count()
    }
}
