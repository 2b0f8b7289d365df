//! The text of an output's playlist while it is recorded: it grows in the spool, and memory holds the state
//! of its hash.

use std::sync::Arc;

use bytes::Bytes;

use crate::checksum::{RunningSha256, Sha256};
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::naming::ObjectName;
use crate::playlist::{Entry, Header, RenderError, Renderer};
use crate::spool::{SpoolFile, SpoolFolder};

/// The growing text.
pub(super) struct PlaylistText {
    renderer: Renderer,
    file: Arc<SpoolFile>,
    hash: RunningSha256,
    len: u64,
    /// Length with the first entry, whose name nobody else's playlist begins with; 0 before that.
    least: u64,
}

impl PlaylistText {
    /// The text without an entry.
    ///
    /// # Errors
    /// `Conflict` where another output has that playlist.
    pub fn create(
        folder: &SpoolFolder,
        playlist: &ObjectName,
        header: &Header,
        clock: SharedClock,
    ) -> Result<Self> {
        let file = SpoolFile::create(folder, &playlist.to_string(), None, clock);
        let taken = || Error::new(ErrorKind::Conflict, format!("{playlist} is in the spool already"));
        let file = Arc::new(file.ok_or_else(taken)?);
        let mut text =
            Self { renderer: Renderer::new(header), file, hash: RunningSha256::default(), len: 0, least: 0 };
        text.write();
        Ok(text)
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// Where the entry does not fit the playlist.
    pub fn append(&mut self, entry: &Entry) -> Result<(), RenderError> {
        self.renderer.append(entry)?;
        self.write();
        if self.least == 0 {
            self.least = self.len;
        }
        Ok(())
    }

    fn write(&mut self) {
        let piece = self.renderer.take();
        self.len += piece.len() as u64;
        self.hash.update(piece.as_bytes());
        self.file.append(Bytes::from(piece));
    }

    /// Hash of the text so far.
    pub fn hash(&self) -> Sha256 {
        self.hash.current()
    }

    /// Length of the text so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// No text of ours in the store is shorter.
    pub fn least(&self) -> u64 {
        self.least
    }

    /// Where the text is.
    pub fn file(&self) -> &Arc<SpoolFile> {
        &self.file
    }

    /// What ends a playlist.
    pub fn end(&self) -> Bytes {
        let mut renderer = self.renderer.clone();
        renderer.end();
        Bytes::from(renderer.take())
    }
}
