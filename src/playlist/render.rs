//! The text of a playlist that only ever grows.
//!
//! In: a [`Header`], then [`Entry`] after [`Entry`], at last the end. Out: text, piece by piece, for whoever
//! keeps it; nothing is kept here, so that a playlist of a month costs as much memory as one of a minute.
//! Invariants: the pieces taken are in order, and nothing is rendered twice (RFC 8216, 4.3.3.5: `EVENT`);
//! adding an entry costs the same however long the list is; no entry that would break the list's lines or
//! its `EXT-X-TARGETDURATION` gets in. `EXT-X-VERSION` is 8 from the start, since a `EXT-X-GAP` may come
//! later and the header cannot change then.
//!
//! Not here: whether dates and discontinuities make sense ([`check`](super::check) says that), and
//! percent-encoding.

use std::fmt;

use super::compat::is_compat;
use super::model::{Entry, Header};

/// Why an entry was refused. The text is as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenderError {
    /// The list has its `EXT-X-ENDLIST`.
    Ended,
    /// The URI is empty, starts with `#`, or holds white space or a control character: it would be
    /// read back as something else.
    Uri,
    /// A tag is none of those that [`CompatTags`](super::CompatTags) makes, or more than a line.
    Tag,
    /// The duration, rounded to seconds, exceeds `EXT-X-TARGETDURATION`.
    OverTarget,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ended => "the playlist has ended",
            Self::Uri => "the URI cannot stand on a playlist's line",
            Self::Tag => "a tag is none that is written here",
            Self::OverTarget => "the segment is longer than the playlist's target duration",
        })
    }
}

impl std::error::Error for RenderError {}

/// A growing playlist.
#[derive(Debug, Clone)]
pub struct Renderer {
    /// Rendered and not yet taken.
    text: String,
    target_duration: u32,
    ended: bool,
}

impl Renderer {
    /// A playlist with no segment yet.
    pub fn new(header: &Header) -> Self {
        let target_duration = header.target_duration;
        let text = format!(
            "#EXTM3U\n\
             #EXT-X-VERSION:8\n\
             #EXT-X-PLAYLIST-TYPE:EVENT\n\
             #EXT-X-TARGETDURATION:{target_duration}\n\
             #EXT-X-MEDIA-SEQUENCE:0\n"
        );
        Self { text, target_duration, ended: false }
    }

    /// Adds a segment at the end.
    pub fn append(&mut self, entry: &Entry) -> Result<(), RenderError> {
        let Entry { uri, start, clock, date, duration_millis, discontinuity, gap, compat } = entry;
        if self.ended {
            return Err(RenderError::Ended);
        }
        if uri.is_empty()
            || uri.starts_with('#')
            || uri.contains(|c: char| c.is_control() || c.is_whitespace())
        {
            return Err(RenderError::Uri);
        }
        let (seconds, millis) = (duration_millis / 1000, duration_millis % 1000);
        if seconds + u64::from(millis >= 500) > u64::from(self.target_duration) {
            return Err(RenderError::OverTarget);
        }
        if !compat.iter().all(|tag| is_compat(tag)) {
            return Err(RenderError::Tag);
        }
        if *discontinuity {
            self.text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        for tag in compat {
            self.text.push_str(tag);
            self.text.push('\n');
        }
        self.text.push_str(&format!(
            "#EXT-X-PROGRAM-DATE-TIME:{date}\n#EXT-X-TAPELINE-MEDIA:START={},CLOCK={clock}\n",
            start.ticks()
        ));
        if *gap {
            self.text.push_str("#EXT-X-GAP\n");
        }
        self.text.push_str(&format!("#EXTINF:{seconds}.{millis:03},\n{uri}\n"));
        Ok(())
    }

    /// Ends the list for good with `EXT-X-ENDLIST`. Ending twice is ending once.
    pub fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.text.push_str("#EXT-X-ENDLIST\n");
        }
    }

    /// What was rendered since the last [`take`](Self::take).
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Takes what was rendered since the last call: the list is what all calls gave, in order.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}
