//! What is in one WebM file, and what is wrong with it: pure, one pass, whatever its chunks.
//!
//! In: the bytes of a file or a segment. Out: [`WebmSurvey`]: its tracks with their times and key frames, and every
//! [`WebmFault`]. Nothing is decoded; what is checked is what a player needs: sizes, times, and that the index leads where it
//! says.
//!
//! Invariants: the result does not depend on how the bytes were chunked; memory is bounded: 16 bytes for a place to begin.

mod fault;
mod track;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

pub use fault::{WebmFault, WebmFaultKind};
pub use track::TrackSurvey;

use fault::Faults;

use super::block::Block;
use super::ebml::{self, Header, Read, children};
use super::head::{
    CUE_BLOCK, CUE_CLUSTER, CUE_PLACE, CUE_POINT, CUE_TIME, CUE_TRACK, InfoFields, SEEK, SEEK_ID,
    SEEK_POSITION, number_in,
};
use super::tracks::{Tracks, USUAL_SCALE, scale};
use super::walker::{Found, Spot, Walker};
use crate::time::{MediaSpan, MediaTime, WallTime};

/// What is rounded, and the length of a last frame, are less.
const TOLERANCE: MediaSpan = MediaSpan::from_millis(500);
/// Decoders need pictures in another order than they show them; no more than this.
const REORDERING: MediaSpan = MediaSpan::from_millis(500);
/// Places to begin, and top elements, that are remembered. Cues beyond are not checked.
const MOST_PLACES: usize = 1 << 20;

/// What is in a WebM file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebmSurvey {
    /// Bytes looked at.
    pub bytes: u64,
    /// Its length, as it says.
    pub duration: Option<MediaSpan>,
    /// The date of its zero.
    pub date: Option<WallTime>,
    /// Clusters.
    pub clusters: u64,
    /// Cues.
    pub cues: u64,
    /// In the order of their entries.
    pub tracks: Vec<TrackSurvey>,
    /// The first faults of each kind, in the order of their places.
    pub faults: Vec<WebmFault>,
    /// How many of each kind there are.
    pub counts: BTreeMap<WebmFaultKind, u64>,
}

impl WebmSurvey {
    /// Surveys bytes that are all there.
    pub fn of(bytes: &Bytes) -> Self {
        let mut survey = WebmLook::new();
        survey.push(bytes);
        survey.finish()
    }

    /// The track whose blocks decide: the first with pictures, else the first with sound.
    pub fn lead(&self) -> Option<&TrackSurvey> {
        self.first(|track| track.is_video).or_else(|| self.first(|track| track.is_audio))
    }

    /// How much later the first sound begins than the first pictures, where there are both.
    pub fn sound_lag(&self) -> Option<MediaSpan> {
        Some(self.first(|track| track.is_audio)?.first? - self.first(|track| track.is_video)?.first?)
    }

    fn first(&self, is: impl Fn(&TrackSurvey) -> bool) -> Option<&TrackSurvey> {
        self.tracks.iter().find(|track| track.blocks > 0 && is(track))
    }
}

/// A survey under way.
pub struct WebmLook {
    walker: Walker,
    bytes: u64,
    state: State,
}

impl Default for WebmLook {
    fn default() -> Self {
        Self::new()
    }
}

impl WebmLook {
    /// Ready for the first bytes.
    pub fn new() -> Self {
        Self {
            walker: Walker::with_index(),
            bytes: 0,
            state: State { scale: USUAL_SCALE, ..State::default() },
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, chunk: &Bytes) {
        self.bytes += chunk.len() as u64;
        self.walker.push(chunk, &mut |spot, found| self.state.take(spot, found));
    }

    /// Takes what is left, and tells.
    pub fn finish(self) -> WebmSurvey {
        let Self { walker, bytes, mut state } = self;
        state.conclude(bytes);
        if state.files > 0 && (walker.sync_losses > 0 || walker.skipped_bytes > 0) {
            let message = format_args!(
                "{} bytes belong to no element (order lost: {})",
                walker.skipped_bytes, walker.sync_losses
            );
            state.faults.add(WebmFaultKind::Garbage, bytes, message);
        }
        state.faults.kept.sort_by_key(|fault| fault.offset);
        WebmSurvey {
            bytes,
            duration: state.info.duration.map(|ticks| state.span(ticks)),
            date: state.info.date,
            clusters: state.clusters,
            cues: state.cues.len() as u64,
            tracks: state.surveys,
            faults: state.faults.kept,
            counts: state.faults.counts,
        }
    }
}

/// An element whose content is other elements: where its content begins, and ends by its size.
#[derive(Debug, Clone, Copy)]
struct Master {
    at: u64,
    begin: u64,
    end: Option<u64>,
}

impl Master {
    fn of(spot: Spot) -> Self {
        let begin = spot.at + spot.header.len as u64;
        Self { at: spot.at, begin, end: spot.header.size.map(|size| begin.saturating_add(size)) }
    }
}

/// Where a place to begin stands: its Cluster and the block, and its time.
type Place = (u64, u64, u64);

#[derive(Default)]
struct State {
    files: u64,
    scale: u64,
    info: InfoFields,
    tracks: Option<Tracks>,
    surveys: Vec<TrackSurvey>,
    segment: Option<Master>,
    cluster: Option<Master>,
    cluster_time: Option<i64>,
    clusters: u64,
    /// Elements of the Segment by their places in it.
    tops: BTreeMap<u64, u32>,
    /// Cluster, track and block of each place to begin, and its time.
    places: BTreeSet<(Place, i64)>,
    sought: Vec<(u32, u64, u64)>,
    /// Where the point stands, and where it leads.
    cues: Vec<(u64, Place, i64)>,
    faults: Faults,
}

impl State {
    fn span(&self, ticks: f64) -> MediaSpan {
        MediaSpan::from_ticks((ticks * self.scale as f64 * 9.0 / 100_000.0) as i64)
    }

