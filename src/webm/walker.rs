//! Finds the elements that count in a stream of bytes that come in chunks of any size.
//!
//! Elements that are whole in a chunk stay slices of it; one that goes over a border is put together, and no other is copied.
//! None may be larger than [`MAX_ELEMENT`], and what is passed over is never kept: memory is bounded, whatever a size says.
//! Segment and Cluster are only entered, so that their sizes, known or not, play no part; where one ends is told by what comes.
//!
//! Only elements that RFC 9559 has at their places are believed. At anything else the walk goes on at the next Cluster, or
//! the next file in the stream, that looks like one.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr2_iter;

use super::ebml::{Header, Read, id};

/// No element that is kept is larger.
pub const MAX_ELEMENT: u64 = 16 << 20;
/// Nor a header element, but for Tracks, whose private data may be fonts of subtitles.
const MAX_HEADER: u64 = 1 << 20;
/// The first bytes of their ids.
const FILE_BYTE: u8 = 0x1a;
const CLUSTER_BYTE: u8 = 0x1f;

/// What is found, in the order of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// A file begins.
    File,
    /// `Info`, whole.
    Info(Bytes),
    /// `Tracks`, whole.
    Tracks(Bytes),
    /// A Cluster begins; its time comes next.
    Cluster,
    /// The Cluster's time.
    Timestamp(Bytes),
    /// A SimpleBlock or a BlockGroup, whole.
    Block(Bytes),
}

/// The state of the walk.
#[derive(Debug, Default)]
pub(super) struct Walker {
    /// The begin of an element that goes on in the next chunk.
    rest: BytesMut,
    /// So many bytes `rest` must have before anything can be told.
    needed: usize,
    /// Bytes to pass over.
    skip: u64,
    /// Where the walk stands.
    place: Place,
    /// How often the order of elements was lost.
    pub sync_losses: u64,
    /// Bytes passed over in search of it.
    pub skipped_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Nothing was found yet.
    #[default]
    Start,
    /// Outside of Clusters.
    Segment,
    Cluster,
    /// The order is lost.
    Lost,
}

impl Walker {
    /// Takes the next bytes, and gives out what they complete.
    pub fn push(&mut self, chunk: &Bytes, found: &mut impl FnMut(Found)) {
        let mut chunk = chunk.clone();
        while !self.rest.is_empty() && !chunk.is_empty() {
            let missing = self.needed.saturating_sub(self.rest.len()).min(chunk.len());
            // Room for all of it, but no more than has come: a size may be a lie.
            self.rest.extend_from_slice(&chunk.split_to(missing));
            if self.rest.len() < self.needed {
                return;
            }
            let mut whole = self.rest.split().freeze();
            self.walk(&mut whole, found);
            self.rest.extend_from_slice(&whole);
        }
        self.walk(&mut chunk, found);
        self.rest.extend_from_slice(&chunk);
    }

