//! What stitching works on: the pieces that each turn at a recording left of one output.
//!
//! A [`Turn`] is one list of pieces: what one generation has of an output, or one of several playlists given by name.
//! A piece is a segment, or a gap where one should be, with whatever is known of it: our own lists tell media times
//! and dates, foreign ones perhaps nothing. Pure data; nothing here is checked against a store.

use serde::Serialize;

use crate::checksum::Crc64;
use crate::ids::Generation;
use crate::spool::GapCause;
use crate::time::{MediaTime, WallTime};

/// From where a piece is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A playlist lists it.
    Listed,
    /// It is committed, and no published playlist lists it yet.
    Tail,
    /// It was brought to the store after its worker was gone.
    Salvaged,
    /// It lies in the store, and nothing tells of it.
    Unlisted,
}

impl Origin {
    /// Whether it only fills gaps, and never takes the place of another piece.
    pub fn is_filler(self) -> bool {
        matches!(self, Self::Salvaged | Self::Unlisted)
    }

    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Tail => "committed",
            Self::Salvaged => "salvaged",
            Self::Unlisted => "unlisted",
        }
    }
}

/// Why time is not covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// Between one worker and the next nobody recorded.
    Failover,
    /// Nothing came of the source.
    Silence,
    /// The recorder gave a segment up: its spool held as much as it may.
    SpoolFull,
    /// The same: its spool's disk was full.
    DiskFull,
    /// The same: its spool failed.
    SpoolFailed,
    /// The recorder says that a segment is lost, and not why.
    Lost,
    /// A segment is listed, and not in the store.
    Missing,
}

impl GapReason {
    /// That of a gap which the recorder entered.
    pub fn of(cause: Option<GapCause>) -> Self {
        match cause {
            Some(GapCause::SpoolFull) => Self::SpoolFull,
            Some(GapCause::DiskFull) => Self::DiskFull,
            Some(GapCause::SpoolFailed) => Self::SpoolFailed,
            Some(GapCause::Unknown) | None => Self::Lost,
        }
    }

    /// For people, and for the playlist.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::Silence => "nothing came of the source",
            Self::SpoolFull => "the spool was full",
            Self::DiskFull => "the spool's disk was full",
            Self::SpoolFailed => "the spool failed",
            Self::Lost => "lost by the recorder",
            Self::Missing => "missing in the store",
        }
    }
}

/// A segment, or a gap in place of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The segment's object; its would-be key for a gap.
    pub key: String,
    /// The URI by which the stitched playlist lists it.
    pub uri: String,
    /// First presentation time and the id of its media clock.
    pub media: Option<(MediaTime, u32)>,
    /// Its date.
    pub date: Option<WallTime>,
    /// Its length.
    pub millis: u64,
    /// The object's size.
    pub bytes: Option<u64>,
    /// The object's checksum.
    pub crc64: Option<Crc64>,
    /// It does not continue the piece before it.
    pub discontinuity: bool,
    /// It is a gap.
    pub gap: Option<GapReason>,
    /// From where it is known.
    pub origin: Origin,
    /// Tags of other recorders, which go where it goes.
    pub tags: Vec<String>,
}

/// Whether a turn can still grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// A seal says what it came to.
    Sealed,
    /// What is committed of it at the time of reading.
    Open,
    /// Nothing vouches for it but its playlist.
    Unsealed,
}

impl Standing {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Open => "open",
            Self::Unsealed => "unsealed",
        }
    }
}

/// One turn at an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The generation; `None` for a playlist given by name.
    pub generation: Option<Generation>,
    /// The playlist's key.
    pub playlist: String,
    /// Whether it can still grow.
    pub standing: Standing,
    /// `EXT-X-TARGETDURATION`, in seconds; 0 where it is not known.
    pub target_duration: u64,
    /// Every segment of its list is known to begin with a key frame.
    pub independent: bool,
    /// The pieces: first those of the list in its order, then the fillers in any.
    pub pieces: Vec<Piece>,
}

impl Turn {
    /// How the turn is called.
    pub fn label(&self) -> String {
        match self.generation {
            Some(generation) => format!("generation {generation}"),
            None => self.playlist.clone(),
        }
    }
}
