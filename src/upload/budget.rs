//! How many bytes may be spent on saying what was recorded: pure.
//!
//! A playlist is rewritten as a whole, so publishing it with each segment costs bytes that grow with the
//! square of the recording's length. Playlists and control objects together are to stay under 1 % of the
//! media. What is published freely gets half of that, because late in a long recording the publications
//! that cannot wait any longer (one in ten minutes) take the other half: a day of 15 s segments makes a
//! playlist of 1 MB. An allowance keeps short and slow recordings prompt: it pays for the first hundred
//! publications whatever the bit rate.

/// Free for every recording, in bytes.
const ALLOWANCE: u64 = 1 << 20;
/// One byte may be spent for so many of media.
const MEDIA_FOR_ONE: u64 = 200;

/// The account of a recording.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget {
    media: u64,
    spent: u64,
}

impl Budget {
    /// So many bytes of media were committed.
    pub fn earn(&mut self, media: u64) {
        self.media += media;
    }

    /// So many bytes were sent that are not media.
    pub fn spend(&mut self, bytes: u64) {
        self.spent += bytes;
    }

    /// Whether so many more may be sent freely.
    pub fn allows(&self, bytes: u64) -> bool {
        self.spent + bytes <= ALLOWANCE + self.media / MEDIA_FOR_ONE
    }
}
