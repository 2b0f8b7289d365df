//! PES packets out of a transport stream: pure.
//!
//! In: whole packets of 188 bytes, in order; only the first program is looked at. Out: each PES packet of its streams once it is
//! whole: when its declared length is reached, or when another begins on its PID. Repeated packets are left out. What lost
//! packets make of a PES packet is handed out as it is: who reads its frames sees where they break.
//!
//! Invariants: the same packets give the same PES packets however they are handed in; a PES packet of more than
//! [`LONGEST`] bytes is dropped.

use super::packet::{PACKET_LEN, Packet, Pid};
use super::pes::{ParsedPes, PesHeader};
use super::stream_type::StreamKind;
use super::tables::{TableNews, Tables};
use super::track::{Continuity, Track, TrackKind};

/// No access unit is longer: 64 MiB.
const LONGEST: usize = 64 << 20;
/// No more streams than this are followed.
const MAX_STREAMS: u8 = 64;

/// A PES packet, whole.
#[derive(Debug, Clone, Copy)]
pub struct PesPacket<'a> {
    /// Its PID.
    pub pid: Pid,
    /// What its stream carries.
    pub kind: StreamKind,
    /// Its header.
    pub header: PesHeader,
    /// What the call in which it began was numbered with.
    pub part: u64,
    /// Its elementary stream's bytes.
    pub data: &'a [u8],
}

/// Takes PES packets out of a stream.
#[derive(Debug)]
pub struct TsDemuxer {
    tables: Tables,
    streams: Vec<Stream>,
    /// Place in `streams` by PID.
    routes: Box<[Option<u8>]>,
    dropped: u64,
}

#[derive(Debug)]
struct Stream {
    kind: StreamKind,
    track: Track,
    part: u64,
    /// The PES packet under way, from its start code on; empty where none is.
    bytes: Vec<u8>,
    /// Its length, where it declares one.
    total: Option<usize>,
}

impl Default for TsDemuxer {
    fn default() -> Self {
        let routes = vec![None; Pid::COUNT].into_boxed_slice();
        Self { tables: Tables::new(None), streams: Vec::new(), routes, dropped: 0 }
    }
}

