//! What can be wrong with a WebM file, and how bad that is for those who play it.

use std::fmt;

use crate::severity::{self, kinds};

kinds! {
    /// A kind of fault. Sections are those of RFC 9559.
    WebmFaultKind:

    /// No file begins in it: the bytes are something else.
    NotWebm = "webm-none", Error;
    /// Bytes that belong to no element, or the order of elements was lost.
    Garbage = "webm-garbage", Error;
    /// Nothing tells of its tracks, or it cannot be read (5.1.4).
    NoTracks = "webm-tracks-missing", Error;
    /// It ends before its Segment or a Cluster does: the rest is missing.
    CutOff = "webm-cut-off", Error;
    /// The Segment or a Cluster is shorter than what is in it.
    Size = "webm-size", Error;
    /// The Segment or a Cluster does not tell its size: its writer was cut off, or sends live. Nobody can seek in it.
    SizeUnknown = "webm-size-unknown", Warning;
    /// A block without a legal header, or in a Cluster without a time (10).
    Block = "webm-block", Error;
    /// Blocks of a track that no entry announces.
    UnknownTrack = "webm-unknown-track", Note;
    /// An entry announces a track of which nothing comes.
    EmptyTrack = "webm-empty-track", Note;
    /// The times of a track run back.
    TimeBack = "webm-time-back", Error;
    /// Its length is another than it says (5.1.2).
    Duration = "webm-duration", Warning;
    /// It does not tell its length.
    DurationUnknown = "webm-duration-unknown", Note;
    /// There are no cues: seeking must read all of it (5.1.5).
    NoCues = "webm-cues-missing", Note;
    /// A cue leads to no key frame of its time.
    Cue = "webm-cue", Error;
    /// A place that `SeekHead` tells has another element (5.1.1).
    Seek = "webm-seek", Error;
    /// Another file begins in it.
    AnotherFile = "webm-another-file", Note;
}

/// A place where a file is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebmFault {
    /// What is wrong.
    pub kind: WebmFaultKind,
    /// The byte at which what is at fault begins.
    pub offset: u64,
    /// What stands there, for a person.
    pub message: String,
}

impl fmt::Display for WebmFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}: {}", self.offset, self.kind.code(), self.message)
    }
}

/// All of a file.
pub(super) type Faults = severity::Faults<WebmFaultKind, WebmFault>;

impl Faults {
    pub fn add(&mut self, kind: WebmFaultKind, offset: u64, message: impl fmt::Display) {
        self.count(kind, || WebmFault { kind, offset, message: message.to_string() });
    }
}
