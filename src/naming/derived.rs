//! The names of what is made from a recording: stitched playlists, trimmed segments, exported files.

use std::fmt;
use std::str::FromStr;

use crate::ids::{Generation, OutputName, RecordingId};
use crate::media::Container;
use crate::time::WallTime;

use super::base::{self, Base, ReadBase};
use super::object_name::{split_container, split_start};
use super::{InvalidName, NameKind, ObjectName, PLAYLIST_EXTENSION, STITCHED};

/// The playlist that joins all generations of one output, and so belongs to none of them:
/// `stitched_<base>.m3u8`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StitchedPlaylist {
    /// The recording.
    pub recording: RecordingId,
    /// The output of that recording.
    pub output: OutputName,
}

impl fmt::Display for StitchedPlaylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = Base { generation: Generation::FIRST, recording: &self.recording, output: self.output };
        write!(f, "{STITCHED}{base}{PLAYLIST_EXTENSION}")
    }
}

impl FromStr for StitchedPlaylist {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let Some(base) = text.strip_prefix(STITCHED).and_then(|rest| rest.strip_suffix(PLAYLIST_EXTENSION))
        else {
            return Err(InvalidName::new(text, "it does not begin with stitched_ and end in .m3u8"));
        };
        let ReadBase { generation, recording, output } = base::parse(base, text)?;
        if generation != Generation::FIRST {
            return Err(InvalidName::new(text, "a stitched playlist belongs to no generation"));
        }
        Ok(Self { recording, output })
    }
}

/// A recorded segment that was cut down: `stitched_<original name without extension>_<content hash>.<ext>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StitchedSegment {
    /// The generation of the original.
    pub generation: Generation,
    /// The recording.
    pub recording: RecordingId,
    /// The output of that recording.
    pub output: OutputName,
    /// When the original's media starts.
    pub start: WallTime,
    /// What it is wrapped in.
    pub container: Container,
    /// The first 4 bytes of the content's hash, so that other cuts of the original have other names.
    pub content_hash: u32,
}

impl StitchedSegment {
    /// The name of a cut of `original`; `None` when that is no segment.
    pub fn of(original: &ObjectName, content_hash: u32) -> Option<Self> {
        let NameKind::Segment { start, container } = original.kind else { return None };
        let ObjectName { generation, ref recording, output, .. } = *original;
        Some(Self { generation, recording: recording.clone(), output, start, container, content_hash })
    }
}

impl fmt::Display for StitchedSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = Base { generation: self.generation, recording: &self.recording, output: self.output };
        let (start, extension) = (self.start.compact(), self.container.extension());
        write!(f, "{STITCHED}{base}_{start}_{:08x}.{extension}", self.content_hash)
    }
}

impl FromStr for StitchedSegment {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let Some((stem, container)) = text.strip_prefix(STITCHED).and_then(split_container) else {
            return Err(InvalidName::new(text, "it does not begin with stitched_ and end in .ts or .webm"));
        };
        let Some((stem, content_hash)) =
            stem.rsplit_once('_').and_then(|(s, hash)| Some((s, parse_hash(hash)?)))
        else {
            return Err(InvalidName::new(text, "no _ and 8 hex digits before the extension"));
        };
        let (base, start) = split_start(stem)
            .ok_or_else(|| InvalidName::new(text, "no _ and 17 digits of a date before the hash"))?;
        let ReadBase { generation, recording, output } = base::parse(base, text)?;
        Ok(Self { generation, recording, output, start, container, content_hash })
    }
}

/// 8 lower-case hex digits.
fn parse_hash(text: &str) -> Option<u32> {
    let plain = text.len() == 8 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

/// One exported file: `[bak<n>_]<base>_<index>.mp4`, `.webm` or `.ts`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exported {
    /// The generation exported; [`Generation::FIRST`] also stands for all of them joined.
    pub generation: Generation,
    /// The recording.
    pub recording: RecordingId,
    /// The output of that recording.
    pub output: OutputName,
    /// The file's place among those of one export.
    pub index: u32,
    /// What kind of file.
    pub format: ExportedFormat,
}

/// The kinds of file that can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExportedFormat {
    /// MP4.
    Mp4,
    /// WebM.
    WebM,
    /// MPEG-2 transport stream.
    MpegTs,
}

impl ExportedFormat {
    /// The end of the file's name, without its dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::WebM => "webm",
            Self::MpegTs => "ts",
        }
    }
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = Base { generation: self.generation, recording: &self.recording, output: self.output };
        write!(f, "{base}_{}.{}", self.index, self.format.extension())
    }
}

impl FromStr for Exported {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let formats = [ExportedFormat::Mp4, ExportedFormat::WebM, ExportedFormat::MpegTs];
        let found = text.rsplit_once('.').and_then(|(stem, extension)| {
            Some((stem, formats.into_iter().find(|format| format.extension() == extension)?))
        });
        let Some((stem, format)) = found else {
            return Err(InvalidName::new(text, "it does not end in .mp4, .webm or .ts"));
        };
        let Some((base, index)) = stem.rsplit_once('_').and_then(|(base, n)| Some((base, parse_index(n)?)))
        else {
            return Err(InvalidName::new(text, "no _ and index before the extension"));
        };
        let ReadBase { generation, recording, output } = base::parse(base, text)?;
        Ok(Self { generation, recording, output, index, format })
    }
}

/// A decimal number without sign or leading zero. The 17 digits of a segment's time are too many.
fn parse_index(text: &str) -> Option<u32> {
    text.parse().ok().filter(|index: &u32| index.to_string() == text)
}
