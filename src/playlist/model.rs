//! What a media playlist says: one field per tag, the tag being the field's comment.
//!
//! [`Header`] and [`Entry`] are what this project writes, complete by construction. [`Playlist`] and
//! [`Segment`] are what reading finds, ours or foreign, so that most of it is optional. Durations are
//! integer milliseconds, as three decimals of `EXTINF` carry them.

use super::compat::is_compat;
use crate::time::{MediaSpan, MediaTime, TICKS_PER_SECOND, WallTime};

/// What is fixed when a playlist is opened and can never change (RFC 8216, 6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// `EXT-X-TARGETDURATION`, in seconds.
    pub target_duration: u32,
}

impl Header {
    /// The header for segments of at most `limit`.
    ///
    /// Rounds up, since borders are rounded to milliseconds one by one and a segment of exactly the
    /// limit may read one millisecond longer: rounded to the nearest, 30.4995 s could become an `EXTINF` of
    /// 30.500 over a target of 30.
    pub fn covering(limit: MediaSpan) -> Self {
        let ticks = limit.ticks().max(1);
        let seconds = (ticks - 1) / TICKS_PER_SECOND + 1;
        Self { target_duration: u32::try_from(seconds).unwrap_or(u32::MAX) }
    }
}

/// One segment as this project writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The segment's line: a relative URI, percent-encoded by the caller.
    pub uri: String,
    /// `EXT-X-TAPELINE-MEDIA:START`, the first presentation time.
    pub start: MediaTime,
    /// `EXT-X-TAPELINE-MEDIA:CLOCK`, the id of the media clock `start` is read on.
    pub clock: u32,
    /// `EXT-X-PROGRAM-DATE-TIME`
    pub date: WallTime,
    /// `EXTINF`, in milliseconds. [`EntryTimes`](super::EntryTimes) gives values that do not drift.
    pub duration_millis: u64,
    /// `EXT-X-DISCONTINUITY`
    pub discontinuity: bool,
    /// `EXT-X-GAP`
    pub gap: bool,
    /// Tags that other services' scripts read ([`CompatTags`](super::CompatTags)), each a whole line.
    pub compat: Vec<String>,
}

/// `EXT-X-PLAYLIST-TYPE`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlaylistType {
    /// `EVENT`: lines are only ever appended.
    Event,
    /// `VOD`: the list never changes.
    Vod,
}

/// A media playlist as read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Playlist {
    /// `EXT-X-VERSION`
    pub version: Option<u32>,
    /// `EXT-X-TARGETDURATION`, in seconds.
    pub target_duration: Option<u64>,
    /// `EXT-X-MEDIA-SEQUENCE`, 0 when absent.
    pub media_sequence: u64,
    /// `EXT-X-DISCONTINUITY-SEQUENCE`, 0 when absent.
    pub discontinuity_sequence: u64,
    /// `EXT-X-PLAYLIST-TYPE`
    pub playlist_type: Option<PlaylistType>,
    /// `EXT-X-INDEPENDENT-SEGMENTS`
    pub independent_segments: bool,
    /// `EXT-X-ENDLIST`
    pub ended: bool,
    /// The segments in the order of their URIs.
    pub segments: Vec<Segment>,
    /// Other tags that hold for the whole list (`EXT-X-START`, `EXT-X-DEFINE` ...), verbatim.
    pub header_tags: Vec<String>,
    /// Tags after the last segment that found no URI, verbatim and in order, read ones too.
    pub trailing_tags: Vec<String>,
    /// What reading had to forgive, by line.
    pub notes: Vec<Note>,
}

/// One segment as read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Segment {
    /// The segment's line, still percent-encoded.
    pub uri: String,
    /// `EXTINF`, in milliseconds rounded to the nearest; 0 when it is missing or no number.
    pub duration_millis: u64,
    /// `EXTINF`, what follows the first comma.
    pub title: Option<String>,
    /// `EXT-X-DISCONTINUITY`
    pub discontinuity: bool,
    /// `EXT-X-GAP`
    pub gap: bool,
    /// `EXT-X-PROGRAM-DATE-TIME`, cut to milliseconds.
    pub date: Option<WallTime>,
    /// `EXT-X-TAPELINE-MEDIA`: first presentation time, and the id of its media clock.
    pub media: Option<(MediaTime, u32)>,
    /// Every other tag since the segment before, verbatim and in order: `EXT-X-KEY`, `EXT-X-MAP`,
    /// `EXT-X-BYTERANGE`, `EXT-X-DATERANGE`, custom ones. What a key or a map means for later
    /// segments is not spread to them.
    pub other_tags: Vec<String>,
    /// The line of the URI, counted from 1.
    pub line: usize,
}

impl Segment {
    /// The segment as an entry, when it carries the date and media time of this project's lists.
    pub fn to_entry(&self) -> Option<Entry> {
        let (start, clock) = self.media?;
        Some(Entry {
            uri: self.uri.clone(),
            start,
            clock,
            date: self.date?,
            duration_millis: self.duration_millis,
            discontinuity: self.discontinuity,
            gap: self.gap,
            compat: self.other_tags.iter().filter(|tag| is_compat(tag)).cloned().collect(),
        })
    }
}

/// Something a playlist should not hold, forgiven while reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The line, counted from 1.
    pub line: usize,
    /// What was odd, and what was made of it.
    pub what: String,
}
