//! Feeding bytes at a pace, as a sender would.

use std::io::Write;
use std::net::UdpSocket;
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
