//! Cuts the end off a transport stream's segment without re-encoding: pure.
//!
//! In: the segment's bytes, and the presentation time at which another segment goes on. Out: pieces of the same bytes,
//! with up to two packets made anew. Video ends in decode order, before the first access unit whose time is at or past
//! the join: everything before it decodes. Pictures that are shown before the join and decoded behind it go too, and are
//! counted. Audio ends before the first frame at or past the join; where frames cannot be told apart, with whole PES
//! packets. Other streams end with the video. Tables are kept as they come. No PES packet is torn, and counters go on, since
//! what is kept of a PID is the begin of it.
//!
//! Not here: where the join is, and what the result is called.

use bytes::Bytes;

use super::frames::frame_starts;
use crate::media::AudioCodec;
use crate::time::{MediaSpan, Pts33};
use crate::ts::{
    ElementaryStream, PACKET_LEN, Packet, ParsedPes, PesHeader, Pid, SYNC_BYTE, SegmentMap, StreamKind,
};

/// Where to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutAt {
    /// At this presentation time.
    Time(Pts33),
    /// So long after the first picture, or the first sound where there are no pictures.
    After(MediaSpan),
}

/// A segment without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Its bytes, in order.
    pub body: Vec<Bytes>,
    /// Access units and frames that are kept, of the stream that leads.
    pub kept: u64,
    /// Pictures before the join that went with those behind it.
    pub pictures_lost: u64,
}

/// Why a segment cannot be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncut {
    /// Its bytes are no packets of 188.
    NotPackets,
    /// It has no program map.
    NoMap,
    /// No access unit in it has a time.
    NoTimes,
}

impl std::fmt::Display for Uncut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotPackets => "it is no MPEG transport stream of 188 byte packets",
            Self::NoMap => "it has no program map",
            Self::NoTimes => "it has no time stamps",
        })
    }
}

impl std::error::Error for Uncut {}

/// What a PID is to the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Video,
    Audio(Option<AudioCodec>),
    Other,
}

/// One PID of the program.
struct Stream {
    pid: Pid,
    role: Role,
    /// Nothing more of it is kept.
    ended: bool,
}

/// Cuts a segment.
///
/// # Errors
/// Where it is no segment that could be cut.
pub fn trim(segment: &Bytes, at: CutAt) -> Result<Cut, Uncut> {
    if segment.is_empty() || !segment.len().is_multiple_of(PACKET_LEN) {
        return Err(Uncut::NotPackets);
    }
    if segment.chunks(PACKET_LEN).any(|packet| packet.first() != Some(&SYNC_BYTE)) {
        return Err(Uncut::NotPackets);
    }
    let map = SegmentMap::of(segment).ok_or(Uncut::NoMap)?.pmt;
    let streams: Vec<Stream> = map.streams.iter().map(Stream::new).collect();
    let join = match at {
        CutAt::Time(join) => join,
        CutAt::After(span) => first_time(segment, &streams).ok_or(Uncut::NoTimes)? + span,
    };
    let has_video = streams.iter().any(|stream| stream.role == Role::Video);
    let mut trimmer = Trimmer {
        segment,
        streams,
        join,
        has_video,
        cut: Cut { body: Vec::new(), kept: 0, pictures_lost: 0 },
        run: 0..0,
    };
    (0..segment.len()).step_by(PACKET_LEN).for_each(|offset| trimmer.packet(offset));
    trimmer.flush();
    Ok(trimmer.cut)
}

impl Stream {
    fn new(stream: &ElementaryStream) -> Self {
        let role = match stream.kind {
            StreamKind::Video(_) => Role::Video,
            StreamKind::Audio(codec) => Role::Audio(codec),
            StreamKind::Data | StreamKind::Sections => Role::Other,
        };
        Self { pid: stream.pid, role, ended: false }
    }
}

/// The header of the PES packet that begins in a packet.
fn header(packet: Packet<'_>) -> Option<PesHeader> {
    match PesHeader::parse(packet.payload()) {
        ParsedPes::Header(header) if packet.unit_start() => Some(header),
        _ => None,
    }
}

fn first_time(segment: &Bytes, streams: &[Stream]) -> Option<Pts33> {
    let of = |wanted: fn(&Role) -> bool| {
        let mut packets = (0..segment.len()).step_by(PACKET_LEN).filter_map(|at| Packet::at(segment, at));
        packets.find_map(|packet| {
            let stream = streams.iter().find(|stream| stream.pid == packet.pid())?;
            header(packet).filter(|_| wanted(&stream.role))?.pts
        })
    };
    of(|role| *role == Role::Video).or_else(|| of(|role| matches!(role, Role::Audio(_))))
}

struct Trimmer<'a> {
    segment: &'a Bytes,
    streams: Vec<Stream>,
    join: Pts33,
    has_video: bool,
    cut: Cut,
    /// Bytes that are kept and not yet handed over.
    run: std::ops::Range<usize>,
}

