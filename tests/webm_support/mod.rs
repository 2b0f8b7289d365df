//! WebM read by hand, without the library's reader, and what the slicer makes of a stream.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::PathBuf;

use bytes::Bytes;
use tapeline::ids::RecordingId;
use tapeline::media::Container;
use tapeline::recorder::{Options, OutputSpec, Recorder};
use tapeline::slicer::{Action, Notes, SealedSegment, SliceError, Slicer, SlicerOptions, SlicingRules};
use tapeline::store::Store;
use tapeline::time::{MediaSpan, WallTime};
use tapeline::webm::WebmNotes;

/// Fixtures of WebM: their names, and how many segments of 4 s they make.
pub const FIXTURES: [(&str, usize); 9] = [
    ("audio_opus", 3),
    ("av1_opus", 2),
    ("browser", 3),
    ("lacing", 3),
    ("restart", 2),
    ("vp8_opus", 3),
    ("vp8_size_change", 2),
    ("vp8_vorbis", 2),
    ("vp9_opus", 2),
];

pub const EBML: u32 = 0x1a45_dfa3;
pub const SEGMENT: u32 = 0x1853_8067;
pub const CLUSTER: u32 = 0x1f43_b675;
pub const INFO: u32 = 0x1549_a966;
pub const TRACKS: u32 = 0x1654_ae6b;
pub const CUES: u32 = 0x1c53_bb6b;
pub const SEEK_HEAD: u32 = 0x114d_9b74;
pub const VOID: u32 = 0xec;

/// 2001-01-01 in Unix milliseconds.
const DATE_BEGIN: i64 = 978_307_200_000;

/// The date that the slicer is told.
pub fn start() -> WallTime {
    WallTime::from_millis(1_795_395_600_000)
}

pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("{name}.webm"))
}

pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).expect("the fixture")
}

/// An element: its id, where it begins, where its content begins, and where it ends; `None` for one of unknown size.
#[derive(Debug, Clone, Copy)]
pub struct Element {
    pub id: u32,
    pub begin: usize,
    pub content: usize,
    pub end: Option<usize>,
}

fn vint(bytes: &[u8], at: usize) -> (u64, usize) {
    let len = bytes[at].leading_zeros() as usize + 1;
    let value = bytes[at..at + len].iter().fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
    (value, len)
}

pub fn element(bytes: &[u8], at: usize) -> Element {
    let (id, id_len) = vint(bytes, at);
    let (size, size_len) = vint(bytes, at + id_len);
    let mask = (1 << (7 * size_len)) - 1;
    let content = at + id_len + size_len;
    let end = (size & mask != mask).then(|| content + (size & mask) as usize);
    Element { id: id as u32, begin: at, content, end }
}

/// The elements that stand between two places. One of unknown size goes on to the next Cluster or file.
pub fn elements(bytes: &[u8], mut at: usize, end: usize) -> Vec<Element> {
    let mut found = Vec::new();
    while at < end {
        let mut element = element(bytes, at);
        if element.id == SEGMENT && element.end.is_none() {
            let file = EBML.to_be_bytes();
            let next = bytes[element.content..end].windows(4).position(|four| four == file);
            element.end = Some(next.map_or(end, |next| element.content + next));
        }
        if element.id == CLUSTER && element.end.is_none() {
            let mut next = element.content;
            while next < end && ![CLUSTER, CUES].contains(&self::element(bytes, next).id) {
                next = self::element(bytes, next).end.expect("only Clusters are of unknown size");
            }
            element.end = Some(next);
        }
        at = element.end.unwrap();
        assert!(at <= end, "{element:x?} goes beyond {end}");
        found.push(element);
    }
    found
}

pub fn number(bytes: &[u8], element: Element) -> u64 {
    let content = &bytes[element.content..element.end.unwrap()];
    content.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// A block as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub track: u8,
    pub at: i64,
    pub key: bool,
    /// Flags and all behind them.
    pub body: Vec<u8>,
    /// Where its element begins, and ends.
    pub begin: usize,
    pub end: usize,
}

/// What a file holds.
#[derive(Debug)]
pub struct File {
    /// Where its Segment's content begins and ends.
    pub segment: (usize, usize),
    pub sized: bool,
    pub top: Vec<Element>,
    /// In ticks.
    pub duration: Option<f64>,
    /// In Unix milliseconds, and nanoseconds.
    pub date: Option<i64>,
    pub tracks: Vec<u8>,
    /// In the order of the file.
    pub blocks: Vec<Block>,
}

