//! The tags of media playlists and where each may stand, for the check alone.
//!
//! Sections are those of RFC 8216. A tag that is not in the table is legal: clients ignore it (6.3.1).

/// Where a tag stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Holds for the list; stands once.
    List,
    /// Holds for the next segment; stands once for it.
    Segment,
    /// Holds for the next segments; several may stand before one.
    Segments,
    /// Bound to no segment, as often as wanted.
    Anywhere,
}

/// What follows a tag's name.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    Nothing,
    Integer,
    /// An attribute list with these names in it.
    Attributes(&'static [&'static str]),
    /// A form of its own.
    Own,
}

/// The tags known here: name, place, value and the version that the tag alone needs (section 7).
#[rustfmt::skip]
const TAGS: &[(&str, Place, Form, u64)] = &[
    ("#EXTM3U", Place::List, Form::Nothing, 1),
    ("#EXT-X-VERSION", Place::List, Form::Integer, 1),
    ("#EXT-X-TARGETDURATION", Place::List, Form::Integer, 1),
    ("#EXT-X-MEDIA-SEQUENCE", Place::List, Form::Integer, 1),
    ("#EXT-X-DISCONTINUITY-SEQUENCE", Place::List, Form::Integer, 1),
    ("#EXT-X-PLAYLIST-TYPE", Place::List, Form::Own, 1),
    ("#EXT-X-ENDLIST", Place::List, Form::Nothing, 1),
    ("#EXT-X-I-FRAMES-ONLY", Place::List, Form::Nothing, 4),
    ("#EXT-X-INDEPENDENT-SEGMENTS", Place::List, Form::Nothing, 1),
    ("#EXT-X-START", Place::List, Form::Attributes(&["TIME-OFFSET"]), 1),
    ("#EXT-X-DEFINE", Place::Anywhere, Form::Attributes(&[]), 8),
    ("#EXTINF", Place::Segment, Form::Own, 1),
    ("#EXT-X-BYTERANGE", Place::Segment, Form::Own, 4),
    ("#EXT-X-DISCONTINUITY", Place::Segment, Form::Nothing, 1),
    ("#EXT-X-KEY", Place::Segments, Form::Attributes(&["METHOD"]), 1),
    // 6 in a list of whole segments, see `versions`.
    ("#EXT-X-MAP", Place::Segment, Form::Attributes(&["URI"]), 5),
    ("#EXT-X-PROGRAM-DATE-TIME", Place::Segment, Form::Own, 1),
    ("#EXT-X-GAP", Place::Segment, Form::Nothing, 8),
    ("#EXT-X-BITRATE", Place::Segment, Form::Integer, 1),
    ("#EXT-X-DATERANGE", Place::Anywhere, Form::Attributes(&["ID", "START-DATE"]), 1),
    ("#EXT-X-TAPELINE-MEDIA", Place::Segment, Form::Attributes(&["START", "CLOCK"]), 1),
];

/// The tags of lists of lists (4.3.4).
pub const MULTIVARIANT: &[&str] = &[
    "#EXT-X-STREAM-INF",
    "#EXT-X-I-FRAME-STREAM-INF",
    "#EXT-X-MEDIA",
    "#EXT-X-SESSION-DATA",
    "#EXT-X-SESSION-KEY",
];

/// The table's row for a tag.
pub fn find(name: &str) -> Option<(&'static str, Place, Form, u64)> {
    TAGS.iter().find(|(known, ..)| *known == name).copied()
}
