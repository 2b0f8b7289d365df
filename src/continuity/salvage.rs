//! The record of a salvage: what a dead worker had left in its spool, and what became of it.
//!
//! It lies beside the recording's seals, one for each folder of a spool, numbered within their generation: so they are found
//! without a listing. It is a pure function of what lay in the folder: who salvages it a second time writes the same
//! bytes. All segments that lay there are in it, those too that had been committed; who reads it leaves out what a seal,
//! the control object or a playlist has.
//! `tests/golden/salvage.json` is the form.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::control::{InvalidDocument, SCHEMA, decode, encode};
use super::tail::compact;
use crate::checksum::{Crc64, Sha256};
use crate::ids::{Cname, Generation, RecordingId, Sid};
use crate::naming::{NameKind, ObjectName, Prefix, key};
use crate::spool::GapCause;
use crate::time::{MediaTime, WallTime};

/// Records of one generation: its worker has one folder, and that may be changed after its salvage, by hand.
const MOST: u32 = 64;

/// What a folder of a spool held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SalvageRecord {
    /// Version of this form.
    pub schema: u32,
    /// The recording.
    pub sid: Sid,
    /// Its channel.
    pub cname: Cname,
    /// Folders before the recording's names in the store.
    pub prefix: Prefix,
    /// The turn of the worker whose folder it was.
    pub generation: Generation,
    /// The folder: 8 hex digits.
    pub folder: String,
    /// The worker, where its description could be read.
    pub worker: Option<SalvagedWorker>,
    /// What is in the store now, in the order of the names.
    pub segments: Vec<SalvagedSegment>,
    /// What is not.
    pub lost: Vec<LostSegment>,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Whose folder it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SalvagedWorker {
    /// The random recording uid of its turn.
    pub uid: u32,
    /// The machine's name.
    pub host: String,
    /// The process on that machine.
    pub pid: u32,
    /// When it took the recording, by its own clock.
    pub since: WallTime,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// In what state a segment was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SalvageState {
    /// As its worker completed it.
    Whole,
    /// Cut back to what is whole of it.
    Torn,
}

/// Why a segment was taken for torn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TornCause {
    /// It was not complete.
    Open,
    /// It was, and its bytes are others than those that were sealed.
    Damaged,
    /// What was known of it is lost, and taken from its name and its bytes: the date is that of its name, and its clock, 0, is
    /// no other segment's.
    NoFacts,
    /// A cause that a later program names.
    #[serde(other)]
    Unknown,
}

/// A segment that is in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SalvagedSegment {
    /// Its output's playlist, without the prefix.
    pub playlist: String,
    /// Its place there, from 0, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<u64>,
    /// Its key.
    pub key: String,
    /// How it was found.
    pub state: SalvageState,
    /// Why it is torn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<TornCause>,
    /// The 17 digits of its name.
    #[serde(with = "compact")]
    pub utc: WallTime,
    /// First presentation time, in ticks of 90 kHz.
    pub start: MediaTime,
    /// The id of the media clock.
    pub clock: u32,
    /// The date of `start`.
    pub date: WallTime,
    /// Its length.
    pub millis: u64,
    /// The object's size.
    pub bytes: u64,
    /// The object's checksum.
    pub crc64: Crc64,
    /// The object's hash.
    pub sha256: Sha256,
    /// It does not continue the segment before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub discontinuity: bool,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Why a segment is in no store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossCause {
    /// Its worker gave it up: the spool was full.
    SpoolFull,
    /// Its worker gave it up: the spool's disk was full.
    DiskFull,
    /// Its worker gave it up: the spool's disk failed.
    SpoolFailed,
    /// Its file is gone, and it is not in the store.
    Missing,
    /// Its file is no media any more.
    Damaged,
    /// Nothing whole had been written of it.
    Empty,
    /// A cause that a later program names.
    #[serde(other)]
    Unknown,
}

impl LossCause {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SpoolFull => GapCause::SpoolFull.as_str(),
            Self::DiskFull => GapCause::DiskFull.as_str(),
            Self::SpoolFailed => GapCause::SpoolFailed.as_str(),
            Self::Missing => "its file is gone from the spool, and it is not in the store",
            Self::Damaged => "its file is damaged, and holds no media",
            Self::Empty => "nothing whole of it had been written",
            Self::Unknown => GapCause::Unknown.as_str(),
        }
    }
}

impl From<GapCause> for LossCause {
    fn from(cause: GapCause) -> Self {
        match cause {
            GapCause::SpoolFull => Self::SpoolFull,
            GapCause::DiskFull => Self::DiskFull,
            GapCause::SpoolFailed => Self::SpoolFailed,
            GapCause::Unknown => Self::Unknown,
        }
    }
}

/// A segment that is not in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostSegment {
    /// Its output's playlist, without the prefix.
    pub playlist: String,
    /// Its place there, from 0, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<u64>,
    /// The name it would have, without the prefix.
    pub name: String,
    /// Why.
    pub cause: LossCause,
    /// First presentation time, in ticks of 90 kHz, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<MediaTime>,
    /// The id of the media clock, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<u32>,
    /// When it began.
    pub date: WallTime,
    /// Its length, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millis: Option<u64>,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl SalvageRecord {
    /// The version of the form.
    pub const SCHEMA: u32 = SCHEMA;

    /// The recording.
    pub fn id(&self) -> RecordingId {
        RecordingId { sid: self.sid.clone(), cname: self.cname.clone() }
    }

    /// The names that records of a generation may have in the recording's folder of control objects, in their order; a record
    /// takes the first that no other has.
    pub fn names(generation: Generation) -> impl Iterator<Item = String> {
        (0..MOST).map(move |number| format!("salvage-{generation}-{number}.json"))
    }

    /// The document's text.
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// Reads and checks a document.
    ///
    /// # Errors
    /// Where it is no JSON, of another schema, or says what cannot be.
    pub fn decode(text: &[u8]) -> Result<Self, InvalidDocument> {
        let read: Self = decode(text)?;
        for segment in &read.segments {
            let name = segment.key.rsplit('/').next().unwrap_or_default();
            let named = read.named(&segment.playlist, name);
            if !named || segment.key != key(&read.prefix, &name) {
                return Err(InvalidDocument(format!(
                    "{:?} is no segment of {:?}",
                    segment.key, segment.playlist
                )));
            }
        }
        match read.lost.iter().find(|lost| !read.named(&lost.playlist, &lost.name)) {
            Some(lost) => {
                Err(InvalidDocument(format!("{:?} is no segment of {:?}", lost.name, lost.playlist)))
            }
            None => Ok(read),
        }
    }

    /// Whether that is a segment of that playlist, and this a playlist of the record's turn.
    fn named(&self, playlist: &str, segment: &str) -> bool {
        let (Ok(playlist), Ok(segment)) = (playlist.parse::<ObjectName>(), segment.parse::<ObjectName>())
        else {
            return false;
        };
        let of_turn = (playlist.generation, &playlist.recording) == (self.generation, &self.id());
        let is_segment = matches!(segment.kind, NameKind::Segment { .. });
        of_turn && is_segment && playlist == ObjectName { kind: NameKind::Playlist, ..segment }
    }
}
