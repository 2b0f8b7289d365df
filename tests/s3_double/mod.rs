//! A small server that speaks S3 as far as the recorder does, and misbehaves as it is told.
//!
//! One bucket, `rec`, path-style, in memory, on a loopback port of its own; signatures are not looked at. It
//! ends with the runtime. Equal bodies have equal ETags, as everywhere.

#![allow(dead_code, reason = "each test that includes this uses its own part of it")]

mod http;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::{ClientOptions, RetryConfig};
use tapeline::store::Store;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use http::{Request, Response};

/// The bucket's name.
pub const BUCKET: &str = "rec";
/// How long a server that is wrong in a race leaves between looking and acting, and one that calls the key busy
/// between beginning and ending.
const WINDOW: Duration = Duration::from_millis(5);

const SECOND: Duration = Duration::from_secs(1);

/// How a condition is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Always.
    Always,
    /// Never: the header is not looked at.
    Ignored,
    /// One at a time; but between looking and acting others may act.
    NotInRaces,
    /// Always, and while one request is under way, others of its key are answered 409.
    WithConflicts,
    /// The request is answered 501.
    Unsupported,
    /// The condition is said not to hold, whatever is there.
    NeverHolds,
}

/// How `If-Match` ends where there is no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// 404, as S3 does.
    NotFound,
    /// 412.
    Refused,
    /// 200: an object is made.
    Created,
}

/// What is said in place of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// This status.
    Status(u16),
    /// The connection is cut.
    Cut,
    /// The answer, after so long.
    Late(Duration),
    /// Nothing, and the connection stays.
    Never,
}

/// When in a request there is trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before anything is done; so nothing is, unless it is merely late.
    Before,
    /// After it was carried out, or refused.
    After,
}

/// Which conditional writes have trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// None.
    None,
    /// The first so many.
    First(u32),
    /// All after the first so many.
    From(u32),
    /// So many in a hundred, by this seed.
    Percent(u64, u64),
}

/// Which requests are answered 503 `SlowDown`, whatever they are, and not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttled {
    /// None.
    None,
    /// The first so many.
    First(u32),
    /// What is more than so many in one second.
    Above(u32),
}

/// How a server behaves.
#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// `If-None-Match: *`
    pub create: Kept,
    /// `If-Match`
    pub update: Kept,
    /// `If-Match` where nothing is.
    pub missing: Missing,
    /// Trouble with conditional writes.
    pub trouble: (Trouble, When, Which),
    /// Whether what was once read is read for ever, also that nothing was there.
    pub stale_reads: bool,
    /// Whether reading names another ETag than writing, as behind a proxy that compresses.
    pub weak_etags: bool,
    /// Whether everything is answered 403.
    pub denied: bool,
    /// Whether writes without a condition are answered 403.
    pub plain_writes_denied: bool,
    /// Whether it asks for fewer requests.
    pub throttled: Throttled,
    /// The seconds of `Retry-After` where it does.
    pub retry_after: Option<u32>,
}

