//! A worker's lease: that it lives, and how much it could still take.
//!
//! One worker writes it, under a name that is new with each start, and overwrites it every [`RENEWAL`]; what watches over a
//! worker process writes its last version. Nobody compares its dates: others see that it changes, or does not.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::document;
use crate::error::Result;
use crate::ids::Sid;

/// A lease is renewed so often.
pub const RENEWAL: Duration = Duration::from_secs(3);
/// Names of recordings that are handed on are kept so many.
pub const MOST_HANDED: usize = 10_000;
/// Where leases are.
pub(super) const FOLDER: &str = ".tapeline/workers";

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It records, and takes more.
    Serving,
    /// It takes no more, and hands on what it has.
    Draining,
    /// Its process is gone, as somebody on its machine has seen.
    Gone,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Version of this form.
    pub schema: u32,
    /// Random hex digits, new with each start of a worker's process.
    pub worker: String,
    /// The machine's name.
    pub host: String,
    /// The process on that machine.
    pub pid: u32,
    /// Grows with each renewal.
    pub beat: u64,
    /// What it is doing.
    pub standing: Standing,
    /// Recordings that it would hold at most.
    pub capacity: u32,
    /// Recordings that it holds.
    pub recordings: u32,
    /// Recordings whose source it has lost, for others to take, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handed: Vec<Sid>,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Lease {
    /// The version of the form.
    pub const SCHEMA: u32 = document::SCHEMA;

    /// The first of a worker: nobody knows of it yet.
    pub fn new(worker: &str, host: &str, pid: u32, capacity: u32) -> Self {
        Self {
            schema: Self::SCHEMA,
            worker: worker.to_owned(),
            host: host.to_owned(),
            pid,
            beat: 0,
            standing: Standing::Serving,
            capacity,
            recordings: 0,
            handed: Vec::new(),
            unknown: Map::new(),
        }
    }

    /// The key of a worker's lease.
    pub fn key(worker: &str) -> String {
        format!("{FOLDER}/{worker}.json")
    }

    /// Whether it would take another recording.
    pub fn has_room(&self) -> bool {
        self.standing == Standing::Serving && self.recordings < self.capacity
    }

    /// The document's text.
    pub fn encode(&self) -> Bytes {
        document::encode(self)
    }

    /// Reads a document.
    ///
    /// # Errors
    /// `Malformed` where it is none, or of a later form.
    pub fn decode(text: &[u8]) -> Result<Self> {
        document::decode(text, "a worker's lease", |read: &Self| read.schema)
    }
}
