//! How a recording stands, in figures.

use std::time::Duration;

use serde::Serialize;

use crate::spool::Room;
use crate::store::Traffic;
use crate::upload::{Standing, Trouble};

/// A recording at a moment. Ages are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics {
    /// Bytes in the spool.
    pub spool_bytes: u64,
    /// Bytes that there may be.
    pub spool_limit: u64,
    /// Since the oldest segment that is not committed was complete; 0 where there is none.
    pub spool_age_millis: u64,
    /// Complete segments that are not committed.
    pub segments_waiting: u64,
    /// Segments being stored.
    pub uploads_under_way: u64,
    /// Their bytes.
    pub upload_bytes_under_way: u64,
    /// Requests that were repeated since the begin.
    pub retries: u64,
    /// For how long no request has succeeded; 0 while the store serves.
    pub outage_millis: u64,
    /// Since the last commit; `None` before the first.
    pub last_commit_millis: Option<u64>,
    /// Segments that were given up.
    pub gaps: u64,
    /// What goes on with the store, for all recordings that share the handle.
    pub store: Traffic,
}

impl Metrics {
    pub(super) fn new(
        room: &Room,
        standing: &Standing,
        trouble: &Trouble,
        store: Traffic,
        now: Duration,
    ) -> Self {
        let age = |since: Duration| u64::try_from(now.saturating_sub(since).as_millis()).unwrap_or(u64::MAX);
        Self {
            spool_bytes: room.used(),
            spool_limit: room.limit(),
            spool_age_millis: standing.oldest.map_or(0, age),
            segments_waiting: standing.waiting,
            uploads_under_way: standing.under_way as u64,
            upload_bytes_under_way: standing.under_way_bytes,
            retries: trouble.retries(),
            outage_millis: trouble.since().map_or(0, age),
            last_commit_millis: standing.last_commit.map(age),
            gaps: standing.gaps,
            store,
        }
    }
}
