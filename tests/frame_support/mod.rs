//! Frames as ffprobe takes them out of a file, and what the slicer makes of them.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use serde_json::Value;
use tapeline::media::{Container, Frame, FrameNotes, Track, TrackCodec};
use tapeline::slicer::{Action, Notes, SealedSegment, Slicer, SlicerOptions, SlicingRules};
use tapeline::time::{MediaSpan, MediaTime, Pts33, WallTime};
use tapeline::ts::{PesPacket, TsDemuxer};

/// A packet of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub stream: usize,
    /// In ticks of 90 kHz.
    pub pts: Option<i64>,
    pub dts: Option<i64>,
    pub key: bool,
    pub data: Vec<u8>,
}

/// What ffprobe finds in a file.
#[derive(Debug)]
pub struct Probed {
    /// Codec and `extradata` of each stream.
    pub streams: Vec<(String, Vec<u8>)>,
    pub packets: Vec<Packet>,
    /// Of the pictures.
    pub size: Option<(u64, u64)>,
}

/// The bytes of a dump such as `00000000: 0000 0001  ....`, a line for each 16.
fn dumped(dump: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in dump.as_str().unwrap_or_default().lines().filter(|line| !line.is_empty()) {
        let (_, rest) = line.split_once(": ").expect("an offset");
        let digits: String = rest.chars().take(40).filter(char::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        bytes.extend(digits.as_bytes().chunks(2).map(byte));
    }
    bytes
}

pub fn probe(ffprobe: &Path, input: &Path) -> Probed {
    let mut command = Command::new(ffprobe);
    command.args(["-v", "error", "-show_streams", "-show_packets", "-show_data", "-of", "json"]).arg(input);
    let said = command.stderr(Stdio::null()).output().unwrap();
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let streams = said["streams"].as_array().unwrap();
    let base = |stream: usize| {
        let (numerator, denominator) =
            streams[stream]["time_base"].as_str().unwrap().split_once('/').unwrap();
        (numerator.parse::<i64>().unwrap(), denominator.parse::<i64>().unwrap())
    };
    let packet = |packet: &Value| {
        let stream = usize::try_from(packet["stream_index"].as_u64().unwrap()).unwrap();
        let (numerator, denominator) = base(stream);
        let ticks = |name: &str| {
            let time = packet[name].as_i64()?;
            let scaled = i128::from(time) * 90_000 * i128::from(numerator) * 2;
            Some(
                i64::try_from((scaled + i128::from(denominator)).div_euclid(2 * i128::from(denominator)))
                    .unwrap(),
            )
        };
        let key = packet["flags"].as_str().unwrap().starts_with('K');
        Packet { stream, pts: ticks("pts"), dts: ticks("dts"), key, data: dumped(&packet["data"]) }
    };
    let packets = said["packets"].as_array().unwrap().iter().map(packet).collect();
    let name =
        |stream: &Value| (stream["codec_name"].as_str().unwrap().to_owned(), dumped(&stream["extradata"]));
    let size = |stream: &Value| stream["width"].as_u64().zip(stream["height"].as_u64());
    let size = streams.iter().find_map(size);
    Probed { size, streams: streams.iter().map(name).collect(), packets }
}

pub fn codec(name: &str) -> TrackCodec {
    match name {
        "h264" => TrackCodec::H264,
        "hevc" => TrackCodec::H265,
        "vp8" => TrackCodec::Vp8,
        "vp9" => TrackCodec::Vp9,
        "av1" => TrackCodec::Av1,
        "aac" => TrackCodec::Aac,
        "mp3" => TrackCodec::Mp3,
        "ac3" => TrackCodec::Ac3,
        "opus" => TrackCodec::Opus,
        "vorbis" => TrackCodec::Vorbis,
        other => panic!("{other} is no codec of a track"),
    }
}

/// Packets as the frames of a media server.
pub fn frames(probed: &Probed) -> Vec<Frame> {
    let time = |ticks: Option<i64>| ticks.map(MediaTime::from_ticks);
    let frame = |packet: &Packet| Frame {
        track: packet.stream,
        pts: time(packet.pts),
        dts: time(packet.dts),
        key: packet.key,
        data: Bytes::from(packet.data.clone()),
    };
    probed.packets.iter().map(frame).collect()
}

/// The frames of a transport stream by this project's own reader, for machines without ffprobe.
pub fn demuxed(stream: &[u8]) -> Vec<Frame> {
    let mut demuxer = TsDemuxer::default();
    let mut frames = Vec::new();
    let mut sink = |packet: PesPacket<'_>| {
        let time = |stamp: Pts33| MediaTime::from_ticks(stamp.bits() as i64);
        let track = usize::from(packet.pid.get() - 0x100);
        let (pts, dts) = (packet.header.pts.map(time), packet.header.dts.map(time));
        frames.push(Frame { track, pts, dts, key: false, data: Bytes::copy_from_slice(packet.data) });
    };
    demuxer.push(stream, 0, &mut sink);
    demuxer.finish(&mut sink);
    frames
}

/// What a slicer made of frames.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Made {
    pub segments: Vec<Vec<u8>>,
    pub facts: Vec<SealedSegment>,
    pub notes: FrameNotes,
}

/// Segments of at least two seconds.
pub fn options(container: Container) -> SlicerOptions {
    let rules = SlicingRules {
        target: MediaSpan::from_secs(2),
        max_length: MediaSpan::from_secs(10),
        ..SlicingRules::default()
    };
    SlicerOptions {
        container,
        rules,
        start: WallTime::from_millis(1_795_395_600_000),
        ..SlicerOptions::default()
    }
}

pub fn make(options: SlicerOptions, tracks: &[Track], frames: impl IntoIterator<Item = Frame>) -> Made {
    let mut slicer = Slicer::of_frames(options, tracks).unwrap();
    let mut made = Made::default();
    for frame in frames {
        slicer.push_frame(frame, None);
        made.pull(&mut slicer);
    }
    let finished = slicer.finish();
    made.pull(&mut slicer);
    assert_eq!(finished.is_ok(), !made.segments.is_empty(), "{finished:?}");
    let Notes::Frames(notes) = slicer.notes() else { panic!("notes of frames") };
    Made { notes, ..made }
}

impl Made {
    fn pull(&mut self, slicer: &mut Slicer) {
        while let Some(action) = slicer.pull() {
            match action {
                Action::Open(_) => self.segments.push(Vec::new()),
                Action::Bytes(bytes) => self.segments.last_mut().unwrap().extend_from_slice(&bytes),
                Action::Patch(patch) => {
                    let at = usize::try_from(patch.offset).unwrap();
                    let open = self.segments.last_mut().unwrap();
                    open[at..at + patch.new.len()].copy_from_slice(&patch.new);
                }
                Action::Sealed(facts) => self.facts.push(facts),
            }
        }
    }
}
