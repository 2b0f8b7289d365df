//! Lines to the standard streams. Whoever reads them may go away at any time; that must not end a recording,
//! as the standard macros would.

use std::fmt::Display;
use std::io::Write as _;
use std::time::Duration;

use crate::error::Error;

/// A line on standard output.
pub fn print(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// That a request failed, and is repeated after a pause.
pub fn tell_retry(key: &str, error: &Error, pause: Duration) {
    tell(format_args!("retrying {key} in {} ms: {}", pause.as_millis(), error.report()));
}

/// A line on standard error.
pub fn tell(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
