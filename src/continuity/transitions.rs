//! Every change that there is of a control object: pure, from one version to the next.
//!
//! | change | by | epoch | phase |
//! |---|---|---|---|
//! | start | the first worker | 1 | Recording |
//! | commit | the holder | stays | Recording |
//! | orphan | the holder | stays | Orphaned |
//! | claim | anyone | + 1 | Recovering, the generation grows; after the third failover Abandoned |
//! | stop | anyone | + 1 | Stopped |

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Map;

use super::control::{ControlObject, HolderName, MediaEnd, OutputState, Phase, SCHEMA, SealName};
use super::tail::TailEntry;
use crate::checksum::Sha256;
use crate::ids::{Generation, RecordingId};
use crate::media::Container;
use crate::naming::Prefix;
use crate::spool::GapCause;
use crate::time::MediaSpan;

/// New entries of one output, for a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// The playlist's name, without the prefix.
    pub playlist: String,
    /// What its segments are.
    pub container: Container,
    /// `EXT-X-TARGETDURATION` of its header, in seconds.
    pub target_duration: u32,
    /// The new entries, in order; may be none, where only the tail is to be trimmed.
    pub entries: Vec<TailEntry>,
    /// Hash of the playlist's text with these entries, without its end.
    pub hash: Sha256,
    /// Entries that the published playlist is known to hold.
    pub published: u64,
}

/// Why a change cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The recording has ended.
    Stopped,
    /// The recording has used up its failovers.
    Abandoned,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "the recording was stopped, and a stopped recording does not go on",
            Self::Abandoned => "the recording has used up its three failovers and is abandoned for good",
        })
    }
}

impl std::error::Error for Refusal {}

impl ControlObject {
    /// The state of a recording that begins.
    pub fn start(id: &RecordingId, prefix: Prefix, holder: HolderName, nonce: String) -> Self {
        Self {
            schema: SCHEMA,
            sid: id.sid.clone(),
            cname: id.cname.clone(),
            prefix,
            epoch: 1,
            counter: 1,
            nonce,
            generation: Generation::FIRST,
            holder,
            phase: Phase::Recording,
            outputs: Vec::new(),
            seals: Vec::new(),
            unknown: Map::new(),
        }
    }

    /// The recording this is about.
    pub fn id(&self) -> RecordingId {
        RecordingId { sid: self.sid.clone(), cname: self.cname.clone() }
    }

    /// Whether who last wrote `ours` may still write: nobody has claimed or stopped the recording since.
    pub fn is_still(&self, ours: &Self) -> bool {
        (self.epoch, self.phase) == (ours.epoch, ours.phase)
    }

    /// With more segments. The first commit of a generation ends its recovery.
    pub fn commit(&self, additions: &[Addition], nonce: String) -> Self {
        let mut next = self.changed(nonce);
        next.phase = Phase::Recording;
        for addition in additions {
            match next.outputs.iter_mut().find(|output| output.playlist == addition.playlist) {
                Some(output) => output.add(addition),
                None => next.outputs.extend(OutputState::first(addition)),
            }
        }
        next
    }

    /// Without a source, and open to any claim.
    pub fn orphan(&self, nonce: String) -> Self {
        Self { phase: Phase::Orphaned, ..self.changed(nonce) }
    }

    /// In the hands of another worker, which records the next generation; `seal` froze the current one.
    /// Where there is no next generation, the recording is abandoned.
    ///
    /// # Errors
    /// Where the recording has ended.
    pub fn claim(&self, holder: HolderName, seal: SealName, nonce: String) -> Result<Self, Refusal> {
        let mut next = self.sealed(seal, nonce)?;
        match self.generation.next() {
            Some(generation) => {
                next.generation = generation;
                next.phase = Phase::Recovering;
                next.holder = holder;
                next.outputs = Vec::new();
            }
            None => next.phase = Phase::Abandoned,
        }
        Ok(next)
    }

    /// At its end; `seal` froze the current generation.
    ///
    /// # Errors
    /// Where the recording has ended already.
    pub fn stop(&self, seal: SealName, nonce: String) -> Result<Self, Refusal> {
        Ok(Self { phase: Phase::Stopped, ..self.sealed(seal, nonce)? })
    }

    /// # Errors
    /// Where the recording has ended.
    pub fn check_open(&self) -> Result<(), Refusal> {
        match self.phase {
            Phase::Stopped => Err(Refusal::Stopped),
            Phase::Abandoned => Err(Refusal::Abandoned),
            Phase::Recording | Phase::Recovering | Phase::Orphaned => Ok(()),
        }
    }

    fn sealed(&self, seal: SealName, nonce: String) -> Result<Self, Refusal> {
        self.check_open()?;
        let mut next = self.changed(nonce);
        next.epoch = next.epoch.saturating_add(1);
        next.seals.push(seal);
        Ok(next)
    }

    fn changed(&self, nonce: String) -> Self {
        Self { counter: self.counter.saturating_add(1), nonce, ..self.clone() }
    }
}

impl OutputState {
    /// `None` without an entry: an output exists from its first commit on.
    fn first(addition: &Addition) -> Option<Self> {
        let (first, last) = (addition.entries.first()?, addition.entries.last()?);
        let mut output = Self {
            playlist: addition.playlist.clone(),
            container: addition.container,
            target_duration: addition.target_duration,
            segments: 0,
            bytes: 0,
            duration_millis: 0,
            gaps: 0,
            gap_millis: 0,
            gap_causes: BTreeMap::new(),
            silent_millis: 0,
            doubled_millis: 0,
            independent: true,
            begin: first.date,
            end: end_of(last),
            hash: addition.hash,
            tail_from: 0,
            tail: Vec::new(),
            unknown: Map::new(),
        };
        output.add(addition);
        Some(output)
    }

    fn add(&mut self, addition: &Addition) {
        for entry in &addition.entries {
            if self.segments > 0 {
                let between = entry.date.since(self.end.date).millis();
                let positive = |millis: i64| u64::try_from(millis).unwrap_or(0);
                self.silent_millis = self.silent_millis.saturating_add(positive(between));
                self.doubled_millis = self.doubled_millis.saturating_add(positive(between.saturating_neg()));
            }
            // A document from elsewhere may hold any number.
            self.segments = self.segments.saturating_add(1);
            self.bytes = self.bytes.saturating_add(entry.bytes);
            self.duration_millis = self.duration_millis.saturating_add(entry.millis);
            if entry.gap {
                self.gaps = self.gaps.saturating_add(1);
                self.gap_millis = self.gap_millis.saturating_add(entry.millis);
                let of_cause = self.gap_causes.entry(entry.cause.unwrap_or(GapCause::Unknown)).or_default();
                *of_cause = of_cause.saturating_add(entry.millis);
            }
            self.independent &= entry.gap || !entry.without_key;
            self.end = end_of(entry);
        }
        self.hash = addition.hash;
        self.tail.extend_from_slice(&addition.entries);
        let published = addition.published.min(self.segments);
        let seen = usize::try_from(published.saturating_sub(self.tail_from)).unwrap_or(usize::MAX);
        let seen = seen.min(self.tail.len());
        self.tail.drain(..seen);
        self.tail_from += seen as u64;
    }
}

fn end_of(entry: &TailEntry) -> MediaEnd {
    let length = MediaSpan::from_millis(i64::try_from(entry.millis).unwrap_or(i64::MAX));
    let (time, date) = (entry.start + length, entry.date.plus(length));
    MediaEnd { time, clock: entry.clock, date, unknown: Map::new() }
}
