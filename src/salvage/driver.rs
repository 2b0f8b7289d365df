//! The salvage of one folder.
//!
//! Segments are stored first, then the record of them is noted in the folder, then it is put into the store, then
//! the folder is cleared. Until the note is there, all that was begun is found again by its bytes; with the note, the record
//! is known though some of the files may be gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use tracing::{info, warn};

use super::find::{Found, Media, Worth};
use super::outcome::{Remainder, Salvage};
use crate::checksum::{Crc64, RunningCrc64, RunningSha256, Sha256};
use crate::clock::SharedClock;
use crate::continuity::{
    ControlObject, LossCause, LostSegment, OnRetry, Recordings, SalvageRecord, SalvagedSegment,
    SalvagedWorker,
};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Generation, RecordingId};
use crate::naming::{ObjectName, Prefix, key};
use crate::spool::{LeftFolder, LeftSegment, SegmentFacts, WorkerRecord};
use crate::store::{Created, ObjectKind, Store};
use crate::upload::{all_taken, names};

/// A file that is larger is no segment: those end at 50 MB.
const LARGEST: u64 = 256 << 20;
/// So much is hashed in one go: some milliseconds.
const PART: usize = 1 << 20;
/// How often it is looked whether the next segment may go.
const LOOK: Duration = Duration::from_secs(1);

/// Where salvaged media goes.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The store.
    pub store: Store,
    /// What it holds.
    pub recordings: Recordings,
}

/// How to salvage.
#[derive(Clone)]
pub struct SalvageOptions {
    /// Where pauses come from.
    pub clock: SharedClock,
    /// Decides their lengths.
    pub seed: u64,
    /// For how long a request is repeated that fails for now; `None` for ever.
    pub patience: Option<Duration>,
    /// Hears of repeats.
    pub on_retry: OnRetry,
    /// Whether the next segment may go now; asked again every second.
    pub may_go: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl std::fmt::Debug for SalvageOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SalvageOptions").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// Whose a folder is, and where its media belongs.
struct Owner {
    id: RecordingId,
    generation: Generation,
    prefix: Prefix,
    worker: Option<SalvagedWorker>,
}

/// What a salvage came to, for the next one.
#[derive(Serialize, Deserialize)]
struct Note {
    store: String,
    record: SalvageRecord,
    /// Files of segments that stay.
    left: Vec<Remainder>,
}

/// What became of one segment.
enum Fate {
    Stored(SalvagedSegment),
    Lost(LostSegment),
    /// Its file stays.
    Left {
        why: String,
        lost: Option<LostSegment>,
    },
}

struct Salvager<'a> {
    destination: &'a Destination,
    options: &'a SalvageOptions,
    folder: LeftFolder,
    owner: Owner,
}

/// Brings what lies in a folder to the store, and clears it.
///
/// # Errors
/// `NotFound` where the store does not hold the recording, `Conflict` where it holds another of that name, `Unavailable`
/// where it does not serve, `InvalidInput` where it refuses, or the folder does not say whose it is. The folder is left
/// as it was; what was stored already is found there again the next time.
pub async fn salvage(
    folder: LeftFolder,
    destination: &Destination,
    options: &SalvageOptions,
) -> Result<Salvage> {
    if folder.segments().is_empty() {
        return Ok(tidy(folder).await);
    }
    let what = format!("cannot salvage {folder}");
    let work = async {
        let (owner, state) = owner(&folder, destination, options).await?;
        Salvager { destination, options, folder, owner }.run(&state).await
    };
    work.await.map_err(|error| error.context(what))
}

/// Clears a folder in which no segment lies. It needs no store.
pub async fn tidy(folder: LeftFolder) -> Salvage {
    let generation = folder.worker().map_or(Generation::FIRST, |worker| worker.generation);
    let (name, left) = (folder.name().to_owned(), foreign(&folder));
    let (freed, uncleared) = match folder.clear(&BTreeSet::new()).await {
        Ok(freed) => (freed, None),
        Err(error) => (0, Some(error)),
    };
    Salvage { folder: name, id: None, generation, record: None, committed: None, left, freed, uncleared }
}

