//! Encoded frames, as a media server hands them over, and the tracks that they belong to.

use std::fmt;

use bytes::Bytes;

use super::configuration::Configuration;
use super::{AudioCodec, Container, VideoCodec, WebmAudio, WebmVideo};
use crate::time::MediaTime;

/// One encoded frame: an access unit of video, a frame of audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its track, by the place among the output's tracks, from 0.
    pub track: usize,
    /// When it is shown, in ticks of 90 kHz on a clock that all tracks of the output share. Without it: at its decoding time.
    pub pts: Option<MediaTime>,
    /// When it is decoded; needed only where frames are shown in another order than they come. Without either time it
    /// follows the frame before as that followed its own.
    pub dts: Option<MediaTime>,
    /// Decoding can begin with it. Where the frame's own headers tell, they are believed instead.
    pub key: bool,
    /// The coded bytes, in the form that [`Track::configuration`] says.
    pub data: Bytes,
}

/// The codecs that encoded frames may be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackCodec {
    /// H.264: a byte stream (Annex B), or units behind their lengths.
    H264,
    /// H.265: the same.
    H265,
    /// VP8.
    Vp8,
    /// VP9.
    Vp9,
    /// AV1: a temporal unit of open bitstream units with their sizes, without its delimiter.
    Av1,
    /// AAC: in ADTS, or raw.
    Aac,
    /// MPEG audio, layer III.
    Mp3,
    /// AC-3.
    Ac3,
    /// Opus.
    Opus,
    /// Vorbis.
    Vorbis,
}

/// What a container knows a codec as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodecIn<Video, Audio> {
    Video(Video),
    Audio(Audio),
}

impl TrackCodec {
    /// Whether it is one of pictures.
    pub fn is_video(self) -> bool {
        matches!(self, Self::H264 | Self::H265 | Self::Vp8 | Self::Vp9 | Self::Av1)
    }

    /// In a transport stream; `None` where it has no place there.
    pub(crate) fn in_ts(self) -> Option<CodecIn<VideoCodec, AudioCodec>> {
        match self {
            Self::H264 => Some(CodecIn::Video(VideoCodec::H264)),
            Self::H265 => Some(CodecIn::Video(VideoCodec::H265)),
            Self::Aac => Some(CodecIn::Audio(AudioCodec::Aac)),
            Self::Mp3 => Some(CodecIn::Audio(AudioCodec::MpegAudio)),
            Self::Ac3 => Some(CodecIn::Audio(AudioCodec::Ac3)),
            Self::Opus => Some(CodecIn::Audio(AudioCodec::Opus)),
            Self::Vp8 | Self::Vp9 | Self::Av1 | Self::Vorbis => None,
        }
    }

    /// In WebM; `None` where it has no place there.
    pub(crate) fn in_webm(self) -> Option<CodecIn<WebmVideo, WebmAudio>> {
        match self {
            Self::Vp8 => Some(CodecIn::Video(WebmVideo::Vp8)),
            Self::Vp9 => Some(CodecIn::Video(WebmVideo::Vp9)),
            Self::Av1 => Some(CodecIn::Video(WebmVideo::Av1)),
            Self::Opus => Some(CodecIn::Audio(WebmAudio::Opus)),
            Self::Vorbis => Some(CodecIn::Audio(WebmAudio::Vorbis)),
            Self::H264 | Self::H265 | Self::Aac | Self::Mp3 | Self::Ac3 => None,
        }
    }

    /// Whether a container has a place for it.
    pub fn fits(self, container: Container) -> bool {
        match container {
            Container::MpegTs => self.in_ts().is_some(),
            Container::WebM => self.in_webm().is_some(),
        }
    }
}

impl fmt::Display for TrackCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
            Self::Aac => "AAC",
            Self::Mp3 => "MP3",
            Self::Ac3 => "AC-3",
            Self::Opus => "Opus",
            Self::Vorbis => "Vorbis",
        })
    }
}

/// A track of encoded frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    pub(crate) codec: TrackCodec,
    configuration: Option<Bytes>,
}

/// Why a set of tracks cannot be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrackError {
    /// There is none.
    None,
    /// There are more than [`Track::MOST`].
    TooMany,
    /// There is more than one of pictures.
    SecondVideo,
    /// The container has no place for the codec.
    NoPlace(TrackCodec, Container),
    /// The codec's configuration cannot be read, or is of a kind that the container cannot carry.
    Configuration(TrackCodec, &'static str),
}

impl Track {
    /// As many tracks may an output have.
    pub const MOST: usize = 16;

    /// A track of that codec, whose frames tell everything themselves: H.264 and H.265 as byte streams with parameter sets
    /// in them, AAC in ADTS.
    pub fn new(codec: TrackCodec) -> Self {
        Self { codec, configuration: None }
    }

    /// The codec's configuration, as MP4 and WebM carry it:
    ///
    /// - H.264 and H.265: `avcC` or `hvcC`; frames are then units behind their lengths. Or parameter sets as a byte stream;
    ///   then frames are byte streams too.
    /// - AAC: `AudioSpecificConfig`; frames are then raw.
    /// - Opus: `OpusHead`. Without it, two channels.
    /// - Vorbis: its three headers, laced as in WebM's `CodecPrivate`. There is no track without.
    /// - AV1 and VP9: `av1C` and VP9's `CodecPrivate`. AV1's is made from the first key frame where it is missing.
    #[must_use]
    pub fn configuration(mut self, bytes: Bytes) -> Self {
        self.configuration = Some(bytes);
        self
    }

    /// What the configuration says.
    ///
    /// # Errors
    /// Why it says nothing.
    pub(crate) fn read(&self) -> Result<Configuration, TrackError> {
        let read = Configuration::read(self.codec, self.configuration.as_ref());
        read.map_err(|why| TrackError::Configuration(self.codec, why))
    }

    /// The place of the track whose frames decide where segments begin: the first video, else the first. `tracks` are those
    /// of an output.
    ///
    /// # Errors
    /// Why they cannot be recorded together, whatever their configurations say.
    pub(crate) fn lead(tracks: &[Self], container: Container) -> Result<usize, TrackError> {
        if tracks.is_empty() {
            return Err(TrackError::None);
        }
        if tracks.len() > Self::MOST {
            return Err(TrackError::TooMany);
        }
        if tracks.iter().filter(|track| track.codec.is_video()).count() > 1 {
            return Err(TrackError::SecondVideo);
        }
        if let Some(track) = tracks.iter().find(|track| !track.codec.fits(container)) {
            return Err(TrackError::NoPlace(track.codec, container));
        }
        Ok(tracks.iter().position(|track| track.codec.is_video()).unwrap_or(0))
    }
}

impl fmt::Display for TrackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("an output of frames needs a track"),
            Self::TooMany => write!(f, "an output has at most {} tracks", Track::MOST),
            Self::SecondVideo => {
                f.write_str("an output has one track of video; others are outputs of their own")
            }
            Self::NoPlace(codec, Container::MpegTs) => {
                write!(
                    f,
                    "{codec} is none of the codecs of a transport stream: H.264, H.265, AAC, MP3, AC-3, Opus"
                )
            }
            Self::NoPlace(codec, Container::WebM) => {
                write!(f, "{codec} is none of the codecs of WebM: VP8, VP9, AV1, Opus, Vorbis")
            }
            Self::Configuration(codec, why) => write!(f, "the configuration of {codec}: {why}"),
        }
    }
}

impl std::error::Error for TrackError {}