    /// Goes as far as the bytes go; what is left needs more of them.
    fn walk(&mut self, bytes: &mut Bytes, found: &mut impl FnMut(Found)) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let now = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
                bytes.advance(now);
                self.skip -= now as u64;
                continue;
            }
            if matches!(self.place, Place::Start | Place::Lost) && !self.search(bytes) {
                return;
            }
            let header = match Header::read(bytes) {
                Read::Whole(header) => header,
                Read::Needs(needed) => {
                    self.needed = needed;
                    return;
                }
                Read::Not => {
                    self.lose(bytes);
                    continue;
                }
            };
            if !self.step(header, bytes, found) {
                return;
            }
        }
    }

    /// Takes one element, or enters it. False where more bytes are needed.
    fn step(&mut self, header: Header, bytes: &mut Bytes, found: &mut impl FnMut(Found)) -> bool {
        let in_cluster = self.place == Place::Cluster;
        let limit = match header.id {
            id::SEGMENT | id::CLUSTER => {
                bytes.advance(header.len);
                self.place = Place::Segment;
                if header.id == id::CLUSTER {
                    self.place = Place::Cluster;
                    found(Found::Cluster);
                }
                return true;
            }
            id::EBML | id::INFO => MAX_HEADER,
            id::TRACKS => MAX_ELEMENT,
            id::TIMESTAMP if in_cluster => 8,
            id::SIMPLE_BLOCK | id::BLOCK_GROUP if in_cluster => MAX_ELEMENT,
            id::SILENT_TRACKS | id::POSITION | id::PREV_SIZE | id::ENCRYPTED_BLOCK if in_cluster => 0,
            id::SEEK_HEAD | id::CUES | id::CHAPTERS | id::TAGS | id::ATTACHMENTS | id::VOID | id::CRC_32 => 0,
            _ => {
                self.lose(bytes);
                return true;
            }
        };
        let Some(size) = header.size.filter(|size| limit == 0 || *size <= limit) else {
            self.lose(bytes);
            return true;
        };
        if limit == 0 {
            bytes.advance(header.len);
            self.skip = size;
            return true;
        }
        let total = header.len + usize::try_from(size).unwrap_or(usize::MAX);
        if bytes.len() < total {
            self.needed = total;
            return false;
        }
        let whole = bytes.split_to(total);
        if matches!(header.id, id::EBML | id::INFO | id::TRACKS) {
            self.place = Place::Segment;
        }
        found(match header.id {
            id::EBML => Found::File,
            id::INFO => Found::Info(whole),
            id::TRACKS => Found::Tracks(whole),
            id::TIMESTAMP => Found::Timestamp(whole.slice(header.len..)),
            _ => Found::Block(whole),
        });
        true
    }

    /// What stands here is no element that may.
    fn lose(&mut self, bytes: &mut Bytes) {
        self.sync_losses += 1;
        self.skipped_bytes += 1;
        bytes.advance(1);
        self.place = Place::Lost;
    }

    /// Goes to what looks like the begin of a Cluster or a file. False where more bytes are needed.
    fn search(&mut self, bytes: &mut Bytes) -> bool {
        loop {
            // Without its Tracks a Cluster says nothing: at the start only a file counts.
            let clusters = self.place != Place::Start;
            let is_begin = |at: &usize| {
                let magic = bytes.get(*at..*at + 4).unwrap_or_default();
                magic == id::EBML.to_be_bytes() || clusters && magic == id::CLUSTER.to_be_bytes()
            };
            let at = memchr2_iter(FILE_BYTE, CLUSTER_BYTE, bytes).find(is_begin);
            let at = at.unwrap_or_else(|| bytes.len().saturating_sub(3));
            self.skipped_bytes += at as u64;
            bytes.advance(at);
            match begins(bytes) {
                Read::Whole(()) => {
                    self.place = Place::Segment;
                    return true;
                }
                Read::Needs(needed) => {
                    self.needed = needed;
                    return false;
                }
                Read::Not => {
                    self.skipped_bytes += 1;
                    bytes.advance(1);
                }
            }
        }
    }
}

/// Whether a file or a Cluster begins here: by chance its four bytes come once in some gigabytes of media.
fn begins(bytes: &[u8]) -> Read<()> {
    if bytes.len() < 4 {
        return Read::Needs(4);
    }
    let header = match Header::read(bytes) {
        Read::Whole(header) => header,
        Read::Needs(needed) => return Read::Needs(needed),
        Read::Not => return Read::Not,
    };
    match header.id {
        id::EBML if header.size.is_some_and(|size| size <= MAX_HEADER) => Read::Whole(()),
        id::CLUSTER => match bytes.get(header.len).map(|first| u32::from(*first)) {
            Some(id::TIMESTAMP | id::CRC_32 | id::VOID | id::POSITION | id::PREV_SIZE) => Read::Whole(()),
            Some(_) => Read::Not,
            None => Read::Needs(header.len + 1),
        },
        _ => Read::Not,
    }
}
