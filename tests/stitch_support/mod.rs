//! A recording of any number of segments in a store that counts what it is asked: made, not recorded.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use serde_json::Map;
use tapeline::checksum::{Crc64, RunningSha256, Sha256};
use tapeline::continuity::{Addition, ControlObject, Form, HolderName, Seal, SealName, StoreForm, TailEntry};
use tapeline::ids::RecordingId;
use tapeline::media::Container;
use tapeline::naming::{ObjectName, Prefix};
use tapeline::playlist::{Header, Renderer};
use tapeline::store::{ObjectKind, Store};
use tapeline::time::{MediaTime, WallTime};

/// Counts the requests of each kind: "get media", "list".
#[derive(Debug, Default)]
pub struct Counting {
    memory: InMemory,
    requests: Mutex<BTreeMap<&'static str, u64>>,
    /// What somebody else writes right before the next put of that key.
    other: Mutex<Option<(String, Bytes)>>,
}

impl Counting {
    /// What was asked since the last call.
    pub fn take(&self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    /// Somebody else writes `body` right before the next put of `key` is carried out.
    pub fn before_next_put(&self, key: &str, body: Bytes) {
        *self.other.lock().unwrap() = Some((key.to_owned(), body));
    }

    fn count(&self, what: &'static str) {
        *self.requests.lock().unwrap().entry(what).or_default() += 1;
    }
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counting:")
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, path: &Path, body: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.count("put");
        let other = self.other.lock().unwrap().take_if(|(key, _)| key == path.as_ref());
        if let Some((_, other)) = other {
            self.memory.put(path, other.into()).await?;
        }
        self.memory.put_opts(path, body, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.count(match path.as_ref() {
            key if key.starts_with(".tapeline/") => "get state",
            key if key.ends_with(".m3u8") => "get playlist",
            _ => "get segment",
        });
        self.memory.get_opts(path, options).await
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        unimplemented!("not used")
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.count("delete");
        self.memory.delete_stream(paths).boxed()
    }

    fn list(&self, folder: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count("list");
        self.memory.list(folder)
    }

    async fn list_with_delimiter(&self, folder: Option<&Path>) -> Result<ListResult> {
        self.count("list");
        self.memory.list_with_delimiter(folder).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        unimplemented!("not used")
    }
}

/// 2026-11-23T01:00:00Z.
const EPOCH: i64 = 1_795_395_600_000;
/// Of each segment.
const MILLIS: i64 = 2000;

fn holder(number: usize) -> HolderName {
    let (worker, host) = (format!("{number:032x}"), "host".to_owned());
    HolderName {
        worker,
        host,
        pid: 1,
        lease: None,
        uid: 7,
        since: WallTime::from_millis(EPOCH),
        unknown: Map::new(),
    }
}

/// Makes a recording of 4 generations with so many segments each, a gap between each and the next.
pub async fn make(counting: &Arc<Counting>, segments: i64) -> Store {
    let store = Store::from_object_store("counting:", Arc::clone(counting) as Arc<dyn ObjectStore>);
    let put = async |key: &str, body: Bytes| {
        store.put(key, vec![body], ObjectKind::Control).await.unwrap();
    };
    let form = StoreForm::new(Form::Update, WallTime::from_millis(EPOCH));
    put(StoreForm::KEY, form.encode()).await;
    let id = RecordingId::new("s1", "main").unwrap();
    let mut state = ControlObject::start(&id, Prefix::default(), holder(0), "n0".to_owned());
    for generation in 0..4u8 {
        let prefix = generation.checked_sub(1).map_or(String::new(), |failover| format!("bak{failover}_"));
        let playlist = format!("{prefix}s1_main.m3u8");
        let name: ObjectName = playlist.parse().unwrap();
        let mut renderer = Renderer::new(&Header { target_duration: 4 });
        let begin = EPOCH + i64::from(generation) * (segments * MILLIS + 30_000);
        let mut entries = Vec::new();
        for place in 0..segments {
            let date = WallTime::from_millis(begin + place * MILLIS);
            let entry = TailEntry {
                utc: date,
                start: MediaTime::from_ticks(place * MILLIS * 90),
                clock: u32::from(generation) * 1_000_000 + 1,
                date,
                millis: 2000,
                bytes: 1,
                crc64: Crc64::of(b"x"),
                discontinuity: false,
                gap: false,
                cause: None,
                without_key: false,
                compat: Vec::new(),
                unknown: Map::new(),
            };
            let segment = entry.name(&name, Container::MpegTs).to_string();
            put(&segment, Bytes::from_static(b"x")).await;
            renderer.append(&entry.entry(&name, Container::MpegTs)).unwrap();
            entries.push(entry);
        }
        let text = Bytes::from(renderer.take());
        let mut hash = RunningSha256::default();
        hash.update(&text);
        put(&playlist, text).await;
        let addition = Addition {
            playlist,
            container: Container::MpegTs,
            target_duration: 4,
            entries,
            hash: hash.current(),
            published: u64::try_from(segments).unwrap() - 3,
        };
        state = state.commit(&[addition], "n".to_owned());
        let seal = Seal::of(&state);
        let key = format!(".tapeline/recordings/s1/{}", seal.name());
        let sha256 = Sha256::of(&seal.encode());
        put(&key, seal.encode()).await;
        let name = SealName { generation: state.generation, key, sha256, unknown: Map::new() };
        state = if generation < 3 {
            state.claim(holder(usize::from(generation) + 1), name, "c".to_owned()).unwrap()
        } else {
            state.stop(name, "s".to_owned()).unwrap()
        };
    }
    put(".tapeline/recordings/s1.json", state.encode()).await;
    counting.take();
    store
}
