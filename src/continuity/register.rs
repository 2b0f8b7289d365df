//! The register that holds a recording's control object: read, and compare-and-swap.
//!
//! Two forms. *Update*: one object, replaced by a conditional PUT. *Numbered*: version n + 1 is a new
//! object, made by create-if-absent, for stores that have no conditional update. In both a swap has at most
//! one winner for a version, and its answer, unless it is a clean success, decides nothing ([`Change`]).
//!
//! [`Change`]: super::Change

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use object_store::UpdateVersion;

use super::control::ControlObject;
use super::form::Form;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Sid;
use crate::store::{Condition, Conditional, Lane, ObjectKind, Store};

/// Everything of this program's own in a store.
pub(super) const FOLDER: &str = ".tapeline";
/// A control object is not larger: 64 KiB of tails, and the states of some hundred outputs.
const LIMIT: u64 = 4 << 20;
/// Digits of a version's number in the numbered form, so that names sort as numbers do.
const DIGITS: usize = 20;

/// Names a version of the control object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// By what the store calls it.
    Update(UpdateVersion),
    /// By its number, from 1.
    Number(u64),
}

/// How a swap ended, as far as its answer tells.
#[derive(Debug)]
#[must_use]
pub enum Swapped {
    /// Made; this is the version it made.
    Won(Version),
    /// The store says that the version is another. Read back before believing it.
    Refused(Error),
    /// Nobody knows whether it was made, or will be.
    Undecided(Error),
}

/// The control object of one recording.
#[derive(Debug, Clone)]
pub struct Register {
    store: Store,
    form: Form,
    sid: Sid,
    /// The recording's folder: of its versions, and of its seals.
    folder: String,
    /// Numbered: no version below this one is the latest.
    known: Arc<AtomicU64>,
}

impl Register {
    /// The register of a recording in a store of that form.
    pub fn new(store: &Store, form: Form, sid: &Sid) -> Self {
        let folder = format!("{}/{sid}", recordings_folder());
        Self { store: store.clone(), form, sid: sid.clone(), folder, known: Arc::default() }
    }

    /// The key of an object in the recording's folder.
    pub fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// The recording.
    pub fn sid(&self) -> &Sid {
        &self.sid
    }

    /// The store it is in.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// In which form.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Reads the latest version; `None` where there is none.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub async fn read(&self) -> Result<Option<(Bytes, Version)>> {
        match self.form {
            Form::Update => {
                let found = self.store.get_versioned(Lane::Control, &self.single(), LIMIT).await?;
                Ok(found.map(|(body, version)| (body, Version::Update(version))))
            }
            Form::Numbered => self.read_numbered().await,
        }
    }

    /// Reads an older version; `None` where there is none of that number, as in the form that keeps only one.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub async fn read_older(&self, number: u64) -> Result<Option<Bytes>> {
        if self.form != Form::Numbered {
            return Ok(None);
        }
        let found = self.store.get_versioned(Lane::Bulk, &self.numbered(number), LIMIT).await?;
        Ok(found.map(|(body, _)| body))
    }

    /// Makes `body` the latest version, if `expected` is that now; `None` expects that there is none.
    ///
    /// # Errors
    /// What certainly left the register as it was.
    pub async fn swap(&self, expected: Option<&Version>, body: Bytes) -> Result<Swapped> {
        let (key, condition, number) = match (self.form, expected) {
            (Form::Update, None) => (self.single(), Condition::Absent, 0),
            (Form::Update, Some(Version::Update(version))) => {
                (self.single(), Condition::Unchanged(version.clone()), 0)
            }
            (Form::Numbered, None) => (self.numbered(1), Condition::Absent, 1),
            (Form::Numbered, Some(Version::Number(latest))) => {
                let next = latest.checked_add(1).ok_or_else(|| {
                    let message = format!("{} has a version of the last number there is", self.folder);
                    Error::new(ErrorKind::Malformed, message)
                })?;
                (self.numbered(next), Condition::Absent, next)
            }
            (Form::Update, Some(Version::Number(_))) | (Form::Numbered, Some(Version::Update(_))) => {
                let message = format!("a version of another form was expected in {}", self.folder);
                return Err(Error::new(ErrorKind::Internal, message));
            }
        };
        let put = self.store.put_if(Lane::Control, &key, [body], ObjectKind::Control, condition);
        Ok(match put.await? {
            Conditional::Done(_) if self.form == Form::Numbered => {
                self.known.fetch_max(number, Ordering::Relaxed);
                Swapped::Won(Version::Number(number))
            }
            Conditional::Done(version) => Swapped::Won(Version::Update(version)),
            Conditional::Refused(error) => Swapped::Refused(error),
            Conditional::Undecided(error) => Swapped::Undecided(error),
        })
    }

    /// Reads a document of this register.
    ///
    /// # Errors
    /// `Malformed`, saying where and why.
    pub fn decode(&self, text: &[u8]) -> Result<ControlObject> {
        let malformed = |why: &str| {
            let message = format!("the control object {} in {} {why}", self.folder, self.store);
            Error::new(ErrorKind::Malformed, message)
        };
        let state =
            ControlObject::decode(text).map_err(|error| malformed("cannot be read").with_source(error))?;
        if state.sid != self.sid {
            return Err(malformed(&format!("is that of another recording, {}", state.sid)));
        }
        Ok(state)
    }

    fn single(&self) -> String {
        format!("{}.json", self.folder)
    }

    fn numbered(&self, number: u64) -> String {
        format!("{}/{number:0DIGITS$}.json", self.folder)
    }

    /// Goes forward from the last version known, and lists only when none is.
    async fn read_numbered(&self) -> Result<Option<(Bytes, Version)>> {
        let mut number = self.known.load(Ordering::Relaxed);
        if number == 0 {
            let listed = self.store.list_folder(&self.folder).await?;
            number = listed.objects.iter().filter_map(|object| number_of(&object.key)).max().unwrap_or(0);
        }
        let mut latest = None;
        loop {
            // The one before was read to be sure that it is the latest; the first is read for itself.
            let wanted = if latest.is_none() { Some(number.max(1)) } else { number.checked_add(1) };
            let Some(wanted) = wanted else { break };
            let found = self.store.get_versioned(Lane::Control, &self.numbered(wanted), LIMIT).await?;
            let Some((body, _)) = found else { break };
            number = wanted;
            latest = Some(body);
        }
        self.known.fetch_max(number, Ordering::Relaxed);
        Ok(latest.map(|body| (body, Version::Number(number))))
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.folder)
    }
}

/// The folder of all control objects.
pub(super) fn recordings_folder() -> String {
    format!("{FOLDER}/recordings")
}

/// The number of a version by its key.
pub(super) fn number_of(key: &str) -> Option<u64> {
    let name = key.rsplit('/').next()?.strip_suffix(".json")?;
    (name.len() == DIGITS && name.bytes().all(|digit| digit.is_ascii_digit()))
        .then(|| name.parse().ok())
        .flatten()
}
