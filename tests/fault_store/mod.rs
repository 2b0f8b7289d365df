//! A store in memory that fails as it is told, and remembers what was written.

#![allow(dead_code, reason = "each test that includes this uses its own part of it")]

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::Notify;

/// What happens to one request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Nothing.
    None,
    /// Carried out; the answer never comes.
    LostAfter,
    /// Carried out, and then repeated by the client, which meets its own object.
    ExistsAfter,
    /// Not carried out: "409, somebody else is writing this key".
    ExistsBefore,
    /// Not carried out; the connection breaks.
    LostBefore,
    /// Not carried out: access denied.
    Denied,
    /// Not carried out, and never answered.
    HangBefore,
    /// Carried out, or refused, and never answered.
    HangAfter,
    /// Not carried out: 503, slow down.
    Throttled,
}

/// A store in memory that obeys a script, one entry for a request; after its end nothing goes wrong.
#[derive(Debug)]
pub struct FaultStore {
    memory: InMemory,
    puts: Mutex<VecDeque<Fault>>,
    gets: Mutex<VecDeque<Fault>>,
    /// After how many objects each listing breaks.
    listings: Mutex<VecDeque<usize>>,
    /// Every write that was carried out: its key and its body, in order.
    written: Mutex<Vec<(String, Bytes)>>,
    /// Rings when a request is never answered.
    pub hung: Notify,
}

impl FaultStore {
    /// A store that obeys the two scripts, one entry for a request.
    pub fn new(puts: impl IntoIterator<Item = Fault>, gets: impl IntoIterator<Item = Fault>) -> Arc<Self> {
        Arc::new(Self {
            memory: InMemory::new(),
            puts: Mutex::new(puts.into_iter().collect()),
            gets: Mutex::new(gets.into_iter().collect()),
            listings: Mutex::default(),
            written: Mutex::default(),
            hung: Notify::new(),
        })
    }

    /// Obeys another script from now on.
    pub fn script_puts(&self, puts: impl IntoIterator<Item = Fault>) {
        *self.puts.lock().unwrap() = puts.into_iter().collect();
    }

    /// The same for reading.
    pub fn script_gets(&self, gets: impl IntoIterator<Item = Fault>) {
        *self.gets.lock().unwrap() = gets.into_iter().collect();
    }

    /// Requests of the two scripts that were not made.
    pub fn unused(&self) -> (usize, usize) {
        (self.puts.lock().unwrap().len(), self.gets.lock().unwrap().len())
    }

    async fn hang<T>(&self) -> T {
        self.hung.notify_one();
        std::future::pending().await
    }

    /// Breaks the next listings, each after so many objects.
    pub fn break_listings(&self, after: impl IntoIterator<Item = usize>) {
        *self.listings.lock().unwrap() = after.into_iter().collect();
    }

    /// Every write that was carried out, in order.
    pub fn written(&self) -> Vec<(String, Bytes)> {
        self.written.lock().unwrap().clone()
    }
}

impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultStore")
    }
}

fn lost() -> Error {
    Error::Generic { store: "fault", source: Box::new(io::Error::from(io::ErrorKind::ConnectionReset)) }
}

fn exists(path: &Path) -> Error {
    Error::AlreadyExists { path: path.to_string(), source: "409".into() }
}

fn throttled() -> Error {
    Error::Generic { store: "fault", source: "status code: 503 Slow Down: ".into() }
}

fn denied(path: &Path) -> Error {
    Error::PermissionDenied { path: path.to_string(), source: "403".into() }
}

#[async_trait]
impl ObjectStore for FaultStore {
    async fn put_opts(&self, path: &Path, body: PutPayload, options: PutOptions) -> Result<PutResult> {
        let fault = self.puts.lock().unwrap().pop_front().unwrap_or(Fault::None);
        match fault {
            Fault::ExistsBefore => return Err(exists(path)),
            Fault::LostBefore => return Err(lost()),
            Fault::Denied => return Err(denied(path)),
            Fault::Throttled => return Err(throttled()),
            Fault::HangBefore => return self.hang().await,
            Fault::HangAfter | Fault::None | Fault::LostAfter | Fault::ExistsAfter => {}
        }
        let bytes: Bytes = body.iter().flatten().copied().collect();
        let stored = self.memory.put_opts(path, body, options).await;
        if stored.is_ok() {
            self.written.lock().unwrap().push((path.to_string(), bytes));
        }
        if matches!(fault, Fault::HangAfter) {
            return self.hang().await;
        }
        let stored = stored?;
        match fault {
            Fault::LostAfter => Err(lost()),
            Fault::ExistsAfter => Err(exists(path)),
            _ => Ok(stored),
        }
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let fault = self.gets.lock().unwrap().pop_front();
        match fault {
            Some(Fault::LostBefore) => Err(lost()),
            Some(Fault::HangBefore) => self.hang().await,
            Some(Fault::Throttled) => Err(throttled()),
            _ => self.memory.get_opts(path, options).await,
        }
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        unimplemented!("not used")
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.memory.delete_stream(paths)
    }

    fn list(&self, folder: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.listings.lock().unwrap().pop_front() {
            Some(after) => {
                let end = stream::once(async { Err(lost()) });
                self.memory.list(folder).take(after).chain(end).boxed()
            }
            None => self.memory.list(folder),
        }
    }

    async fn list_with_delimiter(&self, folder: Option<&Path>) -> Result<ListResult> {
        self.memory.list_with_delimiter(folder).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}
