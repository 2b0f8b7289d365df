//! WebM (RFC 9559, RFC 8794): finding blocks in a stream, and segments that are files of their own.
//!
//! `splitter` passes blocks through and asks a [`Cutter`](crate::media::Cutter) at each whether a segment begins there.
//! It uses `walker` to find elements in chunks of any size, `block` and `tracks` to understand them, and `segment` to write.

mod block;
mod ebml;
mod notes;
mod remains;
mod segment;
mod splitter;
mod tracks;
mod walker;

pub use notes::WebmNotes;
pub use remains::WebmRemains;
pub(crate) use splitter::WebmSplitter;
