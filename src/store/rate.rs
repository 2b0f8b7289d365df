//! How many requests a second a store is sent: as many as there are, until it asks for fewer.
//!
//! Pure: times come in, counted from any fixed point, and waits go out. The rule is that of congestion control,
//! increase by addition and decrease by halving (Chiu and Jain 1989), in requests a second:
//!
//! - **Cut.** An answer that says "slow down" halves the rate: the one allowed, or the one that was seen in the
//!   last second where that is less. What was sent before a cut, or less than a second after it, says nothing
//!   about the new rate and changes nothing. So ten requests under way cut once. The first cut does not go
//!   below 5/s, since a single such answer means little; no cut goes below 1/s.
//! - **Recovery.** The rate after a cut grows by 0.1/s times the square of the seconds in which the store has
//!   served since: slowly at first, near the rate that was too much, and from 1/s to 40/s in 20 seconds where
//!   the way is free. It does not depend on the rate itself, so that workers throttled by one store come to
//!   equal shares.
//! - **End.** There is no limit any more once the rate is twice the highest that was throttled, and ten seconds
//!   after the cut at the earliest.
//!
//! Under a limit requests go evenly spaced, never in a burst. Requests that must not wait are counted, and the
//! others make room for them, down to half of the rate.

use std::time::Duration;

/// A rate, in thousandths of a request a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PerSecond(u64);

impl PerSecond {
    const fn half(self) -> Self {
        Self(self.0 / 2)
    }

    /// From one request to the next.
    const fn interval(self) -> Duration {
        // The floor keeps this from dividing by zero; `max` is not const.
        let millis = if self.0 == 0 { 1 } else { self.0 };
        Duration::from_nanos(1_000_000_000_000 / millis)
    }

    /// In requests a second.
    pub const fn get(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

/// No limit is lower.
const FLOOR: PerSecond = PerSecond(1_000);
/// The first limit is not lower.
const FIRST: PerSecond = PerSecond(5_000);
/// How long after a cut requests are still sent whose answers say nothing about it: stores count by the second.
const SETTLING: Duration = Duration::from_secs(1);
/// No limit ends earlier after a cut.
const PROVEN: Duration = Duration::from_secs(10);
/// How far ahead of those that wait the others may be.
const DEBT: Duration = Duration::from_secs(2);
/// The longest pause that a store may ask for, that of [`Backoff`](super::Backoff).
const LONGEST_HOLD: Duration = Duration::from_secs(15);

/// The rate of one store.
#[derive(Debug, Default)]
pub(super) struct Rate {
    limit: Option<Limit>,
    sent: Sent,
    /// Nobody who waits goes before.
    held: Duration,
}

#[derive(Debug)]
struct Limit {
    /// The rate when it was last cut, and that time.
    least: PerSecond,
    cut: Duration,
    /// When a request that was sent after the cut was last served.
    served: Duration,
    /// The highest rate that was throttled.
    throttled: PerSecond,
    /// When the next request may go.
    next: Duration,
    /// When the last of those that wait has gone.
    gone: Duration,
}

impl Rate {
    /// How long a request has to wait; zero lets it go, and counts it. Who has waited asks again.
    pub fn admit(&mut self, now: Duration) -> Duration {
        let from = self.limit.as_ref().map_or(self.held, |limit| limit.next().max(self.held));
        let wait = from.saturating_sub(now);
        if wait.is_zero() {
            self.sent.count(now);
            if let Some(limit) = &mut self.limit {
                limit.next = limit.next.max(now) + limit.rate().interval();
                limit.gone = now;
            }
        }
        wait
    }

    /// Counts a request that does not wait.
    pub fn count(&mut self, now: Duration) {
        self.sent.count(now);
        if let Some(limit) = &mut self.limit {
            let next = limit.next.max(now) + limit.rate().interval();
            limit.next = next.min(now + DEBT).max(limit.next);
        }
    }

    /// A request that went at `sent` was served.
    pub fn served(&mut self, sent: Duration, now: Duration) {
        if let Some(limit) = &mut self.limit
            && sent >= limit.cut
        {
            limit.served = limit.served.max(now);
            if limit.has_recovered() {
                self.limit = None;
            }
        }
    }

    /// The answer to a request that went at `sent` was to slow down.
    pub fn throttled(&mut self, sent: Duration, now: Duration) {
        let seen = self.sent.rate(now);
        let (least, throttled) = match &self.limit {
            Some(limit) if sent < limit.cut + SETTLING => return,
            Some(limit) => {
                let rate = limit.rate().min(seen);
                (rate.half().max(FLOOR), limit.throttled.max(rate))
            }
            None => (seen.half().max(FIRST), seen),
        };
        let next = now + least.interval();
        self.limit = Some(Limit { least, cut: now, served: now, throttled, next, gone: now });
    }

    /// The store wants to be left alone for so long. It is, by those that wait, for 15 s at most.
    pub fn hold(&mut self, now: Duration, pause: Duration) {
        self.held = self.held.max(now + pause.min(LONGEST_HOLD));
    }

    /// What is allowed; `None` without a limit.
    pub fn limit(&self) -> Option<PerSecond> {
        self.limit.as_ref().map(Limit::rate)
    }
}

impl Limit {
    fn rate(&self) -> PerSecond {
        let millis = u64::try_from(self.served.saturating_sub(self.cut).as_millis()).unwrap_or(u64::MAX);
        PerSecond(self.least.0.saturating_add(millis.saturating_mul(millis) / 10_000))
    }

    fn has_recovered(&self) -> bool {
        self.served >= self.cut + PROVEN && self.rate().half() >= self.throttled
    }

    /// When the next of those that wait may go: they have half of the rate at least.
    fn next(&self) -> Duration {
        self.next.min(self.gone + self.rate().interval() * 2)
    }
}

/// What was sent of late.
#[derive(Debug, Default)]
struct Sent {
    /// The second that is running, and the requests sent in it and in the one before.
    second: u64,
    here: u64,
    before: u64,
}

impl Sent {
    fn count(&mut self, now: Duration) {
        self.turn(now);
        self.here += 1;
    }

    /// The requests of the last second: those of the running one, and the part of those before that falls
    /// into it if they came evenly.
    fn rate(&mut self, now: Duration) -> PerSecond {
        self.turn(now);
        let left = u64::from(1000 - now.subsec_millis());
        PerSecond(self.here.saturating_mul(1000).saturating_add(self.before.saturating_mul(left)))
    }

    fn turn(&mut self, now: Duration) {
        let second = now.as_secs();
        if second > self.second {
            self.before = if second - self.second == 1 { self.here } else { 0 };
            (self.here, self.second) = (0, second);
        }
    }
}

#[cfg(test)]
#[path = "rate_tests.rs"]
mod tests;
