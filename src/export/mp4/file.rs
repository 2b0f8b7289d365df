//! One MP4 file, whose index stands in front of the media ("fast start").
//!
//! The index is known at the end alone, so room is kept for it: as much as the first part's pictures and frames a second
//! need over the whole length, at the most that a sample can take, and a quarter more. What is not needed becomes a `free`
//! box. Should it be too little, since the rate has risen, the index stands behind the media, and a note says so.

use std::collections::BTreeMap;

use shiguredo_mp4::boxes::{Brand, EdtsBox, ElstBox, ElstEntry, FtypBox, MoovBox, SampleEntry, TrakBox};
use shiguredo_mp4::{BoxSize, Encode, FixedPointNumber};

use super::boxes::{TrackBox, file_time, header, movie};
use super::error::Mp4Error;
use super::tables::{MOST_PER_SAMPLE, Tables};
use super::track::Timed;
use super::tracks::Tracks;
use crate::export::front::Front;
use crate::export::part::Part;
use crate::time::{MediaSpan, WallTime};

/// So much of a track lies together.
const CHUNK: MediaSpan = MediaSpan::from_millis(500);
/// Room for what does not grow with the length.
const FIXED_ROOM: u64 = 16 * 1024;
/// No track has more samples: the shortest frames of Opus are of 2.5 ms.
const MOST_PER_SECOND: u128 = 1000;
/// `mdat` with a size of 64 bits.
const MEDIA_HEADER: u64 = 16;
/// The head of any other box.
const BOX_HEADER: u64 = 8;

/// Makes one file of parts.
#[derive(Debug)]
pub struct Mp4File {
    tracks: Tracks,
    tables: Vec<Tables>,
    /// How long all of it is likely to be.
    expected: MediaSpan,
    created: Option<WallTime>,
    /// Bytes in front of the media box, once that has begun.
    room: Option<u64>,
    /// Bytes so far.
    position: u64,
}

impl Mp4File {
    /// For a recording of about that length that began at that date.
    pub fn new(expected: MediaSpan, created: Option<WallTime>) -> Self {
        Self { tracks: Tracks::default(), tables: Vec::new(), expected, created, room: None, position: 0 }
    }

    /// Bytes of the front, which may still change.
    pub fn front_len(&self) -> u64 {
        self.room.map_or(0, |room| room + MEDIA_HEADER)
    }

