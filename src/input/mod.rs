//! Inputs: where the bytes of a stream come from.
//!
//! [`open`] turns a file name or a URL into a [`Source`], which gives [`Chunk`]s of bytes with the date
//! of their arrival. What the bytes mean is not looked at here. Three properties of a source matter to
//! whoever records it: whether it [is live](Source::is_live), whether it [waits](Source::waits) for a
//! slow reader, and for a file the [date](Source::file_time) it bears.
//!
//! Chunks are slices of buffers that come back when the last slice is dropped. A chunk never keeps more
//! than four times its own size in memory, so holding on to chunks costs what they hold.

mod file;
#[cfg(feature = "http")]
mod http;
mod open;
mod pipe;
mod pool;
mod rtp;
mod source;
mod tcp;
mod udp;

#[cfg(feature = "cli")]
pub(crate) use open::cannot_read;
pub use open::open;
pub use source::{Chunk, Source};
