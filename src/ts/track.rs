//! The state of one PID of the program.

use super::candidate::Decided;
use super::packet::{PACKET_LEN, Packet, Pid};
use super::pes::{ParsedPes, PesHeader};
use super::stream_type::StreamKind;
use crate::media::{AudioCodec, AudioFormat};

/// Payload of a packet without an adaptation field.
const PLAIN_PAYLOAD: usize = PACKET_LEN - 4;
/// Bytes that are enough for every audio frame's header.
const MIN_AUDIO_HEADER: usize = 16;

/// What a PID carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrackKind {
    /// PES packets.
    Pes(StreamKind),
    /// Sections.
    Sections,
    /// The program clock and nothing else.
    Clock,
}

/// Whether a PES packet, or a section, is under way on a PID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Closed,
    /// Bytes still to come, where that is known.
    Open(Option<usize>),
}

/// What a packet's counter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Continuity {
    Good,
    Duplicate,
    Broken,
}

#[derive(Debug)]
pub(super) struct Track {
    pub pid: Pid,
    pub kind: TrackKind,
    /// Whether a unit's begin has been seen, so that the rest can be used.
    pub started: bool,
    /// Whether its packets already go into the next segment.
    pub ahead: bool,
    /// No longer in the map; goes with the segment that is open.
    pub retired: bool,
    /// The unit under way began in an older segment.
    pub torn: bool,
    /// Every audio PES packet so far began with a frame's header.
    aligned: bool,
    audio_format: Option<AudioFormat>,
    last_counter: Option<u8>,
    /// A unit began in the packet that had this counter.
    last_started: bool,
    unit: Unit,
}

impl Track {
    pub fn new(pid: Pid, kind: TrackKind) -> Self {
        Self {
            pid,
            kind,
            // A clock has no units to wait for.
            started: kind == TrackKind::Clock,
            ahead: false,
            retired: false,
            torn: false,
            aligned: true,
            audio_format: None,
            last_counter: None,
            last_started: false,
            unit: Unit::Closed,
        }
    }

    pub fn is_open(&self) -> bool {
        self.unit != Unit::Closed
    }

    /// Whether a unit is under way of which only what follows can tell where it ends.
    pub fn lacks_length(&self) -> bool {
        self.unit == Unit::Open(None)
    }

    /// Whether a packet has bytes of the unit under way: one in which another section begins may still
    /// have the end of the one before, in front of where its pointer field points.
    #[inline]
    pub fn continues(&self, packet: Packet<'_>, starts: bool) -> bool {
        let pointed = || packet.payload().first().is_some_and(|&pointer| pointer > 0);
        self.is_open() && (!starts || self.kind == TrackKind::Sections && pointed())
    }

    /// Checks the continuity counter (ISO/IEC 13818-1, 2.4.3.3).
    #[inline]
    pub fn count(&mut self, packet: Packet<'_>) -> Continuity {
        if !packet.has_payload() {
            return Continuity::Good;
        }
        let counter = packet.continuity_counter();
        let last = self.last_counter.replace(counter);
        let started = std::mem::replace(&mut self.last_started, packet.unit_start());
        match last {
            Some(last) if (last + 1) & 0x0f != counter && !packet.discontinuity() => {
                // An encoder that was restarted may begin with the very count that was the last.
                if last == counter && started == packet.unit_start() {
                    return Continuity::Duplicate;
                }
                if let Unit::Open(remaining) = &mut self.unit {
                    // Bytes are missing: only the next unit's start tells where this one ended.
                    *remaining = None;
                }
                Continuity::Broken
            }
            _ => Continuity::Good,
        }
    }

    /// Takes a packet of 184 bytes in the middle of a unit, if it is the next in the count and changes
    /// nothing else.
    #[inline]
    pub fn go_on(&mut self, counter: u8) -> bool {
        let next = self.last_counter.is_some_and(|last| (last + 1) & 0x0f == counter);
        if !next || !self.started || self.torn {
            return false;
        }
        match &mut self.unit {
            Unit::Open(None) => {}
            Unit::Open(Some(remaining)) if *remaining > PLAIN_PAYLOAD => *remaining -= PLAIN_PAYLOAD,
            _ => return false,
        }
        self.last_counter = Some(counter);
        self.last_started = false;
        true
    }

    /// Follows the units through a packet that is no duplicate.
    #[inline]
    pub fn follow(&mut self, packet: Packet<'_>) {
        match (self.kind, packet.unit_start()) {
            (TrackKind::Clock, _) => {}
            (TrackKind::Pes(_), true) => self.unit = self.begin_pes(packet),
            (TrackKind::Sections, true) => self.unit = begin_section(packet.payload()),
            (_, false) => {
                if let Unit::Open(Some(remaining)) = self.unit {
                    let left = remaining.saturating_sub(packet.payload().len());
                    self.unit = if left == 0 { Unit::Closed } else { Unit::Open(Some(left)) };
                }
            }
        }
    }

