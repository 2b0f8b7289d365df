//! Who filled a folder of the spool: `worker.json` in it, so that what lies there can be brought to its store by
//! anybody.
//!
//! Written once, when the recording is claimed, whole or not at all.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{Cname, Generation, RecordingId, Sid};
use crate::naming::Prefix;
use crate::time::WallTime;

/// The document's name.
pub(super) const NAME: &str = "worker.json";
/// The version of its form that this program writes and reads.
const SCHEMA: u32 = 1;

/// The worker of a folder, and where its media belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerRecord {
    /// Version of this document's form.
    pub schema: u32,
    /// The recording.
    pub sid: Sid,
    /// Its channel.
    pub cname: Cname,
    /// Folders before the recording's names in the store.
    pub prefix: Prefix,
    /// The worker's turn at it.
    pub generation: Generation,
    /// The random recording uid of that turn.
    pub uid: u32,
    /// The store's URL, without credentials.
    pub store: String,
    /// The machine's name.
    pub host: String,
    /// The process on that machine.
    pub pid: u32,
    /// When it began, by its own clock.
    pub since: WallTime,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl WorkerRecord {
    /// The version of the form.
    pub const SCHEMA: u32 = SCHEMA;

    /// The recording.
    pub fn id(&self) -> RecordingId {
        RecordingId { sid: self.sid.clone(), cname: self.cname.clone() }
    }

    /// The document's text.
    ///
    /// # Panics
    /// Never: this is a plain struct with string keys.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a plain struct with string keys can be written")
    }

    /// Reads a document.
    ///
    /// # Errors
    /// Where it is no such document, in words.
    pub fn decode(text: &[u8]) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if read.schema != SCHEMA {
            return Err(format!(
                "it has schema {}, and this program knows {SCHEMA}: use a newer one",
                read.schema
            ));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"schema":1,"sid":"s1","cname":"main","prefix":"a/b","generation":1,"uid":7,"store":"s3://rec/x","host":"vm","pid":42,"since":"2026-11-23T01:02:03.456Z"}"#;

    #[test]
    fn the_document_is_this_text_and_keeps_a_later_programs_fields() {
        let read = WorkerRecord::decode(TEXT.as_bytes()).unwrap();
        assert_eq!(read.encode(), TEXT.as_bytes());
        let later = TEXT.replace("\"uid\"", "\"lease\":9,\"uid\"");
        let read = WorkerRecord::decode(later.as_bytes()).unwrap();
        assert_eq!(WorkerRecord::decode(&read.encode()).unwrap(), read);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (from, to) in [
            ("\"schema\":1", "\"schema\":2"),
            ("s1", "a_b"),
            ("\"generation\":1", "\"generation\":4"),
            ("{", ""),
        ] {
            assert!(WorkerRecord::decode(TEXT.replacen(from, to, 1).as_bytes()).is_err(), "{from} -> {to}");
        }
        for len in 0..TEXT.len() {
            assert!(WorkerRecord::decode(&TEXT.as_bytes()[..len]).is_err(), "torn at {len}");
        }
    }
}