impl TsDemuxer {
    /// Takes the next packets, and hands out what is whole with them.
    pub fn push(&mut self, packets: &[u8], part: u64, sink: &mut impl FnMut(PesPacket<'_>)) {
        for at in (0..packets.len()).step_by(PACKET_LEN) {
            let Some(packet) = Packet::at(packets, at) else { break };
            let pid = packet.pid();
            if let Some(index) = self.routes.get(pid.index()).copied().flatten() {
                self.take(index, packet, part, sink);
            } else if pid == Pid::PAT {
                self.tables.push_pat(packet);
            } else if self.tables.map_pid() == Some(pid) && self.tables.push_pmt(packet) == TableNews::Tracks
            {
                self.adopt(sink);
            }
        }
    }

    /// Hands out what is under way: nothing follows. Gives how many PES packets were dropped: too long, or without a header
    /// that can be read.
    pub fn finish(mut self, sink: &mut impl FnMut(PesPacket<'_>)) -> u64 {
        for stream in &mut self.streams {
            self.dropped += u64::from(!stream.hand_out(sink));
        }
        self.dropped
    }

    /// Follows a new map. A stream that is another one now is handed out first.
    fn adopt(&mut self, sink: &mut impl FnMut(PesPacket<'_>)) {
        let Some(pmt) = self.tables.pmt() else { return };
        for wanted in &pmt.streams {
            if wanted.kind == StreamKind::Sections {
                continue;
            }
            let new = Stream::new(wanted.pid, wanted.kind);
            let Some(route) = self.routes.get_mut(wanted.pid.index()) else { continue };
            match route.and_then(|index| self.streams.get_mut(usize::from(index))) {
                Some(known) if known.kind == wanted.kind => {}
                Some(known) => {
                    self.dropped += u64::from(!known.hand_out(sink));
                    *known = new;
                }
                None => {
                    *route = u8::try_from(self.streams.len()).ok().filter(|next| *next < MAX_STREAMS);
                    self.streams.extend(route.map(|_| new));
                }
            }
        }
    }

    fn take(&mut self, index: u8, packet: Packet<'_>, part: u64, sink: &mut impl FnMut(PesPacket<'_>)) {
        let Some(stream) = self.streams.get_mut(usize::from(index)) else { return };
        let payload = packet.payload();
        if payload.is_empty() || packet.scrambled() || stream.track.count(packet) == Continuity::Duplicate {
            return;
        }
        if packet.unit_start() {
            self.dropped += u64::from(!stream.hand_out(sink));
            stream.part = part;
            stream.total = None;
        } else if stream.bytes.is_empty() {
            // The rest of one whose begin is missing, or stuffing behind its end.
            return;
        }
        stream.bytes.extend_from_slice(payload);
        if packet.unit_start()
            && let ParsedPes::Header(header) = PesHeader::parse(&stream.bytes)
        {
            stream.total = header.total_len;
        }
        let whole = stream.total.is_some_and(|total| stream.bytes.len() >= total);
        if whole {
            self.dropped += u64::from(!stream.hand_out(sink));
        } else if stream.bytes.len() > LONGEST {
            stream.bytes = Vec::new();
            self.dropped += 1;
        }
    }
}

impl Stream {
    fn new(pid: Pid, kind: StreamKind) -> Self {
        let track = Track::new(pid, TrackKind::Pes(kind));
        Self { kind, track, part: 0, bytes: Vec::new(), total: None }
    }

    /// Hands out the PES packet under way, if there is one. False where it cannot be read.
    fn hand_out(&mut self, sink: &mut impl FnMut(PesPacket<'_>)) -> bool {
        if self.bytes.is_empty() {
            return true;
        }
        let end = self.total.unwrap_or(usize::MAX).min(self.bytes.len());
        let read = match PesHeader::parse(&self.bytes) {
            ParsedPes::Header(header) => self.bytes.get(header.data_offset..end).map(|data| (header, data)),
            ParsedPes::NeedMore | ParsedPes::NotPes => None,
        };
        if let Some((header, data)) = read {
            sink(PesPacket { pid: self.track.pid, kind: self.kind, header, part: self.part, data });
        }
        let readable = read.is_some();
        self.bytes.clear();
        readable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demuxed(bytes: &[u8], step: usize) -> Vec<(Pid, Option<u64>, Vec<u8>)> {
        let (mut demuxer, mut found) = (TsDemuxer::default(), Vec::new());
        let mut take = |pes: PesPacket<'_>| {
            found.push((pes.pid, pes.header.pts.map(|pts| pts.bits()), pes.data.to_vec()));
        };
        for packets in bytes.chunks(step * PACKET_LEN) {
            demuxer.push(packets, 0, &mut take);
        }
        assert_eq!(demuxer.finish(&mut take), 0);
        found
    }

    #[test]
    fn pes_packets_do_not_depend_on_the_steps() {
        let bytes = std::fs::read("fixtures/h264_aac.ts").unwrap();
        let whole = demuxed(&bytes, bytes.len() / PACKET_LEN);
        // 600 pictures, and sound with a declared length.
        assert_eq!(whole.iter().filter(|(pid, ..)| pid.get() == 0x100).count(), 600);
        assert!(whole.iter().filter(|(pid, ..)| pid.get() == 0x101).count() > 60);
        for step in [1, 7, 1000] {
            assert!(demuxed(&bytes, step) == whole, "{step} packets at a time");
        }
    }

    #[test]
    fn a_repeated_packet_is_left_out() {
        let bytes = std::fs::read("fixtures/h264_aac.ts").unwrap();
        let mut repeated = Vec::new();
        for packet in bytes.chunks(PACKET_LEN) {
            repeated.extend_from_slice(packet);
            let is_media = packet[1] & 0x1f == 1;
            let with_payload = packet[3] & 0x10 != 0;
            if is_media && with_payload {
                repeated.extend_from_slice(packet);
            }
        }
        assert!(demuxed(&repeated, 100) == demuxed(&bytes, 100));
    }

    #[test]
    fn noise_and_pieces_of_a_stream_give_what_can_be_read() {
        let bytes = std::fs::read("fixtures/garbage.ts").unwrap();
        for from in 0..200 {
            let part = bytes.get(from..from + 100 * PACKET_LEN).unwrap();
            let mut demuxer = TsDemuxer::default();
            demuxer.push(part, 0, &mut |_| {});
            demuxer.finish(&mut |_| {});
        }
    }
}
