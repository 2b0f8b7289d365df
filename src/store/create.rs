//! Create-if-absent, and the doubt that it leaves.
//!
//! Every store can lose the answer to a write that it carried out: the connection breaks, the server
//! says 500 after the commit, the client repeats the request and meets its own object. Some servers
//! also say "conflict" for a key that nobody holds in the end. So no answer but a clean success is
//! believed: the object is read back and compared with what we wanted to store. Equal bytes under the
//! same key are our object, whoever wrote them.

use std::path::Path as FilePath;

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, PutMode, PutPayload};

use super::fault::{Service, classify, classify_io, is_conflict, is_undecided};
use super::gate::Turn;
use super::handle::{Body, Store};
use super::ops::blocking;
use super::repeats::Repeats;
use super::{Lane, ObjectKind, local, pieces};
use crate::error::{Error, ErrorKind, Result};

/// How a create-if-absent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum Created {
    /// The object holds our bytes: stored now, or the very same were there before.
    Stored,
    /// The key is taken by other bytes, which were left alone.
    AlreadyThere,
}

/// What lies under a key, compared with what should.
enum Held {
    Nothing,
    Same,
    Other,
}

/// How often a server may say "conflict" for a key that is absent when looked at.
const ATTEMPTS: usize = 4;

impl Store {
    /// Stores an object unless its key is taken.
    ///
    /// Takes the body in pieces, best of 64 KiB to 1 MiB: nothing joins them. May be called again with
    /// the same body after any error; that is how an undecided outcome is settled.
    ///
    /// # Errors
    /// `Unavailable` when the store does not serve; whether the object was stored is then unknown.
    /// `InvalidInput` when the store refuses: key, bucket, credentials, permission.
    pub async fn put_new(&self, key: &str, payload: Vec<Bytes>, kind: ObjectKind) -> Result<Created> {
        let path = self.path(key)?;
        let body = PutPayload::from_iter(payload);
        let length = Body::Sent(body.content_length() as u64);
        let failed = |error| classify(error, format_args!("store {key} in {self}"));
        // Taking a recording over must not wait behind media.
        let turn = if kind == ObjectKind::Control { Turn::AtOnce } else { Turn::Waits };
        let mut repeats = Repeats::new(self, Lane::Bulk);
        let mut attempt = 1;
        loop {
            let options = self.put_options(kind, PutMode::Create);
            let put = self.inner.bulk.put_opts(&path, body.clone(), options);
            let written = self.request(Lane::Bulk, turn, length, put).await;
            // Whoever asks for fewer requests is not asked what became of this one: if it was carried out all
            // the same, the next try will meet it.
            let throttled = Service::of(&written) == Service::Throttled;
            let error = match written {
                Ok(_) => return Ok(Created::Stored),
                Err(error) => error,
            };
            if is_undecided(&error) && !throttled {
                match self.compare(&path, &body, turn).await {
                    Ok(Held::Same) => {
                        self.settle(key).await?;
                        return Ok(Created::Stored);
                    }
                    Ok(Held::Other) => return Ok(Created::AlreadyThere),
                    Ok(Held::Nothing) if is_conflict(&error) && attempt < ATTEMPTS => {
                        attempt += 1;
                        continue;
                    }
                    Ok(Held::Nothing) if is_conflict(&error) => break,
                    // A conflict that could not be looked into must not be reported as one.
                    Err(unread) if is_conflict(&error) => return Err(failed(unread)),
                    Err(_) => return Err(failed(error)),
                    Ok(Held::Nothing) => {}
                }
            }
            if !repeats.again(&error).await {
                return Err(failed(error));
            }
        }
        let what = format!("store {key} in {self}");
        let message = format!("cannot {what}: the store says that the key is taken, and that it is absent");
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    /// Stores a finished file unless its key is taken. The file stays where it is.
    ///
    /// On a local store of the same file system the file is linked, not copied: file and object are the
    /// same bytes on disk from then on, so the file may be deleted but must never be written again.
    /// Everywhere else it is read into memory and sent.
    ///
    /// # Errors
    /// As [`put_new`](Self::put_new); `NotFound` when the file is missing.
    pub async fn put_file_new(&self, key: &str, file: &FilePath, kind: ObjectKind) -> Result<Created> {
        let name = self.path(key)?;
        if let Some(root) = self.local_root() {
            let (from, to) = (file.to_owned(), root.join(name.as_ref()));
            let what = format!("link {} as {key} into {self}", file.display());
            let linked = blocking(move || local::link_new(&from, &to)).await?;
            if let Some(created) = linked.map_err(|error| classify_io(error, what))? {
                return Ok(created);
            }
        }
        let from = file.to_owned();
        let pieces = blocking(move || pieces::read_file(&from)).await?;
        let pieces = pieces.map_err(|error| classify_io(error, format_args!("read {}", file.display())))?;
        self.put_new(key, pieces, kind).await
    }

    async fn compare(&self, path: &Path, body: &PutPayload, turn: Turn) -> object_store::Result<Held> {
        self.repeated(Lane::Bulk, || self.compare_once(path, body, turn)).await
    }

    /// Compares what is stored with `body`, holding no more than a piece of it in memory.
    async fn compare_once(&self, path: &Path, body: &PutPayload, turn: Turn) -> object_store::Result<Held> {
        let asked = self.inner.bulk.get_opts(path, GetOptions::default());
        let stored = match self.request(Lane::Bulk, turn, Body::Small, asked).await {
            Ok(stored) => stored,
            Err(object_store::Error::NotFound { .. }) => return Ok(Held::Nothing),
            Err(error) => return Err(error),
        };
        let length = body.content_length() as u64;
        if stored.meta.size != length {
            return Ok(Held::Other);
        }
        let mut pieces = stored.into_stream();
        let mut ours = body.iter().filter(|piece| !piece.is_empty()).cloned();
        let mut expected = Bytes::new();
        self.rest(length, async move {
            while let Some(piece) = pieces.next().await {
                let mut piece = piece?;
                while !piece.is_empty() {
                    if expected.is_empty() {
                        match ours.next() {
                            Some(next) => expected = next,
                            None => return Ok(Held::Other),
                        }
                    }
                    let common = piece.len().min(expected.len());
                    if piece.get(..common) != expected.get(..common) {
                        return Ok(Held::Other);
                    }
                    piece.advance(common);
                    expected.advance(common);
                }
            }
            Ok(if expected.is_empty() && ours.next().is_none() { Held::Same } else { Held::Other })
        })
        .await
    }

    /// What was found in a local store may not be on the disk yet.
    async fn settle(&self, key: &str) -> Result<()> {
        let Some(root) = self.local_root() else { return Ok(()) };
        let target = root.join(key);
        blocking(move || local::settle(&target))
            .await?
            .map_err(|error| classify_io(error, format_args!("sync {key} in {self}")))
    }
}
