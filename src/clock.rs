//! The one place that asks the machine for time and chance.
//!
//! Everything else takes a [`Clock`], so that tests and the simulation can run under another one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::WallTime;

/// A future that ends when its time has come.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A source of time.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// The date. May be wrong and may jump; only names and `PROGRAM-DATE-TIME` depend on it.
    fn wall(&self) -> WallTime;

    /// Time since some fixed point; never runs backwards.
    fn monotonic(&self) -> Duration;

    /// Ends `duration` from now on the monotonic clock.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// A clock that many parts share.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[allow(clippy::disallowed_methods, reason = "this is the seam")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }

    /// The same, shared.
    pub fn shared() -> SharedClock {
        Arc::new(Self::new())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the seam")]
    fn wall(&self) -> WallTime {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Random bytes from the operating system.
///
/// # Errors
/// `Internal` when the operating system has none to give.
#[allow(clippy::disallowed_methods, reason = "this is the seam")]
pub fn random_bytes<const N: usize>() -> crate::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        crate::Error::new(crate::ErrorKind::Internal, "the operating system gave no random bytes")
            .with_source(std::io::Error::from(error))
    })?;
    Ok(bytes)
}
