//! Makes segments of blocks, at the places that a [`Cutter`] chooses.
//!
//! What describes a stream and its blocks go in, in the order of the stream; [`Split`]s come out. Every segment is a file of its
//! own that begins with the block it was cut at. From its track's first block on no block is lost, repeated or reordered, and
//! each is passed through as it is.
//!
//! Where another file begins in the stream, blocks wait for the first of the lead track, at most a mebibyte of them: sound
//! that comes before its picture belongs into the segment that begins with that.

use std::collections::VecDeque;

use super::block::Block;
use super::ebml::media_ticks;
use super::head::{CueRule, Dated};
use super::notes::WebmNotes;
use super::segment::{Placed, Segment};
use super::tracks::{TrackMedia, Tracks, USUAL_SCALE};
use crate::media::{Cutter, Placement, RandomAccess, Split, UnitFacts, UnitKind, UnitStart, VideoFormat};
use crate::time::Pts33;

/// Bytes that may wait for the first block of a new file's lead track.
const MAX_WAITING_BYTES: usize = 1024 * 1024;
/// Sound so much older than the first key frame, in nanoseconds, does not belong to its picture.
const EARLY: u64 = 500_000_000;

/// The state of the assembly. The head of this file says how it works.
#[derive(Debug)]
pub(super) struct Assembler {
    scale: u64,
    tracks: Option<Tracks>,
    /// The size of the lead's latest key frame.
    format: Option<VideoFormat>,
    /// The latest time of each track, for those that tell no durations.
    latest: Vec<Option<i64>>,
    cluster: u64,
    cluster_time: Option<i64>,
    cue_rule: CueRule<u64>,
    segment: Option<Segment>,
    /// Blocks of other tracks just before the first key frame.
    early: VecDeque<Placed>,
    early_bytes: usize,
    /// Blocks of another file, until its lead's first one.
    ahead: Option<Vec<Placed>>,
    ahead_bytes: usize,
    /// The other file's tracks are others.
    tracks_changed: bool,
    restarted: bool,
    out: VecDeque<Split>,
    /// What was seen and left out.
    pub notes: WebmNotes,
}

impl Assembler {
    /// One at the begin of a stream.
    pub fn new() -> Self {
        Self {
            scale: USUAL_SCALE,
            tracks: None,
            format: None,
            latest: Vec::new(),
            cluster: 0,
            cluster_time: None,
            cue_rule: CueRule::default(),
            segment: None,
            early: VecDeque::new(),
            early_bytes: 0,
            ahead: None,
            ahead_bytes: 0,
            tracks_changed: false,
            restarted: false,
            out: VecDeque::new(),
            notes: WebmNotes::default(),
        }
    }

    /// The next piece of output. All that a `push` decided can be pulled after it.
    pub fn pull(&mut self) -> Option<Split> {
        self.out.pop_front()
    }

    /// Ends the open segment now: the input has been silent for long, or has ended.
    pub fn interrupt(&mut self, cutter: &mut impl Cutter) {
        self.conclude(cutter);
        if let Some(segment) = self.segment.take() {
            segment.seal(&mut self.out);
        }
        self.forget_early();
    }

    /// The stream's tracks, once they were seen.
    pub fn tracks(&self) -> Option<&Tracks> {
        self.tracks.as_ref()
    }

    /// A tick's length in nanoseconds is this from now on.
    pub fn set_scale(&mut self, scale: u64) {
        if std::mem::replace(&mut self.scale, scale) != scale {
            self.change_tracks();
        }
    }

    /// A Cluster begins; blocks need its time.
    pub fn cluster(&mut self) {
        self.cluster += 1;
        self.cluster_time = None;
    }

    /// The Cluster's time, in ticks.
    pub fn set_cluster_time(&mut self, ticks: Option<i64>) {
        self.cluster_time = ticks;
    }

    /// A file begins. What it says of its tracks is still to come.
    pub fn file(&mut self) {
        self.forget_early();
        if self.tracks.is_none() {
            return;
        }
        self.notes.restarts += 1;
        self.restarted = true;
        self.latest.fill(None);
        self.begin_ahead();
    }

