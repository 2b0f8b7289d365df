//! Slices a stream and checks what holds for every one.

use std::collections::HashMap;

use bytes::Bytes;
use tapeline::slicer::{
    Action, CutReason, OpenedSegment, SealedSegment, SliceError, Slicer, SlicerOptions, SlicingRules,
};
use tapeline::ts::{Framer, Notes, PACKET_LEN};

use super::mux::TsPacket;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub sealed: SealedSegment,
    pub bytes: Vec<u8>,
}

impl Segment {
    pub fn packets(&self) -> Vec<TsPacket> {
        let (packets, rest) = self.bytes.as_chunks::<PACKET_LEN>();
        assert!(rest.is_empty(), "whole packets");
        packets.to_vec()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub segments: Vec<Segment>,
    pub notes: Notes,
    pub finished: Result<(), SliceError>,
}

impl Outcome {
    pub fn reasons(&self) -> Vec<CutReason> {
        self.segments.iter().map(|segment| segment.sealed.reason).collect()
    }

    /// Starts of the segments in milliseconds since the first.
    pub fn starts(&self) -> Vec<i64> {
        let first = self.segments[0].sealed.opened.start;
        self.segments.iter().map(|segment| (segment.sealed.opened.start - first).millis()).collect()
    }
}

/// Takes a slicer's actions and holds it to their order.
#[derive(Debug, Default)]
pub struct Sink {
    pub segments: Vec<Segment>,
    pub open: Option<(OpenedSegment, Vec<u8>)>,
}

impl Sink {
    pub fn pull(&mut self, slicer: &mut Slicer) {
        while let Some(action) = slicer.pull() {
            match action {
                Action::Open(facts) => {
                    assert!(self.open.is_none(), "one segment at a time");
                    assert_eq!(facts.seq.0, self.segments.len() as u64);
                    self.open = Some((facts, Vec::new()));
                }
                Action::Bytes(bytes) => {
                    assert!(!bytes.is_empty());
                    self.open.as_mut().expect("bytes belong to a segment").1.extend(bytes);
                }
                Action::Patch(_) => unreachable!("a transport stream is never patched"),
                Action::Sealed(sealed) => {
                    let (opened, bytes) = self.open.take().expect("what is sealed was open");
                    assert_eq!(sealed.opened, opened);
                    assert_eq!(sealed.bytes, bytes.len() as u64);
                    self.segments.push(Segment { sealed, bytes });
                }
            }
        }
    }
}

/// What was counted of a transport stream.
pub fn ts_notes(slicer: &Slicer) -> Notes {
    match slicer.notes() {
        tapeline::slicer::Notes::MpegTs(notes) => notes,
        other => unreachable!("a transport stream, not {other:?}"),
    }
}

pub fn slice_chunks<'a>(options: SlicerOptions, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut slicer = Slicer::new(options);
    let mut sink = Sink::default();
    for chunk in chunks {
        let pushed = slicer.push(&Bytes::copy_from_slice(chunk), None);
        sink.pull(&mut slicer);
        if let Err(error) = pushed {
            return Outcome { segments: sink.segments, notes: ts_notes(&slicer), finished: Err(error) };
        }
    }
    let finished = slicer.finish();
    sink.pull(&mut slicer);
    assert!(sink.open.is_none(), "all is sealed");
    Outcome { segments: sink.segments, notes: ts_notes(&slicer), finished }
}

/// Slices in chunks of 64 KiB and checks what always holds.
pub fn slice(rules: SlicingRules, stream: &[u8]) -> Outcome {
    let outcome = slice_chunks(SlicerOptions { rules, ..Default::default() }, stream.chunks(64 * 1024));
    check(rules, &outcome, stream);
    outcome
}

pub fn pid(packet: &TsPacket) -> u16 {
    u16::from_be_bytes([packet[1] & 0x1f, packet[2]])
}

pub fn starts(packet: &TsPacket) -> bool {
    packet[1] & 0x40 != 0 && packet[3] & 0x10 != 0
}

/// The packets of a stream, whatever lies between them.
pub fn packets(stream: &[u8]) -> Vec<TsPacket> {
    let mut framer = Framer::default();
    let mut all: Vec<TsPacket> = Vec::new();
    let mut take = |buffer: &Bytes, at: usize| all.push(buffer[at..at + PACKET_LEN].try_into().unwrap());
    framer.push(&Bytes::copy_from_slice(stream), &mut take);
    framer.finish(take);
    all
}

fn by_pid(packets: impl IntoIterator<Item = TsPacket>) -> HashMap<u16, Vec<TsPacket>> {
    let mut map: HashMap<u16, Vec<TsPacket>> = HashMap::new();
    packets.into_iter().for_each(|packet| map.entry(pid(&packet)).or_default().push(packet));
    map
}

/// Where the first section of a table's packet says that a program's map is.
fn map_pid(pat: &TsPacket) -> u16 {
    assert_eq!(pat[4..6], [0, 0], "pointer field, table id");
    u16::from_be_bytes([pat[15] & 0x1f, pat[16]])
}

/// What holds for every stream: segments begin with their tables and, by their facts, in time; every
/// PID's packets are those of the input from its first unit on, in order; no PES packet is torn that is
/// not counted; the tables' counters go on.
pub fn check(rules: SlicingRules, outcome: &Outcome, stream: &[u8]) {
    check_times(rules, outcome);
    let segments: Vec<Vec<TsPacket>> = outcome.segments.iter().map(Segment::packets).collect();
    let mut torn = 0;
    let mut map_pids = Vec::new();
    for packets in &segments {
        assert_eq!(pid(&packets[0]), 0, "PAT first");
        let map = map_pid(&packets[0]);
        assert_eq!(pid(&packets[1]), map, "then the PMT");
        assert!(starts(&packets[1]));
        map_pids.push(map);
        for (pid, packets) in by_pid(packets.iter().copied()) {
            let first = packets.iter().find(|packet| packet[3] & 0x10 != 0);
            torn += u64::from(pid != 0x11 && first.is_some_and(|first| !starts(first)));
        }
    }
    let broken = outcome.notes.continuity_errors + outcome.notes.duplicate_packets;
    if broken == 0 {
        assert_eq!(torn, outcome.notes.torn_pes, "torn PES packets are counted");
    }
    let input = by_pid(packets(stream));
    for (pid, out) in by_pid(segments.into_iter().flatten()) {
        if pid == 0 || map_pids.contains(&pid) {
            for pair in out.windows(2) {
                assert_eq!(pair[1][3] & 0x0f, (pair[0][3] + 1) & 0x0f, "counter of PID {pid:#x}");
            }
            continue;
        }
        let all = &input[&pid];
        assert!(out.len() <= all.len(), "PID {pid:#x}: more than came");
        assert!(out == all[all.len() - out.len()..], "PID {pid:#x}: all from the first unit on, in order");
    }
}

fn check_times(rules: SlicingRules, outcome: &Outcome) {
    for segment in &outcome.segments {
        assert!(segment.sealed.duration() <= rules.max_length, "{:?}", segment.sealed);
    }
    for pair in outcome.segments.windows(2) {
        let (a, b) = (&pair[0].sealed, &pair[1].sealed);
        assert!(b.opened.date >= a.opened.date);
        if !b.opened.discontinuity {
            assert_eq!((a.opened.clock, a.end), (b.opened.clock, b.opened.start));
            let date = a.opened.date.millis() + a.duration_millis as i64;
            assert_eq!(date, b.opened.date.millis(), "date and duration lead to the next date");
        }
    }
}
