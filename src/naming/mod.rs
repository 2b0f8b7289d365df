//! Object names: what a recording's playlists and segments are called, and back.
//!
//! [`ObjectName`] is what a recorder writes; [`StitchedPlaylist`], [`StitchedSegment`] and [`Exported`] are
//! made from that. `Display` gives the raw name, the last element of an object's key ([`key`]);
//! [`encode_uri`] turns it into what a playlist may hold. For every legal value `parse(display(x)) == x`,
//! and for every text that parses `display(parse(s)) == s`, so that a name never has two readings.
//!
//! A channel name may hold nearly anything, underscores and dots too. No name is ever split at `_`:
//! it is read from the left (`stitched_`, `bak<n>_`, the sid, which has no `_`) and from the right
//! (extension, index, time, `__uid_e_<type>`, `__uid_s_<uid>`), and the channel name is what is left.
//!
//! These are this project's own names. Those of other recorders belong in files of their own here, which
//! [`ObjectName`] does not know of.

mod base;
mod derived;
mod error;
#[cfg(test)]
mod naming_tests;
mod object_name;
mod prefix;
mod uri;

pub use derived::{Exported, ExportedFormat, StitchedPlaylist, StitchedSegment};
pub use error::InvalidName;
pub(crate) use object_name::split_container;
pub use object_name::{NameKind, ObjectName};
pub use prefix::{Prefix, key};
pub use uri::{decode_uri, encode_uri};

/// The start of every derived name. A scan for segments that no playlist lists passes over these.
pub const STITCHED: &str = "stitched_";

const PLAYLIST_EXTENSION: &str = ".m3u8";
