//! The spool: the local folder where segment bytes live until they are stored.
//!
//! A [`SpoolFolder`] belongs to one recorder. Each open segment is a [`SpoolFile`] that is written as bytes
//! arrive, so that a killed process loses at most what came in the last half second; once the segment is
//! sealed the file is uploaded from here, and removed when it is committed.

mod file;
mod folder;

pub use file::SpoolFile;
pub use folder::SpoolFolder;