    fn time(&self, ticks: i64) -> MediaTime {
        MediaTime::from_ticks(i64::try_from(ebml::media_ticks(ticks, self.scale)).unwrap_or(i64::MAX))
    }

    fn take(&mut self, spot: Spot, found: Found) {
        if self.files > 1 {
            return;
        }
        if !matches!(found, Found::Block(_) | Found::Timestamp(_)) {
            self.leave_cluster(spot, &found);
        }
        match found {
            Found::File => {
                self.files += 1;
                if self.files > 1 {
                    let message = "what follows was not looked at";
                    self.faults.add(WebmFaultKind::AnotherFile, spot.at, message);
                    self.end_segment(spot.at);
                }
            }
            Found::Segment => {
                let segment = Master::of(spot);
                if segment.end.is_none() {
                    self.faults.add(WebmFaultKind::SizeUnknown, spot.at, "the Segment");
                }
                self.segment = Some(segment);
            }
            Found::Info(info) => {
                self.scale = scale(&info);
                self.info = InfoFields::read(&info);
            }
            Found::Tracks(element) => match Tracks::read(&element) {
                Ok(tracks) => {
                    if self.tracks.is_none() {
                        self.surveys = tracks.tracks.iter().map(TrackSurvey::new).collect();
                        self.tracks = Some(tracks);
                    }
                }
                Err(_) => self.faults.add(WebmFaultKind::NoTracks, spot.at, "its entries cannot be read"),
            },
            Found::Cluster => {
                let cluster = Master::of(spot);
                if cluster.end.is_none() {
                    self.faults.add(WebmFaultKind::SizeUnknown, spot.at, "a Cluster");
                }
                self.clusters += 1;
                (self.cluster, self.cluster_time) = (Some(cluster), None);
            }
            Found::Timestamp(content) => self.cluster_time = ebml::ticks(&content),
            Found::Block(element) => self.block(spot, &element),
            Found::Index(element) => self.index(spot, &element),
            Found::Other => {}
        }
    }

    /// What comes next is no block of it.
    fn leave_cluster(&mut self, spot: Spot, found: &Found) {
        let in_cluster = matches!(found, Found::Other)
            && self.cluster.is_some_and(|cluster| cluster.end.is_none_or(|end| spot.at < end));
        if !in_cluster
            && let Some(segment) = self.segment
            && self.tops.len() < MOST_PLACES
        {
            self.tops.insert(spot.at - segment.begin.min(spot.at), spot.header.id);
        }
        if matches!(found, Found::Other) {
            return;
        }
        if let Some(cluster) = self.cluster.take()
            && cluster.end.is_some_and(|end| end > spot.at)
        {
            self.faults.add(
                WebmFaultKind::Size,
                cluster.at,
                "the Cluster is said to go on in the next element",
            );
        }
    }

    fn block(&mut self, spot: Spot, element: &Bytes) {
        let Some((block, time)) = Block::read(element).zip(self.cluster_time) else {
            return self.faults.add(
                WebmFaultKind::Block,
                spot.at,
                "its header or its Cluster's time is missing",
            );
        };
        let end = self.cluster.and_then(|cluster| cluster.end);
        if end.is_some_and(|end| spot.at + element.len() as u64 > end) {
            self.faults.add(WebmFaultKind::Size, spot.at, "a block goes on behind the end of its Cluster");
        }
        let Some(tracks) = &self.tracks else { return };
        let Some(index) = tracks.tracks.iter().position(|track| track.number == block.track) else {
            let message = format_args!("track {}", block.track);
            return self.faults.add(WebmFaultKind::UnknownTrack, spot.at, message);
        };
        let ticks = time + i64::from(block.time);
        let at = self.time(ticks);
        let (Some(track), Some(survey)) = (tracks.tracks.get(index), self.surveys.get_mut(index)) else {
            return;
        };
        let length = track.length(&block, self.scale).map(|ticks| {
            let ticks = i64::try_from(ticks).unwrap_or(i64::MAX);
            MediaSpan::from_ticks(i64::try_from(ebml::media_ticks(ticks, self.scale)).unwrap_or(i64::MAX))
        });
        let (key, back) = survey.take(&block, track, at, length);
        if back > REORDERING {
            let message = format_args!("track {} by {back} s", block.track);
            self.faults.add(WebmFaultKind::TimeBack, spot.at, message);
        }
        if let Some((cluster, segment)) = self.cluster.zip(self.segment)
            && key
            && self.places.len() < MOST_PLACES
        {
            let place = (cluster.at - segment.begin, block.track, spot.at - cluster.begin);
            self.places.insert((place, ticks));
        }
    }

