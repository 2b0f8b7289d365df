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
    /// The Segment begins.
    Segment,
    /// `SeekHead` or `Cues`, whole, where they are wanted.
    Index(Bytes),
    /// An element that is passed over.
    Other,
}

/// Where an element stands in all that came, and its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub at: u64,
    pub header: Header,
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
    /// Where the next byte stands that is looked at.
    position: u64,
    /// What leads to places in the file is handed out.
    keeps_index: bool,
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
    /// A walk that hands out the index too.
    pub fn with_index() -> Self {
        Self { keeps_index: true, ..Self::default() }
    }

    /// Takes the next bytes, and gives out what they complete.
    pub fn push(&mut self, chunk: &Bytes, found: &mut impl FnMut(Spot, Found)) {
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
    fn walk(&mut self, bytes: &mut Bytes, found: &mut impl FnMut(Spot, Found)) {
        let mut goes_on = true;
        while goes_on && !bytes.is_empty() {
            let before = bytes.len();
            goes_on = self.step(bytes, found);
            self.position += (before - bytes.len()) as u64;
        }
    }

    /// Takes one element, enters it, or passes over something. False where more bytes are needed.
    fn step(&mut self, bytes: &mut Bytes, found: &mut impl FnMut(Spot, Found)) -> bool {
        if self.skip > 0 {
            let now = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            bytes.advance(now);
            self.skip -= now as u64;
            return true;
        }
        if matches!(self.place, Place::Start | Place::Lost) {
            return self.search(bytes);
        }
        match Header::read(bytes) {
            Read::Whole(header) => self.element(Spot { at: self.position, header }, bytes, found),
            Read::Needs(needed) => {
                self.needed = needed;
                false
            }
            Read::Not => self.lose(bytes),
        }
    }

    fn element(&mut self, spot: Spot, bytes: &mut Bytes, found: &mut impl FnMut(Spot, Found)) -> bool {
        let Spot { header, .. } = spot;
        let in_cluster = self.place == Place::Cluster;
        let limit = match header.id {
            id::SEGMENT | id::CLUSTER => {
                bytes.advance(header.len);
                let is_cluster = header.id == id::CLUSTER;
                self.place = if is_cluster { Place::Cluster } else { Place::Segment };
                found(spot, if is_cluster { Found::Cluster } else { Found::Segment });
                return true;
            }
            id::EBML | id::INFO => MAX_HEADER,
            id::TRACKS => MAX_ELEMENT,
            id::TIMESTAMP if in_cluster => 8,
            id::SIMPLE_BLOCK | id::BLOCK_GROUP if in_cluster => MAX_ELEMENT,
            id::SILENT_TRACKS | id::POSITION | id::PREV_SIZE | id::ENCRYPTED_BLOCK if in_cluster => 0,
            id::SEEK_HEAD | id::CUES if self.keeps_index => MAX_ELEMENT,
            id::SEEK_HEAD | id::CUES | id::CHAPTERS | id::TAGS | id::ATTACHMENTS | id::VOID | id::CRC_32 => 0,
            _ => return self.lose(bytes),
        };
        let Some(size) = header.size.filter(|size| limit == 0 || *size <= limit) else {
            return self.lose(bytes);
        };
        if limit == 0 {
            bytes.advance(header.len);
            self.skip = size;
            found(spot, Found::Other);
            return true;
        }
        let total = header.len + usize::try_from(size).unwrap_or(usize::MAX);
        if bytes.len() < total {
            self.needed = total;
            return false;
        }
        let whole = bytes.split_to(total);
        if matches!(header.id, id::EBML | id::INFO | id::TRACKS | id::SEEK_HEAD | id::CUES) {
            self.place = Place::Segment;
        }
        let what = match header.id {
            id::EBML => Found::File,
            id::INFO => Found::Info(whole),
            id::TRACKS => Found::Tracks(whole),
            id::TIMESTAMP => Found::Timestamp(whole.slice(header.len..)),
            id::SEEK_HEAD | id::CUES => Found::Index(whole),
            _ => Found::Block(whole),
        };
        found(spot, what);
        true
    }

    /// What stands here is no element that may.
    fn lose(&mut self, bytes: &mut Bytes) -> bool {
        self.sync_losses += 1;
        self.skipped_bytes += 1;
        bytes.advance(1);
        self.place = Place::Lost;
        true
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
