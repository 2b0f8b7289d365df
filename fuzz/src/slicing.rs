//! Slices a stream at once and in chunks, and checks all that must hold of the outcome.

use std::collections::HashMap;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use tapeline::media::{Container, Frame, Track};
use tapeline::playlist::{self, Entry, Header, Renderer};
use tapeline::slicer::{Action, Notes, SealedSegment, SliceError, Slicer, SlicerOptions, SlicingRules};
use tapeline::time::{MediaSpan, WallTime};
use tapeline::ts::{Framer, PACKET_LEN, Packet, Pid};
use tapeline::webm::{WebmFaultKind, WebmLook, WebmSurvey, trim};

use crate::memory;
use crate::surveying::check_mp4;

/// What the slicer may hold beside its input and what it gave out: 64 MiB, as the whole program may.
const MAX_HELD: usize = 64 << 20;

/// How to slice: small numbers, so that short streams give many segments.
#[derive(Debug, Clone, Arbitrary)]
pub struct Setting {
    target: u8,
    beyond_target: u8,
    max_bytes: u8,
    interruption: u8,
    program: Option<u8>,
    /// After which byte the input is silent for long.
    silence: Option<u32>,
    /// Bytes bear a time of arrival.
    live: bool,
}

impl Setting {
    fn rules(&self) -> SlicingRules {
        let tenths = |n: u8| MediaSpan::from_millis(100 * i64::from(n));
        let target = tenths(self.target % 50 + 1);
        SlicingRules {
            target,
            // For every other setting: the early end of a resumed recording's first segment.
            first: (self.beyond_target % 2 == 1).then(|| tenths(self.target % 20 + 1)),
            max_length: target + tenths(self.beyond_target % 50),
            max_bytes: 1000 * (1 + u64::from(self.max_bytes)),
            interruption: tenths(self.interruption % 160 + 5),
        }
    }

    fn options(&self, container: Container) -> SlicerOptions {
        SlicerOptions {
            container,
            rules: self.rules(),
            start: WallTime::from_millis(1_700_000_000_000),
            program: self.program.map(|number| u16::from(number % 4)),
            clocks_used: 0,
        }
    }

    /// A slicer of frames of these tracks.
    pub(crate) fn slicer_of_frames(&self, container: Container, tracks: &[Track]) -> Slicer {
        Slicer::of_frames(self.options(container), tracks).expect("tracks with a place in it")
    }
}

/// Lengths of chunks, taken in turn; 0 stands for the longest.
#[derive(Debug, Clone, Arbitrary)]
pub struct Chunks(Vec<u16>);

impl Chunks {
    /// Lengths of chunks that grow with each of the `seed`'s bytes.
    pub fn new(seed: [u8; 4]) -> Self {
        Self(seed.map(|n| u16::from(n) * u16::from(n)).to_vec())
    }

    /// The lengths, over and over; never 0.
    pub fn lengths(&self) -> impl Iterator<Item = usize> {
        let lengths = if self.0.is_empty() { &[u16::MAX][..] } else { &self.0[..] };
        lengths.iter().cycle().map(|&len| usize::from(len.wrapping_sub(1)) + 1)
    }
}

/// The stream of an input, and how to slice it: the first bytes of the input say that.
pub fn with_setting(data: &[u8]) -> Option<(&[u8], Setting, Chunks)> {
    let (head, stream) = data.split_first_chunk::<24>()?;
    let mut head = Unstructured::new(head);
    let setting = Setting::arbitrary(&mut head).ok()?;
    let chunks = <[u8; 4]>::arbitrary(&mut head).ok()?;
    Some((stream, setting, Chunks::new(chunks)))
}

/// All that came out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub segments: Vec<(SealedSegment, Vec<u8>)>,
    /// Once it has ended well; after an error it is left open how far it was read.
    pub notes: Option<Notes>,
    end: Result<(), SliceError>,
}

/// Slices a transport stream twice and checks the outcome.
///
/// # Panics
/// Where a property does not hold.
pub fn check(stream: &[u8], setting: &Setting, chunks: &Chunks) {
    let whole = check_chunks(stream, setting, chunks, Container::MpegTs);
    check_segments(&whole);
    check_order(stream, &whole);
}

/// The same for WebM, whose segments are read again: as one file each, without a fault.
///
/// # Panics
/// Where a property does not hold.
pub fn check_webm(stream: &[u8], setting: &Setting, chunks: &Chunks) {
    check_files(&check_chunks(stream, setting, chunks, Container::WebM));
    check_survey_and_cuts(&Bytes::copy_from_slice(stream));
    check_mp4(stream);
}

