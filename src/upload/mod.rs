//! Upload: segments in parallel, then the commit that makes them part of the recording, then the playlists
//! that list them.
//!
//! `plan` decides what may be sent when, and does no I/O; [`Driver`] is the handle on the task that carries
//! it out. The order segment, commit, publish is what keeps every published playlist true, whoever takes the
//! recording over and whenever: a playlist never says more than what is committed.

mod budget;
mod driver;
mod names;
mod output;
mod plan;
mod playlist_text;
mod publish;
mod requests;
mod standing;
mod waiting;
mod work;

pub use driver::{Body, Driver, DriverOptions, Ending, Finished, FinishedOutput, Notice, SealedFile};
pub use names::{all_taken, names};
pub use plan::Limits;
pub use standing::{Standing, Trouble};
