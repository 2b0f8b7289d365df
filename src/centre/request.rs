//! What somebody asked the centre to record, and how its picture is to be laid out: both outlive every node.
//!
//! They are two documents, each written by one kind of call alone, so that the last writer of each is right, whoever it is: a
//! change of the layout that is late cannot undo a stop.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::document;
use crate::error::Result;
use crate::ids::{Cname, RecordingId, Sid, Uid};
use crate::naming::Prefix;

/// Where requests are.
pub(super) const FOLDER: &str = ".tapeline/requests";

/// What is wanted of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// That it runs.
    Record,
    /// That it ends. Nothing comes after this.
    Stop,
}

/// A client of the API, and how it calls the recording.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Client {
    /// The application.
    pub app: String,
    /// The user as which it has the channel recorded.
    pub uid: Uid,
    /// `mix`, or `individual`.
    pub mode: String,
}

/// A recording that the centre keeps running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Version of this form.
    pub schema: u32,
    /// The recording.
    pub sid: Sid,
    /// Its channel.
    pub cname: Cname,
    /// Folders before its names.
    #[serde(default)]
    pub prefix: Prefix,
    /// What to record: an input that every node can reach.
    pub source: String,
    /// A segment of at least so many milliseconds ends at the next key frame.
    pub segment_millis: u64,
    /// What is wanted.
    pub wanted: Wanted,
    /// Who asked, where that is a client of the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Request {
    /// The version of the form.
    pub const SCHEMA: u32 = document::SCHEMA;

    /// The key of a recording's request.
    pub fn key(sid: &Sid) -> String {
        format!("{FOLDER}/{sid}.json")
    }

    /// The recording.
    pub fn id(&self) -> RecordingId {
        RecordingId { sid: self.sid.clone(), cname: self.cname.clone() }
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
        document::decode(text, "a request", |read: &Self| read.schema)
    }
}

/// How the picture of a recording is to be laid out, since somebody changed that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Version of this form.
    pub schema: u32,
    /// The recording.
    pub sid: Sid,
    /// What the source is to be given.
    pub layout: Value,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Layout {
    /// The version of the form.
    pub const SCHEMA: u32 = document::SCHEMA;

    /// The key of a recording's layout. No sid has a dot, so that it is no request's.
    pub fn key(sid: &Sid) -> String {
        format!("{FOLDER}/{sid}.layout.json")
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
        document::decode(text, "a layout", |read: &Self| read.schema)
    }
}
