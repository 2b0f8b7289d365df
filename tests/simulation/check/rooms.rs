//! I9 of spools: how many bytes lie in them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::history::{Ended, Record, What};
use super::super::scenario::{Reach, Setting};
use super::Check;

/// The packets of a chunk, at most, with all that belongs to its segment.
const CHUNK: u64 = 6 * 188;
/// What is known of a segment.
const FACTS: u64 = 600;
/// What one write may add before the recorder looks whether there is room: a chunk is six packets at most, as many
/// may have waited in the slicer for the one that ends them, and a segment that begins has two more.
const WRITE: u64 = (2 * 6 + 2) * 188;
/// The text of a playlist: its begin, and each entry. It grows when something is committed, and never shrinks.
const HEADER: u64 = 256;
const ENTRY: u64 = 256;

/// The accounts of bytes in spools.
#[derive(Debug)]
pub struct Rooms {
    outputs: u64,
    limit: u64,
    shares: bool,
    /// An input that waits is written to the end when it is stopped, whether there is room or not, and before that as far as
    /// its open segments reach, where nothing else of the recording is there to make room.
    waits: bool,
    /// The most that a segment can have.
    segment: u64,
    stopped: BTreeSet<usize>,
    hosts: BTreeMap<usize, usize>,
    /// Workers whose bytes count in each host's room, and what was there when it was made.
    rooms: BTreeMap<usize, (BTreeSet<usize>, u64)>,
    ended_well: BTreeSet<usize>,
}

impl Rooms {
    pub fn new(setting: &Setting) -> Self {
        Self {
            outputs: setting.outputs.len() as u64,
            limit: setting.room_limit.unwrap_or(setting.spool_limit),
            shares: setting.room_limit.is_some(),
            waits: setting.waits(),
            segment: setting.chunks_of_a_segment() * CHUNK,
            stopped: BTreeSet::new(),
            hosts: BTreeMap::new(),
            rooms: BTreeMap::new(),
            ended_well: BTreeSet::new(),
        }
    }
}

impl Rooms {
    /// Whether a recorder may have to give all up for what others have in its room.
    pub fn may_be_filled_by_others(&self) -> bool {
        self.shares && !self.waits
    }
}

impl Check<'_> {
    /// What concerns spools.
    pub(super) fn spool(&mut self, record: &Record) {
        let Record { at, worker, order, what } = record;
        match what {
            What::Launched { host, .. } => {
                self.rooms.hosts.insert(*worker, *host);
                self.rooms.rooms.entry(*host).or_default().0.insert(*worker);
            }
            What::Ordered(_) => {
                self.rooms.stopped.insert(*worker);
            }
            What::Ended(Ended::Well(_)) => {
                self.rooms.ended_well.insert(*worker);
            }
            What::WentDown { host, bytes, reach } => {
                if *reach == Reach::Machine {
                    self.left_is_lost(*host);
                }
                let room = self.rooms.rooms.insert(*host, (BTreeSet::new(), *bytes));
                let alive = |worker: &usize| !self.folders.was_gone(*worker, *order);
                if room.is_some_and(|(workers, _)| workers.iter().any(alive)) {
                    self.wrong(*at, format!("a worker outlives host {host}"));
                }
            }
            What::FolderGone { name } => self.folder_is_gone(record, name),
            What::Tried { name, left } => {
                self.folder_was_tried(record, name, left.is_none());
                if let Some(left) = left {
                    self.was_left(name, left);
                }
            }
            What::Visited { name, visit } => self.visited(record, name, visit),
            What::Overdrawn { bytes } => {
                let most = self.most_in_room(*worker);
                if *bytes > most {
                    let limit = self.rooms.limit;
                    self.wrong(
                        *at,
                        format!("I9: {bytes} bytes in the room of w{worker}, not {limit} ({most})"),
                    );
                }
            }
            What::RoomLeft { bytes } => {
                let well = self.rooms.ended_well.contains(worker);
                if well && bytes.is_some_and(|bytes| bytes != 0) {
                    self.wrong(
                        *at,
                        format!("I9: w{worker} ended well and left its room with {bytes:?} bytes"),
                    );
                }
            }
            What::Miscounted { counted, there } => {
                self.wrong(
                    *at,
                    format!("I9: {counted} bytes count on the host of w{worker}, {there} are there"),
                );
            }
            What::HostLeft { host, folders } if *folders > 0 => {
                self.wrong(*at, format!("I9: {folders} folders are left on host {host}"));
            }
            _ => {}
        }
    }

    /// How many bytes may be in a worker's room: its limit, what a write may add of every recorder before it looks,
    /// the open segments of an input that waits, and the texts of playlists, which are not given up for lack of room.
    fn most_in_room(&self, worker: usize) -> u64 {
        let Rooms { outputs, limit, shares, waits, segment, stopped, hosts, rooms, .. } = &self.rooms;
        let own = (BTreeSet::from([worker]), 0);
        let room = hosts.get(&worker).and_then(|host| rooms.get(host)).filter(|_| *shares);
        let (workers, before) = room.unwrap_or(&own);
        let add = workers.iter().map(|worker| {
            let writes = if *waits && stopped.contains(worker) { 1 + outputs } else { 1 };
            let open = if *waits { outputs * (segment + FACTS) } else { 0 };
            writes * WRITE + open + outputs * HEADER + self.entries_ready(*worker) * ENTRY
        });
        (*limit).max(*before).saturating_add(add.sum())
    }
}
