//! What happens while a recording runs, for whoever watches.

use serde::Serialize;

use super::summary::Summary;
use crate::slicer::CutReason;
use crate::slicer::Notes;
use crate::spool::GapCause;

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
    /// A segment was given up; a gap takes its place in the playlist.
    Gap {
        /// The output's playlist.
        playlist: String,
        /// The segment's place in it, from 0.
        segment: u64,
        /// The object it would have been.
        name: String,
        /// Its length.
        duration_millis: u64,
        /// Why.
        cause: GapCause,
    },
    /// The spool, or its disk, takes no more.
    SpoolFull {
        /// Which of the two.
        cause: GapCause,
        /// Bytes that this recording has in the spool.
        bytes: u64,
        /// Bytes that it may have.
        limit: u64,
        /// The input waits; else segments are given up.
        waits: bool,
    },
    /// The spool has room again.
    SpoolFreed {
        /// Bytes that this recording has in it.
        bytes: u64,
    },
    /// The store asks for fewer requests, and gets them; or no longer does.
    Throttled {
        /// So many are allowed, of all recordings that share the store's handle; `None` where there is no limit any
        /// more.
        requests_per_minute: Option<u64>,
    },
    /// The store serves again.
    Recovered {
        /// For how long no request had succeeded.
        outage_millis: u64,
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
    /// What a dead worker had left in the same spool is in the store.
    Salvaged {
        /// Its recording.
        sid: String,
        /// Its turn at it.
        generation: u8,
        /// Segments.
        segments: u64,
        /// Their bytes.
        bytes: u64,
        /// Their length.
        duration_millis: u64,
    },
    /// What a dead worker left in the same spool is there still.
    SalvageFailed {
        /// Its folder.
        folder: String,
        /// What to do, as [`ErrorKind::as_str`](crate::ErrorKind::as_str) says it.
        kind: &'static str,
        /// Why.
        error: String,
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
    /// The recording has ended, well or not. The last event.
    Summary(Box<Summary>),
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