    /// Takes the next part, and hands on what the file has of it. Gives how many bytes that is.
    ///
    /// # Errors
    /// Why it cannot be MP4, or what `sink` gave.
    pub fn part<E: From<Mp4Error>>(
        &mut self,
        part: Part,
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<u64, E> {
        self.tracks.part(part)?;
        self.write(sink)
    }

    /// Hands on the last of the media. The front then goes to the begin, its tail to the end.
    ///
    /// # Errors
    /// As [`part`](Self::part).
    pub fn finish<E: From<Mp4Error>>(
        mut self,
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Front, E> {
        let notes = self.tracks.finish()?;
        self.write(sink)?;
        Ok(self.front(notes)?)
    }

    fn write<E>(&mut self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<u64, E> {
        let before = self.position;
        self.tables.resize_with(self.tracks.all.len(), Tables::default);
        if self.room.is_none() {
            if self.tracks.all.iter().all(|track| track.ready.is_empty()) {
                return Ok(0);
            }
            let room = self.room_for_index();
            self.room = Some(room);
            let mut left = room + MEDIA_HEADER;
            self.position = left;
            while left > 0 {
                let piece = left.min(ZEROS.len() as u64);
                sink(ZEROS.get(..usize::try_from(piece).unwrap_or(0)).unwrap_or_default())?;
                left -= piece;
            }
        }
        while let Some(index) = self.next_track() {
            let (Some(track), Some(tables)) = (self.tracks.all.get_mut(index), self.tables.get_mut(index))
            else {
                break;
            };
            let mut end = None;
            while let Some(timed) = track.ready.front() {
                let at = track.ticks(timed.sample.dts);
                let begins = end.is_none();
                if at >= *end.get_or_insert(at + CHUNK.ticks()) {
                    break;
                }
                let Some(timed) = track.ready.pop_front() else { break };
                tables.add(&timed, self.position, begins);
                sink(&timed.sample.data)?;
                self.position += timed.sample.data.len() as u64;
            }
        }
        Ok(self.position - before)
    }

    /// The track of which the earliest sample is ready.
    fn next_track(&self) -> Option<usize> {
        let ready = self
            .tracks
            .all
            .iter()
            .enumerate()
            .filter_map(|(index, track)| Some((track.ticks(track.ready.front()?.sample.dts), index)));
        ready.min().map(|(_, index)| index)
    }

    fn room_for_index(&self) -> u64 {
        let samples: u64 = self
            .tracks
            .all
            .iter()
            .map(|track| {
                let length: u64 = track.ready.iter().map(|timed: &Timed| u64::from(timed.duration)).sum();
                let expected = u128::try_from(self.expected.ticks()).unwrap_or(0)
                    * u128::from(track.timescale())
                    / 90_000;
                let all = track.ready.len() as u128 * expected / u128::from(length.max(1));
                // Frames that share a time say nothing of how many will come.
                let most = expected * MOST_PER_SECOND / u128::from(track.timescale());
                u64::try_from(all.min(most)).unwrap_or(u64::MAX).max(track.ready.len() as u64)
            })
            .sum();
        // No recording has so many: a wrong date must not cost a disk.
        FIXED_ROOM + samples.min(1 << 28) * MOST_PER_SAMPLE * 5 / 4
    }

    fn front(self, mut notes: Vec<String>) -> Result<Front, Mp4Error> {
        let room = self.room.ok_or(Mp4Error::Nothing)?;
        let position = self.position;
        let entries: Vec<_> = self.tracks.all.iter().flat_map(|track| track.entries()).cloned().collect();
        let kind = file_type(&entries).encode_to_vec()?;
        let index = self.index().encode_to_vec()?;
        let (kind_len, index_len) = (kind.len() as u64, index.len() as u64);
        let fits = kind_len + index_len + BOX_HEADER <= room;
        let mut bytes = kind;
        let mut tail = index;
        if fits {
            bytes.append(&mut tail);
        } else {
            notes.push("the index is larger than was expected, and stands at the end of the file".to_owned());
        }
        let free = room.saturating_sub(bytes.len() as u64);
        bytes.extend(header(*b"free", BoxSize::U32(u32::try_from(free).unwrap_or(u32::MAX)))?);
        bytes.resize(usize::try_from(room).unwrap_or(usize::MAX), 0);
        bytes.extend(header(*b"mdat", BoxSize::U64(position - room))?);
        Ok(Front { bytes, tail, notes })
    }

    fn index(self) -> MoovBox {
        let created = file_time(self.created);
        let mut used = BTreeMap::new();
        for (index, (track, tables)) in self.tracks.all.iter().zip(self.tables).enumerate() {
            if let Some(begin) = tables.begin() {
                used.insert(index, (track, tables, begin));
            }
        }
        // All is shown from the first thing on that is shown.
        let zero = used.values().map(|(track, _, begin)| track.ticks(begin.shown)).min().unwrap_or(0);
        let mut duration = 0;
        let tracks: Vec<TrakBox> = (1..)
            .zip(used.into_values())
            .map(|(id, (track, tables, begin))| {
                let length = tables.length();
                let lead = u64::try_from(track.ticks(begin.shown) - zero).unwrap_or(0);
                let shown =
                    u64::try_from(track.ticks(i64::try_from(length).unwrap_or(i64::MAX))).unwrap_or(0);
                duration = duration.max(lead + shown);
                let edits = Some(edits(lead, shown, begin.shown - begin.dts));
                let samples = tables.boxes(track.entries());
                TrackBox { id, track, created, shown_for: lead + shown, length, edits, samples }.into()
            })
            .collect();
        movie(created, duration, tracks, None)
    }
}

/// Nothing for as long as others are shown before it, then the media from its first shown sample on.
fn edits(lead: u64, shown: u64, media_time: i64) -> EdtsBox {
    let media_rate = FixedPointNumber::new(1, 0);
    let empty = (lead > 0).then_some(ElstEntry { edit_duration: lead, media_time: -1, media_rate });
    let media = ElstEntry { edit_duration: shown, media_time, media_rate };
    let entries = empty.into_iter().chain([media]).collect();
    EdtsBox { elst_box: Some(ElstBox { entries }), unknown_boxes: Vec::new() }
}

fn file_type(entries: &[SampleEntry]) -> FtypBox {
    let mut compatible_brands = vec![Brand::ISOM, Brand::ISO2, Brand::MP41];
    for (brand, is_there) in [
        (Brand::AVC1, entries.iter().any(|entry| matches!(entry, SampleEntry::Avc1(_)))),
        (Brand::HVC1, entries.iter().any(|entry| matches!(entry, SampleEntry::Hvc1(_)))),
    ] {
        compatible_brands.extend(is_there.then_some(brand));
    }
    FtypBox { major_brand: Brand::ISOM, minor_version: 512, compatible_brands }
}

/// What stands in the file's front until the index is known.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
