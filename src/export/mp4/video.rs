//! Pictures: access units of a byte stream into samples with lengths in front of NAL units (ISO/IEC 14496-15).

use std::collections::BTreeMap;

use shiguredo_mp4::bitstream::h264::LengthSize;
use shiguredo_mp4::bitstream::{h264, h265};
use shiguredo_mp4::boxes::SampleEntry;

use super::sample::{Clock, Sample};
use crate::media::{AccessUnitProbe, NalRole, NalUnits, RandomAccess, VideoCodec};
use crate::ts::PesPacket;

/// Length of a picture where nothing tells: 30 a second.
const PICTURE: i64 = 3000;

/// Parameter sets by what they are.
type Sets = BTreeMap<NalRole, Vec<Vec<u8>>>;

/// Reads the PES packets of one video stream.
#[derive(Debug)]
pub struct Video {
    codec: VideoCodec,
    /// Those of the newest entry.
    sets: Sets,
    entries: Vec<SampleEntry>,
    last_dts: Option<i64>,
    /// Time between the two latest pictures.
    step: i64,
    /// Pictures before the first parameter sets, which nothing describes.
    pub undescribed: u64,
}

/// An access unit in the making.
#[derive(Default)]
struct Unit {
    data: Vec<u8>,
    sets: Sets,
    has_slice: bool,
}

impl Unit {
    fn add(&mut self, role: NalRole, unit: &[u8]) {
        let Ok(len) = u32::try_from(unit.len()) else { return };
        self.data.extend_from_slice(&len.to_be_bytes());
        self.data.extend_from_slice(unit);
        match role {
            NalRole::VideoParameters | NalRole::SequenceParameters | NalRole::PictureParameters => {
                let known = self.sets.entry(role).or_default();
                if !known.iter().any(|known| known == unit) {
                    known.push(unit.to_vec());
                }
            }
            NalRole::Slice => self.has_slice = true,
            NalRole::Delimiter | NalRole::Other => {}
        }
    }
}

impl Video {
    /// For a codec that MP4 has a place for.
    pub fn of(codec: VideoCodec) -> Option<Self> {
        let video = Self {
            codec,
            sets: Sets::new(),
            entries: Vec::new(),
            last_dts: None,
            step: PICTURE,
            undescribed: 0,
        };
        matches!(codec, VideoCodec::H264 | VideoCodec::H265).then_some(video)
    }

    /// What describes the samples so far.
    pub fn entries(&self) -> &[SampleEntry] {
        &self.entries
    }

    /// Makes samples of a PES packet: of more than one access unit where delimiters tell them apart. Without a time stamp it is
    /// the rest of the picture before, unless that is gone; `before` is that picture.
    ///
    /// # Errors
    /// Why its parameter sets make no sample entry.
    pub fn take(
        &mut self,
        pes: &PesPacket<'_>,
        clock: &mut Clock,
        before: Option<&mut Sample>,
        out: &mut Vec<Sample>,
    ) -> Result<(), String> {
        let facts = AccessUnitProbe::new(self.codec).conclude(pes.data);
        let pts = pes.header.pts.map(|pts| clock.ticks(pts));
        let mut units: Vec<Unit> = Vec::new();
        let mut unit = Unit::default();
        unit.data.reserve(pes.data.len() + 64);
        for nal in NalUnits::of(pes.data) {
            let role = self.codec.nal_role(nal);
            if role == NalRole::Delimiter && unit.has_slice {
                units.push(std::mem::take(&mut unit));
            }
            unit.add(role, nal);
        }
        units.push(unit);
        if let (None, Some(before), [rest]) = (pts, before, units.as_slice()) {
            before.data.extend_from_slice(&rest.data);
            return Ok(());
        }
        let follows = self.last_dts.map_or(0, |last| last + self.step);
        let pts = pts.unwrap_or(follows);
        let mut dts = pes.header.dts.map_or(pts, |dts| clock.ticks(dts));
        let shown_after = pts - dts;
        if let Some(step) = self.last_dts.map(|last| dts - last).filter(|step| *step > 0) {
            self.step = step;
        }
        let mut key = facts.random_access == RandomAccess::Key;
        for unit in units.into_iter().filter(|unit| !unit.data.is_empty()) {
            if key || self.entries.is_empty() {
                self.describe(unit.sets)?;
            }
            let Some(entry) = self.entries.len().checked_sub(1) else {
                self.undescribed += 1;
                continue;
            };
            let part = pes.part;
            out.push(Sample { dts, shown_after, length: None, key, entry, part, data: unit.data });
            self.last_dts = Some(dts);
            dts += self.step;
            // What the probe told is of the first.
            key = false;
        }
        Ok(())
    }

    /// A new entry, where the parameter sets are others than before.
    fn describe(&mut self, sets: Sets) -> Result<(), String> {
        let mut wanted = self.sets.clone();
        wanted.extend(sets);
        if wanted == self.sets {
            return Ok(());
        }
        let of = |role: NalRole| wanted.get(&role).cloned().unwrap_or_default();
        let (vps, sps, pps) =
            (of(NalRole::VideoParameters), of(NalRole::SequenceParameters), of(NalRole::PictureParameters));
        let lacks = sps.is_empty() || pps.is_empty() || self.codec == VideoCodec::H265 && vps.is_empty();
        if !lacks {
            self.entries.push(entry(self.codec, &vps, &sps, &pps)?);
        }
        self.sets = wanted;
        Ok(())
    }
}

fn entry(
    codec: VideoCodec,
    vps: &[Vec<u8>],
    sps: &[Vec<u8>],
    pps: &[Vec<u8>],
) -> Result<SampleEntry, String> {
    let length_size = LengthSize::FourBytes;
    let built = match codec {
        VideoCodec::H265 => {
            let config = h265::H265SampleEntryConfig {
                length_size,
                avg_frame_rate: h265::H265SampleEntryConfig::AVG_FRAME_RATE_UNSPECIFIED,
                constant_frame_rate: h265::H265ConstantFrameRate::Unknown,
            };
            // Apple's players take hvc1 alone.
            h265::build_hvc1_box(vps, sps, pps, &config).map(SampleEntry::Hvc1)
        }
        VideoCodec::H264 | VideoCodec::Mpeg2 => {
            h264::build_avc1_box(sps, pps, &h264::H264SampleEntryConfig { length_size })
                .map(SampleEntry::Avc1)
        }
    };
    built.map_err(|error| error.to_string())
}
