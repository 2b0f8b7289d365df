//! What happened in a run, counted: a simulation in which nobody is ever fenced proves nothing.

use std::collections::BTreeMap;
use std::fmt;

use tapeline::ErrorKind;
use tapeline::recorder::Event;

use super::history::{Copy, Ended, What};
use super::network::{Mode, Operation, Refusal};
use super::scenario::{Launch, Order};
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
const WANTED: [&str; 29] = [
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
    "segments of one name",
    "retries",
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
        let mut launches = BTreeMap::new();
        let mut orders = BTreeMap::new();
        let mut gone = BTreeMap::new();
        let mut slept = BTreeMap::new();
        let mut opened = BTreeMap::new();
        for record in &outcome.history.records {
            let worker = record.worker;
            match &record.what {
                What::Launched(launch) => drop(launches.insert(worker, *launch)),
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
                What::Planted { .. } => self.count("strangers' objects"),
                What::Held { generation } => self.count(if *generation == 0 { "starts" } else { "claims" }),
                What::Told(Event::SegmentOpened { playlist, segment, date, .. }) => {
                    opened.insert((worker, playlist.clone(), *segment), date.clone());
                    let same = opened
                        .iter()
                        .filter(|((by, of, _), when)| *by == worker && of == playlist && *when == date);
                    if same.count() > 1 {
                        self.count("segments of one name");
                    }
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
            (Ended::Failed(..), _) => "ends: other failures",
        };
        self.count(what);
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
