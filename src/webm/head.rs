//! The begin of a WebM file, what of it is known only at the end, and the cues that stand there.

use webm_iterable::WebmWriter;
use webm_iterable::matroska_spec::{Master, MatroskaSpec};

use super::ebml::{UNKNOWN_SIZE, children, element, id, unsigned, wide_size};
use super::tracks::{TrackMedia, encode};
use crate::time::WallTime;

/// 2001-01-01T00:00:00Z, from which `DateUTC` counts, in milliseconds of Unix time.
const DATE_BEGIN: i64 = 978_307_200_000;
pub(super) const SEEK: u32 = 0x4dbb;
pub(super) const CUE_POINT: u32 = 0xbb;
pub(super) const CUE_TIME: u32 = 0xb3;
/// `CueClusterPosition` and `CueRelativePosition`.
pub(super) const CUE_TRACK: u32 = 0xf7;
pub(super) const CUE_CLUSTER: u32 = 0xf1;
pub(super) const CUE_BLOCK: u32 = 0xf0;
/// `CueTrackPositions`.
pub(super) const CUE_PLACE: u32 = 0xb7;
pub(super) const SEEK_ID: u32 = 0x53ab;
pub(super) const SEEK_POSITION: u32 = 0x53ac;
const TIMESTAMP_SCALE: u32 = 0x002a_d7b1;
const DURATION: u32 = 0x4489;
const DATE_UTC: u32 = 0x4461;
const MUXING_APP: u32 = 0x4d80;
const WRITING_APP: u32 = 0x5741;

/// A time of the input, in ticks, and its date.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dated {
    pub at: i64,
    pub date: WallTime,
}

impl Dated {
    /// `DateUTC` of a time.
    fn utc(self, ticks: i64, scale: u64) -> Vec<u8> {
        let nanos = (ticks - self.at).saturating_mul(i64::try_from(scale).unwrap_or(i64::MAX));
        let millis = self.date.millis().saturating_sub(DATE_BEGIN);
        element(DATE_UTC, &millis.saturating_mul(1_000_000).saturating_add(nanos).to_be_bytes())
    }
}

/// What `Info` says of the whole file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct InfoFields {
    /// In ticks.
    pub duration: Option<f64>,
    /// The date of time 0.
    pub date: Option<WallTime>,
}

impl InfoFields {
    pub fn read(info: &[u8]) -> Self {
        let content = children(info).next().map_or(&[][..], |info| info.content);
        let mut fields = Self::default();
        for field in children(content) {
            match (field.id, field.content) {
                (DURATION, &[a, b, c, d]) => {
                    fields.duration = Some(f64::from(f32::from_be_bytes([a, b, c, d])));
                }
                (DURATION, content) => {
                    fields.duration = content.try_into().ok().map(f64::from_be_bytes);
                }
                (DATE_UTC, content) => {
                    let nanos = content.try_into().ok().map(i64::from_be_bytes);
                    let millis =
                        |nanos: i64| nanos.saturating_add(500_000).div_euclid(1_000_000) + DATE_BEGIN;
                    fields.date = nanos.map(|nanos| WallTime::from_millis(millis(nanos)));
                }
                _ => {}
            }
        }
        fields.duration = fields.duration.filter(|ticks| (0.0..1e15).contains(ticks));
        fields
    }
}

/// The number in the first element with that id.
pub(super) fn number_in(content: &[u8], id: u32) -> Option<u64> {
    children(content).find(|child| child.id == id).and_then(|child| unsigned(child.content))
}

/// A file's begin, from `EBML` to `Info`. Tracks come behind it.
#[derive(Debug)]
pub(super) struct Head {
    scale: u64,
    dated: Dated,
    /// The time that the file begins at, as far as it is known.
    origin: i64,
    /// Where the Segment's size stands.
    size_at: u64,
    cues_seek_at: u64,
    duration_at: u64,
}

/// Bytes of a head that become others, as many.
pub(super) struct Change {
    pub offset: u64,
    pub old: Vec<u8>,
    pub new: Vec<u8>,
}

impl Head {
    /// The head of a file whose first block has the time `origin`, and its bytes: of unknown size, length and place of cues.
    pub fn open(scale: u64, origin: i64, dated: Dated) -> (Self, Vec<u8>) {
        let mut head = ebml_header();
        head.extend(id::SEGMENT.to_be_bytes());
        let size_at = head.len() as u64;
        head.extend(UNKNOWN_SIZE);
        let begin = head.len() as u64;
        let info_content = [
            element(TIMESTAMP_SCALE, &scale.to_be_bytes()),
            open_duration(),
            dated.utc(origin, scale),
            app(),
        ]
        .concat();
        let info = element(id::INFO, &info_content);
        // Each Seek is as long as the others, and so is the room for that of the cues.
        let seek_head_len = element(id::SEEK_HEAD, &[0; 63]).len() as u64;
        let seeks =
            [seek(id::INFO, seek_head_len), seek(id::TRACKS, seek_head_len + info.len() as u64), no_seek()];
        head.extend(element(id::SEEK_HEAD, &seeks.concat()));
        let cues_seek_at = head.len() as u64 - no_seek().len() as u64;
        debug_assert_eq!(head.len() as u64, begin + seek_head_len);
        let info_header = info.len() - info_content.len();
        let scale_len = element(TIMESTAMP_SCALE, &[0; 8]).len();
        let duration_at = (head.len() + info_header + scale_len) as u64;
        head.extend(info);
        (Self { scale, dated, origin, size_at, cues_seek_at, duration_at }, head)
    }

