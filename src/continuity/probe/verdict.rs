//! What is looked at, what was seen, and what follows from it: pure.

use std::fmt;

use serde::Serialize;

use crate::continuity::form::Form;
use crate::error::{Error, ErrorKind, Result};

/// What a store may promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// An object that was stored is there, as it was stored.
    ReadAfterWrite,
    /// A second create-if-absent of a key is refused.
    CreateOnce,
    /// Of many at once, one is carried out.
    CreateRace,
    /// An update on the latest version is carried out.
    Update,
    /// One on an older version is refused.
    StaleUpdate,
    /// One of a key that holds nothing is refused.
    MissingUpdate,
    /// Of many at once on the same version, one is carried out.
    UpdateRace,
}

impl Guarantee {
    /// All of them, in the order in which they are looked at.
    pub const ALL: [Self; 7] = [
        Self::ReadAfterWrite,
        Self::CreateOnce,
        Self::CreateRace,
        Self::Update,
        Self::StaleUpdate,
        Self::MissingUpdate,
        Self::UpdateRace,
    ];

    /// Whether only the form [`Form::Update`] needs it. Without the others nothing can be recorded.
    pub const fn is_of_updates(self) -> bool {
        matches!(self, Self::Update | Self::StaleUpdate | Self::MissingUpdate | Self::UpdateRace)
    }

    /// Its name, for a table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadAfterWrite => "read after write",
            Self::CreateOnce => "create once",
            Self::CreateRace => "racing creates",
            Self::Update => "update",
            Self::StaleUpdate => "stale update",
            Self::MissingUpdate => "update of nothing",
            Self::UpdateRace => "racing updates",
        }
    }

    /// What is done in order to see it.
    pub const fn test(self) -> &'static str {
        match self {
            Self::ReadAfterWrite => "create an object with If-None-Match and read it",
            Self::CreateOnce => "create it again with another body",
            Self::CreateRace => "create a key 16 times at once, in up to 3 rounds",
            Self::Update => "replace it with If-Match, on the version answered and on the one read",
            Self::StaleUpdate => "replace it on an older version",
            Self::MissingUpdate => "replace an object that is not there",
            Self::UpdateRace => "replace a version 16 times at once, in up to 3 rounds",
        }
    }

    /// The promise in words.
    const fn words(self) -> &'static str {
        match self {
            Self::ReadAfterWrite => "that an object created if absent is read as it was written",
            Self::CreateOnce => "that creating a key a second time is refused",
            Self::CreateRace => "that only one of many creates of a key at once succeeds",
            Self::Update => "that an object is replaced on the condition that it is unchanged",
            Self::StaleUpdate => "that an update of an older version is refused",
            Self::MissingUpdate => "that an update of nothing is refused",
            Self::UpdateRace => "that only one of many updates of a version at once succeeds",
        }
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The store keeps the promise, as far as that can be seen.
    Passed,
    /// It was seen to break it.
    Failed,
    /// Its answers said neither.
    Inconclusive,
    /// Not looked at: what came before decides already.
    Skipped,
}

impl Outcome {
    /// A lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
            Self::Skipped => "skipped",
        }
    }
}

/// How a check ended, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding(pub Outcome, pub String);

impl Finding {
    pub fn passed(seen: impl Into<String>) -> Self {
        Self(Outcome::Passed, seen.into())
    }

    pub fn failed(seen: impl Into<String>) -> Self {
        Self(Outcome::Failed, seen.into())
    }

    pub fn inconclusive(seen: impl Into<String>) -> Self {
        Self(Outcome::Inconclusive, seen.into())
    }

    pub fn skipped() -> Self {
        Self(Outcome::Skipped, "what came before decides".to_owned())
    }
}

/// One look at a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The promise.
    pub guarantee: Guarantee,
    /// What was done.
    pub test: &'static str,
    /// What was seen.
    pub seen: String,
    /// What follows.
    pub outcome: Outcome,
}

impl Check {
    pub(super) fn new(guarantee: Guarantee, Finding(outcome, seen): Finding) -> Self {
        Self { guarantee, test: guarantee.test(), seen, outcome }
    }
}

/// What an examination came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Recordings can be kept, in registers of this form.
    Usable(Form),
    /// Recordings would be lost: this promise is not kept.
    Refused(Guarantee),
    /// The store did not let itself be judged by this check.
    Inconclusive(Guarantee),
}

/// An examination of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The store's name.
    pub store: String,
    /// Each look, in order.
    pub checks: Vec<Check>,
    /// What they came to.
    pub verdict: Verdict,
}

