//! The store, and the way there: requests come in, and each gets a time at which it is carried out, or none,
//! or several, and a time at which its answer arrives, or none. Neither asks whether the worker that sent it
//! still lives: what was sent may arrive long after its sender is gone.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use object_store::Error as StoreError;
use tapeline::checksum::Crc64;
use tokio::sync::oneshot;

use super::history::{Copy, History, Millis, RequestId, What};
use super::random::Random;
use super::weather::{Answering, Fate, Nature, Trouble, Weather};

/// What is asked of the store.
#[derive(Debug, Clone)]
pub enum Operation {
    Put { key: String, mode: Mode, body: Bytes },
    Get { key: String },
    List { folder: String },
    Delete { key: String },
}

/// On what condition an object is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    Create,
    Update(String),
    Overwrite,
}

/// What the store answers when it serves.
#[derive(Debug, Clone)]
pub enum Answer {
    Stored { etag: String },
    Found { body: Bytes, etag: String },
    Listed { objects: Vec<(String, u64, String)>, folders: Vec<String> },
    Deleted,
}

/// What it says when it does not do as it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    NotFound,
    AlreadyExists,
    Precondition,
    NotImplemented,
    Trouble(Trouble),
}

pub type Outcome = Result<Answer, Refusal>;

/// A request as a worker hands it over.
#[derive(Debug)]
pub struct Issue {
    pub at: Millis,
    pub operation: Operation,
    pub reply: oneshot::Sender<Outcome>,
}

#[derive(Debug)]
struct Pending {
    worker: usize,
    operation: Operation,
    reply: Option<oneshot::Sender<Outcome>>,
    answering: Answering,
    /// What came of carrying it out the first time.
    outcome: Option<Outcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Apply(RequestId, Copy),
    Answer(RequestId),
}

#[derive(Debug, Clone)]
pub struct Object {
    pub body: Bytes,
    pub etag: String,
}

#[derive(Debug)]
pub struct Network {
    weather: Weather,
    random: Random,
    /// Conditional updates are offered.
    updates: bool,
    /// Equal bytes have equal tags, as in S3.
    tags_by_content: bool,
    objects: BTreeMap<String, Object>,
    writes: u64,
    events: BTreeMap<(Millis, u64), Event>,
    scheduled: u64,
    pending: BTreeMap<RequestId, Pending>,
    /// Answers that have come to workers that do not listen.
    held: BTreeMap<(Millis, u64), (usize, RequestId)>,
    /// When the next answers to each worker arrive.
    answers: BTreeMap<usize, BTreeMap<(Millis, u64), RequestId>>,
}

impl Network {
    pub fn new(weather: Weather, random: Random, updates: bool, tags_by_content: bool) -> Self {
        Self {
            weather,
            random,
            updates,
            tags_by_content,
            objects: BTreeMap::new(),
            writes: 0,
            events: BTreeMap::new(),
            scheduled: 0,
            held: BTreeMap::new(),
            pending: BTreeMap::new(),
            answers: BTreeMap::new(),
        }
    }

    /// What lies in the store.
    pub fn object(&self, key: &str) -> Option<&Object> {
        self.objects.get(key)
    }

    /// All that lies there.
    pub fn into_objects(self) -> BTreeMap<String, Bytes> {
        self.objects.into_iter().map(|(key, object)| (key, object.body)).collect()
    }

    /// Puts an object there behind everybody's back; false where the key is taken.
    pub fn plant(&mut self, key: &str, body: Bytes) -> bool {
        let free = !self.objects.contains_key(key);
        if free {
            self.set(key, body);
        }
        free
    }

    /// Takes a request on its way.
    pub fn issue(&mut self, worker: usize, issue: Issue, history: &mut History) {
        let id = history.issued(issue.at, worker, &issue.operation);
        let Fate { kind, apply, copy, answer, answering } =
            self.weather.fate(issue.at, worker, nature(&issue.operation), &mut self.random);
        history.fates.entry(kind).and_modify(|count| *count += 1).or_insert(1);
        history.note(issue.at, worker, What::Fated { id, kind });
        let pending = Pending {
            worker,
            operation: issue.operation,
            reply: Some(issue.reply),
            answering,
            outcome: None,
        };
        self.pending.insert(id, pending);
        if let Some(at) = apply {
            self.schedule(at, Event::Apply(id, Copy::First));
        }
        if let Some(at) = copy {
            self.schedule(at, Event::Apply(id, Copy::Late));
        }
        if let Some(at) = answer {
            let place = self.schedule(at, Event::Answer(id));
            self.answers.entry(worker).or_default().insert(place, id);
        }
    }

    fn schedule(&mut self, at: Millis, event: Event) -> (Millis, u64) {
        self.scheduled += 1;
        self.events.insert((at, self.scheduled), event);
        (at, self.scheduled)
    }

    /// When something happens next.
    pub fn next(&self) -> Option<Millis> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    /// When the next answer to a worker arrives.
    pub fn next_answer(&self, worker: usize) -> Option<Millis> {
        self.answers.get(&worker)?.keys().next().map(|(at, _)| *at)
    }

    /// Lets everything happen up to a time. Answers to workers that do not `listen` wait.
    pub fn run(&mut self, until: Millis, listens: impl Fn(usize) -> bool, history: &mut History) {
        let heard = self.held.extract_if(.., |_, (worker, _)| listens(*worker)).collect::<Vec<_>>();
        for (place, (_, id)) in heard {
            self.answer(until, place, id, history);
        }
        while let Some((&place, &event)) = self.events.range(..=(until, u64::MAX)).next() {
            self.events.remove(&place);
            match event {
                Event::Apply(id, copy) => self.apply(place.0, id, copy, history),
                Event::Answer(id) => match self.pending.get(&id) {
                    Some(pending) if !listens(pending.worker) => {
                        self.held.insert(place, (pending.worker, id));
                    }
                    _ => self.answer(place.0, place, id, history),
                },
            }
        }
    }