    /// What follows is not what the open segment says it is.
    fn change_tracks(&mut self) {
        self.tracks_changed = true;
        self.begin_ahead();
    }

    fn begin_ahead(&mut self) {
        if self.segment.is_some() && self.ahead.is_none() {
            (self.ahead, self.ahead_bytes) = (Some(Vec::new()), 0);
        }
    }

    /// The stream has these tracks from now on. Where their size is `assumed`, that of the first key frame is put in its place.
    pub fn adopt(&mut self, tracks: Tracks, assumed: Option<VideoFormat>) {
        if self.tracks.as_ref().is_some_and(|before| before.element() != tracks.element()) {
            self.change_tracks();
        }
        self.latest = vec![None; tracks.tracks.len()];
        self.format = assumed;
        self.tracks = Some(tracks);
    }

    /// The clock of the lead's blocks begins anew.
    pub fn restart(&mut self) {
        self.restarted = true;
    }

    /// Takes a block of the current Cluster; `None` is one that has no legal header.
    pub fn take(&mut self, block: Option<Block>, cutter: &mut impl Cutter) {
        self.notes.blocks += 1;
        match block.zip(self.cluster_time) {
            Some((block, cluster_time)) => self.block(block, cluster_time, cutter),
            None => self.notes.damaged_blocks += 1,
        }
    }

    fn block(&mut self, block: Block, cluster_time: i64, cutter: &mut impl Cutter) {
        let Some(tracks) = &self.tracks else { return };
        let Some(index) = tracks.tracks.iter().position(|track| track.number == block.track) else {
            self.notes.foreign_blocks += 1;
            return;
        };
        let Some(track) = tracks.tracks.get(index) else { return };
        let lead = tracks.lead == Some(index);
        let at = cluster_time + i64::from(block.time);
        let facts = match track.media {
            TrackMedia::Video(_) if lead => {
                let by_flag = if block.key { RandomAccess::Key } else { RandomAccess::None };
                let flagged = UnitFacts { random_access: by_flag, video_format: None };
                Some((UnitKind::Video, track.facts(&block).unwrap_or(flagged)))
            }
            TrackMedia::Audio(_) => {
                // Tracks say what sound is, and others are a change of tracks.
                let facts = UnitFacts { random_access: RandomAccess::Key, video_format: None };
                Some((UnitKind::Audio { changed: false }, facts))
            }
            TrackMedia::Video(_) | TrackMedia::Data => None,
        };
        let ticks = track.length(&block, self.scale);
        let step = self.latest.get_mut(index).and_then(|latest| latest.replace(at));
        let ticks = ticks.and_then(|ticks| i64::try_from(ticks).ok()).or(step.map(|before| at - before));
        let end = at.saturating_add(ticks.unwrap_or(0).clamp(0, i64::from(i16::MAX)));
        let is_key = facts.is_some_and(|(_, facts)| facts.random_access == RandomAccess::Key);
        let cue = lead && is_key && self.cue_rule.takes(track.media, self.cluster);
        let placed = Placed { block, at, end, cluster: self.cluster, cluster_time, lead, cue };
        match facts {
            Some((kind, facts)) => self.unit(placed, kind, facts, lead, cutter),
            None => self.place(placed, cutter),
        }
    }

    /// Asks where a block goes, and puts it there.
    fn unit(
        &mut self,
        placed: Placed,
        kind: UnitKind,
        facts: UnitFacts,
        lead: bool,
        cutter: &mut impl Cutter,
    ) {
        let at = self.pts(placed.at);
        let unit = UnitStart {
            lead,
            pts: Some(at),
            dts: Some(at),
            random_access: facts.random_access,
            video_format: facts.video_format,
            kind,
            discontinuity: lead && std::mem::take(&mut self.restarted),
            tracks_changed: self.tracks_changed && self.ahead.is_some(),
            segment_bytes: self.segment.as_ref().map_or(0, Segment::len),
        };
        let placement = cutter.at_unit(&unit);
        if let Some(format) = facts.video_format {
            self.resize(placed.block.track, format);
        }
        if placement == Placement::Cut {
            return self.cut(Some(placed), cutter);
        }
        if lead {
            self.join_ahead();
        }
        self.place(placed, cutter);
    }

