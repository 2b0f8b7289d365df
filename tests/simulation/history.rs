//! What happened: every request, every time one was carried out, every answer, and what was done to the
//! workers and heard of them. The invariants are checked on it, and it is printed as the trace of a seed.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use tapeline::ErrorKind;
use tapeline::checksum::{Crc64, RunningCrc64};
use tapeline::continuity::{ControlObject, SalvageRecord, Seal};
use tapeline::recorder::{Event, Summary};
use tapeline::spool::{LeftSegment, SegmentFacts};

use super::network::{Answer, Mode, Operation, Outcome, Refusal};
use super::scenario::{Launch, Order, Reach};
use super::weather::Kind;

/// Simulated time since the begin of the history.
pub type Millis = u64;
pub type RequestId = usize;

/// In the place of a worker: objects that are none of ours.
pub const STRANGER: usize = usize::MAX;

/// Whether a request is carried out for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copy {
    First,
    Late,
}

#[derive(Debug, Clone)]
pub enum What {
    Launched {
        launch: Launch,
        host: usize,
    },
    Ordered(Order),
    Paused {
        millis: Millis,
        suspended: bool,
    },
    Woken,
    Crashed,
    /// The worker's process, or machine, has gone down with all that ran there. So many bytes are left.
    WentDown {
        host: usize,
        reach: Reach,
        bytes: u64,
    },
    /// A folder of the spool, of the worker that has just run.
    FolderMade {
        name: String,
    },
    FolderGone {
        name: String,
    },
    /// Somebody tried to open a folder: what lies in it, or `None` where it was held.
    Tried {
        name: String,
        left: Option<Vec<LeftSegment>>,
    },
    /// Who salvages has opened a folder.
    Visiting {
        name: String,
    },
    Visited {
        name: String,
        visit: Visit,
    },
    /// The worker's room, or that which it shares, has more bytes than it may.
    Overdrawn {
        bytes: u64,
    },
    /// The room that all workers of a host share has counted so many bytes, and so many are there.
    Miscounted {
        counted: u64,
        there: u64,
    },
    /// Folders that are left on a host in the end.
    HostLeft {
        host: usize,
        folders: usize,
    },
    /// Bytes in the worker's room when it has ended; `None` where it shares one.
    RoomLeft {
        bytes: Option<u64>,
    },
    ClockStepped {
        millis: i64,
    },
    /// Its media clock jumps, and its wall clock goes back to when it began.
    Jumped,
    Planted {
        key: String,
        body: Bytes,
    },
    Issued {
        id: RequestId,
    },
    Fated {
        id: RequestId,
        kind: Kind,
    },
    Applied {
        id: RequestId,
        copy: Copy,
        done: Result<(), Refusal>,
    },
    Answered {
        id: RequestId,
        said: Result<(), Refusal>,
    },
    /// The recorder was given out.
    Held {
        generation: u8,
    },
    Told(Event),
    /// It is no more.
    LetGo,
    /// The worker has nothing more to do.
    Ended(Ended),
}

/// How a worker ended.
#[derive(Debug, Clone)]
pub enum Ended {
    /// The recording was left as ordered; the summary of a stop from outside is empty.
    Well(Option<Summary>),
    /// It never held the recording.
    NotBegun(ErrorKind, String),
    /// It held it.
    Failed(ErrorKind, String),
    /// It has visited all folders.
    Salvaged,
}

/// What came of a folder that was to be salvaged.
#[derive(Debug, Clone)]
pub enum Visit {
    Salvaged,
    Held,
    Gone,
    Failed(ErrorKind, String),
}

#[derive(Debug, Clone)]
pub struct Record {
    pub at: Millis,
    /// Its place in the order in which things were done: the times of workers are apart by moments.
    pub order: usize,
    pub worker: usize,
    pub what: What,
}

#[derive(Debug)]
pub struct Request {
    pub at: Millis,
    pub order: usize,
    pub worker: usize,
    pub operation: Operation,
}

#[derive(Debug, Default)]
pub struct History {
    pub records: Vec<Record>,
    pub requests: Vec<Request>,
    pub fates: BTreeMap<Kind, u64>,
}

impl History {
    pub fn note(&mut self, at: Millis, worker: usize, what: What) {
        self.records.push(Record { at, order: self.records.len(), worker, what });
    }

    pub fn issued(&mut self, at: Millis, worker: usize, operation: &Operation) -> RequestId {
        let id = self.requests.len();
        self.requests.push(Request { at, order: self.records.len(), worker, operation: operation.clone() });
        self.note(at, worker, What::Issued { id });
        id
    }

