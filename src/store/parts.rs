//! Large objects in parts: begun, sent in any order and more than once, put together at the end.
//!
//! An upload lives in the store until it is put together or given up, so another process can go on with it by its name.

use std::sync::Arc;

use bytes::Bytes;
use object_store::multipart::{MultipartStore, PartId};
use object_store::{PutMultipartOptions, PutPayload};

use super::fault::classify;
use super::gate::Turn;
use super::handle::{Body, Inner, Store};
use super::{Lane, ObjectKind};
use crate::error::{Error, ErrorKind, Result};

impl Store {
    /// The same store, with a client for parts.
    pub(super) fn with_parts(self, parts: Arc<dyn MultipartStore>) -> Self {
        match Arc::try_unwrap(self.inner) {
            Ok(inner) => Self::new(Inner { parts: Some(parts), ..inner }),
            Err(inner) => Self { inner },
        }
    }

    /// Whether objects can be sent in parts: to buckets, and to memory.
    pub fn takes_parts(&self) -> bool {
        self.inner.parts.is_some()
    }

    fn parts(&self) -> Result<&dyn MultipartStore> {
        self.inner.parts.as_deref().ok_or_else(|| {
            let message = format!("{self} takes objects only as a whole");
            Error::new(ErrorKind::InvalidInput, message)
        })
    }

    /// Begins an object in parts. Gives the upload's name.
    ///
    /// # Errors
    /// `InvalidInput` where the store takes none, or refuses; `Unavailable`.
    pub async fn begin_parts(&self, key: &str, kind: ObjectKind) -> Result<String> {
        let (path, parts) = (self.path(key)?, self.parts()?);
        let begin = || {
            let options =
                PutMultipartOptions { attributes: self.attributes(kind), ..PutMultipartOptions::default() };
            self.request(Lane::Bulk, Turn::Waits, Body::Small, parts.create_multipart_opts(&path, options))
        };
        let begun = self.repeated(Lane::Bulk, begin).await;
        begun.map_err(|error| classify(error, format_args!("begin {key} in {self}")))
    }

    /// Sends the part with that number, from 0. Gives what names it. All but the last must be of one size, of 5 MiB or more.
    ///
    /// # Errors
    /// As [`begin_parts`](Self::begin_parts); `NotFound` where the upload is gone.
    pub async fn put_part(&self, key: &str, upload: &str, number: usize, body: Bytes) -> Result<String> {
        let (path, parts, upload) = (self.path(key)?, self.parts()?, upload.to_owned());
        let length = Body::Sent(body.len() as u64);
        let send = || {
            let body = PutPayload::from(body.clone());
            self.request(Lane::Bulk, Turn::Waits, length, parts.put_part(&path, &upload, number, body))
        };
        let sent = self.repeated(Lane::Bulk, send).await;
        let part =
            sent.map_err(|error| classify(error, format_args!("store part {number} of {key} in {self}")))?;
        Ok(part.content_id)
    }

    /// Puts an object together of its parts, by their names in order.
    ///
    /// # Errors
    /// As [`put_part`](Self::put_part). Where the answer is lost, the object may be there.
    pub async fn complete_parts(&self, key: &str, upload: &str, names: Vec<String>) -> Result<()> {
        let (path, parts, upload) = (self.path(key)?, self.parts()?, upload.to_owned());
        let ids: Vec<PartId> = names.into_iter().map(|content_id| PartId { content_id }).collect();
        let put = parts.complete_multipart(&path, &upload, ids);
        let put = self.request(Lane::Bulk, Turn::AtOnce, Body::Small, put).await;
        put.map(drop).map_err(|error| classify(error, format_args!("put {key} together in {self}")))
    }

    /// Gives an upload up, and all of its parts.
    ///
    /// # Errors
    /// As [`put_part`](Self::put_part).
    pub async fn abort_parts(&self, key: &str, upload: &str) -> Result<()> {
        let (path, parts, upload) = (self.path(key)?, self.parts()?, upload.to_owned());
        let abort = self.request(Lane::Bulk, Turn::Waits, Body::Small, parts.abort_multipart(&path, &upload));
        abort.await.map_err(|error| classify(error, format_args!("give up {key} in {self}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parts_sent_in_any_order_and_twice_are_one_object() {
        let store = Store::open("memory:").unwrap();
        let upload = store.begin_parts("a/whole.mp4", ObjectKind::Mp4Export).await.unwrap();
        let mut names = vec![String::new(); 2];
        for (number, text) in [(1, "behind"), (0, "wrong"), (0, "before, ")] {
            names[number] = store.put_part("a/whole.mp4", &upload, number, Bytes::from(text)).await.unwrap();
        }
        assert_eq!(store.find("a/whole.mp4", 99).await.unwrap(), None);
        store.complete_parts("a/whole.mp4", &upload, names).await.unwrap();
        assert_eq!(store.get("a/whole.mp4", 99).await.unwrap(), "before, behind");
        // It is gone with that.
        assert!(store.put_part("a/whole.mp4", &upload, 0, Bytes::new()).await.is_err());
    }

    #[tokio::test]
    async fn an_upload_that_is_given_up_leaves_nothing() {
        let store = Store::open("memory:").unwrap();
        let upload = store.begin_parts("x", ObjectKind::TsExport).await.unwrap();
        store.put_part("x", &upload, 0, Bytes::from("y")).await.unwrap();
        store.abort_parts("x", &upload).await.unwrap();
        assert!(store.complete_parts("x", &upload, vec![String::new()]).await.is_err());
        assert_eq!(store.find("x", 9).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_folder_takes_objects_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_str().unwrap()).unwrap();
        assert!(!store.takes_parts());
        let refused = store.begin_parts("x", ObjectKind::TsExport).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    }
}
