//! The blocks of many files on one clock, one file after another.
//!
//! A file's first lead block is put where the one before ended by its entry's length; where its times do not go on, it is moved
//! further until no track's times run back.

use bytes::Bytes;

use super::reader::{FileBlock, read};
use super::tracks::Tracks;
use crate::time::MediaSpan;

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

/// A block at its place.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    pub found: FileBlock<'a>,
    /// Milliseconds after the first block of all.
    pub at: i64,
    /// Which file it is of, from 1.
    pub file: u64,
}

/// The state of the joining. The head of this file says how it works.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    tracks: Option<Tracks>,
    files: u64,
    /// Where the next file's lead begins.
    next: i64,
    /// The latest time of each track, and the step before it.
    latest: Vec<Option<(i64, i64)>>,
    /// Where the last of all ends.
    pub end: i64,
}

/// What is known of a file before its first block is placed.
#[derive(Debug, Default)]
struct Begin {
    lead: Option<i64>,
    smallest: Option<i64>,
    /// Of each track.
    first: Vec<Option<i64>>,
}

impl Begin {
    fn of(file: &Bytes) -> (Self, Option<Tracks>) {
        let mut begin = Self::default();
        let end = read(file, &mut |found| {
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

impl Sequence {
    /// Hands on the blocks of the next file.
    ///
    /// # Errors
    /// Why it cannot be joined, or what `take` gave.
    pub fn file<E>(
        &mut self,
        file: &JoinedFile<'_>,
        take: &mut impl FnMut(&Placed<'_>) -> Result<(), E>,
    ) -> Result<(), WebmJoinError<E>> {
        let (begin, tracks) = Begin::of(file.bytes);
        let (Some(tracks), Some(smallest)) = (tracks, begin.smallest) else {
            return Err(WebmJoinError::NoBlocks);
        };
        let known = self.tracks.get_or_insert_with(|| tracks.clone());
        if !known.goes_on_with(&tracks) {
            return Err(WebmJoinError::OtherTracks);
        }
        self.files += 1;
        self.latest.resize(tracks.tracks.len(), None);
        let offset = self.offset(file, &begin, smallest);
        self.next = offset + begin.lead.unwrap_or(smallest) + file.length.millis();
        let mut failed = None;
        read(file.bytes, &mut |found| {
            if failed.is_none() {
                let placed = self.placed(found, offset);
                failed = take(&placed).err();
            }
        });
        failed.map_or(Ok(()), |error| Err(WebmJoinError::Write(error)))
    }

    fn placed<'a>(&mut self, found: FileBlock<'a>, offset: i64) -> Placed<'a> {
        let at = millis(found.at, found.scale).saturating_add(offset);
        if let Some(latest) = self.latest.get_mut(found.track) {
            let step = latest.map_or(0, |(before, step)| if at > before { at - before } else { step });
            *latest = Some((at, step));
            self.end = self.end.max(at + step);
        }
        Placed { found, at, file: self.files }
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
}

fn millis(ticks: i64, scale: u64) -> i64 {
    let nanos = i128::from(ticks) * i128::from(scale);
    i64::try_from((nanos + NANOS_PER_MILLI / 2).div_euclid(NANOS_PER_MILLI)).unwrap_or(i64::MAX)
}
