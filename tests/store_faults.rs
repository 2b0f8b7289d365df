//! Create-if-absent under lost and false answers: the result says what the store holds, never what the
//! last answer said.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tapeline::ErrorKind;
use tapeline::store::{Created, ObjectKind, Store};

/// What happens to one request.
#[derive(Debug, Clone, Copy)]
enum Fault {
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
}

/// A store in memory that obeys a script, one entry for a request; after its end nothing goes wrong.
#[derive(Debug)]
struct FaultStore {
    memory: InMemory,
    puts: Mutex<VecDeque<Fault>>,
    gets: Mutex<VecDeque<Fault>>,
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
            Fault::None | Fault::LostAfter | Fault::ExistsAfter => {}
        }
        let stored = self.memory.put_opts(path, body, options).await?;
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
        self.memory.list(folder)
    }

    async fn list_with_delimiter(&self, folder: Option<&Path>) -> Result<ListResult> {
        self.memory.list_with_delimiter(folder).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}

fn faulty(puts: &[Fault], gets: &[Fault]) -> Store {
    let store = FaultStore {
        memory: InMemory::new(),
        puts: Mutex::new(puts.iter().copied().collect()),
        gets: Mutex::new(gets.iter().copied().collect()),
    };
    Store::from_object_store("faulty:", Arc::new(store))
}

async fn create(store: &Store, text: &'static str) -> tapeline::Result<Created> {
    store.put_new("a.ts", vec![Bytes::from_static(text.as_bytes())], ObjectKind::TsSegment).await
}

#[tokio::test]
async fn our_own_object_is_known_whatever_the_answer_was() {
    for fault in [Fault::None, Fault::LostAfter, Fault::ExistsAfter] {
        let store = faulty(&[fault], &[]);
        assert_eq!(create(&store, "ours").await.unwrap(), Created::Stored, "{fault:?}");
        assert_eq!(create(&store, "theirs").await.unwrap(), Created::AlreadyThere, "{fault:?}");
        assert_eq!(store.get("a.ts", 9).await.unwrap(), "ours");
    }
}

#[tokio::test]
async fn a_conflict_over_a_key_that_nobody_holds_is_tried_again() {
    let store = faulty(&[Fault::ExistsBefore, Fault::ExistsBefore], &[]);
    assert_eq!(create(&store, "ours").await.unwrap(), Created::Stored);
    assert_eq!(store.get("a.ts", 9).await.unwrap(), "ours");

    let error = create(&faulty(&[Fault::ExistsBefore; 20], &[]), "ours").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn what_cannot_be_settled_is_unavailable_and_never_a_conflict() {
    let before = faulty(&[Fault::LostBefore], &[]);
    assert_eq!(create(&before, "ours").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(create(&before, "ours").await.unwrap(), Created::Stored, "the repeat settles it");

    for fault in [Fault::LostAfter, Fault::ExistsAfter] {
        let store = faulty(&[fault], &[Fault::LostBefore]);
        let error = create(&store, "ours").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{fault:?}: {error}");
        assert_eq!(create(&store, "ours").await.unwrap(), Created::Stored, "{fault:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_final() {
    let error = create(&faulty(&[Fault::Denied], &[]), "ours").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

#[tokio::test]
async fn a_plain_put_outlasts_a_passing_conflict() {
    let put = |store: Store| async move {
        store.put("a.m3u8", vec![Bytes::from_static(b"x")], ObjectKind::Playlist).await.map(drop)
    };
    put(faulty(&[Fault::ExistsBefore], &[])).await.unwrap();
    let error = put(faulty(&[Fault::ExistsBefore; 20], &[])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}
