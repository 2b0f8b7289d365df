//! [`Sources`]: how a worker joins what a request names, whichever worker that is.

use std::fmt;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::open::open;
use super::shown::shown;
use super::source::{Source, no_layouts};
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{RecordingId, Uid};
use crate::store::split_scheme;

/// Who joins what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// The source, as it was asked for.
    pub source: String,
    /// The recording that it is joined for.
    pub recording: RecordingId,
    /// The random recording uid of this turn at the recording: another worker that still joins under an older one is another
    /// user.
    pub uid: Uid,
}

/// Joins sources. A worker with a media server of its own brings its own; [`Inputs`] opens URLs.
pub trait Sources: Send + Sync + fmt::Debug {
    /// Whether such a source could be joined, as far as its name tells. Nothing is asked of the network.
    ///
    /// # Errors
    /// `InvalidInput`, with the reason.
    fn check(&self, source: &str) -> Result<()>;

    /// Joins.
    ///
    /// # Errors
    /// `Unavailable` for what may work later, or from another node; `InvalidInput` and `NotFound` for what cannot be right.
    fn join<'a>(&'a self, joining: &'a Joining) -> BoxFuture<'a, Result<Box<dyn Source>>>;

    /// Whether such a source could be given this layout.
    ///
    /// # Errors
    /// `InvalidInput`, with the reason.
    fn check_layout(&self, source: &str, layout: &Value) -> Result<()> {
        let _ = layout;
        Err(no_layouts(&shown(source)))
    }
}

/// Opens an input of any kind.
///
/// # Errors
/// As [`open`].
pub async fn open_source(spec: &str, clock: &SharedClock) -> Result<Box<dyn Source>> {
    match split_scheme(spec) {
        Some(("rtsp", _)) => join_rtsp(spec, clock).await,
        _ => Ok(Box::new(open(spec, clock.clone()).await?)),
    }
}

#[cfg(feature = "rtsp")]
async fn join_rtsp(spec: &str, clock: &SharedClock) -> Result<Box<dyn Source>> {
    Ok(Box::new(super::rtsp::RtspSource::join(spec, clock).await?))
}

#[cfg(not(feature = "rtsp"))]
async fn join_rtsp(_: &str, _: &SharedClock) -> Result<Box<dyn Source>> {
    let message = "this program was built without rtsp:// inputs; build it with --features rtsp";
    Err(Error::new(ErrorKind::InvalidInput, message))
}

/// Files and URLs, which every node can open. They have no layouts.
#[derive(Debug)]
pub struct Inputs {
    clock: SharedClock,
}

impl Inputs {
    /// Inputs whose bytes are dated by `clock`.
    pub fn new(clock: SharedClock) -> Self {
        Self { clock }
    }
}

impl Sources for Inputs {
    fn check(&self, source: &str) -> Result<()> {
        if source.is_empty() || source == "-" {
            let message = "the source must be one that every node can reach: a URL, or a file's path";
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(())
    }

    fn join<'a>(&'a self, joining: &'a Joining) -> BoxFuture<'a, Result<Box<dyn Source>>> {
        Box::pin(async move { open_source(&joining.source, &self.clock).await })
    }
}
