//! Makes WebM segments of encoded frames.
//!
//! Frames go in, in any order that an [`Interleaver`] can mend; each becomes a SimpleBlock, and an [`Assembler`] makes segments
//! of the blocks as it does of those that come in a stream. A Cluster begins with each key frame of the lead, and after
//! [`CLUSTER_LENGTH`]. The pictures' size, their colours, and AV1's configuration where it was not given, are taken from the first key frame that
//! tells them.

use bytes::{BufMut, Bytes, BytesMut};

use super::assembler::Assembler;
use super::block::Block;
use super::ebml::{id, put_header};
use super::entries::{Learned, SIZE_UNKNOWN, describe};
use crate::media::{
    CodecIn, Container, Cutter, Frame, FrameNotes, Interleaver, RandomAccess, Split, Timed, Track,
    TrackCodec, TrackError, WebmVideo, av1_record, av1_without_delimiter,
};
use crate::time::{MediaSpan, MediaTime};

/// A Cluster has blocks of no more than this.
const CLUSTER_LENGTH: MediaSpan = MediaSpan::from_millis(4900);
/// Blocks may be so much older than their Cluster.
const BEFORE_CLUSTER: MediaSpan = MediaSpan::from_secs(1);
/// No header of an element is longer.
const HEADER: usize = 12;
/// `keyframe` of a SimpleBlock.
const KEY: u8 = 0x80;

/// The muxer's state. The head of this file says how it works.
#[derive(Debug)]
pub(crate) struct WebmMuxer {
    interleaver: Interleaver,
    tracks: Vec<Track>,
    /// What key frames told of their tracks.
    learned: Vec<Learned>,
    lead: usize,
    assembler: Assembler,
    /// The Cluster's time.
    cluster: Option<MediaTime>,
    buffer: BytesMut,
}

impl WebmMuxer {
    /// A muxer of these tracks.
    ///
    /// # Errors
    /// Why they have no place in WebM.
    pub fn new(tracks: &[Track]) -> Result<Self, TrackError> {
        let lead = Track::lead(tracks, Container::WebM)?;
        let learned = vec![Learned::default(); tracks.len()];
        let mut assembler = Assembler::new();
        assembler.adopt(describe(tracks, &learned)?, Some(SIZE_UNKNOWN));
        Ok(Self {
            interleaver: Interleaver::new(tracks.len(), lead),
            tracks: tracks.to_vec(),
            learned,
            lead,
            assembler,
            cluster: None,
            buffer: BytesMut::new(),
        })
    }

    /// How many tracks there are.
    pub fn tracks(&self) -> usize {
        self.interleaver.tracks()
    }

    /// Takes a frame of one of the tracks.
    pub fn push(&mut self, frame: Frame, cutter: &mut impl Cutter) {
        self.interleaver.push(frame);
        self.place_all(cutter);
    }

    /// The next piece of output. All that a `push` decided can be pulled after it.
    pub fn pull(&mut self) -> Option<Split> {
        self.assembler.pull()
    }

    /// Ends the open segment with all that waits: the input has been silent for long, or has ended.
    pub fn interrupt(&mut self, cutter: &mut impl Cutter) {
        self.interleaver.release();
        self.place_all(cutter);
        self.assembler.interrupt(cutter);
    }

    /// Counted oddities so far.
    pub fn notes(&self) -> FrameNotes {
        let blocks = self.assembler.notes;
        FrameNotes { frames_before_start: blocks.blocks_before_start, ..self.interleaver.notes }
    }

    fn place_all(&mut self, cutter: &mut impl Cutter) {
        while let Some(timed) = self.interleaver.pull() {
            self.place(&timed, cutter);
        }
    }

    fn place(&mut self, timed: &Timed, cutter: &mut impl Cutter) {
        let Some(track) = self.tracks.get(timed.track) else { return };
        let is_av1 = track.codec == TrackCodec::Av1;
        let data = if is_av1 { av1_without_delimiter(&timed.data) } else { &timed.data };
        let video = match track.codec.in_webm() {
            Some(CodecIn::Video(codec)) => Some(codec),
            _ => None,
        };
        let facts = video.and_then(|codec| codec.facts(data));
        let key = !track.codec.is_video()
            || facts.map_or(timed.key, |facts| facts.random_access == RandomAccess::Key);
        let is_lead = timed.track == self.lead;
        if let Some(codec) = video.filter(|_| key) {
            self.learn(timed.track, codec, data);
        }
        if is_lead && timed.restarts {
            self.assembler.restart();
        }
        let begins = is_lead && key && facts.is_some();
        let ticks = i16::try_from(millis(timed.pts) - self.cluster_time(timed.pts, begins)).unwrap_or(0);
        let element = self.block(timed.track, ticks, key, data);
        self.assembler.take(Block::read(&element), cutter);
    }

    /// Takes from a key frame what is not known yet.
    fn learn(&mut self, track: usize, codec: WebmVideo, data: &[u8]) {
        let Some(learned) = self.learned.get_mut(track) else { return };
        let before = learned.clone();
        if codec == WebmVideo::Av1 && learned.private.is_none() {
            learned.private = av1_record(data).map(Bytes::from);
        }
        learned.colour = learned.colour.or_else(|| codec.colour(data));
        if *learned != before
            && let Ok(tracks) = describe(&self.tracks, &self.learned)
        {
            self.assembler.adopt(tracks, Some(SIZE_UNKNOWN));
        }
    }

    /// The time of the Cluster that a frame goes into, in milliseconds.
    fn cluster_time(&mut self, at: MediaTime, begins: bool) -> i64 {
        let fits = |cluster: &MediaTime| {
            let after = at - *cluster;
            !begins && after >= -BEFORE_CLUSTER && after <= CLUSTER_LENGTH
        };
        let open = self.cluster.filter(fits);
        let cluster = open.unwrap_or(at);
        if open.is_none() {
            self.cluster = Some(at);
            self.assembler.cluster();
            self.assembler.set_cluster_time(Some(millis(at)));
        }
        millis(cluster)
    }

    fn block(&mut self, track: usize, ticks: i16, key: bool, data: &[u8]) -> Bytes {
        // Track numbers of one byte: there are few.
        let number = 0x81 + track as u8;
        let content = 4 + data.len();
        self.buffer.reserve(HEADER + content);
        put_header(&mut self.buffer, id::SIMPLE_BLOCK, content);
        self.buffer.put_u8(number);
        self.buffer.put_i16(ticks);
        self.buffer.put_u8(if key { KEY } else { 0 });
        self.buffer.put_slice(data);
        self.buffer.split().freeze()
    }
}

/// Of a tick's length that WebM usually has: to the nearest.
fn millis(time: MediaTime) -> i64 {
    (time - MediaTime::default()).millis()
}
