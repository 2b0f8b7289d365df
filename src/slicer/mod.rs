//! Slicing: a stream goes in, segments come out.
//!
//! [`Slicer`] takes the bytes of a container in chunks of any size ([`push`](Slicer::push)), or encoded frames
//! ([`push_frame`](Slicer::push_frame)), and gives back [`Action`]s ([`pull`](Slicer::pull)). It does no I/O and knows no
//! clock: when media arrived is told to it. The container's reader or muxer finds the units and obeys; `plan` decides.

mod extent;
mod facts;
mod notes;
mod plan;
mod rules;
mod timeline;

use std::fmt;

use bytes::Bytes;

use crate::media::{Container, Frame, Patch, Split, Track, TrackError};
use crate::time::WallTime;
use crate::ts::{Splitter, SplitterOptions, TsMuxer};
use crate::webm::{WebmMuxer, WebmSplitter};
pub use extent::Extent;
pub use facts::{CutReason, Holds, OpenedSegment, SealedSegment};
pub use notes::Notes;
use plan::{Border, Plan};
pub use rules::SlicingRules;

/// What the caller has to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Begin a segment.
    Open(OpenedSegment),
    /// Append to the open segment.
    Bytes(Bytes),
    /// Replace bytes of the open segment. No more are appended to it.
    Patch(Patch),
    /// The open segment is complete.
    Sealed(SealedSegment),
}

/// How to slice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlicerOptions {
    /// What comes in, and what the segments are.
    pub container: Container,
    /// When to cut.
    pub rules: SlicingRules,
    /// The date of the first frame, where the input's chunks bear no time of arrival.
    pub start: WallTime,
    /// MPEG-TS: the program to record; `None` takes the first.
    pub program: Option<u16>,
    /// Ids of media clocks begin after this one.
    pub clocks_used: u32,
}

/// Why nothing can be recorded of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SliceError {
    /// There was no byte.
    Empty,
    /// No packet was found in all the bytes.
    NotTransportStream {
        /// How many bytes were searched.
        bytes: u64,
    },
    /// The program asked for is not in the stream.
    NoSuchProgram {
        /// What was asked for.
        wanted: u16,
        /// What is there.
        present: Vec<u16>,
    },
    /// No WebM file begins in all the bytes.
    NotWebm {
        /// How many bytes were searched.
        bytes: u64,
    },
    /// A WebM file, but its tracks never came.
    NoTracks,
    /// A track has a codec that WebM does not hold.
    NoPlaceInWebm {
        /// Its `CodecID`.
        codec: String,
    },
    /// No program association table or no program map came.
    NoProgramMap,
    /// The program has no stream that could be sliced.
    NoStreams,
    /// No frame came with which a recording could begin.
    NoKeyFrame,
}

impl fmt::Display for SliceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the input is empty"),
            Self::NotTransportStream { bytes } => {
                write!(f, "no MPEG-TS packets in {bytes} bytes; this is not an MPEG transport stream")
            }
            Self::NoSuchProgram { wanted, present } => {
                write!(f, "program {wanted} is not in this stream, which has {present:?}")
            }
            Self::NoProgramMap => {
                f.write_str("MPEG-TS packets but no program map (PAT and PMT); the stream was cut too short or is damaged")
            }
            Self::NotWebm { bytes } => write!(f, "no WebM file begins in {bytes} bytes"),
            Self::NoTracks => f.write_str("WebM without readable tracks; the stream was cut too short or is damaged"),
            Self::NoPlaceInWebm { codec } => {
                write!(f, "{codec} is none of the codecs of WebM: VP8, VP9, AV1, Opus, Vorbis")
            }
            Self::NoStreams => f.write_str("the stream has no audio or video"),
            Self::NoKeyFrame => f.write_str("no key frame came, so there was nowhere to begin"),
        }
    }
}

impl std::error::Error for SliceError {}

/// What makes segments of the input. The one place that tells containers apart.
#[derive(Debug)]
enum Reader {
    MpegTs(Box<Splitter>),
    WebM(Box<WebmSplitter>),
    TsFrames(Box<TsMuxer>),
    WebmFrames(Box<WebmMuxer>),
}

/// Cuts a stream into segments. See the [module](self).
#[derive(Debug)]
pub struct Slicer {
    reader: Reader,
    plan: Plan,
    wanted_program: Option<u16>,
    bytes_in: u64,
    segment_bytes: u64,
}