fn foreign(folder: &LeftFolder) -> Vec<Remainder> {
    let foreign = folder.foreign().iter().cloned();
    foreign.map(|name| Remainder { name, why: "no recorder made it".to_owned(), segment: false }).collect()
}

/// Finds out whose the folder is, and makes sure that the store is the right one.
async fn owner(
    folder: &LeftFolder,
    destination: &Destination,
    options: &SalvageOptions,
) -> Result<(Owner, ControlObject)> {
    let (id, generation, worker) = match folder.worker() {
        Ok(worker) => (worker.id(), worker.generation, Some(worker)),
        Err(why) => {
            let mut of =
                folder.segments().iter().map(|segment| (&segment.name.recording, segment.name.generation));
            let first = of.next();
            match first {
                Some((id, generation)) if of.all(|other| Some(other) == first) => {
                    (id.clone(), generation, None)
                }
                _ => {
                    let message = format!(
                        "its segments are of several recordings, and it does not say whose it is: {why}"
                    );
                    return Err(Error::new(ErrorKind::Malformed, message));
                }
            }
        }
    };
    let (store, register) = (&destination.store, destination.recordings.register(&id.sid));
    let register = register.to_string();
    let read = options.repeat(&register, || destination.recordings.read(&id.sid)).await;
    let state = read.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let message =
                format!("there is no recording {} in {store}; name the right store with --to", id.sid);
            Error::new(ErrorKind::NotFound, message)
        }
        _ => error,
    })?;
    let prefix = worker.map_or(&state.prefix, |worker| &worker.prefix).clone();
    if (&state.cname, &state.prefix) != (&id.cname, &prefix) || state.generation < generation {
        let message = format!(
            "{store} has another recording {}: channel {:?}, prefix {:?}, generation {}, where the spool is of \
             {:?}, {:?}, {generation}; name the right one with --to",
            id.sid,
            state.cname.as_str(),
            state.prefix.as_str(),
            state.generation,
            id.cname.as_str(),
            prefix.as_str(),
        );
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    let worker = worker.map(salvaged_worker);
    Ok((Owner { id, generation, prefix, worker }, state))
}

fn salvaged_worker(worker: &WorkerRecord) -> SalvagedWorker {
    let WorkerRecord { uid, host, pid, since, .. } = worker;
    SalvagedWorker { uid: *uid, host: host.clone(), pid: *pid, since: *since, unknown: Map::new() }
}

