//! Where an examination writes, and single writes whose outcome is looked up.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use object_store::UpdateVersion;

use crate::clock::SharedClock;
use crate::continuity::register::FOLDER;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Backoff, Condition, Conditional, Lane, ObjectKind, Store};

/// How often a request is repeated that had no usable answer.
const REPEATS: u32 = 5;
/// After this long no request is repeated any more: four that are not answered at all.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long clearing away may take.
const CLEARING: Duration = Duration::from_secs(10);
/// What is written is not larger.
const LIMIT: u64 = 1 << 10;

/// A folder of its own for one examination.
pub(super) struct Place<'a> {
    pub store: &'a Store,
    pub clock: &'a SharedClock,
    folder: String,
    seed: u64,
    /// On the clock, when patience ends.
    until: Duration,
    /// Every key that was written to.
    keys: Mutex<BTreeSet<String>>,
}

/// What a conditional write was answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// Success.
    Done(UpdateVersion),
    /// The condition does not hold.
    Refused(Error),
    /// Another write of the key is under way.
    Busy(Error),
    /// Nothing that would tell.
    Silent(Error),
    /// The store does not want the request.
    Impossible(Error),
}

/// What came of a write, after looking.
#[derive(Debug)]
pub(super) enum Came {
    /// What should have come. After a success, the version answered or else read.
    Right(Option<UpdateVersion>),
    /// The contrary.
    Wrong(String),
    /// No telling.
    Unclear(String),
    /// The store does not want the request.
    Impossible(Error),
}

impl<'a> Place<'a> {
    pub fn new(store: &'a Store, clock: &'a SharedClock, random: [u8; 8]) -> Self {
        let seed = u64::from_be_bytes(random);
        let folder = format!("{FOLDER}/probe/{seed:016x}");
        Self { store, clock, folder, seed, until: clock.monotonic() + PATIENCE, keys: Mutex::default() }
    }

    /// The key of an object of this examination.
    pub fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// A body that no other write has: equal bodies would have equal ETags.
    pub fn body(&self, name: &str) -> Bytes {
        Bytes::from(format!("{{\"probe\":\"{:016x}\",\"body\":\"{name}\"}}\n", self.seed))
    }

