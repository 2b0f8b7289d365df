//! AAC in ADTS frames (ISO/IEC 13818-7 section 6.2, ISO/IEC 14496-3 section 1.A.3.2).

use super::bits::BitReader;
use super::{AudioFormat, AudioProfile};

/// By `sampling_frequency_index`; 13 to 15 are reserved.
const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// By `channel_configuration`. With 0 the channels stand in the frame's body, which is not read.
const CHANNELS: [Option<u8>; 8] = [None, Some(1), Some(2), Some(3), Some(4), Some(5), Some(6), Some(8)];

/// Samples of a raw data block.
const BLOCK_SAMPLES: u32 = 1024;

/// The header of an ADTS frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdtsHeader {
    /// Bytes of the header, its checksum included.
    pub len: usize,
    /// Bytes of the frame, its header included.
    pub frame_len: usize,
    /// `audioObjectType` of MPEG-4: 1 Main, 2 LC, 3 SSR, 4 LTP.
    pub object_type: u8,
    /// `sampling_frequency_index`.
    pub rate_index: u8,
    /// Samples per second.
    pub sample_rate: u32,
    /// `channel_configuration`; 0 where the channels stand in the frame's body.
    pub channel_configuration: u8,
    /// Samples of each channel in the frame.
    pub samples: u32,
}

impl AdtsHeader {
    /// The shortest header.
    pub const MIN_LEN: usize = 7;

    /// The header at byte 0, if one stands there.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, d, e, f, g] = bytes.first_chunk()?;
        let layer = (b >> 1) & 3;
        if a != 0xff || b >> 4 != 0xf || layer != 0 {
            return None;
        }
        let len = if b & 1 == 1 { Self::MIN_LEN } else { 9 };
        let frame_len = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f) >> 5;
        let rate_index = (c >> 2) & 0xf;
        let sample_rate = *SAMPLE_RATES.get(usize::from(rate_index))?;
        (frame_len >= len).then_some(Self {
            len,
            frame_len,
            object_type: (c >> 6) + 1,
            rate_index,
            sample_rate,
            channel_configuration: (c & 1) << 2 | d >> 6,
            samples: BLOCK_SAMPLES * (u32::from(g & 3) + 1),
        })
    }

    /// Channels; `None` where the header does not tell.
    pub fn channels(&self) -> Option<u8> {
        *CHANNELS.get(usize::from(self.channel_configuration))?
    }
}

/// AAC whose frames come raw (`AudioSpecificConfig`, ISO/IEC 14496-3 section 1.6.2.1), as far as ADTS can say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AacConfig {
    object_type: u8,
    rate_index: u8,
    channel_configuration: u8,
}

impl AacConfig {
    /// Reads the record. Of HE-AAC it is the core that counts: its extension stands in the frames.
    ///
    /// # Errors
    /// Why there can be no ADTS header of it.
    pub fn parse(record: &[u8]) -> Result<Self, &'static str> {
        const SHORT: &str = "the AudioSpecificConfig is cut off";
        /// SBR, and PS with it: the core's type follows.
        const EXTENSIONS: [u32; 2] = [5, 29];
        let mut bits = BitReader::plain(record);
        let mut object_type = object_type(&mut bits).ok_or(SHORT)?;
        let rate_index = rate_index(&mut bits)?;
        let channels = bits.u(4).ok_or(SHORT)?;
        if EXTENSIONS.contains(&object_type) {
            rate_index_of_extension(&mut bits).ok_or(SHORT)?;
            object_type = self::object_type(&mut bits).ok_or(SHORT)?;
        }
        let narrow = |number| u8::try_from(number).unwrap_or(u8::MAX);
        let (object_type, channel_configuration) = (narrow(object_type), narrow(channels));
        if !(1..=4).contains(&object_type) {
            return Err("its object type has no place in ADTS: only Main, LC, SSR and LTP have");
        }
        if !(1..=7).contains(&channel_configuration) {
            return Err("its channels have no number in ADTS: only 1 to 6 and 8 have");
        }
        Ok(Self { object_type, rate_index, channel_configuration })
    }

    /// The header of a frame of so many raw bytes; `None` where they are too many.
    pub fn header(self, frame: usize) -> Option<[u8; AdtsHeader::MIN_LEN]> {
        let len = u64::try_from(frame + AdtsHeader::MIN_LEN).ok().filter(|len| *len < 1 << 13)?;
        let kind = u64::from(self.object_type - 1) << 14
            | u64::from(self.rate_index) << 10
            | u64::from(self.channel_configuration) << 6;
        // Sync word, MPEG-4, no checksum; buffer fullness of a variable rate, one block.
        let bits = 0xfff1 << 40 | kind << 24 | len << 13 | 0x7ff << 2;
        let [_, header @ ..] = bits.to_be_bytes();
        Some(header)
    }
}

