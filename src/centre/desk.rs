//! What people ask of a centre: to start, stop and look at recordings. All of it is durable in the store, so that any node takes it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::board::Requests;
use super::request::{Client, Request, Wanted};
use super::view::{State, View};
use crate::continuity::{Phase, Recordings, Status};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Cname, Sid};
use crate::input::Sources;
use crate::naming::Prefix;
use crate::store::Store;

/// The usual length of segments.
const SEGMENT_MILLIS: u64 = 15_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Question {
    /// To record a source until it ends, or somebody stops it.
    Start(Start),
    /// To lay a recording's picture out in another way.
    Layout {
        /// Which.
        sid: Sid,
        /// What its source is to be given.
        layout: Value,
    },
    /// To end a recording for good.
    Stop {
        /// Which.
        sid: Sid,
    },
    /// What one of them came to.
    Query {
        /// Which.
        sid: Sid,
    },
    /// All that were asked for.
    List,
    /// All workers.
    Nodes,
}

/// What is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The recording's id.
    pub sid: Sid,
    /// Its channel.
    pub cname: Cname,
    /// An input that every node can reach.
    pub source: String,
    /// Folders before its names.
    #[serde(default)]
    pub prefix: Prefix,
    /// A segment of at least so many milliseconds ends at the next key frame: 1000 to an hour's.
    #[serde(default)]
    pub segment_millis: Option<u64>,
    /// Who asks, where that is a client of the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
}

/// Answers for a node.
#[derive(Debug)]
pub struct Desk {
    requests: Requests,
    recordings: Recordings,
    sources: Arc<dyn Sources>,
    view: View,
}

impl Desk {
    /// The desk of a node that shows `view`, and can record those `sources`.
    pub fn new(store: &Store, recordings: Recordings, sources: Arc<dyn Sources>, view: View) -> Self {
        Self { requests: Requests::new(store), recordings, sources, view }
    }

    /// Answers.
    ///
    /// # Errors
    /// `NotFound` for what nobody asked for, and to a query or a layout while the recording is not running; `Conflict` for a sid that is taken;
    /// `InvalidInput` for what cannot be recorded; whatever the store gives.
    pub async fn answer(&self, question: Question) -> Result<Value> {
        match question {
            Question::Start(start) => {
                let request = self.start(start).await?;
                Ok(json!({ "sid": request.sid, "cname": request.cname }))
            }
            Question::Layout { sid, layout } => {
                self.lay_out(&self.request(&sid).await?, layout).await?;
                Ok(json!({ "sid": sid }))
            }
            Question::Query { sid } => {
                let (state, status) = self.query(&sid).await?;
                Ok(json!({ "sid": sid, "state": state, "status": status }))
            }
            Question::Stop { sid } => {
                let request = self.stop(&sid).await?;
                Ok(json!({ "sid": request.sid, "wanted": request.wanted }))
            }
            Question::List => {
                let recordings = self.view.recordings();
                let line = |(sid, state)| json!({ "sid": sid, "state": state });
                Ok(json!({ "recordings": recordings.into_iter().map(line).collect::<Vec<_>>() }))
            }
            Question::Nodes => Ok(json!({ "nodes": self.view.nodes() })),
        }
    }

