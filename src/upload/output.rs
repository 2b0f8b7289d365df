//! One output of an upload: its segments that are not committed, and its playlist.

use std::collections::BTreeMap;
use std::ops::Range;

use object_store::UpdateVersion;

use super::driver::FinishedOutput;
use super::playlist_text::PlaylistText;
use super::waiting::Waiting;
use crate::continuity::{Addition, ControlObject, TailEntry};
use crate::media::Container;
use crate::naming::{ObjectName, Prefix, key};
use crate::playlist::{Header, RenderError};

/// An output while it is uploaded.
pub(super) struct Output {
    pub playlist: ObjectName,
    pub text: PlaylistText,
    /// Length of the text with what is committed.
    pub committed_text: u64,
    /// The playlist in the store, once it is ours.
    pub known: Option<UpdateVersion>,
    /// Segments that are not committed, by their place.
    pub waiting: BTreeMap<u64, Waiting>,
    /// Entries committed.
    pub committed: u64,
    container: Container,
    header: Header,
    /// Segments handed over, and their length.
    sealed: u64,
    sealed_millis: u64,
    /// Entries that the playlist in the store lists.
    listed: u64,
    complete: bool,
}

impl Output {
    pub fn new(playlist: ObjectName, container: Container, header: Header, text: PlaylistText) -> Self {
        Self {
            playlist,
            text,
            committed_text: 0,
            known: None,
            waiting: BTreeMap::new(),
            committed: 0,
            container,
            header,
            sealed: 0,
            sealed_millis: 0,
            listed: 0,
            complete: false,
        }
    }

    /// A segment is complete that nothing will be done with.
    pub fn count(&mut self, waiting: &Waiting) {
        self.sealed += 1;
        self.sealed_millis += waiting.facts.duration_millis;
    }

    /// A segment is complete; gives its place.
    pub fn take(&mut self, waiting: Waiting) -> u64 {
        let place = self.sealed;
        self.count(&waiting);
        self.waiting.insert(place, waiting);
        place
    }

    /// What a commit of these places adds, which are in the text from now on; `None` where nothing was ever
    /// committed and nothing is now.
    ///
    /// # Errors
    /// Where an entry does not fit the playlist.
    pub fn addition(&mut self, places: Range<u64>, published: u64) -> Result<Option<Addition>, RenderError> {
        let waiting = places.filter_map(|place| self.waiting.get(&place));
        let entries: Vec<TailEntry> = waiting.filter_map(Waiting::entry).collect();
        for entry in &entries {
            self.text.append(&entry.entry(&self.playlist, self.container))?;
        }
        Ok((self.committed > 0 || !entries.is_empty()).then(|| Addition {
            playlist: self.playlist.to_string(),
            container: self.container,
            target_duration: self.header.target_duration,
            entries,
            hash: self.text.hash(),
            published,
        }))
    }

    /// These places are committed, and need not be kept.
    pub async fn commit(&mut self, places: Range<u64>) {
        for place in places {
            let Some(waiting) = self.waiting.remove(&place) else { continue };
            self.committed += 1;
            waiting.file.remove().await;
        }
        self.committed_text = self.text.len();
    }

    /// The playlist in the store is this version, and lists so many entries.
    pub fn published(&mut self, known: UpdateVersion, listed: u64, ended: bool) {
        self.known = Some(known);
        self.listed = listed;
        self.complete = ended && self.sealed == listed;
    }

    /// What it came to, by the last state that was committed.
    pub fn finished(self, state: &ControlObject, prefix: &Prefix) -> FinishedOutput {
        let playlist = self.playlist.to_string();
        let committed = state.outputs.iter().find(|output| output.playlist == playlist).cloned();
        let (entries, millis) =
            committed.as_ref().map_or((0, 0), |output| (output.segments, output.duration_millis));
        FinishedOutput {
            playlist: committed.is_some().then(|| key(prefix, &self.playlist)),
            listed: self.listed,
            uncommitted: self.sealed.saturating_sub(entries),
            uncommitted_millis: self.sealed_millis.saturating_sub(millis),
            complete: self.complete,
            committed,
        }
    }
}