    pub fn applied(&mut self, at: Millis, worker: usize, id: RequestId, copy: Copy, outcome: &Outcome) {
        let done = outcome.as_ref().map(|_: &Answer| ()).map_err(|refusal| *refusal);
        self.note(at, worker, What::Applied { id, copy, done });
    }

    pub fn answered(&mut self, at: Millis, worker: usize, id: RequestId, outcome: &Outcome) {
        let said = outcome.as_ref().map(|_: &Answer| ()).map_err(|refusal| *refusal);
        self.note(at, worker, What::Answered { id, said });
    }

    /// Workers run ahead of each other by moments; this is the order in which things were.
    pub fn sort(&mut self) {
        self.records.sort_by_key(|record| record.at);
    }

    /// Names a history: the same in every process and on every machine, whose names stand in some bodies.
    pub fn hash(&self) -> Crc64 {
        let mut hash = RunningCrc64::default();
        for index in 0..self.records.len() {
            hash.update(self.line(index).as_bytes());
        }
        hash.current()
    }

    pub fn line(&self, index: usize) -> String {
        let Record { at, worker, what, .. } = &self.records[index];
        let who = if *worker == STRANGER { "stranger".to_owned() } else { format!("w{worker}") };
        let (seconds, millis) = (at / 1000, at % 1000);
        format!("{seconds:4}.{millis:03} {who:>3} {}\n", Line { history: self, what })
    }

    /// What was said in words; the names of this machine and process stand in it.
    pub fn words(&self, index: usize) -> Option<&str> {
        match &self.records[index].what {
            What::Told(Event::Failed { error, .. } | Event::Retrying { error, .. }) => Some(error),
            What::Told(Event::SalvageFailed { error, .. }) => Some(error),
            What::Ended(Ended::NotBegun(_, why) | Ended::Failed(_, why)) => Some(why),
            What::Visited { visit: Visit::Failed(_, why), .. } => Some(why),
            _ => None,
        }
    }
}

struct Line<'a> {
    history: &'a History,
    what: &'a What,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = |id: &RequestId| &self.history.requests[*id].operation;
        match self.what {
            What::Launched { launch, host } => write!(f, "is launched on host {host}: {launch:?}"),
            What::Ordered(order) => write!(f, "is told: {order:?}"),
            What::Paused { millis, suspended: true } => {
                write!(f, "is suspended with its machine, {millis} ms")
            }
            What::Paused { millis, suspended: false } => write!(f, "is paused, {millis} ms"),
            What::Woken => f.write_str("wakes up"),
            What::Crashed => f.write_str("crashes"),
            What::WentDown { host, reach, bytes } => {
                write!(f, "takes the {reach:?} of host {host} down; {bytes} bytes are left there")
            }
            What::FolderMade { name } => write!(f, "makes the folder {name}"),
            What::FolderGone { name } => write!(f, "removes the folder {name}"),
            What::Tried { name, left: None } => write!(f, "cannot open {name}, for it is held"),
            What::Tried { name, left: Some(left) } => {
                write!(f, "can open {name}:")?;
                left.iter().try_for_each(|segment| {
                    let facts = segment.facts.as_ref();
                    let is = match facts {
                        Some(SegmentFacts { dropped: Some(_), .. }) => "given up",
                        Some(SegmentFacts { stored: Some(_), .. }) => "stored",
                        Some(SegmentFacts { sealed: Some(_), .. }) => "sealed",
                        _ => "open",
                    };
                    write!(f, " {} ({is})", segment.name)
                })
            }
            What::Visiting { name } => write!(f, "begins to salvage {name}"),
            What::Visited { name, visit } => write!(f, "is through with {name}: {visit}"),
            What::Overdrawn { bytes } => write!(f, "has overdrawn its room: {bytes} bytes"),
            What::Miscounted { counted, there } => {
                write!(f, "has counted {counted} bytes in its host's room, and {there} are there")
            }
            What::HostLeft { host, folders } => write!(f, "finds {folders} folders on host {host}"),
            What::RoomLeft { bytes } => write!(f, "leaves its room with {bytes:?} bytes"),
            What::ClockStepped { millis } => write!(f, "has its wall clock set by {millis} ms"),
            What::Jumped => f.write_str("has its media clock jump, and its wall clock set back"),
            What::Planted { key, body } => write!(f, "puts {key}, {} bytes", body.len()),
            What::Issued { id } => write!(f, "#{id} -> {}", Asked(operation(id))),
            What::Fated { id, kind } => write!(f, "#{id}    ({kind:?})"),
            What::Applied { id, copy, done } => {
                let again = if *copy == Copy::Late { "late copy " } else { "" };
                write!(f, "#{id}  * {again}{}: {done:?}", Asked(operation(id)))
            }
            What::Answered { id, said } => write!(f, "#{id} <- {said:?}"),
            What::LetGo => f.write_str("lets go"),
            What::Held { generation } => write!(f, "HOLDS generation {generation}"),
            What::Told(event) => write!(f, "tells {}", Telling(event)),
            What::Ended(Ended::Well(None) | Ended::Salvaged) => f.write_str("ENDS well"),
            What::Ended(Ended::Well(Some(summary))) => {
                write!(f, "ENDS well:")?;
                summary.outputs.iter().try_for_each(|output| {
                    let (segments, gaps) = (output.account.segments, output.account.gaps);
                    write!(f, " {segments}+{gaps}/{}/{}", output.listed, output.complete)
                })
            }
            // Messages name this machine and process.
            What::Ended(Ended::NotBegun(kind, _)) => write!(f, "ENDS without having begun: {kind:?}"),
            What::Ended(Ended::Failed(kind, _)) => write!(f, "ENDS: {kind:?}"),
        }
    }
}

