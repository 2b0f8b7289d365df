//! Tracks: joined parts in, samples with durations out.

use std::collections::VecDeque;

use shiguredo_mp4::boxes::SampleEntry;

use super::audio::Audio;
use super::error::Mp4Error;
use super::sample::{Clock, Sample};
use super::video::Video;
use crate::export::part::Part;
use crate::export::ts::{JoinError, TsJoiner};
use crate::time::TICKS_PER_SECOND;
use crate::ts::{PesPacket, Pid, StreamKind, TsDemuxer};

/// A picture's timescale: that of its stamps.
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
    pid: Pid,
    reader: Reader,
    /// Its duration is known once the next one comes.
    waiting: Option<Sample>,
    last_duration: u32,
    /// Samples that are ready to be written.
    pub ready: VecDeque<Timed>,
}

#[derive(Debug)]
enum Reader {
    Video(Video),
    Audio(Audio),
}

/// All streams of the recording that go into the file.
#[derive(Debug, Default)]
pub struct Tracks {
    joiner: TsJoiner,
    demuxer: TsDemuxer,
    clock: Clock,
    parts: u64,
    pub all: Vec<Track>,
    /// PIDs that have no place in MP4 and are no pictures or sound.
    left_out: Vec<Pid>,
}

impl Track {
    pub fn is_video(&self) -> bool {
        matches!(self.reader, Reader::Video(_))
    }

    /// Units of its times a second.
    pub fn timescale(&self) -> u32 {
        match &self.reader {
            Reader::Video(_) => VIDEO_TIMESCALE,
            Reader::Audio(audio) => audio.timescale().max(1),
        }
    }

    pub fn entries(&self) -> &[SampleEntry] {
        match &self.reader {
            Reader::Video(video) => video.entries(),
            Reader::Audio(audio) => audio.entries(),
        }
    }

    /// A time of the track in ticks of 90 kHz.
    pub fn ticks(&self, units: i64) -> i64 {
        let ticks = i128::from(units) * i128::from(TICKS_PER_SECOND) / i128::from(self.timescale());
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }

    fn new(pes: &PesPacket<'_>) -> Option<Self> {
        let reader = match pes.kind {
            StreamKind::Video(codec) => Reader::Video(Video::of(codec?)?),
            StreamKind::Audio(codec) => Reader::Audio(Audio::of(codec?)?),
            StreamKind::Data | StreamKind::Sections => return None,
        };
        Some(Self { pid: pes.pid, reader, waiting: None, last_duration: 0, ready: VecDeque::new() })
    }

    fn take(&mut self, pes: &PesPacket<'_>, clock: &mut Clock) -> Result<(), Mp4Error> {
        let mut samples = Vec::new();
        let taken = match &mut self.reader {
            Reader::Video(video) => video.take(pes, clock, self.waiting.as_mut(), &mut samples),
            Reader::Audio(audio) => audio.take(pes, clock, &mut samples),
        };
        taken.map_err(|why| Mp4Error::Parameters { pid: self.pid, why })?;
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
    fn finish(&mut self) {
        let Some(sample) = self.waiting.take() else { return };
        let usual = if self.last_duration > 0 { self.last_duration } else { self.timescale() / 30 };
        let duration = sample.length.unwrap_or(usual);
        self.ready.push_back(Timed { sample, duration });
    }
}

impl Tracks {
    /// Takes the next part: what is whole with it is ready.
    ///
    /// # Errors
    /// Why it cannot be MP4.
    pub fn part(&mut self, part: Part) -> Result<(), Mp4Error> {
        let Self { joiner, demuxer, clock, parts, all, left_out } = self;
        *parts += 1;
        let mut failed = None;
        let joined = joiner.part(part, |piece| {
            demuxer.push(piece, *parts, &mut |pes| {
                if failed.is_none() {
                    failed = hand_on(&pes, all, left_out, clock).err();
                }
            });
            failed.take().map_or(Ok(()), Err)
        });
        match joined {
            Ok(_) => Ok(()),
            Err(JoinError::NoStream) => Err(Mp4Error::NoStream),
            Err(JoinError::Write(error)) => Err(error),
        }
    }

    /// Makes the last samples ready. Gives what people should know.
    ///
    /// # Errors
    /// As [`part`](Self::part); `Nothing` where there is no track.
    pub fn finish(&mut self) -> Result<Vec<String>, Mp4Error> {
        let Self { demuxer, clock, all, left_out, .. } = self;
        let mut failed = None;
        let dropped = std::mem::take(demuxer).finish(&mut |pes| {
            if failed.is_none() {
                failed = hand_on(&pes, all, left_out, clock).err();
            }
        });
        failed.map_or(Ok(()), Err)?;
        all.iter_mut().for_each(Track::finish);
        if all.iter().all(|track| track.entries().is_empty()) {
            return Err(Mp4Error::Nothing);
        }
        let mut notes = Vec::new();
        if dropped > 0 {
            notes.push(format!("{dropped} PES packets could not be read, and are left out"));
        }
        for track in all.iter() {
            let pid = track.pid;
            match &track.reader {
                Reader::Video(video) if video.undescribed > 0 => notes.push(format!(
                    "PID {pid}: {} pictures before the first parameter sets are left out: nothing could decode them",
                    video.undescribed
                )),
                Reader::Audio(audio) if audio.skipped > 0 => {
                    notes.push(format!("PID {pid}: {} bytes are no frames of sound, and are left out", audio.skipped));
                }
                Reader::Video(_) | Reader::Audio(_) => {}
            }
        }
        notes.extend(
            left_out.iter().map(|pid| format!("PID {pid} is data that MP4 has no place for; it is left out")),
        );
        Ok(notes)
    }
}

/// Hands a PES packet to its track, which is made for the first.
fn hand_on(
    pes: &PesPacket<'_>,
    all: &mut Vec<Track>,
    left_out: &mut Vec<Pid>,
    clock: &mut Clock,
) -> Result<(), Mp4Error> {
    if let Some(track) = all.iter_mut().find(|track| track.pid == pes.pid) {
        return track.take(pes, clock);
    }
    let name = match pes.kind {
        StreamKind::Data | StreamKind::Sections => {
            if !left_out.contains(&pes.pid) {
                left_out.push(pes.pid);
            }
            return Ok(());
        }
        StreamKind::Video(codec) => {
            codec.map_or("video of another codec".to_owned(), |codec| codec.to_string())
        }
        StreamKind::Audio(codec) => {
            codec.map_or("sound of another codec".to_owned(), |codec| codec.to_string())
        }
    };
    let mut track = Track::new(pes).ok_or(Mp4Error::Codec { pid: pes.pid, name })?;
    track.take(pes, clock)?;
    all.push(track);
    Ok(())
}
