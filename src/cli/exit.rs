//! Exit codes: one per kind of error, so that a script can tell what to do.

use std::process::ExitCode;

use crate::error::ErrorKind;

/// Printed below the help.
pub const HELP: &str = "\
Exit codes:
  0  all of it was recorded, stored and listed; what was asked for was done
  1  a defect of this program
  2  wrong arguments, or the store or the disk refuses this user, or the store lacks a guarantee
  3  the input cannot be recorded: not MPEG-TS, empty, no key frame, no such program;
     a document in the store cannot be read; what is in the spool is no media
  4  the input, the recording, or the spool does not exist
  5  the store, the network, the disk or the input failed
  6  the recording exists already, was stopped, or another worker was first to take it over;
     the spool is a live worker's
  7  fenced: another worker has taken this one's recording over, or somebody has stopped it
  8  abandoned: the recording has used up its three failovers, and is closed for good
  9  recorded media is not all stored; it is in the spool: tapeline salvage brings it to the store
 10  recorded and stored, but for gaps: the spool or its disk was full, or failed
 11  verify has found errors: something is missing, damaged or illegal
 12  verify has found warnings, and no errors

Logs go to standard error; TAPELINE_LOG=info (or debug) shows more.";

/// That of errors that verifying found.
pub const DAMAGED: u8 = 11;
/// That of warnings that it found.
pub const FLAWED: u8 = 12;

/// The program's exit code.
pub fn code(kind: ErrorKind) -> ExitCode {
    ExitCode::from(match kind {
        ErrorKind::Internal => 1,
        ErrorKind::InvalidInput => 2,
        ErrorKind::Malformed => 3,
        ErrorKind::NotFound => 4,
        ErrorKind::Unavailable => 5,
        ErrorKind::Conflict => 6,
        ErrorKind::Fenced => 7,
        ErrorKind::Abandoned => 8,
        ErrorKind::DataLoss => 9,
        ErrorKind::MediaLost => 10,
    })
}
