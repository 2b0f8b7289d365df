//! What a frame is in a transport stream, by its codec.

use bytes::Bytes;

use super::packets::MOST_BOUNDED;
use crate::media::{
    AacConfig, AccessUnit, AudioCodec, AudioFormat, CodecIn, Configuration, NalFraming, ParameterSets,
    RandomAccess, Timed, Track, TrackCodec, TrackError, UnitFacts, VideoCodec, opus_control_header,
};
use crate::ts::Pid;

/// The first stream's PID; the others follow.
const FIRST_PID: u16 = 0x100;
/// Stream ids of PES packets: the first of video and of audio, and what has none of its own.
const VIDEO_STREAM: u8 = 0xe0;
const AUDIO_STREAM: u8 = 0xc0;
const PRIVATE_STREAM: u8 = 0xbd;
/// Channels that Opus codes in a single stream, by mapping family 0.
const MOST_OPUS_CHANNELS: u8 = 2;

/// A track, and what of it is in force.
#[derive(Debug)]
pub(super) struct MuxTrack {
    pub pid: Pid,
    pub stream_id: u8,
    pub codec: TrackCodec,
    pub is_video: bool,
    pub opus_channels: u8,
    /// The next packet's continuity counter.
    pub counter: u8,
    form: Form,
    audio_format: Option<AudioFormat>,
}

/// What is made of a frame.
#[derive(Debug)]
enum Form {
    Nal(VideoCodec, NalFraming, ParameterSets),
    RawAac(AacConfig),
    Opus,
    /// Taken as it is.
    Whole(AudioCodec),
}

/// The content of a PES packet.
#[derive(Debug)]
pub(super) struct Unit {
    /// What comes before the frame.
    pub front: Bytes,
    pub body: Bytes,
    pub facts: UnitFacts,
    pub audio_changed: bool,
}

impl Unit {
    pub fn is_empty(&self) -> bool {
        self.front.is_empty() && self.body.is_empty()
    }

    pub fn is_key(&self) -> bool {
        self.facts.random_access == RandomAccess::Key
    }
}

impl MuxTrack {
    /// The track at that place.
    ///
    /// # Errors
    /// Why it has no place in a transport stream.
    pub fn new(index: usize, track: &Track) -> Result<Self, TrackError> {
        let codec = track.codec;
        let number = u8::try_from(index).unwrap_or(0);
        let mut opus_channels = 0;
        let in_ts = codec.in_ts();
        let form = match (in_ts, track.read()?) {
            (Some(CodecIn::Video(video)), Configuration::Nal(framing, sets)) => {
                Form::Nal(video, framing, sets)
            }
            (_, Configuration::Aac(config)) => Form::RawAac(config),
            (_, Configuration::Opus(head)) if head.channels <= MOST_OPUS_CHANNELS => {
                opus_channels = head.channels;
                Form::Opus
            }
            (_, Configuration::Opus(_)) => {
                let why = "more than two channels have no common form in a transport stream";
                return Err(TrackError::Configuration(codec, why));
            }
            (Some(CodecIn::Audio(audio)), _) => Form::Whole(audio),
            _ => return Err(TrackError::NoPlace(codec, crate::media::Container::MpegTs)),
        };
        let stream_id = match codec {
            TrackCodec::Ac3 | TrackCodec::Opus => PRIVATE_STREAM,
            _ if codec.is_video() => VIDEO_STREAM | number & 0x0f,
            _ => AUDIO_STREAM | number & 0x1f,
        };
        Ok(Self {
            pid: Pid::new(FIRST_PID + u16::from(number)),
            stream_id,
            codec,
            is_video: codec.is_video(),
            opus_channels,
            counter: 0,
            form,
            audio_format: None,
        })
    }

    /// What a frame is; `None` for one that is none of its codec, or too long. Empty where it brings parameters alone.
    pub fn unit(&mut self, timed: &Timed) -> Option<Unit> {
        let body = timed.data.clone();
        let mut format = None;
        let front = match &mut self.form {
            Form::Nal(codec, framing, sets) => {
                let AccessUnit { front, body, facts } = sets.access_unit(*codec, *framing, &body)?;
                return Some(Unit { front, body, facts, audio_changed: false });
            }
            Form::RawAac(config) => Bytes::from_owner(config.header(body.len())?),
            Form::Opus => opus_control_header(body.len()).into(),
            Form::Whole(codec) => {
                // A frame without a header is none.
                format = Some(codec.format(&body)?);
                Bytes::new()
            }
        };
        if front.len() + body.len() > MOST_BOUNDED {
            return None;
        }
        let before = std::mem::replace(&mut self.audio_format, format);
        let audio_changed = before.is_some_and(|before| Some(before) != format);
        // Sound can begin anywhere.
        let facts = UnitFacts { random_access: RandomAccess::Key, video_format: None };
        Some(Unit { front, body, facts, audio_changed })
    }
}
