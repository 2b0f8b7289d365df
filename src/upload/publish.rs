//! Publishing a playlist: the first time create-if-absent, then on the condition that it is still what we
//! last stored, so that no late request can make it shorter.
//!
//! A refused or unanswered write is looked into: what lies there may be this very text, or an earlier one of
//! ours whose answer was lost. Anything else belongs to a stranger and is left alone. Where the registers
//! are numbered the store has no conditional update, and a plain one must do.

use bytes::Bytes;
use object_store::UpdateVersion;
use tokio::sync::Mutex;

use super::requests::Context;
use crate::continuity::{Form, Holder};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Backoff, Condition, Conditional, Lane, ObjectKind};

/// One publication.
pub(super) struct Publication {
    pub key: String,
    /// The text, and its end where it is to have one.
    pub pieces: Vec<Bytes>,
    /// No earlier publication was shorter.
    pub least: u64,
    /// What the store holds of ours; `None` before the first publication.
    pub known: Option<UpdateVersion>,
}

/// What lies in the store, compared with what should.
enum Seen {
    Nothing,
    /// All of it.
    Whole(UpdateVersion),
    /// The begin of it.
    Begin(UpdateVersion),
    Other,
}

impl Context {
    /// Publishes, for as long as it takes.
    ///
    /// # Errors
    /// `Fenced` where the recording is no longer ours; `Conflict` where the playlist is a stranger's.
    pub async fn publish(&self, holder: &Mutex<Holder>, publication: Publication) -> Result<UpdateVersion> {
        let Publication { key, pieces, least, mut known } = publication;
        let mut backoff = Backoff::new(self.options.seed ^ least);
        loop {
            let form = {
                let mut holder = holder.lock().await;
                holder.ensure_current().await?;
                holder.form()
            };
            let error = match self.put(form, &key, &pieces, known.as_ref()).await {
                Ok(Conditional::Done(version)) => return Ok(version),
                Ok(Conditional::Refused(error) | Conditional::Undecided(error)) => {
                    match self.look(&key, &pieces, least).await {
                        Ok(Seen::Whole(version)) => return Ok(version),
                        Ok(Seen::Begin(version)) => known = Some(version),
                        Ok(Seen::Nothing) => known = None,
                        Ok(Seen::Other) => return Err(self.foreign(&key)),
                        Err(_) => {}
                    }
                    error
                }
                Err(error) => error,
            };
            self.pause(&key, &error, &mut backoff).await;
        }
    }

    async fn put(
        &self,
        form: Form,
        key: &str,
        pieces: &[Bytes],
        known: Option<&UpdateVersion>,
    ) -> Result<Conditional> {
        let body = pieces.iter().cloned();
        let condition = match (form, known) {
            (_, None) => Condition::Absent,
            (Form::Update, Some(version)) => Condition::Unchanged(version.clone()),
            (Form::Numbered, Some(_)) => {
                let put = self.store.put(key, body.collect(), ObjectKind::Playlist);
                return put.await.map(Conditional::Done);
            }
        };
        self.store.put_if(Lane::Bulk, key, body, ObjectKind::Playlist, condition).await
    }

    async fn look(&self, key: &str, pieces: &[Bytes], least: u64) -> Result<Seen> {
        let len: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        let found = match self.store.get_versioned(Lane::Bulk, key, len).await {
            Ok(found) => found,
            // Longer than all that we have.
            Err(error) if error.kind() == ErrorKind::Malformed => return Ok(Seen::Other),
            Err(error) => return Err(error),
        };
        let Some((body, version)) = found else { return Ok(Seen::Nothing) };
        let mut rest: &[u8] = &body;
        for piece in pieces {
            let here = rest.len().min(piece.len());
            let (begin, behind) = rest.split_at(here);
            if Some(begin) != piece.get(..here) {
                return Ok(Seen::Other);
            }
            rest = behind;
        }
        Ok(match body.len() as u64 {
            found if found == len => Seen::Whole(version),
            found if found >= least => Seen::Begin(version),
            _ => Seen::Other,
        })
    }

    fn foreign(&self, key: &str) -> Error {
        let message =
            format!("{key} in {} was written by another recorder; record under another --sid", self.store);
        Error::new(ErrorKind::Conflict, message)
    }
}