/// Surveying does not depend on the chunks, and what is cut off anywhere is a file without damage.
fn check_survey_and_cuts(stream: &Bytes) {
    let survey = WebmSurvey::of(stream);
    let mut look = WebmLook::new();
    stream.chunks(1000).for_each(|chunk| look.push(&Bytes::copy_from_slice(chunk)));
    assert!(look.finish() == survey, "a survey depends on the chunks");
    for millis in [0, 700, 5000] {
        let Some(cut) = trim(stream, MediaSpan::from_millis(millis)).filter(|cut| !cut.body.is_empty())
        else {
            continue;
        };
        // Times, and what is in no block, are the input's.
        let damage = [
            WebmFaultKind::NotWebm,
            WebmFaultKind::Garbage,
            WebmFaultKind::CutOff,
            WebmFaultKind::Size,
            WebmFaultKind::Block,
            WebmFaultKind::Seek,
        ];
        let counts = WebmSurvey::of(&cut.body).counts;
        assert!(damage.iter().all(|kind| !counts.contains_key(kind)), "{counts:?}");
    }
}

/// Each segment is a file without a fault. Gives how many blocks are in them.
pub(crate) fn check_files(whole: &Output) -> u64 {
    let mut blocks = 0;
    for (facts, bytes) in &whole.segments {
        let rules = SlicingRules {
            target: MediaSpan::from_secs(1 << 40),
            max_length: MediaSpan::from_secs(1 << 40),
            ..SlicingRules::default()
        };
        let mut slicer =
            Slicer::new(SlicerOptions { container: Container::WebM, rules, ..SlicerOptions::default() });
        _ = slicer.push(&Bytes::copy_from_slice(bytes), None);
        let Notes::WebM(notes) = slicer.notes() else { panic!("notes of another container") };
        assert!(notes.blocks > 0, "no block in {facts:?}");
        assert_eq!(
            (notes.sync_losses, notes.skipped_bytes, notes.damaged_blocks, notes.restarts),
            (0, 0, 0, 0),
            "{facts:?}"
        );
        blocks += notes.blocks;
    }
    blocks
}

/// Slices frames that have so many bytes in all.
pub(crate) fn slice_with(mut slicer: Slicer, size: usize, frames: Vec<Frame>) -> Output {
    let mut output = Output { segments: Vec::new(), notes: None, end: Ok(()) };
    let mut open = None;
    let before = memory::mark();
    for frame in frames {
        slicer.push_frame(frame, None);
        pull(&mut slicer, &mut open, &mut output);
    }
    output.end = slicer.finish();
    pull(&mut slicer, &mut open, &mut output);
    assert!(open.is_none(), "a segment stays open");
    let given: usize = output.segments.iter().map(|(_, bytes)| bytes.capacity()).sum();
    let held = memory::peak_since(before).saturating_sub(2 * size + 2 * given);
    assert!(held < MAX_HELD, "{held} bytes were held");
    output.notes = Some(slicer.notes());
    output
}

/// Slices a stream at once and in chunks: the same comes of it.
fn check_chunks(stream: &[u8], setting: &Setting, chunks: &Chunks, container: Container) -> Output {
    let whole = slice(stream, setting, std::iter::repeat(usize::MAX), container);
    check_playlist(setting, &whole);
    let parts = slice(stream, setting, chunks.lengths(), container);
    assert_eq!(whole.notes, parts.notes, "notes depend on the chunks");
    assert_eq!(whole.end, parts.end, "the end depends on the chunks");
    for (whole, part) in whole.segments.iter().zip(&parts.segments) {
        assert_eq!(whole.0, part.0, "facts depend on the chunks");
        assert!(whole.1 == part.1, "bytes depend on the chunks: {:?}", whole.0);
    }
    assert_eq!(whole.segments.len(), parts.segments.len(), "segments depend on the chunks");
    whole
}

fn slice(
    stream: &[u8],
    setting: &Setting,
    chunks: impl Iterator<Item = usize>,
    container: Container,
) -> Output {
    let mut slicer = Slicer::new(setting.options(container));
    let mut output = Output { segments: Vec::new(), notes: None, end: Ok(()) };
    let mut open = None;
    let arrived = setting.live.then(|| WallTime::from_millis(1_700_000_000_000));
    let silence = setting.silence.map(|byte| byte as usize % (stream.len() + 1));
    let (mut at, mut given) = (0, 0);
    let before = memory::mark();
    for len in chunks {
        if silence == Some(at) {
            slicer.interrupt();
        }
        if at == stream.len() {
            break;
        }
        let limit = silence.filter(|&silence| silence > at).unwrap_or(stream.len());
        let end = limit.min(at.saturating_add(len));
        // That a program is not there says the recorder to stop; what goes on must hold all the same.
        _ = slicer.push(&Bytes::copy_from_slice(&stream[at..end]), arrived);
        at = end;
        pull(&mut slicer, &mut open, &mut output);
        given = output.segments.iter().map(|(_, bytes)| bytes.capacity()).sum();
    }
    output.end = slicer.finish();
    pull(&mut slicer, &mut open, &mut output);
    assert!(open.is_none(), "a segment stays open");
    let held = memory::peak_since(before).saturating_sub(2 * stream.len() + 2 * given);
    assert!(held < MAX_HELD, "{held} bytes were held");
    output.notes = output.end.is_ok().then(|| slicer.notes());
    output
}

