//! The gate of a store, which all its requests pass: while the store is throttled segments and reads wait here, in
//! the order in which they came. What must not wait is counted, and they make room for it.
//!
//! One for each store, shared by the handle's clones, so that all uploads of a process slow down together.
//! [`Rate`] decides; here are its clock, which is the runtime's, its queue and the counters of [`Traffic`].
//! Nobody polls: who is first in the queue sleeps until its time, and the others behind it.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::fault::Service;
use super::rate::{PerSecond, Rate};
use super::traffic::{Counters, Held, Traffic};

/// Whether a request waits while the store is throttled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It waits for its turn.
    Waits,
    /// It goes at once, and is counted.
    AtOnce,
}

/// The gate of one store.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Set by the first request: a store may be opened outside the runtime, by whose clock it is used.
    began: OnceLock<Instant>,
    rate: Mutex<Rate>,
    /// Serves in the order of asking.
    queue: tokio::sync::Mutex<()>,
    counters: Counters,
}

impl Gate {
    /// Returns when one more request may go.
    pub async fn pass(&self, turn: Turn) {
        if turn == Turn::AtOnce {
            let now = self.now();
            self.rate().count(now);
            return;
        }
        let _waiting = Held::new(&self.counters.waiting, 1);
        let _first = self.queue.lock().await;
        loop {
            let now = self.now();
            let wait = self.rate().admit(now);
            if wait.is_zero() {
                return;
            }
            // What happens meanwhile may change the rate, but each wait is short.
            sleep(wait).await;
        }
    }

    /// A request goes, with so many bytes in its body.
    pub fn send(&self, bytes: u64) -> UnderWay<'_> {
        self.counters.requests.fetch_add(1, Relaxed);
        UnderWay {
            gate: self,
            sent: self.now(),
            _request: Held::new(&self.counters.under_way, 1),
            _bytes: Held::new(&self.counters.bytes_under_way, bytes),
        }
    }

    /// A request is about to be sent again.
    pub fn repeat(&self) {
        self.counters.retries.fetch_add(1, Relaxed);
    }

    /// The store asks for a pause.
    #[cfg_attr(
        not(any(feature = "aws", feature = "gcp", feature = "azure")),
        allow(dead_code, reason = "only a network asks for pauses")
    )]
    pub fn hold(&self, pause: Duration) {
        self.rate().hold(self.now(), pause);
    }

    /// How many requests were sent so far.
    pub fn requests(&self) -> u64 {
        self.counters.requests.load(Relaxed)
    }

    /// How things stand.
    pub fn traffic(&self) -> Traffic {
        let rate_limit = self.rate().limit().map(PerSecond::get);
        // Looking begins nothing.
        let now = self.began.get().map(|began| Instant::now().saturating_duration_since(*began));
        self.counters.snapshot(millis(now.unwrap_or_default()), rate_limit)
    }

    /// What was asked for at `sent` was answered like this.
    pub fn answered(&self, sent: Duration, service: Service) {
        let now = self.now();
        self.counters.answered(service, millis(now));
        match service {
            Service::Served => self.rate().served(sent, now),
            Service::Throttled => self.rate().throttled(sent, now),
            Service::Failed => {}
        }
    }

    fn rate(&self) -> MutexGuard<'_, Rate> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The gate's time.
    pub fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(*self.began.get_or_init(Instant::now))
    }
}

/// A request that is under way until it is answered, given up or called off.
#[derive(Debug)]
#[must_use]
pub(super) struct UnderWay<'a> {
    gate: &'a Gate,
    sent: Duration,
    _request: Held<'a>,
    _bytes: Held<'a>,
}

impl UnderWay<'_> {
    /// Takes note of its answer.
    pub fn answered(self, service: Service) {
        self.gate.answered(self.sent, service);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
