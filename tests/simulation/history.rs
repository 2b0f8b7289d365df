//! What happened: every request, every time one was carried out, every answer, and what was done to the
//! workers and heard of them. The invariants are checked on it, and it is printed as the trace of a seed.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use tapeline::ErrorKind;
use tapeline::checksum::{Crc64, RunningCrc64};
use tapeline::continuity::{ControlObject, Seal};
use tapeline::recorder::{Event, Summary};

use super::network::{Answer, Mode, Operation, Outcome, Refusal};
use super::scenario::{Launch, Order};
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
    Launched(Launch),
    Ordered(Order),
    Paused {
        millis: Millis,
        suspended: bool,
    },
    Woken,
    Crashed,
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
}

#[derive(Debug, Clone)]
pub struct Record {
    pub at: Millis,
    pub worker: usize,
    pub what: What,
}

#[derive(Debug)]
pub struct Request {
    pub at: Millis,
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
        self.records.push(Record { at, worker, what });
    }

    pub fn issued(&mut self, at: Millis, worker: usize, operation: &Operation) -> RequestId {
        let id = self.requests.len();
        self.requests.push(Request { at, worker, operation: operation.clone() });
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
        let Record { at, worker, what } = &self.records[index];
        let who = if *worker == STRANGER { "stranger".to_owned() } else { format!("w{worker}") };
        let (seconds, millis) = (at / 1000, at % 1000);
        format!("{seconds:4}.{millis:03} {who:>3} {}\n", Line { history: self, what })
    }

    /// What was said in words; the names of this machine and process stand in it.
    pub fn words(&self, index: usize) -> Option<&str> {
        match &self.records[index].what {
            What::Told(Event::Failed { error, .. } | Event::Retrying { error, .. }) => Some(error),
            What::Ended(Ended::NotBegun(_, why) | Ended::Failed(_, why)) => Some(why),
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
            What::Launched(launch) => write!(f, "is launched: {launch:?}"),
            What::Ordered(order) => write!(f, "is told: {order:?}"),
            What::Paused { millis, suspended: true } => {
                write!(f, "is suspended with its machine, {millis} ms")
            }
            What::Paused { millis, suspended: false } => write!(f, "is paused, {millis} ms"),
            What::Woken => f.write_str("wakes up"),
            What::Crashed => f.write_str("crashes"),
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
            What::Held { generation } => write!(f, "HOLDS generation {generation}"),
            What::Told(event) => write!(f, "tells {}", Telling(event)),
            What::Ended(Ended::Well(None)) => f.write_str("ENDS well"),
            What::Ended(Ended::Well(Some(summary))) => {
                write!(f, "ENDS well:")?;
                summary.outputs.iter().try_for_each(|output| {
                    let (segments, listed) = (output.account.segments, output.listed);
                    write!(f, " {segments}/{listed}/{}", output.complete)
                })
            }
            // Messages name this machine and process.
            What::Ended(Ended::NotBegun(kind, _)) => write!(f, "ENDS without having begun: {kind:?}"),
            What::Ended(Ended::Failed(kind, _)) => write!(f, "ENDS: {kind:?}"),
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
            return state
                .outputs
                .iter()
                .try_for_each(|output| write!(f, " {}(tail {})", output.segments, output.tail.len()));
        }
        if let Ok(seal) = Seal::decode(self.0) {
            let Seal { epoch, counter, generation, .. } = &seal;
            write!(f, "seal e{epoch} c{counter} g{generation}")?;
            return seal.outputs.iter().try_for_each(|output| write!(f, " {}", output.segments));
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
            event => write!(f, "{event:?}"),
        }
    }
}
