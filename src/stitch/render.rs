//! The text of a stitched playlist: pure, and the same bytes for the same plan.
//!
//! `VOD` with its end, relative URIs, a date and the media time on each segment. `EXT-X-DISCONTINUITY` where an item
//! does not continue the one before it, and an `EXT-X-DATERANGE` for each gap and each overlap. `EXT-X-VERSION` is the
//! lowest that covers the tags in use. Gaps are left out (*collapsed*: time jumps, and the dates tell), or entered as
//! `EXT-X-GAP`; since players hang at them, never first or last, and in runs under 50 s: one stays for ever where a
//! run exceeds its buffer, another where the list begins with one.

use std::fmt::Write as _;

use super::piece::{Piece, Turn};
use super::plan::{Gap, Plan};
use super::timeline::{Item, piece};
use crate::naming::{NameKind, ObjectName, encode_uri};
use crate::time::WallTime;

/// Players hang at a run of gaps as long as their buffer.
const LONGEST_RUN: i64 = 50_000;

/// A date that differs by more from the one before plus what lies between is a jump.
pub(super) const JUMP: u64 = 1000;

/// What stands in a stitched playlist for time that nothing covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GapMode {
    /// Nothing: the next segment follows at once, and its date tells.
    #[default]
    Collapse,
    /// `EXT-X-GAP` entries, where players can stand them.
    Tag,
}

/// How URIs are made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UriBase(Option<String>);

impl UriBase {
    /// In front of each relative URI stands `base`, with a `/` between.
    pub fn new(base: Option<String>) -> Self {
        Self(base)
    }

    /// A URI behind the base, unless it is absolute.
    pub(super) fn of(&self, uri: &str) -> String {
        match &self.0 {
            // Its scheme is in the first part.
            Some(base) if !uri.split('/').next().unwrap_or_default().contains(':') => {
                format!("{}/{uri}", base.trim_end_matches('/'))
            }
            _ => uri.to_owned(),
        }
    }
}

/// The text, and what of the gaps stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The playlist.
    pub text: String,
    /// Sum of the segments' `EXTINF`.
    pub duration_millis: u64,
    /// Sum of the gap entries' `EXTINF`.
    pub tagged_millis: u64,
    /// Gaps, by index, that stand in the list.
    pub tagged: Vec<usize>,
}

/// Renders a plan.
pub fn render(plan: &Plan, mode: GapMode, base: &UriBase) -> Rendered {
    let tagged = if mode == GapMode::Tag { tagged(plan) } else { Vec::new() };
    let target = target_duration(plan);
    let mut text = String::new();
    let (mut duration_millis, mut tagged_millis) = (0, 0);
    let mut gaps = plan.gaps.iter().enumerate().peekable();
    let mut overlaps = plan.overlaps.iter().enumerate().peekable();
    // Where what stands in the text so far ends.
    let mut at: Option<i64> = None;
    for (index, item) in plan.items.iter().enumerate() {
        let mut collapsed = false;
        let mut range = String::new();
        while let Some((number, gap)) = gaps.next_if(|(_, gap)| gap.before <= index) {
            marked(&mut range, plan, "gap", number, gap.start, gap.end, gap.reason.as_str());
            if tagged.contains(&number) {
                text.push_str(&std::mem::take(&mut range));
                if at.is_some_and(|at| at.abs_diff(gap.start) > JUMP) {
                    text.push_str("#EXT-X-DISCONTINUITY\n");
                }
                tagged_millis += gap_entries(&mut text, plan, gap, target, base);
                at = Some(gap.end);
            } else {
                collapsed = true;
            }
        }
        while let Some((number, overlap)) = overlaps.next_if(|(_, overlap)| overlap.start <= item.place.start)
        {
            let label = |turn: usize| plan.turns.get(turn).map(Turn::label).unwrap_or_default();
            let said = format!("{} and {}", label(overlap.older), label(overlap.newer));
            marked(&mut range, plan, "overlap", number, overlap.start, overlap.end, &said);
        }
        text.push_str(&range);
        let jumps = at.is_some_and(|at| collapsed || at.abs_diff(item.place.start) > JUMP);
        duration_millis += segment(&mut text, plan, item, item.discontinuity || jumps, base);
        at = Some(item.end);
    }
    let version = match (tagged.is_empty(), plan.items.is_empty()) {
        (false, _) => 8,
        (true, false) => 3,
        (true, true) => 1,
    };
    let independent = if is_independent(plan) { "#EXT-X-INDEPENDENT-SEGMENTS\n" } else { "" };
    let text = format!(
        "#EXTM3U\n\
         #EXT-X-VERSION:{version}\n\
         #EXT-X-PLAYLIST-TYPE:VOD\n\
         {independent}\
         #EXT-X-TARGETDURATION:{target}\n\
         #EXT-X-MEDIA-SEQUENCE:0\n\
         {text}#EXT-X-ENDLIST\n"
    );
    Rendered { text, duration_millis, tagged_millis, tagged }
}

/// Whether every segment that plays is known to begin with a key frame. Nothing tells that of fillers.
fn is_independent(plan: &Plan) -> bool {
    !plan.items.is_empty()
        && plan.items.iter().all(|item| {
            let is_filler = piece(&plan.turns, (item.place.turn, item.place.piece))
                .is_none_or(|piece| piece.origin.is_filler());
            !is_filler && plan.turns.get(item.place.turn).is_some_and(|turn| turn.independent)
        })
}

