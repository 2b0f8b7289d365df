//! What the spool knows of a segment beside its bytes, so that whoever finds the file can store it as its worker
//! would have.
//!
//! The facts of the segment `x.ts` lie in `x.ts.facts`: a line for each thing that happened to it. A line is the
//! CRC-64 of its JSON, a space, the JSON; one that is torn, or was changed, is not taken for whole. The file is
//! begun before the segment's own and goes with it.

use serde::{Deserialize, Serialize};

use crate::checksum::Crc64;
use crate::ids::SegmentSeq;
use crate::slicer::{OpenedSegment, SealedSegment};
use crate::time::{MediaTime, WallTime};

/// Stands behind a segment's name.
pub(super) const EXTENSION: &str = ".facts";

/// Why there is no segment where one should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The spool held as much as it may, and the store took nothing.
    SpoolFull,
    /// The spool's disk was full.
    DiskFull,
    /// The spool's disk failed, or somebody removed the file.
    SpoolFailed,
    /// A cause that a later program names.
    #[serde(other)]
    Unknown,
}

impl GapCause {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SpoolFull => "the spool was full",
            Self::DiskFull => "the spool's disk was full",
            Self::SpoolFailed => "the spool failed",
            Self::Unknown => "another cause",
        }
    }
}

/// One thing that happened to a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// It was begun.
    Opened(Opened),
    /// It has all its bytes.
    Sealed(Sealed),
    /// Its bytes are in the store, under this name, and no longer here.
    Stored(String),
    /// Its bytes were given up.
    Dropped(GapCause),
}

/// What is known of a segment when it is begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The output's playlist.
    pub playlist: String,
    /// The segment's place in it, from 0.
    pub segment: u64,
    /// First presentation time, in ticks of 90 kHz.
    pub start: MediaTime,
    /// The id of the media clock.
    pub clock: u32,
    /// The date of `start`.
    pub date: WallTime,
    /// Times, tracks or parameters do not continue those of the segment before.
    pub discontinuity: bool,
    /// It begins with a key frame.
    pub starts_with_key: bool,
}

/// What is known of a segment when it is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Its length.
    pub millis: u64,
    /// Its size.
    pub bytes: u64,
    /// Checksum of its bytes.
    pub crc64: Crc64,
}

impl Opened {
    /// What is to be kept of a segment of that playlist.
    pub fn new(playlist: String, facts: &OpenedSegment) -> Self {
        let OpenedSegment {
            seq: SegmentSeq(segment),
            start,
            date,
            clock,
            discontinuity,
            starts_with_key,
            ..
        } = *facts;
        Self { playlist, segment, start, clock, date, discontinuity, starts_with_key }
    }
}

impl Sealed {
    /// What is to be kept of a complete segment.
    pub fn new(facts: &SealedSegment, crc64: Crc64) -> Self {
        Self { millis: facts.duration_millis, bytes: facts.bytes, crc64 }
    }
}

impl Fact {
    /// The line, with its end.
    ///
    /// # Panics
    /// Never: these are plain structs with string keys.
    pub fn encode(&self) -> String {
        let json = serde_json::to_string(self).expect("a plain struct with string keys can be written");
        format!("{} {json}\n", Crc64::of(json.as_bytes()))
    }

    fn decode(line: &[u8]) -> Option<Self> {
        let (crc64, json) = line.split_at_checked(17)?;
        let crc64: Crc64 = std::str::from_utf8(crc64).ok()?.strip_suffix(' ')?.parse().ok()?;
        if crc64 != Crc64::of(json) {
            return None;
        }
        serde_json::from_slice(json).ok()
    }
}

/// All that is known of a segment in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFacts {
    /// From its begin.
    pub opened: Opened,
    /// From its end, where it came to that.
    pub sealed: Option<Sealed>,
    /// The name under which it was stored, where its bytes made room for others.
    pub stored: Option<String>,
    /// Why its bytes were given up, where they were.
    pub dropped: Option<GapCause>,
}

impl SegmentFacts {
    /// Reads a file of facts; `None` where not even the begin is whole.
    pub fn read(text: &[u8]) -> Option<Self> {
        let mut facts: Option<Self> = None;
        // What stands behind the last line's end is torn.
        let whole = text.split_inclusive(|&byte| byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
        for fact in whole.filter_map(Fact::decode) {
            match (fact, &mut facts) {
                (Fact::Opened(opened), None) => {
                    facts = Some(Self { opened, sealed: None, stored: None, dropped: None });
                }
                (Fact::Sealed(sealed), Some(facts)) => facts.sealed = Some(sealed),
                (Fact::Stored(name), Some(facts)) => facts.stored = Some(name),
                (Fact::Dropped(cause), Some(facts)) => facts.dropped = Some(cause),
                // A begin without a segment, or a second one: not written by this program.
                (Fact::Opened(_), Some(_)) | (Fact::Sealed(_) | Fact::Stored(_) | Fact::Dropped(_), None) => {
                }
            }
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> (Fact, Fact, Fact) {
        let opened = Opened {
            playlist: "s1_main.m3u8".to_owned(),
            segment: 7,
            start: MediaTime::from_ticks(90_000),
            clock: 1,
            date: WallTime::parse_rfc3339("2026-11-23T01:02:03.456Z").unwrap(),
            discontinuity: false,
            starts_with_key: true,
        };
        let sealed = Sealed { millis: 4000, bytes: 188, crc64: Crc64::of(b"x") };
        (Fact::Opened(opened), Fact::Sealed(sealed), Fact::Dropped(GapCause::DiskFull))
    }

    #[test]
    fn lines_are_read_as_they_were_written() {
        let (opened, sealed, dropped) = facts();
        let text = [&opened, &sealed, &dropped].map(Fact::encode).concat();
        let read = SegmentFacts::read(text.as_bytes()).unwrap();
        let (Fact::Opened(begin), Fact::Sealed(end)) = (opened, sealed) else { panic!() };
        assert_eq!(
            read,
            SegmentFacts {
                opened: begin,
                sealed: Some(end),
                stored: None,
                dropped: Some(GapCause::DiskFull)
            }
        );
    }

    #[test]
    fn a_torn_or_changed_line_is_not_taken_for_whole() {
        let (opened, sealed, _) = facts();
        let (first, second) = (opened.encode(), sealed.encode());
        let text = format!("{first}{second}");
        for len in 0..text.len() {
            let read = SegmentFacts::read(&text.as_bytes()[..len]);
            assert_eq!(read.is_some(), len >= first.len(), "{len}");
            assert!(read.is_none_or(|facts| facts.sealed.is_none()), "{len}");
        }
        let changed = text.replace("4000", "4001");
        assert_eq!(SegmentFacts::read(changed.as_bytes()).unwrap().sealed, None);
        for garbage in [&b""[..], b"\n\n", b"garbage\n", &[0xff; 40], second.as_bytes()] {
            assert_eq!(SegmentFacts::read(garbage), None);
        }
        // What follows a torn line is still read.
        let mended = format!("{first}{}\n{second}", &second[..9]);
        assert!(SegmentFacts::read(mended.as_bytes()).unwrap().sealed.is_some());
    }
}
