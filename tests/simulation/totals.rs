//! What happened in a run, counted: a simulation in which nobody is ever fenced proves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tapeline::ErrorKind;
use tapeline::continuity::{SalvageRecord, SalvageState};
use tapeline::naming::ObjectName;
use tapeline::recorder::Event;
use tapeline::spool::GapCause;

use super::history::{Copy, Ended, Visit, What};
use super::network::{Mode, Operation, Refusal};
use super::scenario::{Launch, Order, Reach};
use super::weather::Kind;
use super::world::Outcome;

#[derive(Debug, Default)]
pub struct Totals {
    seeds: u64,
    requests: u64,
    simulated_seconds: u64,
    faults: BTreeMap<Kind, u64>,
    counts: BTreeMap<&'static str, u64>,
}

/// What a run has to show at least once.
const WANTED: &[&str] = &[
    "abandoned by a claim",
    "clocks set",
    "claims",
    "claims lost",
    "commits",
    "crashes",
    "duplicates carried out",
    "duplicates refused",
    "ends: fenced",
    "ends: stranger's playlist",
    "ends: well, orphaned",
    "ends: well, stopped",
    "forms: numbered",
    "forms: update",
    "names taken",
    "pauses",
    "playlists published",
    "refused: already exists",
    "refused: precondition",
    "starts lost",
    "stops by an operator",
    "stops by an operator, lost",
    "stores examined",
    "strangers' objects",
    "suspensions",
    "written after its worker's end",
    "zombies fenced",
    "media clocks jump",
    "retries",
    "outages survived",
    "ends: patience over",
    "gaps: spool full",
    "waits for room",
    "rooms shared",
    "rooms filled by others",
    "processes gone, spools left",
    "spools lost with their machines",
    "salvages beside a recording",
    "salvages by an operator",
    "salvages again",
    "salvages interrupted",
    "salvage races",
    "segments salvaged",
    "segments salvaged, torn",
    "segments lost, and told",
];