    fn place(&mut self, placed: Placed, cutter: &mut impl Cutter) {
        let Some(ahead) = &mut self.ahead else { return self.write(placed) };
        self.ahead_bytes += placed.block.element.len();
        ahead.push(Placed { block: placed.block.kept(), ..placed });
        if self.ahead_bytes > MAX_WAITING_BYTES {
            self.conclude(cutter);
        }
    }

    /// Begins a segment with blocks that wait, whatever they are: none may wait longer.
    fn conclude(&mut self, cutter: &mut impl Cutter) {
        if self.ahead.as_ref().is_none_or(Vec::is_empty) {
            self.ahead = None;
            return;
        }
        let unit = UnitStart::missing(self.segment.as_ref().map_or(0, Segment::len));
        if cutter.at_unit(&unit) == Placement::Cut {
            return self.cut(None, cutter);
        }
        self.join_ahead();
    }

    /// The other file goes on where the one before ended.
    fn join_ahead(&mut self) {
        let before = self.ahead.take().into_iter().flatten();
        before.for_each(|placed| self.write(placed));
    }

    /// Begins a segment with a block, and those that wait for it.
    fn cut(&mut self, first: Option<Placed>, cutter: &mut impl Cutter) {
        if let Some(segment) = self.segment.take() {
            segment.seal(&mut self.out);
        }
        self.tracks_changed = false;
        // What came before it stays before it: a Cluster that goes back in time is refused by some readers.
        let ahead = self.ahead.take().unwrap_or_default();
        let Some(decisive) = first.as_ref().or(ahead.first()).map(|placed| placed.at) else { return };
        self.drop_early(decisive);
        self.early_bytes = 0;
        let blocks: Vec<Placed> = self.early.drain(..).chain(ahead).chain(first).collect();
        let (Some(tracks), Some(begin)) = (&self.tracks, blocks.first()) else { return };
        let dated = Dated { at: decisive, date: cutter.date() };
        self.segment = Some(Segment::open(self.scale, tracks.element(), begin.at, dated, &mut self.out));
        blocks.into_iter().for_each(|placed| self.write(placed));
    }

    fn write(&mut self, placed: Placed) {
        match &mut self.segment {
            Some(segment) => segment.block(&placed, &mut self.out),
            None if placed.lead => self.notes.blocks_before_start += 1,
            None => self.keep_early(placed),
        }
    }

    /// Keeps a block for the first key frame, and no more than belongs to one.
    fn keep_early(&mut self, placed: Placed) {
        let now = placed.at;
        self.early_bytes += placed.block.element.len();
        self.early.push_back(Placed { block: placed.block.kept(), ..placed });
        self.drop_early(now);
    }

    /// Drops all that waits for a key frame.
    fn forget_early(&mut self) {
        self.notes.blocks_before_start += self.early.len() as u64;
        self.early.clear();
        self.early_bytes = 0;
    }

    /// Drops the blocks that are too old for a key frame at `now`.
    fn drop_early(&mut self, now: i64) {
        let oldest = now - i64::try_from(EARLY / self.scale).unwrap_or(i64::MAX);
        let is_over = |early: &Placed, bytes| early.at < oldest || bytes > MAX_WAITING_BYTES;
        while let Some(over) = self.early.front().filter(|early| is_over(early, self.early_bytes)) {
            self.early_bytes -= over.block.element.len();
            self.early.pop_front();
            self.notes.blocks_before_start += 1;
        }
    }

    /// The tracks of later segments say how large their pictures are.
    fn resize(&mut self, track: u64, format: VideoFormat) {
        if self.format.replace(format).is_some_and(|before| before != format)
            && let Some(resized) = self.tracks.as_ref().and_then(|tracks| tracks.resized(track, format))
        {
            self.tracks = Some(resized);
        }
    }

    fn pts(&self, ticks: i64) -> Pts33 {
        Pts33::new(u64::try_from(media_ticks(ticks, self.scale).rem_euclid(1 << 33)).unwrap_or(0))
    }
}
