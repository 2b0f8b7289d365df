//! A worker's end of the network, as an `ObjectStore`.

use std::fmt;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::{Notify, oneshot};

use super::clock::SimulatedClock;
use super::history::{Millis, What};
use super::network::{Answer, Issue, Mode, Operation};

/// What a worker hands to the world, in order.
#[derive(Debug)]
pub enum Out {
    Issue(Issue),
    Note(Millis, What),
}

/// Where a worker hands things over; the world stops it as soon as there is something.
#[derive(Debug, Default)]
pub struct Outbox {
    out: Mutex<Vec<Out>>,
    pub filled: Notify,
}

impl Outbox {
    pub fn push(&self, out: Out) {
        self.out.lock().unwrap().push(out);
        self.filled.notify_one();
    }

    pub fn take(&self) -> Vec<Out> {
        std::mem::take(&mut self.out.lock().unwrap())
    }
}

#[derive(Debug)]
pub struct WorkerStore {
    pub outbox: std::sync::Arc<Outbox>,
    pub clock: std::sync::Arc<SimulatedClock>,
}

impl fmt::Display for WorkerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated")
    }
}

impl WorkerStore {
    async fn ask(&self, path: &str, operation: Operation) -> Result<Answer> {
        let (reply, answer) = oneshot::channel();
        self.outbox.push(Out::Issue(Issue { at: self.clock.now(), operation, reply }));
        match answer.await {
            Ok(outcome) => outcome.map_err(|refusal| refusal.into_error(path)),
            // Never answered: whoever asked has to give up by itself.
            Err(_) => std::future::pending().await,
        }
    }
}

fn meta(key: &str, size: u64, etag: String) -> ObjectMeta {
    ObjectMeta {
        location: Path::parse(key).unwrap(),
        last_modified: chrono::DateTime::UNIX_EPOCH,
        size,
        e_tag: Some(etag),
        version: None,
    }
}

#[async_trait]
impl ObjectStore for WorkerStore {
    async fn put_opts(&self, path: &Path, body: PutPayload, options: PutOptions) -> Result<PutResult> {
        let mode = match options.mode {
            PutMode::Create => Mode::Create,
            PutMode::Overwrite => Mode::Overwrite,
            PutMode::Update(version) => Mode::Update(version.e_tag.expect("every object here has a tag")),
        };
        let body = Bytes::from(body);
        match self.ask(path.as_ref(), Operation::Put { key: path.to_string(), mode, body }).await? {
            Answer::Stored { etag } => {
                Ok(PutResult { e_tag: Some(etag), version: None, extensions: Default::default() })
            }
            other => unreachable!("{other:?} to a PUT"),
        }
    }

    async fn get_opts(&self, path: &Path, _: GetOptions) -> Result<GetResult> {
        match self.ask(path.as_ref(), Operation::Get { key: path.to_string() }).await? {
            Answer::Found { body, etag } => Ok(GetResult {
                meta: meta(path.as_ref(), body.len() as u64, etag),
                range: 0..body.len() as u64,
                payload: GetResultPayload::Stream(stream::once(async { Ok(body) }).boxed()),
                attributes: Default::default(),
                extensions: Default::default(),
            }),
            other => unreachable!("{other:?} to a GET"),
        }
    }

    async fn list_with_delimiter(&self, folder: Option<&Path>) -> Result<ListResult> {
        let folder = folder.map(Path::to_string).unwrap_or_default();
        match self.ask(&folder, Operation::List { folder: folder.clone() }).await? {
            Answer::Listed { objects, folders } => Ok(ListResult {
                common_prefixes: folders.iter().map(|folder| Path::parse(folder).unwrap()).collect(),
                objects: objects.into_iter().map(|(key, size, etag)| meta(&key, size, etag)).collect(),
                extensions: Default::default(),
            }),
            other => unreachable!("{other:?} to a LIST"),
        }
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let end = Self { outbox: self.outbox.clone(), clock: self.clock.clone() };
        let delete = move |path: Result<Path>| {
            let end = Self { outbox: end.outbox.clone(), clock: end.clock.clone() };
            async move {
                let path = path?;
                let _ = end.ask(path.as_ref(), Operation::Delete { key: path.to_string() }).await?;
                Ok(path)
            }
        };
        paths.then(delete).boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        unimplemented!("not used")
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        unimplemented!("not used")
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        unimplemented!("not used")
    }
}
