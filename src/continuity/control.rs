//! The control object: a small JSON document, versioned by `schema`, that says all there is to know about
//! a recording's state.
//!
//! Reading checks it: a document that this program would not have written is an error that says where.
//! Fields of a later program are kept when the document is written again. `tests/golden/control.json` is
//! the form.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::tail::TailEntry;
use crate::checksum::Sha256;
use crate::ids::{Cname, Generation, Sid};
use crate::media::Container;
use crate::naming::{NameKind, ObjectName, Prefix};
use crate::spool::GapCause;
use crate::time::{MediaTime, WallTime};

/// The `schema` of the documents this program writes.
pub(super) const SCHEMA: u32 = 1;

/// What a recording is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Its holder records.
    Recording,
    /// A generation was claimed, and nothing of it is committed yet.
    Recovering,
    /// Its holder has lost its source for good; any claim may follow at once.
    Orphaned,
    /// It has ended. Final.
    Stopped,
    /// It has used up its failovers. Final.
    Abandoned,
}

impl Phase {
    /// Whether nothing can follow.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Stopped | Self::Abandoned)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Who holds a recording; for people. Nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderName {
    /// Random hex digits, new for each turn at a recording.
    pub worker: String,
    /// The machine's name.
    pub host: String,
    /// The process on that machine.
    pub pid: u32,
    /// Whose lease tells whether that process lives, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<String>,
    /// The random recording uid under which this generation joined.
    pub uid: u32,
    /// When it took the recording, by its own clock.
    pub since: WallTime,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl fmt::Display for HolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {} (worker {}, since {})", self.pid, self.host, self.worker, self.since)
    }
}

/// Where an output's committed media ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaEnd {
    /// In ticks of 90 kHz.
    pub time: MediaTime,
    /// The id of the media clock.
    pub clock: u32,
    /// The same as a date.
    pub date: WallTime,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// What is committed of one output of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputState {
    /// The playlist's name, without the prefix.
    pub playlist: String,
    /// What its segments are.
    pub container: Container,
    /// `EXT-X-TARGETDURATION` of its header, in seconds.
    pub target_duration: u32,
    /// Entries committed, gaps included.
    pub segments: u64,
    /// Bytes of the segments.
    pub bytes: u64,
    /// Length of all entries, gaps included.
    pub duration_millis: u64,
    /// Entries that are gaps.
    pub gaps: u64,
    /// Their length.
    pub gap_millis: u64,
    /// The same by cause.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gap_causes: BTreeMap<GapCause, u64>,
    /// Time between entries that none covers: nothing came of the source.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub silent_millis: u64,
    /// Time that two entries in a row cover: the source's clock was set back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub doubled_millis: u64,
    /// Every segment begins with a key frame.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub independent: bool,
    /// The date of the first entry.
    pub begin: WallTime,
    /// Where the last entry ends.
    pub end: MediaEnd,
    /// Hash of the playlist's text with all committed entries, without its end.
    pub hash: Sha256,
    /// Entries that the published playlist is known to hold; the tail begins behind them.
    pub tail_from: u64,
    /// Committed entries that were not yet seen in the published playlist.
    pub tail: Vec<TailEntry>,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(millis: &u64) -> bool {
    *millis == 0
}

/// Where the seal of an older generation is, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealName {
    /// The generation it froze.
    pub generation: Generation,
    /// Its key.
    pub key: String,
    /// Hash of its bytes.
    pub sha256: Sha256,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// The state of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlObject {
    /// Version of this form.
    pub schema: u32,
    /// The recording.
    pub sid: Sid,
    /// Its channel; one sid has one.
    pub cname: Cname,
    /// Folders before the recording's names in the store.
    pub prefix: Prefix,
    /// Grows whenever somebody takes the right to write: claim, stop, abandonment.
    pub epoch: u64,
    /// Grows with every change.
    pub counter: u64,
    /// Names the change that made this version.
    pub nonce: String,
    /// The current turn.
    pub generation: Generation,
    /// Whose turn it is, or was last.
    pub holder: HolderName,
    /// What it is doing.
    pub phase: Phase,
    /// The current generation's outputs, in the order of their first commit.
    pub outputs: Vec<OutputState>,
    /// Of all older generations; of the current one too, once the phase is final.
    pub seals: Vec<SealName>,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Why a document was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDocument(pub(super) String);

impl fmt::Display for InvalidDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidDocument {}

impl ControlObject {
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
        read.check()?;
        Ok(read)
    }

    fn check(&self) -> Result<(), InvalidDocument> {
        let refuse = |what: String| Err(InvalidDocument(what));
        let generation = self.generation;
        let sealed = u64::from(generation.get()) + u64::from(self.phase.is_final());
        if self.seals.len() as u64 != sealed {
            return refuse(format!(
                "generation {generation} and phase {} need {sealed} seals, not {}",
                self.phase,
                self.seals.len()
            ));
        }
        for (seal, expected) in self.seals.iter().zip(0u8..) {
            if seal.generation.get() != expected {
                return refuse(format!("seal {expected} is of generation {}", seal.generation));
            }
        }
        check_outputs(&self.outputs, &self.sid, &self.cname, generation)
    }
}

/// What holds for the outputs of a control object and of a seal.
pub(super) fn check_outputs(
    outputs: &[OutputState],
    sid: &Sid,
    cname: &Cname,
    generation: Generation,
) -> Result<(), InvalidDocument> {
    for output in outputs {
        let name = &output.playlist;
        let fits = name.parse::<ObjectName>().is_ok_and(|name| {
            name.kind == NameKind::Playlist
                && name.generation == generation
                && (&name.recording.sid, &name.recording.cname) == (sid, cname)
        });
        if !fits {
            return Err(InvalidDocument(format!(
                "{name:?} is no playlist of {sid}_{cname}, generation {generation}"
            )));
        }
        if output.tail_from.checked_add(output.tail.len() as u64) != Some(output.segments) {
            return Err(InvalidDocument(format!(
                "{name}: a tail of {} behind {} does not make {} segments",
                output.tail.len(),
                output.tail_from,
                output.segments
            )));
        }
    }
    Ok(())
}

/// # Panics
/// Never: these are plain structs with string keys, whatever they hold. If one were not, an empty text must not
/// take the place of a recording's state.
pub(super) fn encode(document: &impl Serialize) -> Bytes {
    serde_json::to_vec(document).expect("a plain struct with string keys can be written").into()
}

/// Reads a document after a look at its schema, for another schema's fields may mean anything.
pub(super) fn decode<T: for<'a> Deserialize<'a>>(text: &[u8]) -> Result<T, InvalidDocument> {
    #[derive(Deserialize)]
    struct Versioned {
        schema: u32,
    }
    let invalid = |error: serde_json::Error| InvalidDocument(error.to_string());
    let Versioned { schema } = serde_json::from_slice(text).map_err(invalid)?;
    if schema != SCHEMA {
        return Err(InvalidDocument(format!(
            "it has schema {schema}, and this program knows {SCHEMA}: use a newer one"
        )));
    }
    serde_json::from_slice(text).map_err(invalid)
}
