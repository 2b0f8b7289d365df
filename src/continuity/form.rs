//! Which form the registers of a store have: found out once, written down in the store, followed by all.
//!
//! `.tapeline/store.json` is made by create-if-absent after the first examination and never changes. Where two
//! first recordings meet, the one that comes second follows the other.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::control::{InvalidDocument, SCHEMA, decode, encode};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Created, Lane, ObjectKind, Store};
use crate::time::WallTime;

/// Where it is written down.
const KEY: &str = ".tapeline/store.json";
/// The document is not larger; one of a later program may be, a little.
const LIMIT: u64 = 64 << 10;

/// How a store holds control objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// One object, replaced by conditional updates.
    Update,
    /// A new object for each version, made by create-if-absent.
    Numbered,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Update => "update",
            Self::Numbered => "numbered",
        })
    }
}

/// A store's form as it is written down there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreForm {
    /// Version of this document's form.
    pub schema: u32,
    /// The form of all registers in the store.
    pub form: Form,
    /// When that was found out, by the clock of who did.
    pub found: WallTime,
    /// The version of the program that found it out.
    pub by: String,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl StoreForm {
    /// The key of the document.
    pub const KEY: &'static str = KEY;

    /// A form that this program found at that date.
    pub fn new(form: Form, found: WallTime) -> Self {
        Self { schema: SCHEMA, form, found, by: env!("CARGO_PKG_VERSION").to_owned(), unknown: Map::new() }
    }

    /// The document's text.
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// Reads and checks a document.
    ///
    /// # Errors
    /// Where it is no JSON, of another schema, or names no form that this program knows.
    pub fn decode(text: &[u8]) -> Result<Self, InvalidDocument> {
        decode(text)
    }

    /// What is written down in a store; `None` where nobody has recorded yet.
    ///
    /// # Errors
    /// Whatever reading gives; `Malformed` for a document that is none.
    pub async fn read(store: &Store) -> Result<Option<Self>> {
        let Some((text, _)) = store.get_versioned(Lane::Bulk, KEY, LIMIT).await? else {
            return Ok(None);
        };
        let read = Self::decode(&text).map_err(|error| {
            let message = format!("{KEY} in {store}, which says how recordings are kept there, is unusable");
            Error::new(ErrorKind::Malformed, format!("{message}: {error}"))
        })?;
        Ok(Some(read))
    }

    /// Writes it down, unless another process was first. Gives what is written down then.
    ///
    /// # Errors
    /// Whatever writing and reading give.
    pub async fn write(self, store: &Store) -> Result<Self> {
        match store.put_new(KEY, vec![self.encode()], ObjectKind::Control).await? {
            Created::Stored => Ok(self),
            Created::AlreadyThere => Self::read(store).await?.ok_or_else(|| {
                let message = format!("{KEY} in {store} is taken, but cannot be read");
                Error::new(ErrorKind::Unavailable, message)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"schema":1,"form":"numbered","found":"2026-11-23T01:02:03.456Z","by":"0.1.0"}"#;

    #[test]
    fn the_document_is_this_text() {
        let found = WallTime::parse_rfc3339("2026-11-23T01:02:03.456Z").unwrap();
        let form = StoreForm { by: "0.1.0".to_owned(), ..StoreForm::new(Form::Numbered, found) };
        assert_eq!(form.encode(), TEXT);
        assert_eq!(StoreForm::decode(TEXT.as_bytes()).unwrap(), form);
    }

    #[test]
    fn fields_of_a_later_program_are_kept() {
        let later = TEXT.replace("\"by\"", "\"lease\":{\"seconds\":[9]},\"by\"");
        let read = StoreForm::decode(later.as_bytes()).unwrap();
        assert_eq!(StoreForm::decode(&read.encode()).unwrap(), read);
        assert!(std::str::from_utf8(&read.encode()).unwrap().contains(r#""lease":{"seconds":[9]}"#));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let cases = [
            ("\"schema\":1", "\"schema\":2", "schema 2"),
            ("\"schema\":1,", "", "schema"),
            ("numbered", "leased", "unknown variant `leased`"),
            ("\"form\":\"numbered\",", "", "missing field `form`"),
            ("2026-11-23T", "yesterday ", "yesterday"),
            ("{", "", "expected"),
        ];
        for (from, to, says) in cases {
            let error = StoreForm::decode(TEXT.replace(from, to).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{from} -> {to}: {error}");
        }
    }
}
