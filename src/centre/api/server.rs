//! From the network to the [`Service`]: connections, TLS, credentials and limits.
//!
//! Whoever calls has seconds, not minutes, for headers and body; nothing that is sent is kept beyond its limit; one address has so
//! many calls a second, and fewer wrong credentials.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path as Segments, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tower::ServiceExt;
use tracing::debug;

use super::access::Credentials;
use super::answer::Refusal;
use super::rate::Rates;
use super::service::{Path, Service};
use crate::centre::socket::taken;
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};

/// No body is larger.
const BODY: usize = 64 * 1024;
/// No line and headers together are larger.
const HEAD: usize = 16 * 1024;
const HEADERS: usize = 64;
/// Headers, and a handshake, must be there within this.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// A whole call takes no longer: more than the end of a recording may.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections at once; further ones wait to be accepted.
const CONNECTIONS: usize = 1024;

/// Where calls are taken, and whose.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    credentials: Option<Credentials>,
    tls: Option<Tls>,
    rate: u32,
}

impl Listening {
    /// Calls are taken at `address`, from those with `credentials`, or, on loopback alone, from anybody; by HTTPS with a
    /// certificate; `rate` calls a second from one address.
    ///
    /// # Errors
    /// `InvalidInput` for an open door that others than this machine can reach.
    pub fn new(
        address: SocketAddr,
        credentials: Option<Credentials>,
        tls: Option<Tls>,
        rate: u32,
    ) -> Result<Self> {
        if credentials.is_none() && !address.ip().is_loopback() {
            let message =
                format!("without credentials only this machine may call: {address} is not on loopback");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(Self { address, credentials, tls, rate })
    }

    /// What stands before the address in a URL.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a certificate")
    }
}

impl Tls {
    /// Reads both from PEM files.
    ///
    /// # Errors
    /// `InvalidInput` for files that cannot be read, and a key that is not the certificate's.
    pub fn read(certificate: &FilePath, key: &FilePath) -> Result<Self> {
        let invalid = |path: &FilePath, error: Box<dyn std::error::Error + Send + Sync>| {
            let message = format!("{} cannot be used for TLS", path.display());
            Error::new(ErrorKind::InvalidInput, message).with_source(error)
        };
        let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
        let chain: Vec<_> = chain.map_err(|error| invalid(certificate, error.into()))?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| invalid(key, error.into()))?;
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, secret);
        Ok(Self(Arc::new(config.map_err(|error| invalid(key, error.into()))?)))
    }
}

/// What all connections share.
struct Door {
    router: Router,
    credentials: Option<Credentials>,
    rates: Rates,
    clock: SharedClock,
}

/// Answers calls until it is dropped; `ready` hears where.
///
/// # Errors
/// `InvalidInput` where nobody can listen there.
pub async fn listen(listening: Listening, service: Service, ready: impl FnOnce(SocketAddr)) -> Result<()> {
    let Listening { address, credentials, tls, rate } = listening;
    let refused = |error: std::io::Error| {
        Error::new(ErrorKind::InvalidInput, format!("cannot listen at {address}")).with_source(error)
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    ready(listener.local_addr().map_err(refused)?);
    let clock = service.clock.clone();
    let rates = Rates::new(rate);
    let door = Arc::new(Door { router: router(service), credentials, rates, clock: clock.clone() });
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let acceptor = tls.map(|Tls(config)| TlsAcceptor::from(config));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
        let Some((stream, peer)) = taken(listener.accept().await, &clock).await else { continue };
        let (door, acceptor) = (Arc::clone(&door), acceptor.clone());
        tokio::spawn(async move {
            door.admit(stream, peer.ip().to_canonical(), acceptor).await;
            drop(place);
        });
    }
}

impl Door {
    async fn admit(self: Arc<Self>, stream: TcpStream, peer: IpAddr, acceptor: Option<TlsAcceptor>) {
        let Some(acceptor) = acceptor else { return self.serve(stream, peer).await };
        let shaken = tokio::select! {
            shaken = acceptor.accept(stream) => shaken,
            () = self.clock.sleep(HEAD_PATIENCE) => return,
        };
        match shaken {
            Ok(stream) => self.serve(stream, peer).await,
            Err(error) => debug!(%peer, %error, "no TLS"),
        }
    }

