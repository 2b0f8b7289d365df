//! Inputs: where the bytes of a stream come from.
//!
//! A [`Source`] gives [`Media`]: bytes of a container, or encoded frames, with the date of their arrival. [`open`] turns a
//! file name or a URL into an [`Input`], which is one; workers with a media server of their own bring theirs. [`Sources`] joins
//! the source that a request names, on whichever node that is. What the bytes mean is not looked at here. Three properties matter
//! to whoever records: whether a source [is live](Source::is_live), whether it [waits](Source::waits) for a
//! slow reader, and for a file the [date](Source::file_time) it bears.
//!
//! Chunks are slices of buffers that come back when the last slice is dropped. A chunk never keeps more
//! than four times its own size in memory, so holding on to chunks costs what they hold.

#[cfg(feature = "rtsp")]
mod alignment;
mod file;
#[cfg(feature = "http")]
mod http;
mod join;
mod open;
mod pipe;
mod pool;
mod rtp;
#[cfg(feature = "rtsp")]
mod rtsp;
mod shown;
mod source;
mod tcp;
mod udp;

pub use join::{Inputs, Joining, Sources, open_source};
#[cfg(feature = "cli")]
pub(crate) use open::cannot_read;
pub use open::open;
pub use shown::shown;
pub use source::{Chunk, Input, Media, Source, Stream};
