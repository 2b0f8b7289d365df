//! Element headers: ids and sizes as variable-length integers (RFC 8794, 4 to 6).

use bytes::BufMut;

/// Ids of the elements that are looked at, with their length markers (RFC 9559, 5.1).
pub(super) mod id {
    pub const EBML: u32 = 0x1a45_dfa3;
    pub const SEGMENT: u32 = 0x1853_8067;
    pub const SEEK_HEAD: u32 = 0x114d_9b74;
    pub const INFO: u32 = 0x1549_a966;
    pub const TRACKS: u32 = 0x1654_ae6b;
    pub const CLUSTER: u32 = 0x1f43_b675;
    pub const CUES: u32 = 0x1c53_bb6b;
    pub const CHAPTERS: u32 = 0x1043_a770;
    pub const TAGS: u32 = 0x1254_c367;
    pub const ATTACHMENTS: u32 = 0x1941_a469;
    pub const VOID: u32 = 0xec;
    pub const CRC_32: u32 = 0xbf;
    // In a Cluster.
    pub const TIMESTAMP: u32 = 0xe7;
    pub const SILENT_TRACKS: u32 = 0x5854;
    pub const POSITION: u32 = 0xa7;
    pub const PREV_SIZE: u32 = 0xab;
    pub const SIMPLE_BLOCK: u32 = 0xa3;
    pub const ENCRYPTED_BLOCK: u32 = 0xaf;
    pub const BLOCK_GROUP: u32 = 0xa0;
    // In a BlockGroup.
    pub const BLOCK: u32 = 0xa1;
    pub const BLOCK_DURATION: u32 = 0x9b;
    pub const REFERENCE_BLOCK: u32 = 0xfb;
}

/// All value bits set.
pub(super) const UNKNOWN_SIZE: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/// The header of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub id: u32,
    /// Bytes of its content; `None` where it ends with what cannot be in it.
    pub size: Option<u64>,
    /// Bytes of the header.
    pub len: usize,
}

/// What a header's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read<T> {
    Whole(T),
    /// So many bytes are needed in all.
    Needs(usize),
    /// It is none.
    Not,
}

impl Header {
    /// The header that `bytes` begin with.
    pub fn read(bytes: &[u8]) -> Read<Self> {
        let Some(&first) = bytes.first() else { return Read::Needs(1) };
        let id_len = first.leading_zeros() as usize + 1;
        if id_len > 4 {
            return Read::Not;
        }
        let Some(&size_first) = bytes.get(id_len) else { return Read::Needs(id_len + 1) };
        let size_len = size_first.leading_zeros() as usize + 1;
        if size_len > 8 {
            return Read::Not;
        }
        let len = id_len + size_len;
        let (Some(id), Some(size)) = (bytes.get(..id_len), bytes.get(id_len..len)) else {
            return Read::Needs(len);
        };
        let id = id.iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
        Read::Whole(Self { id, size: value(size), len })
    }

    /// Bytes of the whole element; `None` for one of unknown size.
    pub fn total(self) -> Option<u64> {
        self.size.map(|size| size.saturating_add(self.len as u64))
    }
}

/// The value of a variable-length integer; `None` where all its bits are set.
fn value(bytes: &[u8]) -> Option<u64> {
    let all = bytes.iter().fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
    let mask = (1_u64 << (7 * bytes.len())) - 1;
    Some(all & mask).filter(|value| *value != mask)
}

/// A variable-length integer at the begin of `bytes`, and its length; `None` where it is none, or not whole.
pub(super) fn vint(bytes: &[u8]) -> Option<(u64, usize)> {
    let len = bytes.first()?.leading_zeros() as usize + 1;
    let value = value(bytes.get(..len).filter(|_| len <= 8)?)?;
    Some((value, len))
}

