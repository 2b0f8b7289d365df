//! WebM (RFC 9559, RFC 8794): finding blocks in a stream, and segments that are files of their own.
//!
//! `splitter` passes the blocks of a stream through: `walker` finds elements in chunks of any size, `block` and `tracks`
//! understand them. `muxer` makes blocks of encoded frames. Either way `assembler` asks a [`Cutter`](crate::media::Cutter) at
//! each block whether a segment begins there, and `segment` writes it. `survey` says what is in a file and what is wrong with
//! it, `joiner` makes one file of many.

mod assembler;
mod block;
mod ebml;
mod entries;
mod head;
mod joiner;
mod muxer;
mod notes;
mod reader;
mod remains;
mod segment;
mod splitter;
mod survey;
mod tracks;
mod trim;
mod walker;

pub use joiner::WebmJoinError;
pub(crate) use joiner::{JoinedFile, WebmJoiner};
pub(crate) use muxer::WebmMuxer;
pub use notes::WebmNotes;
pub use remains::WebmRemains;
pub(crate) use splitter::WebmSplitter;
pub use survey::{TrackSurvey, WebmFault, WebmFaultKind, WebmLook, WebmSurvey};
pub use trim::{WebmCut, trim};
