//! The calls themselves: from what a client sends to what a node's [`Desk`] does, and back.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Refusal;
use super::call::Body;
use super::files::files;
use super::places::Places;
use super::resource::Resource;
use crate::centre::desk::{Desk, Start};
use crate::centre::request::{Client, Request, Wanted};
use crate::centre::view::State;
use crate::clock::{SharedChance, SharedClock, draw};
use crate::error::ErrorKind;
use crate::ids::Sid;

/// A call that waits for a recording's end waits so long.
const END: Duration = Duration::from_secs(20);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(250);
/// In progress, as clients read it.
const IN_PROGRESS: u32 = 5;

/// Answers calls for a node.
#[derive(Debug)]
pub struct Service {
    /// Where recordings are asked for.
    pub desk: Arc<Desk>,
    /// What may be recorded.
    pub places: Places,
    /// Buckets that clients may name: they stand for the node's store.
    pub buckets: Vec<String>,
    /// The clock to go by.
    pub clock: SharedClock,
    /// Where random numbers come from.
    pub chance: SharedChance,
}

type Answer = Result<Value, Refusal>;

/// Which recording a path names.
#[derive(Debug, Deserialize)]
pub struct Path {
    /// The application.
    pub app: String,
    /// The resource.
    pub rid: String,
    /// `mix` or `individual`.
    pub mode: String,
    /// The recording: not in the path that starts it.
    #[serde(default)]
    pub sid: String,
}

impl Path {
    /// The resource that it names.
    fn resource(&self) -> Result<Resource, Refusal> {
        let resource = Resource::parse(&self.rid).filter(|resource| resource.app == self.app);
        let resource =
            resource.ok_or_else(|| Refusal::parameter("the resource id is none of this application's"))?;
        if self.mode != "mix" && self.mode != "individual" {
            return Err(Refusal::parameter(format!(
                "the mode {:?} is not recorded here: there are mix and individual",
                self.mode
            )));
        }
        Ok(resource)
    }
}

impl Service {
    /// Gives a resource.
    ///
    /// # Errors
    /// 400/2.
    pub fn acquire(&self, app: &str, body: &[u8]) -> Answer {
        let is_app = (1..=64).contains(&app.len())
            && app.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_app {
            return Err(Refusal::gateway(400, "appid is invalid"));
        }
        let body = Body::parse(body)?;
        let (cname, uid) = body.subject()?;
        let nonce = u64::from_be_bytes(draw(&*self.chance)?);
        let resource = Resource {
            app: app.to_owned(),
            cname,
            uid,
            at: self.clock.wall().millis(),
            nonce: format!("{nonce:016x}"),
        };
        Ok(json!({ "cname": body.cname, "uid": body.uid, "resourceId": resource.to_string() }))
    }

    /// Starts what was acquired.
    ///
    /// # Errors
    /// 201/7 the second time, 400/53 where the channel is being recorded for that user, 400/2, 504/62.
    pub async fn start(&self, path: &Path, body: &[u8]) -> Answer {
        let (resource, body) = (path.resource()?, Body::parse(body)?);
        let (cname, uid) = body.subject()?;
        if (&cname, uid) != (&resource.cname, resource.uid) {
            return Err(Refusal::parameter("cname and uid are not those that the resource was acquired for"));
        }
        let sid = resource.sid();
        let prefix = body.prefix(&self.buckets)?;
        let source = self.places.source(&path.app, &cname, uid, body.source()?)?;
        let client = Client { app: path.app.clone(), uid, mode: path.mode.clone() };
        let again =
            || Refusal::already_started(format!("the recording {sid} was started with this resource"));
        if self.desk.request(&sid).await.is_ok() {
            return Err(again());
        }
        if !resource.lives(self.clock.wall()) {
            return Err(Refusal::parameter("the resource has expired: acquire another"));
        }
        if let Some(other) = self.desk.running(&client, &cname).await? {
            return Err(Refusal::conflict(format!(
                "the channel is being recorded for this uid already: {other}"
            )));
        }
        let start =
            Start { sid: sid.clone(), cname, source, prefix, segment_millis: None, client: Some(client) };
        match self.desk.start(start).await {
            Ok(_) => Ok(json!({ "cname": body.cname, "uid": body.uid, "resourceId": path.rid, "sid": sid })),
            Err(error) if error.kind() == ErrorKind::Conflict => Err(again()),
            Err(error) => Err(error.into()),
        }
    }