fn pull(
    slicer: &mut Slicer,
    open: &mut Option<(tapeline::slicer::OpenedSegment, Vec<u8>)>,
    output: &mut Output,
) {
    while let Some(action) = slicer.pull() {
        match action {
            Action::Open(facts) => {
                assert!(open.is_none(), "opened twice: {facts:?}");
                assert_eq!(facts.seq.0, output.segments.len() as u64, "a number is left out");
                *open = Some((facts, Vec::new()));
            }
            Action::Bytes(bytes) => {
                assert!(!bytes.is_empty(), "no bytes are no action");
                open.as_mut().expect("bytes of no segment").1.extend_from_slice(&bytes);
            }
            Action::Patch(patch) => {
                let bytes = &mut open.as_mut().expect("a patch of no segment").1;
                let at = usize::try_from(patch.offset).expect("a place in it");
                let place = &mut bytes[at..at + patch.old.len()];
                assert_eq!(place, &patch.old[..], "what is patched is what was written");
                place.copy_from_slice(&patch.new);
            }
            Action::Sealed(facts) => {
                let (opened, bytes) = open.take().expect("sealed, but not open");
                assert_eq!(facts.opened, opened);
                assert_eq!(facts.bytes, bytes.len() as u64);
                output.segments.push((facts, bytes));
            }
        }
    }
}

/// Each segment is whole packets and begins with its tables, whose counters run on.
pub(crate) fn check_segments(output: &Output) {
    let mut counters = HashMap::new();
    for (facts, bytes) in &output.segments {
        assert!(bytes.len() >= 2 * PACKET_LEN && bytes.len().is_multiple_of(PACKET_LEN), "{facts:?}");
        let packets = || bytes.chunks(PACKET_LEN).filter_map(|bytes| Packet::at(bytes, 0));
        let mut tables = packets();
        let pat = tables.next().filter(|packet| packet.pid() == Pid::PAT && packet.unit_start());
        let map_pid = map_pid_of(pat.expect("a segment begins with a PAT"));
        let pmt = tables.next().expect("a second packet");
        assert!(
            pmt.pid() == map_pid && pmt.unit_start(),
            "{map_pid} is the map's, but {} follows",
            pmt.pid()
        );
        let mut map_pid = map_pid;
        for packet in packets() {
            if packet.pid() == Pid::PAT {
                map_pid = map_pid_of(packet);
            } else if packet.pid() != map_pid {
                continue;
            }
            let counter = packet.continuity_counter();
            let last = counters.insert(packet.pid(), counter);
            assert!(last.is_none_or(|last: u8| (last + 1) & 0x0f == counter), "counter of {}", packet.pid());
        }
    }
}

/// Where the one program of a PAT written by the slicer has its map.
fn map_pid_of(pat: Packet<'_>) -> Pid {
    // The program's entry, behind the pointer and the section's header.
    let bytes = pat.bytes();
    Pid::new(u16::from_be_bytes([bytes[15], bytes[16]]))
}

/// No packet of an elementary stream comes out twice or before one that it followed.
fn check_order(stream: &[u8], output: &Output) {
    let mut packets: HashMap<Pid, Vec<[u8; PACKET_LEN]>> = HashMap::new();
    let mut note = |buffer: &Bytes, at: usize| {
        let packet = Packet::at(buffer, at).expect("a whole packet");
        packets.entry(packet.pid()).or_default().push(*packet.bytes());
    };
    let mut framer = Framer::default();
    framer.push(&Bytes::copy_from_slice(stream), &mut note);
    framer.finish(&mut note);
    let mut seen: HashMap<Pid, usize> = HashMap::new();
    for (facts, bytes) in &output.segments {
        let mut map_pid = Pid::NULL;
        for packet in bytes.chunks(PACKET_LEN).filter_map(|bytes| Packet::at(bytes, 0)) {
            let pid = packet.pid();
            if pid == Pid::PAT {
                // The map may move within a segment.
                map_pid = map_pid_of(packet);
            }
            if pid == Pid::PAT || pid == map_pid {
                continue;
            }
            let seen = seen.entry(pid).or_default();
            let rest = packets.get(&pid).and_then(|packets| packets.get(*seen..)).unwrap_or_default();
            let found = rest.iter().position(|other| other == packet.bytes());
            *seen += 1 + found.unwrap_or_else(|| panic!("a packet of {pid} out of order in {facts:?}"));
        }
    }
}

/// The playlist that the facts make is legal, and no segment is longer than was promised.
pub(crate) fn check_playlist(setting: &Setting, output: &Output) {
    let mut renderer = Renderer::new(&Header::covering(setting.rules().max_length));
    for (facts, _) in &output.segments {
        let opened = facts.opened;
        assert!(facts.end >= opened.start, "{facts:?}");
        let entry = Entry {
            uri: format!("{}.ts", opened.seq.0),
            start: opened.start,
            clock: opened.clock,
            date: opened.date,
            duration_millis: facts.duration_millis,
            discontinuity: opened.discontinuity,
            gap: false,
            compat: Vec::new(),
        };
        renderer.append(&entry).unwrap_or_else(|error| panic!("{error}: {facts:?}"));
    }
    renderer.end();
    let text = renderer.text().as_bytes().to_vec();
    let findings = playlist::check(&text);
    assert!(findings.is_empty(), "{}\n{}", findings[0], String::from_utf8_lossy(&text));
}
