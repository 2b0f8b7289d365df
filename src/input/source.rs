//! [`Source`]: where a recording's media comes from, so that a recorder need not know which kind it has, and
//! [`Input`], the one over all kinds that this library reads itself.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::file::FileReader;
#[cfg(feature = "http")]
use super::http::HttpReader;
use super::pipe::PipeReader;
use super::tcp::TcpReader;
use super::udp::UdpReader;
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::OutputName;
use crate::media::{Container, Frame, Track};
use crate::time::WallTime;

/// Bytes as they came, never empty. Where one chunk ends means nothing for files, pipes and TCP; a UDP
/// chunk holds whole datagrams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The bytes.
    pub bytes: Bytes,
    /// When they arrived; `None` for a file, whose bytes have no date of their own.
    pub arrived: Option<WallTime>,
}

/// What a source gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// Bytes of MPEG-TS or WebM: the composite output, which begins with the first of them.
    Bytes(Chunk),
    /// An output of encoded frames begins, or goes on with other tracks.
    Begin(Stream),
    /// A frame of an output that has begun, and when it arrived.
    Frame(OutputName, Frame, Option<WallTime>),
    /// An output has nothing more for now: its playlist says so, and is to go on with [`Begin`](Self::Begin).
    End(OutputName),
}

impl Media {
    /// Bytes of media in it.
    pub fn size(&self) -> usize {
        match self {
            Self::Bytes(chunk) => chunk.bytes.len(),
            Self::Frame(_, frame, _) => frame.data.len(),
            Self::Begin(_) | Self::End(_) => 0,
        }
    }

    /// Keeps the first `length` bytes of a container, and gives the rest, if there is any. Frames stay whole.
    #[must_use]
    pub fn split_off(&mut self, length: usize) -> Option<Self> {
        match self {
            Self::Bytes(chunk) if chunk.bytes.len() > length => {
                Some(Self::Bytes(Chunk { bytes: chunk.bytes.split_off(length), arrived: chunk.arrived }))
            }
            _ => None,
        }
    }
}

/// An output of encoded frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The composite output, or one user's audio or video.
    pub name: OutputName,
    /// What its segments are.
    pub container: Container,
    /// Its tracks. Frames name them by their place.
    pub tracks: Vec<Track>,
}

/// Where media comes from: a URL that was opened, or what a worker with its own media server has joined.
///
/// ```
/// use futures_util::future::BoxFuture;
/// use tapeline::input::{Media, Source};
///
/// /// A channel of a media server.
/// #[derive(Debug)]
/// struct Channel(tokio::sync::mpsc::Receiver<Media>);
///
/// impl Source for Channel {
///     fn next(&mut self) -> BoxFuture<'_, tapeline::Result<Option<Media>>> {
///         Box::pin(async { Ok(self.0.recv().await) })
///     }
///     fn is_live(&self) -> bool {
///         true
///     }
///     fn describe(&self) -> &str {
///         "the channel"
///     }
/// }
/// ```
pub trait Source: Send + fmt::Debug {
    /// What comes next, or `None` at the end.
    ///
    /// May be dropped while it waits, as `select!` does: nothing may be lost by that.
    ///
    /// # Errors
    /// `Unavailable` where the source is lost, and may be joined again. It is then at its end.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Media>>>;

    /// Whether media comes at its own pace, so that its arrival says what time it shows.
    fn is_live(&self) -> bool;

    /// What it is, for people, without credentials.
    fn describe(&self) -> &str;

    /// Whether a reader may take its time without losing anything.
    fn waits(&self) -> bool {
        false
    }

    /// When what is read was last changed, for a file.
    fn file_time(&self) -> Option<WallTime> {
        None
    }

    /// Bytes that it has in all, where that is known.
    fn size(&self) -> Option<u64> {
        None
    }

    /// Changes how the users of a composite stream are placed in the picture. The layout is what an API was sent.
    ///
    /// # Errors
    /// `InvalidInput` for a source that has no layouts, or not that one.
    fn update_layout<'a>(&'a mut self, layout: &'a Value) -> BoxFuture<'a, Result<()>> {
        let _ = layout;
        let refused = Err(no_layouts(self.describe()));
        Box::pin(async { refused })
    }
}

