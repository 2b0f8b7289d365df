//! The frames of many files on one clock, for other wrappings.

use bytes::Bytes;

use super::sequence::{JoinedFile, Sequence, WebmJoinError};
use super::tracks::{TrackMedia, Tracks};
use crate::time::MediaTime;

/// A frame, and what its track's entry says.
#[derive(Debug)]
pub(crate) struct JoinedFrame<'a> {
    /// Its track's number.
    pub track: u64,
    pub media: TrackMedia,
    /// It is compressed or encrypted by the container: no decoder could read it.
    pub encoded: bool,
    /// When it is shown or heard, after the first block of all; `None` for a frame that simply follows another in its block.
    pub time: Option<MediaTime>,
    /// How long the track's frames are, in nanoseconds, where that is told.
    pub usual_nanos: Option<u64>,
    pub key: bool,
    pub data: &'a [u8],
    tracks: &'a Tracks,
}

impl JoinedFrame<'_> {
    /// The configuration record of its codec, where there is one.
    pub fn record(&self) -> Option<Bytes> {
        self.tracks.record(self.track)
    }
}

/// The state of the joining.
#[derive(Debug, Default)]
pub(crate) struct WebmFrames {
    sequence: Sequence,
}

impl WebmFrames {
    /// Hands on the frames of the next file. A block whose lacing cannot be read has none.
    ///
    /// # Errors
    /// Why it cannot be joined, or what `take` gave.
    pub fn file<E>(
        &mut self,
        file: &JoinedFile<'_>,
        take: &mut impl FnMut(&JoinedFrame<'_>) -> Result<(), E>,
    ) -> Result<(), WebmJoinError<E>> {
        self.sequence.file(file, &mut |placed| {
            let found = &placed.found;
            let Some(entry) = found.tracks.tracks.get(found.track) else { return Ok(()) };
            let delay = i64::try_from(entry.delay / 1_000 * 9 / 100).unwrap_or(0);
            let mut time = Some(MediaTime::from_ticks(placed.at.saturating_mul(90).saturating_sub(delay)));
            for data in found.block.laces() {
                take(&JoinedFrame {
                    track: entry.number,
                    media: entry.media,
                    encoded: entry.encoded,
                    time: time.take(),
                    usual_nanos: entry.default_duration,
                    key: found.block.key,
                    data,
                    tracks: found.tracks,
                })?;
            }
            Ok(())
        })
    }
}
