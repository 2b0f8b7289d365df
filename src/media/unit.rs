//! What a container's reader knows of an access unit before it is placed in a segment, and the one who
//! decides where segments begin.

use super::{RandomAccess, VideoFormat};
use crate::time::{Pts33, WallTime};

/// What a unit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitKind {
    /// Pictures.
    Video,
    /// Sound; changed where its sample rate or its channels are others than in the unit before.
    Audio {
        /// They are.
        changed: bool,
    },
    /// Neither.
    Data,
}

/// The begin of an access unit (of a PES packet, in MPEG-TS).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitStart {
    /// Whether this is the stream whose units decide: the first video, else the first audio.
    pub lead: bool,
    /// Presentation time; the program clock's where the unit has none of its own.
    pub pts: Option<Pts33>,
    /// Decoding time; equals `pts` where the container does not give it.
    pub dts: Option<Pts33>,
    /// Whether decoding can begin here.
    pub random_access: RandomAccess,
    /// Picture size, where the unit tells.
    pub video_format: Option<VideoFormat>,
    /// What it holds.
    pub kind: UnitKind,
    /// The container announces a break in its clock here.
    pub discontinuity: bool,
    /// The container has announced another set of tracks: a segment must begin here.
    pub tracks_changed: bool,
    /// Bytes in the open segment so far.
    pub segment_bytes: u64,
}

/// The times of a unit that tells how far a segment reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitTimes {
    /// Whether it is of the stream whose units decide.
    pub lead: bool,
    /// Presentation time.
    pub pts: Pts33,
    /// Decoding time.
    pub dts: Pts33,
}

/// Why nothing can be kept of a segment whose writing was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Its tables are not there (PAT and PMT; Tracks): no segment, or no more than its begin.
    NoProgram,
    /// There is no whole unit in it.
    NothingWhole,
}

impl UnitStart {
    /// No unit has come, and what waits for one must not wait longer: a segment must begin.
    pub fn missing(segment_bytes: u64) -> Self {
        Self {
            lead: true,
            pts: None,
            dts: None,
            random_access: RandomAccess::None,
            video_format: None,
            kind: UnitKind::Data,
            discontinuity: false,
            tracks_changed: true,
            segment_bytes,
        }
    }
}

/// Where a unit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Into the open segment; where none is open, it is dropped.
    Stay,
    /// It begins a new segment.
    Cut,
}

/// Decides at every unit whether a segment begins with it. Implemented by `slicer`, asked by the
/// containers' readers.
pub trait Cutter {
    /// Places a unit. Units come in the order of the stream.
    fn at_unit(&mut self, unit: &UnitStart) -> Placement;

    /// The date on which the segment begins that was cut last.
    fn date(&self) -> WallTime;
}
