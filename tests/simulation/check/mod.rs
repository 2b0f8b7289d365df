//! The invariants of ARCHITECTURE.md, checked on a history: a second reading of the protocol that knows the
//! requests and what came of them, and nothing of the code that sent them.

mod account;
mod control;
mod folders;
mod gaps;
mod objects;
mod reports;
mod rooms;
mod salvage;
mod stitched;

use std::collections::BTreeMap;

use bytes::Bytes;
use tapeline::ErrorKind;
use tapeline::checksum::Crc64;
use tapeline::continuity::{ControlObject, Form, TailEntry};
use tapeline::naming::Prefix;
use tapeline::playlist::Renderer;
use tapeline::recorder::{Event, Summary};

use super::history::{Copy, Ended, History, Millis, Record, Request, STRANGER, What};
use super::network::Operation;
use super::world::Outcome;
use account::Sums;
use folders::Folders;
use gaps::Segments;
use rooms::Rooms;
use salvage::Salvages;

/// Requests of one worker for one key in one simulated second, and in ten: what has waited is sent all at once,
/// but nothing is asked again and again without a pause.
const MOST_IN_A_SECOND: usize = 24;
const MOST_IN_TEN_SECONDS: usize = 60;
/// Repeats of one worker in ten: four segments, three playlists and the control object may be under way, and the limits
/// of pauses double from 200 ms.
const MOST_REPEATS: usize = 8 * 8;
/// A request that is not answered is given up after this.
const LONGEST_REQUEST: Millis = 60_000;

/// What was written under a key, last.
struct Written {
    writer: usize,
    size: u64,
    crc64: Crc64,
}

/// A version of the control object.
struct Version {
    at: Millis,
    writer: usize,
    body: Bytes,
    state: ControlObject,
}

/// An output of a generation as it follows from the commits alone.
struct Track {
    /// All entries committed.
    entries: Vec<TailEntry>,
    /// What they add up to.
    sums: Sums,
    /// The playlist's text with all of them, and its length with each number of them.
    text: String,
    lengths: Vec<usize>,
    renderer: Renderer,
    /// Versions of the playlist in the store.
    listed: usize,
    most_listed: usize,
    ended: bool,
    /// When the request was sent that made the version in the store.
    version_sent: Millis,
}

struct Check<'a> {
    history: &'a History,
    prefix: &'a Prefix,
    updates: bool,
    calm_at: Millis,
    /// How long a worker's stop waits for the store.
    stop_patience: Millis,
    /// Claims leave a recording alone that was claimed a moment ago.
    respects_claims: bool,
    found: Vec<String>,
    objects: BTreeMap<String, Written>,
    seals: BTreeMap<String, Bytes>,
    /// The change of the control object that each worker sent last.
    changes: BTreeMap<usize, Bytes>,
    versions: Vec<Version>,
    /// Who has which generation.
    claimants: BTreeMap<u8, usize>,
    tracks: BTreeMap<(u8, String), Track>,
    /// When each worker was launched, and whether it has ended.
    launched: BTreeMap<usize, Millis>,
    ended: BTreeMap<usize, Millis>,
    /// Segments that each worker opened, by playlist.
    opened: BTreeMap<(usize, String), u64>,
    /// What it sent for commitment, stored, and gave up.
    segments: BTreeMap<(usize, String), Segments>,
    /// The last thing that each worker told of how it ended.
    summaries: BTreeMap<usize, Summary>,
    rooms: Rooms,
    folders: Folders,
    salvages: Salvages,
}

/// What is wrong with a history; nothing, if all is well.
pub fn check(outcome: &Outcome) -> Vec<String> {
    let mut check = Check {
        history: &outcome.history,
        prefix: &outcome.setting.prefix,
        updates: outcome.setting.updates,
        calm_at: outcome.calm_at,
        stop_patience: outcome.setting.stop_patience.as_millis() as Millis,
        respects_claims: !outcome.setting.respite.is_zero(),
        found: Vec::new(),
        objects: BTreeMap::new(),
        seals: BTreeMap::new(),
        changes: BTreeMap::new(),
        versions: Vec::new(),
        claimants: BTreeMap::new(),
        tracks: BTreeMap::new(),
        launched: BTreeMap::new(),
        ended: BTreeMap::new(),
        opened: BTreeMap::new(),
        segments: BTreeMap::new(),
        summaries: BTreeMap::new(),
        rooms: Rooms::new(&outcome.setting),
        folders: Folders::new(&outcome.history),
        salvages: Salvages::default(),
    };
    for record in &outcome.history.records {
        check.step(record);
    }
    check.pace();
    check.all_is_salvaged();
    check.all_is_stitched(&outcome.objects);
    check.end(outcome);
    check.found
}

