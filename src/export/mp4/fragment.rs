//! Fragments for HLS: each begins with a key frame and plays alone behind its initialization.
//!
//! A fragment ends where a part did, at the next key frame of the pictures (of the sound, where there are none), and where the
//! description of a stream changes: then another initialization goes before the next.

use std::collections::VecDeque;

use shiguredo_mp4::boxes::{
    Brand, FtypBox, MfhdBox, MoofBox, MvexBox, SampleEntry, TfdtBox, TfhdBox, TrafBox, TrakBox, TrexBox,
    TrunBox, TrunSample,
};
use shiguredo_mp4::{BoxSize, BoxType, Encode, SampleFlags};

use super::boxes::{TrackBox, file_time, header, movie};
use super::error::Mp4Error;
use super::sample::{Sample, scaled};
use super::tables::Tables;
use super::track::{Timed, Track};
use super::tracks::Tracks;
use crate::export::part::Part;
use crate::time::{MediaSpan, WallTime};

/// One fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// What must be read before it, where that is another than for the fragment before.
    pub initialization: Option<Vec<u8>>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How long its pictures are, or its sound where there are none.
    pub length: MediaSpan,
    /// The part in which it began, from 1.
    pub part: u64,
    /// It begins with a key frame.
    pub key: bool,
}

/// Makes fragments of parts.
#[derive(Debug)]
pub struct Fragments {
    tracks: Tracks,
    /// Samples of the fragment under way, by track.
    open: Vec<VecDeque<Timed>>,
    /// The entries that the last initialization has, by track.
    described: Vec<Option<usize>>,
    created: Option<WallTime>,
    sequence: u32,
    /// The earliest decoding time, in ticks: what is zero.
    zero: Option<i64>,
}

impl Fragments {
    /// For a recording that began at that date.
    pub fn new(created: Option<WallTime>) -> Self {
        Self {
            tracks: Tracks::default(),
            open: Vec::new(),
            described: Vec::new(),
            created,
            sequence: 0,
            zero: None,
        }
    }

    /// Takes the next part. Gives the fragments that are whole with it.
    ///
    /// # Errors
    /// Why it cannot be MP4.
    pub fn part(&mut self, part: Part) -> Result<Vec<Fragment>, Mp4Error> {
        self.tracks.part(part)?;
        self.whole()
    }

    /// Gives the last ones, and what people should know.
    ///
    /// # Errors
    /// As [`part`](Self::part).
    pub fn finish(mut self) -> Result<(Vec<Fragment>, Vec<String>), Mp4Error> {
        let notes = self.tracks.finish()?;
        let mut whole = self.whole()?;
        whole.extend(self.fragment(i64::MAX)?);
        Ok((whole, notes))
    }

    /// The fragments whose end is known.
    fn whole(&mut self) -> Result<Vec<Fragment>, Mp4Error> {
        self.gather();
        let mut whole = Vec::new();
        while let Some(at) = self.cut() {
            whole.extend(self.fragment(at)?);
        }
        Ok(whole)
    }

    fn gather(&mut self) {
        self.open.resize_with(self.tracks.all.len(), VecDeque::new);
        self.described.resize(self.tracks.all.len(), None);
        for (track, open) in self.tracks.all.iter_mut().zip(&mut self.open) {
            open.append(&mut track.ready);
        }
        if self.zero.is_none() {
            let firsts = self.tracks.all.iter().zip(&self.open);
            self.zero = firsts.filter_map(|(track, open)| Some(track.ticks(open.front()?.sample.dts))).min();
        }
    }

    /// The track by which fragments are cut.
    fn lead(&self) -> Option<usize> {
        let with_samples = || {
            (0..self.open.len()).filter(|index| self.open.get(*index).is_some_and(|open| !open.is_empty()))
        };
        let is_video = |index: &usize| self.tracks.all.get(*index).is_some_and(Track::is_video);
        with_samples().find(is_video).or_else(|| with_samples().next())
    }

    /// Where the fragment under way ends, in ticks, if that is known: behind the begin of the track that tells it.
    fn cut(&self) -> Option<i64> {
        let lead = self.lead()?;
        let boundary = |index: usize| {
            let (track, open) = self.tracks.all.get(index).zip(self.open.get(index))?;
            let first = &open.front()?.sample;
            let is_end = |sample: &Sample| {
                sample.entry != first.entry || index == lead && sample.key && sample.part > first.part
            };
            let begin = track.ticks(first.dts);
            let ends = open.iter().filter(|timed| is_end(&timed.sample));
            ends.map(|timed| track.ticks(timed.sample.dts)).find(|end| *end > begin)
        };
        (0..self.open.len()).filter_map(boundary).min()
    }

    /// What comes before a time, as a fragment; `None` where nothing does.
    fn fragment(&mut self, end: i64) -> Result<Option<Fragment>, Mp4Error> {
        let Some(lead) = self.lead() else { return Ok(None) };
        let zero = self.zero.unwrap_or(0);
        let mut runs: Vec<(usize, Vec<Timed>)> = Vec::new();
        for (index, (track, open)) in self.tracks.all.iter().zip(&mut self.open).enumerate() {
            let count = open.iter().take_while(|timed| track.ticks(timed.sample.dts) < end).count();
            if count > 0 {
                runs.push((index, open.drain(..count).collect()));
            }
        }
        // The lead may have nothing before that time.
        let leading = runs.iter().find(|(index, _)| *index == lead).or(runs.first());
        let Some((leading, run)) = leading else { return Ok(None) };
        let (Some(track), Some(first)) = (self.tracks.all.get(*leading), run.first()) else {
            return Ok(None);
        };
        let (key, part) = (first.sample.key, first.sample.part);
        let length = track.ticks(run.iter().map(|timed| i64::from(timed.duration)).sum());
        let length = MediaSpan::from_ticks(length);
        let initialization = self.initialization(&runs)?;
        self.sequence += 1;
        Ok(Some(Fragment { initialization, bytes: self.bytes(&runs, zero)?, length, part, key }))
    }

