//! Splits a WebM stream into segments.
//!
//! Bytes go in, in chunks of any size; the blocks and what describes them go to an [`Assembler`], whose segments come out.

use bytes::Bytes;

use super::assembler::Assembler;
use super::block::Block;
use super::ebml::ticks;
use super::notes::WebmNotes;
use super::tracks::{Refused, Tracks, scale};
use super::walker::{Found, Walker};
use crate::media::{Cutter, Split};

/// The splitter's state.
#[derive(Debug)]
pub(crate) struct WebmSplitter {
    walker: Walker,
    assembler: Assembler,
    /// The codec that has no place here.
    unfit: Option<String>,
    /// A file has begun.
    begun: bool,
}

impl WebmSplitter {
    /// A splitter at the begin of a stream.
    pub fn new() -> Self {
        Self { walker: Walker::default(), assembler: Assembler::new(), unfit: None, begun: false }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, chunk: &Bytes, cutter: &mut impl Cutter) {
        let mut walker = std::mem::take(&mut self.walker);
        walker.push(chunk, &mut |_, found| self.take(found, cutter));
        self.walker = walker;
    }

    /// The next piece of output. All that a `push` decided can be pulled after it.
    pub fn pull(&mut self) -> Option<Split> {
        self.assembler.pull()
    }

    /// Ends the open segment now: the input has been silent for long, or has ended.
    pub fn interrupt(&mut self, cutter: &mut impl Cutter) {
        self.assembler.interrupt(cutter);
    }

    /// Counted oddities so far.
    pub fn notes(&self) -> WebmNotes {
        let Walker { sync_losses, skipped_bytes, .. } = self.walker;
        WebmNotes { sync_losses, skipped_bytes, ..self.assembler.notes }
    }

    /// Whether a file has begun.
    pub fn is_webm(&self) -> bool {
        self.begun
    }

    /// The stream's tracks, once they were seen.
    pub fn tracks(&self) -> Option<&Tracks> {
        self.assembler.tracks()
    }

    /// The codec of a track that WebM does not hold: nothing more is taken then.
    pub fn unfit(&self) -> Option<&str> {
        self.unfit.as_deref()
    }

    fn take(&mut self, found: Found, cutter: &mut impl Cutter) {
        if self.unfit.is_some() {
            return;
        }
        match found {
            Found::File => {
                self.begun = true;
                self.assembler.file();
            }
            Found::Info(info) => self.assembler.set_scale(scale(&info)),
            Found::Tracks(element) => match Tracks::read(&element) {
                Ok(tracks) => self.assembler.adopt(tracks, None),
                // Others may follow.
                Err(Refused::Unreadable) => {}
                Err(Refused::Codec(codec)) => self.unfit = Some(codec),
            },
            Found::Cluster => self.assembler.cluster(),
            Found::Timestamp(content) => self.assembler.set_cluster_time(ticks(&content)),
            Found::Block(element) => self.assembler.take(Block::read(&element), cutter),
            Found::Segment | Found::Index(_) | Found::Other => {}
        }
    }
}
