//! One segment: a WebM file that plays alone, whose bytes are given out as they come.
//!
//! While it is open its sizes are unknown, so that what a killed worker leaves plays too. At its end they are patched, with
//! its duration, its date and the place of its cues. Blocks keep their bytes; only a block's time is rewritten, and only in
//! a Cluster that does not begin where the input's did.

use std::collections::VecDeque;

use bytes::Bytes;
use webm_iterable::WebmWriter;
use webm_iterable::matroska_spec::{Master, MatroskaSpec};

use super::block::Block;
use super::ebml::{UNKNOWN_SIZE, element, id, wide_size};
use super::tracks::encode;
use crate::media::{Patch, Split};
use crate::time::WallTime;

/// 2001-01-01T00:00:00Z, from which `DateUTC` counts, in milliseconds of Unix time.
const DATE_BEGIN: i64 = 978_307_200_000;
const SEEK: u32 = 0x4dbb;
const SEEK_ID: u32 = 0x53ab;
const SEEK_POSITION: u32 = 0x53ac;
const TIMESTAMP_SCALE: u32 = 0x002a_d7b1;
const DURATION: u32 = 0x4489;
const DATE_UTC: u32 = 0x4461;
const MUXING_APP: u32 = 0x4d80;
const WRITING_APP: u32 = 0x5741;
/// More key frames than a segment has.
const MOST_CUES: usize = 4096;

/// A block, and what is known of its place.
#[derive(Debug)]
pub(super) struct Placed {
    pub block: Block,
    /// Its time, in ticks.
    pub at: i64,
    /// Where it ends.
    pub end: i64,
    /// The number of its Cluster in the input.
    pub cluster: u64,
    /// That Cluster's time.
    pub cluster_time: i64,
    /// It is of the track that decides where segments begin.
    pub lead: bool,
    /// It is a place to begin.
    pub cue: bool,
}

/// A Cluster that was written.
#[derive(Debug)]
struct Cluster {
    /// Where its size stands in the file; its time stands behind it.
    size_at: u64,
    /// Its time in the input.
    time: i64,
    /// Which of the input's it is.
    of: u64,
    /// The time of its latest block.
    latest: i64,
}

#[derive(Debug)]
struct Cue {
    time: i64,
    track: u64,
    /// Where its Cluster begins in the file, and the block in that Cluster's content.
    cluster_at: u64,
    block_at: u64,
}

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

/// Where the things are that are patched.
#[derive(Debug)]
struct Front {
    size_at: u64,
    cues_seek_at: u64,
    duration_at: u64,
}

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    scale: u64,
    /// The time of its first block.
    origin: i64,
    dated: Dated,
    /// Of all its blocks.
    smallest: i64,
    end: i64,
    len: u64,
    front: Front,
    clusters: Vec<Cluster>,
    cues: Vec<Cue>,
}

