//! Salvage: what dead workers leave is in the store in the end, under their own names, and in one record; nothing else
//! is touched, and a second time nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tapeline::ErrorKind;
use tapeline::continuity::{LossCause, LostSegment, SalvageRecord, SalvageState, SalvagedSegment};
use tapeline::naming::{NameKind, ObjectName, key};
use tapeline::spool::LeftSegment;

use super::super::history::{Millis, Record, Request, Visit};
use super::super::network::Mode;
use super::super::scenario::Launch;
use super::Check;

const RECORDS: &str = ".tapeline/recordings/s1/salvage-";

/// Of an open segment that much is cut off at the most: a chunk, whose last picture has no end.
const TORN_OFF: u64 = 6 * 188;
/// That, and the tables.
const NOTHING_WHOLE: u64 = TORN_OFF + 2 * 188;

/// What dead workers left, and what was salvaged of it.
#[derive(Debug, Default)]
pub struct Salvages {
    /// What lay in each folder when its worker was gone, by the folder's name.
    left: BTreeMap<String, Vec<LeftSegment>>,
    records: Vec<SalvageRecord>,
}

impl Check<'_> {
    /// Whether a key is that of a record.
    pub(super) fn is_record(key: &str) -> bool {
        key.starts_with(RECORDS)
    }

    /// A folder of a worker that is gone was looked into.
    pub(super) fn was_left(&mut self, name: &str, left: &[LeftSegment]) {
        self.salvages.left.insert(name.to_owned(), left.to_vec());
    }

    /// A machine went down with its memory: nothing of it can be salvaged any more.
    pub(super) fn left_is_lost(&mut self, host: usize) {
        let of_host = self.folders.of_host(host);
        self.salvages.left.retain(|name, _| !of_host.contains(name));
    }

    /// I2: whether a worker may write objects of a generation that it has not claimed: its claimant was gone when that was
    /// sent, and had its spool on the same machine.
    pub(super) fn may_salvage(&self, writer: usize, generation: u8, request: &Request) -> Result<(), String> {
        let owner = self.claimants.get(&generation).ok_or("nobody has claimed its generation")?;
        if !self.folders.was_gone(*owner, request.order) {
            return Err(format!("w{owner}, which has claimed its generation, was alive"));
        }
        if !self.folders.same_host(writer, *owner) {
            return Err(format!("w{owner}, which has claimed its generation, was on another host"));
        }
        Ok(())
    }

    /// A record is written.
    pub(super) fn record(
        &mut self,
        at: Millis,
        writer: usize,
        key: &str,
        mode: &Mode,
        body: &Bytes,
        request: &Request,
    ) {
        if *mode != Mode::Create {
            self.wrong(at, format!("w{writer} wrote {key} over what may have been there"));
        }
        let record = match SalvageRecord::decode(body) {
            Ok(record) => record,
            Err(error) => return self.wrong(at, format!("w{writer} wrote a record that is none: {error}")),
        };
        if let Err(why) = self.may_salvage(writer, record.generation.get(), request) {
            self.wrong(at, format!("I2: w{writer} wrote {key}: {why}"));
        }
        let of_folder =
            |known: &&SalvageRecord| (known.generation, &known.folder) == (record.generation, &record.folder);
        if self.salvages.records.iter().find(of_folder).is_some_and(|first| has_come_late(first, &record)) {
            return;
        }
        if self.launch_of(writer) == Some(Launch::SalvageAgain) {
            self.wrong(at, format!("I2: w{writer} salvages again, and wrote {key}"));
        }
        // The first, since a worker has one folder: whoever salvages that again finds it.
        if key != format!("{RECORDS}{}-0.json", record.generation) {
            self.wrong(at, format!("w{writer} wrote {key} of {}", record.folder));
        }
        for segment in &record.segments {
            let held = self.objects.get(&segment.key);
            if !held.is_some_and(|held| (held.size, held.crc64) == (segment.bytes, segment.crc64)) {
                self.wrong(at, format!("I3: {} is in {key}, and not stored so", segment.key));
            }
        }
        self.salvages.records.push(record);
    }

    /// An operator's salvage is through with a folder.
    pub(super) fn visited(&mut self, record: &Record, name: &str, visit: &Visit) {
        let Record { at, worker, .. } = *record;
        let since = self.launched.get(&worker).copied().unwrap_or(0);
        match visit {
            // By its worker, or by another one that salvages it.
            Visit::Salvaged | Visit::Gone | Visit::Held => {}
            Visit::Failed(ErrorKind::Unavailable, _) if since < self.calm_at => {}
            Visit::Failed(kind, why) => {
                self.wrong(at, format!("w{worker} cannot salvage {name}: {kind:?}: {why}"));
            }
        }
    }

    /// All segments that were salvaged.
    pub(super) fn salvaged(&self) -> impl Iterator<Item = &SalvagedSegment> {
        self.salvages.records.iter().flat_map(|record| &record.segments)
    }

    /// In the end all that dead workers left is accounted for.
    pub(super) fn all_is_salvaged(&mut self) {
        let mut found = Vec::new();
        for (folder, left) in &self.salvages.left {
            let Some(owner) = self.folders.owner(folder) else { continue };
            let Some(generation) = self.generation_of(owner) else {
                if !left.is_empty() {
                    found.push(format!("w{owner} has no generation, and left segments in {folder}"));
                }
                continue;
            };
            let digits = folder.rsplit_once('.').map(|(_, digits)| digits);
            let records: Vec<&SalvageRecord> = self
                .salvages
                .records
                .iter()
                .filter(|record| record.generation.get() == generation && Some(&*record.folder) == digits)
                .collect();
            if records.len() != usize::from(!left.is_empty()) {
                found.push(format!("I8: {} records of {folder} of w{owner}", records.len()));
            }
            for segment in left {
                let name = segment.name.to_string();
                let saved: Vec<&SalvagedSegment> = records
                    .iter()
                    .flat_map(|record| &record.segments)
                    .filter(|saved| is_of(segment, saved))
                    .collect();
                let lost: Vec<&LostSegment> =
                    records.iter().flat_map(|record| &record.lost).filter(|lost| lost.name == name).collect();
                let what = match (&saved[..], &lost[..]) {
                    ([saved], []) => self.is_saved(generation, segment, saved),
                    ([], [lost]) => Self::is_lost(segment, lost),
                    _ => Err(format!("is salvaged {} times and lost {} times", saved.len(), lost.len())),
                };
                found.extend(what.err().map(|what| format!("I8: {name} in {folder} of w{owner} {what}")));
            }
            found.extend(self.all_that_was_opened(owner, generation, left));
        }
        found.extend(self.nothing_is_there_twice());
        let at = self.history.records.last().map_or(0, |record| record.at);
        found.into_iter().for_each(|what| self.wrong(at, what));
    }

    fn is_saved(&self, generation: u8, segment: &LeftSegment, saved: &SalvagedSegment) -> Result<(), String> {
        let facts = segment.facts.as_ref().ok_or("has no facts")?;
        match facts.sealed {
            Some(sealed) => {
                let told = (saved.bytes, saved.crc64, saved.millis, saved.state);
                if told != (sealed.bytes, sealed.crc64, sealed.millis, SalvageState::Whole) {
                    return Err(format!("was sealed as {sealed:?}, and is salvaged as {told:?}"));
                }
            }
            None => {
                let most = segment.bytes.unwrap_or(0);
                let bytes = most.saturating_sub(TORN_OFF)..=most;
                if saved.state != SalvageState::Torn || !bytes.contains(&saved.bytes) {
                    return Err(format!("was open, {most} bytes, and is salvaged as {saved:?}"));
                }
            }
        }
        let facts = &facts.opened;
        let told = (&saved.playlist, saved.segment, saved.date, saved.clock, saved.discontinuity);
        if told != (&facts.playlist, Some(facts.segment), facts.date, facts.clock, facts.discontinuity) {
            return Err(format!("was opened as {facts:?}, and is salvaged as {saved:?}"));
        }
        // What its worker had committed is the same object.
        let track = self.tracks.get(&(generation, facts.playlist.clone()));
        let entry =
            track.and_then(|track| track.entries.get(facts.segment as usize)).filter(|entry| !entry.gap);
        let (Some(entry), Ok(playlist)) = (entry, facts.playlist.parse::<ObjectName>()) else {
            return Ok(());
        };
        let committed = key(self.prefix, &entry.name(&playlist, tapeline::media::Container::MpegTs));
        if committed == saved.key {
            Ok(())
        } else {
            Err(format!("is committed as {committed}, and salvaged as {}", saved.key))
        }
    }

    /// Nothing is lost that was there.
    fn is_lost(segment: &LeftSegment, lost: &LostSegment) -> Result<(), String> {
        let facts = segment.facts.as_ref().ok_or("has no facts")?;
        let may = match facts.sealed {
            _ if facts.dropped.is_some() => true,
            Some(_) => false,
            // The tables, and one picture whose end had not come.
            None => segment.bytes.unwrap_or(0) <= NOTHING_WHOLE,
        };
        if may {
            Ok(())
        } else {
            Err(format!("is lost ({:?}), and its {:?} bytes were there", lost.cause, segment.bytes))
        }
    }

    /// Everything that a worker had opened is committed, or was in its spool.
    fn all_that_was_opened(&self, owner: usize, generation: u8, left: &[LeftSegment]) -> Vec<String> {
        let facts = left.iter().filter_map(|segment| segment.facts.as_ref());
        let there: BTreeSet<(&str, u64)> =
            facts.map(|facts| (facts.opened.playlist.as_str(), facts.opened.segment)).collect();
        let of_owner = self.opened.range((owner, String::new())..(owner + 1, String::new()));
        let missing = of_owner.flat_map(|((_, playlist), opened)| {
            let track = self.tracks.get(&(generation, playlist.clone()));
            let committed = track.map_or(0, |track| track.entries.len() as u64);
            let there = &there;
            (committed..*opened)
                .filter(move |place| !there.contains(&(playlist.as_str(), *place)))
                .map(move |place| format!("I8: {place} of {playlist} of w{owner} is gone without a word"))
        });
        missing.collect()
    }

    /// The same media is stored once, whoever stores it.
    fn nothing_is_there_twice(&self) -> Vec<String> {
        let mut seen = BTreeMap::new();
        let mut found = Vec::new();
        for (name, written) in &self.objects {
            let object = name.rsplit('/').next().and_then(|name| name.parse::<ObjectName>().ok());
            let Some(ObjectName { kind: NameKind::Segment { .. }, generation, output, .. }) = object else {
                continue;
            };
            if let Some(other) =
                seen.insert((generation, output, written.size, u64::from(written.crc64)), name)
                && written.writer != super::STRANGER
            {
                found.push(format!("{name} is stored, and is the same as {other}"));
            }
        }
        found
    }

    /// What somebody does who is there only to salvage.
    pub(super) fn only_salvages(&mut self, at: Millis, worker: usize, key: &str) {
        let again = match self.launch_of(worker) {
            Some(Launch::Salvage) => false,
            Some(Launch::SalvageAgain) => true,
            _ => return,
        };
        let segment = key.rsplit('/').next().and_then(|name| name.parse::<ObjectName>().ok());
        let segment = segment.is_some_and(|name| matches!(name.kind, NameKind::Segment { .. }));
        let probe = key.starts_with(".tapeline/probe/") || key == ".tapeline/store.json";
        if !probe && !Self::is_record(key) && (again || !segment) {
            self.wrong(at, format!("I2: w{worker} salvages (again: {again}), and wrote {key}"));
        }
    }
}

/// Whether a later record of a folder has all that the first has, and differs by segments only that had been given up while
/// they were sent, and arrived after that.
fn has_come_late(first: &SalvageRecord, later: &SalvageRecord) -> bool {
    let kept = first.segments.iter().all(|segment| later.segments.contains(segment));
    let unknown = |segment: &&SalvagedSegment| !first.segments.contains(segment);
    let mut new = later.segments.iter().filter(unknown);
    let given_up = |segment: &SalvagedSegment| {
        let of = |lost: &&LostSegment| (&lost.playlist, lost.segment) == (&segment.playlist, segment.segment);
        first.lost.iter().find(of).is_some_and(|lost| lost.cause == LossCause::SpoolFull)
    };
    kept && later.segments.len() > first.segments.len() && new.all(given_up)
}

fn is_of(segment: &LeftSegment, saved: &SalvagedSegment) -> bool {
    let opened = segment.facts.as_ref().map(|facts| (&facts.opened.playlist, Some(facts.opened.segment)));
    opened == Some((&saved.playlist, saved.segment))
}
