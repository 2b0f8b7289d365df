//! Makes one file of many: a Segment of known size with the blocks of all, its clusters whole, its cues at the end.
//!
//! `sequence` says where blocks go; they keep their bytes but for their time. One Cluster is in memory at a time. What is known
//! at the end only (size, length, place of the cues) is written over the front then.

use super::block::Block;
use super::ebml::{UNKNOWN_SIZE, id, wide_size};
use super::head::{Change, Cue, CueRule, Dated, Head, cues_element, timestamp};
use super::reader::FileBlock;
use super::sequence::{JoinedFile, Placed, Sequence, WebmJoinError};
use super::tracks::{Tracks, USUAL_SCALE};
use crate::time::WallTime;

/// A Cluster is written once it has so much, or so many ticks.
const CLUSTER_BYTES: usize = 8 << 20;
const CLUSTER_TICKS: i64 = 5000;

/// What is written over the begin, and behind the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinedEnds {
    pub front: Vec<u8>,
    pub tail: Vec<u8>,
}

#[derive(Debug)]
struct OpenCluster {
    /// Which of which file it is.
    of: (u64, u64),
    time: i64,
    latest: i64,
    content: Vec<u8>,
}

/// The state of the joining. The head of this file says how it works.
#[derive(Debug)]
pub(crate) struct WebmJoiner {
    sequence: Sequence,
    made: Made,
}

/// What is made so far.
#[derive(Debug)]
struct Made {
    dated: Dated,
    head: Option<(Head, Vec<u8>)>,
    /// Bytes so far, the front included.
    len: u64,
    cluster: Option<OpenCluster>,
    cues: Vec<Cue>,
    /// Clusters are told apart by their file and their place in it.
    cue_rule: CueRule<(u64, u64)>,
}

impl WebmJoiner {
    /// For files of which the first begins on a date, where it is known.
    pub fn new(date: Option<WallTime>) -> Self {
        let made = Made {
            dated: Dated { at: 0, date: date.unwrap_or_default() },
            head: None,
            len: 0,
            cluster: None,
            cues: Vec::new(),
            cue_rule: CueRule::default(),
        };
        Self { sequence: Sequence::default(), made }
    }

    /// Bytes of the front, which still change.
    pub fn front_len(&self) -> u64 {
        self.made.head.as_ref().map_or(0, |(_, bytes)| bytes.len() as u64)
    }

    /// Takes the next file, and hands on what the one that is made has of it. Gives how many bytes that is.
    ///
    /// # Errors
    /// Why it cannot be joined, or what `sink` gave.
    pub fn file<E>(
        &mut self,
        file: &JoinedFile<'_>,
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<u64, WebmJoinError<E>> {
        let Self { sequence, made } = self;
        let before = made.len;
        sequence.file(file, &mut |placed| made.block(placed, sink))?;
        Ok(made.len - before)
    }

    /// Hands on the last Cluster. What is given then goes to the begin and the end.
    ///
    /// # Errors
    /// What `sink` gave.
    pub fn finish<E>(self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<JoinedEnds, E> {
        let Self { sequence, mut made } = self;
        made.close(sink)?;
        let Some((head, mut front)) = made.head else {
            return Ok(JoinedEnds { front: Vec::new(), tail: Vec::new() });
        };
        let tail = cues_element(&made.cues, 0, head.begin()).unwrap_or_default();
        let cues_at = (!tail.is_empty()).then_some(made.len);
        for Change { offset, new, .. } in head.changes(made.len + tail.len() as u64, cues_at, 0, sequence.end)
        {
            let at = usize::try_from(offset).unwrap_or(usize::MAX);
            if let Some(place) = front.get_mut(at..at.saturating_add(new.len())) {
                place.copy_from_slice(&new);
            }
        }
        Ok(JoinedEnds { front, tail })
    }
}

impl Made {
    fn begin<E>(&mut self, tracks: &Tracks, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let (head, bytes) = Head::open(USUAL_SCALE, 0, self.dated);
        self.write(&bytes, sink)?;
        self.write(tracks.element(), sink)?;
        self.head = Some((head, bytes));
        Ok(())
    }

    fn block<E>(
        &mut self,
        placed: &Placed<'_>,
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Placed { found: FileBlock { block, track, tracks, cluster, .. }, at, file } = placed;
        if self.head.is_none() {
            self.begin(tracks, sink)?;
        }
        let (of, at) = ((*file, *cluster), *at);
        let fits = |open: &OpenCluster| {
            open.of == of
                && open.latest <= at
                && at - open.time < CLUSTER_TICKS
                && open.content.len() < CLUSTER_BYTES
        };
        if !self.cluster.as_ref().is_some_and(fits) {
            self.close(sink)?;
            self.cluster = Some(OpenCluster { of, time: at, latest: at, content: timestamp(at) });
        }
        let cue = tracks.lead == Some(*track)
            && block.key
            && tracks.tracks.get(*track).is_some_and(|track| self.cue_rule.takes(track.media, of));
        let Some(open) = &mut self.cluster else { return Ok(()) };
        open.latest = at;
        if cue {
            let block_at = open.content.len() as u64;
            self.cues.push(Cue { time: at, track: block.track, cluster_at: self.len, block_at });
        }
        append(block, at - open.time, &mut open.content);
        Ok(())
    }

    /// Writes the open Cluster.
    fn close<E>(&mut self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let Some(open) = self.cluster.take() else { return Ok(()) };
        let mut header = id::CLUSTER.to_be_bytes().to_vec();
        header.extend(wide_size(open.content.len() as u64));
        debug_assert_eq!(header.len(), 4 + UNKNOWN_SIZE.len());
        self.write(&header, sink)?;
        self.write(&open.content, sink)
    }

    fn write<E>(&mut self, bytes: &[u8], sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.len += bytes.len() as u64;
        sink(bytes)
    }
}

/// Appends a block with another time.
fn append(block: &Block, ticks: i64, content: &mut Vec<u8>) {
    match i16::try_from(ticks).unwrap_or(block.time) {
        same if same == block.time => content.extend_from_slice(&block.element),
        ticks => block.at_time(ticks).iter().for_each(|piece| content.extend_from_slice(piece)),
    }
}
