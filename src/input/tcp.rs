//! One TCP connection, made by us or accepted from a sender.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};

use super::open::cannot_read;
use super::pool::Pool;
use super::udp::cannot_bind;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// Idle buffers kept.
const KEEP: usize = 2;
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection is silent before the kernel asks whether the other side still lives: a sender
/// that lost its power never says goodbye.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Reads a TCP connection.
#[derive(Debug)]
pub(super) struct TcpReader {
    state: State,
    pool: Arc<Pool>,
}

#[derive(Debug)]
enum State {
    Listening(TcpListener),
    Connected(TcpStream),
    /// Broken off behind the last bytes: the kernel tells that only once.
    Broken(io::Error),
    Ended,
}

impl TcpReader {
    fn new(state: State) -> Self {
        Self { state, pool: Pool::new(CHUNK, KEEP) }
    }

    /// Connects to the first of `addresses` that answers.
    pub async fn connect(name: &str, addresses: &[SocketAddr], clock: &dyn Clock) -> Result<Self> {
        let connected = tokio::select! {
            connected = TcpStream::connect(addresses) => connected,
            () = clock.sleep(CONNECT) => Err(io::ErrorKind::TimedOut.into()),
        };
        let stream = connected.map_err(|error| cannot_connect(name, error))?;
        keep_alive(&stream);
        Ok(Self::new(State::Connected(stream)))
    }

    /// Listens; the first sender is accepted by the first [`next`](Self::next), and no other.
    pub async fn listen(name: &str, address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| cannot_bind(name, address, error))?;
        Ok(Self::new(State::Listening(listener)))
    }

    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.state {
            State::Listening(listener) => listener.local_addr().ok(),
            State::Connected(stream) => stream.local_addr().ok(),
            State::Broken(_) | State::Ended => None,
        }
    }

    pub async fn next(&mut self, name: &str) -> Result<Option<Bytes>> {
        if let State::Listening(listener) = &self.state {
            let (stream, peer) = listener.accept().await.map_err(|error| cannot_read(name, error))?;
            tracing::info!(input = name, %peer, "sender connected");
            keep_alive(&stream);
            self.state = State::Connected(stream);
        }
        let read = match &self.state {
            State::Connected(stream) => read_some(stream, &self.pool).await,
            _ => match std::mem::replace(&mut self.state, State::Ended) {
                State::Broken(error) => Err(error),
                _ => return Ok(None),
            },
        };
        let (bytes, after) = match read {
            Ok(Read { bytes: Some(bytes), then: None }) => return Ok(Some(bytes)),
            Ok(Read { bytes: Some(bytes), then: Some(error) }) => (Ok(Some(bytes)), State::Broken(error)),
            Ok(Read { bytes: None, .. }) => (Ok(None), State::Ended),
            Err(error) => (Err(cannot_read(name, error)), State::Ended),
        };
        self.state = after;
        bytes
    }
}

/// What a connection gave.
struct Read {
    /// `None` at the end.
    bytes: Option<Bytes>,
    /// What broke it off behind the bytes.
    then: Option<io::Error>,
}

/// Waits for bytes and takes all that are there, up to a chunk.
async fn read_some(stream: &TcpStream, pool: &Arc<Pool>) -> io::Result<Read> {
    loop {
        stream.readable().await?;
        let mut filled = pool.take();
        let then = loop {
            let room = filled.room();
            if room.is_empty() {
                break None;
            }
            match stream.try_read(room) {
                Ok(0) if filled.len() == 0 => return Ok(Read { bytes: None, then: None }),
                // The end comes again with the next read.
                Ok(0) => break None,
                Ok(count) => filled.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break None,
                Err(error) if filled.len() == 0 => return Err(error),
                Err(error) => break Some(error),
            }
        };
        if filled.len() > 0 {
            return Ok(Read { bytes: Some(filled.into_bytes()), then });
        }
    }
}

fn keep_alive(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&keepalive) {
        tracing::debug!(%error, "no TCP keepalive");
    }
}

fn cannot_connect(name: &str, error: io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "the connection was refused; is the sender running and listening there?"
        }
        io::ErrorKind::TimedOut => "no answer within 10 s; check the address and the firewalls between",
        _ => "the network does not let it; check the address and the network",
    };
    Error::new(ErrorKind::Unavailable, format!("cannot connect to {name}: {advice}")).with_source(error)
}
