//! What goes on between this process and a store, in numbers.
//!
//! Counted for each request with a few relaxed atomics, so numbers that belong together may be a request apart
//! from each other. Times are milliseconds since some point and never run backwards.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

use super::fault::Service;

/// What went on with a store since it was opened, and what does now: [`Store::traffic`](super::Store::traffic).
///
/// Of all clones of the handle together. Files linked into a local store are no requests.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Traffic {
    /// Requests sent so far, retries included. Further pages of a listing are not counted.
    pub requests: u64,
    /// Of these, requests that were sent again by the store's layer itself. What its callers repeat is not known
    /// here.
    pub retries: u64,
    /// Answers that asked for fewer requests: 429, 503 and the like.
    pub throttled: u64,
    /// Requests that failed in another way: refused, broken, without an answer in time.
    pub failed: u64,
    /// Requests that are under way.
    pub under_way: u64,
    /// The bytes of their bodies.
    pub bytes_under_way: u64,
    /// Requests that wait until the rate allows them.
    pub waiting: u64,
    /// The requests a second that are allowed since the store asked for fewer; `None` while there is no limit.
    pub rate_limit: Option<f64>,
    /// Milliseconds since a request was last served; `None` where none was. An answer such as "there is no such
    /// object" serves too.
    pub served_ms_ago: Option<u64>,
    /// Milliseconds since the first request that was not served after that; `None` while the store serves.
    pub failing_for_ms: Option<u64>,
}

/// Stands for "never" among times.
const NEVER: u64 = u64::MAX;

/// The counts behind a [`Traffic`].
#[derive(Debug)]
pub(super) struct Counters {
    pub requests: AtomicU64,
    pub retries: AtomicU64,
    pub under_way: AtomicU64,
    pub bytes_under_way: AtomicU64,
    pub waiting: AtomicU64,
    throttled: AtomicU64,
    failed: AtomicU64,
    served: AtomicU64,
    failing: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            requests: zero(),
            retries: zero(),
            under_way: zero(),
            bytes_under_way: zero(),
            waiting: zero(),
            throttled: zero(),
            failed: zero(),
            served: AtomicU64::new(NEVER),
            failing: AtomicU64::new(NEVER),
        }
    }
}

impl Counters {
    /// An answer came, or its time was over.
    pub fn answered(&self, service: Service, now: u64) {
        match service {
            Service::Served => {
                self.served.store(now, Relaxed);
                self.failing.store(NEVER, Relaxed);
                return;
            }
            Service::Throttled => &self.throttled,
            Service::Failed => &self.failed,
        }
        .fetch_add(1, Relaxed);
        // The first one stays.
        let _ = self.failing.compare_exchange(NEVER, now, Relaxed, Relaxed);
    }

    pub fn snapshot(&self, now: u64, rate_limit: Option<f64>) -> Traffic {
        let age = |time: &AtomicU64| match time.load(Relaxed) {
            NEVER => None,
            time => Some(now.saturating_sub(time)),
        };
        Traffic {
            requests: self.requests.load(Relaxed),
            retries: self.retries.load(Relaxed),
            throttled: self.throttled.load(Relaxed),
            failed: self.failed.load(Relaxed),
            under_way: self.under_way.load(Relaxed),
            bytes_under_way: self.bytes_under_way.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
            rate_limit,
            served_ms_ago: age(&self.served),
            failing_for_ms: age(&self.failing),
        }
    }
}

/// Adds to a gauge for as long as it lives, also where what it stands for is called off.
#[derive(Debug)]
pub(super) struct Held<'a> {
    gauge: &'a AtomicU64,
    amount: u64,
}

impl<'a> Held<'a> {
    pub fn new(gauge: &'a AtomicU64, amount: u64) -> Self {
        gauge.fetch_add(amount, Relaxed);
        Self { gauge, amount }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.gauge.fetch_sub(self.amount, Relaxed);
    }
}