    /// Whether an audio unit announces another format than the one before. Only streams whose units all
    /// begin with a frame are believed: in others the same bits may be anything.
    pub fn audio_changed(
        &mut self,
        codec: Option<AudioCodec>,
        decided: &Decided,
        packet: Packet<'_>,
    ) -> bool {
        let data = decided.header.and_then(|header| packet.payload().get(header.data_offset..));
        let (Some(codec), Some(data)) = (codec, data.filter(|data| data.len() >= MIN_AUDIO_HEADER)) else {
            return false;
        };
        let format = codec.format(data);
        self.aligned &= format.is_some();
        let Some(format) = format.filter(|_| self.aligned) else { return false };
        self.audio_format.replace(format).is_some_and(|last| last != format)
    }

    fn begin_pes(&self, packet: Packet<'_>) -> Unit {
        let payload = packet.payload();
        if packet.scrambled() {
            return Unit::Open(None);
        }
        match PesHeader::parse(payload) {
            ParsedPes::Header(PesHeader { total_len: Some(total), .. }) => {
                if total <= payload.len() {
                    Unit::Closed
                } else {
                    Unit::Open(Some(total - payload.len()))
                }
            }
            _ => Unit::Open(None),
        }
    }
}

/// The last section that begins in this packet decides what is still to come.
fn begin_section(payload: &[u8]) -> Unit {
    let Some((&pointer, rest)) = payload.split_first() else { return Unit::Closed };
    let Some(mut rest) = rest.get(usize::from(pointer)..) else { return Unit::Open(None) };
    loop {
        match *rest {
            [] | [0xff, ..] => return Unit::Closed,
            [_, high, low, ..] => {
                let len = 3 + usize::from(u16::from_be_bytes([high, low]) & 0x0fff);
                match rest.get(len..) {
                    Some(next) => rest = next,
                    None => return Unit::Open(Some(len - rest.len())),
                }
            }
            _ => return Unit::Open(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(start: bool, counter: u8, payload: &[u8]) -> [u8; 188] {
        let mut bytes = [0xff; 188];
        let stuffing = 184 - payload.len();
        bytes[..4].copy_from_slice(&[0x47, if start { 0x41 } else { 1 }, 0, 0x10 | counter]);
        if stuffing > 0 {
            bytes[3] |= 0x20;
            bytes[4] = (stuffing - 1) as u8;
            if stuffing > 1 {
                bytes[5] = 0;
            }
        }
        bytes[188 - payload.len()..].copy_from_slice(payload);
        bytes
    }

    fn follow(track: &mut Track, start: bool, payload: &[u8]) -> bool {
        track.follow(Packet::at(&packet(start, 0, payload), 0).unwrap());
        track.is_open()
    }

    #[test]
    fn a_declared_pes_ends_with_its_last_byte() {
        let mut track = Track::new(Pid::new(0x100), TrackKind::Pes(StreamKind::Data));
        let mut first = vec![0, 0, 1, 0xc0, 0, 200, 0x80, 0, 0];
        first.resize(184, 0);
        assert!(follow(&mut track, true, &first), "206 bytes, 184 seen");
        assert!(follow(&mut track, false, &[0; 21]));
        assert!(!follow(&mut track, false, &[0; 1]));
        first[5] = 0;
        assert!(follow(&mut track, true, &first), "unbounded");
        assert!(follow(&mut track, false, &[0; 184]));
    }

    #[test]
    fn sections_end_by_their_length() {
        let mut track = Track::new(Pid::SDT, TrackKind::Sections);
        assert!(!follow(&mut track, true, &[0, 0x42, 0xb0, 2, 1, 1, 0xff, 0xff]));
        assert!(follow(&mut track, true, &[1, 9, 0x42, 0xb0, 3, 1, 1]));
        assert!(!follow(&mut track, false, &[1]));
    }

    #[test]
    fn counters_tell_loss_from_repeats() {
        let mut track = Track::new(Pid::new(0x100), TrackKind::Clock);
        let mut count = |counter| track.count(Packet::at(&packet(false, counter, &[1]), 0).unwrap());
        assert_eq!(count(14), Continuity::Good);
        assert_eq!(count(15), Continuity::Good);
        assert_eq!(count(0), Continuity::Good);
        assert_eq!(count(0), Continuity::Duplicate);
        assert_eq!(count(2), Continuity::Broken);
    }
}
