//! Small JSON documents with a version: pure.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};

/// The version of the forms that this program writes.
pub(super) const SCHEMA: u32 = 1;

/// # Panics
/// Never: these are plain structs with string keys.
pub(super) fn encode(document: &impl Serialize) -> Bytes {
    serde_json::to_vec(document).expect("a plain struct with string keys can be written").into()
}

/// Reads a document: `what` it should be, and where its version stands.
///
/// # Errors
/// `Malformed` where it is none, or of a later form.
pub(super) fn decode<T: DeserializeOwned>(text: &[u8], what: &str, schema: impl Fn(&T) -> u32) -> Result<T> {
    let malformed = |why: String| Error::new(ErrorKind::Malformed, format!("{what}: {why}"));
    let read: T = serde_json::from_slice(text).map_err(|error| malformed(error.to_string()))?;
    match schema(&read) {
        SCHEMA => Ok(read),
        other => Err(malformed(format!("schema {other}, and this program knows {SCHEMA}"))),
    }
}
