//! Exporting: the whole recording as one file.
//!
//! In: what [`stitch`](mod@crate::stitch) decided to play. Out: one transport stream, without re-encoding. `part` is a segment on its
//! way, `ts` makes one stream of them, the driver reads ahead and writes.

mod driver;
mod part;
mod ts;

pub use driver::{ExportOptions, Exported, GapTime, export, export_playlists};
pub use part::Part;
pub use ts::{JoinError, TsJoiner};
