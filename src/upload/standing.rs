//! How an upload stands at a moment: what waits, what is under way, what troubles it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The upload of a recording at a moment. Times are on its clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Complete segments that are not committed.
    pub waiting: u64,
    /// Those that are, gaps included.
    pub committed: u64,
    /// When the oldest of them was complete.
    pub oldest: Option<Duration>,
    /// Segments being stored.
    pub under_way: usize,
    /// Their bytes.
    pub under_way_bytes: u64,
    /// When something was committed last.
    pub last_commit: Option<Duration>,
    /// Segments that were given up.
    pub gaps: u64,
}

/// The requests of a recording that failed for now, those of its control object too.
#[derive(Debug, Default)]
pub struct Trouble {
    retries: AtomicU64,
    /// Since when, and what was said last.
    state: Mutex<Option<(Duration, String)>>,
}

impl Trouble {
    /// A request failed, and will be repeated.
    pub fn met(&self, now: Duration, why: String) {
        self.retries.fetch_add(1, Ordering::Relaxed);
        self.lock().get_or_insert_with(|| (now, String::new())).1 = why;
    }

    /// A request succeeded. Gives how long none had, if one has failed since the last that did.
    pub fn over(&self, now: Duration) -> Option<Duration> {
        let (since, _) = self.lock().take()?;
        Some(now.saturating_sub(since))
    }

    /// Requests that were repeated.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// When a request failed first since the last that succeeded.
    pub fn since(&self) -> Option<Duration> {
        self.lock().as_ref().map(|(since, _)| *since)
    }

    /// Why the last one failed.
    pub fn why(&self) -> Option<String> {
        self.lock().as_ref().map(|(_, why)| why.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Duration, String)>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
