//! Feeding bytes at a pace, as a sender would, and what becomes of datagrams on the way.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use tapeline::clock::{Clock, SystemClock};

/// Seven packets, as senders put them into a datagram.
pub const DATAGRAM: usize = 7 * 188;

/// Hands out `bytes` in datagram-sized pieces, evenly over `length`. Ends where `give` takes no more.
fn paced(bytes: &[u8], length: Duration, mut give: impl FnMut(&[u8]) -> std::io::Result<()>) {
    let clock = SystemClock::new();
    let pieces = u32::try_from(bytes.len().div_ceil(DATAGRAM)).expect("a small input");
    for (number, piece) in (0..pieces).zip(bytes.chunks(DATAGRAM)) {
        let due = length * number / pieces;
        std::thread::sleep(due.saturating_sub(clock.monotonic()));
        if give(piece).is_err() {
            return;
        }
    }
}

/// Writes `bytes` evenly over `length`, or until the reader is gone.
pub fn feed(mut to: impl Write, bytes: &[u8], length: Duration) {
    paced(bytes, length, |piece| to.write_all(piece).and_then(|()| to.flush()));
}

/// Sends `bytes` evenly over `length`.
pub fn send_datagrams(to: &UdpSocket, bytes: &[u8], length: Duration) {
    paced(bytes, length, |piece| to.send(piece).map(drop));
}

/// An address that nobody has now.
pub fn free_udp_address() -> SocketAddr {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// What the kernel does for a UDP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpQueue {
    /// Bytes that came and are not read yet, with what the kernel needs for them.
    pub waiting: u64,
    /// Datagrams that it had no room for.
    pub dropped: u64,
}

/// Of the socket at that address, if there is one (Linux).
pub fn udp_queue(address: SocketAddr) -> Option<UdpQueue> {
    let port = format!(":{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/net/udp").expect("the kernel's table of sockets");
    let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1).is_some_and(|local| local.ends_with(&port)))?;
    let waiting = u64::from_str_radix(row[4].split_once(':')?.1, 16).ok()?;
    Some(UdpQueue { waiting, dropped: row.last()?.parse().ok()? })
}
