//! WebM as the source of samples.

use super::audio::Audio;
use super::error::Mp4Error;
use super::track::{Reader, Track};
use super::webm_video::WebmPictures;
use crate::export::part::Part;
use crate::media::{OpusHead, WebmAudio};
use crate::webm::{JoinedFile, JoinedFrame, TrackMedia, WebmFrames, WebmJoinError};

/// Files on one clock.
#[derive(Debug, Default)]
pub struct WebmFiles {
    frames: WebmFrames,
    /// Tracks that have no place in MP4 and are no pictures or sound.
    left_out: Vec<u64>,
}

impl WebmFiles {
    /// Takes the next part.
    ///
    /// # Errors
    /// Why it cannot be MP4.
    pub fn part(&mut self, part: &Part, number: u64, all: &mut Vec<Track>) -> Result<(), Mp4Error> {
        let Self { frames, left_out } = self;
        let Part { bytes, continues, gap, length, .. } = part;
        let file = JoinedFile { bytes, continues: *continues, gap: *gap, length: *length };
        let joined = frames.file(&file, &mut |frame| hand_on(frame, number, all, left_out));
        joined.map_err(|error| match error {
            WebmJoinError::NoBlocks => Mp4Error::NoFile,
            WebmJoinError::OtherTracks => Mp4Error::OtherTracks,
            WebmJoinError::Write(error) => error,
        })
    }

    /// The names of those with data.
    pub fn left_out(&self) -> Vec<String> {
        self.left_out.iter().copied().map(name).collect()
    }
}

/// Hands a frame to its track, which is made for the first.
fn hand_on(
    frame: &JoinedFrame<'_>,
    part: u64,
    all: &mut Vec<Track>,
    left_out: &mut Vec<u64>,
) -> Result<(), Mp4Error> {
    let track = match all.iter().position(|track| track.id == frame.track) {
        Some(known) => all.get_mut(known),
        None if frame.media == TrackMedia::Data => {
            if !left_out.contains(&frame.track) {
                left_out.push(frame.track);
            }
            return Ok(());
        }
        None => {
            all.push(Track::new(frame.track, name(frame.track), reader(frame)?));
            all.last_mut()
        }
    };
    let Some(track) = track else { return Ok(()) };
    let ticks = frame.time.map(|time| time.ticks());
    let taken = track.take(|reader, before, out| match reader {
        Reader::WebmVideo(video) => {
            let follows = before.map_or(0, |before| before.dts + 1);
            out.extend(video.take(frame, ticks.unwrap_or(follows), part)?);
            Ok(())
        }
        Reader::Audio(audio) => audio.take(ticks, frame.data, part, out),
        Reader::Video(_) => Ok(()),
    });
    taken.map_err(|why| Mp4Error::Parameters { stream: name(frame.track), why })
}

fn name(track: u64) -> String {
    format!("track {track}")
}

fn reader(frame: &JoinedFrame<'_>) -> Result<Reader, Mp4Error> {
    let codec = |codec: String| Mp4Error::Codec { stream: name(frame.track), codec };
    if frame.encoded {
        return Err(codec("compressed or encrypted by its container".to_owned()));
    }
    match frame.media {
        TrackMedia::Video(video) => {
            let pictures = WebmPictures::of(video, frame.record().map(Vec::from));
            pictures.map(Reader::WebmVideo).ok_or_else(|| codec(video.to_string()))
        }
        TrackMedia::Audio(WebmAudio::Opus) => {
            let head = frame.record().and_then(|record| OpusHead::parse(&record));
            Ok(Reader::Audio(Audio::of_packets(head.unwrap_or_else(OpusHead::usual))))
        }
        TrackMedia::Audio(audio) => Err(codec(audio.to_string())),
        TrackMedia::Data => Err(codec("data".to_owned())),
    }
}
