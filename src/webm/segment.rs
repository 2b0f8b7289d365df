//! One segment: a WebM file that plays alone, whose bytes are given out as they come.
//!
//! While it is open its sizes are unknown, so that what a killed worker leaves plays too. At its end they are patched, with
//! its duration, its date and the place of its cues. Blocks keep their bytes; only a block's time is rewritten, and only in
//! a Cluster that does not begin where the input's did.

use std::collections::VecDeque;

use bytes::Bytes;

use super::block::Block;
use super::ebml::{UNKNOWN_SIZE, id, wide_size};
use super::head::{Change, Cue, Dated, Head, cues_element, timestamp};
use crate::media::{Patch, Split};

/// More key frames than a segment has.
const MOST_CUES: usize = 4096;

/// More Clusters than a segment has: each is remembered until its end.
const MOST_CLUSTERS: usize = 1 << 16;

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

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    head: Head,
    /// The time of its first block.
    origin: i64,
    /// Of all its blocks.
    smallest: i64,
    end: i64,
    len: u64,
    clusters: Vec<Cluster>,
    cues: Vec<Cue>,
}

impl Segment {
    /// Begins a file whose first block has the time `origin`.
    pub fn open(scale: u64, tracks: &Bytes, origin: i64, dated: Dated, out: &mut VecDeque<Split>) -> Self {
        out.push_back(Split::Opened);
        let (head, bytes) = Head::open(scale, origin, dated);
        let mut segment = Self {
            head,
            origin,
            smallest: origin,
            end: origin,
            len: 0,
            clusters: Vec::new(),
            cues: Vec::new(),
        };
        segment.push(Bytes::from(bytes), out);
        segment.push(tracks.clone(), out);
        segment
    }

    /// Bytes so far; of a segment that must take no more, whatever it has, all there could be.
    pub fn len(&self) -> u64 {
        if self.clusters.len() < MOST_CLUSTERS { self.len } else { u64::MAX }
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
        let cues = cues_element(&self.cues, self.smallest, self.head.begin());
        let cues_at = cues.as_ref().map(|_| end_of_clusters);
        if let Some(cues) = cues {
            self.push(Bytes::from(cues), out);
        }
        let mut patch = |offset, old: Vec<u8>, new: Vec<u8>| {
            out.push_back(Split::Patch(Patch { offset, old: Bytes::from(old), new: Bytes::from(new) }));
        };
        for Change { offset, old, new } in self.head.changes(self.len, cues_at, self.smallest, self.end) {
            patch(offset, old, new);
        }
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

    fn push(&mut self, bytes: Bytes, out: &mut VecDeque<Split>) {
        self.len += bytes.len() as u64;
        out.push_back(Split::Bytes(bytes));
    }
}

/// The bytes of a segment, once all of it was given out.
pub(super) fn whole(splits: impl IntoIterator<Item = Split>) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    for split in splits {
        match split {
            Split::Bytes(piece) => bytes.extend_from_slice(&piece),
            Split::Patch(patch) => {
                let at = usize::try_from(patch.offset).unwrap_or(usize::MAX);
                if let Some(place) = bytes.get_mut(at..at.saturating_add(patch.new.len())) {
                    place.copy_from_slice(&patch.new);
                }
            }
            Split::Opened | Split::Sealed => {}
        }
    }
    bytes
}
