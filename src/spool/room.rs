//! How many bytes the spool holds, and how many it may: the account of one recording, within that of its
//! worker.
//!
//! Bytes are taken when they are handed to a file of the spool, or to that of its facts, and given back when that file
//! is removed. Taking never fails: who writes looks at [`is_full`](Room::is_full) afterwards, so a room is overdrawn by
//! one chunk at most, or where an input waits, by the segments that are open. What dead workers left counts too, until it
//! is salvaged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// An account of bytes. Clones are the same account.
#[derive(Debug, Clone)]
pub struct Room {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    limit: u64,
    used: AtomicU64,
    around: Option<Room>,
    /// Rings when bytes are given back.
    freed: Notify,
}

impl Room {
    /// Room for so many bytes.
    pub fn new(limit: u64) -> Self {
        Self::made(limit, None)
    }

    /// Room for so many bytes, which count in this one too: a recording's in its worker's.
    #[must_use]
    pub fn within(&self, limit: u64) -> Self {
        Self::made(limit, Some(self.clone()))
    }

    fn made(limit: u64, around: Option<Room>) -> Self {
        let freed = Notify::new();
        Self { inner: Arc::new(Inner { limit, used: AtomicU64::new(0), around, freed }) }
    }

    /// Bytes that there may be.
    pub fn limit(&self) -> u64 {
        self.inner.limit
    }

    /// Bytes that are there.
    pub fn used(&self) -> u64 {
        self.inner.used.load(Ordering::Relaxed)
    }

    /// Whether it, or one around it, has no byte left.
    pub fn is_full(&self) -> bool {
        self.used() >= self.limit() || self.inner.around.as_ref().is_some_and(Self::is_full)
    }

    /// So many bytes more are there.
    pub fn take(&self, bytes: u64) {
        self.inner.used.fetch_add(bytes, Ordering::Relaxed);
        if let Some(around) = &self.inner.around {
            around.take(bytes);
        }
    }

    /// So many are there no longer.
    pub fn give_back(&self, bytes: u64) {
        let less = |used: u64| Some(used.saturating_sub(bytes));
        // Never an error: the function always gives a value.
        let _ = self.inner.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        if let Some(around) = &self.inner.around {
            around.give_back(bytes);
        }
        self.inner.freed.notify_waiters();
    }

    /// Waits until this room, or the one around it, is given bytes back.
    pub async fn freed(&self) {
        match &self.inner.around {
            Some(around) => {
                tokio::select! {
                    // In a fixed order, so that the simulation can repeat a run.
                    biased;
                    () = self.inner.freed.notified() => {}
                    () = around.inner.freed.notified() => {}
                }
            }
            None => self.inner.freed.notified().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_full_by_its_own_limit_or_by_its_workers() {
        let worker = Room::new(100);
        let (one, other) = (worker.within(60), worker.within(60));
        one.take(59);
        assert!(!one.is_full() && !other.is_full());
        one.take(1);
        assert!(one.is_full() && !other.is_full(), "60 of 60");
        other.take(40);
        assert!(other.is_full() && worker.is_full(), "100 of 100 in all");
        one.give_back(60);
        assert!(!one.is_full() && !other.is_full() && worker.used() == 40);
        // What was never taken cannot be given back.
        other.give_back(1000);
        assert_eq!((other.used(), worker.used()), (0, 0));
    }
}
