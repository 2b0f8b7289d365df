//! What a codec's configuration record says, in the forms that MP4 and WebM carry it in.

use bytes::Bytes;

use super::frame::TrackCodec;
use super::parameter_sets::ParameterSets;
use super::{AacConfig, NalFraming, OpusHead, VideoCodec, VorbisHeaders};

/// A track's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Configuration {
    /// H.264 and H.265: how units are set apart in frames, and the parameter sets.
    Nal(NalFraming, ParameterSets),
    /// AAC that comes raw.
    Aac(AacConfig),
    /// Opus, with the record as it is.
    Opus(OpusHead),
    /// The headers of Vorbis.
    Vorbis(VorbisHeaders),
    /// Passed on as it is.
    Private(Bytes),
    /// There is none, and none is needed.
    None,
}

impl Configuration {
    /// Reads a record.
    ///
    /// # Errors
    /// Why nothing can be recorded with it.
    pub fn read(codec: TrackCodec, record: Option<&Bytes>) -> Result<Self, &'static str> {
        let nal = |codec| match record {
            Some(record) => {
                let (framing, sets) = ParameterSets::of_record(codec, record)?;
                Ok(Self::Nal(framing, sets))
            }
            None => Ok(Self::Nal(NalFraming::ByteStream, ParameterSets::default())),
        };
        match (codec, record) {
            (TrackCodec::H264, _) => nal(VideoCodec::H264),
            (TrackCodec::H265, _) => nal(VideoCodec::H265),
            (TrackCodec::Aac, Some(record)) => AacConfig::parse(record).map(Self::Aac),
            (TrackCodec::Opus, Some(record)) => {
                OpusHead::parse(record).map(Self::Opus).ok_or("it is no OpusHead (RFC 7845, 5.1)")
            }
            (TrackCodec::Opus, None) => Ok(Self::Opus(OpusHead::usual())),
            (TrackCodec::Vorbis, Some(record)) => {
                let read = VorbisHeaders::parse(record).map(Self::Vorbis);
                read.ok_or("it is not the three headers of Vorbis, laced as in WebM's CodecPrivate")
            }
            (TrackCodec::Vorbis, None) => Err("it is missing, and without it nothing can be decoded"),
            (_, Some(record)) if record.is_empty() => Err("it is empty"),
            (_, Some(record)) => Ok(Self::Private(record.clone())),
            (_, None) => Ok(Self::None),
        }
    }
}
