//! The few quick repeats that the store's layer makes by itself.
//!
//! Of requests in the lane of bulk alone, and only of those that may be sent twice and late: reads, deletes, and
//! creates that are settled. A playlist is not among them, since its writer has to make sure anew before each
//! try that the recording is still its own. Clients repeat nothing, for the gate must hear each answer. What
//! lasts longer is the caller's task, who knows what can wait. In a local store nothing is repeated.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::fault::is_passing;
use super::{Backoff, Lane, Store};

/// How often a request is repeated.
const MOST: u32 = 3;
/// No repeat is sent later than this after the first try began, so that one that was not answered within its
/// time is not repeated.
const PATIENCE: Duration = Duration::from_secs(20);

/// The repeats of one request.
pub(super) struct Repeats<'a> {
    store: &'a Store,
    left: u32,
    until: Instant,
    backoff: Backoff,
}

impl<'a> Repeats<'a> {
    /// Those of a request that is about to be sent for the first time.
    pub fn new(store: &'a Store, lane: Lane) -> Self {
        let repeated = lane == Lane::Bulk && store.inner.patience.is_some();
        Self {
            store,
            left: if repeated { MOST } else { 0 },
            until: Instant::now() + PATIENCE,
            // Different for requests that fail together, and the same when a history is run again.
            backoff: Backoff::new(store.inner.gate.requests()),
        }
    }

    /// Pauses before the next one; false where there is none.
    pub async fn again(&mut self, error: &object_store::Error) -> bool {
        if self.left == 0 || !is_passing(error) {
            return false;
        }
        let pause = self.backoff.next_delay();
        if Instant::now() + pause > self.until {
            return false;
        }
        self.left -= 1;
        sleep(pause).await;
        self.store.inner.gate.repeat();
        true
    }
}

impl Store {
    /// Asks until there is an answer that repeating would not change.
    pub(super) async fn repeated<T, Asked>(
        &self,
        lane: Lane,
        ask: impl Fn() -> Asked,
    ) -> object_store::Result<T>
    where
        Asked: Future<Output = object_store::Result<T>>,
    {
        let mut repeats = Repeats::new(self, lane);
        loop {
            match ask().await {
                Err(error) if repeats.again(&error).await => {}
                outcome => return outcome,
            }
        }
    }
}