impl Salvager<'_> {
    async fn run(mut self, state: &ControlObject) -> Result<Salvage> {
        let store = self.destination.store.to_string();
        let note = self.folder.note().await.ok().flatten();
        let note = note.and_then(|text| serde_json::from_slice::<Note>(&text).ok());
        let Note { record, left, .. } = match note.filter(|note| note.store == store) {
            Some(note) => note,
            None => {
                let (record, left) = self.store_all().await?;
                let note = Note { store, record, left };
                let text = serde_json::to_vec(&note).unwrap_or_default();
                // Without it, an interruption while the folder is cleared leads to a second record of what was left.
                if let Err(error) = self.folder.set_note(text.into()).await {
                    warn!(error = %error.report(), "the salvage is not noted in the spool");
                }
                note
            }
        };
        let told = !(record.segments.is_empty() && record.lost.is_empty());
        if told {
            self.put_record(&record).await?;
            info!(id = %self.owner.id, generation = %self.owner.generation, "salvaged");
        }
        let committed = self.committed(state, &record).await;
        let keep = left.iter().filter_map(|file| file.name.parse().ok()).collect();
        let mut all_left = foreign(&self.folder);
        all_left.extend(left);
        let Self { folder, owner: Owner { id, generation, .. }, .. } = self;
        let name = folder.name().to_owned();
        let (freed, uncleared) = match folder.clear(&keep).await {
            Ok(freed) => (freed, None),
            Err(error) => (0, Some(error)),
        };
        Ok(Salvage {
            folder: name,
            id: Some(id),
            generation,
            record: told.then_some(record),
            committed,
            left: all_left,
            freed,
            uncleared,
        })
    }

    /// Stores all that can be stored. Gives the record, and what stays.
    async fn store_all(&self) -> Result<(SalvageRecord, Vec<Remainder>)> {
        let Owner { id, generation, prefix, worker } = &self.owner;
        let mut record = SalvageRecord {
            schema: SalvageRecord::SCHEMA,
            sid: id.sid.clone(),
            cname: id.cname.clone(),
            prefix: prefix.clone(),
            generation: *generation,
            folder: digits(self.folder.name()),
            worker: worker.clone(),
            segments: Vec::new(),
            lost: Vec::new(),
            unknown: Map::new(),
        };
        let mut left = Vec::new();
        for segment in self.folder.segments() {
            while !(self.options.may_go)() {
                self.options.clock.sleep(LOOK).await;
            }
            match self.salvage_one(segment).await? {
                Fate::Stored(segment) => record.segments.push(segment),
                Fate::Lost(lost) => record.lost.push(lost),
                Fate::Left { why, lost } => {
                    record.lost.extend(lost);
                    left.push(Remainder { name: segment.name.to_string(), why, segment: true });
                }
            }
        }
        Ok((record, left))
    }

    async fn salvage_one(&self, segment: &LeftSegment) -> Result<Fate> {
        let found = Found { name: &segment.name, facts: segment.facts.as_ref() };
        let stays = |why: String| Ok(Fate::Left { why, lost: None });
        let Some(size) = segment.bytes else { return self.without_bytes(found).await };
        if size > LARGEST {
            return stays(format!("it has {size} bytes, more than a segment can have"));
        }
        let bytes = match self.folder.read(found.name, LARGEST).await {
            Ok(bytes) => bytes,
            Err(error) => return stays(error.report()),
        };
        let worth = found.judge(&bytes);
        if !matches!(&worth, Worth::Media(Media { torn: None, .. }))
            && let Some(fate) = self.already_stored(found).await?
        {
            return Ok(fate);
        }
        match worth {
            Worth::Media(media) => self.store(found, media, &bytes).await,
            Worth::Nothing(cause) => Ok(Fate::Lost(found.lost(cause))),
            Worth::Garbage => {
                let lost = found.facts.map(|_| found.lost(LossCause::Damaged));
                Ok(Fate::Left { why: "it holds no media".to_owned(), lost })
            }
        }
    }

    /// One whose file is gone: given up by its worker, or in the store.
    async fn without_bytes(&self, found: Found<'_>) -> Result<Fate> {
        if let Some(fate) = self.already_stored(found).await? {
            return Ok(fate);
        }
        let cause = match found.facts {
            Some(SegmentFacts { dropped: Some(cause), .. }) => (*cause).into(),
            Some(SegmentFacts { sealed: None, stored: None, .. }) => LossCause::Empty,
            _ => LossCause::Missing,
        };
        Ok(Fate::Lost(found.lost(cause)))
    }

    /// Looks whether the store holds the very bytes that were sealed, though the spool does not.
    async fn already_stored(&self, found: Found<'_>) -> Result<Option<Fate>> {
        let Some(SegmentFacts { sealed: Some(sealed), stored, .. }) = found.facts else { return Ok(None) };
        let told = stored.as_ref().and_then(|name| name.parse::<ObjectName>().ok());
        for name in told.into_iter().chain(names(found.name)) {
            let Some(there) = self.get(&key(&self.owner.prefix, &name)).await? else { break };
            if (there.len() as u64, Crc64::of(&there)) == (sealed.bytes, sealed.crc64) {
                let start = found.start().unwrap_or_default();
                let media = Media { pieces: vec![there], torn: None, start, millis: sealed.millis };
                return Ok(Some(self.stored(found, &name, &media).await));
            }
        }
        Ok(None)
    }

    /// Stores media under its name, or the next free one. `file`: all the bytes that there were.
    async fn store(&self, found: Found<'_>, media: Media, file: &Bytes) -> Result<Fate> {
        let prefix = &self.owner.prefix;
        for name in names(found.name) {
            let key = key(prefix, &name);
            if self.put(&key, ObjectKind::of(&name), found.name, &media).await? == Created::Stored {
                return Ok(self.stored(found, &name, &media).await);
            }
            if media.torn.is_none() {
                continue;
            }
            // What is torn here may have been whole, and stored, before this machine lost its power.
            if let Some(there) = self.get(&key).await?.filter(|there| there.starts_with(file)) {
                let (start, millis) = found.extent_of(&there);
                let media = Media { pieces: vec![there], torn: None, start, millis };
                return Ok(self.stored(found, &name, &media).await);
            }
        }
        Err(all_taken(found.name))
    }

    /// Describes what is in the store under `name`.
    async fn stored(&self, found: Found<'_>, name: &ObjectName, media: &Media) -> Fate {
        let (mut crc64, mut sha256) = (RunningCrc64::default(), RunningSha256::default());
        for part in media.pieces.iter().flat_map(|piece| piece.chunks(PART)) {
            crc64.update(part);
            sha256.update(part);
            // A recording may run beside.
            tokio::task::yield_now().await;
        }
        let sums = (crc64.current(), sha256.current());
        Fate::Stored(found.salvaged(&self.owner.prefix, name, media, sums))
    }

    async fn put(&self, key: &str, kind: ObjectKind, file: &ObjectName, media: &Media) -> Result<Created> {
        let store = &self.destination.store;
        // A whole file can be linked into a local store.
        let path = self.folder.path_of(file).filter(|_| media.torn.is_none() && store.local_root().is_some());
        let put = || async {
            match &path {
                Some(path) => store.put_file_new(key, path, kind).await,
                None => store.put_new(key, media.pieces.clone(), kind).await,
            }
        };
        self.options.repeat(key, put).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        match self.options.repeat(key, || self.destination.store.get(key, LARGEST)).await {
            Ok(bytes) => Ok(Some(bytes)),
            // One that is larger is somebody else's.
            Err(error) if error.kind() == ErrorKind::Malformed => Ok(Some(Bytes::new())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn put_record(&self, record: &SalvageRecord) -> Result<()> {
        let register = self.destination.recordings.register(&self.owner.id.sid);
        let text = record.encode();
        for name in SalvageRecord::names(record.generation) {
            let key = register.key(&name);
            let store = &self.destination.store;
            let put = || store.put_new(&key, vec![text.clone()], ObjectKind::Control);
            if self.options.repeat(&key, put).await? == Created::Stored {
                return Ok(());
            }
        }
        let message = format!(
            "generation {} of {register} has no place for another record of a salvage",
            record.generation
        );
        Err(Error::new(ErrorKind::Conflict, message))
    }

    /// Which of the record's segments their worker had committed; `None` where its seal cannot be had.
    async fn committed(&self, state: &ControlObject, record: &SalvageRecord) -> Option<Vec<bool>> {
        let generation = self.owner.generation;
        let sealed = state.seals.iter().find(|seal| seal.generation == generation);
        let outputs = match sealed.filter(|_| generation < state.generation) {
            Some(name) => self.destination.recordings.seal(name).await.ok()?.outputs,
            None => state.outputs.clone(),
        };
        let committed = |segment: &SalvagedSegment| {
            let output = outputs.iter().find(|output| output.playlist == segment.playlist);
            output.is_some_and(|output| segment.segment.is_some_and(|place| place < output.segments))
        };
        Some(record.segments.iter().map(committed).collect())
    }
}

/// The 8 hex digits in the name of a folder; of one that somebody has named otherwise, its checksum's.
fn digits(folder: &str) -> String {
    let is_digits = |end: &str| end.len() == 8 && end.bytes().all(|byte| byte.is_ascii_hexdigit());
    let end = folder.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).filter(|end| is_digits(end));
    end.unwrap_or_else(|| Sha256::of(folder.as_bytes()).to_string().chars().take(8).collect())
}
