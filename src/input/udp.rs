//! Datagrams, from one address or a multicast group.
//!
//! All datagrams that have arrived are taken at once and joined into one chunk, which at a high rate saves
//! most of the cost of each. Datagrams are lost when nobody reads for longer than the kernel's buffer
//! lasts, so a large one is asked for; Linux grants at most `net.core.rmem_max`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::open::cannot_read;
use super::pool::{Filled, Pool};
use super::rtp;
use crate::error::{Error, ErrorKind, Result};

/// How much is joined into one chunk, in bytes.
const BATCH: usize = 64 * 1024;
/// The largest datagram there is; what has no room for one would cut it short.
const DATAGRAM: usize = 64 * 1024;
/// Idle buffers kept.
const KEEP: usize = 2;
/// What is asked of the kernel, in bytes: two seconds at 16 Mb/s.
const KERNEL_BUFFER: usize = 4 * 1024 * 1024;

/// Receives datagrams.
#[derive(Debug)]
pub(super) struct UdpReader {
    socket: UdpSocket,
    pool: Arc<Pool>,
}

impl UdpReader {
    /// Binds `address`, or joins it if it is a group, on the interface of that name, index or address.
    pub fn bind(name: &str, address: SocketAddr, interface: Option<&str>) -> Result<Self> {
        let interface = interface.map(find_interface).transpose()?;
        let socket = bind(address, interface).map_err(|error| cannot_bind(name, address, error))?;
        if let Ok(granted) = socket.recv_buffer_size() {
            tracing::debug!(input = name, bytes = granted, asked = KERNEL_BUFFER, "UDP receive buffer");
        }
        let socket = UdpSocket::from_std(socket.into()).map_err(|error| cannot_bind(name, address, error))?;
        Ok(Self { socket, pool: Pool::new(BATCH + DATAGRAM, KEEP) })
    }

    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    pub async fn next(&mut self, name: &str) -> Result<Option<Bytes>> {
        loop {
            self.socket.readable().await.map_err(|error| cannot_read(name, error))?;
            let mut filled = self.pool.take();
            let outcome = self.take_all(&mut filled);
            if filled.len() > 0 {
                return Ok(Some(filled.into_bytes()));
            }
            outcome.map_err(|error| cannot_read(name, error))?;
        }
    }

    /// Takes what is ready, up to a batch.
    fn take_all(&self, filled: &mut Filled) -> io::Result<()> {
        while filled.len() < BATCH {
            let room = filled.room();
            let length = match self.socket.try_recv(room) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let payload = rtp::payload(room.get(..length).unwrap_or_default());
            let kept = payload.len();
            if payload.start > 0 {
                room.copy_within(payload, 0);
            }
            filled.advance(kept);
        }
        Ok(())
    }
}

/// Where to join a group.
#[derive(Debug, Clone, Copy)]
enum Interface {
    Index(u32),
    Address(Ipv4Addr),
}

fn bind(address: SocketAddr, interface: Option<Interface>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // The kernel grants less where it is limited; that is no reason to refuse the input.
    let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
    if address.ip().is_multicast() {
        // Several programs may listen to one group. Not so for one address: a second receiver would
        // take the first one's datagrams.
        socket.set_reuse_address(true)?;
    }
    // Binding the group's own address keeps other groups of the same port out.
    socket.bind(&address.into())?;
    match (address.ip(), interface) {
        (group, _) if !group.is_multicast() => {}
        (IpAddr::V4(group), interface) => {
            let interface = match interface {
                Some(Interface::Index(index)) => InterfaceIndexOrAddress::Index(index),
                Some(Interface::Address(address)) => InterfaceIndexOrAddress::Address(address),
                None => InterfaceIndexOrAddress::Address(Ipv4Addr::UNSPECIFIED),
            };
            socket.join_multicast_v4_n(&group, &interface)?;
        }
        (IpAddr::V6(group), Some(Interface::Index(index))) => socket.join_multicast_v6(&group, index)?,
        (IpAddr::V6(group), _) => socket.join_multicast_v6(&group, 0)?,
    }
    Ok(socket)
}

/// Reads an interface's address, index or name. Names are looked up where Linux lists them.
fn find_interface(text: &str) -> Result<Interface> {
    if let Ok(address) = text.parse() {
        return Ok(Interface::Address(address));
    }
    if let Ok(index) = text.parse() {
        return Ok(Interface::Index(index));
    }
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@'));
    let listed = if plain && !text.contains("..") {
        std::fs::read_to_string(format!("/sys/class/net/{text}/ifindex")).ok()
    } else {
        None
    };
    listed.and_then(|index| index.trim().parse().ok()).map(Interface::Index).ok_or_else(|| {
        let message = format!("no network interface {text:?}: give its name, its index or its IPv4 address");
        Error::new(ErrorKind::InvalidInput, message)
    })
}

/// Why an address could not be bound, for UDP and TCP.
pub(super) fn cannot_bind(name: &str, address: SocketAddr, error: io::Error) -> Error {
    let (kind, advice) = match error.kind() {
        io::ErrorKind::AddrInUse => {
            (ErrorKind::Unavailable, "another program has that port; end it or take another")
        }
        io::ErrorKind::AddrNotAvailable => (
            ErrorKind::InvalidInput,
            "this machine does not have that address; write @ and the port alone for all of its addresses",
        ),
        io::ErrorKind::PermissionDenied => {
            (ErrorKind::InvalidInput, "permission denied; take a port above 1023")
        }
        io::ErrorKind::NotFound => {
            (ErrorKind::InvalidInput, "no interface for that group; name one with ?iface=")
        }
        _ => (
            ErrorKind::Unavailable,
            "the network does not let it; check the address, and ?iface= for a group",
        ),
    };
    Error::new(kind, format!("cannot receive {name} on {address}: {advice}")).with_source(error)
}
