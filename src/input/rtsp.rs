//! RTSP: one stream of pictures and one of sound of a server or camera, as encoded frames.
//!
//! H.264, H.265 and AAC; streams of other codecs are left out, and a server that has no others is refused by their names. RTP
//! comes over the RTSP connection (TCP). Frames are held back until the server's reports have told how the clocks of both
//! streams belong together ([`Alignment`]), or for 5 s; then what it said when it began to play must do.
//!
//! RTP says when a frame is shown, not when it is decoded. Pictures that are shown in another order than they come (B-pictures,
//! which cameras do not send) are kept, decoded right after the one before, and counted as late: players show them, strict
//! checkers complain.
//!
//! The crate puts no limit to a picture or an answer: a server that sends one without end costs memory without end.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use retina::client::{
    Credentials, Demuxed, InitialTimestampPolicy, PlayOptions, Session, SessionGroup, SessionOptions,
    SetupOptions, TcpTransportOptions, Transport,
};
use retina::codec::{CodecItem, FrameFormat};
use retina::rtcp::ReceivedCompoundPacket;
use url::Url;

use super::alignment::Alignment;
use super::shown::shown;
use super::source::{Media, Source, Stream};
use crate::clock::{SharedClock, Sleep};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::OutputName;
use crate::media::{Container, Frame, Track, TrackCodec};
use crate::time::MediaTime;

/// A server has so long until it plays.
const PATIENCE: Duration = Duration::from_secs(10);
/// Frames wait for reports so long, and so many bytes of them.
const HELD: Duration = Duration::from_secs(5);
const MOST_HELD: usize = 16 << 20;

/// A server's session that plays.
pub(super) struct RtspSource {
    /// The URL, without credentials.
    name: String,
    demuxed: Demuxed,
    /// The stream that each track is.
    streams: Vec<usize>,
    alignment: Alignment,
    /// Frames whose time is still that of their own stream's clock, in the order in which they came.
    held: VecDeque<Media>,
    held_bytes: usize,
    /// When they are given all the same.
    patience: Option<Sleep>,
    /// What is given first.
    begin: Option<Media>,
    clock: SharedClock,
}

impl fmt::Debug for RtspSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

impl RtspSource {
    /// Has a server play.
    ///
    /// # Errors
    /// `InvalidInput` for what is no such URL, wrong credentials, and streams that cannot be recorded; `NotFound` for a path that
    /// the server does not have; `Unavailable` where it does not answer.
    pub async fn join(spec: &str, clock: &SharedClock) -> Result<Self> {
        let invalid = |message: String| Error::new(ErrorKind::InvalidInput, message);
        let mut url = Url::parse(spec)
            .ok()
            .filter(Url::has_host)
            .ok_or_else(|| invalid("the input's URL cannot be read: write rtsp://HOST/PATH".to_owned()))?;
        let decoded =
            |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let credentials = (!url.username().is_empty()).then(|| Credentials {
            username: decoded(url.username()),
            password: decoded(url.password().unwrap_or_default()),
        });
        // Of a URL with a host, both can be taken away.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        let name = shown(spec);
        tokio::select! {
            joined = Self::play(url, credentials, name.clone(), clock) => joined,
            () = clock.sleep(PATIENCE) => {
                let message = format!("cannot read {name}: the server does not play within {} s", PATIENCE.as_secs());
                Err(Error::new(ErrorKind::Unavailable, message))
            }
        }
    }

