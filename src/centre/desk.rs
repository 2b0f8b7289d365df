//! What people ask of a centre: to start, stop and look at recordings. All of it is durable in the store, so that any node takes it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::board::Requests;
use super::request::{Request, Wanted};
use super::view::{State, View};
use crate::continuity::Recordings;
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
            Question::Start(start) => self.start(start).await,
            Question::Stop { sid } => {
                let request = self.requests.end(&sid).await.map_err(|error| unknown(&sid, error))?;
                Ok(json!({ "sid": request.sid, "wanted": request.wanted }))
            }
            Question::Layout { sid, layout } => self.lay_out(&sid, layout).await,
            Question::Query { sid } => self.query(&sid).await,
            Question::List => {
                let recordings = self.view.recordings();
                let line = |(sid, state)| json!({ "sid": sid, "state": state });
                Ok(json!({ "recordings": recordings.into_iter().map(line).collect::<Vec<_>>() }))
            }
            Question::Nodes => Ok(json!({ "nodes": self.view.nodes() })),
        }
    }

    async fn start(&self, start: Start) -> Result<Value> {
        let Start { sid, cname, source, prefix, segment_millis } = start;
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
        let request = Request {
            schema: Request::SCHEMA,
            sid,
            cname,
            prefix,
            source,
            segment_millis,
            wanted: Wanted::Record,
            unknown: Map::new(),
        };
        self.requests.add(&request).await?;
        Ok(json!({ "sid": request.sid, "cname": request.cname }))
    }

    async fn lay_out(&self, sid: &Sid, layout: Value) -> Result<Value> {
        let request = self.requests.get(sid).await.map_err(|error| unknown(sid, error))?;
        self.sources.check_layout(&request.source, &layout)?;
        let state = self.view.recordings().get(sid).copied();
        if state != Some(State::Recording) {
            let word = state.map_or("being started", State::word);
            return Err(Error::new(ErrorKind::NotFound, format!("the recording {sid} is {word}")));
        }
        self.requests.lay_out(sid, layout).await?;
        Ok(json!({ "sid": sid }))
    }

    async fn query(&self, sid: &Sid) -> Result<Value> {
        let state = self.view.recordings().get(sid).copied();
        match state {
            Some(waiting @ (State::Starting | State::Recovering)) => {
                let message = format!("the recording {sid} is {}; try again", waiting.word());
                Err(Error::new(ErrorKind::NotFound, message))
            }
            Some(_) => {
                let status = self.recordings.status(sid).await?;
                Ok(json!({ "sid": sid, "state": state, "status": status }))
            }
            None => match self.recordings.status(sid).await {
                // It ended long ago, or somebody records it without a node.
                Ok(status) => Ok(json!({ "sid": sid, "state": status.phase, "status": status })),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    // Perhaps it was asked for a moment ago, at another node.
                    self.requests.get(sid).await.map_err(|error| unknown(sid, error))?;
                    let message = format!("the recording {sid} is being started; try again");
                    Err(Error::new(ErrorKind::NotFound, message))
                }
                Err(error) => Err(error),
            },
        }
    }
}

fn unknown(sid: &Sid, error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::new(ErrorKind::NotFound, format!("nobody asked for a recording {sid}")),
        _ => error,
    }
}