impl Manners {
    /// A good server.
    pub const HONEST: Self = Self {
        create: Kept::Always,
        update: Kept::Always,
        missing: Missing::NotFound,
        trouble: (Trouble::Cut, When::Before, Which::None),
        stale_reads: false,
        weak_etags: false,
        denied: false,
        plain_writes_denied: false,
        throttled: Throttled::None,
        retry_after: None,
    };
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Object {
    body: Vec<u8>,
    etag: String,
    headers: Vec<(String, String)>,
}

#[derive(Debug)]
struct State {
    manners: Manners,
    objects: BTreeMap<String, Object>,
    /// Keys with a conditional write under way.
    busy: BTreeSet<String>,
    /// What was read first, for stale reads.
    seen: BTreeMap<String, Option<Object>>,
    conditional_writes: u32,
    requests: Vec<String>,
    /// Whether each was throttled, and when it came.
    throttled: Vec<(Instant, bool)>,
}

/// A server.
#[derive(Debug, Clone)]
pub struct S3Double {
    state: Arc<Mutex<State>>,
    endpoint: String,
}

impl S3Double {
    /// Starts one on the current runtime.
    pub async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            manners,
            objects: BTreeMap::new(),
            busy: BTreeSet::new(),
            seen: BTreeMap::new(),
            conditional_writes: 0,
            requests: Vec::new(),
            throttled: Vec::new(),
        };
        let server = Self { state: Arc::new(Mutex::new(state)), endpoint };
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let _ = connection.set_nodelay(true);
                let server = accepting.clone();
                tokio::spawn(async move { server.serve(connection).await });
            }
        });
        server
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A client of it that repeats nothing.
    pub fn store(&self) -> Store {
        self.store_at(&self.endpoint)
    }

    /// The same, of a proxy before it.
    pub fn store_at(&self, endpoint: &str) -> Store {
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let client = AmazonS3Builder::new()
            .with_bucket_name(BUCKET)
            .with_region("us-east-1")
            .with_endpoint(endpoint)
            .with_access_key_id("key")
            .with_secret_access_key("secret")
            .with_retry(retry)
            // The handle's own limits come first.
            .with_client_options(
                ClientOptions::new().with_timeout(Duration::from_secs(60)).with_allow_http(true),
            )
            .build()
            .expect("a client");
        Store::from_object_store(format!("s3://{BUCKET}"), Arc::new(client))
    }

    /// From now on it behaves like this.
    pub fn behave(&self, manners: Manners) {
        let mut state = self.lock();
        state.manners = manners;
        state.conditional_writes = 0;
    }

    /// The keys of all objects.
    pub fn keys(&self) -> Vec<String> {
        self.lock().objects.keys().cloned().collect()
    }

    /// Each request so far, as `METHOD key`, and forgets them.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().requests)
    }

    /// For each request so far, when it came and whether it was throttled; forgets them.
    pub fn take_throttled(&self) -> Vec<(Instant, bool)> {
        std::mem::take(&mut self.lock().throttled)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn serve(&self, mut connection: TcpStream) {
        let mut read = Vec::new();
        while let Some(request) = http::read(&mut connection, &mut read).await {
            let Some(response) = self.answer(&request).await else { return };
            if http::write(&mut connection, &request, response).await.is_err() {
                return;
            }
        }
    }

    /// `None` cuts the connection.
    async fn answer(&self, request: &Request) -> Option<Response> {
        let key = request.path.strip_prefix(&format!("/{BUCKET}"))?.trim_start_matches('/').to_owned();
        self.lock().requests.push(format!("{} {key}", request.method));
        if let Some(response) = self.lock().throttle() {
            return Some(response);
        }
        if self.lock().manners.denied {
            return Some(Response::error(403, "AccessDenied"));
        }
        match request.method.as_str() {
            "PUT" if request.header("if-match").is_none() && request.header("if-none-match").is_none() => {
                if self.lock().manners.plain_writes_denied {
                    return Some(Response::error(403, "AccessDenied"));
                }
                Some(self.lock().put(&key, request))
            }
            "PUT" => self.put_if(&key, request).await,
            "GET" if key.is_empty() => Some(self.lock().list(request)),
            "GET" | "HEAD" => Some(self.lock().get(&key, request)),
            "DELETE" => {
                self.lock().objects.remove(&key);
                Some(Response::new(204))
            }
            "POST" if request.query("delete").is_some() => Some(self.lock().delete_all(request)),
            _ => Some(Response::error(501, "NotImplemented")),
        }
    }

    async fn put_if(&self, key: &str, request: &Request) -> Option<Response> {
        let (trouble, when) = self.lock().next_trouble();
        if let Some(trouble) = trouble
            && when == When::Before
        {
            match trouble {
                Trouble::Late(pause) => tokio::time::sleep(pause).await,
                other => return said(other).await,
            }
        }
        let response = self.carry_out(key, request).await;
        match trouble {
            Some(Trouble::Late(pause)) if when == When::After => tokio::time::sleep(pause).await,
            Some(other) if when == When::After => return said(other).await,
            _ => {}
        }
        Some(response)
    }

    async fn carry_out(&self, key: &str, request: &Request) -> Response {
        let manners = self.lock().manners;
        let update = request.header("if-match").map(str::to_owned);
        let kept = if update.is_some() { manners.update } else { manners.create };
        match kept {
            Kept::Unsupported => return Response::error(501, "NotImplemented"),
            Kept::NeverHolds => return refused(),
            Kept::Ignored => return self.lock().put(key, request),
            Kept::Always | Kept::NotInRaces | Kept::WithConflicts => {}
        }
        if kept == Kept::WithConflicts && !self.lock().busy.insert(key.to_owned()) {
            return Response::error(409, "ConditionalRequestConflict");
        }
        if kept == Kept::WithConflicts {
            tokio::time::sleep(WINDOW).await;
        }
        let response = {
            let mut state = self.lock();
            match state.judge(key, update.as_deref()) {
                Some(refusal) => Some(refusal),
                None if kept == Kept::NotInRaces => None,
                None => Some(state.put(key, request)),
            }
        };
        if kept == Kept::WithConflicts {
            self.lock().busy.remove(key);
        }
        match response {
            Some(response) => response,
            None => {
                tokio::time::sleep(WINDOW).await;
                self.lock().put(key, request)
            }
        }
    }
}

fn refused() -> Response {
    Response::error(412, "PreconditionFailed")
}

async fn said(trouble: Trouble) -> Option<Response> {
    match trouble {
        Trouble::Status(409) => Some(Response::error(409, "ConditionalRequestConflict")),
        Trouble::Status(status) => Some(Response::error(status, "SlowDown")),
        Trouble::Cut => None,
        Trouble::Late(_) | Trouble::Never => std::future::pending().await,
    }
}

