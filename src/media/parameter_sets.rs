//! Parameter sets of H.264 and H.265, kept so that each key frame of a segment has them, and access units as a transport
//! stream wants them: a byte stream that begins with a delimiter.

use bytes::{BufMut, Bytes, BytesMut};

use super::nal::{START_CODE_LEN, start_code};
use super::{AccessUnitProbe, NalRole, NalUnits, RandomAccess, UnitFacts, VideoCodec, VideoFormat};

const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// More parameter sets than a stream has. What comes beyond is not kept.
const MOST_SETS: usize = 64;

/// How the units of a frame are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NalFraming {
    /// By start codes (Annex B).
    ByteStream,
    /// Each stands behind its length, a number of so many bytes, 1 to 4.
    Lengths(usize),
}

/// The parameter sets that are in force, as a byte stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParameterSets {
    bytes: Bytes,
    count: usize,
    /// The size that they announce.
    format: Option<VideoFormat>,
}

/// An access unit as a byte stream, in pieces that follow each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessUnit {
    /// What comes before the body: a delimiter, and at a key frame that brings none the parameter sets. Empty where the frame
    /// has all it needs.
    pub front: Bytes,
    /// The frame's own units.
    pub body: Bytes,
    /// Whether decoding can begin with it, and the pictures' size at a key frame.
    pub facts: UnitFacts,
}

impl ParameterSets {
    /// Reads `avcC` or `hvcC` (ISO/IEC 14496-15, 5.3.3 and 8.3.3), or a byte stream of parameter sets.
    ///
    /// # Errors
    /// Why it is none of them.
    pub fn of_record(codec: VideoCodec, record: &[u8]) -> Result<(NalFraming, Self), &'static str> {
        if record.starts_with(&START_CODE) || record.starts_with(&START_CODE[1..]) {
            let mut sets = Self::default();
            sets.replace(codec, NalUnits::of(record));
            return Ok((NalFraming::ByteStream, sets));
        }
        let read = match codec {
            VideoCodec::H264 => avc_record(record),
            VideoCodec::H265 => hevc_record(record),
            VideoCodec::Mpeg2 => None,
        };
        let (length, units) =
            read.ok_or("it is no avcC or hvcC record, and no byte stream of parameter sets")?;
        let mut sets = Self::default();
        sets.replace(codec, units.into_iter());
        Ok((NalFraming::Lengths(length), sets))
    }

    fn replace<'a>(&mut self, codec: VideoCodec, units: impl Iterator<Item = &'a [u8]>) {
        let mut bytes = BytesMut::new();
        let mut count = 0;
        for unit in units.filter(|unit| is_set(codec.nal_role(unit))).take(MOST_SETS) {
            bytes.put_slice(&START_CODE);
            bytes.put_slice(unit);
            count += 1;
        }
        let format = AccessUnitProbe::new(codec).conclude(&bytes).video_format;
        *self = Self { bytes: bytes.freeze(), count, format };
    }

    /// Adds what a unit brings that no sequence begins with: a picture's parameters of their own.
    fn add(&mut self, unit: &[u8]) {
        if self.count < MOST_SETS && !NalUnits::of(&self.bytes).any(|known| known == unit) {
            self.bytes = [&self.bytes[..], &START_CODE, unit].concat().into();
            self.count += 1;
        }
    }

    /// Makes a frame an access unit of a transport stream: as a byte stream, with a delimiter, and at a key frame with the
    /// parameter sets that are in force. Those that it brings are in force from then on; where it brings nothing else, the
    /// access unit is empty.
    ///
    /// `None` for a frame without a whole unit.
    pub fn access_unit(
        &mut self,
        codec: VideoCodec,
        framing: NalFraming,
        frame: &Bytes,
    ) -> Option<AccessUnit> {
        let body = match framing {
            NalFraming::ByteStream => frame.clone(),
            NalFraming::Lengths(length) => byte_stream(frame, length)?,
        };
        let head = Head::read(codec, &body)?;
        if head.has_sequence {
            self.replace(codec, head.sets(&body));
        } else {
            head.sets(&body).for_each(|unit| self.add(unit));
        }
        if !head.has_slice && !head.sets.is_empty() {
            return Some(AccessUnit::default());
        }
        let mut facts = AccessUnitProbe::new(codec).conclude(&body);
        let is_key = facts.random_access == RandomAccess::Key;
        if is_key {
            facts.video_format = facts.video_format.or(self.format);
        }
        let mut front = BytesMut::new();
        let mut rest = body;
        match head.delimiter_end {
            Some(_) if !is_key || head.has_sequence => {}
            Some(end) => front.put_slice(&rest.split_to(end)),
            None => front.put_slice(delimiter(codec)),
        }
        if is_key && !head.has_sequence {
            front.put_slice(&self.bytes);
        }
        Some(AccessUnit { front: front.freeze(), body: rest, facts })
    }
}

