//! What a recording came to so far, computed from its control object and its seals: pure.
//!
//! The current generation's figures are in the control object, those of older ones in their seals. A seal
//! that cannot be read leaves its generation without figures, and an error in their place. Lengths are in
//! milliseconds of media, gaps that a playlist lists included.

use serde::Serialize;

use super::control::{ControlObject, HolderName, OutputState, Phase, SealName};
use super::seal::Seal;
use crate::ids::{Cname, Generation, OutputName, Sid};
use crate::media::Container;
use crate::naming::{ObjectName, Prefix, key};
use crate::time::WallTime;

/// A recording, with all of its generations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The recording.
    pub sid: Sid,
    /// Its channel.
    pub cname: Cname,
    /// Folders before its names in the store.
    pub prefix: Prefix,
    /// What it is doing.
    pub phase: Phase,
    /// How often the right to write was taken.
    pub epoch: u64,
    /// The current turn.
    pub generation: Generation,
    /// Whose turn it is, or was last.
    pub holder: HolderName,
    /// All turns, from the first on.
    pub generations: Vec<GenerationStatus>,
    /// Where a generation goes on with an output of an older one.
    pub joins: Vec<Join>,
    /// All generations together.
    pub total: Total,
}

/// One worker's turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GenerationStatus {
    /// Its number.
    pub generation: Generation,
    /// Whose turn; `None` where the seal cannot be read.
    pub holder: Option<HolderName>,
    /// What froze it; `None` while it may grow.
    pub seal: Option<SealName>,
    /// Its playlists, in the order of their first commit.
    pub outputs: Vec<OutputStatus>,
    /// Why the figures are missing.
    pub error: Option<String>,
}

/// One playlist of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputStatus {
    /// Its key.
    pub playlist: String,
    /// What its segments are.
    pub container: Container,
    /// Entries committed, gaps included.
    pub segments: u64,
    /// Bytes of the segments.
    pub bytes: u64,
    /// Length of all entries, gaps included.
    pub duration_millis: u64,
    /// Entries that are gaps.
    pub gaps: u64,
    /// Their length.
    pub gap_millis: u64,
    /// The date of the first entry.
    pub begin: WallTime,
    /// The date at which the last entry ends.
    pub end: WallTime,
    /// Entries committed that were not yet seen in the published playlist.
    pub tail: u64,
}

/// From the end of an output in one generation to its begin in a later one, by their dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Join {
    /// The generation that ended.
    pub from: Generation,
    /// The next one that recorded the same output.
    pub to: Generation,
    /// The playlist of the latter.
    pub playlist: String,
    /// When the former ends.
    pub end: WallTime,
    /// When the latter begins.
    pub begin: WallTime,
    /// Time that no segment covers.
    pub gap_millis: u64,
    /// Time that both cover.
    pub overlap_millis: u64,
}

/// All generations together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Total {
    /// Entries committed, gaps included.
    pub segments: u64,
    /// Bytes of the segments.
    pub bytes: u64,
    /// Of each generation the longest output.
    pub duration_millis: u64,
    /// Entries that are gaps.
    pub gaps: u64,
    /// Their length.
    pub gap_millis: u64,
    /// The date of the first entry.
    pub begin: Option<WallTime>,
    /// The date at which the last entry ends.
    pub end: Option<WallTime>,
    /// Entries committed that were not yet seen in a published playlist.
    pub tail: u64,
}

impl Status {
    /// The status of the recording `state`; `seals` are those that it names for older generations, in their
    /// order, or why they cannot be had.
    pub fn new(state: &ControlObject, seals: Vec<Result<Seal, String>>) -> Self {
        let older = state.seals.iter().zip(seals).filter(|(name, _)| name.generation < state.generation);
        let mut generations: Vec<_> =
            older.map(|(name, seal)| GenerationStatus::sealed(name, seal, &state.prefix)).collect();
        generations.push(GenerationStatus::current(state));
        Self {
            sid: state.sid.clone(),
            cname: state.cname.clone(),
            prefix: state.prefix.clone(),
            phase: state.phase,
            epoch: state.epoch,
            generation: state.generation,
            holder: state.holder.clone(),
            joins: joins(&generations),
            total: Total::of(&generations),
            generations,
        }
    }

