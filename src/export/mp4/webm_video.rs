//! Pictures of WebM: VP9 and AV1, a frame a sample.

use shiguredo_mp4::bitstream::av1::{Av1SampleEntryConfig, build_av01_box_from_config_obus};
use shiguredo_mp4::bitstream::vp9::{Vp9FrameSize, Vp9SampleEntryConfig, build_vp09_box, parse_frame_header};
use shiguredo_mp4::boxes::SampleEntry;

use super::sample::Sample;
use crate::media::{ColourSpace, WebmVideo, av1_record, av1_without_delimiter, vp9_level};
use crate::webm::JoinedFrame;

/// The four bytes of `av1C` in front of the open bitstream units.
const RECORD_HEAD: usize = 4;

/// Makes samples of the frames of one track.
#[derive(Debug)]
pub struct WebmPictures {
    codec: Codec,
    entries: Vec<SampleEntry>,
    /// Pictures before the first that could be described.
    pub undescribed: u64,
}

#[derive(Debug)]
enum Codec {
    Vp9,
    /// With the record that describes what comes without one.
    Av1(Option<Vec<u8>>),
}

impl WebmPictures {
    /// For a codec that MP4 has a place for, of a track with that configuration record.
    pub fn of(codec: WebmVideo, record: Option<Vec<u8>>) -> Option<Self> {
        let codec = match codec {
            WebmVideo::Vp9 => Codec::Vp9,
            WebmVideo::Av1 => Codec::Av1(record),
            WebmVideo::Vp8 => return None,
        };
        Some(Self { codec, entries: Vec::new(), undescribed: 0 })
    }

    /// What describes the samples so far.
    pub fn entries(&self) -> &[SampleEntry] {
        &self.entries
    }

    /// The sample of a frame at a time in ticks.
    ///
    /// # Errors
    /// Why its headers make no sample entry.
    pub(crate) fn take(
        &mut self,
        frame: &JoinedFrame<'_>,
        dts: i64,
        part: u64,
    ) -> Result<Option<Sample>, String> {
        if frame.key {
            self.describe(frame.data, frame.usual_nanos)?;
        }
        let Some(entry) = self.entries.len().checked_sub(1) else {
            self.undescribed += 1;
            return Ok(None);
        };
        let data = match self.codec {
            Codec::Vp9 => frame.data,
            Codec::Av1(_) => av1_without_delimiter(frame.data),
        };
        let length = frame.usual_nanos.and_then(|nanos| u32::try_from(nanos / 1_000 * 9 / 100).ok());
        Ok(Some(Sample { dts, shown_after: 0, length, key: frame.key, entry, part, data: data.to_vec() }))
    }

    /// A new entry, where a key frame's headers are others than before.
    fn describe(&mut self, frame: &[u8], usual_nanos: Option<u64>) -> Result<(), String> {
        let entry = match &self.codec {
            Codec::Vp9 => vp9_entry(frame, usual_nanos)?,
            Codec::Av1(known) => {
                let record = av1_record(frame).or_else(|| known.clone());
                let units = record.as_ref().and_then(|record| record.get(RECORD_HEAD..));
                let units = units.ok_or("a key frame without a sequence header, and no record of one")?;
                let config = Av1SampleEntryConfig { initial_presentation_delay_minus_one: None };
                let built = build_av01_box_from_config_obus(units, &config);
                SampleEntry::Av01(built.map_err(|error| error.to_string())?)
            }
        };
        if self.entries.last() != Some(&entry) {
            self.entries.push(entry);
        }
        Ok(())
    }
}

fn vp9_entry(frame: &[u8], usual_nanos: Option<u64>) -> Result<SampleEntry, String> {
    let header = parse_frame_header(frame).map_err(|error| error.to_string())?;
    let Vp9FrameSize::Resolved { width, height } = header.frame_size else {
        return Err("a key frame that does not tell its size".to_owned());
    };
    let side = |side: u32| u16::try_from(side).map_err(|_| format!("{width}x{height} is too large"));
    let point = |of: fn(ColourSpace) -> u8| WebmVideo::Vp9.colour(frame).map_or(ColourSpace::UNSPECIFIED, of);
    let config = Vp9SampleEntryConfig {
        level: vp9_level(width, height, usual_nanos),
        colour_primaries: point(|colour| colour.primaries),
        transfer_characteristics: point(|colour| colour.transfer),
        matrix_coefficients: point(|colour| colour.matrix),
        width: side(width)?,
        height: side(height)?,
    };
    build_vp09_box(&header, &config).map(SampleEntry::Vp09).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_size_is_another_entry_and_the_same_is_none() {
        let mut pictures = WebmPictures::of(WebmVideo::Vp9, None).unwrap();
        // Key frames of profile 0, whose sizes are 320x180 and 320x182; then one that refers to others.
        let key = |last: u8| {
            [0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0b, last, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        };
        for frame in [key(0x30), key(0x30), key(0x50), key(0x50)] {
            pictures.describe(&frame, None).unwrap();
        }
        let sizes: Vec<_> = pictures.entries().iter().filter_map(SampleEntry::video_resolution).collect();
        assert_eq!(sizes, [(320, 180), (320, 182)]);
        assert!(pictures.describe(&[0x86, 0, 0, 0], None).is_err(), "no size");
        assert!(pictures.describe(&[], None).is_err());
        assert!(WebmPictures::of(WebmVideo::Vp8, None).is_none());
    }

    #[test]
    fn av1_is_described_by_its_record_where_frames_do_not() {
        let without = [0x32, 0x02, 0x10, 0x00];
        let record =
            [0x81, 0x00, 0x0c, 0x00, 0x0a, 0x0b, 0, 0, 0, 0x04, 0x3c, 0xfe, 0xcc, 0xda, 0xf9, 0, 0x40];
        let mut pictures = WebmPictures::of(WebmVideo::Av1, Some(record.to_vec())).unwrap();
        pictures.describe(&without, None).unwrap();
        pictures.describe(&[&record[RECORD_HEAD..], &without].concat(), None).unwrap();
        let sizes: Vec<_> = pictures.entries().iter().filter_map(SampleEntry::video_resolution).collect();
        assert_eq!(sizes, [(320, 180)], "the same by both");
        let mut pictures = WebmPictures::of(WebmVideo::Av1, None).unwrap();
        assert!(pictures.describe(&without, None).is_err());
    }
}
