//! What dead workers had left that is not committed, sorted by generation and playlist: pure.
//!
//! Records of salvages hold all that lay in a spool. Commits go in order: what has a place before the number of committed
//! entries is one of them, and left out here.

use std::collections::{BTreeMap, BTreeSet};

use super::account::{Account, Turn};
use super::control::OutputState;
use super::salvage::{LostSegment, SalvageRecord, SalvagedSegment};
use crate::ids::{Generation, OutputName, RecordingId};
use crate::naming::{NameKind, ObjectName};
use crate::time::WallTime;

/// What dead workers had left and is not committed: of each generation, by playlist.
pub(super) struct Uncommitted<'a> {
    pub salvaged: BTreeMap<(Generation, &'a str), Vec<&'a SalvagedSegment>>,
    pub lost: BTreeMap<(Generation, &'a str), Vec<&'a LostSegment>>,
}

impl<'a> Uncommitted<'a> {
    pub fn of(records: &'a [SalvageRecord], states: &[(Generation, Vec<OutputState>)]) -> Self {
        let committed = |generation: Generation, playlist: &str, place: Option<u64>, date: WallTime| {
            let outputs = states.iter().find(|(number, _)| *number == generation).map(|(_, outputs)| outputs);
            let state = outputs.and_then(|outputs| outputs.iter().find(|output| output.playlist == playlist));
            // Without a place the date must do: within a generation they go up.
            state.is_some_and(|state| place.map_or(date < state.end.date, |place| place < state.segments))
        };
        let mut left = Self { salvaged: BTreeMap::new(), lost: BTreeMap::new() };
        // A folder that changed after it was salvaged has two records.
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for record in records {
            let generation = record.generation;
            for segment in &record.segments {
                let SalvagedSegment { playlist, segment: place, date, .. } = segment;
                if !committed(generation, playlist, *place, *date) && seen.insert(&segment.key) {
                    left.salvaged.entry((generation, playlist)).or_default().push(segment);
                }
            }
            for lost in &record.lost {
                let LostSegment { playlist, segment: place, date, .. } = lost;
                if !committed(generation, playlist, *place, *date) && seen.insert(&lost.name) {
                    left.lost.entry((generation, playlist)).or_default().push(lost);
                }
            }
        }
        left
    }

    /// For each output that any generation has, what became of it.
    pub fn accounts(&self, id: &RecordingId, states: &[(Generation, Vec<OutputState>)]) -> Vec<Account> {
        let committed = states.iter().flat_map(|(_, outputs)| outputs).map(|output| output.playlist.as_str());
        let others = self.salvaged.keys().chain(self.lost.keys()).map(|(_, playlist)| *playlist);
        let mut names: Vec<OutputName> = Vec::new();
        for name in committed.chain(others).filter_map(output_of) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let account = |output: OutputName| {
            let is = |playlist: &str| output_of(playlist) == Some(output);
            let first = ObjectName {
                generation: Generation::FIRST,
                recording: id.clone(),
                output,
                kind: NameKind::Playlist,
            };
            let turns: Vec<Turn<'_>> = states
                .iter()
                .map(|(generation, outputs)| {
                    let of = |key: &(Generation, &str)| key.0 == *generation && is(key.1);
                    let salvaged = self.salvaged.iter().filter(|(key, _)| of(key));
                    let lost = self.lost.iter().filter(|(key, _)| of(key));
                    Turn {
                        committed: outputs.iter().find(|output| is(&output.playlist)),
                        salvaged: salvaged.flat_map(|(_, segments)| segments.iter().copied()).collect(),
                        lost: lost.flat_map(|(_, segments)| segments.iter().copied()).collect(),
                    }
                })
                .collect();
            Account::of(&first.to_string(), &turns)
        };
        names.into_iter().filter_map(account).collect()
    }
}

/// Which output of a recording has that playlist, in any generation.
pub(super) fn output_of(playlist: &str) -> Option<OutputName> {
    playlist.parse::<ObjectName>().ok().map(|name| name.output)
}
