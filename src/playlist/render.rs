//! The text of a playlist that only ever grows.
//!
//! In: a [`Header`], then [`Entry`] after [`Entry`], at last the end. Out: the text as chunks.
//! Invariants: every text handed out is a prefix of every later one (RFC 8216, 4.3.3.5: `EVENT`);
//! adding an entry costs the same however long the list is, nothing is rendered twice; no entry that
//! would break the list's lines or its `EXT-X-TARGETDURATION` gets in. `EXT-X-VERSION` is 8 from the
//! start, since a `EXT-X-GAP` may come later and the header cannot change then.
//!
//! Not here: whether dates and discontinuities make sense ([`check`](super::check) says that), and
//! percent-encoding.

use std::fmt;

use bytes::Bytes;

use super::model::{Entry, Header};

/// Chunks are frozen at this size: large enough to be sent and hashed at full speed, small enough
/// that copying the open one does not matter.
const CHUNK: usize = 64 * 1024;

/// Why an entry was refused. The text is as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenderError {
    /// The list has its `EXT-X-ENDLIST`.
    Ended,
    /// The URI is empty, starts with `#`, or holds white space or a control character: it would be
    /// read back as something else.
    Uri,
    /// The duration, rounded to seconds, exceeds `EXT-X-TARGETDURATION`.
    OverTarget,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ended => "the playlist has ended",
            Self::Uri => "the URI cannot stand on a playlist's line",
            Self::OverTarget => "the segment is longer than the playlist's target duration",
        })
    }
}

impl std::error::Error for RenderError {}

/// A growing playlist.
#[derive(Debug, Clone)]
pub struct Renderer {
    frozen: Vec<Bytes>,
    frozen_len: usize,
    tail: String,
    target_duration: u32,
    ended: bool,
}

impl Renderer {
    /// A playlist with no segment yet.
    pub fn new(header: &Header) -> Self {
        let target_duration = header.target_duration;
        let tail = format!(
            "#EXTM3U\n\
             #EXT-X-VERSION:8\n\
             #EXT-X-PLAYLIST-TYPE:EVENT\n\
             #EXT-X-TARGETDURATION:{target_duration}\n\
             #EXT-X-MEDIA-SEQUENCE:0\n"
        );
        Self { frozen: Vec::new(), frozen_len: 0, tail, target_duration, ended: false }
    }

    /// Adds a segment at the end.
    pub fn append(&mut self, entry: &Entry) -> Result<(), RenderError> {
        let Entry { uri, start, clock, date, duration_millis, discontinuity, gap } = entry;
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
        if *discontinuity {
            self.tail.push_str("#EXT-X-DISCONTINUITY\n");
        }
        self.tail.push_str(&format!(
            "#EXT-X-PROGRAM-DATE-TIME:{date}\n#EXT-X-TAPELINE-MEDIA:START={},CLOCK={clock}\n",
            start.ticks()
        ));
        if *gap {
            self.tail.push_str("#EXT-X-GAP\n");
        }
        self.tail.push_str(&format!("#EXTINF:{seconds}.{millis:03},\n{uri}\n"));
        if self.tail.len() >= CHUNK {
            self.freeze();
        }
        Ok(())
    }

    /// Ends the list for good with `EXT-X-ENDLIST`. Ending twice is ending once.
    pub fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.tail.push_str("#EXT-X-ENDLIST\n");
        }
    }

    /// The whole text, in order: the frozen chunks shared, the open one copied.
    pub fn chunks(&self) -> Vec<Bytes> {
        let mut chunks = Vec::with_capacity(self.frozen.len() + 1);
        chunks.extend(self.frozen.iter().cloned());
        if !self.tail.is_empty() {
            chunks.push(Bytes::copy_from_slice(self.tail.as_bytes()));
        }
        chunks
    }

    /// The length of the whole text in bytes.
    pub fn len(&self) -> usize {
        self.frozen_len + self.tail.len()
    }

    /// Never: a playlist has at least its header.
    pub fn is_empty(&self) -> bool {
        false
    }

    fn freeze(&mut self) {
        let text = std::mem::take(&mut self.tail);
        self.frozen_len += text.len();
        // Boxed, so that a chunk which stays for hours does not keep the String's spare room.
        self.frozen.push(Bytes::from(text.into_bytes().into_boxed_slice()));
    }
}
