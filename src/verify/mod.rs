//! Verifying: whether what is stored of a recording is what was recorded, and plays.
//!
//! In: a recording, or playlists by name. Out: [`Verified`], with a [`Finding`] for everything that is not as it should
//! be: severity, code, place, words. Looked at are the documents (`documents`), each playlist against what is committed and
//! against the rules of RFC 8216, its entries (`entries`), the sizes of all segments by one listing, and the bytes of some or
//! of all ([`Depth`]): checksums, the structure of the transport stream, key frames, times (`segment`). What joins,
//! covers and lacks is told by [`stitch`](mod@crate::stitch). Nothing is decoded and nothing is written.

mod documents;
mod driver;
mod entries;
mod finding;
mod sample;
mod segment;

pub use driver::{Verified, VerifyOptions, verify, verify_playlists};
pub use finding::{Check, Finding, Findings};
pub use sample::Depth;