impl State {
    fn throttle(&mut self) -> Option<Response> {
        let now = Instant::now();
        let throttled = match self.manners.throttled {
            Throttled::None => false,
            Throttled::First(most) => self.throttled.len() < most as usize,
            Throttled::Above(most) => {
                let of_late = self.throttled.iter().rev().take_while(|(at, _)| now - *at < SECOND);
                of_late.filter(|(_, throttled)| !throttled).count() >= most as usize
            }
        };
        self.throttled.push((now, throttled));
        let response = Response::error(503, "SlowDown");
        let response = match self.manners.retry_after {
            Some(seconds) => response.with("Retry-After", &seconds.to_string()),
            None => response,
        };
        throttled.then_some(response)
    }

    fn next_trouble(&mut self) -> (Option<Trouble>, When) {
        let number = self.conditional_writes;
        self.conditional_writes += 1;
        let (trouble, when, which) = self.manners.trouble;
        let hit = match which {
            Which::None => false,
            Which::First(count) => number < count,
            Which::From(count) => number >= count,
            Which::Percent(percent, seed) => {
                let mut hasher = DefaultHasher::new();
                (seed, number).hash(&mut hasher);
                hasher.finish() % 100 < percent
            }
        };
        (hit.then_some(trouble), when)
    }

    /// The refusal, if the condition does not hold.
    fn judge(&self, key: &str, update: Option<&str>) -> Option<Response> {
        match (self.objects.get(key), update) {
            (None, None) => None,
            (Some(_), None) => Some(refused()),
            (Some(object), Some(etag)) => (object.etag != etag).then(refused),
            (None, Some(_)) => match self.manners.missing {
                Missing::NotFound => Some(Response::error(404, "NoSuchKey")),
                Missing::Refused => Some(refused()),
                Missing::Created => None,
            },
        }
    }

    fn put(&mut self, key: &str, request: &Request) -> Response {
        let mut hasher = DefaultHasher::new();
        request.body.hash(&mut hasher);
        let etag = format!("\"{:016x}\"", hasher.finish());
        let kept = ["content-type", "cache-control"];
        let headers =
            kept.iter().filter_map(|name| Some(((*name).to_owned(), request.header(name)?.to_owned())));
        let object = Object { body: request.body.clone(), etag: etag.clone(), headers: headers.collect() };
        self.objects.insert(key.to_owned(), object);
        Response::new(200).with("ETag", &etag)
    }

    fn get(&mut self, key: &str, request: &Request) -> Response {
        let mut found = self.objects.get(key).cloned();
        if self.manners.stale_reads {
            found = self.seen.entry(key.to_owned()).or_insert(found).clone();
        }
        let Some(object) = found else { return Response::error(404, "NoSuchKey") };
        let mut response = Response::new(200);
        let total = object.body.len();
        response.body = object.body;
        if let Some((from, to)) = request.range() {
            if from >= total {
                return Response::error(416, "InvalidRange");
            }
            let to = to.min(total - 1);
            response = Response::new(206)
                .with("Content-Range", &format!("bytes {from}-{to}/{total}"))
                .body(response.body[from..=to].to_vec());
        }
        for (name, value) in &object.headers {
            response = response.with(name, value);
        }
        let weak = if self.manners.weak_etags { "W/" } else { "" };
        response
            .with("ETag", &format!("{weak}{}", object.etag))
            .with("Last-Modified", "Mon, 23 Nov 2026 01:02:03 GMT")
    }

    /// `list-type=2`, in one page.
    fn list(&self, request: &Request) -> Response {
        let prefix = request.query("prefix").unwrap_or_default();
        let delimiter = request.query("delimiter").unwrap_or_default();
        let (mut objects, mut folders) = (String::new(), BTreeSet::new());
        for (key, object) in self.objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
            let rest = &key[prefix.len()..];
            match rest.find(&delimiter).filter(|_| !delimiter.is_empty()) {
                Some(end) => {
                    folders.insert(format!("{prefix}{}{delimiter}", &rest[..end]));
                }
                None => objects.push_str(&format!(
                    "<Contents><Key>{}</Key><LastModified>2026-11-23T01:02:03.000Z</LastModified><ETag>{}</ETag>\
                     <Size>{}</Size></Contents>",
                    http::escape(key),
                    http::escape(&object.etag),
                    object.body.len()
                )),
            }
        }
        let folders: String = folders
            .iter()
            .map(|name| format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", http::escape(name)))
            .collect();
        let xml = format!(
            "<ListBucketResult><IsTruncated>false</IsTruncated>{objects}{folders}</ListBucketResult>"
        );
        Response::new(200).body(xml.into_bytes())
    }

    fn delete_all(&mut self, request: &Request) -> Response {
        let text = String::from_utf8(request.body.clone()).expect("XML");
        let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        let mut answer = String::new();
        for (key, _) in keys {
            self.objects.remove(&http::unescape(key));
            answer.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
        }
        Response::new(200).body(format!("<DeleteResult>{answer}</DeleteResult>").into_bytes())
    }
}
