//! The index of a file's track: how long, how large and where each sample is.

use std::num::NonZeroU32;

use shiguredo_mp4::Either;
use shiguredo_mp4::boxes::{
    Co64Box, CttsBox, CttsEntry, SampleEntry, StblBox, StcoBox, StscBox, StscEntry, StsdBox, StssBox,
    StszBox, SttsBox, SttsEntry,
};

use super::track::Timed;

/// Bytes of an index that a sample takes at most: duration, offset, size, and its number where it is a key.
pub const MOST_PER_SAMPLE: u64 = 8 + 8 + 4 + 4;

/// A track's index as it grows. Runs of equal numbers take one place.
#[derive(Debug, Default)]
pub struct Tables {
    durations: Vec<SttsEntry>,
    offsets: Vec<CttsEntry>,
    sizes: Vec<u32>,
    keys: Vec<NonZeroU32>,
    chunks: Vec<Chunk>,
    begin: Option<Begin>,
    /// The sum of all durations.
    length: u64,
}

/// Samples that lie one behind the other.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    offset: u64,
    samples: u32,
    entry: usize,
}

/// Where a track begins, in its timescale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begin {
    /// Decoding time of the first sample.
    pub dts: i64,
    /// The earliest time at which anything is shown.
    pub shown: i64,
}

impl Tables {
    /// Takes note of a sample at a place in the file: right behind the one before, unless it begins a chunk.
    pub fn add(&mut self, timed: &Timed, offset: u64, begins: bool) {
        let Timed { sample, duration } = timed;
        match self.durations.last_mut() {
            Some(run) if run.sample_delta == *duration => run.sample_count += 1,
            _ => self.durations.push(SttsEntry { sample_count: 1, sample_delta: *duration }),
        }
        match self.offsets.last_mut() {
            Some(run) if run.sample_offset == sample.shown_after => run.sample_count += 1,
            _ => self.offsets.push(CttsEntry { sample_count: 1, sample_offset: sample.shown_after }),
        }
        self.sizes.push(u32::try_from(sample.data.len()).unwrap_or(u32::MAX));
        if sample.key {
            self.keys.extend(u32::try_from(self.sizes.len()).ok().and_then(NonZeroU32::new));
        }
        match self.chunks.last_mut() {
            Some(chunk) if !begins && chunk.entry == sample.entry => chunk.samples += 1,
            _ => self.chunks.push(Chunk { offset, samples: 1, entry: sample.entry }),
        }
        let shown = sample.dts + sample.shown_after;
        let begin = self.begin.get_or_insert(Begin { dts: sample.dts, shown });
        begin.shown = begin.shown.min(shown);
        self.length += u64::from(*duration);
    }

    /// Where it begins; `None` where there is nothing.
    pub fn begin(&self) -> Option<Begin> {
        self.begin
    }

    /// The sum of all durations, in the track's timescale.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The index as boxes.
    pub fn boxes(self, entries: &[SampleEntry]) -> StblBox {
        let all_keys = self.keys.len() == self.sizes.len();
        let negative = self.offsets.iter().any(|run| run.sample_offset < 0);
        let plain = self.offsets.iter().all(|run| run.sample_offset == 0);
        StblBox {
            stsd_box: StsdBox { entries: entries.to_vec() },
            stts_box: SttsBox { entries: self.durations },
            ctts_box: (!plain).then_some(CttsBox { version: u8::from(negative), entries: self.offsets }),
            cslg_box: None,
            stsc_box: StscBox { entries: chunk_runs(&self.chunks) },
            stsz_box: StszBox::Variable { entry_sizes: self.sizes },
            stco_or_co64_box: offsets(&self.chunks),
            stss_box: (!all_keys).then_some(StssBox { sample_numbers: self.keys }),
            sdtp_box: None,
            unknown_boxes: Vec::new(),
        }
    }
}

fn chunk_runs(chunks: &[Chunk]) -> Vec<StscEntry> {
    let mut runs: Vec<StscEntry> = Vec::new();
    for (number, chunk) in (1..).filter_map(NonZeroU32::new).zip(chunks) {
        let entry = u32::try_from(chunk.entry).ok().and_then(|entry| NonZeroU32::MIN.checked_add(entry));
        let run = StscEntry {
            first_chunk: number,
            sample_per_chunk: chunk.samples,
            sample_description_index: entry.unwrap_or(NonZeroU32::MIN),
        };
        let goes_on = runs.last().is_some_and(|last| {
            (last.sample_per_chunk, last.sample_description_index)
                == (run.sample_per_chunk, run.sample_description_index)
        });
        if !goes_on {
            runs.push(run);
        }
    }
    runs
}

fn offsets(chunks: &[Chunk]) -> Either<StcoBox, Co64Box> {
    let small: Option<Vec<u32>> = chunks.iter().map(|chunk| u32::try_from(chunk.offset).ok()).collect();
    match small {
        Some(chunk_offsets) => Either::A(StcoBox { chunk_offsets }),
        None => Either::B(Co64Box { chunk_offsets: chunks.iter().map(|chunk| chunk.offset).collect() }),
    }
}
