//! Plain operations on keys: put, get, head, list, delete, and the look at a store before it is used.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutPayload, UpdateVersion};

use super::fault::{classify, is_conflict};
use super::gate::Turn;
use super::handle::{Body, Store};
use super::repeats::Repeats;
use super::{Lane, ObjectKind};
use crate::error::{Error, ErrorKind, Result};
use crate::time::WallTime;

/// What a store says about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The object's key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written, by the store's clock.
    pub modified: WallTime,
    /// What names this version of it in a conditional update. A local store's is too coarse for that.
    pub version: UpdateVersion,
}

/// What lies directly in a folder of keys, both in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folder {
    /// The objects.
    pub objects: Vec<ObjectMeta>,
    /// The folders, as keys without a closing `/`.
    pub folders: Vec<String>,
}

/// A listing on its way.
struct Listing {
    pages: BoxStream<'static, object_store::Result<object_store::ObjectMeta>>,
    path: Path,
    /// What came last.
    last: Option<Path>,
    /// Whether all came in the order of their names, as from every bucket; only then can it be gone on with
    /// after a failure.
    in_order: bool,
}

/// How often an unconditional write is repeated when the server says "conflict": some do while another
/// write of the same key is under way.
const ATTEMPTS: usize = 4;

/// What a listing may weigh that comes as a whole, in bytes: time for some 50 requests of 1000 keys.
const LISTING: u64 = 16 * 1024 * 1024;

impl Store {
    /// Stores an object, replacing one of the same key. Returns its version.
    ///
    /// # Errors
    /// As [`put_new`](Self::put_new).
    pub async fn put(&self, key: &str, payload: Vec<Bytes>, kind: ObjectKind) -> Result<UpdateVersion> {
        let path = self.path(key)?;
        let body = PutPayload::from_iter(payload);
        let length = Body::Sent(body.content_length() as u64);
        let mut attempt = 1;
        loop {
            let options = self.put_options(kind, PutMode::Overwrite);
            let put = self.inner.bulk.put_opts(&path, body.clone(), options);
            match self.request(Lane::Bulk, Turn::AtOnce, length, put).await {
                Ok(stored) => return Ok(stored.into()),
                Err(error) if is_conflict(&error) && attempt < ATTEMPTS => attempt += 1,
                Err(error) if is_conflict(&error) => {
                    let busy =
                        format!("cannot store {key} in {self}: it is being written elsewhere; try again");
                    return Err(Error::new(ErrorKind::Unavailable, busy).with_source(error));
                }
                Err(error) => return Err(classify(error, format_args!("store {key} in {self}"))),
            }
        }
    }

    /// Reads a whole object of at most `limit` bytes.
    ///
    /// # Errors
    /// `NotFound`; `Malformed` for an object longer than `limit`, which is not read.
    pub async fn get(&self, key: &str, limit: u64) -> Result<Bytes> {
        let path = self.path(key)?;
        let read = || async {
            let asked = self.inner.bulk.get_opts(&path, GetOptions::default());
            match self.request(Lane::Bulk, Turn::Waits, Body::Small, asked).await? {
                found if found.meta.size > limit => Ok(Err(found.meta.size)),
                found => self.rest(found.meta.size, found.bytes()).await.map(Ok),
            }
        };
        let read = self.repeated(Lane::Bulk, read).await;
        read.map_err(|error| classify(error, format_args!("read {key} from {self}")))?.map_err(|size| {
            let message = format!("{key} in {self} has {size} bytes, more than the {limit} it may have");
            Error::new(ErrorKind::Malformed, message)
        })
    }