    /// Why some figures are missing; `None` where all are there.
    pub fn error(&self) -> Option<&str> {
        self.generations.iter().find_map(|generation| generation.error.as_deref())
    }
}

impl GenerationStatus {
    /// The current generation of `state`.
    pub fn current(state: &ControlObject) -> Self {
        Self {
            generation: state.generation,
            holder: Some(state.holder.clone()),
            seal: state.seals.iter().find(|seal| seal.generation == state.generation).cloned(),
            outputs: outputs(&state.outputs, &state.prefix),
            error: None,
        }
    }

    fn sealed(name: &SealName, seal: Result<Seal, String>, prefix: &Prefix) -> Self {
        let (holder, outputs, error) = match seal {
            Ok(seal) => (Some(seal.holder), outputs(&seal.outputs, prefix), None),
            Err(error) => (None, Vec::new(), Some(error)),
        };
        Self { generation: name.generation, holder, seal: Some(name.clone()), outputs, error }
    }
}

fn outputs(states: &[OutputState], prefix: &Prefix) -> Vec<OutputStatus> {
    states.iter().map(|state| OutputStatus::new(state, prefix)).collect()
}

impl OutputStatus {
    fn new(state: &OutputState, prefix: &Prefix) -> Self {
        Self {
            playlist: key(prefix, &state.playlist),
            container: state.container,
            segments: state.segments,
            bytes: state.bytes,
            duration_millis: state.duration_millis,
            gaps: state.gaps,
            gap_millis: state.gap_millis,
            begin: state.begin,
            end: state.end.date,
            tail: state.segments.saturating_sub(state.tail_from),
        }
    }

    /// Which output of the recording this is, in any generation.
    fn name(&self) -> Option<OutputName> {
        let name = self.playlist.rsplit('/').next()?.parse::<ObjectName>().ok()?;
        Some(name.output)
    }
}

/// For each output of each generation, the latest older one that recorded it too.
fn joins(generations: &[GenerationStatus]) -> Vec<Join> {
    let mut joins = Vec::new();
    for (index, later) in generations.iter().enumerate() {
        for output in &later.outputs {
            let older = generations.iter().take(index).rev();
            let before = older
                .flat_map(|older| older.outputs.iter().map(|output| (older.generation, output)))
                .find(|(_, older)| older.name() == output.name());
            if let Some((from, before)) = before {
                let gap = output.begin.since(before.end).millis();
                joins.push(Join {
                    from,
                    to: later.generation,
                    playlist: output.playlist.clone(),
                    end: before.end,
                    begin: output.begin,
                    gap_millis: u64::try_from(gap).unwrap_or(0),
                    overlap_millis: u64::try_from(-gap).unwrap_or(0),
                });
            }
        }
    }
    joins
}

impl Total {
    fn of(generations: &[GenerationStatus]) -> Self {
        let mut total = Self::default();
        for generation in generations {
            let longest = generation.outputs.iter().map(|output| output.duration_millis).max();
            total.duration_millis = total.duration_millis.saturating_add(longest.unwrap_or(0));
            for output in &generation.outputs {
                total.segments = total.segments.saturating_add(output.segments);
                total.bytes = total.bytes.saturating_add(output.bytes);
                total.gaps = total.gaps.saturating_add(output.gaps);
                total.gap_millis = total.gap_millis.saturating_add(output.gap_millis);
                total.tail = total.tail.saturating_add(output.tail);
                total.begin = Some(total.begin.map_or(output.begin, |begin| begin.min(output.begin)));
                total.end = total.end.max(Some(output.end));
            }
        }
        total
    }
}