impl Segment {
    /// Begins a file whose first block has the time `origin`.
    pub fn open(scale: u64, tracks: &Bytes, origin: i64, dated: Dated, out: &mut VecDeque<Split>) -> Self {
        out.push_back(Split::Opened);
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
        let front = Front { size_at, cues_seek_at, duration_at };
        let mut segment = Self {
            scale,
            origin,
            dated,
            smallest: origin,
            end: origin,
            len: 0,
            front,
            clusters: Vec::new(),
            cues: Vec::new(),
        };
        segment.push(Bytes::from(head), out);
        segment.push(tracks.clone(), out);
        segment
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Appends a block.
    pub fn block(&mut self, placed: &Placed, out: &mut VecDeque<Split>) {
        let Placed { block, at, end, cluster: of, cluster_time, lead, cue } = placed;
        // There are readers that refuse a Cluster whose blocks go back in time.
        let fits = |cluster: &&Cluster| {
            cluster.of == *of && cluster.latest <= *at && i16::try_from(at - cluster.time).is_ok()
        };
        if self.clusters.last().filter(fits).is_none() {
            let goes_on = self.clusters.last().is_some_and(|last| last.of == *of);
            // Blocks of a Cluster with its old time need no other times; none may have a time before the file's begin.
            let keeps = !goes_on && !self.clusters.is_empty() && *cluster_time >= self.origin;
            self.cluster(if keeps { *cluster_time } else { *at }, *of, out);
        }
        let Some(cluster) = self.clusters.last_mut() else { return };
        cluster.latest = *at;
        let (time, size_at) = (cluster.time, cluster.size_at);
        // The first one is where it can be begun, whatever it is.
        if (*cue || *lead && self.cues.is_empty()) && self.cues.len() < MOST_CUES {
            let (cluster_at, content_at) = (size_at - 4, size_at + 8);
            let block_at = self.len - content_at;
            self.cues.push(Cue { time: *at, track: block.track, cluster_at, block_at });
        }
        self.smallest = self.smallest.min(*at);
        self.end = self.end.max(*end);
        let relative = i16::try_from(at - time).unwrap_or(block.time);
        if relative == block.time {
            self.push(block.element.clone(), out);
        } else {
            block.at_time(relative).into_iter().for_each(|piece| self.push(piece, out));
        }
    }

    /// Ends the file.
    pub fn seal(mut self, out: &mut VecDeque<Split>) {
        let end_of_clusters = self.len;
        let begin = self.front.size_at + 8;
        let cues = self.cues_element(begin);
        if let Some(cues) = &cues {
            self.push(Bytes::from(cues.clone()), out);
        }
        let mut patch = |offset, old: Vec<u8>, new: Vec<u8>| {
            out.push_back(Split::Patch(Patch { offset, old: Bytes::from(old), new: Bytes::from(new) }));
        };
        patch(self.front.size_at, UNKNOWN_SIZE.to_vec(), wide_size(self.len - begin).to_vec());
        if cues.is_some() {
            patch(self.front.cues_seek_at, no_seek(), seek(id::CUES, end_of_clusters - begin));
        }
        let utc = |ticks| self.dated.utc(ticks, self.scale);
        let old = [open_duration(), utc(self.origin)].concat();
        let duration = element(DURATION, &((self.end - self.smallest) as f64).to_be_bytes());
        patch(self.front.duration_at, old, [duration, utc(self.smallest)].concat());
        for (index, cluster) in self.clusters.iter().enumerate() {
            let next = self.clusters.get(index + 1).map_or(end_of_clusters, |next| next.size_at - 4);
            let size = wide_size(next - (cluster.size_at + 8));
            let old = [&UNKNOWN_SIZE[..], &timestamp(cluster.time - self.origin)].concat();
            let new = [&size[..], &timestamp(cluster.time - self.smallest)].concat();
            patch(cluster.size_at, old, new);
        }
        out.push_back(Split::Sealed);
    }

    fn cluster(&mut self, time: i64, of: u64, out: &mut VecDeque<Split>) {
        let size_at = self.len + 4;
        let header = [&id::CLUSTER.to_be_bytes()[..], &UNKNOWN_SIZE, &timestamp(time - self.origin)].concat();
        self.push(Bytes::from(header), out);
        self.clusters.push(Cluster { size_at, time, of, latest: time });
    }

    fn cues_element(&self, begin: u64) -> Option<Vec<u8>> {
        if self.cues.is_empty() {
            return None;
        }
        let point = |cue: &Cue| {
            let place = MatroskaSpec::CueTrackPositions(Master::Full(vec![
                MatroskaSpec::CueTrack(cue.track),
                MatroskaSpec::CueClusterPosition(cue.cluster_at - begin),
                MatroskaSpec::CueRelativePosition(cue.block_at),
            ]));
            let time = u64::try_from(cue.time - self.smallest).unwrap_or(0);
            MatroskaSpec::CuePoint(Master::Full(vec![MatroskaSpec::CueTime(time), place]))
        };
        encode(&MatroskaSpec::Cues(Master::Full(self.cues.iter().map(point).collect())))
    }

    fn push(&mut self, bytes: Bytes, out: &mut VecDeque<Split>) {
        self.len += bytes.len() as u64;
        out.push_back(Split::Bytes(bytes));
    }
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

fn timestamp(ticks: i64) -> Vec<u8> {
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