impl Report {
    pub(super) fn new(store: String, checks: Vec<Check>) -> Self {
        let verdict = judge(&checks);
        Self { store, checks, verdict }
    }

    /// The form in which recordings can be kept.
    ///
    /// # Errors
    /// `InvalidInput` for a store that breaks a promise, which the message names; `Unavailable` for one that
    /// could not be judged.
    pub fn form(&self) -> Result<Form> {
        let store = &self.store;
        match self.verdict {
            Verdict::Usable(form) => Ok(form),
            Verdict::Refused(guarantee) => Err(Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "cannot record to {store}: it lacks the guarantee {guarantee}: {}",
                    self.seen(guarantee)
                ),
            )),
            Verdict::Inconclusive(guarantee) => Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "cannot find out whether {store} keeps the guarantee {guarantee}: {}; try again",
                    self.seen(guarantee)
                ),
            )),
        }
    }

    /// What was seen of one promise.
    pub(super) fn seen(&self, guarantee: Guarantee) -> &str {
        self.checks.iter().find(|check| check.guarantee == guarantee).map_or("", |check| &check.seen)
    }

    /// What was seen of updates where they do not work.
    pub(super) fn broken_update(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.guarantee.is_of_updates() && check.outcome == Outcome::Failed)
    }
}

/// Every promise about creating is needed. One about updating that is broken leaves the numbered form, and so
/// does none that was looked at; but what could not be judged never decides a form.
fn judge(checks: &[Check]) -> Verdict {
    let first = |updates: bool, outcome: Outcome| {
        let mut of_kind = checks.iter().filter(|check| check.guarantee.is_of_updates() == updates);
        of_kind.find(|check| check.outcome == outcome).map(|check| check.guarantee)
    };
    if let Some(guarantee) = first(false, Outcome::Failed) {
        return Verdict::Refused(guarantee);
    }
    if let Some(guarantee) = first(false, Outcome::Inconclusive) {
        return Verdict::Inconclusive(guarantee);
    }
    if first(true, Outcome::Failed).is_some() {
        return Verdict::Usable(Form::Numbered);
    }
    if let Some(guarantee) = first(true, Outcome::Inconclusive) {
        return Verdict::Inconclusive(guarantee);
    }
    let updates = first(true, Outcome::Passed).is_some();
    Verdict::Usable(if updates { Form::Update } else { Form::Numbered })
}

/// How it ended for one of many that write at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// It was told that its write was carried out.
    Won,
    /// It was told that its write came too late.
    Lost,
    /// It could not be told, after several tries; the last answer.
    Unknown(String),
}

/// What lies under the key when all is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// What the racer of this number wrote.
    Of(usize),
    /// What was there before, or nothing.
    Before,
}

/// What one race showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Round {
    /// One was told that it had won, and it had.
    OneWinner,
    /// More than one was carried out.
    Wrong(String),
    /// Nobody was told, or not everybody: that shows nothing.
    Unclear(String),
}

/// Only a success that was answered counts as one: an answer that was lost hides whether there were two. Those
/// who were not told are no winners, since what is read is another's; but most must have been told.
pub(super) fn judge_race(endings: &[Ending], left: Left) -> Round {
    let all = endings.len();
    let winners: Vec<usize> =
        (0..).zip(endings).filter(|(_, end)| **end == Ending::Won).map(|(number, _)| number).collect();
    let unknown: Vec<&str> = endings
        .iter()
        .filter_map(|end| match end {
            Ending::Unknown(words) => Some(words.as_str()),
            Ending::Won | Ending::Lost => None,
        })
        .collect();
    match (&winners[..], left) {
        ([], _) => Round::Unclear(format!(
            "none of {all} was told that it had won: {}",
            unknown.first().unwrap_or(&"all were refused")
        )),
        ([winner], Left::Of(holder)) if *winner == holder => match unknown.first() {
            Some(words) if unknown.len() * 2 > all => {
                Round::Unclear(format!("{} of {all} were not told how it ended: {words}", unknown.len()))
            }
            _ => Round::OneWinner,
        },
        ([_], Left::Of(_)) => {
            Round::Wrong(format!("1 of {all} was answered success, and was then replaced by another of them"))
        }
        ([_], Left::Before) => {
            Round::Wrong(format!("1 of {all} was answered success, but what it wrote is not there"))
        }
        (many, _) => Round::Wrong(format!("{} of {all} were answered success", many.len())),
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
