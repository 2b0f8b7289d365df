//! One track: samples in, samples with durations out.

use std::collections::VecDeque;

use shiguredo_mp4::boxes::SampleEntry;

use super::audio::Audio;
use super::sample::Sample;
use super::video::Video;
use super::webm_video::WebmPictures;
use crate::time::TICKS_PER_SECOND;

/// A picture's timescale: that of the stamps.
const VIDEO_TIMESCALE: u32 = 90_000;

/// A sample, and how long it lasts.
#[derive(Debug)]
pub struct Timed {
    pub sample: Sample,
    pub duration: u32,
}

/// One stream of the recording.
#[derive(Debug)]
pub struct Track {
    /// Its PID, or its number.
    pub id: u64,
    /// The same for people.
    pub name: String,
    pub reader: Reader,
    /// Its duration is known once the next one comes.
    waiting: Option<Sample>,
    last_duration: u32,
    /// Samples that are ready to be written.
    pub ready: VecDeque<Timed>,
}

/// Makes samples of what the stream holds.
#[derive(Debug)]
pub enum Reader {
    Video(Video),
    WebmVideo(WebmPictures),
    Audio(Audio),
}

impl Track {
    pub fn new(id: u64, name: String, reader: Reader) -> Self {
        Self { id, name, reader, waiting: None, last_duration: 0, ready: VecDeque::new() }
    }

    pub fn is_video(&self) -> bool {
        matches!(self.reader, Reader::Video(_) | Reader::WebmVideo(_))
    }

    /// Units of its times a second.
    pub fn timescale(&self) -> u32 {
        match &self.reader {
            Reader::Video(_) | Reader::WebmVideo(_) => VIDEO_TIMESCALE,
            Reader::Audio(audio) => audio.timescale().max(1),
        }
    }

    pub fn entries(&self) -> &[SampleEntry] {
        match &self.reader {
            Reader::Video(video) => video.entries(),
            Reader::WebmVideo(video) => video.entries(),
            Reader::Audio(audio) => audio.entries(),
        }
    }

    /// A time of the track in ticks of 90 kHz.
    pub fn ticks(&self, units: i64) -> i64 {
        let ticks = i128::from(units) * i128::from(TICKS_PER_SECOND) / i128::from(self.timescale());
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }

    /// Lets a reader make samples, and gives those durations whose next one is there. The reader gets the latest sample too.
    ///
    /// # Errors
    /// What the reader gave.
    pub fn take(
        &mut self,
        read: impl FnOnce(&mut Reader, Option<&mut Sample>, &mut Vec<Sample>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut samples = Vec::new();
        read(&mut self.reader, self.waiting.as_mut(), &mut samples)?;
        for mut sample in samples {
            if let Some(before) = self.waiting.take() {
                // Times that stand still or run back are faults of the source.
                let shown = sample.dts + sample.shown_after;
                sample.dts = sample.dts.max(before.dts + 1);
                sample.shown_after = shown - sample.dts;
                let duration = u32::try_from(sample.dts - before.dts).unwrap_or(u32::MAX);
                self.last_duration = duration;
                self.ready.push_back(Timed { sample: before, duration });
            }
            self.waiting = Some(sample);
        }
        Ok(())
    }

    /// Nothing follows.
    pub fn finish(&mut self) {
        let Some(sample) = self.waiting.take() else { return };
        let usual = if self.last_duration > 0 { self.last_duration } else { self.timescale() / 30 };
        let duration = sample.length.unwrap_or(usual);
        self.ready.push_back(Timed { sample, duration });
    }

    /// What of it was left out, if anything.
    pub fn left_out(&self) -> Option<String> {
        let name = &self.name;
        let undescribed = match &self.reader {
            Reader::Video(video) => video.undescribed,
            Reader::WebmVideo(video) => video.undescribed,
            Reader::Audio(audio) => {
                let skipped = audio.skipped;
                return (skipped > 0)
                    .then(|| format!("{name}: {skipped} bytes are no frames of sound, and are left out"));
            }
        };
        (undescribed > 0).then(|| {
            format!("{name}: {undescribed} pictures before the first parameter sets are left out: nothing could decode them")
        })
    }
}
