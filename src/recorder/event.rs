//! What happens while a recording runs, for whoever watches.

use serde::Serialize;

use crate::slicer::CutReason;
use crate::ts::Notes;

/// One event. Serialized with its name in `event`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A segment has begun.
    SegmentOpened {
        /// The output's playlist.
        playlist: String,
        /// The segment's place in it, from 0.
        segment: u64,
        /// Date of its first frame.
        date: String,
        /// It begins with a key frame.
        starts_with_key: bool,
        /// It does not continue the one before.
        discontinuity: bool,
    },
    /// A segment is in the store.
    SegmentStored {
        /// The output's playlist.
        playlist: String,
        /// The segment's place in it, from 0.
        segment: u64,
        /// Its object.
        name: String,
        /// Its size.
        bytes: u64,
        /// Its length.
        duration_millis: u64,
        /// Why it ended.
        reason: CutReason,
    },
    /// More segments belong to the recording, whatever happens to this worker.
    SegmentCommitted {
        /// The output's playlist.
        playlist: String,
        /// How many are committed.
        segments: u64,
    },
    /// The playlist in the store lists more segments.
    SegmentListed {
        /// The output's playlist.
        playlist: String,
        /// How many it lists.
        segments: u64,
        /// It shows the end.
        ended: bool,
    },
    /// The input has more faults than were told before.
    InputFaults {
        /// The output's playlist.
        playlist: String,
        /// All counts since the begin.
        notes: Notes,
    },
    /// Not everything will be stored, or nothing more; what is missing stays in the spool.
    Failed {
        /// What to do, as [`ErrorKind::as_str`](crate::ErrorKind::as_str) says it: `fenced` where another worker
        /// has the recording.
        kind: &'static str,
        /// Why.
        error: String,
    },
    /// The store did not take something; it is tried again.
    Retrying {
        /// The object.
        key: String,
        /// Why.
        error: String,
        /// Until the next try.
        pause_millis: u64,
    },
}
