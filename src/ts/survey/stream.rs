//! One elementary stream, surveyed.
//!
//! Times are unwrapped near the stream's own time before, from a point that all streams of a survey share.

use super::fault::{FaultKind, Faults};
use crate::media::{AccessUnitProbe, AudioFormat, RandomAccess, VideoFormat};
use crate::time::{MediaSpan, MediaTime, Pts33};
use crate::ts::pes::{ParsedPes, PesHeader};
use crate::ts::stream_type::StreamKind;
use crate::ts::track::{Continuity, Track, TrackKind};
use crate::ts::{ElementaryStream, PACKET_LEN, Packet, Pid, StreamType};

/// A unit that has not shown its first slice by then is no key frame.
const MAX_UNIT_BYTES: usize = 64 * 1024;
/// Steps of decoding time that are longer are jumps.
const JUMP: MediaSpan = MediaSpan::from_secs(15);

/// An elementary stream, as a survey found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSurvey {
    /// `elementary_PID`.
    pub pid: Pid,
    /// `stream_type`.
    pub stream_type: StreamType,
    /// What that makes of it.
    pub kind: StreamKind,
    /// Packets.
    pub packets: u64,
    /// Bytes of its PES packets, headers included.
    pub bytes: u64,
    /// Of them, those of the last one.
    pub last_unit_bytes: u64,
    /// PES packets: access units of pictures, as nearly all multiplexers write them; one or more frames of sound.
    pub units: u64,
    /// Of the pictures, those at which decoding can begin.
    pub key_units: u64,
    /// Whether decoding can begin at the first one; `None` where the codec is not understood, or there is none.
    pub first_is_key: Option<bool>,
    /// Earliest presentation time; unwrapped, on the scale of its whole survey.
    pub first_pts: Option<MediaTime>,
    /// Latest presentation time.
    pub last_pts: Option<MediaTime>,
    /// First decoding time.
    pub first_dts: Option<MediaTime>,
    /// Latest decoding time.
    pub last_dts: Option<MediaTime>,
    /// The longest way from one unit's decoding time to the next one's.
    pub longest_step: MediaSpan,
    /// The longest way from one key frame to the next.
    pub longest_gop: Option<MediaSpan>,
    /// Size of the pictures, first seen.
    pub video_format: Option<VideoFormat>,
    /// Shape of the sound, first seen.
    pub audio_format: Option<AudioFormat>,
}

impl StreamSurvey {
    /// How far it reaches: the last unit's end. A picture is taken to be as long as the mean one, and sound, of which a last PES
    /// packet often has less, as long as its bytes are of the others'. `None` without times.
    pub fn end(&self) -> Option<MediaTime> {
        let (first, last) = self.first_pts.zip(self.last_pts)?;
        let (part, of) = match self.kind {
            StreamKind::Audio(_) => (self.last_unit_bytes, self.bytes.saturating_sub(self.last_unit_bytes)),
            _ => (1, self.units.saturating_sub(1)),
        };
        let before = i128::from((last - first).ticks());
        let length = (before * i128::from(part)).checked_div(i128::from(of)).unwrap_or(0);
        Some(last + MediaSpan::from_ticks(i64::try_from(length).unwrap_or(0)))
    }

    /// From its first unit's begin to the last one's end.
    pub fn length(&self) -> Option<MediaSpan> {
        Some(self.end()? - self.first_pts?)
    }
}

/// A PES packet under way.
struct Pes {
    begin: u64,
    /// Declared length, where there is one.
    total: Option<usize>,
    seen: usize,
    /// Its first bytes, until the key frame test is done with them.
    head: Vec<u8>,
    header: Option<PesHeader>,
    probing: bool,
    /// Packets were lost inside.
    broken: bool,
}

pub(super) struct Stream {
    pub survey: StreamSurvey,
    track: Track,
    probe: Option<AccessUnitProbe>,
    pes: Option<Pes>,
    last_key: Option<MediaTime>,
    /// The container announced a break since the last time stamp.
    broken: bool,
    discarded: bool,
    /// The latest packet with a payload, unless it was sent twice.
    latest: Option<[u8; PACKET_LEN]>,
}

/// What the survey knows around a packet.
pub(super) struct Around<'a> {
    pub packet: u64,
    pub faults: &'a mut Faults,
    /// The scale's zero: the first time stamp of all.
    pub base: &'a mut Option<Pts33>,
    /// The program's clock, as last seen.
    pub clock: Option<Pts33>,
}

