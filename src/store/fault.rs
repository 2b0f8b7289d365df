//! From a client's error to ours: the kind says what to do, the message how.
//!
//! `object_store` keeps the HTTP status and the error document of the server only as text, so that is
//! where they are read from. Its own variants are not enough: a missing bucket and a missing object are
//! both `NotFound`, and a server under load looks like one that refuses for good.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use object_store::Error as StoreError;

use crate::error::{Error, ErrorKind, report};

/// How much of a server's own words is kept, in characters.
const WORDS: usize = 400;

/// Turns a client's error into the library's. `what` completes "cannot ..." and should name the key and
/// the store: "store a.ts in s3://bucket".
pub fn classify(error: StoreError, what: impl fmt::Display) -> Error {
    let answer = Answer::read(&error);
    let (kind, reason) = judge(&error, &answer);
    Error::new(kind, format!("cannot {what}: {reason}")).with_source(Cause(answer.words()))
}

/// The same for a file operation.
pub(super) fn classify_io(error: io::Error, what: impl fmt::Display) -> Error {
    let (kind, reason) = judge_io(&error);
    Error::new(kind, format!("cannot {what}: {reason}")).with_source(error)
}

/// What an answer says about the store, whatever it says about the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// It serves: also where there is no such object, or a condition does not hold.
    Served,
    /// It asks for fewer requests.
    Throttled,
    /// It does not, or not us: no answer, a failure, a refusal.
    Failed,
}

impl Service {
    /// By the outcome of a request.
    pub fn of<T>(outcome: &Result<T, StoreError>) -> Self {
        let Err(error) = outcome else { return Self::Served };
        if is_conflict(error) {
            return Self::Served;
        }
        let answer = Answer::read(error);
        match judge(error, &answer).0 {
            ErrorKind::NotFound => Self::Served,
            _ if answer.asks_for_less() => Self::Throttled,
            _ => Self::Failed,
        }
    }
}

/// Whether a request that failed like this may be served when it is soon sent again.
pub(super) fn is_passing(error: &StoreError) -> bool {
    !is_conflict(error) && judge(error, &Answer::read(error)).0 == ErrorKind::Unavailable
}

/// Whether a conditional write that failed like this may have been carried out all the same, so that
/// only reading back can tell.
pub(super) fn is_undecided(error: &StoreError) -> bool {
    if is_conflict(error) {
        return true;
    }
    // A refused connection carried nothing. Earlier tries of the same call may have, but then the
    // store is down by now and reading back would fail too.
    let refused = io_cause(error).is_some_and(|cause| cause.kind() == io::ErrorKind::ConnectionRefused);
    !refused && judge(error, &Answer::read(error)).0 == ErrorKind::Unavailable
}

/// Whether the store said that the key is taken (or, on some servers, being written).
pub(super) fn is_conflict(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } | StoreError::NotModified { .. }
    )
}

fn judge(error: &StoreError, answer: &Answer) -> (ErrorKind, &'static str) {
    use ErrorKind::{Conflict, Internal, InvalidInput, NotFound, Unavailable};
    match error {
        StoreError::NotFound { .. } if answer.misses_the_bucket() => {
            (InvalidInput, "the bucket does not exist; create it, or correct the store's URL")
        }
        StoreError::NotFound { .. } => (NotFound, "there is no such object"),
        // The client makes the same of "there is such an object" and of S3's "another write of this key is
        // under way", which says nothing about what the key holds.
        StoreError::AlreadyExists { .. } if answer.is_busy() => {
            (Unavailable, "the key is being written elsewhere; try again")
        }
        StoreError::AlreadyExists { .. } => (Conflict, "the key is taken"),
        StoreError::Precondition { .. } | StoreError::NotModified { .. } => {
            (Conflict, "the object is not the one expected; read it again")
        }
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            (InvalidInput, judge_refusal(answer))
        }
        StoreError::InvalidPath { .. } => (InvalidInput, "a name in the store cannot be used as a key"),
        StoreError::NotImplemented { .. } | StoreError::NotSupported { .. } => {
            (InvalidInput, "this kind of store does not have the operation")
        }
        StoreError::UnknownConfigurationKey { .. } => (InvalidInput, "the store's configuration is wrong"),
        StoreError::JoinError { .. } => (Internal, "the task that did it has died"),
        _ => judge_answer(error, answer),
    }
}

/// Why credentials were refused. The codes are Amazon's, which the S3-alikes keep.
fn judge_refusal(answer: &Answer) -> &'static str {
    match answer.code.as_deref() {
        Some("InvalidAccessKeyId") => "the store does not know the access key; check AWS_ACCESS_KEY_ID",
        Some("SignatureDoesNotMatch") => {
            "the credentials are wrong: the secret does not fit the access key; check AWS_SECRET_ACCESS_KEY"
        }
        Some("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => {
            "the session token is no longer valid; get a new one"
        }
        Some("RequestTimeTooSkewed") => "this machine's clock is too far from the store's; set it",
        // S3 hides a missing object behind this answer from those who may not list the bucket.
        _ => "the credentials are refused; check them, and that they may list the bucket, get and put",
    }
}