    /// Asks for a recording.
    ///
    /// # Errors
    /// `InvalidInput` for what cannot be recorded; `Conflict` for a sid, or a client's channel, that is taken; whatever the store
    /// gives.
    pub async fn start(&self, start: Start) -> Result<Request> {
        let Start { sid, cname, source, prefix, segment_millis, client } = start;
        let segment_millis = segment_millis.unwrap_or(SEGMENT_MILLIS);
        if !(1000..=3_600_000).contains(&segment_millis) {
            let message =
                format!("a segment of {segment_millis} ms: it must be at least 1 s, and at most an hour");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        self.sources.check(&source)?;
        match self.recordings.read(&sid).await {
            Ok(state) => {
                let message = format!("there is a recording {} already: it is {}", state.id(), state.phase);
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let schema = Request::SCHEMA;
        let (wanted, unknown) = (Wanted::Record, Map::new());
        let request = Request { schema, sid, cname, prefix, source, segment_millis, wanted, client, unknown };
        self.requests.add(&request).await?;
        Ok(request)
    }

    /// The request for a recording.
    ///
    /// # Errors
    /// `NotFound` for what nobody asked for; whatever the store gives.
    pub async fn request(&self, sid: &Sid) -> Result<Request> {
        self.requests.get(sid).await.map_err(|error| unknown(sid, error))
    }

    /// The recording of a channel that a client has running, if it has one.
    ///
    /// # Errors
    /// Whatever the store gives.
    pub async fn running(&self, client: &Client, cname: &Cname) -> Result<Option<Sid>> {
        let (requests, _) = self.requests.read().await?;
        let is_over = |sid: &Sid| matches!(self.state(sid), Some(State::Stopped | State::Abandoned));
        let runs = |request: &Request| {
            let asks =
                request.client.as_ref().is_some_and(|its| (&its.app, its.uid) == (&client.app, client.uid));
            asks && request.cname == *cname && request.wanted == Wanted::Record && !is_over(&request.sid)
        };
        Ok(requests.into_iter().find(runs).map(|request| request.sid))
    }

    /// What a recording is doing, as the store has it.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn phase(&self, sid: &Sid) -> Result<Phase> {
        Ok(self.recordings.read(sid).await?.phase)
    }

    /// What a recording came to, whether it runs or not.
    ///
    /// # Errors
    /// `NotFound` for one that has not begun; whatever the store gives.
    pub async fn status(&self, sid: &Sid) -> Result<Status> {
        self.recordings.status(sid).await
    }

    /// Asks for the end of a recording.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn stop(&self, sid: &Sid) -> Result<Request> {
        self.requests.end(sid).await.map_err(|error| unknown(sid, error))
    }

    /// Asks for another layout of a recording that runs.
    ///
    /// # Errors
    /// `InvalidInput` for a layout that the source cannot have; `NotFound` while it does not run; whatever the store gives.
    pub async fn lay_out(&self, request: &Request, layout: Value) -> Result<()> {
        let sid = &request.sid;
        self.sources.check_layout(&request.source, &layout)?;
        match self.state(sid) {
            Some(State::Recording) => self.requests.lay_out(sid, layout).await,
            state => Err(not_now(sid, state.unwrap_or(State::Starting))),
        }
    }

    /// What this node thinks of a recording that somebody asked for.
    pub fn state(&self, sid: &Sid) -> Option<State> {
        self.view.recording(sid)
    }

    /// What a recording came to.
    ///
    /// # Errors
    /// `NotFound` while it does not run, and for what nobody asked for; whatever the store gives.
    pub async fn query(&self, sid: &Sid) -> Result<(State, Status)> {
        let state = self.state(sid);
        if let Some(waiting @ (State::Starting | State::Recovering)) = state {
            return Err(not_now(sid, waiting));
        }
        match self.recordings.status(sid).await {
            Ok(status) => match State::of(status.phase) {
                // The holder may have told the store what this node does not know yet.
                waiting @ (State::Starting | State::Recovering) => Err(not_now(sid, waiting)),
                state => Ok((state, status)),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Perhaps it was asked for a moment ago, at another node.
                self.request(sid).await?;
                Err(not_now(sid, State::Starting))
            }
            Err(error) => Err(error),
        }
    }
}

fn not_now(sid: &Sid, state: State) -> Error {
    Error::new(ErrorKind::NotFound, format!("the recording {sid} is {}; try again", state.word()))
}

fn unknown(sid: &Sid, error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::new(ErrorKind::NotFound, format!("nobody asked for a recording {sid}")),
        _ => error,
    }
}