impl Trimmer<'_> {
    fn packet(&mut self, offset: usize) {
        let Some(packet) = Packet::at(self.segment, offset) else { return };
        let video_ended = self.has_video
            && self.streams.iter().filter(|stream| stream.role == Role::Video).all(|stream| stream.ended);
        let Some(index) = self.streams.iter().position(|stream| stream.pid == packet.pid()) else {
            // Tables, and clocks on PIDs of their own.
            if !self.all_ended() {
                self.keep(offset);
            }
            return;
        };
        let Some(stream) = self.streams.get_mut(index) else { return };
        let head = header(packet).and_then(|header| Some((header, header.pts?)));
        match (head, stream.role) {
            (Some((_, pts)), Role::Video) => {
                let before = pts.since(self.join) < MediaSpan::ZERO;
                if stream.ended {
                    self.cut.pictures_lost += u64::from(before);
                } else {
                    stream.ended = !before;
                    self.cut.kept += u64::from(before);
                }
            }
            (Some((header, pts)), Role::Audio(codec)) if !stream.ended => {
                if pts.since(self.join) >= MediaSpan::ZERO {
                    stream.ended = true;
                } else {
                    self.cut.kept += u64::from(!self.has_video);
                    if let Some(len) = self.audio_end(offset, codec, header, pts) {
                        self.shorten(offset, header, len, index);
                        return;
                    }
                }
            }
            _ => {}
        }
        let Some(stream) = self.streams.get_mut(index) else { return };
        // A unit under way is finished; a new one begins only while there are pictures.
        if stream.role == Role::Other && video_ended && packet.unit_start() {
            stream.ended = true;
        }
        if !stream.ended {
            self.keep(offset);
        }
    }

    fn all_ended(&self) -> bool {
        let mut media = self.streams.iter().filter(|stream| stream.role != Role::Other).peekable();
        media.peek().is_some() && media.all(|stream| stream.ended)
    }

    fn keep(&mut self, offset: usize) {
        if self.run.end != offset {
            self.flush();
            self.run = offset..offset;
        }
        self.run.end = offset + PACKET_LEN;
    }

    fn flush(&mut self) {
        if !self.run.is_empty() {
            self.cut.body.push(self.segment.slice(self.run.clone()));
            self.run = self.run.end..self.run.end;
        }
    }

    /// The length of the PES packet up to the first frame at or past the join; `None` where all of it lies before.
    fn audio_end(
        &self,
        offset: usize,
        codec: Option<AudioCodec>,
        header: PesHeader,
        pts: Pts33,
    ) -> Option<usize> {
        let total = header.total_len?;
        let pid = Packet::at(self.segment, offset)?.pid();
        let mut pes = Vec::with_capacity(total);
        for at in (offset..self.segment.len()).step_by(PACKET_LEN) {
            let packet = Packet::at(self.segment, at)?;
            if packet.pid() != pid {
                continue;
            }
            if packet.unit_start() && at != offset || pes.len() >= total {
                break;
            }
            pes.extend_from_slice(packet.payload());
        }
        let data = pes.get(header.data_offset..total)?;
        let starts = frame_starts(codec?, data)?;
        let at = starts.iter().find(|(_, after)| (pts + *after).since(self.join) >= MediaSpan::ZERO)?;
        Some(header.data_offset + at.0)
    }

    /// Keeps the first `len` bytes of the PES packet that begins at `offset`: packets as they are, but for the
    /// declared length in the first and the stuffing in the last.
    fn shorten(&mut self, offset: usize, header: PesHeader, len: usize, index: usize) {
        if let Some(stream) = self.streams.get_mut(index) {
            stream.ended = true;
        }
        let Some(pid) = Packet::at(self.segment, offset).map(|packet| packet.pid()) else { return };
        let mut left = len;
        // Packets of other PIDs between these come in their turn; these few come a little earlier.
        for at in (offset..self.segment.len()).step_by(PACKET_LEN) {
            let Some(packet) = Packet::at(self.segment, at).filter(|packet| packet.pid() == pid) else {
                continue;
            };
            let payload = packet.payload().len();
            if left == 0 {
                break;
            }
            let mut bytes = *packet.bytes();
            if at == offset && header.total_len.is_some() {
                let declared = u16::try_from(len.saturating_sub(6)).unwrap_or(0).to_be_bytes();
                let place = PACKET_LEN - payload + 4;
                if let Some(target) = bytes.get_mut(place..place + 2) {
                    target.copy_from_slice(&declared);
                }
            }
            if payload > left {
                bytes = stuffed(&bytes, payload, left);
            }
            left -= payload.min(left);
            self.flush();
            self.cut.body.push(Bytes::copy_from_slice(&bytes));
        }
    }
}

/// The packet with the first `keep` of its `payload` bytes, behind as much stuffing as that takes.
fn stuffed(packet: &[u8; PACKET_LEN], payload: usize, keep: usize) -> [u8; PACKET_LEN] {
    let mut made = [0xff; PACKET_LEN];
    let (from, to) = (PACKET_LEN - payload, PACKET_LEN - keep);
    made[..from].copy_from_slice(&packet[..from]);
    made[3] |= 0x20;
    // The adaptation field: its length, its flags where it has room for them, what it held, and stuffing.
    made[4] = u8::try_from(to - 5).unwrap_or(0);
    if from <= 5 && to > 5 {
        made[5] = 0;
    }
    made[to..].copy_from_slice(&packet[from..from + keep]);
    made
}
