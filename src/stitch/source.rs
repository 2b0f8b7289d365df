//! The turns of a recording as they are read, output by output, before anything is decided.

use std::collections::BTreeMap;

use super::location::locate;
use super::piece::{GapReason, Origin, Piece, Standing, Turn};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Generation;
use crate::playlist::{Playlist, Segment};
use crate::time::WallTime;

/// No playlist is larger: a year of segments of one second has some 5 GB, a month of the usual 15 s some 40 MB.
pub(crate) const PLAYLIST_LIMIT: u64 = 256 << 20;
/// No segment that is read is larger: recorders cut at 50 MB.
pub(crate) const SEGMENT_LIMIT: u64 = 256 << 20;

/// Tags of other recorders that go with their segments.
const KEPT: [&str; 2] = ["#EXT-X-AGORA-", "#EXT-X-TRTC-"];
/// Tags without which what follows cannot be played, and that cannot be carried over a join yet.
const BINDING: [&str; 3] = ["#EXT-X-KEY:", "#EXT-X-MAP:", "#EXT-X-BYTERANGE:"];

/// The turns of one output.
#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    /// Oldest first.
    pub turns: Vec<Turn>,
}

/// What is to be stitched.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    /// Where the stitched playlists go.
    pub folder: String,
    /// By the name of the original playlist without its extension.
    pub outputs: BTreeMap<String, Source>,
    /// Generations that may have segments of which nothing tells.
    pub scanned: Vec<Generation>,
    /// What people should know.
    pub notes: Vec<String>,
}

/// The pieces of a list in the folder `from`, for a list in the folder `to`.
///
/// # Errors
/// `Malformed` for lists that cannot be joined with others.
pub(super) fn pieces(playlist: &Playlist, key: &str, from: &str, to: &str) -> Result<Vec<Piece>> {
    playlist.segments.iter().map(|segment| listed(segment, key, from, to)).collect()
}

fn listed(segment: &Segment, list: &str, from: &str, to: &str) -> Result<Piece> {
    let binds =
        |tag: &&String| BINDING.iter().any(|name| tag.starts_with(name)) && !tag.contains("METHOD=NONE");
    if let Some(tag) = segment.other_tags.iter().find(binds) {
        let name = tag.split(':').next().unwrap_or(tag);
        let message = format!("{list} has {name}: encrypted lists, fMP4 and byte ranges cannot be stitched");
        return Err(Error::new(ErrorKind::Malformed, message));
    }
    let location = locate(&segment.uri, from, to);
    let key = location.key.unwrap_or_else(|| segment.uri.clone());
    let kept = segment.other_tags.iter().filter(|tag| KEPT.iter().any(|name| tag.starts_with(name)));
    Ok(Piece {
        date: segment.date.or_else(|| date_in(&key)),
        key,
        uri: location.uri,
        media: segment.media,
        millis: segment.duration_millis,
        bytes: None,
        crc64: None,
        discontinuity: segment.discontinuity,
        gap: segment.gap.then_some(GapReason::Lost),
        origin: Origin::Listed,
        tags: kept.cloned().collect(),
    })
}

/// The date in a segment's name.
fn date_in(key: &str) -> Option<WallTime> {
    super::dialect::dated(key.rsplit('/').next()?).map(|(_, date)| date)
}

/// A turn of which only the playlist tells.
///
/// # Errors
/// `Malformed` where it is none, or cannot be stitched.
pub(super) fn unsealed(
    text: &[u8],
    key: &str,
    generation: Option<Generation>,
    to: &str,
) -> Result<(Turn, Vec<String>)> {
    let playlist = crate::playlist::parse(text).map_err(|error| {
        Error::new(ErrorKind::Malformed, format!("{key} is no media playlist")).with_source(error)
    })?;
    let notes = playlist.notes.first().map(|note| {
        let more = playlist.notes.len() - 1;
        let rest = if more > 0 { format!(", and {more} more oddities") } else { String::new() };
        format!("{key}, line {}: {}{rest}", note.line, note.what)
    });
    let turn = Turn {
        generation,
        playlist: key.to_owned(),
        standing: Standing::Unsealed,
        target_duration: playlist.target_duration.unwrap_or(0),
        independent: playlist.independent_segments,
        pieces: pieces(&playlist, key, super::location::folder(key), to)?,
    };
    Ok((turn, notes.into_iter().collect()))
}
