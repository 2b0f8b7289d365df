//! An export as one object of a store, in parts that are sent while it is made.
//!
//! A small document beside the object says which upload it is, and which parts of it are stored with which bytes. The same
//! export makes the same bytes, so one that was cut off makes them again and sends what is missing.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::front::Front;
use super::uploads::Uploads;
use crate::checksum::Sha256;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{ObjectKind, Store};

/// Smallest part: what S3 asks for is 5 MiB.
const PART: u64 = 8 << 20;
/// S3 takes 10,000.
const PARTS: u64 = 9_000;
/// The document is stored once for each such share of the parts that are stored: a thousandth of what is sent, at most.
const SHARE: usize = 64;
/// No document is larger.
const DOCUMENT_LIMIT: u64 = 16 << 20;

/// What the document says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    /// The upload's name in the store.
    upload: String,
    /// What is exported, and how.
    fingerprint: String,
    part_len: u64,
    /// Parts that are stored, by their numbers.
    parts: BTreeMap<usize, StoredPart>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredPart {
    /// The part's name in the store.
    name: String,
    sha256: String,
}

/// An object in the making.
pub(super) struct PartedObject {
    store: Store,
    key: String,
    progress: Progress,
    /// Parts that were stored before this run.
    found: BTreeMap<usize, StoredPart>,
    /// The number of the part that `bytes` begins with, but for the front.
    next: usize,
    bytes: VecDeque<Bytes>,
    open: Vec<u8>,
    /// Whole parts of the front, which may still change.
    front: Vec<Bytes>,
    total: u64,
    resumed_bytes: u64,
    under_way: Uploads<(usize, StoredPart)>,
    unsaved: usize,
}

impl PartedObject {
    /// Begins an object of about so many bytes, or goes on with it.
    ///
    /// # Errors
    /// Whatever the store gives.
    pub async fn begin(
        store: Store,
        key: String,
        kind: ObjectKind,
        fingerprint: String,
        expected: u64,
    ) -> Result<Self> {
        let part_len = PART.max((expected / PARTS).next_multiple_of(1 << 20));
        let known = store.find(&document(&key), DOCUMENT_LIMIT).await?;
        let known: Option<Progress> = known.and_then(|text| serde_json::from_slice(&text).ok());
        let (known, other) = match known {
            Some(known) if known.fingerprint == fingerprint && known.part_len == part_len => {
                (Some(known), None)
            }
            other => (None, other),
        };
        if let Some(other) = other {
            // It may be gone already.
            let _ = store.abort_parts(&key, &other.upload).await;
        }
        let (upload, found) = match known {
            Some(known) => (known.upload, known.parts),
            None => (store.begin_parts(&key, kind).await?, BTreeMap::new()),
        };
        let progress = Progress { upload, fingerprint, part_len, parts: BTreeMap::new() };
        let mut object = Self {
            store,
            key,
            progress,
            found,
            next: 0,
            bytes: VecDeque::new(),
            open: Vec::new(),
            front: Vec::new(),
            total: 0,
            resumed_bytes: 0,
            under_way: Uploads::default(),
            unsaved: 0,
        };
        if object.found.is_empty() {
            object.save().await?;
        }
        Ok(object)
    }

    /// Takes bytes; whole parts wait to be sent.
    pub fn take(&mut self, mut piece: &[u8]) {
        let part_len = usize::try_from(self.progress.part_len).unwrap_or(usize::MAX);
        self.total += piece.len() as u64;
        while !piece.is_empty() {
            self.open.reserve(part_len - self.open.len());
            let (now, later) = piece.split_at(piece.len().min(part_len - self.open.len()));
            self.open.extend_from_slice(now);
            piece = later;
            if self.open.len() == part_len {
                self.bytes.push_back(Bytes::from(std::mem::take(&mut self.open)));
            }
        }
    }

    /// Sends whole parts, but for those that hold the first `changes` bytes.
    ///
    /// # Errors
    /// Whatever the store gives.
    pub async fn send_whole(&mut self, changes: u64) -> Result<()> {
        let kept = usize::try_from(changes.div_ceil(self.progress.part_len)).unwrap_or(usize::MAX);
        while let Some(part) = self.bytes.pop_front() {
            let number = self.next;
            self.next += 1;
            if number < kept {
                self.front.push(part);
            } else {
                self.send(number, part).await?;
            }
        }
        Ok(())
    }

