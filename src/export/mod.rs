//! Exporting: the whole recording as one transport stream, MP4 or WebM file, or as fragmented MP4 for HLS.
//!
//! In: what [`stitch`](mod@crate::stitch) decided to play. Out: the same media in another wrapping, without re-encoding. `part` is a
//! segment on its way, `ts` makes one stream of them, `mp4` a file or fragments of that; the driver reads ahead and writes to a
//! `target`: a file, an `object` in parts, or the folder of `hls`.

mod driver;
mod front;
mod hls;
mod mp4;
mod object;
mod part;
mod target;
mod ts;
mod uploads;

pub use driver::{ExportFormat, ExportOptions, Exported, GapTime, export, export_playlists};
pub use front::Front;
pub use mp4::{Fragment, Fragments, Mp4Error, Mp4File};
pub use part::Part;
pub use target::Target;
pub use ts::{JoinError, TsJoiner};