    /// Where the Segment's content begins in the file: places in it count from there.
    pub fn begin(&self) -> u64 {
        self.size_at + 8
    }

    /// What changes once all is written: the file has `len` bytes, the cues begin at `cues_at` where there are any, its times
    /// reach from `smallest` to `end`.
    pub fn changes(&self, len: u64, cues_at: Option<u64>, smallest: i64, end: i64) -> Vec<Change> {
        let begin = self.begin();
        let size = wide_size(len - begin).to_vec();
        let mut changes = vec![Change { offset: self.size_at, old: UNKNOWN_SIZE.to_vec(), new: size }];
        if let Some(at) = cues_at {
            let new = seek(id::CUES, at - begin);
            changes.push(Change { offset: self.cues_seek_at, old: no_seek(), new });
        }
        let utc = |ticks| self.dated.utc(ticks, self.scale);
        let duration = element(DURATION, &((end - smallest) as f64).to_be_bytes());
        changes.push(Change {
            offset: self.duration_at,
            old: [open_duration(), utc(self.origin)].concat(),
            new: [duration, utc(smallest)].concat(),
        });
        changes
    }
}

/// A place to begin.
#[derive(Debug)]
pub(super) struct Cue {
    pub time: i64,
    pub track: u64,
    /// Where its Cluster begins in the file, and the block in that Cluster's content.
    pub cluster_at: u64,
    pub block_at: u64,
}

/// Which key frames of the lead are places to begin: of sound, which can begin anywhere, one in each Cluster.
#[derive(Debug)]
pub(super) struct CueRule<Cluster> {
    latest: Option<Cluster>,
}

impl<Cluster> Default for CueRule<Cluster> {
    fn default() -> Self {
        Self { latest: None }
    }
}

impl<Cluster: Copy + PartialEq> CueRule<Cluster> {
    /// Whether a key frame of the lead is one.
    pub fn takes(&mut self, media: TrackMedia, cluster: Cluster) -> bool {
        let before = self.latest.replace(cluster);
        !matches!(media, TrackMedia::Audio(_)) || before != Some(cluster)
    }
}

/// The element of cues, in a file whose times begin at `smallest` and whose Segment's content begins at `begin`.
pub(super) fn cues_element(cues: &[Cue], smallest: i64, begin: u64) -> Option<Vec<u8>> {
    if cues.is_empty() {
        return None;
    }
    let point = |cue: &Cue| {
        let place = MatroskaSpec::CueTrackPositions(Master::Full(vec![
            MatroskaSpec::CueTrack(cue.track),
            MatroskaSpec::CueClusterPosition(cue.cluster_at - begin),
            MatroskaSpec::CueRelativePosition(cue.block_at),
        ]));
        let time = u64::try_from(cue.time - smallest).unwrap_or(0);
        MatroskaSpec::CuePoint(Master::Full(vec![MatroskaSpec::CueTime(time), place]))
    };
    encode(&MatroskaSpec::Cues(Master::Full(cues.iter().map(point).collect())))
}

fn ebml_header() -> Vec<u8> {
    let fields = vec![
        MatroskaSpec::EbmlVersion(1),
        MatroskaSpec::EbmlReadVersion(1),
        MatroskaSpec::EbmlMaxIdLength(4),
        MatroskaSpec::EbmlMaxSizeLength(8),
        MatroskaSpec::DocType("webm".to_owned()),
        MatroskaSpec::DocTypeVersion(4),
        MatroskaSpec::DocTypeReadVersion(2),
    ];
    let mut header = Vec::new();
    // A vector takes everything, and the fields are at their places.
    let _ = WebmWriter::new(&mut header).write(&MatroskaSpec::Ebml(Master::Full(fields)));
    header
}

/// `Timestamp` of a Cluster, in as many bytes whatever it is.
pub(super) fn timestamp(ticks: i64) -> Vec<u8> {
    element(id::TIMESTAMP, &u64::try_from(ticks).unwrap_or(0).to_be_bytes())
}

fn seek(id: u32, position: u64) -> Vec<u8> {
    let content = [element(SEEK_ID, &id.to_be_bytes()), element(SEEK_POSITION, &position.to_be_bytes())];
    element(SEEK, &content.concat())
}

/// As long as a [`seek`].
fn no_seek() -> Vec<u8> {
    element(id::VOID, &[0; 19])
}

/// As long as `Duration`: while a file is open, it has none.
fn open_duration() -> Vec<u8> {
    element(id::VOID, &[0; 9])
}

fn app() -> Vec<u8> {
    let name = concat!("tapeline ", env!("CARGO_PKG_VERSION"));
    [element(MUXING_APP, name.as_bytes()), element(WRITING_APP, name.as_bytes())].concat()
}
