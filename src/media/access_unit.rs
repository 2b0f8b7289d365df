//! Looks into a video PES packet as far as it takes to say whether a segment may begin with it.
//!
//! In: the elementary stream bytes of one PES packet, from its first byte, as they grow packet by packet.
//! Out: [`UnitFacts`] of the first access unit that *starts* in them, as soon as its first slice header
//! is there. Streams without alignment end one access unit and start the next in the same PES
//! packet; slices that come before a start belong to the unit before and decide nothing.
//!
//! Invariants: the same bytes give the same facts however they were split; each byte is searched once; no
//! decision is made on a header that is still incomplete. Bytes that are no video never panic.

use super::nal::{START_CODE_LEN, start_code};
use super::{VideoCodec, VideoFormat, h264, h265, mpeg2};

/// Whether decoding may begin at an access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RandomAccess {
    /// A key frame: H.264 IDR or a recovery point with `recovery_frame_cnt` 0; H.265 IRAP or a recovery
    /// point with `recovery_poc_cnt` 0; an MPEG-2 I picture after a sequence header.
    Key,
    /// A recovery point some pictures before the picture is whole (intra refresh): only a preferred place
    /// for a forced cut.
    Recovery,
    /// The codec is not understood or the unit is scrambled, and the container does not mark it.
    Unknown,
    /// No.
    #[default]
    None,
}

/// What is known of an access unit by its first slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnitFacts {
    /// Whether decoding may begin here.
    pub random_access: RandomAccess,
    /// The size of the pictures, when the unit carries a sequence's parameters that can be read.
    pub video_format: Option<VideoFormat>,
}

/// What the headers before the first slice of an access unit said.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Headers {
    /// An access unit has started.
    pub(super) started: bool,
    /// MPEG-2: a sequence header came.
    pub(super) sequence: bool,
    /// H.264 and H.265: what the recovery point SEI allows.
    pub(super) recovery: RandomAccess,
    /// The first size announced.
    pub(super) format: Option<VideoFormat>,
}

/// What a codec makes of the bytes that follow a start code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// They are too few to say.
    Incomplete,
    /// Of no account, or of the access unit before.
    Other,
    /// An access unit has started.
    Starts,
    /// An access unit has started, and this header must be read once it is whole.
    Read,
    /// The first slice or picture header.
    Decides(RandomAccess),
}

/// Reads one PES packet of a video stream at a time. See the module's head.
#[derive(Debug, Clone)]
pub struct AccessUnitProbe {
    codec: VideoCodec,
    headers: Headers,
    /// No start code begins before this byte that has not been seen.
    searched: usize,
    /// The first byte after the start code of a header whose end is awaited.
    awaited: Option<usize>,
    decided: Option<UnitFacts>,
}

impl AccessUnitProbe {
    /// Ready for the first PES packet.
    pub fn new(codec: VideoCodec) -> Self {
        Self { codec, headers: Headers::default(), searched: 0, awaited: None, decided: None }
    }

    /// Forgets the PES packet before; call it when a new one starts.
    pub fn reset(&mut self) {
        *self = Self::new(self.codec);
    }

    /// Goes on where the last call stopped. `payload` is the PES packet's elementary stream so far: what the
    /// last call got, and more. Gives the facts once they are decided, and again in each later call.
    pub fn examine(&mut self, payload: &[u8]) -> Option<UnitFacts> {
        while self.decided.is_none() {
            let Some(start) = start_code(payload, self.searched) else {
                // The last two bytes may be the beginning of a start code.
                self.searched = self.searched.max(payload.len().saturating_sub(2));
                return None;
            };
            self.searched = start;
            self.read_awaited(payload, start);
            let unit_at = start + START_CODE_LEN;
            match self.open(payload.get(unit_at..).unwrap_or_default()) {
                Opening::Incomplete => return None,
                Opening::Other => {}
                Opening::Starts => self.headers.started = true,
                Opening::Read => {
                    self.headers.started = true;
                    self.awaited = Some(unit_at);
                }
                Opening::Decides(random_access) => {
                    self.decided = Some(UnitFacts { random_access, video_format: self.headers.format });
                }
            }
            self.searched = unit_at;
        }
        self.decided
    }

    /// What is known when no more bytes of the PES packet will come, or no more shall be waited for. An
    /// access unit whose first slice never came is no place to begin.
    pub fn conclude(&mut self, payload: &[u8]) -> UnitFacts {
        if let Some(facts) = self.examine(payload) {
            return facts;
        }
        self.read_awaited(payload, payload.len());
        let facts = UnitFacts { random_access: RandomAccess::None, video_format: self.headers.format };
        *self.decided.insert(facts)
    }

    fn open(&self, unit: &[u8]) -> Opening {
        match self.codec {
            VideoCodec::H264 => h264::open(unit, &self.headers),
            VideoCodec::H265 => h265::open(unit, &self.headers),
            VideoCodec::Mpeg2 => mpeg2::open(unit, &self.headers),
        }
    }

    fn read_awaited(&mut self, payload: &[u8], end: usize) {
        let Some(unit) = self.awaited.take().and_then(|at| payload.get(at..end)) else { return };
        match self.codec {
            VideoCodec::H264 => h264::read(unit, &mut self.headers),
            VideoCodec::H265 => h265::read(unit, &mut self.headers),
            VideoCodec::Mpeg2 => mpeg2::read(unit, &mut self.headers),
        }
    }
}
