//! Transport streams as the source of samples.

use super::audio::Audio;
use super::error::Mp4Error;
use super::sample::Clock;
use super::track::{Reader, Track};
use super::video::Video;
use crate::export::part::Part;
use crate::export::ts::{JoinError, TsJoiner};
use crate::ts::{PesPacket, Pid, StreamKind, TsDemuxer};

/// The joined stream, and its demultiplexer.
#[derive(Debug, Default)]
pub struct TransportStreams {
    joiner: TsJoiner,
    demuxer: TsDemuxer,
    sorter: Sorter,
}

/// Hands PES packets to their tracks.
#[derive(Debug, Default)]
struct Sorter {
    clock: Clock,
    /// PIDs that have no place in MP4 and are no pictures or sound.
    left_out: Vec<Pid>,
    failed: Option<Mp4Error>,
}

impl TransportStreams {
    /// Takes the next part.
    ///
    /// # Errors
    /// Why it cannot be MP4.
    pub fn part(&mut self, part: Part, number: u64, all: &mut Vec<Track>) -> Result<(), Mp4Error> {
        let Self { joiner, demuxer, sorter } = self;
        let joined = joiner.part(part, |piece| {
            demuxer.push(piece, number, &mut |pes| sorter.take(&pes, all));
            sorter.failed.take().map_or(Ok(()), Err)
        });
        match joined {
            Ok(_) => Ok(()),
            Err(JoinError::NoStream) => Err(Mp4Error::NoStream),
            Err(JoinError::Write(error)) => Err(error),
        }
    }

    /// Takes what is left. Gives what people should know.
    ///
    /// # Errors
    /// As [`part`](Self::part).
    pub fn finish(&mut self, all: &mut Vec<Track>) -> Result<Vec<String>, Mp4Error> {
        let Self { demuxer, sorter, .. } = self;
        let dropped = std::mem::take(demuxer).finish(&mut |pes| sorter.take(&pes, all));
        sorter.failed.take().map_or(Ok(()), Err)?;
        let note = || format!("{dropped} PES packets could not be read, and are left out");
        Ok((dropped > 0).then(note).into_iter().collect())
    }

    /// The names of those with data.
    pub fn left_out(&self) -> Vec<String> {
        self.sorter.left_out.iter().copied().map(name).collect()
    }
}

impl Sorter {
    fn take(&mut self, pes: &PesPacket<'_>, all: &mut Vec<Track>) {
        if self.failed.is_none() {
            self.failed = self.hand_on(pes, all).err();
        }
    }

    /// Hands a PES packet to its track, which is made for the first.
    fn hand_on(&mut self, pes: &PesPacket<'_>, all: &mut Vec<Track>) -> Result<(), Mp4Error> {
        let id = u64::from(pes.pid.get());
        let track = match all.iter().position(|track| track.id == id) {
            Some(known) => all.get_mut(known),
            None => {
                let (codec, reader) = match pes.kind {
                    StreamKind::Data | StreamKind::Sections => {
                        if !self.left_out.contains(&pes.pid) {
                            self.left_out.push(pes.pid);
                        }
                        return Ok(());
                    }
                    StreamKind::Video(codec) => (
                        codec.map_or("video of another codec".to_owned(), |codec| codec.to_string()),
                        codec.and_then(Video::of).map(Reader::Video),
                    ),
                    StreamKind::Audio(codec) => (
                        codec.map_or("sound of another codec".to_owned(), |codec| codec.to_string()),
                        codec.and_then(Audio::of).map(Reader::Audio),
                    ),
                };
                let reader = reader.ok_or_else(|| Mp4Error::Codec { stream: name(pes.pid), codec })?;
                all.push(Track::new(id, name(pes.pid), reader));
                all.last_mut()
            }
        };
        let Some(track) = track else { return Ok(()) };
        let (clock, part) = (&mut self.clock, pes.part);
        let taken = track.take(|reader, before, out| match reader {
            Reader::Video(video) => video.take(pes, clock, before, out),
            Reader::Audio(audio) => {
                audio.take(pes.header.pts.map(|pts| clock.ticks(pts)), pes.data, part, out)
            }
            Reader::WebmVideo(_) => Ok(()),
        });
        taken.map_err(|why| Mp4Error::Parameters { stream: name(pes.pid), why })
    }
}

fn name(pid: Pid) -> String {
    format!("PID {pid}")
}