impl Slicer {
    /// A slicer at the begin of a stream.
    pub fn new(options: SlicerOptions) -> Self {
        let reader = match options.container {
            Container::MpegTs => {
                let splitter = Splitter::new(SplitterOptions { program: options.program });
                Reader::MpegTs(Box::new(splitter))
            }
            Container::WebM => Reader::WebM(Box::new(WebmSplitter::new())),
        };
        Self::with(reader, options)
    }

    fn with(reader: Reader, options: SlicerOptions) -> Self {
        Self {
            reader,
            plan: Plan::new(options.rules, options.start, options.clocks_used),
            wanted_program: options.program,
            bytes_in: 0,
            segment_bytes: 0,
        }
    }

    /// A slicer of encoded frames, which it makes segments of the container of. There `program` means nothing.
    ///
    /// # Errors
    /// Why the tracks have no place in the container.
    pub fn of_frames(options: SlicerOptions, tracks: &[Track]) -> Result<Self, TrackError> {
        let reader = match options.container {
            Container::MpegTs => Reader::TsFrames(Box::new(TsMuxer::new(tracks)?)),
            Container::WebM => Reader::WebmFrames(Box::new(WebmMuxer::new(tracks)?)),
        };
        Ok(Self::with(reader, options))
    }

    /// A slicer whose segments come behind those of this one, with a discontinuity between: for an output that is opened again.
    /// `tracks` are those of frames; none for bytes. The clocks' ids and the segments' numbers go on.
    ///
    /// # Errors
    /// As [`of_frames`](Self::of_frames).
    pub fn following(&self, options: SlicerOptions, tracks: &[Track]) -> Result<Self, TrackError> {
        let plan = self.plan.following(options.rules, options.start);
        let new = if tracks.is_empty() { Self::new(options) } else { Self::of_frames(options, tracks)? };
        Ok(Self { plan, ..new })
    }

    /// What the segments' files are.
    pub fn container(&self) -> Container {
        match self.reader {
            Reader::MpegTs(_) | Reader::TsFrames(_) => Container::MpegTs,
            Reader::WebM(_) | Reader::WebmFrames(_) => Container::WebM,
        }
    }

    /// How many tracks of encoded frames it has; 0 for one that takes bytes.
    pub fn tracks(&self) -> usize {
        match &self.reader {
            Reader::MpegTs(_) | Reader::WebM(_) => 0,
            Reader::TsFrames(muxer) => muxer.tracks(),
            Reader::WebmFrames(muxer) => muxer.tracks(),
        }
    }

    /// Takes the next frame of one of its tracks; `arrived` is when it came, for a live input. Does nothing where it has no
    /// such track.
    pub fn push_frame(&mut self, frame: Frame, arrived: Option<WallTime>) {
        self.bytes_in += frame.data.len() as u64;
        self.plan.arrived(arrived);
        match &mut self.reader {
            Reader::MpegTs(_) | Reader::WebM(_) => {}
            Reader::TsFrames(muxer) => muxer.push(frame, &mut self.plan),
            Reader::WebmFrames(muxer) => muxer.push(frame, &mut self.plan),
        }
    }

    /// Takes the next bytes; `arrived` is when they came, for a live input. Does nothing for a slicer of frames.
    ///
    /// # Errors
    /// When the stream turns out not to hold the program that was asked for.
    pub fn push(&mut self, chunk: &Bytes, arrived: Option<WallTime>) -> Result<(), SliceError> {
        self.bytes_in += chunk.len() as u64;
        self.plan.arrived(arrived);
        match &mut self.reader {
            Reader::MpegTs(splitter) => splitter.push(chunk, &mut self.plan),
            Reader::WebM(splitter) => splitter.push(chunk, &mut self.plan),
            Reader::TsFrames(_) | Reader::WebmFrames(_) => {}
        }
        self.check()
    }