impl Stream {
    pub fn new(stream: &ElementaryStream) -> Self {
        let kind = match stream.kind {
            StreamKind::Sections => TrackKind::Sections,
            kind => TrackKind::Pes(kind),
        };
        let probe = match stream.kind {
            StreamKind::Video(Some(codec)) => Some(AccessUnitProbe::new(codec)),
            _ => None,
        };
        let survey = StreamSurvey {
            pid: stream.pid,
            stream_type: stream.stream_type,
            kind: stream.kind,
            packets: 0,
            bytes: 0,
            last_unit_bytes: 0,
            units: 0,
            key_units: 0,
            first_is_key: None,
            first_pts: None,
            last_pts: None,
            first_dts: None,
            last_dts: None,
            longest_step: MediaSpan::ZERO,
            longest_gop: None,
            video_format: None,
            audio_format: None,
        };
        let track = Track::new(stream.pid, kind);
        Self {
            survey,
            track,
            probe,
            pes: None,
            last_key: None,
            broken: false,
            discarded: false,
            latest: None,
        }
    }

    pub fn describes(&self, stream: &ElementaryStream) -> bool {
        (self.survey.pid, self.survey.kind) == (stream.pid, stream.kind)
    }

    pub fn take(&mut self, packet: Packet<'_>, around: &mut Around<'_>) {
        let pid = Some(self.survey.pid);
        self.survey.packets += 1;
        self.broken |= packet.discontinuity();
        match self.track.count(packet) {
            Continuity::Good => {}
            Continuity::Duplicate => {
                // Legal once, and but for the clock with the same bytes (2.4.3.3).
                let known = self.latest.take();
                let same = known.is_some_and(|known| without_clock(known) == without_clock(*packet.bytes()));
                let (kind, message) = if same {
                    (FaultKind::Duplicate, "the same packet again")
                } else {
                    (FaultKind::ContinuityGap, "another packet with the same counter: packets are missing")
                };
                return around.faults.add(kind, pid, around.packet, message);
            }
            Continuity::Broken => {
                let message = format_args!("counter {} does not follow", packet.continuity_counter());
                around.faults.add(FaultKind::ContinuityGap, pid, around.packet, message);
                if let Some(pes) = &mut self.pes {
                    pes.broken = true;
                }
            }
        }
        if packet.has_payload() {
            self.latest = Some(*packet.bytes());
        }
        let sections = self.survey.kind == StreamKind::Sections;
        if !packet.has_payload() || packet.scrambled() || sections {
            return;
        }
        if packet.unit_start() {
            self.finish(around, FaultKind::PesShort);
            self.begin(packet, around);
        } else if self.pes.is_none() && !self.discarded {
            self.discarded = true;
            let message = "its first packet begins no PES packet";
            around.faults.add(FaultKind::BeginsInMidPes, pid, around.packet, message);
        } else {
            self.go_on(packet, around);
        }
    }

    fn begin(&mut self, packet: Packet<'_>, around: &mut Around<'_>) {
        self.discarded = true;
        self.survey.units += 1;
        self.survey.last_unit_bytes = 0;
        if let Some(probe) = &mut self.probe {
            probe.reset();
        }
        self.pes = Some(Pes {
            begin: around.packet,
            total: None,
            seen: 0,
            head: Vec::new(),
            header: None,
            probing: true,
            broken: false,
        });
        self.go_on(packet, around);
    }

    fn go_on(&mut self, packet: Packet<'_>, around: &mut Around<'_>) {
        let Some(pes) = &mut self.pes else { return };
        let payload = packet.payload();
        self.survey.bytes += payload.len() as u64;
        self.survey.last_unit_bytes += payload.len() as u64;
        pes.seen += payload.len();
        if !pes.probing {
            return;
        }
        pes.head.extend_from_slice(payload);
        if pes.header.is_none() {
            match PesHeader::parse(&pes.head) {
                ParsedPes::Header(header) => {
                    let [flags, len] = [7, 8].map(|at| pes.head.get(at).copied().unwrap_or(0));
                    if header.data_offset > 6 && flags & 0x80 != 0 && header.pts.is_none() {
                        let message = format_args!("{len} bytes of header for a time stamp");
                        around.faults.add(FaultKind::PesHeader, Some(self.survey.pid), pes.begin, message);
                    }
                    pes.total = header.total_len;
                    pes.header = Some(header);
                    self.stamp(header, around);
                }
                ParsedPes::NeedMore => return,
                ParsedPes::NotPes => {
                    let message = "no start code, or an impossible header";
                    let pid = Some(self.survey.pid);
                    around.faults.add(FaultKind::PesHeader, pid, pes.begin, message);
                    pes.broken = true;
                    return self.probed(None);
                }
            }
        }
        self.look(false);
    }