impl fmt::Display for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Salvaged => f.write_str("salvaged"),
            Self::Held => f.write_str("held"),
            Self::Gone => f.write_str("gone"),
            Self::Failed(kind, _) => write!(f, "{kind:?}"),
        }
    }
}

struct Asked<'a>(&'a Operation);

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Operation::Get { key } => write!(f, "GET {key}"),
            Operation::List { folder } => write!(f, "LIST {folder}"),
            Operation::Delete { key } => write!(f, "DELETE {key}"),
            Operation::Put { key, mode, body } => {
                let mode = match mode {
                    Mode::Create => "new".to_owned(),
                    // A tag that is made of the body says what this process is called.
                    Mode::Update(_) if key.starts_with(".tapeline/") => "if unchanged".to_owned(),
                    Mode::Update(etag) => format!("if {etag}"),
                    Mode::Overwrite => "over".to_owned(),
                };
                write!(f, "PUT {key} ({mode}): {}", Body(body))
            }
        }
    }
}

struct Body<'a>(&'a Bytes);

impl fmt::Display for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Ok(state) = ControlObject::decode(self.0) {
            let ControlObject { epoch, counter, generation, phase, .. } = &state;
            write!(f, "{phase} e{epoch} c{counter} g{generation}")?;
            return state.outputs.iter().try_for_each(|output| {
                write!(f, " {}(tail {}, gaps {})", output.segments, output.tail.len(), output.gaps)
            });
        }
        if let Ok(seal) = Seal::decode(self.0) {
            let Seal { epoch, counter, generation, .. } = &seal;
            write!(f, "seal e{epoch} c{counter} g{generation}")?;
            return seal.outputs.iter().try_for_each(|output| write!(f, " {}", output.segments));
        }
        // The names of this machine and process stand in it.
        if let Ok(record) = SalvageRecord::decode(self.0) {
            let SalvageRecord { folder, generation, segments, lost, .. } = &record;
            return write!(f, "record of {folder} g{generation}: {} and {} lost", segments.len(), lost.len());
        }
        if self.0.starts_with(b"#EXTM3U") {
            let text = String::from_utf8_lossy(self.0);
            let entries = text.lines().filter(|line| line.starts_with("#EXTINF")).count();
            let ended = if text.ends_with("#EXT-X-ENDLIST\n") { " and its end" } else { "" };
            return write!(f, "playlist of {entries}{ended}");
        }
        write!(f, "{} bytes, {}", self.0.len(), Crc64::of(self.0))
    }
}

struct Telling<'a>(&'a Event);

impl fmt::Display for Telling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Event::SegmentOpened { playlist, segment, date, .. } => {
                write!(f, "opened {segment} of {playlist} at {date}")
            }
            Event::SegmentStored { name, .. } => write!(f, "stored {name}"),
            Event::SegmentCommitted { playlist, segments } => write!(f, "committed {segments} of {playlist}"),
            Event::SegmentListed { playlist, segments, ended } => {
                write!(f, "listed {segments} of {playlist}{}", if *ended { " and its end" } else { "" })
            }
            Event::Retrying { key, pause_millis, .. } => write!(f, "retrying {key} in {pause_millis} ms"),
            Event::Failed { kind, .. } => write!(f, "failed: {kind}"),
            Event::SalvageFailed { folder, kind, .. } => write!(f, "cannot salvage {folder}: {kind}"),
            event => write!(f, "{event:?}"),
        }
    }
}
