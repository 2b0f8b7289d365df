//! Collects packets into runs, so that what goes out is a few large slices of the buffers that came in.
//!
//! Packets that follow each other in one buffer stay one slice. Shorter runs (tables, packets between
//! dropped ones, packets of 192 or 204 bytes) are copied together, since a slice of a hundred bytes costs
//! more than copying it.

use bytes::{Bytes, BytesMut};

use super::packet::{PACKET_LEN, Packet};

/// Runs shorter than this are copied together.
const COPY_BELOW: usize = 2048;
/// Copied runs are given out in buffers of about this size.
const SMALL_CAPACITY: usize = 64 * 1024;

#[derive(Debug)]
struct Run {
    buffer: Bytes,
    start: usize,
    end: usize,
}

/// The bytes of one segment on their way out.
#[derive(Debug, Default)]
pub(super) struct Appender {
    run: Option<Run>,
    small: BytesMut,
    ready: Vec<Bytes>,
    /// How many of `ready` hold no chunk in memory.
    kept: usize,
    len: u64,
}

impl Appender {
    /// Bytes appended so far, given out or not.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Appends the packet at `offset` of `buffer`. A slice that begins where its buffer does is not the same
    /// buffer: it ends earlier.
    #[inline]
    pub fn packet(&mut self, buffer: &Bytes, offset: usize) {
        self.len += PACKET_LEN as u64;
        if let Some(run) = &mut self.run
            && run.end == offset
            // The same view: a slice of a buffer's first packet begins where the buffer does.
            && run.buffer.as_ptr() == buffer.as_ptr()
            && run.buffer.len() == buffer.len()
        {
            run.end += PACKET_LEN;
            return;
        }
        self.close_run();
        self.run = Some(Run { buffer: buffer.clone(), start: offset, end: offset + PACKET_LEN });
    }

    /// Appends a copy of a packet made here.
    pub fn copy(&mut self, packet: Packet<'_>) {
        self.len += PACKET_LEN as u64;
        self.close_run();
        self.copy_bytes(packet.bytes());
    }

    /// Gives out all that was appended since the last time.
    pub fn take(&mut self) -> Vec<Bytes> {
        self.close_run();
        self.close_small();
        self.kept = 0;
        std::mem::take(&mut self.ready)
    }

    /// Copies what was appended since the last time, for bytes that must outlive their chunks: a slice
    /// would keep all of its chunk in memory.
    pub fn keep(&mut self) {
        self.close_run();
        self.close_small();
        for bytes in self.ready.iter_mut().skip(self.kept) {
            *bytes = Bytes::copy_from_slice(bytes);
        }
        self.kept = self.ready.len();
    }

    fn close_run(&mut self) {
        let Some(run) = self.run.take() else { return };
        let bytes = run.buffer.slice(run.start..run.end);
        if bytes.len() < COPY_BELOW {
            self.copy_bytes(&bytes);
        } else {
            self.close_small();
            self.ready.push(bytes);
        }
    }

    fn copy_bytes(&mut self, bytes: &[u8]) {
        if self.small.capacity() - self.small.len() < bytes.len() {
            self.close_small();
            self.small.reserve(SMALL_CAPACITY.min(16 * bytes.len()).max(bytes.len()));
        }
        self.small.extend_from_slice(bytes);
    }

    fn close_small(&mut self) {
        if !self.small.is_empty() {
            self.ready.push(self.small.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_at_the_begin_of_a_buffer_is_not_the_buffer() {
        let buffer = Bytes::from(vec![7; 2 * PACKET_LEN]);
        let mut appender = Appender::default();
        appender.packet(&buffer.slice(..PACKET_LEN), 0);
        appender.packet(&buffer, PACKET_LEN);
        assert_eq!(appender.take().concat(), buffer);
    }

    #[test]
    fn neighbours_stay_one_slice_and_the_order_is_kept() {
        let buffer = Bytes::from((0..40 * PACKET_LEN).map(|n| (n / PACKET_LEN) as u8).collect::<Vec<_>>());
        let mut appender = Appender::default();
        (0..20).for_each(|n| appender.packet(&buffer, n * PACKET_LEN));
        appender.copy(Packet::at(&buffer, 39 * PACKET_LEN).unwrap());
        (25..39).for_each(|n| appender.packet(&buffer, n * PACKET_LEN));
        assert_eq!(appender.len(), 35 * PACKET_LEN as u64);
        let parts = appender.take();
        let lens: Vec<_> = parts.iter().map(|part| part.len() / PACKET_LEN).collect();
        assert_eq!(lens, [20, 1, 14]);
        assert_eq!(parts[0].as_ptr(), buffer.as_ptr(), "not copied");
        let firsts: Vec<_> = parts.iter().map(|part| part[0]).collect();
        assert_eq!(firsts, [0, 39, 25]);
    }
    #[test]
    fn a_slice_of_a_buffer_is_not_taken_for_the_buffer() {
        let buffer = Bytes::from((0..4 * PACKET_LEN).map(|n| (n / PACKET_LEN) as u8).collect::<Vec<_>>());
        let mut appender = Appender::default();
        appender.packet(&buffer.slice(..PACKET_LEN), 0);
        (1..4).for_each(|n| appender.packet(&buffer, n * PACKET_LEN));
        assert_eq!(appender.take().concat(), buffer);
    }
}
