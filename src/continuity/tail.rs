//! An entry of a tail: one committed segment, with what is needed to list it and to check its object.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::checksum::Crc64;
use crate::media::Container;
use crate::naming::{NameKind, ObjectName, encode_uri};
use crate::playlist::Entry;
use crate::spool::GapCause;
use crate::time::{MediaTime, WallTime};

/// One committed segment, or a gap where one should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TailEntry {
    /// The 17 digits of its object's name.
    #[serde(with = "compact")]
    pub utc: WallTime,
    /// First presentation time, in ticks of 90 kHz.
    pub start: MediaTime,
    /// The id of the media clock.
    pub clock: u32,
    /// `EXT-X-PROGRAM-DATE-TIME`
    pub date: WallTime,
    /// `EXTINF`
    pub millis: u64,
    /// The object's size; 0 for a gap.
    #[serde(default)]
    pub bytes: u64,
    /// The object's checksum; that of no bytes for a gap.
    #[serde(default)]
    pub crc64: Crc64,
    /// `EXT-X-DISCONTINUITY`
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub discontinuity: bool,
    /// `EXT-X-GAP`
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gap: bool,
    /// Why it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<GapCause>,
    /// It does not begin with a key frame.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_key: bool,
    /// Tags that other services' scripts read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compat: Vec<String>,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl TailEntry {
    /// The segment's name, beside its playlist.
    pub fn name(&self, playlist: &ObjectName, container: Container) -> ObjectName {
        ObjectName { kind: NameKind::Segment { start: self.utc, container }, ..playlist.clone() }
    }

    /// The segment as its playlist lists it.
    pub fn entry(&self, playlist: &ObjectName, container: Container) -> Entry {
        Entry {
            uri: encode_uri(&self.name(playlist, container).to_string()),
            start: self.start,
            clock: self.clock,
            date: self.date,
            duration_millis: self.millis,
            discontinuity: self.discontinuity,
            gap: self.gap,
            compat: self.compat.clone(),
        }
    }
}

/// A date as the 17 digits of an object's name.
pub(super) mod compact {
    use super::WallTime;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(time: &WallTime, to: S) -> Result<S::Ok, S::Error> {
        time.compact().serialize(to)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<WallTime, D::Error> {
        let digits = String::deserialize(from)?;
        WallTime::parse_compact(&digits)
            .ok_or_else(|| D::Error::custom(format!("{digits:?} is not 17 digits of a date")))
    }
}