    /// The initialization, where a stream is described by another entry than before.
    fn initialization(&mut self, runs: &[(usize, Vec<Timed>)]) -> Result<Option<Vec<u8>>, Mp4Error> {
        let mut changed = false;
        for (index, run) in runs {
            let entry = run.first().map(|timed| timed.sample.entry);
            if let Some(known) = self.described.get_mut(*index).filter(|known| **known != entry) {
                *known = entry;
                changed = true;
            }
        }
        if !changed {
            return Ok(None);
        }
        let created = file_time(self.created);
        let known = self.tracks.all.iter().zip(&self.described).enumerate();
        let described: Vec<(u32, &Track, SampleEntry)> = known
            .filter_map(|(index, (track, entry))| {
                Some((id(index), track, track.entries().get((*entry)?)?.clone()))
            })
            .collect();
        let trex_boxes = described.iter().map(|(id, ..)| TrexBox {
            track_id: *id,
            default_sample_description_index: 1,
            default_sample_duration: 0,
            default_sample_size: 0,
            default_sample_flags: SampleFlags::new(0),
        });
        let fragments =
            MvexBox { mehd_box: None, trex_boxes: trex_boxes.collect(), unknown_boxes: Vec::new() };
        let tracks: Vec<TrakBox> = described
            .into_iter()
            .map(|(id, track, entry)| {
                // Those of fragments stand in the fragments.
                let samples = Tables::default().boxes(&[entry]);
                TrackBox { id, track, created, shown_for: 0, length: 0, edits: None, samples }.into()
            })
            .collect();
        let kind = FtypBox {
            major_brand: Brand::ISO6,
            minor_version: 0,
            compatible_brands: vec![Brand::ISO6, Brand::MP41],
        };
        let mut bytes = kind.encode_to_vec()?;
        bytes.extend(movie(created, 0, tracks, Some(fragments)).encode_to_vec()?);
        Ok(Some(bytes))
    }

    fn bytes(&self, runs: &[(usize, Vec<Timed>)], zero: i64) -> Result<Vec<u8>, Mp4Error> {
        let mut traf_boxes: Vec<TrafBox> =
            runs.iter().filter_map(|(index, run)| self.track_run(*index, run, zero)).collect();
        let sizes: Vec<u64> = runs
            .iter()
            .map(|(_, run)| run.iter().map(|timed| timed.sample.data.len() as u64).sum())
            .collect();
        let media = BoxSize::with_payload_size(BoxType::Normal(*b"mdat"), sizes.iter().sum());
        let media = header(*b"mdat", media)?;
        let mfhd_box = MfhdBox { sequence_number: self.sequence };
        let head = |traf_boxes: Vec<TrafBox>| {
            MoofBox { mfhd_box: mfhd_box.clone(), traf_boxes, unknown_boxes: Vec::new() }.encode_to_vec()
        };
        // An offset's own length does not depend on it.
        let mut at = head(traf_boxes.clone())?.len() as u64 + media.len() as u64;
        for (traf, size) in traf_boxes.iter_mut().zip(&sizes) {
            let offset =
                i32::try_from(at).map_err(|_| Mp4Error::Boxes("a fragment of more than 2 GiB".to_owned()))?;
            traf.trun_boxes.iter_mut().for_each(|run| run.data_offset = Some(offset));
            at += size;
        }
        let mut bytes = head(traf_boxes)?;
        bytes.reserve(usize::try_from(at).unwrap_or(0).saturating_sub(bytes.len()));
        bytes.extend(media);
        runs.iter().flat_map(|(_, run)| run).for_each(|timed| bytes.extend_from_slice(&timed.sample.data));
        Ok(bytes)
    }

    fn track_run(&self, index: usize, run: &[Timed], zero: i64) -> Option<TrafBox> {
        let track = self.tracks.all.get(index)?;
        let begin = run.first()?.sample.dts - scaled(zero, track.timescale());
        let samples = run.iter().map(|Timed { sample, duration }| TrunSample {
            duration: Some(*duration),
            size: u32::try_from(sample.data.len()).ok(),
            flags: Some(flags(sample.key)),
            composition_time_offset: track.is_video().then_some(sample.shown_after),
        });
        let run = TrunBox { data_offset: Some(0), first_sample_flags: None, samples: samples.collect() };
        Some(TrafBox {
            tfhd_box: TfhdBox {
                track_id: id(index),
                base_data_offset: None,
                sample_description_index: None,
                default_sample_duration: None,
                default_sample_size: None,
                default_sample_flags: None,
                duration_is_empty: false,
                default_base_is_moof: true,
            },
            tfdt_box: Some(TfdtBox { version: 1, base_media_decode_time: u64::try_from(begin).unwrap_or(0) }),
            trun_boxes: vec![run],
            unknown_boxes: Vec::new(),
        })
    }
}

fn id(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

/// Depends on others or not, and is a place to begin or not.
fn flags(key: bool) -> SampleFlags {
    SampleFlags::from_fields(0, if key { 2 } else { 1 }, 0, 0, 0, !key, 0)
}
