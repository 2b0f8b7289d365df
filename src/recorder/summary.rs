//! What became of a recording.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::continuity::Phase;
use crate::slicer::Notes;
use crate::spool::GapCause;
use crate::time::WallTime;
use crate::upload::FinishedOutput;

/// The recording at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Recording id.
    pub sid: String,
    /// Channel name.
    pub cname: String,
    /// The store's URL, without credentials.
    pub store: String,
    /// How it was left: `Stopped`, or `Orphaned` and open for another worker; `None` where it could not be.
    pub phase: Option<Phase>,
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
    /// What became of each second between the first frame and the last.
    #[serde(flatten)]
    pub account: Account,
    /// Entries that the playlist in the store lists.
    pub listed: u64,
    /// All is committed, and the playlist shows it and its end. There may be gaps.
    pub complete: bool,
    /// Segments that do not begin with a key frame.
    pub without_key_frame: u64,
    /// Counted oddities of the input.
    pub notes: Notes,
}

/// What became of the media of an output: `committed`, lost in gaps, or in the spool still. Together with the time
/// in which nothing came they make the time from its begin to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Segments that are committed: they belong to the recording.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their length.
    pub duration_millis: u64,
    /// Segments that were given up; gaps take their places in the playlist.
    pub gaps: u64,
    /// Their length.
    pub gap_millis: u64,
    /// The same by cause.
    pub gap_causes: BTreeMap<GapCause, u64>,
    /// Time between segments in which nothing came of the source.
    pub silent_millis: u64,
    /// Time that two segments in a row cover, because the source's clock was set back.
    pub doubled_millis: u64,
    /// Segments that could not be stored and committed; they are in the spool.
    pub uncommitted: u64,
    /// Their length.
    pub uncommitted_millis: u64,
    /// The date of the first frame that is committed.
    pub begin: Option<WallTime>,
    /// The date at which what is committed ends.
    pub end: Option<WallTime>,
}

impl OutputSummary {
    pub(super) fn new(finished: &FinishedOutput, without_key_frame: u64, notes: Notes) -> Self {
        Self {
            playlist: finished.playlist.clone(),
            account: Account::new(finished),
            listed: finished.listed,
            complete: finished.complete,
            without_key_frame,
            notes,
        }
    }
}

impl Account {
    fn new(finished: &FinishedOutput) -> Self {
        let (uncommitted, uncommitted_millis) = (finished.uncommitted, finished.uncommitted_millis);
        let Some(state) = &finished.committed else {
            return Self { uncommitted, uncommitted_millis, ..Self::default() };
        };
        Self {
            segments: state.segments.saturating_sub(state.gaps),
            bytes: state.bytes,
            duration_millis: state.duration_millis.saturating_sub(state.gap_millis),
            gaps: state.gaps,
            gap_millis: state.gap_millis,
            gap_causes: state.gap_causes.clone(),
            silent_millis: state.silent_millis,
            doubled_millis: state.doubled_millis,
            uncommitted,
            uncommitted_millis,
            begin: Some(state.begin),
            end: Some(state.end.date),
        }
    }
}
