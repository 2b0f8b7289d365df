//! I3 and I8 of what was given up: a gap stands in the place of each, told with its cause; nothing is given up
//! that was stored, or sent for commitment.

use std::collections::{BTreeMap, BTreeSet};

use tapeline::continuity::{ControlObject, TailEntry};
use tapeline::media::Container;
use tapeline::naming::ObjectName;
use tapeline::spool::GapCause;

use super::super::history::{Millis, Request};
use super::super::network::Operation;
use super::{Check, Track};

/// As many segments as are stored at the same time.
const ABOUT_TO_TELL: usize = 4;

/// A gap as its worker told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldGap {
    pub name: String,
    pub millis: u64,
    pub cause: GapCause,
}

/// The segments of one output of a worker, by their places.
#[derive(Debug, Default)]
pub struct Segments {
    pub stored: BTreeSet<u64>,
    gaps: BTreeMap<u64, ToldGap>,
    /// Places up to here were sent for commitment; these of them as gaps.
    sent: u64,
    sent_as_gaps: BTreeSet<u64>,
}

impl Track {
    /// A name stands for one segment or gap: who fills gaps later must not take another segment for it.
    pub(super) fn entry_is_its_own(&self, entry: &TailEntry) -> Option<String> {
        let same = self.entries.iter().find(|other| other.utc == entry.utc)?;
        let what = |entry: &TailEntry| if entry.gap { "a gap" } else { "a segment" };
        let (old, new) = (what(same), what(entry));
        Some(format!("I3: {new} has the name of {old}, {}", entry.utc))
    }
}

impl Check<'_> {
    /// What a change of the control object holds when it is sent.
    pub(super) fn commit_is_sent(&mut self, worker: usize, request: &Request) {
        let Operation::Put { key, body, .. } = &request.operation else { return };
        if self.version_number(key).is_none() {
            return;
        }
        let Ok(state) = ControlObject::decode(body) else { return };
        for output in state.outputs {
            let segments = self.segments.entry((worker, output.playlist)).or_default();
            for (place, entry) in (output.tail_from..).zip(&output.tail) {
                if place >= segments.sent && entry.gap {
                    segments.sent_as_gaps.insert(place);
                }
            }
            segments.sent = segments.sent.max(output.segments);
        }
    }

    /// Entries that may stand in the texts of a worker's playlists: all that are stored or given up, and those that
    /// it is about to tell of.
    pub(super) fn entries_ready(&self, worker: usize) -> u64 {
        let of = self.segments.range((worker, String::new())..(worker + 1, String::new()));
        of.map(|(_, segments)| (segments.stored.len() + segments.gaps.len() + ABOUT_TO_TELL) as u64).sum()
    }

    /// A worker gives a segment up.
    pub(super) fn gives_up(
        &mut self,
        worker: usize,
        playlist: &str,
        place: u64,
        gap: ToldGap,
    ) -> Result<(), String> {
        let segments = self.segments.entry((worker, playlist.to_owned())).or_default();
        if segments.stored.contains(&place) {
            return Err(format!("I3: gives up {place} of {playlist}, which is stored"));
        }
        if place < segments.sent && !segments.sent_as_gaps.contains(&place) {
            return Err(format!("I3: gives up {place} of {playlist}, which was sent for commitment"));
        }
        match segments.gaps.insert(place, gap) {
            None => Ok(()),
            Some(_) => Err(format!("gives up {place} of {playlist} again")),
        }
    }

    /// By its end a worker has told every gap that it committed, and has committed none of its gaps as a segment.
    pub(super) fn gaps_are_told(&mut self, at: Millis, worker: usize) {
        let Some(generation) = self.generation_of(worker) else { return };
        let mut found = Vec::new();
        for ((_, playlist), track) in self.tracks.range((generation, String::new())..) {
            let Some(segments) = self.segments.get(&(worker, playlist.clone())) else { continue };
            let Ok(name) = playlist.parse::<ObjectName>() else { continue };
            for (place, entry) in (0..).zip(&track.entries) {
                let told = segments.gaps.get(&place);
                let committed = entry.cause.map(|cause| ToldGap {
                    name: entry.name(&name, Container::MpegTs).to_string(),
                    millis: entry.millis,
                    cause,
                });
                if told != committed.as_ref() {
                    found.push(format!(
                        "I8: {place} of {playlist} is {committed:?}, and was told as {told:?}"
                    ));
                }
            }
        }
        found.into_iter().for_each(|what| self.wrong(at, format!("w{worker}: {what}")));
    }
}
