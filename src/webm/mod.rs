//! WebM (RFC 9559, RFC 8794): finding blocks in a stream, and segments that are files of their own.
//!
//! `splitter` passes the blocks of a stream through: `walker` finds elements in chunks of any size, `block` and `tracks`
//! understand them. `muxer` makes blocks of encoded frames. Either way `assembler` asks a [`Cutter`](crate::media::Cutter) at
//! each block whether a segment begins there, and `segment` writes it. `survey` says what is in a file and what is wrong with
//! it, `sequence` puts the blocks of many files on one clock, `joiner` makes one file of them, `frames` hands out what is in them.

mod assembler;
mod block;
mod ebml;
mod entries;
mod frames;
mod head;
mod joiner;
mod lacing;
mod muxer;
mod notes;
mod reader;
mod remains;
mod segment;
mod sequence;
mod splitter;
mod survey;
mod tracks;
mod trim;
mod walker;

pub(crate) use frames::{JoinedFrame, WebmFrames};
pub(crate) use joiner::WebmJoiner;
pub(crate) use muxer::WebmMuxer;
pub use notes::WebmNotes;
pub use remains::WebmRemains;
pub(crate) use sequence::JoinedFile;
pub use sequence::WebmJoinError;
pub(crate) use splitter::WebmSplitter;
pub use survey::{TrackSurvey, WebmFault, WebmFaultKind, WebmLook, WebmSurvey};
pub(crate) use tracks::TrackMedia;
pub use trim::{WebmCut, trim};
