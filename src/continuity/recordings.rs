//! What recordings a store holds, for those who only look: nothing here writes or probes.

use std::iter;

use futures_util::StreamExt;

use super::control::{ControlObject, SealName};
use super::form::{Form, StoreForm};
use super::register::{Register, recordings_folder};
use super::salvage::SalvageRecord;
use super::seal::Seal;
use super::status::Status;
use crate::checksum::Sha256;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Generation, Sid};
use crate::store::Store;

/// Control objects read at once.
const READS: usize = 16;
/// A seal is as large as a control object.
const SEAL_LIMIT: u64 = 4 << 20;
/// Some 400 bytes for each segment that waited in an outage of a day.
const SALVAGE_LIMIT: u64 = 64 << 20;

/// The recordings of one store.
#[derive(Debug, Clone)]
pub struct Recordings {
    store: Store,
    form: Form,
}

impl Recordings {
    /// Those of a store of that form.
    pub fn new(store: &Store, form: Form) -> Self {
        Self { store: store.clone(), form }
    }

    /// Those of a store as it is; `None` where nobody has recorded yet. Writes nothing and tries nothing out.
    ///
    /// # Errors
    /// `InvalidInput` where the store does not exist or refuses this user; `Unavailable` where it cannot be
    /// reached.
    pub async fn open(store: &Store) -> Result<Option<Self>> {
        if !store.check_access(StoreForm::KEY).await? {
            return Ok(None);
        }
        let known = StoreForm::read(store).await?;
        Ok(known.map(|known| Self::new(store, known.form)))
    }

    /// In which form the store keeps them.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The register of one of them, whether it exists or not.
    pub fn register(&self, sid: &Sid) -> Register {
        Register::new(&self.store, self.form, sid)
    }

    /// The ids of all of them, in order.
    ///
    /// # Errors
    /// Whatever listing gives.
    pub async fn list(&self) -> Result<Vec<Sid>> {
        let listed = self.store.list_folder(&recordings_folder()).await?;
        let keys = match self.form {
            Form::Update => listed.objects.into_iter().map(|object| object.key).collect(),
            Form::Numbered => listed.folders,
        };
        let sid = |key: &String| {
            let name = key.rsplit('/').next()?;
            let name = if self.form == Form::Update { name.strip_suffix(".json")? } else { name };
            Sid::new(name).ok()
        };
        Ok(keys.iter().filter_map(sid).collect())
    }

    /// The state of one of them.
    ///
    /// # Errors
    /// `NotFound`; `Malformed` for a control object that cannot be read.
    pub async fn read(&self, sid: &Sid) -> Result<ControlObject> {
        let register = self.register(sid);
        match register.read().await? {
            Some((text, _)) => register.decode(&text),
            None => {
                let message = format!("there is no recording {sid} in {}", self.store);
                Err(Error::new(ErrorKind::NotFound, message))
            }
        }
    }

    /// What one of them came to so far, its older generations and what was salvaged included.
    ///
    /// # Errors
    /// As [`read`](Self::read). A seal, or a record of a salvage, that is missing or damaged is told in the status.
    pub async fn status(&self, sid: &Sid) -> Result<Status> {
        let state = self.read(sid).await?;
        let seals = self.older_seals(&state).await?;
        Ok(Status::new(&state, seals, self.salvages(sid, state.generation).await?))
    }

    /// The same without what was salvaged, which takes a request or more for each generation to know.
    async fn committed(&self, sid: &Sid) -> Result<Status> {
        let state = self.read(sid).await?;
        let seals = self.older_seals(&state).await?;
        Ok(Status::new(&state, seals, Vec::new()))
    }

    async fn older_seals(&self, state: &ControlObject) -> Result<Vec<Result<Seal, String>>> {
        let mut seals = Vec::new();
        for name in state.seals.iter().filter(|name| name.generation < state.generation) {
            seals.push(match self.seal(name).await {
                Ok(seal) => Ok(seal),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Malformed) => {
                    Err(error.report())
                }
                Err(error) => return Err(error),
            });
        }
        Ok(seals)
    }

    /// The records of its salvages up to a generation, in their order; why, of those that cannot be read.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub async fn salvages(&self, sid: &Sid, last: Generation) -> Result<Vec<Result<SalvageRecord, String>>> {
        let register = self.register(sid);
        let mut records = Vec::new();
        for generation in iter::successors(Some(Generation::FIRST), |generation| generation.next()) {
            if generation > last {
                break;
            }
            for key in SalvageRecord::names(generation).map(|name| register.key(&name)) {
                match self.salvage(sid, &key).await {
                    Ok(record) => records.push(Ok(record)),
                    Err(error) if error.kind() == ErrorKind::Malformed => records.push(Err(error.report())),
                    Err(error) if error.kind() == ErrorKind::NotFound => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(records)
    }

    async fn salvage(&self, sid: &Sid, key: &str) -> Result<SalvageRecord> {
        let text = self.store.get(key, SALVAGE_LIMIT).await?;
        let malformed =
            |why: &str| Error::new(ErrorKind::Malformed, format!("{key} in {} {why}", self.store));
        match SalvageRecord::decode(&text) {
            Ok(record) if record.sid == *sid => Ok(record),
            Ok(_) => Err(malformed("is that of another recording")),
            Err(error) => Err(malformed("cannot be read").with_source(error)),
        }
    }

    /// What is committed of all of them so far, in the order of their ids; each may have failed on its own.
    ///
    /// # Errors
    /// Whatever listing gives.
    pub async fn statuses(&self) -> Result<Vec<(Sid, Result<Status>)>> {
        let sids = futures_util::stream::iter(self.list().await?);
        let read = sids.map(|sid| async move {
            let status = self.committed(&sid).await;
            (sid, status)
        });
        // One that is gone was deleted since it was listed, or its first version was never finished.
        let there = |found: &(Sid, Result<Status>)| {
            let gone = matches!(&found.1, Err(error) if error.kind() == ErrorKind::NotFound);
            std::future::ready(!gone)
        };
        Ok(read.buffered(READS).filter(there).collect().await)
    }

    /// A seal that a control object names.
    ///
    /// # Errors
    /// `NotFound`; `Malformed` where it is not what the control object says.
    pub async fn seal(&self, name: &SealName) -> Result<Seal> {
        let text = self.store.get(&name.key, SEAL_LIMIT).await?;
        let malformed = |why: &str| {
            Error::new(ErrorKind::Malformed, format!("the seal {} in {} {why}", name.key, self.store))
        };
        if Sha256::of(&text) != name.sha256 {
            return Err(malformed("is not the one that the control object names; somebody changed it"));
        }
        Seal::decode(&text).map_err(|error| malformed("cannot be read").with_source(error))
    }
}
