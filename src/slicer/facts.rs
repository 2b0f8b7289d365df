//! What is known of a segment, and why it ended.

use serde::Serialize;

use crate::ids::SegmentSeq;
use crate::media::VideoFormat;
use crate::time::{MediaSpan, MediaTime, WallTime};

/// Why a segment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CutReason {
    /// The target length was reached and a key frame came.
    Target,
    /// The same for the first segment after a takeover, which is to be safe early.
    Resumed,
    /// Picture size, sample rate or channels changed.
    Parameters,
    /// The container announced other tracks.
    Tracks,
    /// No frame came for long.
    Interruption,
    /// The media clock jumped.
    ClockJump,
    /// The greatest length or size was reached without a key frame.
    Limit,
    /// The input ended, or the recording was stopped.
    Stop,
}

/// A segment that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedSegment {
    /// Its place in the output.
    pub seq: SegmentSeq,
    /// Presentation time of its first frame, on its media clock.
    pub start: MediaTime,
    /// The date of `start`.
    pub date: WallTime,
    /// Which run of the media clock `start` belongs to; a new one after each jump.
    pub clock: u32,
    /// Times, tracks or parameters do not continue those of the segment before.
    pub discontinuity: bool,
    /// It begins with a key frame.
    pub starts_with_key: bool,
    /// The size of its first pictures, where one told it.
    pub video_format: Option<VideoFormat>,
}

/// What is in a segment, as far as units with times tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holds {
    /// Pictures.
    pub video: bool,
    /// Sound.
    pub audio: bool,
}

/// A segment that has all its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedSegment {
    /// What was known at its begin.
    pub opened: OpenedSegment,
    /// Where its media time ends, on the same clock: the next segment's start where that continues it.
    pub end: MediaTime,
    /// `end - start` in milliseconds, as a difference of rounded times, so that sums never drift.
    pub duration_millis: u64,
    /// Why it ended.
    pub reason: CutReason,
    /// Its size.
    pub bytes: u64,
    /// What is in it.
    pub holds: Holds,
}

impl SealedSegment {
    /// Length in media time.
    pub fn duration(&self) -> MediaSpan {
        self.end - self.opened.start
    }
}
