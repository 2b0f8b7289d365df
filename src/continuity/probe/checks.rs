//! The checks, one for each guarantee, on one object and two races.

use bytes::Bytes;
use object_store::UpdateVersion;

use super::place::{Came, Place};
use super::race::{Contest, races};
use super::verdict::{Check, Finding, Guarantee, Outcome};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Condition;

/// The object that the checks are made on.
struct Subject<'a> {
    place: &'a Place<'a>,
    key: String,
    /// What it holds.
    body: Bytes,
    /// Its version as it was answered; `None` until it is there.
    version: Option<UpdateVersion>,
    /// A version that it had before.
    stale: Option<UpdateVersion>,
}

/// Looks at each of the guarantees that something still depends on.
///
/// # Errors
/// What keeps this user from reading or writing at all.
pub(super) async fn look_at(place: &Place<'_>, guarantees: &[Guarantee]) -> Result<Vec<Check>> {
    let body = place.body("first");
    let mut subject = Subject { place, key: place.key("object"), body, version: None, stale: None };
    let mut checks: Vec<Check> = Vec::new();
    for &guarantee in guarantees {
        // A store that cannot create needs no further look, nor updates of which one does not hold.
        let decided = checks.iter().any(|check| {
            check.outcome != Outcome::Passed
                && (guarantee.is_of_updates() || !check.guarantee.is_of_updates())
        });
        let finding = if decided { Finding::skipped() } else { subject.look_at(guarantee).await? };
        checks.push(Check::new(guarantee, finding));
    }
    Ok(checks)
}

impl Subject<'_> {
    async fn look_at(&mut self, guarantee: Guarantee) -> Result<Finding> {
        let found = match guarantee {
            Guarantee::ReadAfterWrite => self.create().await,
            Guarantee::CreateOnce => self.create_again().await,
            Guarantee::CreateRace => races(self.place, Contest::Creates).await,
            Guarantee::Update => self.update().await,
            Guarantee::StaleUpdate => self.update_stale().await,
            Guarantee::MissingUpdate => self.update_nothing().await,
            Guarantee::UpdateRace => races(self.place, Contest::Updates).await,
        };
        match found {
            Err(error) if error.kind() == ErrorKind::Unavailable => Ok(Finding::inconclusive(error.report())),
            found => found,
        }
    }

    async fn create(&mut self) -> Result<Finding> {
        // A register looks for its next version before somebody makes it: a store that goes on saying "not
        // there" would hide it.
        if self.place.read(&self.key).await?.is_some() {
            return Ok(Finding::inconclusive("an object lies under a key that was drawn at random"));
        }
        match self.place.must_be_done(&self.key, &self.body, Condition::Absent).await? {
            Came::Right(version) => {
                self.version = version;
                Ok(Finding::passed("the same bytes were read"))
            }
            Came::Wrong(seen) => Ok(Finding::failed(format!("If-None-Match: {seen}"))),
            Came::Unclear(seen) => Ok(Finding::inconclusive(seen)),
            Came::Impossible(error) => self.unsupported("If-None-Match", error).await,
        }
    }

    async fn create_again(&mut self) -> Result<Finding> {
        let other = self.place.body("second");
        let before = Some(&self.body);
        match self.place.must_be_refused(&self.key, &other, Condition::Absent, before).await? {
            Came::Right(_) => Ok(Finding::passed("refused, and the first object is there")),
            Came::Wrong(seen) => Ok(Finding::failed(format!(
                "the store ignores If-None-Match: a second create of the same key {seen}"
            ))),
            Came::Unclear(seen) => Ok(Finding::inconclusive(seen)),
            Came::Impossible(error) => Err(error),
        }
    }

    /// Twice, since a register updates what it wrote as well as what it read.
    async fn update(&mut self) -> Result<Finding> {
        for name in ["third", "fourth"] {
            let body = self.place.body(name);
            let Some(version) = self.version.clone() else { return Ok(no_version()) };
            let condition = Condition::Unchanged(version.clone());
            match self.place.must_be_done(&self.key, &body, condition).await? {
                Came::Right(_) => {}
                Came::Wrong(seen) => return Ok(Finding::failed(format!("If-Match: {seen}"))),
                Came::Unclear(seen) => return Ok(Finding::inconclusive(seen)),
                Came::Impossible(error) => return self.unsupported("If-Match", error).await,
            }
            self.body = body;
            self.stale = Some(version);
            self.version = self.place.read(&self.key).await?.map(|(_, version)| version);
        }
        Ok(Finding::passed("carried out, and read"))
    }

    async fn update_stale(&mut self) -> Result<Finding> {
        let Some(stale) = self.stale.clone() else { return Ok(no_version()) };
        let body = self.place.body("fifth");
        let before = Some(&self.body);
        match self.place.must_be_refused(&self.key, &body, Condition::Unchanged(stale), before).await? {
            Came::Right(_) => Ok(Finding::passed("refused, and the latest object is there")),
            Came::Wrong(seen) => Ok(Finding::failed(format!(
                "the store ignores If-Match: an update on an older version {seen}"
            ))),
            Came::Unclear(seen) => Ok(Finding::inconclusive(seen)),
            Came::Impossible(error) => Ok(Finding::failed(error.report())),
        }
    }

    async fn update_nothing(&mut self) -> Result<Finding> {
        let Some(version) = self.version.clone() else { return Ok(no_version()) };
        let (key, body) = (self.place.key("nothing"), self.place.body("sixth"));
        match self.place.must_be_refused(&key, &body, Condition::Unchanged(version), None).await? {
            Came::Right(_) => Ok(Finding::passed("refused, and nothing is there")),
            Came::Wrong(seen) => {
                Ok(Finding::failed(format!("If-Match holds for a key without an object: an update {seen}")))
            }
            Came::Unclear(seen) => Ok(Finding::inconclusive(seen)),
            Came::Impossible(error) => Ok(Finding::failed(error.report())),
        }
    }

    /// A refusal of the request as such: of the condition, or of this user.
    async fn unsupported(&self, condition: &str, refusal: Error) -> Result<Finding> {
        match self.place.takes_without_condition(&self.key, &self.body).await {
            Ok(()) => Ok(Finding::failed(format!(
                "the store writes without {condition}, but not with it: {}",
                refusal.report()
            ))),
            Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
            Err(_) => Err(refusal),
        }
    }
}

fn no_version() -> Finding {
    Finding::inconclusive("the store did not say which version the object has")
}
