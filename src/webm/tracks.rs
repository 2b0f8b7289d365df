//! `Tracks` and `Info`: which streams there are, of which codecs, and what a tick is.

use bytes::{Bytes, BytesMut};
use ebml_iterable::TagDecoder;
use ebml_iterable::iterator::AllowableErrors;
use webm_iterable::matroska_spec::{Master, MatroskaSpec};
use webm_iterable::{WebmWriter, WriteOptions};

use super::block::Block;
use super::ebml::{Child, Header, Read, children};
use super::walker::MAX_ELEMENT;
use crate::media::{AudioFormat, AudioProfile, UnitFacts, VideoFormat, WebmAudio, WebmVideo};

/// The usual length of a tick, in nanoseconds.
pub(super) const USUAL_SCALE: u64 = 1_000_000;

/// What a track holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrackMedia {
    /// Pictures.
    Video(WebmVideo),
    /// Sound.
    Audio(WebmAudio),
    /// Subtitles, metadata and what else there is.
    Data,
}

/// A track as its entry describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Track {
    /// Its number in block headers.
    pub number: u64,
    /// What it holds.
    pub media: TrackMedia,
    /// Its frames are changed (compressed, encrypted): their headers cannot be read.
    pub encoded: bool,
    /// How long a frame takes, in nanoseconds, where the entry tells.
    pub default_duration: Option<u64>,
    /// How much earlier its frames are heard than its blocks' times say, in nanoseconds.
    pub delay: u64,
    /// The shape of sound, where the entry tells.
    pub audio: Option<AudioFormat>,
}

impl Track {
    /// What the header of a block's picture tells, where it can be read.
    pub fn facts(&self, block: &Block) -> Option<UnitFacts> {
        match self.media {
            TrackMedia::Video(codec) if !self.encoded => block.frame().and_then(|frame| codec.facts(frame)),
            _ => None,
        }
    }

    /// How long a block takes, in ticks of so many nanoseconds, where it or the entry tells.
    pub fn length(&self, block: &Block, scale: u64) -> Option<u64> {
        let nanos = match self.media {
            TrackMedia::Audio(codec) if !self.encoded => {
                block.frame().and_then(|frame| codec.duration_nanos(frame))
            }
            _ => None,
        };
        let nanos = nanos.or(self.default_duration).map(|nanos| nanos.saturating_mul(block.frames));
        block.duration.or_else(|| nanos.map(|nanos| nanos.div_ceil(scale)))
    }
}

/// All tracks of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tracks {
    /// In the order of their entries.
    pub(super) tracks: Vec<Track>,
    /// The place of the track whose blocks decide where segments begin: the first video, else the first audio.
    pub lead: Option<usize>,
    element: Bytes,
}

/// Why a stream's tracks cannot be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// The element is damaged.
    Unreadable,
    /// By its `CodecID`.
    Codec(String),
}

impl Tracks {
    /// Reads the element.
    pub(super) fn read(element: &Bytes) -> Result<Self, Refused> {
        // It is passed on as it came: what the decoder forgives, others may not.
        let is_whole = only_child(element).is_some_and(|tracks| {
            fills(tracks.content) && children(tracks.content).all(|entry| fills(entry.content))
        });
        if !is_whole {
            return Err(Refused::Unreadable);
        }
        let Some(MatroskaSpec::Tracks(Master::Full(entries))) = decode(element, &empty_tracks()) else {
            return Err(Refused::Unreadable);
        };
        let mut tracks = Vec::new();
        for entry in &entries {
            let MatroskaSpec::TrackEntry(Master::Full(fields)) = entry else { continue };
            tracks.push(track(fields)?);
        }
        let first = |is: fn(&Track) -> bool| tracks.iter().position(is);
        let lead = first(|track| matches!(track.media, TrackMedia::Video(_)))
            .or_else(|| first(|track| matches!(track.media, TrackMedia::Audio(_))));
        Ok(Self { tracks, lead, element: element.clone() })
    }

    /// The element, as it came.
    pub fn element(&self) -> &Bytes {
        &self.element
    }

