//! Tapeline: a media segment recorder with HLS playlist continuity.

#![warn(missing_docs)]
#![forbid(unsafe_code)]

#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
pub mod error;
pub mod ids;
pub mod input;
pub mod media;
pub mod naming;
pub mod playlist;
pub mod recorder;
pub mod slicer;
pub mod spool;
pub mod store;
pub mod time;
pub mod ts;
pub mod upload;

pub use error::{Error, ErrorKind, Result};
