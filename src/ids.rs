//! Checked identifiers: what may stand in an object's name, and nothing else.
//!
//! [`Sid`] and [`Cname`] name a recording, [`Generation`] one worker's turn at it, [`OutputName`] one
//! playlist inside a generation, [`SegmentSeq`] a segment of it. A value of these types is always
//! legal, so that nobody below has to check again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why an identifier was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidId {
    what: &'static str,
    value: String,
    rule: &'static str,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} is not allowed: {}", self.what, self.value, self.rule)
    }
}

impl std::error::Error for InvalidId {}

impl From<InvalidId> for crate::error::Error {
    fn from(error: InvalidId) -> Self {
        Self::new(crate::error::ErrorKind::InvalidInput, error.to_string())
    }
}

fn refuse<T>(what: &'static str, value: &str, rule: &'static str) -> Result<T, InvalidId> {
    Err(InvalidId { what, value: value.chars().take(80).collect(), rule })
}

/// Recording id: 1 to 64 of `[A-Za-z0-9-]`, never `stitched`, `bak<n>` or `ha<n>`, which would read as
/// a name's prefix. Those made here are 32 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sid(String);

impl Sid {
    /// Checks and takes an id.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        const RULE: &str = "1 to 64 of A-Z a-z 0-9 -, and not stitched, bak<n> or ha<n>";
        let legal = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !is_reserved(text);
        if legal { Ok(Self(text.to_owned())) } else { refuse("sid", text, RULE) }
    }

    /// An id made of 16 random bytes: 32 lower-case hex digits.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes.iter().map(|b| format!("{b:02x}")).collect())
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_reserved(text: &str) -> bool {
    let numbered = |prefix: &str| {
        text.strip_prefix(prefix).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    text == "stitched" || numbered("bak") || numbered("ha")
}

/// Channel name: 1 to 64 bytes of letters, digits, space and ``!#$%&()+-:;<=.>?@[]^_{}|~,``, without
/// the `__uid_s_` that separates the parts of an individual output's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cname(String);

impl Cname {
    /// The legal characters beside letters and digits.
    pub const PUNCTUATION: &'static str = " !#$%&()+-:;<=.>?@[]^_{}|~,";

    /// Checks and takes a channel name.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        const RULE: &str = "1 to 64 of A-Z a-z 0-9 space !#$%&()+-:;<=.>?@[]^_{}|~, and no __uid_s_";
        let legal = (1..=64).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || Self::PUNCTUATION.contains(c))
            && !text.contains("__uid_s_");
        if legal { Ok(Self(text.to_owned())) } else { refuse("cname", text, RULE) }
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One recording: everything under one [`Sid`] and one [`Cname`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordingId {
    /// The recording id.
    pub sid: Sid,
    /// The channel name.
    pub cname: Cname,
}

impl RecordingId {
    /// Checks both parts.
    pub fn new(sid: &str, cname: &str) -> Result<Self, InvalidId> {
        Ok(Self { sid: Sid::new(sid)?, cname: Cname::new(cname)? })
    }
}

/// A user of the channel: 1 to 4294967295.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Uid(u32);

impl Uid {
    /// Checks and takes a uid; 0 stands for the mixed stream and is no user.
    pub fn new(number: u32) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for Uid {
    type Err = InvalidId;

    /// Decimal digits without sign or leading zero, so that text and value are one to one.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        match text.parse().ok().filter(|_| plain).and_then(Self::new) {
            Some(uid) => Ok(uid),
            None => refuse("uid", text, "a number from 1 to 4294967295"),
        }
    }
}

/// What an individual output carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// One output inside a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutputName {
    /// The composite (mixed) stream.
    Composite,
    /// One user's audio or video.
    Individual(Uid, MediaKind),
}

/// One worker's turn at a recording: 0 is the original, 1 to 3 are failovers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Generation(u8);

impl Generation {
    /// The original worker's turn.
    pub const FIRST: Self = Self(0);
    /// The last failover there can be.
    pub const LAST: Self = Self(3);

    /// Checks and takes a generation.
    pub fn new(number: u8) -> Option<Self> {
        (number <= Self::LAST.0).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }

    /// The turn after this one; `None` after the last.
    pub fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

/// A segment's place in its output, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SegmentSeq(pub u64);

impl SegmentSeq {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The forms in which documents hold these, checked when they are read.
macro_rules! stored_as {
    ($($name:ident: $inner:ty, $read:expr;)*) => {$(
        impl TryFrom<$inner> for $name {
            type Error = InvalidId;

            fn try_from(value: $inner) -> Result<Self, InvalidId> {
                $read(value)
            }
        }

        impl From<$name> for $inner {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    )*};
}
stored_as! {
    Sid: String, |text: String| Self::new(&text);
    Cname: String, |text: String| Self::new(&text);
    Uid: u32, |number: u32| Self::new(number).map_or_else(|| refuse("uid", "0", "a number from 1"), Ok);
    Generation: u8, |number: u8| {
        Self::new(number).map_or_else(|| refuse("generation", &number.to_string(), "0 to 3"), Ok)
    };
}

macro_rules! display_inner {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
display_inner!(Sid, Cname, Uid, Generation, SegmentSeq);

impl fmt::Display for RecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.sid, self.cname)
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audio => "audio",
            Self::Video => "video",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sids_that_would_read_as_a_prefix_are_refused() {
        for bad in ["", "stitched", "bak0", "ha12", "a_b", "a/b", "é", &"x".repeat(65)] {
            assert!(Sid::new(bad).is_err(), "{bad:?}");
        }
        for good in ["bak", "bak0a", "stitched1", "38f8e3cfdc474cd56fc1ceba380d7e1a", "a-B-3"] {
            assert!(Sid::new(good).is_ok(), "{good:?}");
        }
        assert_eq!(Sid::from_random([0xab; 16]).as_str(), "ab".repeat(16));
    }

    #[test]
    fn cnames_take_every_documented_character_and_no_other() {
        assert!(Cname::new(Cname::PUNCTUATION).is_ok());
        for bad in
            ["", "a/b", "a\\b", "a\"b", "a*b", "a'b", "a`b", "a\nb", "ü", "x__uid_s_1", &"x".repeat(65)]
        {
            assert!(Cname::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn uids_are_plain_numbers() {
        assert_eq!("4294967295".parse::<Uid>().unwrap().get(), u32::MAX);
        for bad in ["", "0", "01", "+1", "-1", "4294967296", "1 "] {
            assert!(bad.parse::<Uid>().is_err(), "{bad:?}");
        }
    }
}