    /// Nothing reaches a worker any more.
    pub fn forget(&mut self, worker: usize) {
        for (place, id) in self.answers.remove(&worker).unwrap_or_default() {
            self.events.remove(&place);
            self.held.remove(&place);
            if let Some(pending) = self.pending.get_mut(&id) {
                pending.reply = None;
            }
        }
    }

    fn apply(&mut self, at: Millis, id: RequestId, copy: Copy, history: &mut History) {
        let Some(pending) = self.pending.get(&id) else { return };
        let (worker, operation) = (pending.worker, pending.operation.clone());
        let outcome = self.carry_out(operation);
        history.applied(at, worker, id, copy, &outcome);
        let pending = self.pending.get_mut(&id).expect("it was there");
        if copy == Copy::First {
            pending.outcome = Some(outcome);
        }
    }

    fn answer(&mut self, at: Millis, place: (Millis, u64), id: RequestId, history: &mut History) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        if let Some(answers) = self.answers.get_mut(&pending.worker) {
            answers.remove(&place);
        }
        let outcome = match (pending.answering, &pending.outcome) {
            (Answering::Say(refusal), _) => Err(refusal),
            (Answering::Truth, Some(outcome)) => outcome.clone(),
            (Answering::Truth, None) => unreachable!("answered before it was carried out"),
        };
        history.answered(at, pending.worker, id, &outcome);
        if let Some(reply) = pending.reply.take() {
            // Whoever has given up waiting does not hear it.
            let _ = reply.send(outcome);
        }
    }

    fn carry_out(&mut self, operation: Operation) -> Outcome {
        match operation {
            Operation::Put { mode: Mode::Update(_), .. } if !self.updates => Err(Refusal::NotImplemented),
            Operation::Put { key, mode, body } => {
                let held = self.objects.get(&key).map(|object| object.etag.as_str());
                match (&mode, held) {
                    (Mode::Create, Some(_)) => Err(Refusal::AlreadyExists),
                    (Mode::Update(expected), held) if held != Some(expected) => Err(Refusal::Precondition),
                    _ => Ok(Answer::Stored { etag: self.set(&key, body) }),
                }
            }
            Operation::Get { key } => match self.objects.get(&key) {
                Some(object) => Ok(Answer::Found { body: object.body.clone(), etag: object.etag.clone() }),
                None => Err(Refusal::NotFound),
            },
            Operation::List { folder } => Ok(self.list(&folder)),
            Operation::Delete { key } => {
                self.objects.remove(&key);
                Ok(Answer::Deleted)
            }
        }
    }

    fn set(&mut self, key: &str, body: Bytes) -> String {
        self.writes += 1;
        let etag =
            if self.tags_by_content { Crc64::of(&body).to_string() } else { format!("v{}", self.writes) };
        self.objects.insert(key.to_owned(), Object { body, etag: etag.clone() });
        etag
    }

    fn list(&self, folder: &str) -> Answer {
        let begin = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let (mut objects, mut folders) = (Vec::new(), Vec::<String>::new());
        for (key, object) in self.objects.range(begin.clone()..) {
            let Some(rest) = key.strip_prefix(&begin) else { break };
            match rest.split_once('/') {
                None => objects.push((key.clone(), object.body.len() as u64, object.etag.clone())),
                Some((name, _)) => {
                    let name = format!("{begin}{name}");
                    if folders.last() != Some(&name) {
                        folders.push(name);
                    }
                }
            }
        }
        Answer::Listed { objects, folders }
    }
}

fn nature(operation: &Operation) -> Nature {
    let (key, mode) = match operation {
        Operation::Put { key, mode, .. } => (key, Some(mode)),
        Operation::Get { key } | Operation::Delete { key } => (key, None),
        Operation::List { folder } => (folder, None),
    };
    Nature {
        writes: mode.is_some(),
        conditional: mode.is_some_and(|mode| *mode != Mode::Overwrite),
        control: key.starts_with(".tapeline/recordings"),
        playlist: key.ends_with(".m3u8"),
    }
}

impl Refusal {
    /// As the client of a real store would put it.
    pub fn into_error(self, path: &str) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::NotFound => StoreError::NotFound { path, source: "404".into() },
            Self::AlreadyExists => StoreError::AlreadyExists { path, source: "409".into() },
            Self::Precondition => StoreError::Precondition { path, source: "412".into() },
            Self::NotImplemented => StoreError::NotImplemented {
                operation: "conditional update".to_owned(),
                implementer: "simulation".to_owned(),
            },
            Self::Trouble(trouble) => {
                let status = match trouble {
                    Trouble::Busy => "429 Too Many Requests",
                    Trouble::Failed => "500 Internal Server Error",
                    Trouble::Unavailable => "503 Slow Down",
                    Trouble::Reset => return broken(io::ErrorKind::ConnectionReset),
                    Trouble::Unreachable => return broken(io::ErrorKind::ConnectionRefused),
                };
                let text = format!("Server returned non-2xx status code: {status}: ");
                StoreError::Generic { store: "simulation", source: text.into() }
            }
        }
    }
}

fn broken(kind: io::ErrorKind) -> StoreError {
    StoreError::Generic { store: "simulation", source: Box::new(io::Error::from(kind)) }
}
