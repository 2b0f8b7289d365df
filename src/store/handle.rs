//! The handle [`Store`]: which clients serve it, and how a key becomes a path.
//!
//! A key is relative to the prefix of the store's URL. It is taken literally (`Path::parse`, never
//! `Path::from`, which escapes `# % ? < > [ ] ^ { } | ~`) and must be one to one with the object's name:
//! no empty, `.` or `..` part and no control character. A name that ends in `#` and digits is refused
//! as well, for a local store keeps half-written files under such names.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{Attributes, ObjectStore};

use super::fault::Service;
use super::gate::{Gate, Turn};
use super::{Lane, ObjectKind, StoreOptions, Traffic};
use crate::error::{Error, ErrorKind, Result};

/// A handle on one store. Cloning it is cheap; clones share connections, and the objects of `memory:`.
#[derive(Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

/// What the clones of a [`Store`] share.
pub(super) struct Inner {
    /// The store's name for people. Holds no credentials.
    pub name: String,
    /// What stands before every key.
    pub prefix: Path,
    /// For segments and playlists: no timeout of its own (see `patience`).
    pub bulk: Arc<dyn ObjectStore>,
    /// For control objects; [`Lane`] says how long its requests may take. Neither repeats anything by itself.
    pub control: Arc<dyn ObjectStore>,
    /// What every request passes.
    pub gate: Arc<Gate>,
    /// The folder of a local store.
    pub root: Option<PathBuf>,
    /// Makes URLs that anyone may read from for a while; only clouds have that.
    #[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
    pub signer: Option<Arc<dyn object_store::signer::Signer>>,
    /// Takes objects in parts; a folder does not.
    pub parts: Option<Arc<dyn MultipartStore>>,
    /// How long a request may take, its body aside. `None` where nothing is sent over a network: work
    /// on a local disk cannot be called off, so giving up on it would only hide it.
    pub patience: Option<Duration>,
}

/// What goes over the network beside a request's head, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body {
    /// Nothing worth counting.
    Small,
    /// So much is sent.
    Sent(u64),
    /// So much comes at most.
    Got(u64),
}

/// The slowest upload that is not given up, in bytes a second: 0.5 Mb/s, less than any live stream
/// worth recording.
const SLOWEST: u64 = 64 * 1024;

impl Store {
    /// A handle on any object store: for tests, simulations, and stores this crate does not know.
    ///
    /// `name` stands in messages. The store must take attributes and have conditional updates.
    pub fn from_object_store(name: impl Into<String>, store: Arc<dyn ObjectStore>) -> Self {
        Self::new(Inner {
            name: name.into(),
            prefix: Path::ROOT,
            control: Arc::clone(&store),
            bulk: store,
            gate: Arc::default(),
            root: None,
            #[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
            signer: None,
            parts: None,
            patience: Some(StoreOptions::default().request_timeout),
        })
    }

    pub(super) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// The folder of a local store, absolute and free of links; `None` for every other store.
    ///
    /// A file on the same file system can be stored by [`put_file_new`](Self::put_file_new) without
    /// copying it.
    pub fn local_root(&self) -> Option<&std::path::Path> {
        self.inner.root.as_deref()
    }

    /// The client that serves a lane, for what this handle does not offer. Takes [`path`](Self::path)s.
    pub fn client(&self, lane: Lane) -> &dyn ObjectStore {
        match lane {
            Lane::Bulk => self.inner.bulk.as_ref(),
            Lane::Control | Lane::Probe => self.inner.control.as_ref(),
        }
    }

    /// The object's path in the clients of this store.
    ///
    /// # Errors
    /// `InvalidInput` for a key that no store may hold.
    pub fn path(&self, key: &str) -> Result<Path> {
        let refuse = |why: &dyn fmt::Display| {
            Err(Error::new(ErrorKind::InvalidInput, format!("the key {key:?} is not allowed: {why}")))
        };
        if key.is_empty() || key.starts_with('/') || key.ends_with('/') {
            return refuse(&"it must not be empty nor begin or end with /");
        }
        if is_staging_name(key) {
            return refuse(&"a name ending in # and digits stands for a file in the making");
        }
        match self.under_prefix(key) {
            Ok(path) => Ok(path),
            Err(error) => refuse(&error),
        }
    }