    /// The recording that a path names.
    async fn request(&self, path: &Path) -> Result<Request, Refusal> {
        let resource = path.resource()?;
        let sid = Sid::new(&path.sid).map_err(|error| Refusal::parameter(error.to_string()))?;
        if resource.sid() != sid {
            return Err(Refusal::parameter("the sid is not that of the resource"));
        }
        let request = self.desk.request(&sid).await?;
        match &request.client {
            Some(client) if client.app == path.app && client.mode == path.mode => Ok(request),
            _ => Err(Refusal::no_worker("it was started otherwise")),
        }
    }

    /// What all answers about a recording begin with.
    fn answer(path: &Path, request: &Request, response: Value) -> Value {
        let uid = request.client.as_ref().map_or(0, |client| client.uid.get()).to_string();
        json!({
            "cname": request.cname,
            "uid": uid,
            "resourceId": path.rid,
            "sid": request.sid,
            "serverResponse": response,
        })
    }

    /// What a recording came to so far.
    ///
    /// # Errors
    /// 404 while it is being started or recovered, and when it is over.
    pub async fn query(&self, path: &Path) -> Answer {
        let request = self.request(path).await?;
        let (state, status) = self.desk.query(&request.sid).await?;
        if state != State::Recording {
            return Err(Refusal::no_worker(format!("the recording {} is {}", request.sid, state.word())));
        }
        let mut response = files(&status);
        response.insert("status".to_owned(), json!(IN_PROGRESS));
        Ok(Self::answer(path, &request, response.into()))
    }

    /// Lays its picture out in another way.
    ///
    /// # Errors
    /// 404 as [`query`](Self::query); 400/2 where the source has no layouts, or not that one.
    pub async fn update_layout(&self, path: &Path, body: &[u8]) -> Answer {
        let (request, body) = (self.request(path).await?, Body::parse(body)?);
        self.desk.lay_out(&request, body.request.into()).await?;
        Ok(json!({ "cname": body.cname, "uid": body.uid, "resourceId": path.rid, "sid": request.sid }))
    }

    /// Refuses to change who is recorded: a source gives all that there is.
    ///
    /// # Errors
    /// 404 as [`query`](Self::query), else 400/2.
    pub async fn update(&self, path: &Path, body: &[u8]) -> Answer {
        let request = self.request(path).await?;
        Body::parse(body)?;
        self.desk.query(&request.sid).await?;
        Err(Refusal::parameter("this service records all that its source gives: there is nothing to update"))
    }

    /// Ends it.
    ///
    /// # Errors
    /// 404 as [`query`](Self::query); 400/49 the second time; 206/435 for one without anything in it; 206/65 where the end takes
    /// longer than a call.
    pub async fn stop(&self, path: &Path, body: &[u8]) -> Answer {
        let (request, body) = (self.request(path).await?, Body::parse(body)?);
        let (state, _) = self.desk.query(&request.sid).await?;
        if state != State::Recording {
            return Err(Refusal::no_worker(format!("the recording {} is {}", request.sid, state.word())));
        }
        if request.wanted == Wanted::Stop {
            return Err(Refusal::already_stopping("it was asked to stop before"));
        }
        self.desk.stop(&request.sid).await?;
        let give_up = self.clock.monotonic() + END;
        while !body.is_async() && !self.desk.phase(&request.sid).await?.is_final() {
            if self.clock.monotonic() >= give_up {
                return Err(Refusal::not_completed("it is to end, and its last segments are not stored yet"));
            }
            self.clock.sleep(LOOK).await;
        }
        let status = self.desk.status(&request.sid).await?;
        if status.phase.is_final() && status.total.segments == 0 {
            return Err(Refusal::no_data());
        }
        let mut response = files(&status);
        let word = if status.phase.is_final() { "uploaded" } else { "unknown" };
        response.insert("uploadingStatus".to_owned(), json!(word));
        Ok(Self::answer(path, &request, response.into()))
    }
}