/// An unsigned integer element's content.
pub(super) fn unsigned(content: &[u8]) -> Option<u64> {
    (content.len() <= 8).then(|| content.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// A time. None is later than this, which in milliseconds is 35,000 years: then it is damage.
pub(super) fn ticks(content: &[u8]) -> Option<i64> {
    const MAX_TICKS: u64 = 1 << 50;
    unsigned(content).filter(|ticks| *ticks < MAX_TICKS).and_then(|ticks| i64::try_from(ticks).ok())
}

/// Ticks of so many nanoseconds in those of 90 kHz, on which all media times are counted.
pub(super) fn media_ticks(ticks: i64, scale: u64) -> i128 {
    (i128::from(ticks) * i128::from(scale) * 9).div_euclid(100_000)
}

/// The elements in a master's content, in order, with their whole bytes: as far as they can be read.
pub(super) fn children(mut content: &[u8]) -> impl Iterator<Item = Child<'_>> {
    std::iter::from_fn(move || {
        let Read::Whole(header) = Header::read(content) else { return None };
        let total = usize::try_from(header.total()?).ok()?;
        let (whole, rest) = content.split_at_checked(total)?;
        content = rest;
        Some(Child { id: header.id, whole, content: whole.get(header.len..)? })
    })
}

/// An element in another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child<'a> {
    pub id: u32,
    pub whole: &'a [u8],
    pub content: &'a [u8],
}

/// An element with its header. Sizes are written as short as they go.
pub(super) fn element(id: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 12);
    put_header(&mut out, id, content.len());
    out.extend_from_slice(content);
    out
}

/// Writes the header of an element with so many bytes of content.
pub(super) fn put_header(out: &mut impl BufMut, id: u32, content: usize) {
    let id_len = 4 - id.leading_zeros() as usize / 8;
    out.put_uint(u64::from(id), id_len);
    let size = content as u64;
    let len = (1..8).find(|len| size < (1 << (7 * len)) - 1).unwrap_or(8);
    out.put_uint(size | 1 << (7 * len), len);
}

/// A size in eight bytes, so that it can stand where [`UNKNOWN_SIZE`] stood.
pub(super) fn wide_size(size: u64) -> [u8; 8] {
    (size | 1 << 56).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_all_lengths() {
        let whole = |id, size, len| Read::Whole(Header { id, size, len });
        assert_eq!(Header::read(&[0xa3, 0x85]), whole(0xa3, Some(5), 2));
        assert_eq!(Header::read(&[0x42, 0x86, 0x40, 0x05]), whole(0x4286, Some(5), 4));
        assert_eq!(Header::read(&[0x1f, 0x43, 0xb6, 0x75, 0xff]), whole(id::CLUSTER, None, 5));
        let wide = [&id::SEGMENT.to_be_bytes()[..], &UNKNOWN_SIZE].concat();
        assert_eq!(Header::read(&wide), whole(id::SEGMENT, None, 12));
        // Unknown is what has all bits set at its own length.
        assert_eq!(Header::read(&[0xa3, 0x40, 0x7f]), whole(0xa3, Some(127), 3));
        for (bytes, needed) in [(&[][..], 1), (&[0x1f], 5), (&[0xa3], 2), (&[0xa3, 0x40], 3)] {
            assert_eq!(Header::read(bytes), Read::Needs(needed), "{bytes:x?}");
        }
        assert_eq!(Header::read(&[0x08, 0, 0]), Read::Not, "an id of five bytes");
        assert_eq!(Header::read(&[0xa3, 0x00]), Read::Not, "a size of nine bytes");
    }

    #[test]
    fn what_is_written_is_read_again() {
        for len in [0, 1, 126, 127, 128, 16_382, 16_383, 70_000] {
            let written = element(id::INFO, &vec![7; len]);
            let found: Vec<Child<'_>> = children(&written).collect();
            assert_eq!(found.len(), 1, "{len}");
            assert_eq!((found[0].id, found[0].content.len()), (id::INFO, len));
        }
        assert_eq!(vint(&wide_size(5)), Some((5, 8)));
        assert_eq!(children(&[0xe0, 0x85, 1, 2]).count(), 0, "cut short");
    }
}