/// The gaps that can stand in the list: between two segments, in runs that are not too long.
fn tagged(plan: &Plan) -> Vec<usize> {
    let mut found = Vec::new();
    let mut rest: &[Gap] = &plan.gaps;
    let mut number = 0;
    while let Some(first) = rest.first() {
        let run = rest.iter().take_while(|gap| gap.before == first.before).count();
        let (gaps, after) = rest.split_at(run);
        let millis: i64 = gaps.iter().map(|gap| gap.end - gap.start).sum();
        if first.before > 0 && first.before < plan.items.len() && millis < LONGEST_RUN {
            found.extend(number..number + run);
        }
        number += run;
        rest = after;
    }
    found
}

fn target_duration(plan: &Plan) -> u64 {
    let nearest = |item: &Item| (item.end - item.place.start + 500).div_euclid(1000);
    let longest = plan.items.iter().map(nearest).max().unwrap_or(0);
    let announced = plan.turns.iter().map(|turn| turn.target_duration).max().unwrap_or(0);
    announced.max(u64::try_from(longest).unwrap_or(0)).max(1)
}

fn segment(text: &mut String, plan: &Plan, item: &Item, breaks: bool, base: &UriBase) -> u64 {
    let Some(piece) = piece(&plan.turns, (item.place.turn, item.place.piece)) else { return 0 };
    let uri = item.trimmed.as_ref().map_or(&piece.uri, |trimmed| &trimmed.uri);
    let entry = Entry { piece, start: item.place.start, end: item.end, dated: plan.dated, breaks };
    entry.write(text, &base.of(uri))
}

/// A segment as it stands in a playlist.
pub(super) struct Entry<'a> {
    pub piece: &'a Piece,
    /// Where it begins and ends, in milliseconds of the axis.
    pub start: i64,
    pub end: i64,
    /// Whether that is a date.
    pub dated: bool,
    /// It does not continue what stands before it.
    pub breaks: bool,
}

impl Entry<'_> {
    /// Its lines; its length in milliseconds.
    pub fn write(&self, text: &mut String, uri: &str) -> u64 {
        if self.breaks {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        date(text, self.dated, self.start);
        if let Some((start, clock)) = self.piece.media {
            let _ = writeln!(text, "#EXT-X-TAPELINE-MEDIA:START={},CLOCK={clock}", start.ticks());
        }
        for tag in &self.piece.tags {
            let _ = writeln!(text, "{tag}");
        }
        extinf(text, self.end - self.start, uri)
    }
}

fn date(text: &mut String, dated: bool, at: i64) {
    if dated {
        let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", WallTime::from_millis(at));
    }
}

fn extinf(text: &mut String, millis: i64, uri: &str) -> u64 {
    let millis = u64::try_from(millis).unwrap_or(0);
    let _ = writeln!(text, "#EXTINF:{}.{:03},\n{uri}", millis / 1000, millis % 1000);
    millis
}

/// Entries for a gap, none longer than the target duration.
fn gap_entries(text: &mut String, plan: &Plan, gap: &Gap, target: u64, base: &UriBase) -> u64 {
    let longest = i64::try_from(target.saturating_mul(1000)).unwrap_or(i64::MAX);
    let (mut at, mut sum) = (gap.start, 0);
    while at < gap.end {
        let end = at.saturating_add(longest).min(gap.end);
        date(text, plan.dated, at);
        text.push_str("#EXT-X-GAP\n");
        let entry = gap.entry.filter(|_| at == gap.start);
        let known = entry.and_then(|id| piece(&plan.turns, id)).map(|piece| piece.uri.clone());
        let uri = known.unwrap_or_else(|| would_be(plan, gap, at));
        sum += extinf(text, end - at, &base.of(&uri));
        at = end;
    }
    sum
}

/// The name that a segment of that time would have had.
fn would_be(plan: &Plan, gap: &Gap, at: i64) -> String {
    let start = WallTime::from_millis(at);
    let last = gap.before.checked_sub(1).and_then(|index| plan.items.get(index));
    let key = last.map_or("", |last| plan.key((last.place.turn, last.place.piece)));
    let name = key.rsplit('/').next().and_then(|name| name.parse::<ObjectName>().ok());
    match name {
        Some(ObjectName { generation, recording, output, kind: NameKind::Segment { container, .. } }) => {
            let kind = NameKind::Segment { start, container };
            encode_uri(&ObjectName { generation, recording, output, kind }.to_string())
        }
        _ => format!("gap_{}.ts", start.compact()),
    }
}

fn marked(text: &mut String, plan: &Plan, what: &str, number: usize, start: i64, end: i64, why: &str) {
    if plan.dated {
        date_range(text, what, number, start, end, why);
    }
}

/// The line that marks a stretch of dates.
pub(super) fn date_range(text: &mut String, what: &str, number: usize, start: i64, end: i64, why: &str) {
    let millis = end - start;
    let why: String = why.chars().filter(|c| !c.is_control() && *c != '"').collect();
    let _ = write!(
        text,
        "#EXT-X-DATERANGE:ID=\"{what}-{}\",CLASS=\"tapeline.{what}\",START-DATE=\"{}\",DURATION={}.{:03}",
        number + 1,
        WallTime::from_millis(start),
        millis / 1000,
        millis % 1000,
    );
    let _ = if why.is_empty() { writeln!(text) } else { writeln!(text, ",X-WHY=\"{why}\"") };
}
