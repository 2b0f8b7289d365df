//! A worker's clocks. The monotonic one goes by the paused time of the worker's own runtime, plus what its
//! machine has slept; the wall clock is wrong by as much as the seed says.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tapeline::clock::{Clock, Sleep};
use tapeline::time::WallTime;
use tokio::time::Instant;

use super::history::Millis;

/// The date at which histories begin.
const BEGIN: i64 = 1_767_225_600_000;

#[derive(Debug, Default)]
pub struct SimulatedClock {
    origin: OnceLock<Instant>,
    /// The history's time at the origin, and all the time that the machine has slept.
    offset: AtomicU64,
    skew: AtomicI64,
}

impl SimulatedClock {
    /// Begins, inside of the worker's runtime, at a time of the history.
    pub fn begin(&self, now: Millis) {
        self.origin.set(Instant::now()).unwrap();
        self.offset.store(now, Ordering::Relaxed);
    }

    /// The time of the history. Asked inside of the worker's runtime.
    pub fn now(&self) -> Millis {
        let elapsed = self.origin.get().map_or(Duration::ZERO, |origin| Instant::now() - *origin);
        self.offset.load(Ordering::Relaxed) + elapsed.as_millis() as u64
    }

    /// The instant of a time of the history.
    pub fn instant(&self, at: Millis) -> Instant {
        let since = at.saturating_sub(self.offset.load(Ordering::Relaxed));
        *self.origin.get().unwrap() + Duration::from_millis(since)
    }

    /// The machine has slept.
    pub fn slept(&self, millis: Millis) {
        self.offset.fetch_add(millis, Ordering::Relaxed);
    }

    /// Sets the wall clock forward, or back.
    pub fn step(&self, millis: i64) {
        self.skew.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for SimulatedClock {
    fn wall(&self) -> WallTime {
        WallTime::from_millis(BEGIN + self.now() as i64 + self.skew.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.now())
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}
