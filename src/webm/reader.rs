//! The blocks of a whole file, in their order.

use bytes::Bytes;

use super::block::Block;
use super::ebml;
use super::head::InfoFields;
use super::tracks::{Tracks, USUAL_SCALE, scale};
use super::walker::{Found, Walker};

/// A block, and where it is.
#[derive(Debug)]
pub(super) struct FileBlock<'a> {
    pub block: Block,
    /// The place of its track among the entries.
    pub track: usize,
    /// All tracks.
    pub tracks: &'a Tracks,
    /// A tick, in nanoseconds.
    pub scale: u64,
    /// Its time, in ticks.
    pub at: i64,
    /// Which Cluster it is in, counted from 1.
    pub cluster: u64,
    /// That Cluster's time.
    pub cluster_time: i64,
}

/// What a file has beside its blocks.
#[derive(Debug, Default)]
pub(super) struct FileEnd {
    /// Its tracks, where they can be read.
    pub tracks: Option<Tracks>,
    /// What it says of the whole.
    pub info: InfoFields,
}

/// Hands out the blocks of a file one by one: those whose track is announced.
pub(super) fn read(file: &Bytes, take: &mut impl FnMut(FileBlock<'_>)) -> FileEnd {
    let mut end = FileEnd::default();
    let (mut ticks, mut cluster, mut cluster_time) = (USUAL_SCALE, 0, None);
    let mut walker = Walker::default();
    walker.push(file, &mut |_, found| match found {
        Found::File | Found::Segment | Found::Index(_) | Found::Other => {}
        Found::Info(info) => (ticks, end.info) = (scale(&info), InfoFields::read(&info)),
        Found::Tracks(element) => end.tracks = Tracks::read(&element).ok().or(end.tracks.take()),
        Found::Cluster => (cluster, cluster_time) = (cluster + 1, None),
        Found::Timestamp(content) => cluster_time = ebml::ticks(&content),
        Found::Block(element) => {
            let Some((block, time)) = Block::read(&element).zip(cluster_time) else {
                return;
            };
            let Some(tracks) = &end.tracks else { return };
            if let Some(track) = tracks.tracks.iter().position(|track| track.number == block.track) {
                let at = time + i64::from(block.time);
                take(FileBlock { block, track, tracks, scale: ticks, at, cluster, cluster_time: time });
            }
        }
    });
    end
}
