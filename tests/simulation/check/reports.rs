//! I7 and I8: what the workers said to their callers, held against what happened.

use tapeline::ErrorKind;
use tapeline::continuity::Phase;
use tapeline::naming::key;
use tapeline::recorder::{Event, Summary};

use super::super::history::{Ended, Millis, STRANGER, What};
use super::super::scenario::{Launch, Order};
use super::Check;
use super::account::Sums;
use super::gaps::ToldGap;

/// A worker has its first picture after this.
const JOINS_IN: Millis = 2_000;

impl Check<'_> {
    /// A recorder was given out.
    pub(super) fn held(&mut self, at: Millis, worker: usize, generation: u8) {
        if self.claimants.get(&generation) != Some(&worker) {
            self.wrong(at, format!("I1: w{worker} was given generation {generation} without a claim"));
        }
    }

    pub(super) fn told(&mut self, at: Millis, worker: usize, event: &Event) {
        let generation = self.generation_of(worker);
        let track = |playlist: &String| generation.and_then(|g| self.tracks.get(&(g, playlist.clone())));
        let found = match event {
            Event::SegmentOpened { playlist, .. } => {
                *self.opened.entry((worker, playlist.clone())).or_default() += 1;
                None
            }
            Event::SegmentStored { playlist, segment, name, bytes, .. } => {
                self.segments.entry((worker, playlist.clone())).or_default().stored.insert(*segment);
                let held = self.objects.get(&key(self.prefix, name));
                let whole = held.is_some_and(|written| written.writer == worker && written.size == *bytes);
                (!whole).then(|| format!("says that {name} is stored, and it is not"))
            }
            Event::SegmentCommitted { playlist, segments } => {
                let there = track(playlist).map_or(0, |track| track.entries.len() as u64);
                (there < *segments)
                    .then(|| format!("I8: says that {segments} of {playlist} are committed, not {there}"))
            }
            Event::SegmentListed { playlist, segments, ended } => {
                let there = track(playlist).map_or(0, |track| {
                    if self.updates { track.listed as u64 } else { track.most_listed as u64 }
                });
                let ends = !ended || !self.updates || track(playlist).is_some_and(|track| track.ended);
                (there < *segments || !ends).then(|| {
                    format!("says that {playlist} lists {segments} (end: {ended}), and it lists {there}")
                })
            }
            Event::Failed { kind, error } => {
                self.failed(at, worker, kind).err().map(|what| format!("{what}: {error}"))
            }
            Event::Gap { playlist, segment, name, duration_millis, cause } => {
                let gap = ToldGap { name: name.clone(), millis: *duration_millis, cause: *cause };
                self.gives_up(worker, playlist, *segment, gap).err()
            }
            Event::Summary(summary) => {
                self.summaries.insert(worker, Summary::clone(summary));
                self.adds_up(worker, summary).err()
            }
            _ => None,
        };
        if let Some(what) = found {
            self.wrong(at, format!("w{worker} {what}"));
        }
    }

    pub(super) fn generation_of(&self, worker: usize) -> Option<u8> {
        self.claimants.iter().find(|(_, claimant)| **claimant == worker).map(|(generation, _)| *generation)
    }

    /// What a worker was launched for.
    pub(super) fn launch_of(&self, worker: usize) -> Option<Launch> {
        self.history.records.iter().find_map(|record| match record.what {
            What::Launched { launch, .. } if record.worker == worker => Some(launch),
            _ => None,
        })
    }

    pub(super) fn has_ended(&mut self, at: Millis, worker: usize, ended: &Ended) {
        let Some(launch) = self.launch_of(worker) else { return };
        let found = match (launch, ended) {
            (Launch::StopForAnother, Ended::Well(_)) => self.stopped_by(worker).err(),
            (_, Ended::Well(Some(summary))) => self.left_well(at, worker, summary).err(),
            (Launch::Salvage | Launch::SalvageAgain, Ended::Salvaged) => None,
            (_, Ended::Salvaged) => Some("has salvaged, and was not to".to_owned()),
            (launch, Ended::NotBegun(kind, why)) => {
                self.not_begun(worker, launch, *kind).err().map(|what| format!("{what}: {why}"))
            }
            (_, Ended::Failed(kind, why)) => {
                self.failed(at, worker, kind.as_str()).err().map(|what| format!("{what}: {why}"))
            }
            (_, Ended::Well(None)) => Some("has nothing to say in the end".to_owned()),
        };
        if let Some(what) = found {
            self.wrong(at, format!("w{worker} ({launch:?}) {what}"));
        }
    }

    fn stopped_by(&self, worker: usize) -> Result<(), String> {
        match self.current() {
            Some(last) if last.writer == worker && last.state.phase == Phase::Stopped => Ok(()),
            _ => Err("says that it has stopped the recording, and has not".to_owned()),
        }
    }

    fn left_well(&self, at: Millis, worker: usize, summary: &Summary) -> Result<(), String> {
        let ordered = self.history.records.iter().rev().find_map(|record| match record.what {
            What::Ordered(order) if record.worker == worker && record.at <= at => Some(order),
            _ => None,
        });
        let generation = self.generation_of(worker).ok_or("left what it never had")?;
        self.has_recorded(worker, summary)?;
        match ordered {
            None => return Err("left without having been told".to_owned()),
            Some(Order::Stop) => self.stopped_by(worker)?,
            Some(Order::Orphan) => {
                let orphaned = |version: &super::Version| {
                    version.writer == worker && version.state.phase == Phase::Orphaned
                };
                if !self.versions.iter().any(orphaned) {
                    return Err("says that it has orphaned the recording, and has not".to_owned());
                }
            }
        }
        for output in &summary.outputs {
            let Some(playlist) = &output.playlist else {
                continue;
            };
            let name = playlist.rsplit('/').next().unwrap_or_default().to_owned();
            let opened = self.opened.get(&(worker, name.clone())).copied().unwrap_or(0);
            let track = self.tracks.get(&(generation, name)).ok_or("names a playlist of nothing")?;
            let committed = track.entries.len() as u64;
            if opened != committed || output.account.uncommitted != 0 {
                let uncommitted = output.account.uncommitted;
                return Err(format!(
                    "opened {opened} of {playlist}, and {committed} are committed, {uncommitted} not"
                ));
            }
            if Sums::said(&output.account) != track.sums {
                let said = Sums::said(&output.account);
                return Err(format!("I8: says {said:?} of {playlist}, and {:?} is so", track.sums));
            }
            let listed = if self.updates { track.listed } else { track.most_listed };
            if listed as u64 != committed || output.listed != committed {
                return Err(format!("left {playlist} with {listed} of {committed} entries"));
            }
            let ends = !self.updates || track.ended;
            if ordered == Some(Order::Stop) && !(output.complete && ends) {
                return Err(format!("left {playlist} without its end"));
            }
        }
        Ok(())
    }

    /// Who has its turn when all is calm goes on recording, an input that waits for room too. Not one that gives up while
    /// what others left fills the room that it shares with them.
    fn has_recorded(&self, worker: usize, summary: &Summary) -> Result<(), String> {
        let when = |is: fn(&What) -> bool| {
            let mut of = self.history.records.iter().filter(|record| record.worker == worker);
            of.find(|record| is(&record.what)).map(|record| record.at)
        };
        let held = when(|what| matches!(what, What::Held { .. }));
        let ordered = when(|what| matches!(what, What::Ordered(_)));
        let (Some(held), Some(ordered)) = (held, ordered) else { return Ok(()) };
        if held < self.calm_at || self.rooms.may_be_filled_by_others() {
            return Ok(());
        }
        for output in &summary.outputs {
            let recorded = output.account.duration_millis;
            // It begins at a key frame, and waits for each commit where one segment fills the spool.
            if recorded < ordered.saturating_sub(held + JOINS_IN) / 3 {
                return Err(format!("has recorded {recorded} ms in all calm, from {held} to {ordered}"));
            }
        }
        Ok(())
    }

    /// Whether somebody else wrote the control object while this worker was there.
    fn others_wrote(&self, worker: usize) -> bool {
        let since = self.launched.get(&worker).copied().unwrap_or(0);
        self.versions.iter().any(|version| version.writer != worker && version.at >= since)
    }

    fn not_begun(&self, worker: usize, launch: Launch, kind: ErrorKind) -> Result<(), &'static str> {
        let ended = self.current().map(|version| version.state.phase).filter(|phase| phase.is_final());
        let stranger =
            self.objects.iter().any(|(name, written)| written.writer == STRANGER && name.ends_with(".m3u8"));
        let others = self.others_wrote(worker);
        let exists = self.versions.iter().any(|version| version.writer != worker);
        let since = self.launched.get(&worker).copied().unwrap_or(0);
        let existed = self.versions.iter().any(|version| version.at < since);
        let told_right = match (kind, launch) {
            (ErrorKind::Conflict, Launch::Start) => exists || stranger,
            (ErrorKind::Conflict, _) => {
                others || ended.is_some() || self.respects_claims && self.versions.len() > 1
            }
            (ErrorKind::NotFound, Launch::Resume | Launch::StopForAnother) => !existed,
            (ErrorKind::Abandoned, Launch::Resume | Launch::StopForAnother) => {
                ended == Some(Phase::Abandoned)
            }
            // The store did not serve; there is weather enough.
            (ErrorKind::Unavailable, _) => true,
            _ => false,
        };
        if told_right { Ok(()) } else { Err("was told what is not so") }
    }

    /// Whether what ended the uploading is so, at the moment at which it is told.
    fn failed(&self, at: Millis, worker: usize, kind: &str) -> Result<(), &'static str> {
        let ours = self.current().is_some_and(|version| version.writer == worker);
        match kind {
            "fenced" if ours => Err("is the rightful holder, and was told that it is not"),
            "fenced" => Ok(()),
            "conflict" if self.has_strangers() => Ok(()),
            "data loss" => {
                let ordered = self.history.records.iter().find_map(|record| match record.what {
                    What::Ordered(_) if record.worker == worker => Some(record.at),
                    _ => None,
                });
                let waited = ordered.is_some_and(|ordered| at >= ordered + self.stop_patience);
                if waited { Ok(()) } else { Err("gave up before its patience was over") }
            }
            _ => Err("failed, though only the store did not serve"),
        }
    }
}
