//! What the caller chooses.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{SharedChance, SharedClock, SystemChance, SystemClock};
use crate::ids::{MediaKind, OutputName, Uid};
use crate::media::{Container, Track};
use crate::naming::Prefix;
use crate::slicer::SlicingRules;
use crate::spool::{Room, SpoolBase};
use crate::time::WallTime;
use crate::upload::Limits;

/// Where segments wait until they are stored.
#[derive(Debug, Clone, Default)]
pub enum Spool {
    /// In a local store itself, so that nothing is copied; else in the user's state folder.
    #[default]
    Usual,
    /// In this place. Memory is for workers without a disk: what is not stored is lost with the process.
    In(SpoolBase),
}

/// What to do when the spool, or its disk, is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// Give up the oldest segment that is not being stored, for an input that cannot wait: a gap takes its place.
    Drop,
    /// Make the input wait, and already when so many segments of an output wait for the store.
    Wait {
        /// How many.
        segments: usize,
    },
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
    /// Bytes that this recording may have in the spool.
    pub spool_limit: u64,
    /// The account of all recordings of this worker, if they share one: this recording's bytes count in it.
    pub worker_room: Option<Room>,
    /// What to do when there is no room left, or none on the disk.
    pub on_full: OnFull,
    /// How long stopping waits for a store that does not serve, from its last answer on.
    pub stop_patience: Duration,
    /// A recording that another worker claimed less than this ago is not taken over: of several who are told
    /// to at the same time, one is to have it. Zero for callers who know better.
    pub respite: Duration,
    /// Playlists have the tags of the hosted services that tell where streams begin and how large pictures are
    /// ([`CompatTags`](crate::playlist::CompatTags)): scripts for their recordings read them.
    pub compat_tags: bool,
    /// The recording uid under which this turn joins the channel; by default a random one.
    pub uid: Option<Uid>,
    /// Whose lease tells whether this process lives, where a centre watches over it.
    pub lease: Option<String>,
    /// A recording is taken over only while its epoch is this: what was judged must not have changed.
    pub epoch: Option<u64>,
    /// The clock to go by.
    pub clock: SharedClock,
    /// Where random numbers come from.
    pub chance: SharedChance,
}

impl Default for Options {
    /// The rules' defaults; a spool of at most 8 GiB (three hours of 6 Mb/s), of which the oldest is given up when
    /// it is full; stopping waits a minute.
    fn default() -> Self {
        Self {
            rules: SlicingRules::default(),
            prefix: Prefix::default(),
            spool: Spool::Usual,
            limits: Limits::default(),
            spool_limit: 8 << 30,
            worker_room: None,
            on_full: OnFull::Drop,
            stop_patience: Duration::from_secs(60),
            respite: Duration::ZERO,
            compat_tags: false,
            uid: None,
            lease: None,
            epoch: None,
            clock: SystemClock::shared(),
            chance: Arc::new(SystemChance),
        }
    }
}

impl OnFull {
    /// For inputs that can wait as well as the store can, such as files: a few segments ahead of it.
    pub const USUAL_WAIT: Self = Self::Wait { segments: 8 };
}

/// One output to record: of a container's bytes, or, where it has tracks, of encoded frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputSpec {
    pub(super) name: OutputName,
    pub(super) container: Container,
    pub(super) start: Option<WallTime>,
    pub(super) program: Option<u16>,
    pub(super) tracks: Vec<Track>,
}

impl OutputSpec {
    /// The mixed stream of the channel.
    pub fn composite(container: Container) -> Self {
        Self { name: OutputName::Composite, container, start: None, program: None, tracks: Vec::new() }
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

    /// Adds a track of encoded frames. Frames name it by its place: the first added is 0.
    #[must_use]
    pub fn track(mut self, track: Track) -> Self {
        self.tracks.push(track);
        self
    }
}