    /// The same; `None` if there is no such object.
    ///
    /// # Errors
    /// As [`get`](Self::get), but `NotFound`.
    pub async fn find(&self, key: &str, limit: u64) -> Result<Option<Bytes>> {
        match self.get(key, limit).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a part of an object; less than asked for where the object ends in it.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` if the object ends before the range begins.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let path = self.path(key)?;
        let length = range.end.saturating_sub(range.start);
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let read = || {
            let asked = self.inner.bulk.get_opts(&path, options.clone());
            self.request(Lane::Bulk, Turn::Waits, Body::Got(length), async { asked.await?.bytes().await })
        };
        self.repeated(Lane::Bulk, read)
            .await
            .map_err(|error| classify(error, format_args!("read {key} from {self}")))
    }

    /// Looks an object up; `None` if there is none.
    ///
    /// A missing bucket looks the same here, since servers answer a `HEAD` without saying why;
    /// [`check_access`](Self::check_access) tells the two apart.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        let path = self.path(key)?;
        let look = || self.request(Lane::Bulk, Turn::Waits, Body::Small, self.inner.bulk.head(&path));
        match self.repeated(Lane::Bulk, look).await {
            Ok(meta) => Ok(self.meta(meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(classify(error, format_args!("look up {key} in {self}"))),
        }
    }

    /// Whether an object is there.
    ///
    /// # Errors
    /// As [`head`](Self::head).
    pub async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.head(key).await?.is_some())
    }

    /// A URL from which anyone may read an object for so long. Asks the store nothing, where credentials are known.
    ///
    /// # Errors
    /// `InvalidInput` for a store that has no such URLs.
    pub async fn presign(&self, key: &str, valid: Duration) -> Result<String> {
        let path = self.path(key)?;
        #[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
        if let Some(signer) = &self.inner.signer {
            let signed = signer.signed_url(object_store::signer::Method::GET, &path, valid).await;
            let url = signed.map_err(|error| classify(error, format_args!("sign {key} in {self}")))?;
            return Ok(url.to_string());
        }
        let _ = (path, valid);
        let message = format!("{self} has no signed URLs, only buckets do; name a web server instead");
        Err(Error::new(ErrorKind::InvalidInput, message))
    }

    /// Lists every object under a folder of keys, at any depth, in no particular order. The empty name is
    /// the whole store; a folder that does not exist is empty.
    pub fn list(&self, folder: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        let path = match self.folder(folder) {
            Ok(path) => path,
            Err(error) => return stream::once(async { Err(error) }).boxed(),
        };
        let (store, folder) = (self.clone(), folder.to_owned());
        let listing = Listing { pages: self.inner.bulk.list(Some(&path)), path, last: None, in_order: true };
        stream::unfold(Some(listing), move |listing| {
            let (store, folder) = (store.clone(), folder.clone());
            async move {
                let mut listing = listing?;
                loop {
                    match store.next_listed(&mut listing).await {
                        Ok(None) => return None,
                        Ok(Some(found)) => match store.meta(found) {
                            Some(meta) => return Some((Ok(meta), Some(listing))),
                            None => continue,
                        },
                        Err(error) => return Some((Err(store.cannot_list(error, &folder)), None)),
                    }
                }
            }
        })
        .boxed()
    }

    async fn next_listed(
        &self,
        listing: &mut Listing,
    ) -> object_store::Result<Option<object_store::ObjectMeta>> {
        let mut repeats = Repeats::new(self, Lane::Bulk);
        let mut begins = listing.last.is_none();
        loop {
            let next = async { listing.pages.next().await.transpose() };
            // Only its client knows where a page ends and the next is asked for.
            let next = if begins {
                self.request(Lane::Bulk, Turn::Waits, Body::Small, next).await
            } else {
                self.rest(0, next).await
            };
            match next {
                Err(error) if listing.in_order && repeats.again(&error).await => {
                    let (bulk, folder) = (&self.inner.bulk, Some(&listing.path));
                    listing.pages = match &listing.last {
                        Some(last) => bulk.list_with_offset(folder, last),
                        None => bulk.list(folder),
                    };
                    begins = true;
                }
                Ok(Some(found)) => {
                    listing.in_order &= listing.last.as_ref().is_none_or(|last| *last < found.location);
                    listing.last = Some(found.location.clone());
                    return Ok(Some(found));
                }
                ended => return ended,
            }
        }
    }

    /// Lists what lies directly in a folder of keys.
    ///
    /// # Errors
    /// As [`get`](Self::get); a folder that does not exist is empty.
    pub async fn list_folder(&self, folder: &str) -> Result<Folder> {
        let path = self.folder(folder)?;
        let list = || {
            let asked = self.inner.bulk.list_with_delimiter(Some(&path));
            self.request(Lane::Bulk, Turn::Waits, Body::Got(LISTING), asked)
        };
        let found = self.repeated(Lane::Bulk, list).await.map_err(|error| self.cannot_list(error, folder))?;
        let mut objects: Vec<_> = found.objects.into_iter().filter_map(|meta| self.meta(meta)).collect();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        let mut folders: Vec<_> = found.common_prefixes.iter().filter_map(|path| self.key_of(path)).collect();
        folders.sort();
        Ok(Folder { objects, folders })
    }

    /// Deletes an object; one that is not there is deleted already.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key)?;
        let delete = || self.request(Lane::Bulk, Turn::AtOnce, Body::Small, self.inner.bulk.delete(&path));
        match self.repeated(Lane::Bulk, delete).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(classify(error, format_args!("delete {key} from {self}"))),
        }
    }

    /// Removes a folder of keys where folders are more than parts of keys, if nothing is left in it.
    pub async fn remove_empty_folder(&self, folder: &str) {
        let Some(root) = self.local_root() else { return };
        let Ok(path) = self.folder(folder) else { return };
        let path = root.join(path.as_ref());
        // One that is not empty, or not there, stays as it is.
        let _ = blocking(move || std::fs::remove_dir(path)).await;
    }

    /// Asks for one object in order to learn whether the store can be used; true if the object is there.
    ///
    /// # Errors
    /// `InvalidInput` when the bucket or the folder does not exist, or when the credentials are refused;
    /// `Unavailable` when the store cannot be reached. The message says which, and what to do.
    pub async fn check_access(&self, key: &str) -> Result<bool> {
        let path = self.path(key)?;
        if let Some(root) = self.local_root().filter(|root| !root.is_dir()) {
            let message = format!("cannot use {self}: the folder {} is gone; create it", root.display());
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let ask = || {
            let asked = self.inner.bulk.get_opts(&path, GetOptions::default());
            self.request(Lane::Bulk, Turn::Waits, Body::Small, asked)
        };
        match self.repeated(Lane::Bulk, ask).await {
            Ok(_) => Ok(true),
            Err(error) => match classify(error, format_args!("use {self}")) {
                error if error.kind() == ErrorKind::NotFound => Ok(false),
                error => Err(error),
            },
        }
    }

    fn cannot_list(&self, error: object_store::Error, folder: &str) -> Error {
        classify(
            error,
            format_args!("list {self}{}{folder}", if folder.is_empty() { "" } else { ", folder " }),
        )
    }

    fn meta(&self, meta: object_store::ObjectMeta) -> Option<ObjectMeta> {
        Some(ObjectMeta {
            key: self.key_of(&meta.location)?,
            size: meta.size,
            modified: WallTime::from_millis(meta.last_modified.timestamp_millis()),
            version: UpdateVersion { e_tag: meta.e_tag, version: meta.version },
        })
    }
}

/// Runs blocking work on the blocking pool.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::new(ErrorKind::Internal, "a task on the blocking pool died").with_source(error)
    })
}
