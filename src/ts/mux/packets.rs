//! Packets of 188 bytes (ISO/IEC 13818-1, 2.4.3.2 to 2.4.3.7): PES packets cut into them, and clocks.

use bytes::{BufMut, BytesMut};

use crate::time::Pts33;
use crate::ts::pes::timestamp_bytes;
use crate::ts::{PACKET_LEN, Pid, SYNC_BYTE};

/// Bytes of a packet behind its header.
const ROOM: usize = PACKET_LEN - 4;
/// Payload begins, and where the next fields say so, an adaptation field comes before it.
const PAYLOAD: u8 = 0x10;
const ADAPTATION: u8 = 0x20;

/// The program's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    pub at: Pts33,
    /// It does not go on from the one before.
    pub jumped: bool,
}

impl Clock {
    /// The flags and fields of an adaptation field.
    fn fields(self) -> [u8; 7] {
        let base = self.at.bits() << 15 | 0x3f << 9;
        let [_, _, a, b, c, d, e, f] = base.to_be_bytes();
        [0x10 | if self.jumped { 0x80 } else { 0 }, a, b, c, d, e, f]
    }

    /// Writes a packet with nothing but the clock. Such a packet does not count: `counter` is that of the next one.
    pub fn write(self, pid: Pid, counter: u8, out: &mut BytesMut) {
        put_header(pid, false, ADAPTATION, counter.wrapping_sub(1), out);
        let fields = self.fields();
        out.put_u8((ROOM - 1) as u8);
        out.put_slice(&fields);
        out.put_bytes(0xff, ROOM - 1 - fields.len());
    }
}

/// A PES packet to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct PesPacket<'a> {
    pub stream_id: u8,
    /// Presentation and decoding time.
    pub times: (Pts33, Pts33),
    /// Its header tells its length: all but video must.
    pub bounded: bool,
    /// Decoding can begin with it.
    pub random_access: bool,
    pub clock: Option<Clock>,
    /// Its content.
    pub parts: [&'a [u8]; 2],
}

/// The longest content of a bounded packet: its header's fields count in 16 bits.
pub(super) const MOST_BOUNDED: usize = 0xffff - 3 - 10;

impl PesPacket<'_> {
    /// Writes the packets that hold it. `counter` is the first one's continuity counter, and is counted on.
    pub fn write(&self, pid: Pid, counter: &mut u8, out: &mut BytesMut) {
        let (header, len) = self.header();
        let [front, body] = self.parts;
        let content = len + front.len() + body.len();
        out.reserve((content / ROOM + 2) * PACKET_LEN);
        let mut parts = [header.get(..len).unwrap_or_default(), front, body];
        let mut left = content;
        let (mut adaptation, adaptation_len) = self.adaptation();
        let mut fields = adaptation.get_mut(..adaptation_len).unwrap_or_default();
        let mut begins = true;
        while left > 0 {
            let room = ROOM - fields.len();
            let now = left.min(room);
            let stuffing = room - now;
            let control = if fields.len() + stuffing > 0 { PAYLOAD | ADAPTATION } else { PAYLOAD };
            put_header(pid, begins, control, *counter, out);
            *counter = counter.wrapping_add(1);
            put_fields(fields, stuffing, out);
            put_content(&mut parts, now, out);
            left -= now;
            fields = &mut [];
            begins = false;
            if let [[], [], body] = &mut parts {
                left -= put_whole(pid, counter, body, out);
            }
        }
    }

    /// The PES header, and how long it is.
    fn header(&self) -> ([u8; 19], usize) {
        let (pts, dts) = self.times;
        let stamps = if pts == dts { 5 } else { 10 };
        let content = 3 + stamps + self.parts.iter().map(|part| part.len()).sum::<usize>();
        let [high, low] = match self.bounded {
            true => u16::try_from(content).unwrap_or(0).to_be_bytes(),
            false => [0, 0],
        };
        let both = pts != dts;
        let mut header = [0; 19];
        let fixed = [0, 0, 1, self.stream_id, high, low, 0x84, if both { 0xc0 } else { 0x80 }, stamps as u8];
        let pts = timestamp_bytes(if both { 0x30 } else { 0x20 }, pts);
        let dts = timestamp_bytes(0x10, dts);
        let bytes = fixed.into_iter().chain(pts).chain(dts);
        header.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        (header, 9 + stamps)
    }

    /// The adaptation field with its length, and how long it is; 0 where there is none.
    fn adaptation(&self) -> ([u8; 8], usize) {
        let access = if self.random_access { 0x40 } else { 0 };
        match self.clock {
            Some(clock) => {
                let [flags, a, b, c, d, e, f] = clock.fields();
                ([7, flags | access, a, b, c, d, e, f], 8)
            }
            None if self.random_access => ([1, access, 0, 0, 0, 0, 0, 0], 2),
            None => ([0; 8], 0),
        }
    }
}

