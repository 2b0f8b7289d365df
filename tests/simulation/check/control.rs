//! I1, I5, I6, and I3 of what is committed: every version of the control object, and every seal.

use std::collections::BTreeSet;

use bytes::Bytes;
use tapeline::checksum::{Crc64, Sha256};
use tapeline::continuity::{ControlObject, OutputState, Phase, Seal, TailEntry};
use tapeline::naming::{ObjectName, key};
use tapeline::playlist::{Header, Renderer};

use super::super::history::{Millis, Request};
use super::super::network::Operation;
use super::{Check, Sums, Track, Version};

const FOLDER: &str = ".tapeline/recordings/s1";

impl Check<'_> {
    /// Which version of the control object a key is: in the numbered form its number, else 0.
    pub(super) fn version_number(&self, key: &str) -> Option<u64> {
        match key.strip_prefix(FOLDER)? {
            ".json" => Some(0),
            rest => rest.strip_prefix('/')?.strip_suffix(".json")?.parse().ok(),
        }
    }

    /// A change is repeated as it was, until it is made; one that has lost is not followed by another.
    pub(super) fn change_is_settled(&mut self, at: Millis, worker: usize, request: &Request) {
        let Operation::Put { key, body, .. } = &request.operation else { return };
        if self.version_number(key).is_none() {
            return;
        }
        let Some(before) = self.changes.insert(worker, body.clone()) else { return };
        let made = |version: &Version| version.writer == worker && version.body == before;
        if before != *body && !self.versions.iter().rev().any(made) {
            self.wrong(at, format!("w{worker} sends another change before its last one is made"));
        }
    }

    pub(super) fn version(&mut self, at: Millis, writer: usize, number: u64, body: &Bytes) {
        let state = match ControlObject::decode(body) {
            Ok(state) => state,
            Err(error) => {
                return self.wrong(at, format!("w{writer} wrote a control object that is none: {error}"));
            }
        };
        if number != 0 && number != state.counter {
            self.wrong(
                at,
                format!("version {number} of the control object has the counter {}", state.counter),
            );
        }
        let found = match self.current() {
            None => Self::beginning(&state),
            Some(before) => self.following(before, writer, &state),
        };
        for what in found {
            self.wrong(at, format!("w{writer}, counter {}: {what}", state.counter));
        }
        let generation = state.generation.get();
        self.claimants.entry(generation).or_insert(writer);
        for output in &state.outputs {
            self.output(at, generation, output);
        }
        self.versions.push(Version { at, writer, body: body.clone(), state });
    }

    fn beginning(state: &ControlObject) -> Vec<String> {
        let begins = (state.epoch, state.counter, state.generation.get(), state.phase);
        if begins == (1, 1, 0, Phase::Recording) && state.outputs.is_empty() {
            return Vec::new();
        }
        vec![format!("I1: a recording begins with epoch, counter, generation and phase {begins:?}")]
    }

    fn following(&self, before: &Version, writer: usize, state: &ControlObject) -> Vec<String> {
        let mut found = Vec::new();
        let mut must = |holds: bool, what: &str| {
            if !holds {
                found.push(format!("{what} (after counter {} of w{})", before.state.counter, before.writer));
            }
        };
        let old = &before.state;
        let nonces: BTreeSet<&str> =
            self.versions.iter().map(|version| version.state.nonce.as_str()).collect();
        must(state.counter == old.counter + 1, "I1: the counter does not grow by one");
        must(!nonces.contains(state.nonce.as_str()), "a nonce is used twice");
        must(!old.phase.is_final(), "I1: a final phase is left");
        must(
            (&state.sid, &state.cname, &state.prefix) == (&old.sid, &old.cname, &old.prefix),
            "another recording",
        );
        must(state.seals.starts_with(&old.seals), "I5: an older seal's name has changed");
        let sealed = state.seals.len() - old.seals.len();
        let owner = self.claimants.get(&old.generation.get()).copied();
        if state.generation == old.generation && state.epoch == old.epoch {
            must(Some(writer) == owner, "I1, I6: a commit by one who has not claimed the generation");
            must(
                matches!(state.phase, Phase::Recording | Phase::Orphaned),
                "I1: this phase needs a new epoch",
            );
            must(sealed == 0, "I5: a seal without a new epoch");
            must(state.holder == old.holder, "I1: another holder without a new epoch");
        } else {
            must(state.epoch == old.epoch + 1, "I1: the epoch does not grow by one");
            must(sealed == 1, "I5: a new epoch without one new seal");
            let claimed = state.generation.get() == old.generation.get() + 1;
            let closed = state.generation == old.generation && state.outputs == old.outputs;
            match state.phase {
                Phase::Recovering => {
                    must(claimed && state.outputs.is_empty(), "I1: a claim takes the next generation, empty");
                    must(state.holder.worker != old.holder.worker, "I1: a claim by the holder");
                }
                Phase::Stopped => must(closed, "I6: the stop changes what was recorded"),
                Phase::Abandoned => {
                    must(closed, "I6: the abandonment changes what was recorded");
                    must(old.generation.get() == 3, "I1: abandoned before the fourth failover");
                }
                Phase::Recording | Phase::Orphaned => must(false, "I1: a new epoch is not for this phase"),
            }
            if let Some(seal) = state.seals.last() {
                let expected = Seal::of(old);
                let held = self.seals.get(&seal.key);
                must(held.is_some(), "I5: the seal was not stored before it was named");
                must(
                    held.is_none_or(|text| Sha256::of(text) == seal.sha256),
                    "I5: the seal has another hash",
                );
                let read = held.and_then(|text| Seal::decode(text).ok());
                must(
                    held.is_none() || read.as_ref() == Some(&expected),
                    "I5: the seal is not the version that the change is based on",
                );
            }
        }
        found
    }

    /// A seal is written.
    pub(super) fn seal(&mut self, at: Millis, writer: usize, key: &str, body: &Bytes) {
        if self.seals.insert(key.to_owned(), body.clone()).is_some() {
            self.wrong(at, format!("I5: w{writer} wrote {key} again"));
        }
        let seal = match Seal::decode(body) {
            Ok(seal) => seal,
            Err(error) => return self.wrong(at, format!("I5: w{writer} wrote a seal that is none: {error}")),
        };
        let named = self.versions.iter().find(|version| version.state.counter == seal.counter);
        if named.map(|version| Seal::of(&version.state)) != Some(seal) {
            self.wrong(at, format!("I5: {key} by w{writer} is no version that ever was"));
        }
    }

    /// The state of an output in a version of the control object.
    fn output(&mut self, at: Millis, generation: u8, output: &OutputState) {
        let place = (generation, output.playlist.clone());
        let header = Header { target_duration: output.target_duration };
        let mut track = self.tracks.remove(&place).unwrap_or_else(|| Track::new(&header));
        let mut found = Vec::new();
        for (entry, index) in output.tail.iter().zip(output.tail_from..) {
            match track.entries.get(index as usize) {
                Some(known) if known == entry => {}
                Some(_) => found.push(format!("I6: entry {index} has changed")),
                None if index == track.entries.len() as u64 => {
                    found.extend(self.stored(&output.playlist, output, entry));
                    found.extend(track.entry_is_its_own(entry));
                    track.commit(&output.playlist, output, entry);
                }
                None => found.push(format!("entries are missing before {index}")),
            }
        }
        let entries = &track.entries;
        if output.segments != entries.len() as u64 {
            found.push(format!("I6: {} segments, and {} were committed", output.segments, entries.len()));
        }
        if Sums::stated(output) != track.sums {
            found.push(format!("I8: it says {:?}, and has {:?}", Sums::stated(output), track.sums));
        }
        if output.hash != Sha256::of(track.text.as_bytes()) {
            found.push("its hash is not that of the playlist that follows from the commits".to_owned());
        }
        // In the numbered form a late request may have made the playlist shorter again.
        let seen = if self.updates { track.listed } else { track.most_listed };
        if output.tail_from > seen as u64 {
            let from = output.tail_from;
            found.push(format!("its tail begins at {from}, and the published playlist has {seen} entries"));
        }
        self.tracks.insert(place, track);
        for what in found {
            self.wrong(at, format!("{}: {what}", output.playlist));
        }
    }

    /// I3: what is committed was stored before.
    fn stored(&self, playlist: &str, output: &OutputState, entry: &TailEntry) -> Option<String> {
        if entry.gap {
            // What is given up while it is sent may lie there all the same: nobody lists it.
            let nothing = (entry.bytes, entry.crc64, entry.cause.is_some());
            return (nothing != (0, Crc64::default(), true)).then(|| format!("a gap has {nothing:?}"));
        }
        let playlist: ObjectName = playlist.parse().ok()?;
        let name = key(self.prefix, &entry.name(&playlist, output.container));
        match self.objects.get(&name) {
            None => Some(format!("I3: {name} is committed and not stored")),
            Some(written) if (written.size, written.crc64) != (entry.bytes, entry.crc64) => {
                Some(format!("I3: {name} is committed and has other bytes"))
            }
            Some(_) => None,
        }
    }
}

impl Track {
    fn new(header: &Header) -> Self {
        let renderer = Renderer::new(header);
        let mut track = Self {
            entries: Vec::new(),
            sums: Sums::default(),
            text: String::new(),
            lengths: Vec::new(),
            renderer,
            listed: 0,
            most_listed: 0,
            ended: false,
            version_sent: 0,
        };
        track.render();
        track
    }

    fn commit(&mut self, playlist: &str, output: &OutputState, entry: &TailEntry) {
        if let Ok(playlist) = playlist.parse() {
            let _ = self.renderer.append(&entry.entry(&playlist, output.container));
        }
        self.sums.add(entry);
        self.entries.push(entry.clone());
        self.render();
    }

    fn render(&mut self) {
        let more = self.renderer.take();
        self.text.push_str(&more);
        self.lengths.push(self.text.len());
    }
}