impl Totals {
    pub fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.requests += outcome.history.requests.len() as u64;
        self.simulated_seconds += outcome.history.records.last().map_or(0, |record| record.at / 1000);
        for (kind, count) in &outcome.history.fates {
            *self.faults.entry(*kind).or_default() += count;
        }
        self.count(if outcome.setting.updates { "forms: update" } else { "forms: numbered" });
        if !outcome.setting.examined {
            self.count("stores examined");
        }
        if outcome.setting.room_limit.is_some() {
            self.rooms(outcome);
        }
        self.salvages(outcome);
        let mut launches = BTreeMap::new();
        let mut orders = BTreeMap::new();
        let mut gone = BTreeMap::new();
        let mut slept = BTreeMap::new();
        let mut opened = BTreeMap::new();
        for record in &outcome.history.records {
            let worker = record.worker;
            match &record.what {
                What::Launched { launch, .. } => drop(launches.insert(worker, *launch)),
                What::Ordered(order) => drop(orders.insert(worker, *order)),
                What::Crashed => {
                    self.count("crashes");
                    gone.insert(worker, ());
                }
                What::Paused { suspended, .. } => {
                    self.count(if *suspended { "suspensions" } else { "pauses" });
                    slept.insert(worker, ());
                }
                What::ClockStepped { .. } => self.count("clocks set"),
                What::Jumped => self.count("media clocks jump"),
                What::Planted { .. } => self.count("strangers' objects"),
                What::Held { generation } => self.count(if *generation == 0 { "starts" } else { "claims" }),
                What::Told(Event::SegmentOpened { playlist, segment, date, .. }) => {
                    opened.insert((worker, playlist.clone(), *segment), date.clone());
                }
                What::Told(Event::SegmentStored { playlist, segment, name, .. }) => {
                    let date = opened.get(&(worker, playlist.clone(), *segment));
                    let digits =
                        date.map(|date| date.chars().filter(char::is_ascii_digit).collect::<String>());
                    if digits.is_some_and(|digits| !name.contains(&digits)) {
                        self.count("names taken");
                    }
                }
                What::Told(Event::SegmentCommitted { .. }) => self.count("commits"),
                What::Told(Event::SegmentListed { .. }) => self.count("playlists published"),
                What::Told(Event::Retrying { .. }) => self.count("retries"),
                What::Told(Event::Throttled { requests_per_minute: Some(_) }) => self.count("throttled"),
                What::Told(Event::Recovered { .. }) => self.count("outages survived"),
                What::Told(Event::Gap { cause, .. }) => self.count(gaps_by(*cause)),
                What::Told(Event::SpoolFull { waits: true, .. }) => self.count("waits for room"),
                What::Told(Event::SpoolFull { bytes, limit, .. }) if bytes < limit => {
                    self.count("rooms filled by others");
                }
                What::WentDown { reach: Reach::Machine, .. } => self.count("spools lost with their machines"),
                What::WentDown { reach: Reach::Process, bytes, .. } if *bytes > 0 => {
                    self.count("processes gone, spools left");
                }
                What::Applied { id, copy, done } => {
                    let operation = &outcome.history.requests[*id].operation;
                    let conditional =
                        matches!(operation, Operation::Put { mode: Mode::Create | Mode::Update(_), .. });
                    match (copy, done) {
                        (Copy::Late, Ok(())) => self.count("duplicates carried out"),
                        (Copy::Late, Err(_)) => self.count("duplicates refused"),
                        (Copy::First, Err(Refusal::AlreadyExists)) => self.count("refused: already exists"),
                        (Copy::First, Err(Refusal::Precondition)) => self.count("refused: precondition"),
                        (Copy::First, Ok(())) if conditional && gone.contains_key(&worker) => {
                            self.count("written after its worker's end");
                        }
                        _ => {}
                    }
                }
                What::Ended(ended) => {
                    gone.insert(worker, ());
                    let launch = launches.get(&worker).copied();
                    self.ended(ended, launch, orders.get(&worker).copied(), slept.contains_key(&worker));
                }
                _ => {}
            }
        }
    }

    fn ended(&mut self, ended: &Ended, launch: Option<Launch>, order: Option<Order>, slept: bool) {
        let what = match (ended, launch) {
            (Ended::Well(_), Some(Launch::StopForAnother)) => "stops by an operator",
            (Ended::Well(_), _) if order == Some(Order::Orphan) => "ends: well, orphaned",
            (Ended::Well(_), _) => "ends: well, stopped",
            (Ended::NotBegun(ErrorKind::Conflict, _), Some(Launch::StopForAnother)) => {
                "stops by an operator, lost"
            }
            (Ended::NotBegun(ErrorKind::Conflict, why), _) if why.contains("made by somebody else") => {
                "ends: stranger's playlist"
            }
            (Ended::NotBegun(ErrorKind::Conflict, _), Some(Launch::Start)) => "starts lost",
            (Ended::NotBegun(ErrorKind::Conflict, _), _) => "claims lost",
            (Ended::NotBegun(ErrorKind::Abandoned, _), _) => "abandoned by a claim",
            (Ended::NotBegun(..), _) => "not begun: unavailable",
            (Ended::Failed(ErrorKind::Fenced, _), _) => {
                if slept {
                    self.count("zombies fenced");
                }
                "ends: fenced"
            }
            (Ended::Failed(ErrorKind::DataLoss, _), _) => "ends: patience over",
            (Ended::Salvaged, Some(Launch::SalvageAgain)) => "salvages again",
            (Ended::Salvaged, _) => "salvages by an operator",
            (Ended::Failed(..), _) => "ends: other failures",
        };
        self.count(what);
    }

    /// Workers that hold a recording at the same time in the same room.
    fn rooms(&mut self, outcome: &Outcome) {
        let mut hosts = BTreeMap::new();
        let mut holders: BTreeSet<usize> = BTreeSet::new();
        for record in &outcome.history.records {
            let worker = record.worker;
            match record.what {
                What::Launched { host, .. } => drop(hosts.insert(worker, host)),
                What::Held { .. } => {
                    if holders.iter().any(|holder| hosts[holder] == hosts[&worker]) {
                        self.count("rooms shared");
                    }
                    holders.insert(worker);
                }
                What::Crashed | What::Ended(_) => drop(holders.remove(&worker)),
                _ => {}
            }
        }
    }

    /// What was salvaged, and what came in between.
    fn salvages(&mut self, outcome: &Outcome) {
        let (mut own, mut owners) = (BTreeMap::new(), BTreeMap::new());
        let (mut salvaging, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for record in &outcome.history.records {
            let worker = record.worker;
            match &record.what {
                What::Held { generation } => drop(own.insert(worker, *generation)),
                What::FolderMade { name } => drop(owners.insert(name.as_str(), worker)),
                What::Visiting { .. } => drop(salvaging.insert(worker)),
                What::Visited { name, visit } => {
                    salvaging.remove(&worker);
                    let owner = owners.get(name.as_str());
                    if matches!(visit, Visit::Held) && owner.is_some_and(|owner| gone.contains(owner)) {
                        self.count("salvage races");
                    }
                }
                What::Told(Event::Salvaged { .. }) => {
                    salvaging.remove(&worker);
                    self.count("salvages beside a recording");
                }
                What::Crashed | What::LetGo => {
                    gone.insert(worker);
                    if salvaging.remove(&worker) {
                        self.count("salvages interrupted");
                    }
                }
                What::Issued { id } => {
                    let Operation::Put { key, .. } = &outcome.history.requests[*id].operation else {
                        continue;
                    };
                    let name = key.rsplit('/').next().and_then(|name| name.parse::<ObjectName>().ok());
                    let others = |name: &ObjectName| own.get(&worker) != Some(&name.generation.get());
                    if own.contains_key(&worker) && name.is_some_and(|name| others(&name)) {
                        salvaging.insert(worker);
                    }
                }
                What::Applied { id, done: Ok(()), .. } => {
                    let Operation::Put { body, .. } = &outcome.history.requests[*id].operation else {
                        continue;
                    };
                    let Ok(record) = SalvageRecord::decode(body) else { continue };
                    for segment in &record.segments {
                        let torn = segment.state == SalvageState::Torn;
                        self.count(if torn { "segments salvaged, torn" } else { "segments salvaged" });
                    }
                    record.lost.iter().for_each(|_| self.count("segments lost, and told"));
                }
                _ => {}
            }
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// What a run should have shown and did not.
    pub fn missing(&self) -> Vec<String> {
        let kinds = Kind::ALL.iter().filter(|kind| !self.faults.contains_key(kind));
        let wanted = WANTED.iter().filter(|what| !self.counts.contains_key(**what));
        kinds.map(|kind| format!("{kind:?}")).chain(wanted.map(|what| (*what).to_owned())).collect()
    }
}

fn gaps_by(cause: GapCause) -> &'static str {
    match cause {
        GapCause::SpoolFull => "gaps: spool full",
        GapCause::DiskFull | GapCause::SpoolFailed | GapCause::Unknown => "gaps: other causes",
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, requests, simulated_seconds, faults, counts } = self;
        writeln!(f, "{seeds} seeds, {requests} requests, {} simulated minutes", simulated_seconds / 60)?;
        f.write_str("requests:")?;
        faults.iter().try_for_each(|(kind, count)| write!(f, " {kind:?} {count},"))?;
        f.write_str("\noutcomes:")?;
        counts.iter().try_for_each(|(what, count)| write!(f, " {what} {count},"))
    }
}