fn judge_answer(error: &StoreError, answer: &Answer) -> (ErrorKind, &'static str) {
    use ErrorKind::{InvalidInput, Unavailable};
    match answer.status {
        // Without credentials the client asks the cloud machine's metadata service, which is not there,
        // or for which somebody else answers.
        _ if answer.text.contains("169.254.") => {
            (Unavailable, "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        }
        _ if answer.code.as_deref() == Some("AuthorizationHeaderMalformed") => {
            (InvalidInput, "the bucket is in another region; set AWS_REGION")
        }
        Some(300..=399) => (InvalidInput, "the bucket is in another region or place; set AWS_REGION"),
        Some(408 | 425 | 429) => (Unavailable, "the store is busy; try again later"),
        _ if answer.asks_for_less() => (Unavailable, "the store failed or is overloaded; try again later"),
        Some(416) => (InvalidInput, "the object is shorter than the range asked for"),
        Some(501) => (InvalidInput, "this server does not have the operation"),
        Some(400..=499) => (InvalidInput, "the store refused the request"),
        Some(_) => (Unavailable, "the store failed or is overloaded; try again later"),
        None => judge_transport(error, &answer.text),
    }
}

fn judge_transport(error: &StoreError, text: &str) -> (ErrorKind, &'static str) {
    use ErrorKind::{InvalidInput, Unavailable};
    if text.contains("Received redirect without LOCATION") {
        return (InvalidInput, "the bucket is in another region; set AWS_REGION");
    }
    if text.contains("InvalidContentType") {
        return (InvalidInput, "the server does not speak TLS on that port; is the endpoint http://?");
    }
    if text.contains("certificate") {
        return (InvalidInput, "the server's TLS certificate is not trusted");
    }
    if text.contains("dns error") {
        return (Unavailable, "the endpoint's name was not found; check it (AWS_ENDPOINT_URL) and the DNS");
    }
    // Local, local in part, memory: each client words it in its own way.
    if ["range was invalid", "Out of range", "Invalid range"].iter().any(|words| text.contains(words)) {
        return (InvalidInput, "the object is shorter than the range asked for");
    }
    match io_cause(error) {
        Some(cause) => judge_io(cause),
        None => (Unavailable, "the store gave no usable answer; try again later"),
    }
}

fn judge_io(error: &io::Error) -> (ErrorKind, &'static str) {
    use ErrorKind::{InvalidInput, NotFound, Unavailable};
    match error.kind() {
        io::ErrorKind::NotFound => (NotFound, "there is no such file or folder"),
        io::ErrorKind::PermissionDenied => {
            (InvalidInput, "permission denied; give this user access to the folder")
        }
        io::ErrorKind::ReadOnlyFilesystem => (InvalidInput, "the file system is read-only"),
        io::ErrorKind::NotADirectory => (InvalidInput, "a part of the path is a file, not a folder"),
        io::ErrorKind::IsADirectory => (InvalidInput, "it is a folder, not a file"),
        io::ErrorKind::InvalidFilename => (InvalidInput, "the name is too long for the file system"),
        io::ErrorKind::Unsupported => (InvalidInput, "the file system does not have the operation"),
        io::ErrorKind::StorageFull => (Unavailable, "the disk is full; make room"),
        io::ErrorKind::QuotaExceeded => (Unavailable, "the disk quota is used up; make room"),
        io::ErrorKind::ConnectionRefused => (
            Unavailable,
            "the connection was refused; check the endpoint (AWS_ENDPOINT_URL) and that the server runs",
        ),
        io::ErrorKind::TimedOut => (Unavailable, "the store did not answer in time; try again later"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            (Unavailable, "the store cannot be reached; check the network")
        }
        _ => (Unavailable, "the store or the way to it failed; try again later"),
    }
}

/// The operating system's error at the root of this one.
fn io_cause(error: &StoreError) -> Option<&io::Error> {
    let mut cause = error.source();
    let mut found = None;
    while let Some(error) = cause {
        // An io::Error made of another error is a wrapper; the innermost one says what happened.
        found = error.downcast_ref::<io::Error>().or(found);
        cause = error.source();
    }
    found
}

/// What the server answered, as far as the client's text tells.
struct Answer {
    text: String,
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
}

impl Answer {
    fn read(error: &StoreError) -> Self {
        let text = report(error);
        let status = text
            .split_once("status code: ")
            .and_then(|(_, rest)| rest.get(..3))
            .and_then(|digits| digits.parse().ok());
        let (code, message) = (element(&text, "Code"), element(&text, "Message"));
        Self { text, status, code, message }
    }

    fn misses_the_bucket(&self) -> bool {
        match self.code.as_deref() {
            // S3, Azure.
            Some("NoSuchBucket" | "ContainerNotFound") => true,
            _ => self.text.contains("bucket does not exist"),
        }
    }

    /// Whether it is a 409 that speaks of another write; Azure's speaks of the object that is there.
    fn is_busy(&self) -> bool {
        self.status == Some(409) && self.code.as_deref() != Some("BlobAlreadyExists")
    }

    /// Whether it is a request for fewer requests. By code too, since some say it with status 200 or 400, and
    /// 509 is what some gateways have for it.
    fn asks_for_less(&self) -> bool {
        let codes = ["TooManyRequests", "ServiceUnavailable", "RequestLimitExceeded", "ServerBusy"];
        let code = self.code.as_deref().unwrap_or_default();
        matches!(self.status, Some(429 | 503 | 509)) || codes.contains(&code) || code.starts_with("SlowDown")
    }

    /// One line for people: the server's status, code and message if it gave them. Its whole error
    /// document would repeat the request and fill a screen.
    fn words(&self) -> String {
        let said = match (self.status, &self.code) {
            (Some(status), Some(code)) => {
                format!("the server answered {status} {code}: {}", self.message.as_deref().unwrap_or("-"))
            }
            _ => self.text.clone(),
        };
        let line: Vec<&str> = said.split_whitespace().collect();
        line.join(" ").chars().take(WORDS).collect()
    }
}

/// The text of the first such element of an XML document.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner.to_owned())
}

/// A client's error as text: its own type tells a caller nothing more.
#[derive(Debug)]
struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Cause {}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
