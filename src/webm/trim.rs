//! Cuts the end off a segment without re-encoding: pure.
//!
//! In: the segment's bytes, and how long after its first lead block another segment goes on. Out: a file like the segment, of
//! the blocks before that. Pictures end in the order of the file, before the first one at or past the join; sound before its
//! own first block there; other tracks end with the pictures.

use std::collections::VecDeque;

use bytes::Bytes;

use super::head::{CueRule, Dated, InfoFields};
use super::reader::{FileBlock, FileEnd, read};
use super::segment::{Placed, Segment, whole};
use super::tracks::TrackMedia;
use crate::time::MediaSpan;

/// A segment without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebmCut {
    /// Its bytes.
    pub body: Bytes,
    /// Blocks of the lead that are kept.
    pub kept: u64,
    /// Pictures before the join that went with those behind it.
    pub pictures_lost: u64,
}

/// What is known of a segment before it is cut.
struct Before {
    /// The lead's first time, and a tick's length.
    first: i64,
    scale: u64,
    end: FileEnd,
}

/// Cuts a segment; `None` where it is no WebM that could be cut.
pub fn trim(segment: &Bytes, after: MediaSpan) -> Option<WebmCut> {
    let before = look(segment)?;
    let nanos = i128::from(after.ticks()) * 100_000 / 9;
    let join = before.first + i64::try_from(nanos / i128::from(before.scale)).unwrap_or(i64::MAX / 2);
    let InfoFields { date, .. } = before.end.info;
    let dated = Dated { at: 0, date: date.unwrap_or_default() };
    let mut made: Option<Segment> = None;
    let mut out = VecDeque::new();
    let (mut kept, mut pictures_lost) = (0, 0);
    let mut lead_ended = false;
    let mut cue_rule = CueRule::default();
    read(segment, &mut |found| {
        let FileBlock { block, track, tracks, scale, at, cluster, cluster_time } = found;
        let Some(entry) = tracks.tracks.get(track) else { return };
        let lead = tracks.lead == Some(track);
        lead_ended |= lead && at >= join;
        let is_over = match entry.media {
            TrackMedia::Audio(_) => at >= join,
            TrackMedia::Video(_) | TrackMedia::Data => lead_ended || at >= join,
        };
        if is_over {
            pictures_lost += u64::from(lead && at < join);
            return;
        }
        kept += u64::from(lead);
        let cue = lead && block.key && cue_rule.takes(entry.media, cluster);
        let length = entry.length(&block, scale).and_then(|ticks| i64::try_from(ticks).ok()).unwrap_or(0);
        let end = at.saturating_add(length).min(join);
        let segment = made.get_or_insert_with(|| Segment::open(scale, tracks.element(), at, dated, &mut out));
        segment.block(&Placed { block, at, end, cluster, cluster_time, lead, cue }, &mut out);
    });
    if let Some(segment) = made {
        segment.seal(&mut out);
    }
    Some(WebmCut { body: Bytes::from(whole(out)), kept, pictures_lost })
}

fn look(segment: &Bytes) -> Option<Before> {
    let mut first = None;
    let end = read(segment, &mut |found| {
        if found.tracks.lead == Some(found.track) {
            first.get_or_insert((found.at, found.scale));
        }
    });
    let (first, scale) = first?;
    Some(Before { first, scale, end })
}