    fn index(&mut self, spot: Spot, element: &Bytes) {
        let Read::Whole(Header { len, .. }) = Header::read(element) else { return };
        let content = element.get(len..).unwrap_or_default();
        for child in children(content) {
            match child.id {
                SEEK => {
                    let [id, position] = [SEEK_ID, SEEK_POSITION].map(|id| number_in(child.content, id));
                    if let Some((id, position)) = id.zip(position) {
                        self.sought.push((u32::try_from(id).unwrap_or(0), position, spot.at));
                    }
                }
                CUE_POINT => {
                    let time = number_in(child.content, CUE_TIME).and_then(|time| i64::try_from(time).ok());
                    for place in children(child.content).filter(|place| place.id == CUE_PLACE) {
                        let [track, cluster, block] =
                            [CUE_TRACK, CUE_CLUSTER, CUE_BLOCK].map(|id| number_in(place.content, id));
                        if let Some(((track, cluster), time)) = track.zip(cluster).zip(time) {
                            self.cues.push((spot.at, (cluster, track, block.unwrap_or(u64::MAX)), time));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The Segment's content ends here.
    fn end_segment(&mut self, at: u64) {
        let Some(segment) = self.segment.take() else { return };
        match segment.end {
            Some(end) if end > at => {
                let message = format_args!("{} bytes are missing", end - at);
                self.faults.add(WebmFaultKind::CutOff, at, message);
            }
            Some(end) if end < at => {
                let message = format_args!("the Segment is said to end at byte {end}");
                self.faults.add(WebmFaultKind::Size, segment.at, message);
            }
            _ => {}
        }
    }

    fn conclude(&mut self, len: u64) {
        if self.files == 0 {
            return self.faults.add(WebmFaultKind::NotWebm, 0, "no file of WebM begins in it");
        }
        self.end_segment(len);
        if self.tracks.is_none() {
            return self.faults.add(WebmFaultKind::NoTracks, len, "there are none");
        }
        for survey in self.surveys.iter().filter(|survey| survey.blocks == 0) {
            let message = format_args!("track {}, {}", survey.number, survey.codec);
            self.faults.add(WebmFaultKind::EmptyTrack, len, message);
        }
        self.judge_length(len);
        self.judge_index(len);
    }

    fn judge_length(&mut self, len: u64) {
        let Some(said) = self.info.duration.map(|ticks| self.span(ticks)) else {
            return self.faults.add(WebmFaultKind::DurationUnknown, len, "its Info has no Duration");
        };
        let Some(end) = self.surveys.iter().filter_map(TrackSurvey::end).max() else { return };
        let longest = self.surveys.iter().map(|survey| survey.longest_step).max().unwrap_or_default();
        let apart = end - MediaTime::default() - said;
        if apart.abs() > TOLERANCE + longest {
            let message = format_args!("it says {said} s, and its blocks end {apart} s later");
            self.faults.add(WebmFaultKind::Duration, len, message);
        }
    }

    fn judge_index(&mut self, len: u64) {
        for (id, position, at) in std::mem::take(&mut self.sought) {
            if self.tops.get(&position) != Some(&id) && self.tops.len() < MOST_PLACES {
                let message = format_args!("element {id:#x} is not at {position}");
                self.faults.add(WebmFaultKind::Seek, at, message);
            }
        }
        if self.cues.is_empty() {
            return self.faults.add(WebmFaultKind::NoCues, len, "seeking has to read all of it");
        }
        let all = self.places.len() < MOST_PLACES;
        for (at, place, time) in &self.cues {
            // Without the block's place the Cluster has to have one of that time.
            let (cluster, track, block) = *place;
            let exact = || self.places.contains(&(*place, *time));
            let range = ((cluster, track, 0), i64::MIN)..((cluster, track, u64::MAX), i64::MAX);
            let any = || self.places.range(range).any(|(_, found)| found == time);
            if all && !(if block == u64::MAX { any() } else { exact() }) {
                let message = format_args!("no key frame of track {track} at {time} ticks is there");
                self.faults.add(WebmFaultKind::Cue, *at, message);
            }
        }
    }
}
