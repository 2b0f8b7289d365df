//! Time as tokio's clock gives it, which goes on by itself when everybody waits: hours in a second, the same every time.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::sync::Arc;
use std::time::Duration;

use tapeline::clock::{Clock, SharedClock, Sleep};
use tapeline::time::{MediaSpan, WallTime};
use tokio::time::Instant;

#[derive(Debug)]
struct SimulatedClock {
    /// The date and the instant at which it began.
    date: WallTime,
    begin: Instant,
}

/// A clock that begins now, at that date.
pub fn clock(date: WallTime) -> SharedClock {
    Arc::new(SimulatedClock { date, begin: Instant::now() })
}

impl Clock for SimulatedClock {
    fn wall(&self) -> WallTime {
        self.date.plus(MediaSpan::from(self.monotonic()))
    }

    fn monotonic(&self) -> Duration {
        self.begin.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Runs what needs simulated time, on one thread.
pub fn simulate<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(work)
}
