//! The rules that a playlist is checked against, and what a check finds.
//!
//! Each rule has a stable code for logs and JSON, and a severity: an error breaks a MUST of RFC 8216,
//! of rfc8216bis or of this project, a warning a SHOULD, a note neither.

use std::fmt;

use crate::severity::kinds;

kinds! {
    /// A rule. Sections are those of RFC 8216 unless said otherwise.
    Rule:

    /// The text is UTF-8 (4.1).
    Utf8 = "utf8", Error;
    /// No byte order mark (4.1).
    ByteOrderMark = "byte-order-mark", Error;
    /// No control characters but line ends (4.1).
    ControlCharacter = "control-character", Error;
    /// Every line has its end (4.1); without it nobody knows whether the line is whole.
    LineEnd = "line-end", Warning;
    /// `#EXTM3U` is the first line (4.3.1.1).
    FirstLine = "first-line", Error;
    /// No tag of a multivariant playlist (4.3.4): the list is one, or mixed.
    MediaPlaylist = "media-playlist", Error;
    /// A tag that may stand once stands once, in the list or for its segment.
    Duplicate = "duplicate", Error;
    /// A tag has the kind of value that it needs.
    Value = "value", Error;
    /// Attribute lists are well-formed, names do not come again, required ones are there (4.2).
    Attributes = "attributes", Error;
    /// `EXT-X-VERSION` covers the tags used (section 7; by this project's rule 8 for `EXT-X-GAP`).
    Version = "version", Error;
    /// `EXT-X-TARGETDURATION` is there (4.3.3.1).
    TargetMissing = "target-missing", Error;
    /// No `EXTINF`, rounded to the nearest second, is above the target duration (4.3.3.1).
    TargetExceeded = "target-exceeded", Error;
    /// The sequence numbers stand before the first segment, and `EXT-X-DISCONTINUITY-SEQUENCE` also
    /// before any `EXT-X-DISCONTINUITY` (4.3.3.2, 4.3.3.3).
    SequencePlace = "sequence-place", Error;
    /// Each URI has an `EXTINF` (4.3.2.1).
    ExtinfMissing = "extinf-missing", Error;
    /// `EXTINF` is a decimal number and a comma (4.3.2.1).
    Extinf = "extinf", Error;
    /// `EXT-X-PROGRAM-DATE-TIME` is a date with time and offset (4.3.2.6).
    Date = "date", Error;
    /// Its offset has a colon, as RFC 3339 wants; a common packager writes `+0000`, and players read that.
    DateOffset = "date-offset", Note;
    /// Dates do not run back, except over an `EXT-X-DISCONTINUITY`.
    DateOrder = "date-order", Error;
    /// A date is the date before plus the durations since, within a second (6.2.1), except over an
    /// `EXT-X-DISCONTINUITY`.
    DateDrift = "date-drift", Warning;
    /// `EXT-X-DATERANGE` needs some `EXT-X-PROGRAM-DATE-TIME` in the list (4.3.2.7).
    DateRange = "date-range", Error;
    /// URIs hold only the characters of RFC 3986, and a relative one does not look like a scheme.
    Uri = "uri", Error;
    /// Tags of a segment are followed by its URI.
    Dangling = "dangling", Error;
    /// Nothing of a segment follows `EXT-X-ENDLIST`. RFC 8216 lets that tag stand anywhere (4.3.3.4);
    /// an append-only list must not.
    AfterEnd = "after-end", Error;
    /// A `VOD` list never changes (4.3.3.5), so it has its end.
    VodEnd = "vod-end", Warning;
    /// A later text begins with the earlier one (4.3.3.5: `EVENT`).
    Append = "append", Error;
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// One place where a playlist breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line, counted from 1.
    pub line: usize,
    /// The rule.
    pub rule: Rule,
    /// What stands there, for a person.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.rule, self.message)
    }
}
