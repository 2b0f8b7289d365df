//! Upload: segments in parallel, playlists strictly after the segments they list, in order.
//!
//! `plan` decides what may be sent when, and does no I/O; [`Driver`] carries it out. The order segment,
//! list, publish is what keeps every published playlist true.

mod driver;
mod plan;
mod requests;

pub use driver::{Driver, DriverOptions, Finished, FinishedOutput, Notice, SealedFile};
pub use plan::Limits;