    async fn play(
        url: Url,
        credentials: Option<Credentials>,
        name: String,
        clock: &SharedClock,
    ) -> Result<Self> {
        let failed = |error: retina::Error| cannot_play(&name, error);
        let options = SessionOptions::default()
            .creds(credentials)
            .user_agent("tapeline".to_owned())
            .session_group(Arc::new(SessionGroup::default()));
        let mut session = Session::describe(url, options).await.map_err(failed)?;
        let offered: Vec<Option<TrackCodec>> = session.streams().iter().map(codec).collect();
        let first = |is_video: bool| {
            let fits = |codec: &Option<TrackCodec>| codec.is_some_and(|codec| codec.is_video() == is_video);
            offered.iter().position(fits)
        };
        let streams: Vec<usize> = [first(true), first(false)].into_iter().flatten().collect();
        if streams.is_empty() {
            let others: Vec<String> = session
                .streams()
                .iter()
                .map(|stream| format!("{} {}", stream.media(), stream.encoding_name()))
                .collect();
            let message = format!(
                "cannot record {name}: it has {}, and none of H.264, H.265, AAC",
                if others.is_empty() { "no streams".to_owned() } else { others.join(", ") }
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        for stream in &streams {
            // What tells everything about itself: parameters may change at each key frame.
            let setup = SetupOptions::default()
                .transport(Transport::Tcp(TcpTransportOptions::default()))
                .frame_format(FrameFormat::SIMPLE);
            session.setup(*stream, setup).await.map_err(failed)?;
        }
        let play = PlayOptions::default().initial_timestamp(InitialTimestampPolicy::Permissive);
        let demuxed = session.play(play).await.and_then(Session::demuxed).map_err(failed)?;
        let tracks: Vec<Track> =
            streams.iter().filter_map(|stream| offered[*stream]).map(Track::new).collect();
        let begin =
            Media::Begin(Stream { name: OutputName::Composite, container: Container::MpegTs, tracks });
        Ok(Self {
            name,
            demuxed,
            alignment: Alignment::new(streams.len()),
            streams,
            held: VecDeque::new(),
            held_bytes: 0,
            patience: None,
            begin: Some(begin),
            clock: clock.clone(),
        })
    }

    fn track(&self, stream: usize) -> Option<usize> {
        self.streams.iter().position(|known| *known == stream)
    }

    /// Takes in what the server has sent.
    fn take(&mut self, item: CodecItem) {
        let (stream, timestamp, key, data) = match item {
            CodecItem::VideoFrame(frame) => {
                let (stream, at, key) =
                    (frame.stream_id(), frame.timestamp(), frame.is_random_access_point());
                (stream, at, key, Bytes::from(frame.into_data()))
            }
            CodecItem::AudioFrame(frame) => {
                (frame.stream_id(), frame.timestamp(), true, Bytes::copy_from_slice(frame.data()))
            }
            CodecItem::Rtcp(packet) => return self.hear(&packet),
            _ => return,
        };
        let Some(track) = self.track(stream) else { return };
        let ticks = ticks(timestamp.elapsed(), timestamp.clock_rate());
        self.held_bytes += data.len();
        let frame = Frame { track, pts: Some(MediaTime::from_ticks(ticks)), dts: None, key, data };
        self.held.push_back(Media::Frame(OutputName::Composite, frame, Some(self.clock.wall())));
        if self.held_bytes > MOST_HELD {
            self.alignment.settle();
        }
    }

    /// Takes in a report of the server.
    fn hear(&mut self, packet: &ReceivedCompoundPacket) {
        let (Some(track), Some(at)) = (self.track(packet.stream_id()), packet.rtp_timestamp()) else {
            return;
        };
        let report = packet.pkts().find_map(|packet| packet.as_sender_report().ok().flatten());
        if let Some(report) = report {
            self.alignment.report(track, report.ntp_timestamp().0, ticks(at.elapsed(), at.clock_rate()));
        }
    }

    /// What is to be given now.
    fn ready(&mut self) -> Option<Media> {
        if !self.alignment.is_settled() || self.held.is_empty() {
            return None;
        }
        if let Some(begin) = self.begin.take() {
            return Some(begin);
        }
        let mut media = self.held.pop_front()?;
        if let Media::Frame(_, frame, _) = &mut media {
            self.held_bytes -= frame.data.len();
            frame.pts =
                frame.pts.map(|pts| MediaTime::from_ticks(self.alignment.time(frame.track, pts.ticks())));
        }
        Some(media)
    }
}

impl Source for RtspSource {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Media>>> {
        Box::pin(async {
            loop {
                if let Some(media) = self.ready() {
                    return Ok(Some(media));
                }
                let patience = self.patience.get_or_insert_with(|| self.clock.sleep(HELD));
                let item = tokio::select! {
                    item = self.demuxed.next() => item,
                    () = patience, if !self.alignment.is_settled() => {
                        self.alignment.settle();
                        continue;
                    }
                };
                let Some(item) = item else {
                    // What is live has no end: its server is gone, or was stopped.
                    let message = format!("cannot read {}: the server has ended the connection", self.name);
                    return Err(Error::new(ErrorKind::Unavailable, message));
                };
                let item = item.map_err(|error| cannot_play(&self.name, error))?;
                self.take(item);
            }
        })
    }

    fn is_live(&self) -> bool {
        true
    }

    fn describe(&self) -> &str {
        &self.name
    }
}

fn codec(stream: &retina::client::Stream) -> Option<TrackCodec> {
    match (stream.media(), stream.encoding_name()) {
        ("video", "h264") => Some(TrackCodec::H264),
        ("video", "h265") => Some(TrackCodec::H265),
        ("audio", "mpeg4-generic") => Some(TrackCodec::Aac),
        _ => None,
    }
}

/// Ticks of 90 kHz, of a clock of that rate.
fn ticks(elapsed: i64, rate: NonZeroU32) -> i64 {
    i64::try_from(i128::from(elapsed) * 90_000 / i128::from(rate.get())).unwrap_or(i64::MAX)
}

fn cannot_play(name: &str, error: retina::Error) -> Error {
    let (kind, advice) = match error.status_code() {
        Some(401 | 403) => (
            ErrorKind::InvalidInput,
            "the server wants another name and password: rtsp://NAME:PASSWORD@HOST/PATH",
        ),
        Some(404) => (ErrorKind::NotFound, "the server has no such stream; check the path"),
        Some(400..=499) => (ErrorKind::InvalidInput, "the server refuses it"),
        _ => (ErrorKind::Unavailable, "the server does not serve it now; check it, and the network"),
    };
    Error::new(kind, format!("cannot read {name}: {advice}")).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_any_clock_become_those_of_90_khz() {
        let of = |elapsed, rate| ticks(elapsed, NonZeroU32::new(rate).unwrap());
        assert_eq!(of(48_000, 48_000), 90_000);
        assert_eq!(of(1024, 44_100), 2089);
        assert_eq!(of(-3600, 90_000), -3600);
        assert_eq!(of(i64::MAX, 1), i64::MAX);
    }
}