/// The units of an access unit before its first slice.
#[derive(Debug, Default)]
struct Head {
    /// Where the delimiter that it begins with ends.
    delimiter_end: Option<usize>,
    has_sequence: bool,
    has_slice: bool,
    /// Where the parameter sets stand.
    sets: Vec<(usize, usize)>,
}

impl Head {
    /// `None` where there is no unit.
    fn read(codec: VideoCodec, body: &[u8]) -> Option<Self> {
        let mut head = Self::default();
        let mut next = start_code(body, 0);
        next?;
        let mut is_first = true;
        while let Some(at) = next {
            let begin = at + START_CODE_LEN;
            let role = codec.nal_role(body.get(begin..).unwrap_or_default());
            if role == NalRole::Slice {
                head.has_slice = true;
                break;
            }
            next = start_code(body, begin);
            let unit = body.get(begin..next.unwrap_or(body.len())).unwrap_or_default();
            let end = begin + unit.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            match role {
                NalRole::Delimiter if is_first => head.delimiter_end = Some(end),
                role if is_set(role) && head.sets.len() < MOST_SETS => {
                    head.has_sequence |= role == NalRole::SequenceParameters;
                    head.sets.push((begin, end));
                }
                _ => {}
            }
            is_first = false;
        }
        Some(head)
    }

    fn sets<'a>(&self, body: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.sets.iter().filter_map(|&(begin, end)| body.get(begin..end))
    }
}

fn is_set(role: NalRole) -> bool {
    matches!(role, NalRole::VideoParameters | NalRole::SequenceParameters | NalRole::PictureParameters)
}

/// A unit that delimits, and allows any picture type.
fn delimiter(codec: VideoCodec) -> &'static [u8] {
    match codec {
        VideoCodec::H264 => &[0, 0, 0, 1, 0x09, 0xf0],
        VideoCodec::H265 => &[0, 0, 0, 1, 0x46, 0x01, 0x50],
        VideoCodec::Mpeg2 => &[],
    }
}

/// Units behind their lengths as a byte stream; `None` where a length leads out of the frame.
fn byte_stream(frame: &[u8], length: usize) -> Option<Bytes> {
    let mut out = BytesMut::with_capacity(frame.len() + 16);
    let mut rest = frame;
    while !rest.is_empty() {
        let (size, after) = rest.split_at_checked(length)?;
        let size = size.iter().fold(0, |size, byte| size << 8 | usize::from(*byte));
        let (unit, after) = after.split_at_checked(size)?;
        if !unit.is_empty() {
            out.put_slice(&START_CODE);
            out.put_slice(unit);
        }
        rest = after;
    }
    Some(out.freeze())
}

/// The length's size and the parameter sets of `avcC`.
fn avc_record(record: &[u8]) -> Option<(usize, Vec<&[u8]>)> {
    let (&[version, _, _, _, lengths, sequences], mut rest) = record.split_first_chunk()?;
    let mut units = Vec::new();
    take_units(&mut rest, usize::from(sequences & 0x1f), &mut units)?;
    let (&pictures, after) = rest.split_first()?;
    rest = after;
    take_units(&mut rest, usize::from(pictures), &mut units)?;
    (version == 1).then_some((usize::from(lengths & 3) + 1, units))
}

/// The same of `hvcC`.
fn hevc_record(record: &[u8]) -> Option<(usize, Vec<&[u8]>)> {
    let (head, mut rest) = record.split_at_checked(23)?;
    let (&version, &lengths, &arrays) = (head.first()?, head.get(21)?, head.get(22)?);
    let mut units = Vec::new();
    for _ in 0..arrays {
        let (&[_kind, high, low], after) = rest.split_first_chunk()?;
        rest = after;
        take_units(&mut rest, usize::from(u16::from_be_bytes([high, low])), &mut units)?;
    }
    (version == 1).then_some((usize::from(lengths & 3) + 1, units))
}

