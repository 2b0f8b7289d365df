//! Segments into MP4 (ISO/IEC 14496-12, -14, -15), without re-encoding: one file, or fragments for HLS.
//!
//! In: parts, in order. `from_transport` makes one stream of them, by the same joining as for a transport stream, and takes the
//! PES packets out of it; `from_webm` puts the blocks of files on one clock. `video`, `webm_video` and `audio` make samples of what
//! they hold, `track` gives these durations, `tracks` has all. `file` lays them out as one file whose index stands in front,
//! `fragment` as pieces of which each plays with its initialization. Boxes and sample entries are built with `shiguredo_mp4`. Pure:
//! bytes go to a sink.
//!
//! Invariants: every NAL unit and every frame is kept, to the byte; pictures and sound stay as they are to each other, to a tick of
//! 90 kHz; a track's times never run back. Memory: one part, and 4 to 24 bytes a sample for the index of a file.

mod audio;
mod boxes;
mod error;
mod file;
mod fragment;
mod from_transport;
mod from_webm;
mod sample;
mod tables;
mod track;
mod tracks;
mod video;
mod webm_video;

pub use error::Mp4Error;
pub use file::Mp4File;
pub use fragment::{Fragment, Fragments};
