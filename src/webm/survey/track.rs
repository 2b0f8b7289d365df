//! One track, surveyed.

use crate::media::{AudioFormat, RandomAccess, VideoFormat};
use crate::time::{MediaSpan, MediaTime};
use crate::webm::block::Block;
use crate::webm::tracks::{Track, TrackMedia};

/// A track, as a survey found it. Times count from the file's zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackSurvey {
    /// Its number in block headers.
    pub number: u64,
    /// Its codec's name; `data` for what is neither pictures nor sound.
    pub codec: String,
    /// It has pictures.
    pub is_video: bool,
    /// It has sound.
    pub is_audio: bool,
    /// Blocks.
    pub blocks: u64,
    /// Frames in them: more, where they are laced.
    pub frames: u64,
    /// Bytes of the blocks, headers included.
    pub bytes: u64,
    /// Blocks at which decoding can begin.
    pub key_blocks: u64,
    /// Whether it can at the first one; `None` where there is none.
    pub first_is_key: Option<bool>,
    /// The first block's time.
    pub first: Option<MediaTime>,
    /// The latest one.
    pub last: Option<MediaTime>,
    /// How long the last one is: as it says, or as the step before it.
    pub last_length: MediaSpan,
    /// The longest way from one block to the next.
    pub longest_step: MediaSpan,
    /// The longest way from one key frame to the next.
    pub longest_gop: Option<MediaSpan>,
    /// Size of the pictures, first seen.
    pub video_format: Option<VideoFormat>,
    /// Shape of the sound, by its entry.
    pub audio_format: Option<AudioFormat>,
    last_key: Option<MediaTime>,
}

impl TrackSurvey {
    pub(super) fn new(track: &Track) -> Self {
        let (codec, is_video, is_audio) = match track.media {
            TrackMedia::Video(codec) => (codec.to_string(), true, false),
            TrackMedia::Audio(codec) => (codec.to_string(), false, true),
            TrackMedia::Data => ("data".to_owned(), false, false),
        };
        Self {
            number: track.number,
            codec,
            is_video,
            is_audio,
            blocks: 0,
            frames: 0,
            bytes: 0,
            key_blocks: 0,
            first_is_key: None,
            first: None,
            last: None,
            last_length: MediaSpan::ZERO,
            longest_step: MediaSpan::ZERO,
            longest_gop: None,
            video_format: None,
            audio_format: track.audio,
            last_key: None,
        }
    }

    /// Where the last block ends.
    pub fn end(&self) -> Option<MediaTime> {
        self.last.map(|last| last + self.last_length)
    }

    /// From its first block's begin to the last one's end.
    pub fn length(&self) -> Option<MediaSpan> {
        Some(self.end()? - self.first?)
    }

    /// Takes a block, and tells whether decoding can begin with it, and by how much its time is before the one before.
    pub(super) fn take(
        &mut self,
        block: &Block,
        track: &Track,
        at: MediaTime,
        length: Option<MediaSpan>,
    ) -> (bool, MediaSpan) {
        self.blocks += 1;
        self.frames += block.frames;
        self.bytes += block.element.len() as u64;
        let facts = track.facts(block);
        let key = match facts {
            Some(facts) => facts.random_access == RandomAccess::Key,
            None => block.key || self.is_audio,
        };
        self.video_format = self.video_format.or(facts.and_then(|facts| facts.video_format));
        self.first_is_key.get_or_insert(key);
        if key {
            self.key_blocks += 1;
            if let Some(before) = self.last_key.replace(at) {
                self.longest_gop = self.longest_gop.max(Some(at - before));
            }
        }
        let step = self.last.map_or(MediaSpan::ZERO, |last| at - last);
        self.first.get_or_insert(at);
        self.last = self.last.max(Some(at));
        self.longest_step = self.longest_step.max(step);
        if step > MediaSpan::ZERO || length.is_some() {
            self.last_length = length.unwrap_or(step);
        }
        (key, -step)
    }
}