/// Units behind lengths of 16 bits.
fn take_units<'a>(rest: &mut &'a [u8], count: usize, units: &mut Vec<&'a [u8]>) -> Option<()> {
    for _ in 0..count {
        let (&size, after) = rest.split_first_chunk()?;
        let (unit, after) = after.split_at_checked(usize::from(u16::from_be_bytes(size)))?;
        units.push(unit);
        *rest = after;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::sample_units::{AUD, IDR, P as OTHER, PPS, SPS_1080 as SPS};
    use super::*;

    /// Units as a byte stream.
    fn stream(units: &[&[u8]]) -> Bytes {
        units.iter().flat_map(|unit| [&START_CODE[..], unit]).collect::<Vec<_>>().concat().into()
    }

    fn lengths(units: &[&[u8]]) -> Bytes {
        let with_length =
            |unit: &&[u8]| [&u32::try_from(unit.len()).unwrap().to_be_bytes()[..], unit].concat();
        units.iter().flat_map(with_length).collect::<Vec<_>>().into()
    }

    fn avcc() -> Vec<u8> {
        let len = |unit: &[u8]| u16::try_from(unit.len()).unwrap().to_be_bytes();
        [&[1, 0x42, 0xc0, 0x1e, 0xff, 0xe1][..], &len(SPS), SPS, &[1], &len(PPS), PPS].concat()
    }

    fn whole(unit: &AccessUnit) -> Vec<u8> {
        [&unit.front[..], &unit.body].concat()
    }

    #[test]
    fn frames_behind_lengths_become_byte_streams_with_what_they_lack() {
        let (framing, mut sets) = ParameterSets::of_record(VideoCodec::H264, &avcc()).unwrap();
        assert_eq!(framing, NalFraming::Lengths(4));
        let mut made = |frame: Bytes| sets.access_unit(VideoCodec::H264, framing, &frame);
        let key = made(lengths(&[IDR])).unwrap();
        assert_eq!(whole(&key), stream(&[AUD, SPS, PPS, IDR]));
        assert_eq!(key.facts.random_access, RandomAccess::Key);
        let format = key.facts.video_format.unwrap();
        assert_eq!((format.width, format.height), (1920, 1080));
        let other = made(lengths(&[OTHER])).unwrap();
        assert_eq!(whole(&other), stream(&[AUD, OTHER]));
        assert_eq!(other.facts.random_access, RandomAccess::None);
        // What brings parameter sets alone is no picture; a length that leads out of the frame is none.
        assert_eq!(made(lengths(&[SPS, PPS])), Some(AccessUnit::default()));
        assert_eq!(made(Bytes::from_static(&[0, 0, 1, 0, 0x65])), None);
    }

    #[test]
    fn byte_streams_keep_what_they_have() {
        let mut sets = ParameterSets::default();
        let mut made = |units: &[&[u8]]| {
            let frame = stream(units);
            whole(&sets.access_unit(VideoCodec::H264, NalFraming::ByteStream, &frame).unwrap())
        };
        assert_eq!(made(&[AUD, SPS, PPS, IDR]), stream(&[AUD, SPS, PPS, IDR]));
        assert_eq!(made(&[AUD, OTHER]), stream(&[AUD, OTHER]));
        // The sets that came are in force.
        assert_eq!(made(&[AUD, IDR]), stream(&[AUD, SPS, PPS, IDR]));
        assert_eq!(made(&[IDR]), stream(&[AUD, SPS, PPS, IDR]));
        // A picture's parameters may come alone.
        let more: &[u8] = &[0x68, 0x42, 0x01];
        assert_eq!(made(&[AUD, more, OTHER]), stream(&[AUD, more, OTHER]));
        assert_eq!(made(&[IDR]), stream(&[AUD, SPS, PPS, more, IDR]));
    }

    #[test]
    fn records_that_are_none_are_refused() {
        let good = avcc();
        for len in 0..good.len() {
            assert!(ParameterSets::of_record(VideoCodec::H264, &good[..len]).is_err(), "{len}");
        }
        assert!(ParameterSets::of_record(VideoCodec::H265, &good).is_err());
        let (framing, sets) = ParameterSets::of_record(VideoCodec::H264, &stream(&[SPS, PPS])).unwrap();
        assert_eq!((framing, sets.count), (NalFraming::ByteStream, 2));
    }
}
