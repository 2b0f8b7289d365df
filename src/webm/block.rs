//! SimpleBlock and BlockGroup: what a block's header says (RFC 9559, 10).

use bytes::{Bytes, BytesMut};

use super::ebml::{Header, Read, children, id, unsigned, vint};
use super::lacing;

const VOID: u8 = id::VOID as u8;

/// A block, in a SimpleBlock or a BlockGroup.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// The whole element.
    pub element: Bytes,
    /// Its track's number.
    pub track: u64,
    /// Its time, in ticks after that of its Cluster.
    pub time: i16,
    /// Nothing before it is needed to decode it, as its container says.
    pub key: bool,
    /// How long it takes, in ticks, where it says so.
    pub duration: Option<u64>,
    /// Frames in it: more than one by lacing.
    pub frames: u64,
    /// Where its time stands in the element.
    time_at: usize,
    /// Where the first frame begins in the element; `None` where lacing comes between.
    frame_at: Option<usize>,
    /// Where the block ends in the element.
    end: usize,
}

impl Block {
    /// Reads the headers; `None` for a block that has none.
    pub fn read(element: &Bytes) -> Option<Self> {
        let Read::Whole(header) = Header::read(element) else { return None };
        let content = element.get(header.len..)?;
        if header.id == id::SIMPLE_BLOCK {
            let mut block = Self::at(element, header.len, element.len())?;
            block.key = element.get(block.time_at + 2)? & 0x80 != 0;
            return Some(block);
        }
        let (mut block, mut duration, mut refers) = (None, None, false);
        let mut at = header.len;
        for child in children(content) {
            match child.id {
                id::BLOCK if block.is_none() => {
                    let begin = at + child.whole.len() - child.content.len();
                    block = Some(Self::at(element, begin, at + child.whole.len())?);
                }
                id::BLOCK_DURATION => duration = unsigned(child.content),
                id::REFERENCE_BLOCK => refers = true,
                _ => {}
            }
            at += child.whole.len();
        }
        // What is passed on must be whole.
        Some(Self { key: !refers, duration, ..block? }).filter(|_| at == element.len())
    }

    /// The block that stands from `begin` to `end` in the element.
    fn at(element: &Bytes, begin: usize, end: usize) -> Option<Self> {
        let bytes = element.get(begin..end)?;
        let (track, len) = vint(bytes)?;
        let [high, low, flags] = *bytes.get(len..len + 3)?.as_array()?;
        let laced = flags & lacing::FLAGS != 0;
        let frames = if laced { u64::from(*bytes.get(len + 3)?) + 1 } else { 1 };
        Some(Self {
            element: element.clone(),
            track,
            time: i16::from_be_bytes([high, low]),
            key: false,
            duration: None,
            frames,
            time_at: begin + len,
            frame_at: (!laced).then_some(begin + len + 3),
            end,
        })
    }

    /// The same, in memory of its own: what waits must not keep the chunk that it came in.
    pub fn kept(self) -> Self {
        Self { element: Bytes::copy_from_slice(&self.element), ..self }
    }

    /// The frame, where there is one alone.
    pub fn frame(&self) -> Option<&[u8]> {
        self.element.get(self.frame_at?..self.end)
    }

    /// All frames; none where their lengths do not fit the block.
    pub fn laces(&self) -> Vec<&[u8]> {
        let flags = self.element.get(self.time_at + 2).copied().unwrap_or(0);
        let body = self.element.get(self.time_at + 3..self.end).unwrap_or_default();
        lacing::frames(flags, body)
    }

    /// The element with another time: a copy of its begin, and the rest as it is.
    pub fn at_time(&self, time: i16) -> [Bytes; 2] {
        let mut begin = BytesMut::from(self.element.get(..self.time_at).unwrap_or_default());
        // What a checksum in front says of it is no longer so. Void takes as many bytes.
        if let Read::Whole(header) = Header::read(&begin)
            && header.id == id::BLOCK_GROUP
            && let Some(first) = begin.get_mut(header.len).filter(|first| u32::from(**first) == id::CRC_32)
        {
            *first = VOID;
        }
        begin.extend_from_slice(&time.to_be_bytes());
        [begin.freeze(), self.element.slice(self.time_at + 2..)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webm::ebml::element;

    fn simple(content: &[u8]) -> Bytes {
        Bytes::from(element(id::SIMPLE_BLOCK, content))
    }

    #[test]
    fn simple_blocks_say_whether_they_are_keys() {
        let block = Block::read(&simple(&[0x81, 0xff, 0xfe, 0x80, 1, 2, 3])).unwrap();
        assert_eq!((block.track, block.time, block.key, block.frames), (1, -2, true, 1));
        assert_eq!(block.frame(), Some(&[1, 2, 3][..]));
        let moved = block.at_time(0x0102).concat();
        assert_eq!(moved, *simple(&[0x81, 1, 2, 0x80, 1, 2, 3]));
        let wide = Block::read(&simple(&[0x40, 0x80, 0, 5, 0x00, 9])).unwrap();
        assert_eq!((wide.track, wide.time, wide.key), (128, 5, false));
    }

    #[test]
    fn groups_are_keys_unless_they_refer_to_others() {
        let block = element(id::BLOCK, &[0x82, 0, 7, 0, 1, 2]);
        let duration = element(id::BLOCK_DURATION, &[20]);
        let crc = element(id::CRC_32, &[1, 2, 3, 4]);
        let group = |parts: &[&[u8]]| Bytes::from(element(id::BLOCK_GROUP, &parts.concat()));
        let key = Block::read(&group(&[&crc, &block, &duration])).unwrap();
        assert_eq!((key.track, key.time, key.key, key.duration), (2, 7, true, Some(20)));
        assert_eq!(key.frame(), Some(&[1, 2][..]));
        let void = element(id::VOID, &[1, 2, 3, 4]);
        let moved = element(id::BLOCK, &[0x82, 0, 9, 0, 1, 2]);
        assert_eq!(key.at_time(9).concat(), *group(&[&void, &moved, &duration]));
        let refers = group(&[&block, &element(id::REFERENCE_BLOCK, &[0xff])]);
        assert!(!Block::read(&refers).unwrap().key);
        assert!(Block::read(&group(&[&duration])).is_none(), "no block in it");
    }

    #[test]
    fn laced_blocks_tell_how_many_frames_they_hold() {
        let laced = Block::read(&simple(&[0x81, 0, 0, 0x84, 2, 9, 9, 9])).unwrap();
        assert_eq!((laced.frames, laced.frame()), (3, None));
        for short in [&[][..], &[0x81], &[0x81, 0, 0], &[0x81, 0, 0, 0x82]] {
            assert!(Block::read(&simple(short)).is_none(), "{short:x?}");
        }
    }
}
