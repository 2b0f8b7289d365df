//! Requests that are repeated while a store does not serve, for a bounded time.

use tracing::debug;

use super::driver::SalvageOptions;
use crate::checksum::Crc64;
use crate::error::{ErrorKind, Result};
use crate::store::Backoff;

impl SalvageOptions {
    /// Makes a request until it succeeds, fails for good, or it is time to give up. `key` names it.
    ///
    /// # Errors
    /// That of the last try.
    pub async fn repeat<T, F: Future<Output = Result<T>>>(
        &self,
        key: &str,
        mut request: impl FnMut() -> F,
    ) -> Result<T> {
        let mut backoff = Backoff::new(self.seed ^ u64::from(Crc64::of(key.as_bytes())));
        let give_up = self.patience.map(|patience| self.clock.monotonic() + patience);
        loop {
            let error = match request().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let pause = backoff.next_delay();
            let late = give_up.is_some_and(|at| self.clock.monotonic() + pause > at);
            if error.kind() != ErrorKind::Unavailable || late {
                return Err(error);
            }
            debug!(error = %error.report(), ?pause, "trying again");
            (self.on_retry)(key, &error, pause);
            self.clock.sleep(pause).await;
        }
    }
}