    /// Sends the front and the end, and puts all together. Gives the bytes that were not sent again.
    ///
    /// # Errors
    /// Whatever the store gives.
    pub async fn finish(mut self, front: Option<&Front>) -> Result<u64> {
        let sent = self.send_rest(front).await;
        if let Err(error) = sent {
            self.give_up(&error).await;
            return Err(error);
        }
        let names: Vec<String> = self.progress.parts.values().map(|part| part.name.clone()).collect();
        let completed = self.store.complete_parts(&self.key, &self.progress.upload, names).await;
        if let Err(error) = completed {
            // The answer may be lost, and the object there.
            let is_there = self.store.head(&self.key).await?.is_some_and(|meta| meta.size == self.total);
            if !is_there {
                self.give_up(&error).await;
                return Err(error);
            }
        }
        self.store.delete(&document(&self.key)).await?;
        Ok(self.resumed_bytes)
    }

    async fn send_rest(&mut self, front: Option<&Front>) -> Result<()> {
        if let Some(front) = front {
            self.take(&front.tail);
        }
        let last = std::mem::take(&mut self.open);
        if !last.is_empty() || self.next == 0 && self.bytes.is_empty() {
            self.bytes.push_back(Bytes::from(last));
        }
        self.send_whole(front.map_or(0, |front| front.bytes.len() as u64)).await?;
        let mut new = front.map(|front| front.bytes.as_slice()).unwrap_or_default();
        for (number, part) in std::mem::take(&mut self.front).into_iter().enumerate() {
            let (now, later) = new.split_at(new.len().min(part.len()));
            new = later;
            let kept = part.get(now.len()..).unwrap_or_default();
            self.send(number, Bytes::from([now, kept].concat())).await?;
        }
        while let Some(done) = self.under_way.next().await {
            self.note(done?);
        }
        Ok(())
    }

    /// Keeps what is stored for the next try, where that may help; else leaves nothing.
    pub async fn give_up(mut self, why: &Error) {
        while let Some(done) = self.under_way.next().await {
            // One reason is enough.
            done.into_iter().for_each(|part| self.note(part));
        }
        // The store is in trouble as it is: what cannot be done now is told by the error that led here.
        if why.kind() == ErrorKind::Unavailable {
            let _ = self.save().await;
        } else {
            let _ = self.store.abort_parts(&self.key, &self.progress.upload).await;
            let _ = self.store.delete(&document(&self.key)).await;
        }
    }

    async fn send(&mut self, number: usize, part: Bytes) -> Result<()> {
        let sha256 = Sha256::of(&part).to_string();
        if let Some(found) = self.found.get(&number).filter(|found| found.sha256 == sha256) {
            self.progress.parts.insert(number, found.clone());
            self.resumed_bytes += part.len() as u64;
            return Ok(());
        }
        while let Some(done) = self.under_way.room().await {
            self.note(done?);
        }
        if self.unsaved > self.progress.parts.len() / SHARE {
            self.save().await?;
        }
        let (store, key, upload) = (self.store.clone(), self.key.clone(), self.progress.upload.clone());
        self.under_way.begin(async move {
            let name = store.put_part(&key, &upload, number, part).await?;
            Ok((number, StoredPart { name, sha256 }))
        });
        Ok(())
    }

    fn note(&mut self, (number, part): (usize, StoredPart)) {
        self.progress.parts.insert(number, part);
        self.unsaved += 1;
    }

    /// Stores the document: parts of this run and of those before.
    async fn save(&mut self) -> Result<()> {
        let mut parts = self.found.clone();
        parts.extend(self.progress.parts.clone());
        let progress = Progress { parts, ..self.progress.clone() };
        let text = serde_json::to_vec(&progress).map_err(|error| {
            Error::new(ErrorKind::Internal, "the upload's document cannot be written").with_source(error)
        })?;
        self.store.put(&document(&self.key), vec![Bytes::from(text)], ObjectKind::Control).await?;
        self.unsaved = 0;
        Ok(())
    }
}

fn document(key: &str) -> String {
    format!("{key}.part.json")
}
