//! Lines to the standard streams. Whoever reads them may go away at any time; that must not end a recording,
//! as the standard macros would.

use std::fmt::Display;
use std::io::Write as _;

/// A line on standard output.
pub fn print(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A line on standard error.
pub fn tell(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
