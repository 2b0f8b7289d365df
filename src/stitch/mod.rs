//! Stitching: one playlist out of all generations of a recording, with an account of what is missing.
//!
//! Each worker that took a recording over left its own playlist, and nobody may change an older one. [`stitch`] reads all of
//! them and gives [`Stitched`]: for each output one `VOD` playlist that plays from start to end, and an [`OutputReport`]
//! in which the time that is covered and the time that is not make up the whole. What seals freeze is read as they say;
//! recordings of other services, and playlists given by name ([`stitch_playlists`]), as they are found.
//!
//! [`follow`] does the same while the recording runs, as a playlist that grows.
//!
//! The way: `recorded` or `foreign` read [`Turn`]s of [`Piece`]s; `salvaged` and
//! `stored` add what was left beside; [`Draft`] decides what
//! plays (`timeline`, on the axis of `places`); the driver has `trim` cut what two turns share; [`Plan`] adds it up, and
//! `render`, `report` and `picture` show it. Nothing is written before [`Stitched::store`], and then only names that begin
//! with `stitched_`.

mod committed;
mod cover;
mod dialect;
mod driver;
mod following;
mod foreign;
mod frames;
mod live;
mod location;
mod multivariant;
mod options;
mod picture;
mod piece;
mod places;
mod plan;
mod recorded;
mod render;
mod report;
mod salvaged;
mod source;
mod span;
mod stitched;
mod stored;
mod timeline;
mod trim;

pub(crate) use committed::ListFault;
pub(crate) use dialect::dated;
pub use driver::{Stitchable, stitch, stitch_playlists, stitchable};
pub use following::{Followed, follow};
pub use live::Live;
pub(crate) use location::{folder, inside, is_elsewhere};
pub use options::{MissingMode, Progress, StitchOptions};
pub use picture::picture;
pub use piece::{GapReason, Origin, Piece, Standing, Turn};
pub use places::Place;
pub use plan::{Account, Gap, Plan};
pub(crate) use recorded::Known;
pub use render::{GapMode, Rendered, UriBase, render};
pub use report::{Decision, Fate, GapReport, JoinReport, OutputReport, OverlapReport, TurnReport};
pub(crate) use source::{PLAYLIST_LIMIT, SEGMENT_LIMIT};
pub use stitched::{Outcome, Report, Rewrite, Stitched, StitchedOutput};
pub use timeline::{Draft, Item, Overlap, PieceId, Trimmed, Verdict};
pub use trim::{Cut, CutAt, Uncut, trim};