    /// The configuration record of a track's codec, where its entry has one.
    pub fn record(&self, number: u64) -> Option<Bytes> {
        let Some(MatroskaSpec::Tracks(Master::Full(entries))) = decode(&self.element, &empty_tracks()) else {
            return None;
        };
        let entry = entries.into_iter().find_map(|entry| match entry {
            MatroskaSpec::TrackEntry(Master::Full(fields)) => {
                fields.contains(&MatroskaSpec::TrackNumber(number)).then_some(fields)
            }
            _ => None,
        });
        entry?.into_iter().find_map(|field| match field {
            MatroskaSpec::CodecPrivate(record) => Some(record.into()),
            _ => None,
        })
    }

    /// Whether a decoder of these tracks understands the frames of those: pictures may have another size, and what Vorbis says in
    /// its headers may not differ.
    pub(super) fn goes_on_with(&self, other: &Self) -> bool {
        let is_vorbis = |track: &Track| track.media == TrackMedia::Audio(WebmAudio::Vorbis);
        let same = self.tracks == other.tracks;
        same && (self.element == other.element || !self.tracks.iter().any(is_vorbis))
    }

    /// The same tracks, of which one shows pictures of another size.
    pub fn resized(&self, number: u64, format: VideoFormat) -> Option<Self> {
        let MatroskaSpec::Tracks(Master::Full(mut entries)) = decode(&self.element, &empty_tracks())? else {
            return None;
        };
        for entry in &mut entries {
            let MatroskaSpec::TrackEntry(Master::Full(fields)) = entry else { continue };
            if !fields.contains(&MatroskaSpec::TrackNumber(number)) {
                continue;
            }
            for field in fields {
                let MatroskaSpec::Video(Master::Full(video)) = field else { continue };
                for field in video.iter_mut() {
                    match field {
                        MatroskaSpec::PixelWidth(width) => *width = u64::from(format.width),
                        MatroskaSpec::PixelHeight(height) => *height = u64::from(format.height),
                        _ => {}
                    }
                }
                // They were those of the other size.
                video.retain(|field| {
                    !matches!(field, MatroskaSpec::DisplayWidth(_) | MatroskaSpec::DisplayHeight(_))
                });
            }
        }
        let element = Bytes::from(encode(&MatroskaSpec::Tracks(Master::Full(entries)))?);
        Some(Self { element, ..self.clone() })
    }
}

/// The length of a tick by `Info`, in nanoseconds.
pub(super) fn scale(info: &Bytes) -> u64 {
    let fields = match decode(info, &MatroskaSpec::Info(Master::Full(Vec::new()))) {
        Some(MatroskaSpec::Info(Master::Full(fields))) => fields,
        _ => Vec::new(),
    };
    let scale = fields.iter().find_map(|field| match field {
        MatroskaSpec::TimestampScale(scale) => Some(*scale),
        _ => None,
    });
    scale.filter(|scale| (1..=1_000_000_000).contains(scale)).unwrap_or(USUAL_SCALE)
}

fn track(fields: &[MatroskaSpec]) -> Result<Track, Refused> {
    let mut track = Track {
        number: 0,
        media: TrackMedia::Data,
        encoded: false,
        default_duration: None,
        delay: 0,
        audio: None,
    };
    let (mut kind, mut codec, mut audio) = (0, "", None);
    for field in fields {
        match field {
            MatroskaSpec::TrackNumber(number) => track.number = *number,
            MatroskaSpec::TrackType(number) => kind = *number,
            MatroskaSpec::CodecID(id) => codec = id.as_str(),
            MatroskaSpec::ContentEncodings(_) => track.encoded = true,
            MatroskaSpec::DefaultDuration(nanos) => track.default_duration = Some(*nanos),
            MatroskaSpec::CodecDelay(nanos) => track.delay = *nanos,
            MatroskaSpec::Audio(Master::Full(fields)) => audio = Some(fields),
            _ => {}
        }
    }
    let unfit = || Refused::Codec(codec.to_owned());
    track.media = match kind {
        1 => TrackMedia::Video(WebmVideo::from_id(codec).ok_or_else(unfit)?),
        2 => TrackMedia::Audio(WebmAudio::from_id(codec).ok_or_else(unfit)?),
        _ => TrackMedia::Data,
    };
    if let (TrackMedia::Audio(codec), Some(fields)) = (track.media, audio) {
        track.audio = audio_format(codec, fields);
    }
    Ok(track)
}

