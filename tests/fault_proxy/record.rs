//! What the proxy did, for tests to look at.

use std::fmt;
use std::time::Duration;

use super::script::{Asked, Decision, Kind};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When its head had come, since the proxy was started.
    pub at: Duration,
    /// In capitals.
    pub method: String,
    /// The path without its leading `/`, with the bucket.
    pub key: String,
    /// What was decided; rates aside. Empty: it is handed on.
    pub faults: Vec<Kind>,
    /// The status that the server answered with, if it was asked and did.
    pub server: Option<u16>,
    /// The status whose answer was handed to the client whole.
    pub client: Option<u16>,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:9.3} {:6} {}", self.at.as_secs_f64(), self.method, self.key)?;
        for fault in &self.faults {
            write!(f, " {fault}")?;
        }
        for (who, status) in [("server", self.server), ("client", self.client)] {
            match status {
                Some(status) => write!(f, " {who} {status}")?,
                None => write!(f, " {who} -")?,
            }
        }
        Ok(())
    }
}

/// What went through, in bytes of heads and bodies, and what did not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// To the server.
    pub up: u64,
    /// From the server.
    pub down: u64,
    /// How often nobody listened any more.
    pub absences: u64,
    /// Open connections that were reset then.
    pub reset: u64,
}

/// Entries and totals.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub entries: Vec<Entry>,
    pub totals: Totals,
}

impl Record {
    /// A request has come; returns its number here.
    pub fn begin(&mut self, at: Duration, asked: &Asked, decision: &Decision) -> usize {
        let Asked { method, key } = asked.clone();
        self.entries.push(Entry {
            at,
            method,
            key,
            faults: decision.kinds.clone(),
            server: None,
            client: None,
        });
        self.entries.len() - 1
    }
}