    /// The path of a folder of keys; the empty name is the whole store.
    pub(super) fn folder(&self, folder: &str) -> Result<Path> {
        if folder.is_empty() { Ok(self.inner.prefix.clone()) } else { self.path(folder) }
    }

    fn under_prefix(&self, key: &str) -> Result<Path, object_store::path::Error> {
        let prefix = self.inner.prefix.as_ref();
        if prefix.is_empty() { Path::parse(key) } else { Path::parse(format!("{prefix}/{key}")) }
    }

    /// The key of a listed path; `None` for what is not ours to list.
    pub(super) fn key_of(&self, path: &Path) -> Option<String> {
        let prefix = self.inner.prefix.as_ref();
        let key = match path.as_ref().strip_prefix(prefix)? {
            key if prefix.is_empty() => key,
            rest => rest.strip_prefix('/')?,
        };
        // `object_store` hides staging files too, except where an earlier `#` stands in the name.
        (!key.is_empty() && !is_staging_name(key)).then(|| key.to_owned())
    }

    /// The headers to send with an object of this kind: none to a local store, which refuses any.
    pub fn attributes(&self, kind: ObjectKind) -> Attributes {
        if self.inner.root.is_some() { Attributes::new() } else { kind.attributes() }
    }

    /// What goes on with the store, over all clones of this handle.
    pub fn traffic(&self) -> Traffic {
        self.inner.gate.traffic()
    }

    /// Sends one request when it is its turn. Its time begins then. Every request goes this way.
    pub(super) async fn request<T>(
        &self,
        lane: Lane,
        turn: Turn,
        body: Body,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> object_store::Result<T> {
        // Nobody throttles a local disk.
        let turn = if self.inner.patience.is_some() { turn } else { Turn::AtOnce };
        self.inner.gate.pass(turn).await;
        let (sent, bytes) = match body {
            Body::Small => (0, 0),
            Body::Sent(bytes) => (bytes, bytes),
            Body::Got(bytes) => (0, bytes),
        };
        let under_way = self.inner.gate.send(sent);
        let outcome = self.within(lane, bytes, request).await;
        under_way.answered(Service::of(&outcome));
        outcome
    }

    /// Receives the rest of an answer, of which a request gave the begin.
    pub(super) async fn rest<T>(
        &self,
        bytes: u64,
        rest: impl Future<Output = object_store::Result<T>>,
    ) -> object_store::Result<T> {
        let began = self.inner.gate.now();
        let outcome = self.within(Lane::Bulk, bytes, rest).await;
        if outcome.is_err() {
            self.inner.gate.answered(began, Service::of(&outcome));
        }
        outcome
    }

    /// Waits for the network at most for as long as a lane and so many bytes may take; for anything else,
    /// without a limit. Running out of time leaves the outcome unknown.
    async fn within<T>(
        &self,
        lane: Lane,
        bytes: u64,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> object_store::Result<T> {
        let Some(patience) = self.inner.patience else {
            return request.await;
        };
        let limit = lane.limit().unwrap_or(patience + Duration::from_secs(bytes / SLOWEST));
        match tokio::time::timeout(limit, request).await {
            Ok(outcome) => outcome,
            Err(_) => Err(object_store::Error::Generic {
                store: "network",
                source: Box::new(std::io::Error::new(
                    std::io::ErrorKind::TimedOut,
                    format!("no answer within {} s", limit.as_secs()),
                )),
            }),
        }
    }
}

/// Whether a name ends in `#` and digits.
fn is_staging_name(key: &str) -> bool {
    key.rsplit_once('#')
        .is_some_and(|(_, end)| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit()))
}

impl fmt::Display for Store {
    /// The store's URL without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.name)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.inner.name).finish()
    }
}
