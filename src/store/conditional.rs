//! One conditional write, sent once, and what its answer tells.
//!
//! The answer alone never decides who won: a refusal may be the echo of our own write, which an earlier
//! try carried out, and silence may hide a success. The caller reads back
//! ([`get_versioned`](Store::get_versioned)) and decides.

use std::time::Duration;

use bytes::Bytes;
use object_store::{GetOptions, PutMode, PutOptions, PutPayload, UpdateVersion};

use super::ObjectKind;
use super::fault::{classify, is_conflict, is_undecided};
use super::gate::Turn;
use super::handle::{Body, Store};
use crate::error::{Error, ErrorKind, Result};

/// By which client a request goes, how long it may take on a network, and whether it waits while the store is
/// throttled. No client repeats anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Segments and playlists: 30 s and what the body needs. While the store is throttled, reads and
    /// [`put_new`](Store::put_new) wait (but for [`ObjectKind::Control`]); they are repeated quickly a few times.
    /// [`put`](Store::put) and [`put_if`](Store::put_if) go at once, and once: whoever writes a playlist has
    /// just made sure that it may.
    Bulk,
    /// Control objects: 2 s, never waiting, never repeated.
    Control,
    /// The examination of a store: 30 s, so that a slow server is not taken for a wrong one; never waiting,
    /// never repeated.
    Probe,
}

impl Lane {
    /// The limit that does not depend on the body; `None` where the store's options set it.
    pub(super) const fn limit(self) -> Option<Duration> {
        match self {
            Self::Bulk => None,
            Self::Control => Some(Duration::from_secs(2)),
            Self::Probe => Some(Duration::from_secs(30)),
        }
    }

    /// Reads of control objects do not wait while the store is throttled: a worker that was replaced must hear
    /// of it.
    pub(super) const fn turn(self) -> Turn {
        match self {
            Self::Bulk => Turn::Waits,
            Self::Control | Self::Probe => Turn::AtOnce,
        }
    }
}

/// On what condition an object is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// There is none of that key (`If-None-Match: *`).
    Absent,
    /// It is still this version (`If-Match`).
    Unchanged(UpdateVersion),
}

/// How a conditional write ended, as far as its answer tells.
#[derive(Debug)]
#[must_use]
pub enum Conditional {
    /// Carried out; this is the version it made.
    Done(UpdateVersion),
    /// The store says that the condition does not hold (`Conflict`), or that another write of the key is
    /// under way (`Unavailable`). Read back before believing it.
    Refused(Error),
    /// Nobody knows whether it was carried out, or will be.
    Undecided(Error),
}

impl Store {
    /// Sends a conditional write once.
    ///
    /// # Errors
    /// What certainly left the object as it was: `InvalidInput` when the store refuses key, credentials
    /// or the operation itself; `Unavailable` when no connection was made.
    pub async fn put_if(
        &self,
        lane: Lane,
        key: &str,
        payload: impl IntoIterator<Item = Bytes>,
        kind: ObjectKind,
        condition: Condition,
    ) -> Result<Conditional> {
        let path = self.path(key)?;
        let mode = match condition {
            Condition::Absent => PutMode::Create,
            Condition::Unchanged(version) => PutMode::Update(version),
        };
        let body = PutPayload::from_iter(payload);
        let length = Body::Sent(body.content_length() as u64);
        let put = self.client(lane).put_opts(&path, body, self.put_options(kind, mode));
        let error = match self.request(lane, Turn::AtOnce, length, put).await {
            Ok(stored) => return Ok(Conditional::Done(stored.into())),
            Err(error) => error,
        };
        let (refused, undecided) = (is_conflict(&error), is_undecided(&error));
        let error = classify(error, format_args!("store {key} in {self}"));
        match (refused, undecided) {
            (true, _) => Ok(Conditional::Refused(error)),
            (false, true) => Ok(Conditional::Undecided(error)),
            (false, false) => Err(error),
        }
    }

    pub(super) fn put_options(&self, kind: ObjectKind, mode: PutMode) -> PutOptions {
        PutOptions { mode, attributes: self.attributes(kind), ..PutOptions::default() }
    }

    /// Reads a whole object of at most `limit` bytes, and the version that it is; `None` where there is
    /// none.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_versioned(
        &self,
        lane: Lane,
        key: &str,
        limit: u64,
    ) -> Result<Option<(Bytes, UpdateVersion)>> {
        let path = self.path(key)?;
        let read = || {
            let asked = self.client(lane).get_opts(&path, GetOptions::default());
            self.request(lane, lane.turn(), Body::Got(limit), async {
                let found = match asked.await? {
                    found if found.meta.size > limit => return Ok(Err(found.meta.size)),
                    found => found,
                };
                let version =
                    UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
                Ok(Ok((found.bytes().await?, version)))
            })
        };
        let size = match self.repeated(lane, read).await {
            Ok(Ok(found)) => return Ok(Some(found)),
            Ok(Err(size)) => size,
            Err(error) => {
                let error = classify(error, format_args!("read {key} from {self}"));
                return if error.kind() == ErrorKind::NotFound { Ok(None) } else { Err(error) };
            }
        };
        let message = format!("{key} in {self} has {size} bytes, more than the {limit} it may have");
        Err(Error::new(ErrorKind::Malformed, message))
    }
}
