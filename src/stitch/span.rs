//! From when to when a segment lasts, by its own times: pure.
//!
//! For segments of which nothing tells. The stream that leads decides. The end is the greatest presentation time plus the
//! last step, as the recorder reckons it.

use bytes::Bytes;

use crate::media::Container;
use crate::naming::split_container;
use crate::time::{MediaSpan, Pts33};
use crate::ts::Remains;
use crate::webm::WebmSurvey;

/// What a segment's time stamps tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first unit's presentation time, which is where the recorder says that the segment starts; `None` of WebM, where times
    /// begin anew in each.
    pub first: Option<Pts33>,
    /// From there to the end of the last.
    pub length: MediaSpan,
}

/// Looks through a segment; `None` where it is none, or nothing in it has a time.
pub fn span(name: &str, segment: &Bytes) -> Option<Span> {
    if let Some((_, Container::WebM)) = split_container(name) {
        let length = WebmSurvey::of(segment).lead()?.length()?;
        return Some(Span { first: None, length });
    }
    let remains = Remains::of(segment).ok()?;
    let lead = remains.units.iter().filter(|unit| unit.lead);
    let times: Vec<Pts33> = lead.map(|unit| unit.pts).collect();
    let first = *times.first()?;
    let mut after: Vec<MediaSpan> = times.iter().map(|time| time.since(first)).collect();
    after.sort_unstable();
    let last = *after.last()?;
    let before = after.iter().rev().nth(1).copied().unwrap_or(last);
    Some(Span { first: Some(first), length: last + (last - before) })
}
