//! Lines to the standard streams. Whoever reads them may go away at any time; that must not end a recording,
//! as the standard macros would.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::ProgressBar;

use crate::error::Error;

/// A line on standard output.
pub fn print(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// That a request failed, and is repeated after a pause.
pub fn tell_retry(key: &str, error: &Error, pause: Duration) {
    tell(format_args!("retrying {key} in {} ms: {}", pause.as_millis(), error.report()));
}

/// A bar on standard error for so many things that are read; hidden unless that is a terminal and `shown`.
pub fn bar(shown: bool) -> ProgressBar {
    if shown && std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() }
}

/// Shows on a bar how many are done, of how many.
pub fn progress(bar: &ProgressBar) -> impl Fn(usize, usize) + Send + Sync + '_ {
    |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    }
}

/// A line on standard error.
pub fn tell(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
