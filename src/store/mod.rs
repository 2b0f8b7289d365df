//! Storage: one handle, [`Store`], on a folder, on memory or on a bucket.
//!
//! A store maps *keys* to objects. Keys are raw strings such as `a/sid_my#1.m3u8`, the same on every
//! store: what stands in a key is what stands in the bucket and in the folder, never escaped. On top of
//! the crate `object_store` this layer adds what a recorder needs and a plain client does not give:
//!
//! - [`Store::put_new`] settles the question that every conditional write leaves open: was an "already
//!   exists" somebody else's object, or our own whose answer was lost on the way?
//! - [`Store::put_if`] sends a conditional write once and says what its answer is worth.
//! - [`Store::put_file_new`] links a finished file into a local store instead of copying it.
//! - Everything written to a local store is atomic and survives a power cut once it has been answered.
//! - All requests pass one gate. A store that asks for fewer gets fewer from all uploads together, and
//!   [`Store::traffic`] tells how it goes.
//! - Every failure says which key, which store and what to do ([`classify`]).
//!
//! What may be sent twice is repeated a few times within seconds. Retrying for long is the caller's task, who
//! knows what can wait: [`Backoff`] gives the pauses.

#[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
mod cloud;
mod conditional;
mod create;
mod fault;
mod gate;
mod handle;
mod kind;
mod local;
mod open;
mod ops;
mod parts;
mod pieces;
mod rate;
mod repeats;
mod retry;
#[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
mod retry_after;
mod traffic;

pub use conditional::{Condition, Conditional, Lane};
pub use create::Created;
pub use fault::classify;
pub use handle::Store;
pub use kind::ObjectKind;
pub use open::StoreOptions;
pub(crate) use open::split_scheme;
pub use ops::{Folder, ObjectMeta};
pub use retry::Backoff;
pub use traffic::Traffic;
