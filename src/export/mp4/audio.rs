//! Sound: AAC without its ADTS headers, Opus without the control headers of transport streams.

use shiguredo_mp4::bitstream::opus::{ChannelCount, OpusSampleEntryConfig, build_opus_box};
use shiguredo_mp4::boxes::{AudioSampleEntryFields, EsdsBox, Mp4aBox, SampleEntry};
use shiguredo_mp4::descriptors::{
    DecoderConfigDescriptor, DecoderSpecificInfo, EsDescriptor, SlConfigDescriptor,
};
use shiguredo_mp4::{FixedPointNumber, Uint};

use super::sample::{Sample, scaled};
use crate::media::{AdtsHeader, AudioCodec, OpusHead, OpusUnit, opus_channels, opus_samples};

/// Opus is always counted at 48 kHz.
const OPUS_RATE: u32 = 48_000;

/// Reads one audio stream.
#[derive(Debug)]
pub struct Audio {
    codec: Codec,
    /// Of the first frame, as long as the track lasts; 0 before that.
    timescale: u32,
    entries: Vec<SampleEntry>,
    /// Where the next frame goes on.
    next: Option<i64>,
    /// The begin of a frame that goes on in the next PES packet.
    rest: Vec<u8>,
    /// Bytes that were no frame.
    pub skipped: u64,
}

#[derive(Debug)]
enum Codec {
    /// With the configuration of the newest entry.
    Aac(Option<[u8; 2]>),
    /// In units with control headers.
    Opus,
    /// Bare, with what describes them.
    OpusPackets(OpusHead),
}

/// A frame of sound.
struct Frame<'a> {
    /// Bytes of the stream that it takes.
    len: usize,
    data: &'a [u8],
    /// Samples per second, and in the frame.
    rate: u32,
    samples: u32,
}

impl Audio {
    /// For a codec that is written here.
    pub fn of(codec: AudioCodec) -> Option<Self> {
        let codec = match codec {
            AudioCodec::Aac => Codec::Aac(None),
            AudioCodec::Opus => Codec::Opus,
            AudioCodec::MpegAudio | AudioCodec::Ac3 => return None,
        };
        Some(Self::new(codec))
    }

    /// For Opus whose packets come one by one.
    pub fn of_packets(head: OpusHead) -> Self {
        Self::new(Codec::OpusPackets(head))
    }

    fn new(codec: Codec) -> Self {
        Self { codec, timescale: 0, entries: Vec::new(), next: None, rest: Vec::new(), skipped: 0 }
    }

    /// What describes the samples so far.
    pub fn entries(&self) -> &[SampleEntry] {
        &self.entries
    }

    /// Units of its times a second; 0 before the first frame.
    pub fn timescale(&self) -> u32 {
        self.timescale
    }

    /// Makes a sample of each frame that is whole with these bytes. `stamp`, in ticks of 90 kHz, is the time of the first frame
    /// that begins in them.
    ///
    /// # Errors
    /// Why its parameters make no sample entry.
    pub fn take(
        &mut self,
        mut stamp: Option<i64>,
        data: &[u8],
        part: u64,
        out: &mut Vec<Sample>,
    ) -> Result<(), String> {
        let mut bytes = std::mem::take(&mut self.rest);
        let stamped = bytes.len();
        bytes.extend_from_slice(data);
        let mut at = 0;
        while let Some(left) = bytes.get(at..).filter(|left| !left.is_empty()) {
            let Some(frame) = self.frame(left) else {
                if self.may_be_a_begin(left) {
                    break;
                }
                let is_packet = matches!(self.codec, Codec::OpusPackets(_));
                let skipped = if is_packet { left.len() } else { 1 };
                at += skipped;
                self.skipped += skipped as u64;
                continue;
            };
            let entry = self.describe(left, &frame)?;
            if self.timescale == 0 {
                self.timescale = frame.rate;
            }
            if let Some(ticks) = stamp.filter(|_| at >= stamped) {
                self.set(scaled(ticks, self.timescale), frame.samples);
                stamp = None;
            }
            if let Some(dts) = self.next {
                let samples = i64::from(frame.samples);
                let length = if frame.rate == self.timescale {
                    samples
                } else {
                    samples * i64::from(self.timescale) / i64::from(frame.rate.max(1))
                };
                self.next = Some(dts + length);
                let length = u32::try_from(length).ok();
                let data = frame.data.to_vec();
                out.push(Sample { dts, shown_after: 0, length, key: true, entry, part, data });
            }
            at += frame.len;
        }
        bytes.drain(..at);
        self.rest = bytes;
        Ok(())
    }

    /// A stamp that is off by less than half a frame is a rounding, and the count goes on.
    fn set(&mut self, stamped: i64, samples: u32) {
        let near = |next: &i64| (stamped - next).abs() <= i64::from(samples / 2);
        self.next = Some(self.next.filter(near).unwrap_or(stamped));
    }