fn object_type(bits: &mut BitReader<'_>) -> Option<u32> {
    match bits.u(5)? {
        31 => Some(32 + bits.u(6)?),
        kind => Some(kind),
    }
}

fn rate_index_of_extension(bits: &mut BitReader<'_>) -> Option<()> {
    match bits.u(4)? {
        15 => bits.skip(24),
        _ => Some(()),
    }
}

fn rate_index(bits: &mut BitReader<'_>) -> Result<u8, &'static str> {
    const UNKNOWN: &str = "its sample rate has no number in ADTS";
    let index = bits.u(4).ok_or(UNKNOWN)?;
    let index = match index {
        15 => {
            let rate = bits.u(24).ok_or(UNKNOWN)?;
            SAMPLE_RATES.iter().position(|known| *known == rate).ok_or(UNKNOWN)?
        }
        index => usize::try_from(index).unwrap_or(usize::MAX),
    };
    u8::try_from(index).ok().filter(|_| index < SAMPLE_RATES.len()).ok_or(UNKNOWN)
}

/// The format in the ADTS header at byte 0.
pub(super) fn format(payload: &[u8]) -> Option<AudioFormat> {
    let header = AdtsHeader::parse(payload)?;
    let profile = AudioProfile::Aac(header.object_type);
    Some(AudioFormat { sample_rate: header.sample_rate, channels: header.channels()?, profile })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// sync FFF, MPEG-4, layer 0, no CRC | AAC LC, rate index, private bit 0, channels | 4 bits of
    /// copyright and home 0 | frame length in 13 bits | buffer fullness 7FF, one block.
    fn header(rate_index: u64, channels: u64, frame_length: u64) -> [u8; 7] {
        let bits =
            0xfff1 << 40 | 1 << 38 | rate_index << 34 | channels << 30 | frame_length << 13 | 0x7ff << 2;
        let [_, header @ ..] = bits.to_be_bytes();
        header
    }

    fn some(sample_rate: u32, channels: u8) -> Option<AudioFormat> {
        Some(AudioFormat { sample_rate, channels, profile: AudioProfile::Aac(2) })
    }

    #[test]
    fn rates_and_channels_are_those_of_the_tables() {
        let cases = [
            ("48 kHz stereo", header(3, 2, 300), some(48_000, 2)),
            ("44.1 kHz mono", header(4, 1, 7), some(44_100, 1)),
            ("5.1", header(3, 6, 8191), some(48_000, 6)),
            ("7.1", header(12, 7, 300), some(7_350, 8)),
            ("channels in the body", header(3, 0, 300), None),
            ("reserved rate", header(13, 2, 300), None),
            ("rate written out, which ADTS cannot", header(15, 2, 300), None),
            ("shorter than its header", header(3, 2, 6), None),
        ];
        for (what, bytes, format) in cases {
            assert_eq!(super::format(&bytes), format, "{what}");
        }
        // The first header of ffmpeg's `-f lavfi -i sine=sample_rate=44100 -ac 2 -c:a aac -f adts`.
        assert_eq!(super::format(&[0xff, 0xf1, 0x50, 0x80, 0x2b, 0x3f, 0xfc]), some(44_100, 2));
    }

    #[test]
    fn raw_frames_get_the_header_that_their_configuration_asks_for() {
        let header = |record: &[u8]| AacConfig::parse(record).map(|config| config.header(293).unwrap());
        // LC at 48 kHz, two channels; HE-AAC of 24 kHz, whose extension is at 48; a rate that is written out.
        assert_eq!(header(&[0x11, 0x90]), Ok(super::tests::header(3, 2, 300)));
        assert_eq!(header(&[0x2b, 0x11, 0x88, 0]), Ok(super::tests::header(6, 2, 300)));
        assert_eq!(header(&[0x17, 0x80, 0x5d, 0xc0, 0x10]), Ok(super::tests::header(3, 2, 300)));
        for bad in
            [&[][..], &[0x11], &[0x16, 0x90], &[0x11, 0x80], &[0x45, 0x90, 0], &[0x17, 0x80, 0, 2, 0x10]]
        {
            assert!(AacConfig::parse(bad).is_err(), "{bad:x?}");
        }
        let config = AacConfig::parse(&[0x11, 0x90]).unwrap();
        assert_eq!((config.header(8184).is_some(), config.header(8185)), (true, None));
    }

    #[test]
    fn only_a_whole_header_at_byte_0_counts() {
        let good = header(3, 2, 300);
        assert_eq!(super::format(&good[..6]), None);
        assert_eq!(super::format(&[&[0], good.as_slice()].concat()), None);
        for (at, bit) in [(0, 0x01), (1, 0x80), (1, 0x02), (1, 0x04)] {
            let mut bad = good;
            bad[at] ^= bit;
            assert_eq!(super::format(&bad), None, "byte {at}, bit {bit:#x}");
        }
    }
}
