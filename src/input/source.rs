//! [`Source`]: one type over all kinds of input, so that a recorder need not know which it has.

use std::net::SocketAddr;

use bytes::Bytes;

use super::file::FileReader;
#[cfg(feature = "http")]
use super::http::HttpReader;
use super::pipe::PipeReader;
use super::tcp::TcpReader;
use super::udp::UdpReader;
use crate::clock::SharedClock;
use crate::error::Result;
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

/// An open input.
#[derive(Debug)]
pub struct Source {
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

impl Source {
    pub(super) fn new(kind: Kind, name: String, clock: SharedClock) -> Self {
        Self { kind, name, clock }
    }

    /// The next bytes, or `None` at the end of the input. UDP has no end.
    ///
    /// May be dropped while it waits, as `select!` does: no byte is lost.
    ///
    /// # Errors
    /// `Unavailable` when a connection breaks or a device fails. The source is then at its end.
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
