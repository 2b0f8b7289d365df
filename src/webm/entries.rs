//! `Tracks` of encoded frames: an entry each.

use bytes::Bytes;
use webm_iterable::matroska_spec::{Master, MatroskaSpec};

use super::tracks::{Tracks, encode};
use crate::media::{ColourSpace, Configuration, Container, Track, TrackCodec, TrackError, VideoFormat};

/// What stands in an entry until a key frame tells the pictures' size.
pub(super) const SIZE_UNKNOWN: VideoFormat = VideoFormat { width: 16, height: 16, profile: None };
/// Samples of Opus to decode before a place that is sought, in nanoseconds (RFC 7845, 4.6).
const SEEK_PRE_ROLL: u64 = 80_000_000;
/// Opus is always counted at 48 kHz.
const OPUS_RATE: u64 = 48_000;

/// What key frames told of their track.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Learned {
    /// `CodecPrivate`, where the track's configuration does not have it.
    pub private: Option<Bytes>,
    /// How colours are to be read.
    pub colour: Option<ColourSpace>,
}

/// The entries of tracks whose numbers are their places, from 1.
///
/// # Errors
/// Why there can be no entry of one.
pub(super) fn describe(tracks: &[Track], learned: &[Learned]) -> Result<Tracks, TrackError> {
    let mut entries = Vec::new();
    for (index, (track, learned)) in tracks.iter().zip(learned).enumerate() {
        entries.push(entry(index, track, learned)?);
    }
    let codec = tracks.first().map_or(TrackCodec::Vp8, |track| track.codec);
    let read = encode(&MatroskaSpec::Tracks(Master::Full(entries)))
        .and_then(|element| Tracks::read(&Bytes::from(element)).ok());
    read.ok_or(TrackError::NoPlace(codec, Container::WebM))
}

fn entry(index: usize, track: &Track, learned: &Learned) -> Result<MatroskaSpec, TrackError> {
    let number = index as u64 + 1;
    let id = codec_id(track.codec).ok_or(TrackError::NoPlace(track.codec, Container::WebM))?;
    let mut fields = vec![
        MatroskaSpec::TrackNumber(number),
        MatroskaSpec::TrackUID(number),
        MatroskaSpec::TrackType(if track.codec.is_video() { 1 } else { 2 }),
        MatroskaSpec::FlagLacing(0),
        MatroskaSpec::CodecID(id.to_owned()),
    ];
    let private_field = |record: &Bytes| MatroskaSpec::CodecPrivate(record.to_vec());
    match track.read()? {
        Configuration::Opus(head) => {
            let delay = u64::from(head.pre_skip) * 1_000_000_000 / OPUS_RATE;
            fields.extend([
                private_field(&head.record),
                MatroskaSpec::CodecDelay(delay),
                MatroskaSpec::SeekPreRoll(SEEK_PRE_ROLL),
                audio(OPUS_RATE as f64, head.channels),
            ]);
        }
        Configuration::Vorbis(headers) => {
            let rate = f64::from(headers.format.sample_rate);
            fields.extend([private_field(&headers.record), audio(rate, headers.format.channels)]);
        }
        Configuration::Private(record) => fields.push(private_field(&record)),
        Configuration::Nal(..) | Configuration::Aac(_) | Configuration::None => {
            fields.extend(learned.private.as_ref().map(private_field));
        }
    }
    if track.codec.is_video() {
        let mut video = vec![
            MatroskaSpec::PixelWidth(u64::from(SIZE_UNKNOWN.width)),
            MatroskaSpec::PixelHeight(u64::from(SIZE_UNKNOWN.height)),
        ];
        video.extend(learned.colour.map(colour));
        fields.push(MatroskaSpec::Video(Master::Full(video)));
    }
    Ok(MatroskaSpec::TrackEntry(Master::Full(fields)))
}

fn audio(rate: f64, channels: u8) -> MatroskaSpec {
    let fields = vec![MatroskaSpec::SamplingFrequency(rate), MatroskaSpec::Channels(u64::from(channels))];
    MatroskaSpec::Audio(Master::Full(fields))
}

fn colour(colour: ColourSpace) -> MatroskaSpec {
    /// `Range`, which counts otherwise.
    const BROADCAST: u64 = 1;
    const FULL: u64 = 2;
    MatroskaSpec::Colour(Master::Full(vec![
        MatroskaSpec::MatrixCoefficients(u64::from(colour.matrix)),
        MatroskaSpec::Range(if colour.full_range { FULL } else { BROADCAST }),
        MatroskaSpec::TransferCharacteristics(u64::from(colour.transfer)),
        MatroskaSpec::Primaries(u64::from(colour.primaries)),
    ]))
}

fn codec_id(codec: TrackCodec) -> Option<&'static str> {
    match codec {
        TrackCodec::Vp8 => Some("V_VP8"),
        TrackCodec::Vp9 => Some("V_VP9"),
        TrackCodec::Av1 => Some("V_AV1"),
        TrackCodec::Opus => Some("A_OPUS"),
        TrackCodec::Vorbis => Some("A_VORBIS"),
        _ => None,
    }
}
