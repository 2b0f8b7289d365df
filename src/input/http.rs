//! A stream or a file behind HTTP.
//!
//! An answer that states its length is a file: it has an end, and its bytes no date. One that does not is
//! a live stream.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use reqwest::header::LAST_MODIFIED;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::time::WallTime;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the server may think before it answers; the stream itself may then be silent for any time.
const ANSWER: Duration = Duration::from_secs(30);
/// See the TCP input.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How many redirects are followed.
const REDIRECTS: usize = 5;

/// Reads the body of one answer.
#[derive(Debug)]
pub(super) struct HttpReader {
    response: Option<Response>,
    is_file: bool,
    modified: Option<WallTime>,
}

impl HttpReader {
    /// Asks for `url`; `name` stands for it in messages.
    pub async fn get(name: &str, url: Url, clock: &dyn Clock) -> Result<Self> {
        let policy = Policy::custom(|attempt| {
            let odd = !matches!(attempt.url().scheme(), "http" | "https");
            if odd || attempt.previous().len() > REDIRECTS {
                attempt.error("the server redirects too often, or to something that is not HTTP")
            } else {
                attempt.follow()
            }
        });
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .tcp_keepalive(KEEPALIVE)
            .redirect(policy)
            .user_agent(concat!("tapeline/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "cannot set up the HTTP client").with_source(error)
            })?;
        let response = tokio::select! {
            response = client.get(url).send() => response.map_err(|error| cannot_get(name, error))?,
            () = clock.sleep(ANSWER) => {
                let message = format!("cannot read {name}: the server did not answer within 30 s; try again later");
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
        };
        check_status(name, response.status())?;
        let modified = response.headers().get(LAST_MODIFIED).and_then(|value| value.to_str().ok());
        let modified = modified.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        let is_file = response.content_length().is_some();
        Ok(Self {
            response: Some(response),
            is_file,
            modified: modified.map(|date| WallTime::from_millis(date.timestamp_millis())),
        })
    }

    pub fn is_file(&self) -> bool {
        self.is_file
    }

    /// The date of a file; a live stream's says nothing.
    pub fn modified(&self) -> Option<WallTime> {
        self.modified.filter(|_| self.is_file)
    }

    pub async fn next(&mut self, name: &str) -> Result<Option<Bytes>> {
        while let Some(response) = &mut self.response {
            match response.chunk().await {
                Ok(Some(bytes)) if bytes.is_empty() => {}
                Ok(Some(bytes)) => return Ok(Some(bytes)),
                Ok(None) => self.response = None,
                Err(error) => {
                    self.response = None;
                    let message = format!("{name} broke off before its end; try again later");
                    return Err(Error::new(ErrorKind::Unavailable, message).with_source(error.without_url()));
                }
            }
        }
        Ok(None)
    }
}

fn check_status(name: &str, status: StatusCode) -> Result<()> {
    let (kind, advice) = match status.as_u16() {
        200..=299 => return Ok(()),
        404 | 410 => (ErrorKind::NotFound, "there is nothing at that address; check the URL"),
        401 | 403 | 407 => (ErrorKind::InvalidInput, "access is denied; check the URL and its credentials"),
        408 | 425 | 429 | 500..=599 => {
            (ErrorKind::Unavailable, "the server does not serve now; try again later")
        }
        _ => (ErrorKind::InvalidInput, "the server refuses the request; check the URL"),
    };
    Err(Error::new(kind, format!("cannot read {name}: the server answered {status}: {advice}")))
}

fn cannot_get(name: &str, error: reqwest::Error) -> Error {
    // What a URL holds may be secret; it must not come back in through the cause.
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&error.to_string());
        cause = error.source();
    }
    let (kind, advice) = if error.is_redirect() {
        (ErrorKind::InvalidInput, "the server redirects too often, or to something that is not HTTP")
    } else if text.contains("dns error") {
        (ErrorKind::Unavailable, "the server's name was not found; check it, and this machine's DNS")
    } else if text.contains("certificate") {
        (ErrorKind::InvalidInput, "the server's TLS certificate is not trusted")
    } else if text.contains("refused") {
        (ErrorKind::Unavailable, "the connection was refused; is the server running on that port?")
    } else if error.is_timeout() {
        (ErrorKind::Unavailable, "no answer within 10 s; check the address and the firewalls between")
    } else {
        (ErrorKind::Unavailable, "the server or the way to it failed; try again later")
    };
    Error::new(kind, format!("cannot read {name}: {advice}")).with_source(error)
}