/// The files that stand in `bytes`, one after the other.
pub fn files(bytes: &[u8]) -> Vec<File> {
    let mut at = 0;
    let mut found = Vec::new();
    while at < bytes.len() {
        let header = element(bytes, at);
        assert_eq!(header.id, EBML);
        let segment = elements(bytes, header.end.unwrap(), bytes.len())[0];
        assert_eq!(segment.id, SEGMENT);
        at = segment.end.unwrap();
        found.push(file(bytes, header.end.unwrap(), segment));
    }
    found
}

fn file(bytes: &[u8], at: usize, segment: Element) -> File {
    let (begin, end) = (segment.content, segment.end.unwrap());
    let sized = element(bytes, at).end.is_some();
    let top = elements(bytes, begin, end);
    let mut file = File {
        segment: (begin, end),
        sized,
        top,
        duration: None,
        date: None,
        tracks: Vec::new(),
        blocks: Vec::new(),
    };
    for element in file.top.clone() {
        let content = || elements(bytes, element.content, element.end.unwrap());
        match element.id {
            INFO => {
                for field in content() {
                    let value = number(bytes, field);
                    match field.id {
                        0x4489 if field.end.unwrap() - field.content == 8 => {
                            file.duration = Some(f64::from_bits(value));
                        }
                        0x4489 => file.duration = Some(f64::from(f32::from_bits(value as u32))),
                        0x4461 => file.date = Some(value as i64 / 1_000_000 + DATE_BEGIN),
                        _ => {}
                    }
                }
            }
            TRACKS => file.tracks = bytes[element.begin..element.end.unwrap()].to_vec(),
            CLUSTER => {
                let mut time = 0;
                for field in content() {
                    match field.id {
                        0xe7 => time = number(bytes, field) as i64,
                        0xa3 => file.blocks.push(block(bytes, field, field, time, true)),
                        0xa0 => {
                            let parts = elements(bytes, field.content, field.end.unwrap());
                            let refers = parts.iter().any(|part| part.id == 0xfb);
                            let inner = *parts.iter().find(|part| part.id == 0xa1).unwrap();
                            let mut block = block(bytes, field, inner, time, false);
                            block.key = !refers;
                            file.blocks.push(block);
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    file
}

fn block(bytes: &[u8], whole: Element, inner: Element, time: i64, simple: bool) -> Block {
    let content = &bytes[inner.content..inner.end.unwrap()];
    let relative = i16::from_be_bytes([content[1], content[2]]);
    let body = content[3..].to_vec();
    let key = simple && body[0] & 0x80 != 0;
    Block {
        track: content[0] & 0x7f,
        at: time + i64::from(relative),
        key,
        body,
        begin: whole.begin,
        end: whole.end.unwrap(),
    }
}

/// Each position that a file gives leads to what it says.
pub fn check_index(bytes: &[u8], file: &File, what: &str) {
    let (begin, _) = file.segment;
    let top: Vec<u32> = file.top.iter().map(|element| element.id).collect();
    assert_eq!(top[..3], [SEEK_HEAD, INFO, TRACKS], "{what}");
    assert_eq!(top.last(), Some(&CUES), "{what}");
    assert!(top[3..top.len() - 1].iter().all(|id| *id == CLUSTER), "{what}");
    let mut sought = Vec::new();
    for seek in elements(bytes, file.top[0].content, file.top[0].end.unwrap()) {
        let fields = elements(bytes, seek.content, seek.end.unwrap());
        let (id, position) = (number(bytes, fields[0]) as u32, number(bytes, fields[1]));
        assert_eq!(element(bytes, begin + position as usize).id, id, "{what}");
        sought.push(id);
    }
    assert_eq!(sought, [INFO, TRACKS, CUES], "{what}");
    let cues = file.top.last().unwrap();
    let points = elements(bytes, cues.content, cues.end.unwrap());
    for point in &points {
        let fields = elements(bytes, point.content, point.end.unwrap());
        let places = elements(bytes, fields[1].content, fields[1].end.unwrap());
        let [track, cluster, block] = [0, 1, 2].map(|at| number(bytes, places[at]) as usize);
        let cluster = element(bytes, begin + cluster);
        assert_eq!(cluster.id, CLUSTER, "{what}");
        let found = file.blocks.iter().find(|found| found.begin == cluster.content + block).unwrap();
        assert!(found.key, "{what}");
        assert_eq!(
            (u64::from(found.track), found.at as u64),
            (track as u64, number(bytes, fields[0])),
            "{what}"
        );
    }
    let keys = file.blocks.iter().filter(|block| block.track == 1 && block.key).count();
    let audio_alone = file.blocks.iter().all(|block| block.track == 1 && block.key);
    assert!(audio_alone && !points.is_empty() || points.len() == keys, "{what}: {} {keys}", points.len());
}

/// A segment and its bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Made {
    pub facts: SealedSegment,
    pub bytes: Vec<u8>,
    /// Its bytes before it was sealed: what a killed worker leaves.
    pub torn: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub made: Vec<Made>,
    pub notes: WebmNotes,
    pub end: Result<(), SliceError>,
}

pub fn rules() -> SlicingRules {
    let target = MediaSpan::from_secs(4);
    SlicingRules { target, max_length: target + target, ..SlicingRules::default() }
}

/// Slices a stream that comes in chunks.
pub fn slice<'a>(rules: SlicingRules, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let options = SlicerOptions { container: Container::WebM, rules, start: start(), ..Default::default() };
    let mut slicer = Slicer::new(options);
    let (mut made, mut open) = (Vec::new(), None);
    let mut end = Ok(());
    for chunk in chunks {
        end = slicer.push(&Bytes::copy_from_slice(chunk), None);
        pull(&mut slicer, &mut open, &mut made);
        if end.is_err() {
            break;
        }
    }
    end = end.and_then(|()| slicer.finish());
    pull(&mut slicer, &mut open, &mut made);
    let Notes::WebM(notes) = slicer.notes() else { panic!("notes of another container") };
    // After an error it is left open how far the walk went.
    let notes = if end.is_ok() { notes } else { WebmNotes::default() };
    Outcome { made, notes, end }
}

fn pull(slicer: &mut Slicer, open: &mut Option<(Vec<u8>, Option<Vec<u8>>)>, made: &mut Vec<Made>) {
    while let Some(action) = slicer.pull() {
        match action {
            Action::Open(facts) => {
                assert!(open.is_none(), "{facts:?}");
                *open = Some((Vec::new(), None));
            }
            Action::Bytes(new) => {
                let (bytes, torn) = open.as_mut().expect("an open segment");
                assert!(torn.is_none(), "nothing is appended after a patch");
                bytes.extend_from_slice(&new);
            }
            Action::Patch(patch) => {
                let (bytes, torn) = open.as_mut().expect("an open segment");
                torn.get_or_insert_with(|| bytes.clone());
                let at = usize::try_from(patch.offset).unwrap();
                let place = &mut bytes[at..at + patch.old.len()];
                assert_eq!(place, &patch.old[..], "what is patched is what was written");
                place.copy_from_slice(&patch.new);
            }
            Action::Sealed(facts) => {
                let (bytes, torn) = open.take().expect("an open segment");
                assert_eq!(facts.bytes, bytes.len() as u64);
                made.push(Made { facts, bytes, torn: torn.unwrap_or_default() });
            }
        }
    }
}

/// A date so many milliseconds after the first turn's begin.
pub fn date(millis: i64) -> WallTime {
    start().plus(MediaSpan::from_millis(millis))
}

/// A recording of a fixture with segments of four seconds: in one turn, or in two of which the second begins so many
/// milliseconds after the first.
pub async fn recorded(name: &str, apart: Option<i64>) -> Store {
    let store = Store::open("memory:").unwrap();
    let id = RecordingId::new("s1", "main").unwrap();
    let options = Options { rules: rules(), ..Options::default() };
    let mut recorder = Recorder::start(&store, id.clone(), options.clone()).await.unwrap();
    for begin in std::iter::once(0).chain(apart) {
        if begin > 0 {
            recorder.orphan().await.unwrap();
            recorder = Recorder::resume(&store, &id.sid, None, options.clone()).await.unwrap();
        }
        let spec = OutputSpec::composite(Container::WebM).start_time(date(begin));
        recorder.output(spec).unwrap().write_bytes(Bytes::from(fixture(name))).await.unwrap();
    }
    recorder.stop().await.unwrap();
    store
}