    fn frame<'a>(&self, bytes: &'a [u8]) -> Option<Frame<'a>> {
        match &self.codec {
            Codec::Aac(_) => {
                let header = AdtsHeader::parse(bytes)?;
                let data = bytes.get(header.len..header.frame_len)?;
                Some(Frame { len: header.frame_len, data, rate: header.sample_rate, samples: header.samples })
            }
            Codec::Opus => {
                let unit = OpusUnit::parse(bytes)?;
                let samples = opus_samples(unit.packet)?;
                Some(Frame {
                    len: bytes.len() - unit.rest.len(),
                    data: unit.packet,
                    rate: OPUS_RATE,
                    samples,
                })
            }
            Codec::OpusPackets(_) => {
                let samples = opus_samples(bytes)?;
                Some(Frame { len: bytes.len(), data: bytes, rate: OPUS_RATE, samples })
            }
        }
    }

    /// Whether more bytes might make a frame of these.
    fn may_be_a_begin(&self, bytes: &[u8]) -> bool {
        match self.codec {
            Codec::Aac(_) => match AdtsHeader::parse(bytes) {
                Some(header) => bytes.len() < header.frame_len,
                None => bytes.len() < AdtsHeader::MIN_LEN && bytes.first() == Some(&0xff),
            },
            // An access unit never goes over two PES packets.
            Codec::Opus | Codec::OpusPackets(_) => false,
        }
    }

    /// The entry that describes a frame.
    fn describe(&mut self, bytes: &[u8], frame: &Frame<'_>) -> Result<usize, String> {
        match &mut self.codec {
            Codec::Aac(known) => {
                let header = AdtsHeader::parse(bytes).ok_or("a frame without a header")?;
                let config = config(&header);
                if *known != Some(config) {
                    let channels = header.channels().ok_or("the channels stand in the frames alone")?;
                    self.entries.push(aac_entry(config, header.sample_rate, channels));
                    *known = Some(config);
                }
            }
            Codec::Opus if self.entries.is_empty() => {
                let pre_skip = OpusUnit::parse(bytes).map_or(0, |unit| unit.start_trim);
                self.entries.push(opus_entry(opus_channels(frame.data), pre_skip, OPUS_RATE, 0));
            }
            Codec::OpusPackets(head) if self.entries.is_empty() => {
                if head.mapping_family != 0 {
                    return Err(format!("{} channels of Opus in several streams", head.channels));
                }
                let OpusHead { channels, pre_skip, input_sample_rate, output_gain, .. } = *head;
                self.entries.push(opus_entry(Some(channels), pre_skip, input_sample_rate, output_gain));
            }
            Codec::Opus | Codec::OpusPackets(_) => {}
        }
        Ok(self.entries.len() - 1)
    }
}

fn opus_entry(channels: Option<u8>, pre_skip: u16, input_sample_rate: u32, output_gain: i16) -> SampleEntry {
    let channel_count = if channels == Some(1) { ChannelCount::Mono } else { ChannelCount::Stereo };
    let config = OpusSampleEntryConfig { channel_count, pre_skip, input_sample_rate, output_gain };
    SampleEntry::Opus(build_opus_box(&config))
}

/// AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1): object type, rate, channels, and three zero flags.
fn config(header: &AdtsHeader) -> [u8; 2] {
    let bits = u16::from(header.object_type) << 11
        | u16::from(header.rate_index) << 7
        | u16::from(header.channel_configuration) << 3;
    bits.to_be_bytes()
}

/// By hand: the crate's builder takes AAC LC alone.
fn aac_entry(config: [u8; 2], rate: u32, channels: u8) -> SampleEntry {
    let audio = AudioSampleEntryFields {
        data_reference_index: AudioSampleEntryFields::DEFAULT_DATA_REFERENCE_INDEX,
        channelcount: u16::from(channels),
        samplesize: AudioSampleEntryFields::DEFAULT_SAMPLESIZE,
        // 96 and 88.2 kHz have no room here, and stand in the configuration alone.
        samplerate: FixedPointNumber::new(u16::try_from(rate).unwrap_or(0), 0),
    };
    let es = EsDescriptor {
        es_id: EsDescriptor::MIN_ES_ID,
        stream_priority: EsDescriptor::LOWEST_STREAM_PRIORITY,
        depends_on_es_id: None,
        url_string: None,
        ocr_es_id: None,
        dec_config_descr: DecoderConfigDescriptor {
            object_type_indication: DecoderConfigDescriptor::OBJECT_TYPE_INDICATION_AUDIO_ISO_IEC_14496_3,
            stream_type: DecoderConfigDescriptor::STREAM_TYPE_AUDIO,
            up_stream: DecoderConfigDescriptor::UP_STREAM_FALSE,
            buffer_size_db: Uint::new(0),
            max_bitrate: 0,
            avg_bitrate: 0,
            dec_specific_info: Some(DecoderSpecificInfo { payload: config.to_vec() }),
        },
        sl_config_descr: SlConfigDescriptor,
    };
    SampleEntry::Mp4a(Mp4aBox { audio, esds_box: EsdsBox { es }, unknown_boxes: Vec::new() })
}