impl Check<'_> {
    fn wrong(&mut self, at: Millis, what: impl Into<String>) {
        let what = what.into();
        self.found.push(format!("{}.{:03}: {what}", at / 1000, at % 1000));
    }

    fn step(&mut self, record: &Record) {
        let (at, worker) = (record.at, record.worker);
        self.spool(record);
        match &record.what {
            What::Launched { .. } => {
                self.launched.insert(worker, at);
            }
            What::Planted { key, body } => {
                let written = Written { writer: STRANGER, size: body.len() as u64, crc64: Crc64::of(body) };
                self.objects.insert(key.clone(), written);
            }
            What::Issued { id } => self.issued(at, worker, &self.history.requests[*id]),
            What::Applied { id, done: Ok(()), copy } => {
                self.applied(at, worker, &self.history.requests[*id], *copy);
            }
            What::Held { generation } => self.held(at, worker, *generation),
            What::Told(event) => self.told(at, worker, event),
            What::Ended(ended) => {
                self.has_ended(at, worker, ended);
                self.gaps_are_told(at, worker);
                self.ended.insert(worker, at);
            }
            _ => {}
        }
    }

    fn applied(&mut self, at: Millis, worker: usize, request: &Request, copy: Copy) {
        match &request.operation {
            Operation::Put { key, mode, body } => {
                if self.objects.get(key).is_some_and(|held| held.writer == STRANGER) {
                    self.wrong(at, format!("w{worker} replaced the stranger's {key}"));
                }
                self.only_salvages(at, worker, key);
                if let Some(number) = self.version_number(key) {
                    self.version(at, worker, number, body);
                } else {
                    self.object(at, worker, key, mode, body, request);
                }
                let written = Written { writer: worker, size: body.len() as u64, crc64: Crc64::of(body) };
                self.objects.insert(key.clone(), written);
            }
            Operation::Delete { key } if !key.starts_with(".tapeline/probe/") => {
                self.wrong(at, format!("w{worker} deleted {key} ({copy:?})"));
            }
            Operation::Delete { .. } | Operation::Get { .. } | Operation::List { .. } => {}
        }
    }

    /// The current version of the control object.
    fn current(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// When a generation was ended by somebody else than its worker.
    fn taken_at(&self, generation: u8) -> Option<Millis> {
        let owner = self.claimants.get(&generation)?;
        let next = |version: &&Version| {
            let state = &version.state;
            version.writer != *owner
                && (state.generation.get() > generation
                    || state.generation.get() == generation && state.phase.is_final())
        };
        self.versions.iter().find(next).map(|version| version.at)
    }

    /// Whoever has ended sends nothing, and nobody sends without end.
    fn issued(&mut self, at: Millis, worker: usize, request: &Request) {
        if self.ended.contains_key(&worker) {
            self.wrong(at, format!("w{worker} has ended, and sends {:?}", request.operation));
        }
        self.playlist_in_time(at, worker, request);
        self.commit_is_sent(worker, request);
        self.change_is_settled(at, worker, request);
    }

    fn pace(&mut self) {
        let mut sent: BTreeMap<(usize, &str), Vec<Millis>> = BTreeMap::new();
        for request in &self.history.requests {
            // An examination is a burst by its nature.
            let key = match &request.operation {
                Operation::Put { key, .. } | Operation::Get { key } | Operation::Delete { key } => key,
                Operation::List { folder } => folder,
            };
            if !key.starts_with(".tapeline/probe/") {
                sent.entry((request.worker, key)).or_default().push(request.at);
            }
        }
        let hot = |times: &[Millis], most: usize, span| {
            times.windows(most + 1).find(|window| window[most] - window[0] < span).map(|window| window[0])
        };
        let mut repeats: BTreeMap<usize, Vec<Millis>> = BTreeMap::new();
        for record in &self.history.records {
            if let What::Told(Event::Retrying { .. }) = record.what {
                repeats.entry(record.worker).or_default().push(record.at);
            }
        }
        for (worker, times) in repeats {
            if let Some(at) = hot(&times, MOST_REPEATS, 10_000) {
                self.wrong(at, format!("I9: w{worker} repeats more than {MOST_REPEATS} requests in 10 s"));
            }
        }
        for ((worker, key), times) in sent {
            for (most, span) in [(MOST_IN_A_SECOND, 1_000), (MOST_IN_TEN_SECONDS, 10_000)] {
                if let Some(at) = hot(&times, most, span) {
                    self.wrong(
                        at,
                        format!("I9: w{worker} asks more than {most} times in {span} ms for {key}"),
                    );
                }
            }
        }
    }

    fn end(&mut self, outcome: &Outcome) {
        let at = outcome.history.records.last().map_or(0, |record| record.at);
        if outcome.endless {
            self.wrong(at, "the recording does not come to its end, though all has been calm for long");
        }
        let last_calm = outcome.history.records.iter().rev().find_map(|record| match &record.what {
            What::Ended(ended) if record.at >= outcome.calm_at => Some(ended.clone()),
            _ => None,
        });
        let strangers = self.has_strangers();
        if let Some(Ended::Failed(kind, why)) = last_calm
            && !strangers
            && kind != ErrorKind::Fenced
            // One that was sent before the calm may hang for longer than an impatient stop waits.
            && !(kind == ErrorKind::DataLoss && self.stop_patience < LONGEST_REQUEST)
        {
            self.wrong(at, format!("the last worker failed in all calm: {kind:?}: {why}"));
        }
        let wanted = if self.updates { Form::Update } else { Form::Numbered };
        if let Some(version) = self.versions.first()
            && self.versions.len() > 1
            && self.form_in_use() != wanted
        {
            let writer = version.writer;
            self.wrong(at, format!("w{writer} began in a form that the store does not have"));
        }
    }

    /// Whether a stranger's media lies under our names.
    fn has_strangers(&self) -> bool {
        self.objects.iter().any(|(key, written)| written.writer == STRANGER && !key.starts_with(".tapeline/"))
    }

    fn form_in_use(&self) -> Form {
        let single = self
            .objects
            .keys()
            .any(|key| key.strip_prefix(".tapeline/recordings/").is_some_and(|rest| !rest.contains('/')));
        if single { Form::Update } else { Form::Numbered }
    }
}
