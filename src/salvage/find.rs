//! What the file of a segment is worth: pure.
//!
//! In: what is known of the segment, and its bytes. Out: what to store of them with which facts, or why nothing. A segment
//! that has the very bytes which were sealed is whole. Any other is cut back to what is whole of it, and its length is
//! found in it; where its facts are lost, its begin too.

use bytes::Bytes;
use serde_json::Map;

use crate::checksum::{Crc64, Sha256};
use crate::continuity::{LossCause, LostSegment, SalvageState, SalvagedSegment, TornCause};
use crate::media::{Container, Unfit, UnitTimes};
use crate::naming::{NameKind, ObjectName, Prefix, key};
use crate::playlist::EntryTimes;
use crate::slicer::Extent;
use crate::spool::SegmentFacts;
use crate::time::{MediaTime, WallTime};
use crate::ts::{PACKET_LEN, Remains, SYNC_BYTE};
use crate::webm::WebmRemains;

/// A segment in a spool, by its name and by what is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub name: &'a ObjectName,
    pub facts: Option<&'a SegmentFacts>,
}

/// What its file is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Worth {
    /// This is to be stored.
    Media(Media),
    /// There is nothing to store, and nothing to keep.
    Nothing(LossCause),
    /// It is no media, and somebody may want to look at it.
    Garbage,
}

/// Media to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Media {
    /// Slices of the file's bytes.
    pub pieces: Vec<Bytes>,
    /// Why it was cut back, where it was.
    pub torn: Option<TornCause>,
    pub start: MediaTime,
    pub millis: u64,
}

impl Found<'_> {
    /// Looks at its bytes.
    pub fn judge(&self, bytes: &Bytes) -> Worth {
        let torn = match self.facts.map(|facts| facts.sealed) {
            Some(Some(sealed)) if sealed.bytes == bytes.len() as u64 && sealed.crc64 == Crc64::of(bytes) => {
                let start = self.start().unwrap_or_default();
                return Worth::Media(Media {
                    pieces: vec![bytes.clone()],
                    torn: None,
                    start,
                    millis: sealed.millis,
                });
            }
            Some(Some(_)) => TornCause::Damaged,
            Some(None) => TornCause::Open,
            None => TornCause::NoFacts,
        };
        match (self.remains(bytes), torn) {
            (Ok((pieces, units)), _) => {
                let (start, millis) = self.extent(&units);
                Worth::Media(Media { pieces, torn: Some(torn), start, millis })
            }
            _ if bytes.is_empty() => Worth::Nothing(LossCause::Empty),
            (Err(Unfit::NothingWhole), TornCause::Open | TornCause::NoFacts) => {
                Worth::Nothing(LossCause::Empty)
            }
            // Its tables alone, or not even these.
            (Err(Unfit::NoProgram), TornCause::Open) if self.is_begun(bytes) => {
                Worth::Nothing(LossCause::Empty)
            }
            (Err(_), _) => Worth::Garbage,
        }
    }

    /// First presentation time and length of what is kept.
    fn extent(&self, units: &[UnitTimes]) -> (MediaTime, u64) {
        match Extent::of(self.start(), units) {
            Some(Extent { start, end }) => {
                (start, EntryTimes::new(start, self.date()).duration_millis(start, end))
            }
            None => (MediaTime::default(), 0),
        }
    }

    /// The same of a segment that is whole.
    pub fn extent_of(&self, bytes: &Bytes) -> (MediaTime, u64) {
        let of_nothing = (self.start().unwrap_or_default(), 0);
        self.remains(bytes).map_or(of_nothing, |(_, units)| self.extent(&units))
    }

    /// Whether bytes can be the begin of a segment.
    fn is_begun(&self, bytes: &[u8]) -> bool {
        match self.container() {
            Some(Container::WebM) => Container::of_stream(bytes) == Container::WebM,
            Some(Container::MpegTs) | None => bytes.iter().step_by(PACKET_LEN).all(|&byte| byte == SYNC_BYTE),
        }
    }

    /// What is whole of it, and the units in that. Beside [`is_begun`](Self::is_begun) the one place of salvage that tells containers apart.
    fn remains(&self, bytes: &Bytes) -> Result<(Vec<Bytes>, Vec<UnitTimes>), Unfit> {
        match self.container() {
            Some(Container::MpegTs) => {
                let Remains { kept, units } = Remains::of(bytes)?;
                Ok((kept.into_iter().map(|range| bytes.slice(range)).collect(), units))
            }
            Some(Container::WebM) => {
                let WebmRemains { bytes, units } = WebmRemains::of(bytes, self.start(), self.date())?;
                Ok((vec![bytes], units))
            }
            None => Err(Unfit::NoProgram),
        }
    }

    /// What was known when it was begun.
    pub fn start(&self) -> Option<MediaTime> {
        self.facts.map(|facts| facts.opened.start)
    }

    fn date(&self) -> WallTime {
        match (self.facts, self.name.kind) {
            (Some(facts), _) => facts.opened.date,
            (None, NameKind::Segment { start, .. }) => start,
            (None, NameKind::Playlist) => WallTime::default(),
        }
    }

    fn container(&self) -> Option<Container> {
        match self.name.kind {
            NameKind::Segment { container, .. } => Some(container),
            NameKind::Playlist => None,
        }
    }

    fn playlist(&self) -> String {
        ObjectName { kind: NameKind::Playlist, ..self.name.clone() }.to_string()
    }

    /// The record of what was stored under `name`.
    pub fn salvaged(
        &self,
        prefix: &Prefix,
        name: &ObjectName,
        media: &Media,
        (crc64, sha256): (Crc64, Sha256),
    ) -> SalvagedSegment {
        let utc = match name.kind {
            NameKind::Segment { start, .. } => start,
            NameKind::Playlist => WallTime::default(),
        };
        SalvagedSegment {
            playlist: self.playlist(),
            segment: self.facts.map(|facts| facts.opened.segment),
            key: key(prefix, name),
            state: if media.torn.is_some() { SalvageState::Torn } else { SalvageState::Whole },
            cause: media.torn,
            utc,
            start: media.start,
            // The ids of clocks begin with 1.
            clock: self.facts.map_or(0, |facts| facts.opened.clock),
            date: self.date(),
            millis: media.millis,
            bytes: media.pieces.iter().map(|piece| piece.len() as u64).sum(),
            crc64,
            sha256,
            // What is before one of which nothing is known is not known either.
            discontinuity: self.facts.is_none_or(|facts| facts.opened.discontinuity),
            unknown: Map::new(),
        }
    }

    /// The record of what is lost.
    pub fn lost(&self, cause: LossCause) -> LostSegment {
        LostSegment {
            playlist: self.playlist(),
            segment: self.facts.map(|facts| facts.opened.segment),
            name: self.name.to_string(),
            cause,
            start: self.start(),
            clock: self.facts.map(|facts| facts.opened.clock),
            date: self.date(),
            millis: self.facts.and_then(|facts| facts.sealed).map(|sealed| sealed.millis),
            unknown: Map::new(),
        }
    }
}
