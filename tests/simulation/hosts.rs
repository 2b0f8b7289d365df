//! The machines that workers run on. A machine's spool lies in its memory: it outlives the recorders and the
//! processes there, and goes with the machine.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::FutureExt as _;
use tapeline::clock::SystemClock;
use tapeline::spool::{Fact, Left, LeftFolder, LeftSegment, Room, SpoolBase, SpoolFile, SpoolFolder};
use tapeline::spool::{SegmentFacts, WorkerRecord};

use super::history::What;

#[derive(Debug)]
pub struct Host {
    base: SpoolBase,
    /// What all recordings of its process together may have in the spool, where they share an account.
    limit: Option<u64>,
    room: Room,
    /// The folders in the spool, as they were seen last.
    folders: BTreeSet<String>,
    /// The most that was noted to be in the shared account.
    noted: u64,
    /// What dead workers left, as it was before anybody salvaged it.
    copies: BTreeMap<String, Copied>,
}

/// A folder as a dead worker left it.
#[derive(Debug)]
struct Copied {
    worker: Option<WorkerRecord>,
    files: Vec<(LeftSegment, Option<Bytes>)>,
}

impl Host {
    pub fn new(limit: Option<u64>) -> Self {
        let (room, folders) = (Room::new(limit.unwrap_or(u64::MAX)), BTreeSet::new());
        Self { base: SpoolBase::memory(), limit, room, folders, noted: 0, copies: BTreeMap::new() }
    }

    pub fn base(&self) -> &SpoolBase {
        &self.base
    }

    /// The account for a worker that is launched.
    pub fn room(&self) -> Room {
        if self.limit.is_some() { self.room.clone() } else { Room::new(u64::MAX) }
    }

    /// Its process begins anew, with an account of what lies in the spool. Gives how much that is.
    pub fn restart(&mut self) -> u64 {
        self.room = now(self.base.room(self.limit.unwrap_or(u64::MAX)));
        self.noted = self.room.used();
        self.noted
    }

    /// The machine is gone, and what was in its memory.
    pub fn lose(&mut self) {
        *self = Self::new(self.limit);
    }

    /// What has changed since the last look.
    pub fn look(&mut self) -> Vec<What> {
        let folders = self.folders_now();
        let mut seen = Vec::new();
        let name = String::clone;
        seen.extend(self.folders.difference(&folders).map(name).map(|name| What::FolderGone { name }));
        seen.extend(folders.difference(&self.folders).map(name).map(|name| What::FolderMade { name }));
        self.folders = folders;
        let bytes = self.room.used();
        if self.limit.is_some_and(|limit| bytes > limit.max(self.noted)) {
            self.noted = bytes;
            seen.push(What::Overdrawn { bytes });
        }
        if let Some((counted, there)) = self.shared()
            && counted != there
        {
            seen.push(What::Miscounted { counted, there });
        }
        seen
    }

    fn folders_now(&self) -> BTreeSet<String> {
        now(self.base.folders()).expect("memory serves").into_iter().collect()
    }

    /// Folders in the spool.
    pub fn folders(&self) -> &BTreeSet<String> {
        &self.folders
    }

    /// Opens a folder, as salvage would; gives what lies in it, and `None` where it is held.
    pub fn open(&mut self, name: &str) -> Option<Vec<LeftSegment>> {
        let Left::Open(folder) = now(LeftFolder::open(&self.base, name)).expect("memory serves") else {
            return None;
        };
        let file = |segment: &LeftSegment| {
            let bytes = segment.bytes.map(|len| now(folder.read(&segment.name, len)).expect("memory serves"));
            (segment.clone(), bytes)
        };
        let files = folder.segments().iter().map(file).collect();
        let worker = folder.worker().ok().cloned();
        self.copies.insert(name.to_owned(), Copied { worker, files });
        Some(folder.segments().to_vec())
    }

    /// Puts back what dead workers left, as from a backup: nothing is new to whoever has salvaged it. Gives whether
    /// there is anything.
    pub fn put_back(&mut self) -> bool {
        let copies = std::mem::take(&mut self.copies).into_iter();
        let copies: Vec<_> = copies.filter(|(_, copied)| !copied.files.is_empty()).collect();
        for (name, Copied { worker, files }) in &copies {
            let Some(worker) = worker else { continue };
            let random = name.rsplit_once('.').and_then(|(_, hex)| u32::from_str_radix(hex, 16).ok());
            let random = random.expect("a recorder's folder").to_be_bytes();
            let made = now(SpoolFolder::create(&self.base, &worker.sid, random, self.room.clone()));
            let folder = made.expect("memory serves");
            now(folder.introduce(worker)).expect("memory serves");
            files.iter().for_each(|(segment, bytes)| put_back(&folder, segment, bytes.clone()));
        }
        // Nobody has made them.
        self.folders = self.folders_now();
        self.noted = self.room.used();
        !copies.is_empty()
    }

    /// Bytes in the shared account, and those that are there, where there is one.
    pub fn shared(&self) -> Option<(u64, u64)> {
        self.limit.map(|_| (self.room.used(), now(self.base.used())))
    }
}

fn put_back(folder: &SpoolFolder, segment: &LeftSegment, bytes: Option<Bytes>) {
    let SegmentFacts { opened, sealed, stored, dropped } =
        segment.facts.clone().expect("memory tears nothing");
    // Nothing waits for it.
    let clock = SystemClock::shared();
    let file = SpoolFile::create(folder, &segment.name.to_string(), Some(opened), clock);
    let file = file.expect("its name is free");
    file.append(bytes.unwrap_or_default());
    if let Some(sealed) = sealed {
        file.seal(sealed);
    }
    if let Some(fact) = stored.map(Fact::Stored).or(dropped.map(Fact::Dropped)) {
        now(file.drop_bytes(fact));
    }
}

/// What is ready at once: memory makes nobody wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory makes nobody wait")
}
