//! The one place that asks the machine for time and chance.
//!
//! Everything else takes a [`Clock`], so that tests and the simulation can run under another one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::time::WallTime;

/// A future that ends when its time has come.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A source of time.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// The date. May be wrong and may jump; only names and `PROGRAM-DATE-TIME` depend on it.
    fn wall(&self) -> WallTime;

    /// Time since some fixed point; never runs backwards, and goes on while the machine is suspended: a
    /// worker that slept must not take what it knew for fresh.
    fn monotonic(&self) -> Duration;

    /// Ends `duration` from now. While the machine is suspended it may stand still: who acts on what it knew
    /// looks at [`monotonic`](Self::monotonic).
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// A clock that many parts share.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Duration,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    pub fn new() -> Self {
        Self { started: Self::since_boot() }
    }

    /// Rust's `Instant` stands still while a Linux machine is suspended; this does not. Elsewhere the
    /// monotonic clock itself goes on.
    fn since_boot() -> Duration {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let clock = rustix::time::ClockId::Boottime;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let clock = rustix::time::ClockId::Monotonic;
        Duration::try_from(rustix::time::clock_gettime(clock)).unwrap_or_default()
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
        Self::since_boot().saturating_sub(self.started)
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A source of random bytes.
pub trait Chance: std::fmt::Debug + Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// `Internal` when there are none to give.
    fn fill(&self, bytes: &mut [u8]) -> crate::Result<()>;
}

/// A source of random bytes that many parts share.
pub type SharedChance = Arc<dyn Chance>;

/// The operating system's random bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemChance;

impl Chance for SystemChance {
    #[allow(clippy::disallowed_methods, reason = "this is the seam")]
    fn fill(&self, bytes: &mut [u8]) -> crate::Result<()> {
        getrandom::fill(bytes).map_err(|error| {
            crate::Error::new(crate::ErrorKind::Internal, "the operating system gave no random bytes")
                .with_source(std::io::Error::from(error))
        })
    }
}

/// So many bytes from a source.
///
/// # Errors
/// `Internal` when it has none to give.
pub fn draw<const N: usize>(chance: &dyn Chance) -> crate::Result<[u8; N]> {
    let mut bytes = [0; N];
    chance.fill(&mut bytes)?;
    Ok(bytes)
}

/// Random bytes from the operating system.
///
/// # Errors
/// `Internal` when the operating system has none to give.
pub fn random_bytes<const N: usize>() -> crate::Result<[u8; N]> {
    draw(&SystemChance)
}
