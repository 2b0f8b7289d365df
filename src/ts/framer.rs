//! Finds packets in a byte stream: 188, 192 (M2TS) or 204 (with parity) bytes apart, and finds them
//! again after garbage.
//!
//! Chunks of any size go in; each packet comes out as a buffer and the offset of its sync byte in it.
//! A packet is copied only where it straddles two chunks. What is decided never depends on how the
//! input was chunked: before a stride is chosen there must be enough bytes to verify it.

use bytes::Bytes;

use super::packet::{PACKET_LEN, SYNC_BYTE};

/// Distances between packets, the most common first.
const STRIDES: [usize; 3] = [PACKET_LEN, 192, 204];
/// How many sync bytes must follow the first one before a stride is believed.
const CONFIRMATIONS: usize = 4;
/// Bytes after a candidate that verifying the longest stride needs.
const LOOKAHEAD: usize = CONFIRMATIONS * 204;

/// What was lost on the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FramerNotes {
    /// How often the packets' rhythm broke.
    pub sync_losses: u64,
    /// Bytes that belong to no packet.
    pub skipped_bytes: u64,
}

/// The state of the search.
#[derive(Debug, Default)]
pub struct Framer {
    stride: Option<usize>,
    /// Bytes not yet used: the begin of a packet, or what the search has to look at again.
    carry: Vec<u8>,
    /// Bytes between the last packet and the next, not yet seen.
    skip: usize,
    /// Bytes passed over since the last packet.
    astray: u64,
    notes: FramerNotes,
}

enum Hunt {
    Found { offset: usize, stride: usize },
    Need { discard: usize },
}

impl Framer {
    /// What was lost so far.
    pub fn notes(&self) -> FramerNotes {
        self.notes
    }

    /// Whether packets have been found and their rhythm holds.
    pub fn is_locked(&self) -> bool {
        self.stride.is_some()
    }

    /// Takes a chunk and hands on every packet that is complete, as a buffer and an offset into it.
    pub fn push(&mut self, chunk: &Bytes, mut sink: impl FnMut(&Bytes, usize)) {
        let mut start = self.skip.min(chunk.len());
        self.skip -= start;
        if !self.carry.is_empty() {
            let wanted = if self.is_locked() { PACKET_LEN - self.carry.len() } else { usize::MAX };
            let taken = wanted.min(chunk.len() - start);
            self.carry.extend_from_slice(&chunk[start..start + taken]);
            start += taken;
            if self.is_locked() && self.carry.len() < PACKET_LEN {
                return;
            }
            // A broken sync byte inside the carry makes the search look at what follows it too.
            if self.is_locked() && self.carry.first() != Some(&SYNC_BYTE) {
                self.carry.extend_from_slice(&chunk[start..]);
                start = chunk.len();
            }
            let joined = Bytes::from(std::mem::take(&mut self.carry));
            self.run(&joined, 0, false, &mut sink);
            // What the joined bytes leave over must be seen together with what follows it.
            if !self.carry.is_empty() && start < chunk.len() {
                return self.push(&chunk.slice(start..), sink);
            }
            let skipped = self.skip.min(chunk.len() - start);
            self.skip -= skipped;
            start += skipped;
        }
        if start < chunk.len() {
            self.run(chunk, start, false, &mut sink);
        }
    }

    /// Hands on what can still be told from the last bytes. The rest counts as skipped.
    pub fn finish(&mut self, mut sink: impl FnMut(&Bytes, usize)) {
        let rest = Bytes::from(std::mem::take(&mut self.carry));
        self.run(&rest, 0, true, &mut sink);
        self.notes.skipped_bytes += self.astray + self.carry.len() as u64;
        self.carry.clear();
    }

    fn run(&mut self, data: &Bytes, mut pos: usize, last: bool, sink: &mut impl FnMut(&Bytes, usize)) {
        loop {
            if let Some(stride) = self.stride {
                while pos + PACKET_LEN <= data.len() && data[pos] == SYNC_BYTE {
                    sink(data, pos);
                    pos += stride;
                }
                if pos + PACKET_LEN > data.len() {
                    self.carry.extend_from_slice(&data[pos.min(data.len())..]);
                    self.skip = pos.saturating_sub(data.len());
                    return;
                }
                self.stride = None;
                self.notes.sync_losses += 1;
            }
            match hunt(&data[pos..], last) {
                Hunt::Found { offset, stride } => {
                    let astray = std::mem::take(&mut self.astray) + offset as u64;
                    // The time code in front of an M2TS packet is no garbage.
                    let time_code = if stride == 192 { astray.min(4) } else { 0 };
                    self.notes.skipped_bytes += astray - time_code;
                    pos += offset;
                    self.stride = Some(stride);
                }
                Hunt::Need { discard } => {
                    self.astray += discard as u64;
                    self.carry.extend_from_slice(&data[pos + discard..]);
                    return;
                }
            }
        }
    }
}