    /// Repeats for one request, or one chain of them; `salt` makes their pauses differ from others'.
    pub fn repeats(&self, salt: usize) -> Repeats<'_> {
        let backoff = Backoff::new(self.seed.wrapping_add(salt as u64));
        Repeats { place: self, left: REPEATS, backoff }
    }

    /// Sends one conditional write, once.
    pub async fn send(&self, key: &str, body: &Bytes, condition: Condition) -> Answer {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
        let put = self.store.put_if(Lane::Probe, key, [body.clone()], ObjectKind::Control, condition);
        match put.await {
            Ok(Conditional::Done(version)) => Answer::Done(version),
            Ok(Conditional::Refused(error)) if error.kind() == ErrorKind::Conflict => Answer::Refused(error),
            Ok(Conditional::Refused(error)) => Answer::Busy(error),
            Ok(Conditional::Undecided(error)) => Answer::Silent(error),
            Err(error) if error.kind() == ErrorKind::Unavailable => Answer::Silent(error),
            Err(error) => Answer::Impossible(error),
        }
    }

    /// Reads an object, patiently.
    ///
    /// # Errors
    /// `Unavailable` where it could not be read; else the store does not let this user read.
    pub async fn read(&self, key: &str) -> Result<Option<(Bytes, UpdateVersion)>> {
        let mut repeats = self.repeats(0);
        loop {
            match self.store.get_versioned(Lane::Probe, key, LIMIT).await {
                Err(error) if error.kind() == ErrorKind::Unavailable && repeats.again().await => {}
                read => return read,
            }
        }
    }

    /// Makes a write that must be carried out, with the same body until it is.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn must_be_done(&self, key: &str, body: &Bytes, condition: Condition) -> Result<Came> {
        let mut repeats = self.repeats(1);
        let mut refused_each_time = true;
        loop {
            let answer = self.send(key, body, condition.clone()).await;
            let found = self.read(key).await?;
            let ours = found.as_ref().is_some_and(|(found, _)| found == body);
            let error = match (answer, found) {
                (Answer::Done(version), Some(_)) if ours => return Ok(Came::Right(Some(version))),
                (Answer::Done(_), Some(_)) => {
                    return wrong("it was answered success, and another body is read");
                }
                (Answer::Done(_), None) => return wrong("it was answered success, and nothing is read"),
                // Carried out after all, whatever was said.
                (_, Some((_, version))) if ours => return Ok(Came::Right(Some(version))),
                (Answer::Impossible(error), _) => return Ok(Came::Impossible(error)),
                (Answer::Refused(error), _) => error,
                (Answer::Busy(error) | Answer::Silent(error), _) => {
                    refused_each_time = false;
                    error
                }
            };
            if !repeats.again().await {
                let words = error.report();
                return Ok(if refused_each_time && repeats.left == 0 {
                    Came::Wrong(format!("it was refused each time, though its condition held: {words}"))
                } else {
                    Came::Unclear(format!("it was never carried out: {words}"))
                });
            }
        }
    }

    /// Makes a write that must be refused and leave what is there, or nothing, as it was `before`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn must_be_refused(
        &self,
        key: &str,
        body: &Bytes,
        condition: Condition,
        before: Option<&Bytes>,
    ) -> Result<Came> {
        let mut repeats = self.repeats(2);
        let mut busy_each_time = true;
        loop {
            let answer = self.send(key, body, condition.clone()).await;
            let found = self.read(key).await?;
            let unchanged = found.as_ref().map(|(found, _)| found) == before;
            let what = match (before, &found) {
                (Some(_), None) => "the object is gone",
                (Some(_), Some(_)) if !unchanged => "replaced the object",
                (None, Some(_)) => "made an object",
                _ => "left what was there",
            };
            let error = match answer {
                Answer::Done(_) => return wrong(format!("answered success and {what}")),
                Answer::Refused(error)
                | Answer::Busy(error)
                | Answer::Silent(error)
                | Answer::Impossible(error)
                    if !unchanged =>
                {
                    return wrong(format!("{what}, though it answered: {}", error.report()));
                }
                Answer::Refused(_) => return Ok(Came::Right(None)),
                Answer::Impossible(error) => return Ok(Came::Impossible(error)),
                Answer::Busy(error) => error,
                Answer::Silent(error) => {
                    busy_each_time = false;
                    error
                }
            };
            if !repeats.again().await {
                // Nobody else writes here: one who always says so means that the key is taken.
                return Ok(if busy_each_time && repeats.left == 0 {
                    Came::Right(None)
                } else {
                    Came::Unclear(format!("it was neither refused nor carried out: {}", error.report()))
                });
            }
        }
    }

    /// Whether the store takes the same write without a condition. What it refuses in the one case alone, it
    /// refuses because of the condition.
    ///
    /// # Errors
    /// Whatever that write gives.
    pub async fn takes_without_condition(&self, key: &str, body: &Bytes) -> Result<()> {
        self.store.put(key, vec![body.clone()], ObjectKind::Control).await.map(drop)
    }

    /// Deletes what was written, as far as the store lets it.
    pub async fn clear(&self) {
        let keys = std::mem::take(&mut *self.keys.lock().unwrap_or_else(PoisonError::into_inner));
        let deletes = keys.iter().map(|key| self.store.delete(key));
        let cleared = async {
            for failed in futures_util::future::join_all(deletes).await.into_iter().filter_map(Result::err) {
                tracing::debug!("left behind: {}", failed.report());
            }
            self.store.remove_empty_folder(&self.folder).await;
        };
        tokio::select! {
            // In a fixed order, so that the simulation can repeat a run.
            biased;
            () = cleared => {}
            () = self.clock.sleep(CLEARING) => tracing::debug!("left behind: {}", self.folder),
        }
    }
}

fn wrong(seen: impl Into<String>) -> Result<Came> {
    Ok(Came::Wrong(seen.into()))
}

/// The repeats that a request may have.
pub(super) struct Repeats<'a> {
    place: &'a Place<'a>,
    left: u32,
    backoff: Backoff,
}

impl Repeats<'_> {
    /// Pauses before the next one; false where there is none.
    pub async fn again(&mut self) -> bool {
        if self.left == 0 || self.place.clock.monotonic() >= self.place.until {
            return false;
        }
        self.left -= 1;
        self.place.clock.sleep(self.backoff.next_delay()).await;
        true
    }
}
