//! I8: what the entries of a playlist add up to, and whether a worker's account says the same.

use std::collections::BTreeMap;

use tapeline::continuity::{OutputState, TailEntry};
use tapeline::recorder::{Account, Summary};
use tapeline::spool::GapCause;
use tapeline::time::{MediaSpan, WallTime};

use super::Check;

/// What entries add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    segments: u64,
    bytes: u64,
    millis: u64,
    gaps: u64,
    gap_millis: u64,
    gap_causes: BTreeMap<GapCause, u64>,
    silent: u64,
    doubled: u64,
    begin: Option<WallTime>,
    end: Option<WallTime>,
}

impl Sums {
    pub fn add(&mut self, entry: &TailEntry) {
        if let Some(end) = self.end {
            let between = entry.date.millis() - end.millis();
            self.silent += between.max(0) as u64;
            self.doubled += (-between).max(0) as u64;
        }
        match entry.cause {
            None => (self.segments, self.millis) = (self.segments + 1, self.millis + entry.millis),
            Some(cause) => {
                (self.gaps, self.gap_millis) = (self.gaps + 1, self.gap_millis + entry.millis);
                *self.gap_causes.entry(cause).or_default() += entry.millis;
            }
        }
        self.bytes += entry.bytes;
        self.begin.get_or_insert(entry.date);
        self.end = Some(entry.date.plus(MediaSpan::from_millis(entry.millis as i64)));
    }

    /// As a version of the control object has it.
    pub fn stated(output: &OutputState) -> Self {
        Self {
            segments: output.segments - output.gaps,
            bytes: output.bytes,
            millis: output.duration_millis - output.gap_millis,
            gaps: output.gaps,
            gap_millis: output.gap_millis,
            gap_causes: output.gap_causes.clone(),
            silent: output.silent_millis,
            doubled: output.doubled_millis,
            begin: Some(output.begin),
            end: Some(output.end.date),
        }
    }

    /// As a worker says it at its end.
    pub fn said(account: &Account) -> Self {
        Self {
            segments: account.segments,
            bytes: account.bytes,
            millis: account.duration_millis,
            gaps: account.gaps,
            gap_millis: account.gap_millis,
            gap_causes: account.gap_causes.clone(),
            silent: account.silent_millis,
            doubled: account.doubled_millis,
            begin: account.begin,
            end: account.end,
        }
    }

    /// Every moment between begin and end is in a segment, a gap or a silence, or in two of them.
    fn is_whole(&self) -> bool {
        let between = match (self.begin, self.end) {
            (Some(begin), Some(end)) => end.millis() - begin.millis(),
            _ => 0,
        };
        let causes: u64 = self.gap_causes.values().sum();
        causes == self.gap_millis
            && (self.millis + self.gap_millis + self.silent) as i64 == between + self.doubled as i64
    }
}

impl Check<'_> {
    /// What a worker says at its end, however that came about.
    pub(super) fn adds_up(&self, worker: usize, summary: &Summary) -> Result<(), String> {
        let generation = self.generation_of(worker).ok_or("has a summary of what it never had")?;
        for output in &summary.outputs {
            let said = Sums::said(&output.account);
            let Some(playlist) = &output.playlist else {
                if said != Sums::default() {
                    return Err(format!("I8: has {said:?} and no playlist"));
                }
                continue;
            };
            let name = playlist.rsplit('/').next().unwrap_or_default().to_owned();
            let uncommitted = output.account.uncommitted;
            let opened = self.opened.get(&(worker, name.clone())).copied().unwrap_or(0);
            if opened != said.segments + said.gaps + uncommitted {
                return Err(format!("I8: opened {opened} of {name}, and says {said:?}, {uncommitted} not"));
            }
            if !said.is_whole() {
                return Err(format!("I8: what it says of {name} does not add up: {said:?}"));
            }
            // A commit whose answer was not waited for may have added more.
            let track = self.tracks.get(&(generation, name)).ok_or("names a playlist of nothing")?;
            let mut committed = Sums::default();
            for entry in track.entries.iter().take((said.segments + said.gaps) as usize) {
                committed.add(entry);
            }
            if said != committed {
                return Err(format!("I8: says {said:?} of {playlist}, and {committed:?} is so"));
            }
        }
        Ok(())
    }
}
