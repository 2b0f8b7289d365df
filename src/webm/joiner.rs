//! Makes one file of many: a Segment of known size with the blocks of all, its clusters whole, its cues at the end.
//!
//! A file's first lead block is put where the one before ended by its entry's length; where its times do not go on, it is moved
//! further until no track's times run back. Blocks keep their bytes but for their time. One Cluster is in memory at a time.
//! What is known at the end only (size, length, place of the cues) is written over the front then.

use bytes::Bytes;

use super::block::Block;
use super::ebml::{UNKNOWN_SIZE, id, wide_size};
use super::head::{Change, Cue, CueRule, Dated, Head, cues_element, timestamp};
use super::reader::{FileBlock, read};
use super::tracks::{Tracks, USUAL_SCALE};
use crate::time::{MediaSpan, WallTime};

/// A Cluster is written once it has so much, or so many ticks.
const CLUSTER_BYTES: usize = 8 << 20;
const CLUSTER_TICKS: i64 = 5000;
const NANOS_PER_MILLI: i128 = 1_000_000;

/// A file to be joined to those before.
#[derive(Debug)]
pub(crate) struct JoinedFile<'a> {
    pub bytes: &'a Bytes,
    /// Its times go on where those of the one before ended.
    pub continues: bool,
    /// Time between the one before and this one.
    pub gap: MediaSpan,
    /// How long it is.
    pub length: MediaSpan,
}

/// Why a file cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebmJoinError<E> {
    /// It is no WebM, or has no block.
    NoBlocks,
    /// Its tracks are others than those of the files before.
    OtherTracks,
    /// What the sink gave.
    Write(E),
}

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
    dated: Dated,
    tracks: Option<Tracks>,
    head: Option<(Head, Vec<u8>)>,
    /// Bytes so far, the front included.
    len: u64,
    files: u64,
    cluster: Option<OpenCluster>,
    cues: Vec<Cue>,
    /// Clusters are told apart by their file and their place in it.
    cue_rule: CueRule<(u64, u64)>,
    /// Where the next file's lead begins.
    next: i64,
    /// The latest time of each track, and the step before it.
    latest: Vec<Option<(i64, i64)>>,
    end: i64,
}

/// What is known of a file before its first block is written.
#[derive(Debug, Default)]
struct Begin {
    lead: Option<i64>,
    smallest: Option<i64>,
    /// Of each track.
    first: Vec<Option<i64>>,
    scale: u64,
}

impl Begin {
    fn of(file: &Bytes) -> (Self, Option<Tracks>) {
        let mut begin = Self::default();
        let end = read(file, &mut |found| {
            begin.scale = found.scale;
            begin.first.resize(found.tracks.tracks.len(), None);
            let at = millis(found.at, found.scale);
            if let Some(first) = begin.first.get_mut(found.track) {
                first.get_or_insert(at);
            }
            if found.tracks.lead == Some(found.track) {
                begin.lead.get_or_insert(at);
            }
            begin.smallest = Some(begin.smallest.map_or(at, |smallest| smallest.min(at)));
        });
        (begin, end.tracks)
    }
}

impl WebmJoiner {
    /// For files of which the first begins on a date, where it is known.
    pub fn new(date: Option<WallTime>) -> Self {
        Self {
            dated: Dated { at: 0, date: date.unwrap_or_default() },
            tracks: None,
            head: None,
            len: 0,
            files: 0,
            cluster: None,
            cues: Vec::new(),
            cue_rule: CueRule::default(),
            next: 0,
            latest: Vec::new(),
            end: 0,
        }
    }

    /// Bytes of the front, which still change.
    pub fn front_len(&self) -> u64 {
        self.head.as_ref().map_or(0, |(_, bytes)| bytes.len() as u64)
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
        let before = self.len;
        let (begin, tracks) = Begin::of(file.bytes);
        let (Some(tracks), Some(smallest)) = (tracks, begin.smallest) else {
            return Err(WebmJoinError::NoBlocks);
        };
        match &self.tracks {
            Some(known) if !known.goes_on_with(&tracks) => return Err(WebmJoinError::OtherTracks),
            Some(_) => {}
            None => self.begin(&tracks, sink).map_err(WebmJoinError::Write)?,
        }
        self.files += 1;
        let offset = self.offset(file, &begin, smallest);
        self.next = offset + begin.lead.unwrap_or(smallest) + file.length.millis();
        let mut failed = None;
        read(file.bytes, &mut |found| {
            if failed.is_none() {
                failed = self.block(&found, offset, sink).err();
            }
        });
        match failed {
            Some(error) => Err(WebmJoinError::Write(error)),
            None => Ok(self.len - before),
        }
    }

    /// Hands on the last Cluster. What is given then goes to the begin and the end.
    ///
    /// # Errors
    /// What `sink` gave.
    pub fn finish<E>(mut self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<JoinedEnds, E> {
        self.close(sink)?;
        let Some((head, mut front)) = self.head else {
            return Ok(JoinedEnds { front: Vec::new(), tail: Vec::new() });
        };
        let tail = cues_element(&self.cues, 0, head.begin()).unwrap_or_default();
        let cues_at = (!tail.is_empty()).then_some(self.len);
        for Change { offset, new, .. } in head.changes(self.len + tail.len() as u64, cues_at, 0, self.end) {
            let at = usize::try_from(offset).unwrap_or(usize::MAX);
            if let Some(place) = front.get_mut(at..at.saturating_add(new.len())) {
                place.copy_from_slice(&new);
            }
        }
        Ok(JoinedEnds { front, tail })
    }

    fn begin<E>(&mut self, tracks: &Tracks, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let (head, bytes) = Head::open(USUAL_SCALE, 0, self.dated);
        self.write(&bytes, sink)?;
        self.write(tracks.element(), sink)?;
        self.latest = vec![None; tracks.tracks.len()];
        (self.head, self.tracks) = (Some((head, bytes)), Some(tracks.clone()));
        Ok(())
    }

    /// What is added to the file's times.
    fn offset(&self, file: &JoinedFile<'_>, begin: &Begin, smallest: i64) -> i64 {
        if self.files == 1 {
            return -smallest;
        }
        let offset = self.next + file.gap.millis() - begin.lead.unwrap_or(smallest);
        let tracks = self.latest.iter().zip(&begin.first);
        let ends = tracks.filter_map(|(latest, first)| latest.zip(*first));
        // Where times do not go on, no track may run back.
        let behind = ends.map(|((latest, step), first)| latest + step - first).max();
        if file.continues { offset } else { offset.max(behind.unwrap_or(offset)) }.max(-smallest)
    }

    fn block<E>(
        &mut self,
        found: &FileBlock<'_>,
        offset: i64,
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let FileBlock { block, track, tracks, scale, at, cluster, .. } = found;
        let at = millis(*at, *scale).saturating_add(offset);
        let of = (self.files, *cluster);
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
        if let Some(latest) = self.latest.get_mut(*track) {
            let step = latest.map_or(0, |(before, step)| if at > before { at - before } else { step });
            *latest = Some((at, step));
            self.end = self.end.max(at + step);
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

fn millis(ticks: i64, scale: u64) -> i64 {
    let nanos = i128::from(ticks) * i128::from(scale);
    i64::try_from((nanos + NANOS_PER_MILLI / 2).div_euclid(NANOS_PER_MILLI)).unwrap_or(i64::MAX)
}