fn audio_format(codec: WebmAudio, fields: &[MatroskaSpec]) -> Option<AudioFormat> {
    // What stands where an entry says nothing (RFC 9559, 5.1.4.1.29).
    let (mut rate, mut channels) = (8000.0, 1);
    for field in fields {
        match field {
            MatroskaSpec::SamplingFrequency(value) => rate = *value,
            MatroskaSpec::Channels(value) => channels = *value,
            _ => {}
        }
    }
    let sample_rate = (1.0..=f64::from(u32::MAX)).contains(&rate).then_some(rate as u32)?;
    let channels = u8::try_from(channels).ok().filter(|channels| *channels > 0)?;
    let profile = match codec {
        WebmAudio::Opus => AudioProfile::Opus,
        WebmAudio::Vorbis => AudioProfile::Vorbis,
    };
    Some(AudioFormat { sample_rate, channels, profile })
}

/// The element that takes all of the bytes.
fn only_child(bytes: &[u8]) -> Option<Child<'_>> {
    children(bytes).next().filter(|child| child.whole.len() == bytes.len())
}

/// Whether elements take all of the bytes.
fn fills(content: &[u8]) -> bool {
    children(content).map(|child| child.whole.len()).sum::<usize>() == content.len()
}

fn empty_tracks() -> MatroskaSpec {
    MatroskaSpec::Tracks(Master::Full(Vec::new()))
}

/// One element with all that is in it.
fn decode(element: &Bytes, kind: &MatroskaSpec) -> Option<MatroskaSpec> {
    let mut decoder = TagDecoder::new(std::slice::from_ref(kind));
    decoder.set_max_allowable_tag_size(usize::try_from(MAX_ELEMENT).ok());
    decoder.allow_errors(&[AllowableErrors::InvalidTagIds]);
    let mut bytes = BytesMut::from(&element[..]);
    let found = decoder.decode(&mut bytes).ok()?;
    let found = match found {
        Some(found) => Some(found),
        None => decoder.decode_eof(&mut bytes).ok()?,
    };
    found.map(|found| found.tag)
}

/// The bytes of an element in a Segment.
pub(super) fn encode(element: &MatroskaSpec) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut writer = WebmWriter::new(&mut out);
    // The writer takes an element only at its place.
    let segment = MatroskaSpec::Segment(Master::Start);
    writer.write_advanced(&segment, WriteOptions::is_unknown_sized_element()).ok()?;
    writer.write(element).ok()?;
    drop(writer);
    let Read::Whole(header) = Header::read(&out) else { return None };
    Some(out.split_off(header.len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webm::walker::{Found, Walker};

    /// The tracks of a fixture.
    fn of(name: &str) -> Tracks {
        let path = format!("{}/fixtures/{name}.webm", env!("CARGO_MANIFEST_DIR"));
        let mut tracks = None;
        Walker::default().push(&Bytes::from(std::fs::read(path).unwrap()), &mut |_, found| {
            if let Found::Tracks(element) = found {
                tracks = Some(Tracks::read(&element).unwrap());
            }
        });
        tracks.unwrap()
    }

    #[test]
    fn tracks_are_those_of_their_entries() {
        let tracks = of("vp8_opus");
        let media: Vec<TrackMedia> = tracks.tracks.iter().map(|track| track.media).collect();
        assert_eq!(media, [TrackMedia::Video(WebmVideo::Vp8), TrackMedia::Audio(WebmAudio::Opus)]);
        assert_eq!(tracks.lead, Some(0));
        assert_eq!(of("audio_opus").lead, Some(0));
        assert_eq!(of("vp8_vorbis").tracks[1].media, TrackMedia::Audio(WebmAudio::Vorbis));
    }

    #[test]
    fn another_size_stands_in_the_entry_and_nothing_else_changes() {
        let tracks = of("vp8_opus");
        let small = VideoFormat { width: 240, height: 136, profile: None };
        let resized = tracks.resized(1, small).unwrap();
        assert_eq!(resized.tracks, tracks.tracks);
        assert_ne!(resized.element(), tracks.element());
        let back = resized.resized(1, VideoFormat { width: 320, height: 180, profile: None }).unwrap();
        assert_eq!(
            back.element(),
            tracks.resized(1, VideoFormat { width: 320, height: 180, profile: None }).unwrap().element()
        );
    }
}
