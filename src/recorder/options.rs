//! What the caller chooses.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{SharedChance, SharedClock, SystemChance, SystemClock};
use crate::ids::{MediaKind, OutputName, Uid};
use crate::media::Container;
use crate::naming::Prefix;
use crate::slicer::SlicingRules;
use crate::time::WallTime;
use crate::upload::Limits;

/// Where segments wait until they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Spool {
    /// A folder in a local store itself, so that nothing is copied; else in the user's state folder.
    #[default]
    Usual,
    /// A folder of its own in this one.
    Folder(PathBuf),
    /// Memory, for workers without a disk: what is not stored is lost with the process.
    Memory,
}

/// How to record.
#[derive(Debug, Clone)]
pub struct Options {
    /// When segments end.
    pub rules: SlicingRules,
    /// Folders before every name in the store. A recording that is resumed keeps its own; another one here
    /// is an error.
    pub prefix: Prefix,
    /// Where segments wait until they are stored.
    pub spool: Spool,
    /// Uploads under way at once.
    pub limits: Limits,
    /// Segments of an output that may wait in the spool; then writing waits too.
    pub max_waiting_segments: usize,
    /// How long stopping waits for a store that does not serve, from its last answer on.
    pub stop_patience: Duration,
    /// A recording that another worker claimed less than this ago is not taken over: of several who are told
    /// to at the same time, one is to have it. Zero for callers who know better.
    pub respite: Duration,
    /// The clock to go by.
    pub clock: SharedClock,
    /// Where random numbers come from.
    pub chance: SharedChance,
}

impl Default for Options {
    /// The rules' defaults; 1024 segments may wait (four hours of 15 s each), and stopping waits a minute.
    fn default() -> Self {
        Self {
            rules: SlicingRules::default(),
            prefix: Prefix::default(),
            spool: Spool::Usual,
            limits: Limits::default(),
            max_waiting_segments: 1024,
            stop_patience: Duration::from_secs(60),
            respite: Duration::ZERO,
            clock: SystemClock::shared(),
            chance: Arc::new(SystemChance),
        }
    }
}

/// One output to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputSpec {
    pub(super) name: OutputName,
    pub(super) container: Container,
    pub(super) start: Option<WallTime>,
    pub(super) program: Option<u16>,
}

impl OutputSpec {
    /// The mixed stream of the channel.
    pub fn composite(container: Container) -> Self {
        Self { name: OutputName::Composite, container, start: None, program: None }
    }

    /// One user's audio or video.
    pub fn individual(uid: Uid, kind: MediaKind, container: Container) -> Self {
        Self { name: OutputName::Individual(uid, kind), ..Self::composite(container) }
    }

    /// The date of the first frame, for media that was recorded earlier. Without it, dates come from when
    /// bytes arrive.
    #[must_use]
    pub fn start_time(mut self, date: WallTime) -> Self {
        self.start = Some(date);
        self
    }

    /// The program of a transport stream to record; without it the first.
    #[must_use]
    pub fn program(mut self, number: u16) -> Self {
        self.program = Some(number);
        self
    }
}
