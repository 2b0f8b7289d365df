//! A store that counts what it is asked and answers each request after 50 ms.
//!
//! It keeps what is read again: control objects and what the examination writes. Of a playlist it keeps the
//! version alone, of a segment nothing, so that a recording of any length takes the same room.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tapeline::continuity::Form;
use tokio::time::Instant;

/// What a request takes.
const LATENCY: Duration = Duration::from_millis(50);

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Segment,
    Playlist,
    Control,
    Seal,
    /// What is written to find out whether the store is fit, and that it is.
    Examination,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Segment, Self::Playlist, Self::Control, Self::Seal, Self::Examination];

    fn of(key: &str) -> Self {
        match key.strip_prefix(".tapeline/recordings/") {
            Some(own) if own.contains("/seal-") => Self::Seal,
            Some(_) => Self::Control,
            None if key.starts_with(".tapeline/recordings") => Self::Control,
            None if key.starts_with(".tapeline/") => Self::Examination,
            None if key.ends_with(".m3u8") => Self::Playlist,
            None => Self::Segment,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// PUT with If-None-Match.
    Create,
    /// PUT with If-Match.
    Update,
    /// PUT without a condition.
    Put,
    Get,
    /// HEAD.
    Look,
    List,
    Delete,
}

impl Verb {
    pub const ALL: [Self; 7] =
        [Self::Create, Self::Update, Self::Put, Self::Get, Self::Look, Self::List, Self::Delete];
    pub const PUTS: [Self; 3] = [Self::Create, Self::Update, Self::Put];
}

/// Requests of one sort.
#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    pub requests: u64,
    /// Of the bodies sent or got.
    pub bytes: u64,
    /// The largest body.
    pub largest: u64,
}

impl Count {
    fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            bytes: self.bytes + other.bytes,
            largest: self.largest.max(other.largest),
        }
    }
}

/// All that was asked in some time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    counts: [[Count; Verb::ALL.len()]; Kind::ALL.len()],
    /// The shortest time from one write of the control object to the next.
    pub shortest_pace: Option<Duration>,
}

impl Tally {
    pub fn of(&self, kind: Kind, verb: Verb) -> Count {
        self.counts[kind as usize][verb as usize]
    }

    /// All writes of such objects.
    pub fn puts(&self, kind: Kind) -> Count {
        Verb::PUTS.into_iter().fold(Count::default(), |sum, verb| sum.plus(self.of(kind, verb)))
    }

    /// Requests of these sorts, whatever they were for.
    pub fn requests(&self, verbs: &[Verb]) -> u64 {
        let of_kind = |kind| verbs.iter().map(move |verb| self.of(kind, *verb).requests).sum::<u64>();
        Kind::ALL.into_iter().map(of_kind).sum()
    }

    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = *self;
        for (mine, theirs) in sum.counts.iter_mut().flatten().zip(other.counts.iter().flatten()) {
            *mine = mine.plus(*theirs);
        }
        let paces = [self.shortest_pace, other.shortest_pace];
        sum.shortest_pace = paces.into_iter().flatten().min();
        sum
    }
}

#[derive(Debug, Default)]
struct State {
    tally: Tally,
    last_commit: Option<Instant>,
}

/// The store.
#[derive(Debug)]
pub struct CountingStore {
    memory: InMemory,
    form: Form,
    state: Mutex<State>,
}

impl CountingStore {
    /// One that has conditional updates, or one that does not know them.
    pub fn new(form: Form) -> Arc<Self> {
        Arc::new(Self { memory: InMemory::new(), form, state: Mutex::default() })
    }

    /// What was asked since the last call.
    pub fn take(&self) -> Tally {
        std::mem::take(&mut self.state.lock().unwrap().tally)
    }

    fn count(&self, kind: Kind, verb: Verb, bytes: u64) {
        let mut state = self.state.lock().unwrap();
        let count = &mut state.tally.counts[kind as usize][verb as usize];
        *count = count.plus(Count { requests: 1, bytes, largest: bytes });
        if kind == Kind::Control && Verb::PUTS.contains(&verb) {
            let now = Instant::now();
            let pace = state.last_commit.replace(now).map(|last| now - last);
            state.tally.shortest_pace = state.tally.shortest_pace.into_iter().chain(pace).min();
        }
    }
}

impl fmt::Display for CountingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountingStore")
    }
}

/// The key of the numbered version before this one.
fn version_before(key: &str) -> Option<Path> {
    let (folder, name) = key.rsplit_once('/')?;
    let number: u64 = name.strip_suffix(".json")?.parse().ok()?;
    Some(Path::from(format!("{folder}/{:020}.json", number.checked_sub(1)?)))
}

#[async_trait]
impl ObjectStore for CountingStore {
    async fn put_opts(&self, path: &Path, body: PutPayload, options: PutOptions) -> Result<PutResult> {
        let kind = Kind::of(path.as_ref());
        let verb = match options.mode {
            PutMode::Create => Verb::Create,
            PutMode::Update(_) => Verb::Update,
            PutMode::Overwrite => Verb::Put,
        };
        self.count(kind, verb, body.content_length() as u64);
        tokio::time::sleep(LATENCY).await;
        if verb == Verb::Update && self.form == Form::Numbered {
            let (operation, implementer) = ("If-Match".to_owned(), self.to_string());
            return Err(Error::NotImplemented { operation, implementer });
        }
        let kept = match kind {
            Kind::Segment => {
                return Ok(PutResult { e_tag: None, version: None, extensions: Default::default() });
            }
            Kind::Playlist => PutPayload::default(),
            _ => body,
        };
        let done = self.memory.put_opts(path, kept, options).await?;
        if let Some(before) = version_before(path.as_ref()).filter(|_| kind == Kind::Control) {
            // Nobody reads it again.
            let _ = self.memory.delete(&before).await;
        }
        Ok(done)
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let verb = if options.head { Verb::Look } else { Verb::Get };
        tokio::time::sleep(LATENCY).await;
        let found = self.memory.get_opts(path, options).await;
        let bytes = found.as_ref().map_or(0, |found| found.range.end - found.range.start);
        self.count(Kind::of(path.as_ref()), verb, bytes);
        found
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        unimplemented!("not used")
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        // Deleting costs nothing, so that one count for a call will do.
        self.count(Kind::Examination, Verb::Delete, 0);
        self.memory.delete_stream(paths).boxed()
    }

    fn list(&self, folder: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count(Kind::of(folder.map_or("", Path::as_ref)), Verb::List, 0);
        self.memory.list(folder)
    }

    async fn list_with_delimiter(&self, folder: Option<&Path>) -> Result<ListResult> {
        self.count(Kind::of(folder.map_or("", Path::as_ref)), Verb::List, 0);
        tokio::time::sleep(LATENCY).await;
        self.memory.list_with_delimiter(folder).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        unimplemented!("not used")
    }
}
