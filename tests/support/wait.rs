//! Waiting for something to be so.

use std::time::Duration;

use tapeline::clock::{Clock, SystemClock};

/// After this long what is waited for will never come.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Looks until there is an answer.
///
/// Panics, naming `what`, when none comes.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let clock = SystemClock::new();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(clock.monotonic() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(LOOK);
    }
}