/// The error of a source without layouts.
pub(super) fn no_layouts(source: &str) -> Error {
    let message = format!("{source} has no layouts: its picture is recorded as it comes");
    Error::new(ErrorKind::InvalidInput, message)
}

/// An open file, pipe, device or connection.
#[derive(Debug)]
pub struct Input {
    kind: Kind,
    name: String,
    clock: SharedClock,
}

/// The kinds of input.
#[derive(Debug)]
pub(super) enum Kind {
    File(FileReader),
    Pipe(PipeReader),
    Udp(UdpReader),
    Tcp(TcpReader),
    #[cfg(feature = "http")]
    Http(HttpReader),
}

impl Input {
    pub(super) fn new(kind: Kind, name: String, clock: SharedClock) -> Self {
        Self { kind, name, clock }
    }

    /// The next bytes, or `None` at the end of the input. UDP has no end.
    ///
    /// May be dropped while it waits, as `select!` does: no byte is lost.
    ///
    /// # Errors
    /// `Unavailable` when a connection breaks or a device fails. The input is then at its end.
    pub async fn next(&mut self) -> Result<Option<Chunk>> {
        let bytes = match &mut self.kind {
            Kind::File(file) => file.next(&self.name),
            Kind::Pipe(pipe) => pipe.next(&self.name).await,
            Kind::Udp(udp) => udp.next(&self.name).await,
            Kind::Tcp(tcp) => tcp.next(&self.name).await,
            #[cfg(feature = "http")]
            Kind::Http(http) => http.next(&self.name).await,
        }?;
        let arrived = self.is_live().then(|| self.clock.wall());
        Ok(bytes.map(|bytes| Chunk { bytes, arrived }))
    }

    /// Whether the bytes come at their own pace, so that their arrival says what time they show: pipes,
    /// sockets, and HTTP without a stated length.
    pub fn is_live(&self) -> bool {
        match &self.kind {
            Kind::File(_) => false,
            Kind::Pipe(_) | Kind::Udp(_) | Kind::Tcp(_) => true,
            #[cfg(feature = "http")]
            Kind::Http(http) => !http.is_file(),
        }
    }

    /// Whether a reader may take its time without losing anything: files and pipes. A network sender
    /// that is held up drops what it cannot send.
    pub fn waits(&self) -> bool {
        match &self.kind {
            Kind::File(_) | Kind::Pipe(_) => true,
            Kind::Udp(_) | Kind::Tcp(_) => false,
            #[cfg(feature = "http")]
            Kind::Http(http) => http.is_file(),
        }
    }

    /// When a file, here or behind HTTP, was last changed.
    pub fn file_time(&self) -> Option<WallTime> {
        match &self.kind {
            Kind::File(file) => file.modified(),
            #[cfg(feature = "http")]
            Kind::Http(http) => http.modified(),
            _ => None,
        }
    }

    /// Bytes of a local file when it was opened, from its begin.
    pub fn size(&self) -> Option<u64> {
        match &self.kind {
            Kind::File(file) => Some(file.size()),
            _ => None,
        }
    }

    /// Where a UDP or a listening TCP input can be reached; tells the port that `:0` became.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Udp(udp) => udp.local_addr(),
            Kind::Tcp(tcp) => tcp.local_addr(),
            _ => None,
        }
    }

    /// What the input is, for people: its path or URL, without credentials.
    pub fn describe(&self) -> &str {
        &self.name
    }
}

impl Source for Input {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Media>>> {
        Box::pin(async { Ok(Self::next(self).await?.map(Media::Bytes)) })
    }

    fn is_live(&self) -> bool {
        Self::is_live(self)
    }

    fn describe(&self) -> &str {
        Self::describe(self)
    }

    fn waits(&self) -> bool {
        Self::waits(self)
    }

    fn file_time(&self) -> Option<WallTime> {
        Self::file_time(self)
    }

    fn size(&self) -> Option<u64> {
        Self::size(self)
    }
}
