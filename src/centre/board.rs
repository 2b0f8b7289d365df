//! What all nodes see: leases and requests in the store, read again only where they have changed.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::lease::{self, Lease};
use super::request::{self, Layout, Request};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Sid;
use crate::store::{Created, ObjectKind, ObjectMeta, Store};
use crate::time::WallTime;

/// No lease, and no request, is larger.
const LIMIT: u64 = 4 << 20;
/// Objects read at once.
const READS: usize = 16;

/// Who is there: how workers make themselves known, and hear of each other.
///
/// The store is the one that is always there. Another may be quicker to tell; control objects stay in the store all the same, so
/// that it cannot make two workers hold one recording.
pub trait Membership: Send + Sync + std::fmt::Debug {
    /// Makes the own lease known, in place of the one before.
    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<()>>;
    /// All leases there are.
    fn read(&mut self) -> BoxFuture<'_, Result<Vec<Lease>>>;
    /// Takes a lease away.
    fn remove<'a>(&'a self, worker: &'a str) -> BoxFuture<'a, Result<()>>;
    /// Ends when something was heard that is to be acted on before the next reading is due, where that can be heard. May be
    /// dropped while it waits.
    fn changed(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// Objects of a folder as they were read last.
#[derive(Debug)]
struct Folder<T> {
    store: Store,
    folder: &'static str,
    read: BTreeMap<String, (Mark, Option<T>)>,
}

/// What tells one version of an object from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    tag: Option<String>,
    size: u64,
    modified: WallTime,
}

impl Mark {
    fn of(meta: &ObjectMeta) -> Self {
        Self { tag: meta.version.e_tag.clone(), size: meta.size, modified: meta.modified }
    }
}

impl<T: Clone + Send + Sync> Folder<T> {
    fn new(store: &Store, folder: &'static str) -> Self {
        Self { store: store.clone(), folder, read: BTreeMap::new() }
    }

    /// Reads what has changed. What cannot be read as what it should be is left out, and told.
    async fn refresh(&mut self, decode: fn(&str, &[u8]) -> Result<T>) -> Result<()> {
        let listed = self.store.list_folder(self.folder).await?;
        let mut before = std::mem::take(&mut self.read);
        let mut changed = Vec::new();
        for meta in listed.objects {
            let mark = Mark::of(&meta);
            match before.remove(&meta.key).filter(|(known, _)| *known == mark) {
                Some(known) => drop(self.read.insert(meta.key, known)),
                None => changed.push((meta.key, mark)),
            }
        }
        let store = &self.store;
        let reads = futures_util::stream::iter(changed).map(|(key, mark)| async move {
            let read = store.find(&key, LIMIT).await;
            (key, mark, read)
        });
        let mut reads = reads.buffered(READS);
        while let Some((key, mark, read)) = reads.next().await {
            let Some(text) = read? else { continue };
            let decoded = decode(&key, &text).inspect_err(|error| {
                tracing::warn!(key, error = %error.report(), "left out");
            });
            self.read.insert(key, (mark, decoded.ok()));
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &T> {
        self.read.values().filter_map(|(_, read)| read.as_ref())
    }
}

/// Leases as objects of the store.
#[derive(Debug)]
pub struct StoreMembership {
    store: Store,
    leases: Folder<Lease>,
}

impl StoreMembership {
    /// Those of that store.
    pub fn new(store: &Store) -> Self {
        Self { store: store.clone(), leases: Folder::new(store, lease::FOLDER) }
    }
}

impl Membership for StoreMembership {
    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let key = Lease::key(&lease.worker);
            self.store.put(&key, vec![lease.encode()], ObjectKind::Control).await.map(drop)
        })
    }

    fn read(&mut self) -> BoxFuture<'_, Result<Vec<Lease>>> {
        Box::pin(async move {
            self.leases.refresh(|_, text| Lease::decode(text)).await?;
            Ok(self.leases.all().cloned().collect())
        })
    }

    fn remove<'a>(&'a self, worker: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.store.delete(&Lease::key(worker)).await })
    }
}

/// What was asked for.
#[derive(Debug)]
pub struct Requests {
    store: Store,
    /// As they were read last.
    asked: Mutex<Folder<Asked>>,
}

/// A document among the requests.
#[derive(Debug, Clone)]
enum Asked {
    Request(Request),
    Layout(Layout),
}

impl Asked {
    fn decode(key: &str, text: &[u8]) -> Result<Self> {
        if key.ends_with(".layout.json") {
            return Layout::decode(text).map(Self::Layout);
        }
        Request::decode(text).map(Self::Request)
    }
}

impl Requests {
    /// Those of that store.
    pub fn new(store: &Store) -> Self {
        Self { store: store.clone(), asked: Mutex::new(Folder::new(store, request::FOLDER)) }
    }

    /// Reads those that have changed; gives all, and the layouts that somebody chose.
    ///
    /// # Errors
    /// Whatever listing and reading give.
    pub async fn read(&self) -> Result<(Vec<Request>, BTreeMap<Sid, Value>)> {
        let mut asked = self.asked.lock().await;
        asked.refresh(Asked::decode).await?;
        let (mut requests, mut layouts) = (Vec::new(), BTreeMap::new());
        for asked in asked.all().cloned() {
            match asked {
                Asked::Request(request) => requests.push(request),
                Asked::Layout(layout) => drop(layouts.insert(layout.sid, layout.layout)),
            }
        }
        Ok((requests, layouts))
    }

    /// Adds one.
    ///
    /// # Errors
    /// `Conflict` where another one of that sid is there; whatever writing gives.
    pub async fn add(&self, request: &Request) -> Result<()> {
        let key = Request::key(&request.sid);
        match self.store.put_new(&key, vec![request.encode()], ObjectKind::Control).await? {
            Created::Stored => Ok(()),
            Created::AlreadyThere => {
                let message = format!("{} was asked for already; choose another sid", request.sid);
                Err(Error::new(ErrorKind::Conflict, message))
            }
        }
    }

    /// One of them.
    ///
    /// # Errors
    /// `NotFound`; whatever reading gives.
    pub async fn get(&self, sid: &Sid) -> Result<Request> {
        Request::decode(&self.store.get(&Request::key(sid), LIMIT).await?)
    }

    /// Takes one away, and its layout: its recording has ended.
    ///
    /// # Errors
    /// Whatever deleting gives.
    pub async fn remove(&self, sid: &Sid) -> Result<()> {
        self.store.delete(&Layout::key(sid)).await?;
        self.store.delete(&Request::key(sid)).await
    }

    /// Asks for another layout of a recording's picture.
    ///
    /// # Errors
    /// Whatever writing gives.
    pub async fn lay_out(&self, sid: &Sid, layout: Value) -> Result<()> {
        let layout = Layout { schema: Layout::SCHEMA, sid: sid.clone(), layout, unknown: Map::new() };
        self.store.put(&Layout::key(sid), vec![layout.encode()], ObjectKind::Control).await.map(drop)
    }

    /// Asks for the end of a recording. Nothing but this ever changes a request, so that the last writer is right, whoever it is.
    ///
    /// # Errors
    /// As [`get`](Self::get); whatever writing gives.
    pub async fn end(&self, sid: &Sid) -> Result<Request> {
        let request = Request { wanted: request::Wanted::Stop, ..self.get(sid).await? };
        self.store.put(&Request::key(sid), vec![request.encode()], ObjectKind::Control).await?;
        Ok(request)
    }
}