    /// The next thing to do. All that a `push` decided can be pulled after it.
    pub fn pull(&mut self) -> Option<Action> {
        let split = match &mut self.reader {
            Reader::MpegTs(splitter) => splitter.pull()?,
            Reader::WebM(splitter) => splitter.pull()?,
            Reader::TsFrames(muxer) => muxer.pull()?,
            Reader::WebmFrames(muxer) => muxer.pull()?,
        };
        match split {
            Split::Bytes(bytes) => {
                self.segment_bytes += bytes.len() as u64;
                Some(Action::Bytes(bytes))
            }
            Split::Patch(patch) => Some(Action::Patch(patch)),
            // A mark in the bytes has its border in the plan.
            Split::Opened | Split::Sealed => match self.plan.border()? {
                Border::Opened(facts) => Some(Action::Open(facts)),
                Border::Sealed(mut facts) => {
                    facts.bytes = std::mem::take(&mut self.segment_bytes);
                    Some(Action::Sealed(facts))
                }
            },
        }
    }

    /// The input has been silent for long: ends the open segment at its last frame. Whatever comes next
    /// begins another.
    pub fn interrupt(&mut self) {
        match &mut self.reader {
            Reader::MpegTs(splitter) => splitter.interrupt(&mut self.plan),
            Reader::WebM(splitter) => splitter.interrupt(&mut self.plan),
            Reader::TsFrames(muxer) => muxer.interrupt(&mut self.plan),
            Reader::WebmFrames(muxer) => muxer.interrupt(&mut self.plan),
        }
        self.plan.interrupt();
    }

    /// The input has ended: ends the open segment.
    ///
    /// # Errors
    /// When there was nothing in all of the input that a segment could begin with, and why.
    pub fn finish(&mut self) -> Result<(), SliceError> {
        match &mut self.reader {
            Reader::MpegTs(splitter) => splitter.finish(&mut self.plan),
            Reader::WebM(splitter) => splitter.interrupt(&mut self.plan),
            Reader::TsFrames(muxer) => muxer.interrupt(&mut self.plan),
            Reader::WebmFrames(muxer) => muxer.interrupt(&mut self.plan),
        }
        self.plan.finish();
        self.check()?;
        if self.plan.segments() > 0 { Ok(()) } else { Err(self.nothing_recorded()) }
    }

    /// Counted oddities of the input so far.
    pub fn notes(&self) -> Notes {
        match &self.reader {
            Reader::MpegTs(splitter) => Notes::MpegTs(splitter.notes()),
            Reader::WebM(splitter) => Notes::WebM(splitter.notes()),
            Reader::TsFrames(muxer) => Notes::Frames(muxer.notes()),
            Reader::WebmFrames(muxer) => Notes::Frames(muxer.notes()),
        }
    }

    /// The date of the latest frame.
    pub fn now(&self) -> Option<WallTime> {
        self.plan.now()
    }

    fn check(&self) -> Result<(), SliceError> {
        match &self.reader {
            Reader::MpegTs(splitter) => {
                let present = splitter.programs();
                // Once it was found, a table that misses it is damaged or early, and no reason to give up.
                match self.wanted_program.filter(|_| splitter.pmt().is_none()) {
                    Some(wanted) if !present.is_empty() && !present.contains(&wanted) => {
                        Err(SliceError::NoSuchProgram { wanted, present: present.to_vec() })
                    }
                    _ => Ok(()),
                }
            }
            Reader::WebM(splitter) => match splitter.unfit() {
                Some(codec) => Err(SliceError::NoPlaceInWebm { codec: codec.to_owned() }),
                None => Ok(()),
            },
            Reader::TsFrames(_) | Reader::WebmFrames(_) => Ok(()),
        }
    }

    fn nothing_recorded(&self) -> SliceError {
        if self.bytes_in == 0 {
            return SliceError::Empty;
        }
        match &self.reader {
            Reader::MpegTs(splitter) if splitter.notes().packets == 0 => {
                SliceError::NotTransportStream { bytes: self.bytes_in }
            }
            Reader::MpegTs(splitter) => match splitter.pmt() {
                None => SliceError::NoProgramMap,
                Some(pmt) if pmt.streams.is_empty() => SliceError::NoStreams,
                Some(_) => SliceError::NoKeyFrame,
            },
            Reader::WebM(splitter) => match splitter.tracks() {
                None if splitter.is_webm() => SliceError::NoTracks,
                None => SliceError::NotWebm { bytes: self.bytes_in },
                Some(tracks) if tracks.lead.is_none() => SliceError::NoStreams,
                Some(_) => SliceError::NoKeyFrame,
            },
            Reader::TsFrames(_) | Reader::WebmFrames(_) => SliceError::NoKeyFrame,
        }
    }
}