/// Writes the packets that the body fills, and takes their bytes from it: nearly all of a picture. Gives how many these were.
fn put_whole(pid: Pid, counter: &mut u8, body: &mut &[u8], out: &mut BytesMut) -> usize {
    let (whole, rest) = body.as_chunks::<ROOM>();
    let begin = out.len();
    out.resize(begin + whole.len() * PACKET_LEN, 0);
    let packets = out.get_mut(begin..).unwrap_or_default().as_chunks_mut::<PACKET_LEN>().0;
    for (packet, content) in packets.iter_mut().zip(whole) {
        let (head, payload) = packet.split_at_mut(PACKET_LEN - ROOM);
        head.copy_from_slice(&header(pid, false, PAYLOAD, *counter));
        payload.copy_from_slice(content);
        *counter = counter.wrapping_add(1);
    }
    *body = rest;
    whole.len() * ROOM
}

fn put_header(pid: Pid, begins: bool, control: u8, counter: u8, out: &mut BytesMut) {
    out.put_slice(&header(pid, begins, control, counter));
}

fn header(pid: Pid, begins: bool, control: u8, counter: u8) -> [u8; 4] {
    let [high, low] = pid.get().to_be_bytes();
    [SYNC_BYTE, if begins { 0x40 | high } else { high }, low, control | counter & 0x0f]
}

/// Writes an adaptation field that takes so many bytes more than its fields.
fn put_fields(fields: &mut [u8], stuffing: usize, out: &mut BytesMut) {
    match (fields.first_mut(), stuffing) {
        (None, 0) => {}
        // A field of no byte but its length.
        (None, 1) => out.put_u8(0),
        (None, _) => {
            out.put_slice(&[stuffing as u8 - 1, 0]);
            out.put_bytes(0xff, stuffing - 2);
        }
        (Some(len), _) => {
            *len += stuffing as u8;
            out.put_slice(fields);
            out.put_bytes(0xff, stuffing);
        }
    }
}

/// Writes the next bytes of the parts.
fn put_content(parts: &mut [&[u8]; 3], mut count: usize, out: &mut BytesMut) {
    for part in parts {
        let (now, rest) = part.split_at(part.len().min(count));
        out.put_slice(now);
        *part = rest;
        count -= now.len();
        if count == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::{Packet, ParsedPes, PesHeader};

    fn packets(bytes: &[u8]) -> Vec<Packet<'_>> {
        assert_eq!(bytes.len() % PACKET_LEN, 0);
        (0..bytes.len() / PACKET_LEN).map(|n| Packet::at(bytes, n * PACKET_LEN).unwrap()).collect()
    }

    #[test]
    fn content_of_every_length_fills_whole_packets() {
        let body: Vec<u8> = (0..600_u32).map(|n| n as u8).collect();
        let clock = Clock { at: Pts33::new(0x1_2345_6789), jumped: true };
        for len in 1..body.len() {
            for (clock, random_access) in [(None, false), (None, true), (Some(clock), true)] {
                let times = (Pts33::new(9), Pts33::new(if len % 2 == 0 { 9 } else { 5 }));
                let parts = [&body[..len / 3], &body[len / 3..len]];
                let pes = PesPacket { stream_id: 0xc0, times, bounded: true, random_access, clock, parts };
                let (mut out, mut counter) = (BytesMut::new(), 14);
                pes.write(Pid::new(0x101), &mut counter, &mut out);
                let packets = packets(&out);
                assert_eq!(packets[0].pcr(), clock.map(|clock| clock.at));
                assert_eq!(
                    (packets[0].random_access(), packets[0].discontinuity()),
                    (random_access, clock.is_some())
                );
                let counters: Vec<u8> = packets.iter().map(|packet| packet.continuity_counter()).collect();
                assert!(counters.iter().zip(0..).all(|(counter, n)| *counter == (14 + n) % 16), "{len}");
                assert_eq!(counter % 16, (14 + packets.len() as u8) % 16);
                let content: Vec<u8> = packets.iter().flat_map(|packet| packet.payload()).copied().collect();
                let ParsedPes::Header(header) = PesHeader::parse(&content) else { panic!("{len}") };
                assert_eq!(header.total_len, Some(content.len()));
                assert_eq!((header.pts, header.dts.or(header.pts)), (Some(times.0), Some(times.1)));
                assert_eq!(content[header.data_offset..], body[..len]);
            }
        }
    }

    #[test]
    fn a_packet_with_a_clock_alone_does_not_count() {
        let mut out = BytesMut::new();
        Clock { at: Pts33::new(7), jumped: false }.write(Pid::new(0x100), 3, &mut out);
        let packet = packets(&out)[0];
        assert_eq!(
            (packet.pcr(), packet.continuity_counter(), packet.has_payload()),
            (Some(Pts33::new(7)), 2, false)
        );
        assert!(!packet.discontinuity());
    }
}