/// Looks for a sync byte that others follow at one of the strides. At the end of the input the ones
/// that would lie beyond it are taken on trust, but one at least must be seen, or the packet must end
/// with the input.
fn hunt(data: &[u8], last: bool) -> Hunt {
    for candidate in memchr::memchr_iter(SYNC_BYTE, data) {
        if !last && candidate + LOOKAHEAD >= data.len() {
            return Hunt::Need { discard: candidate };
        }
        for stride in STRIDES {
            let seen = (1..=CONFIRMATIONS).map_while(|k| data.get(candidate + k * stride));
            let (count, good) = seen.fold((0, true), |(n, good), &b| (n + 1, good && b == SYNC_BYTE));
            let end = candidate + PACKET_LEN;
            if good && end <= data.len() && (count > 0 || end == data.len()) {
                return Hunt::Found { offset: candidate, stride };
            }
        }
    }
    Hunt::Need { discard: data.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stream(stride: usize, count: usize) -> Vec<u8> {
        let lead = if stride == 192 { 4 } else { 0 };
        let mut bytes = vec![0xaa; lead];
        for n in 0..count {
            let mut packet = vec![n as u8; PACKET_LEN];
            packet[0] = SYNC_BYTE;
            bytes.extend(packet);
            bytes.extend(vec![0xbb; stride - PACKET_LEN]);
        }
        bytes.truncate(lead + stride * count - if stride == 192 { 4 } else { 0 });
        bytes
    }

    fn found(chunks: &[&[u8]]) -> (Vec<u8>, FramerNotes) {
        let mut framer = Framer::default();
        let mut ids = Vec::new();
        for chunk in chunks {
            framer.push(&Bytes::copy_from_slice(chunk), |src, at| ids.push(src[at + 1]));
        }
        framer.finish(|src, at| ids.push(src[at + 1]));
        (ids, framer.notes())
    }

    #[test]
    fn every_stride_is_recognised() {
        for stride in STRIDES {
            let bytes = stream(stride, 20);
            let (ids, notes) = found(&[&bytes]);
            assert_eq!(ids, (0..20).collect::<Vec<_>>(), "stride {stride}");
            assert_eq!(notes, FramerNotes::default(), "stride {stride}");
        }
    }

    #[test]
    fn short_streams_are_recognised_at_their_end() {
        for count in 1..6 {
            assert_eq!(found(&[&stream(PACKET_LEN, count)]).0.len(), count, "{count} packets");
        }
        assert_eq!(found(&[b"Good morning. Great Grapes Grow."]).0, Vec::<u8>::new());
    }

    #[test]
    fn garbage_costs_only_itself() {
        let mut bytes = stream(PACKET_LEN, 10);
        bytes.extend((0..100_003u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
        bytes.extend(stream(PACKET_LEN, 10));
        let (ids, notes) = found(&[&bytes]);
        assert_eq!(ids.len(), 20);
        assert_eq!(notes, FramerNotes { sync_losses: 1, skipped_bytes: 100_003 });
    }

    #[test]
    fn one_broken_sync_byte_costs_one_packet() {
        let mut bytes = stream(PACKET_LEN, 20);
        bytes[7 * PACKET_LEN] = 0;
        let (ids, notes) = found(&[&bytes]);
        assert_eq!(ids.len(), 19);
        assert_eq!(notes.skipped_bytes, PACKET_LEN as u64);
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing(
            stride in prop::sample::select(STRIDES.to_vec()),
            junk in prop::collection::vec(prop_oneof![Just(SYNC_BYTE), any::<u8>()], 0..900),
            cuts in prop::collection::vec(1usize..700, 1..40),
        ) {
            let mut bytes = stream(stride, 12);
            bytes.extend(&junk);
            bytes.extend(stream(stride, 12));
            let whole = found(&[&bytes]);
            let mut chunks = Vec::new();
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                chunks.push(head);
                rest = tail;
            }
            prop_assert_eq!(&found(&chunks), &whole);
            let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&found(&bytewise), &whole);
        }
    }
}
