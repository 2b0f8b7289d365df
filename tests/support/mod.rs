//! What the tests of the program share: running it, its events, what it leaves, tools that may be missing.
//!
//! Nothing here sleeps for a fixed time: [`program`] waits for events, files and ends, and gives up after
//! [`PATIENCE`], which no machine in use needs.

#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

mod browser;
mod feed;
mod fixture;
mod mount;
mod place;
mod program;
mod proof;
mod recording;
mod tools;
mod units;
mod wait;

pub use browser::{in_browser, play};
pub use feed::{DATAGRAM, UdpQueue, feed, free_udp_address, send_datagrams, udp_queue};
pub use fixture::{FIXTURES, Fixture, fixture, fixture_bytes};
pub use mount::SmallDisk;
pub use place::{Objects, Place, Said, block_on, lay_out};
pub use program::{Ended, Record, Running};
pub use proof::{Proven, assert_kept, control, media, prove, salvaged, wait_out_the_last_claim};
pub use recording::{Recording, all_files, committed_tail, files};
pub use tools::{decode_segments, judge_segments, skip, tool};
pub use units::{Unit, units};
pub use wait::{PATIENCE, until};

/// The date that recordings begin at where it must be the same twice.
pub const START: &str = "2026-01-02T03:04:05.678Z";
