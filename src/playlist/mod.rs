//! Playlists: model, render, parse, check.
//!
//! In and out go texts of HLS media playlists (RFC 8216; `EXT-X-GAP` from rfc8216bis). [`Renderer`]
//! grows the text of a recording by appending, [`parse`] reads our own and foreign lists with
//! tolerance and tells in notes what it had to forgive, [`check`] judges a text strictly. The three
//! share no code, so that each can be the others' test.
//!
//! Pure: no I/O, no clock. URIs are carried as they stand in the text; whoever makes object keys of
//! them percent-decodes. Multivariant playlists are recognised and refused.

mod check;
mod compat;
mod line;
mod model;
mod parse;
mod render;
mod rule;
mod syntax;
mod tags;
mod times;
mod values;

pub use check::{check, check_append};
pub use compat::{CompatSegment, CompatTags};
pub use model::{Entry, Header, Note, Playlist, PlaylistType, Segment};
pub use parse::{MAX_LINE, ParseError, ParseErrorKind, parse};
pub use render::{RenderError, Renderer};
pub use rule::{Finding, Rule};
pub(crate) use syntax::is_uri;
pub use times::EntryTimes;
