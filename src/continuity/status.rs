//! What a recording came to so far, computed from its control object, its seals and the records of salvages: pure.
//!
//! The current generation's figures are in the control object, those of older ones in their seals. A seal
//! that cannot be read leaves its generation without figures, and an error in their place. Lengths are in
//! milliseconds of media, gaps that a playlist lists included.
//!
//! Of what was salvaged that counts which is not committed. Commits go in order: what has a place before the number of
//! committed entries is one of them.

use serde::Serialize;

use super::account::{Account, covered};
use super::control::{ControlObject, HolderName, OutputState, Phase, SealName};
use super::salvage::{SalvageRecord, SalvagedSegment};
use super::seal::Seal;
use super::uncommitted::{Uncommitted, output_of};
use crate::ids::{Cname, Generation, OutputName, Sid};
use crate::media::Container;
use crate::naming::{Prefix, key};
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
    /// What became of every second of each output.
    pub accounts: Vec<Account>,
    /// Records of salvages that cannot be read, and why.
    pub unreadable: Vec<String>,
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
    /// What was salvaged, and is not committed.
    pub salvaged: Salvaged,
}

/// What dead workers had left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Salvaged {
    /// Segments.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their length.
    pub duration_millis: u64,
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
    /// Time that no segment covers, salvaged ones included.
    pub gap_millis: u64,
    /// Time that only salvaged segments cover.
    pub salvaged_millis: u64,
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
    /// order, or why they cannot be had, and `salvages` the records of salvages, or why those cannot.
    pub fn new(
        state: &ControlObject,
        seals: Vec<Result<Seal, String>>,
        salvages: Vec<Result<SalvageRecord, String>>,
    ) -> Self {
        let older = state.seals.iter().zip(seals).filter(|(name, _)| name.generation < state.generation);
        let (mut generations, mut states) = (Vec::new(), Vec::new());
        for (name, seal) in older {
            states.push((name.generation, seal.as_ref().map_or(Vec::new(), |seal| seal.outputs.clone())));
            generations.push(GenerationStatus::sealed(name, seal, &state.prefix));
        }
        states.push((state.generation, state.outputs.clone()));
        generations.push(GenerationStatus::current(state));
        let mut unreadable = Vec::new();
        let keep =
            |record: Result<SalvageRecord, String>| record.map_err(|error| unreadable.push(error)).ok();
        let records: Vec<SalvageRecord> = salvages.into_iter().filter_map(keep).collect();
        let left = Uncommitted::of(&records, &states);
        for generation in &mut generations {
            generation.add_salvaged(&left, &state.prefix);
        }
        Self {
            sid: state.sid.clone(),
            cname: state.cname.clone(),
            prefix: state.prefix.clone(),
            phase: state.phase,
            epoch: state.epoch,
            generation: state.generation,
            holder: state.holder.clone(),
            joins: joins(&generations, &left),
            total: Total::of(&generations),
            accounts: left.accounts(&state.id(), &states),
            generations,
            unreadable,
        }
    }

    /// Why some figures are missing; `None` where all are there.
    pub fn error(&self) -> Option<&str> {
        let of_seals = self.generations.iter().find_map(|generation| generation.error.as_deref());
        of_seals.or(self.unreadable.first().map(String::as_str))
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

    fn add_salvaged(&mut self, left: &Uncommitted<'_>, prefix: &Prefix) {
        for ((generation, playlist), segments) in &left.salvaged {
            let Some(first) = segments.iter().min_by_key(|segment| segment.date) else { continue };
            if *generation != self.generation {
                continue;
            }
            let playlist = key(prefix, playlist);
            let known = self.outputs.iter().position(|output| output.playlist == playlist);
            let known = known.unwrap_or_else(|| {
                let container =
                    first.key.rsplit_once('.').and_then(|(_, end)| Container::from_extension(end));
                let container = container.unwrap_or(Container::MpegTs);
                self.outputs.push(OutputStatus::nothing(playlist, container, first.date));
                self.outputs.len() - 1
            });
            if let Some(output) = self.outputs.get_mut(known) {
                segments.iter().for_each(|segment| output.salvaged.add(segment));
            }
        }
    }
}

impl Salvaged {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            segments: self.segments.saturating_add(other.segments),
            bytes: self.bytes.saturating_add(other.bytes),
            duration_millis: self.duration_millis.saturating_add(other.duration_millis),
        }
    }

    fn add(&mut self, segment: &SalvagedSegment) {
        *self = self.plus(Self { segments: 1, bytes: segment.bytes, duration_millis: segment.millis });
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
            salvaged: Salvaged::default(),
        }
    }

    /// One of which nothing is committed.
    fn nothing(playlist: String, container: Container, begin: WallTime) -> Self {
        Self {
            playlist,
            container,
            segments: 0,
            bytes: 0,
            duration_millis: 0,
            gaps: 0,
            gap_millis: 0,
            begin,
            end: begin,
            tail: 0,
            salvaged: Salvaged::default(),
        }
    }

    /// Which output of the recording this is, in any generation.
    pub fn name(&self) -> Option<OutputName> {
        output_of(self.playlist.rsplit('/').next()?)
    }
}

/// For each output of each generation, the latest older one that recorded it too.
fn joins(generations: &[GenerationStatus], left: &Uncommitted<'_>) -> Vec<Join> {
    let mut joins = Vec::new();
    for (index, later) in generations.iter().enumerate() {
        for output in &later.outputs {
            let older = generations.iter().take(index).rev();
            let before = older
                .flat_map(|older| older.outputs.iter().map(|output| (older.generation, output)))
                .find(|(_, older)| older.name() == output.name());
            if let Some((from, before)) = before {
                let gap = output.begin.since(before.end).millis();
                let salvaged = left.salvaged.iter().filter(|(key, _)| output_of(key.1) == output.name());
                let salvaged = salvaged.flat_map(|(_, segments)| segments.iter().copied());
                let salvaged = covered(before.end, output.begin, salvaged);
                joins.push(Join {
                    from,
                    to: later.generation,
                    playlist: output.playlist.clone(),
                    end: before.end,
                    begin: output.begin,
                    gap_millis: u64::try_from(gap).unwrap_or(0).saturating_sub(salvaged),
                    salvaged_millis: salvaged,
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
