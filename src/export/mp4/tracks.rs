//! All tracks of a recording: parts in, of either container; samples out, by track.

use super::error::Mp4Error;
use super::from_transport::TransportStreams;
use super::from_webm::WebmFiles;
use super::track::Track;
use crate::export::part::Part;
use crate::media::Container;

/// All streams of the recording that go into the file.
#[derive(Debug, Default)]
pub struct Tracks {
    source: Option<Source>,
    parts: u64,
    pub all: Vec<Track>,
}

#[derive(Debug)]
enum Source {
    Transport(Box<TransportStreams>),
    WebM(WebmFiles),
}

impl Tracks {
    /// Takes the next part: what is whole with it is ready.
    ///
    /// # Errors
    /// Why it cannot be MP4.
    pub fn part(&mut self, part: Part) -> Result<(), Mp4Error> {
        self.parts += 1;
        // The first decides; a source refuses what is of the other container.
        let source = self.source.get_or_insert_with(|| match Container::of_stream(&part.bytes) {
            Container::MpegTs => Source::Transport(Box::default()),
            Container::WebM => Source::WebM(WebmFiles::default()),
        });
        match source {
            Source::Transport(source) => source.part(part, self.parts, &mut self.all),
            Source::WebM(source) => source.part(&part, self.parts, &mut self.all),
        }
    }

    /// Makes the last samples ready. Gives what people should know.
    ///
    /// # Errors
    /// As [`part`](Self::part); `Nothing` where there is no track.
    pub fn finish(&mut self) -> Result<Vec<String>, Mp4Error> {
        let all = &mut self.all;
        let mut notes = match &mut self.source {
            Some(Source::Transport(source)) => source.finish(all)?,
            Some(Source::WebM(_)) | None => Vec::new(),
        };
        all.iter_mut().for_each(Track::finish);
        if all.iter().all(|track| track.entries().is_empty()) {
            return Err(Mp4Error::Nothing);
        }
        notes.extend(all.iter().filter_map(Track::left_out));
        let left_out = match &self.source {
            Some(Source::Transport(source)) => source.left_out(),
            Some(Source::WebM(source)) => source.left_out(),
            None => Vec::new(),
        };
        let data = |name| format!("{name} is data that MP4 has no place for; it is left out");
        notes.extend(left_out.into_iter().map(data));
        Ok(notes)
    }
}