    /// Looks into the unit as far as it is there.
    fn look(&mut self, last: bool) {
        let Some(pes) = self.pes.as_mut().filter(|pes| pes.probing) else { return };
        let Some(data) = pes.header.and_then(|header| pes.head.get(header.data_offset..)) else { return };
        let last = last || pes.head.len() >= MAX_UNIT_BYTES;
        let facts = match &mut self.probe {
            Some(probe) if last => Some(probe.conclude(data)),
            Some(probe) => probe.examine(data),
            None => {
                if let StreamKind::Audio(Some(codec)) = self.survey.kind {
                    let known = &mut self.survey.audio_format;
                    *known = known.or_else(|| codec.format(data));
                }
                return self.probed(None);
            }
        };
        if let Some(facts) = facts {
            self.survey.video_format = self.survey.video_format.or(facts.video_format);
            self.probed(Some(facts.random_access));
        }
    }

    /// The unit under way needs no more looking into.
    fn probed(&mut self, random_access: Option<RandomAccess>) {
        let survey = &mut self.survey;
        if let Some(pes) = &mut self.pes {
            (pes.probing, pes.head) = (false, Vec::new());
        }
        let Some(random_access) = random_access else { return };
        let key = random_access == RandomAccess::Key;
        survey.first_is_key = survey.first_is_key.or(Some(key));
        if !key {
            return;
        }
        survey.key_units += 1;
        let at = survey.last_dts;
        if let Some(way) = at.zip(self.last_key).map(|(at, before)| at - before) {
            survey.longest_gop = survey.longest_gop.max(Some(way));
        }
        self.last_key = at.or(self.last_key);
    }

    fn stamp(&mut self, header: PesHeader, around: &mut Around<'_>) {
        let pid = Some(self.survey.pid);
        let timed = matches!(self.survey.kind, StreamKind::Video(_) | StreamKind::Audio(_));
        let broken = std::mem::take(&mut self.broken);
        let Some(pts) = header.pts else {
            if timed && self.survey.units == 1 {
                around.faults.add(FaultKind::NoPts, pid, around.packet, "its first unit has none");
            }
            return;
        };
        let dts = header.dts.unwrap_or(pts);
        let base = *around.base.get_or_insert(dts);
        let near = self.survey.last_dts.unwrap_or(MediaTime::from_ticks(0));
        let on_scale = |stamp: Pts33| {
            let zero = base.since(Pts33::new(0));
            Pts33::new((stamp + -zero).bits()).unwrap_near(near)
        };
        let (pts_at, dts_at) = (on_scale(pts), on_scale(dts));
        if pts.since(dts) < MediaSpan::ZERO {
            let message = format_args!("{} s before it", dts.since(pts));
            around.faults.add(FaultKind::PtsBeforeDts, pid, around.packet, message);
        }
        if let Some(last) = self.survey.last_dts.filter(|_| !broken && timed) {
            let step = dts_at - last;
            if step < MediaSpan::ZERO {
                let message = format_args!("by {} s", -step);
                around.faults.add(FaultKind::DtsBack, pid, around.packet, message);
            } else if step > JUMP {
                around.faults.add(FaultKind::Jump, pid, around.packet, format_args!("by {step} s"));
            }
            self.survey.longest_step = self.survey.longest_step.max(step);
        }
        if let Some(late) = around.clock.map(|clock| clock.since(dts))
            && late > MediaSpan::ZERO
            && late < JUMP
        {
            around.faults.add(FaultKind::Late, pid, around.packet, format_args!("by {late} s"));
        }
        let survey = &mut self.survey;
        survey.first_pts = Some(survey.first_pts.map_or(pts_at, |first| first.min(pts_at)));
        survey.last_pts = survey.last_pts.max(Some(pts_at));
        survey.first_dts = survey.first_dts.or(Some(dts_at));
        survey.last_dts = Some(dts_at);
    }

    /// The unit under way has ended: another begins, or the stream ends. `short`: what that is called where bytes are missing.
    pub fn finish(&mut self, around: &mut Around<'_>, short: FaultKind) {
        self.look(true);
        let Some(pes) = self.pes.take().filter(|pes| !pes.broken) else { return };
        let pid = Some(self.survey.pid);
        if pes.header.is_none() {
            let message = "it ends inside its header";
            return around.faults.add(FaultKind::PesHeader, pid, pes.begin, message);
        }
        let Some(total) = pes.total.filter(|total| *total != pes.seen) else { return };
        let kind = if pes.seen < total { short } else { FaultKind::PesLong };
        around.faults.add(kind, pid, pes.begin, format_args!("{} bytes of {total}", pes.seen));
    }
}

/// A packet without its clock, which a repeat may have anew.
fn without_clock(mut packet: [u8; PACKET_LEN]) -> [u8; PACKET_LEN] {
    let [_, _, _, control, len, flags, clock @ ..] = &mut packet;
    if *control & 0x20 != 0 && *len >= 7 && *flags & 0x10 != 0 {
        clock.iter_mut().take(6).for_each(|byte| *byte = 0);
    }
    packet
}