    async fn serve(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin, peer: IpAddr) {
        let answer = service_fn(|request: hyper::Request<Incoming>| {
            let door = Arc::clone(&self);
            async move { Ok::<_, Infallible>(door.answer(request.map(Body::new), peer).await) }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .max_headers(HEADERS)
            .max_buf_size(HEAD)
            .serve_connection(TokioIo::new(stream), answer);
        if let Err(error) = served.await {
            debug!(%peer, %error, "a connection broke");
        }
    }

    async fn answer(&self, request: Request, peer: IpAddr) -> Response {
        let now = self.clock.monotonic();
        if !self.rates.allows(peer, now) {
            return refuse(&Refusal::gateway(429, "too many calls: make fewer"));
        }
        let is_open = request.uri().path() == "/healthz";
        let header = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let known = self.credentials.as_ref().is_none_or(|credentials| credentials.allow(header));
        if !known && !is_open {
            self.rates.punish(peer, now);
            let mut response = refuse(&Refusal::gateway(401, "Invalid authentication credentials"));
            let basic = header::HeaderValue::from_static("Basic realm=\"tapeline\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, basic);
            return response;
        }
        tokio::select! {
            Ok(response) = self.router.clone().oneshot(request) => response,
            () = self.clock.sleep(PATIENCE) => refuse(&Refusal::gateway(408, "the call took too long")),
        }
    }
}

fn refuse(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(refusal.body())).into_response()
}

type Shared = State<Arc<Service>>;
type Sent = std::result::Result<Bytes, BytesRejection>;
type Named<T> = std::result::Result<Segments<T>, PathRejection>;

fn router(service: Service) -> Router {
    const ONE: &str = "/v1/apps/{app}/cloud_recording/resourceid/{rid}";
    let of = |call: &str| format!("{ONE}/sid/{{sid}}/mode/{{mode}}/{call}");
    Router::new()
        .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/v1/apps/{app}/cloud_recording/acquire", post(acquire))
        .route(&format!("{ONE}/mode/{{mode}}/start"), post(start))
        .route(&of("query"), get(query))
        .route(&of("update"), post(update))
        .route(&of("updateLayout"), post(update_layout))
        .route(&of("stop"), post(stop))
        .fallback(|| async { refuse(&Refusal::gateway(404, "no Route matched with those values")) })
        .method_not_allowed_fallback(|| async {
            refuse(&Refusal::gateway(405, "this path is called with another method"))
        })
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(Arc::new(service))
}

fn respond(answer: std::result::Result<Value, Refusal>) -> Response {
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(refusal) => refuse(&refusal),
    }
}

fn named<T>(path: Named<T>) -> std::result::Result<T, Refusal> {
    path.map(|Segments(segments)| segments).map_err(|error| Refusal::gateway(400, error.body_text()))
}

fn sent(body: Sent) -> std::result::Result<Bytes, Refusal> {
    body.map_err(|error| Refusal::gateway(error.status().as_u16(), error.body_text()))
}

async fn acquire(State(service): Shared, app: Named<String>, body: Sent) -> Response {
    respond(async { service.acquire(&named(app)?, &sent(body)?) }.await)
}

async fn start(State(service): Shared, path: Named<Path>, body: Sent) -> Response {
    respond(async { service.start(&named(path)?, &sent(body)?).await }.await)
}

async fn query(State(service): Shared, path: Named<Path>) -> Response {
    respond(async { service.query(&named(path)?).await }.await)
}

async fn update(State(service): Shared, path: Named<Path>, body: Sent) -> Response {
    respond(async { service.update(&named(path)?, &sent(body)?).await }.await)
}

async fn update_layout(State(service): Shared, path: Named<Path>, body: Sent) -> Response {
    respond(async { service.update_layout(&named(path)?, &sent(body)?).await }.await)
}

async fn stop(State(service): Shared, path: Named<Path>, body: Sent) -> Response {
    respond(async { service.stop(&named(path)?, &sent(body)?).await }.await)
}
