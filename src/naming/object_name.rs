//! The names of what a recorder writes: playlists and segments.

use std::fmt;
use std::str::FromStr;

use crate::ids::{Generation, OutputName, RecordingId};
use crate::media::Container;
use crate::time::WallTime;

use super::base::{self, Base};
use super::{InvalidName, PLAYLIST_EXTENSION};

/// The name of one recorded object.
///
/// `[bak<n>_]<sid>_<cname>[__uid_s_<uid>__uid_e_<type>]` and then `.m3u8`, or `_<utc>.ts`, `_<utc>.webm`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The worker's turn; the second, generation 1, writes `bak0_`.
    pub generation: Generation,
    /// The recording.
    pub recording: RecordingId,
    /// The output of that recording.
    pub output: OutputName,
    /// What the object is.
    pub kind: NameKind,
}

/// What a recorded object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameKind {
    /// The output's media playlist.
    Playlist,
    /// One segment.
    Segment {
        /// When its media starts.
        start: WallTime,
        /// What it is wrapped in.
        container: Container,
    },
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = Base { generation: self.generation, recording: &self.recording, output: self.output };
        match self.kind {
            NameKind::Playlist => write!(f, "{base}{PLAYLIST_EXTENSION}"),
            NameKind::Segment { start, container } => {
                write!(f, "{base}_{}.{}", start.compact(), container.extension())
            }
        }
    }
}

impl FromStr for ObjectName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (base, kind) = if let Some(base) = text.strip_suffix(PLAYLIST_EXTENSION) {
            (base, NameKind::Playlist)
        } else {
            let (stem, container) = split_container(text)
                .ok_or_else(|| InvalidName::new(text, "it ends neither in .m3u8 nor in .ts or .webm"))?;
            let (base, start) = split_start(stem)
                .ok_or_else(|| InvalidName::new(text, "no _ and 17 digits of a date before the extension"))?;
            (base, NameKind::Segment { start, container })
        };
        let base = base::parse(base, text)?;
        Ok(Self { generation: base.generation, recording: base.recording, output: base.output, kind })
    }
}

/// The text before the extension, and the container.
pub(crate) fn split_container(text: &str) -> Option<(&str, Container)> {
    let (stem, extension) = text.rsplit_once('.')?;
    Some((stem, Container::from_extension(extension)?))
}

/// The text before the time, and the time.
pub(super) fn split_start(stem: &str) -> Option<(&str, WallTime)> {
    let (base, digits) = stem.rsplit_once('_')?;
    Some((base, WallTime::parse_compact(digits)?))
}
