//! What holds for the probe whatever the bytes are, and the sizes against those that `h264-reader` reads.

use proptest::prelude::*;

use super::sample_units::*;
use super::*;

/// What the crate would say, and it says nothing of sets it finds fault with.
fn size_by_h264_reader(nal: &[u8]) -> Option<VideoFormat> {
    let rbsp = h264_reader::rbsp::decode_nal(nal).ok()?;
    let bits = h264_reader::rbsp::BitReader::new(rbsp.as_ref());
    let sps = h264_reader::nal::sps::SeqParameterSet::from_bits(bits).ok()?;
    // This project refuses a chroma format that no standard knows; the crate does not.
    let known = sps.chroma_info.chroma_format.to_u32() <= 3;
    let (width, height) = sps.pixel_dimensions().ok().filter(|_| known)?;
    let profile = VideoProfile::H264 {
        profile: sps.profile_idc.into(),
        constraints: sps.constraint_flags.into(),
        level: sps.level_idc,
    };
    VideoFormat::checked(width, height, Some(profile))
}

fn size_of(nal: &[u8]) -> Option<VideoFormat> {
    let mut headers = access_unit::Headers::default();
    h264::read(nal, &mut headers);
    headers.format
}

#[test]
fn a_level_too_low_for_the_size_does_not_hide_the_size() {
    let mut sps = SPS_1080.to_vec();
    sps[3] = 30;
    assert_eq!(size_by_h264_reader(&sps), None);
    let format = size_of(&sps).unwrap();
    assert_eq!((format.width, format.height), (1920, 1080));
    assert!(format.codec_string().unwrap().ends_with("1e"), "level 3.0");
}

fn codec() -> impl Strategy<Value = VideoCodec> {
    prop_oneof![Just(VideoCodec::H264), Just(VideoCodec::H265), Just(VideoCodec::Mpeg2)]
}

fn pick(units: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    proptest::sample::select(units).prop_map(<[u8]>::to_vec)
}

/// Streams that are nearly right: whole units, units cut off, and noise rich in zeros and ones.
fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    const UNITS: &[&[u8]] = &[
        SPS_1080,
        SPS_HIGH_362,
        PPS,
        AUD,
        SEI_KEY,
        SEI_REFRESH,
        SEI_ESCAPED,
        IDR,
        P,
        P_SECOND,
        IDR_SECOND,
        HEVC_SPS,
        HEVC_SPS_LAYERS,
        HEVC_AUD,
        HEVC_SEI_KEY,
        HEVC_SEI_REFRESH,
        HEVC_IDR,
        HEVC_CRA,
        HEVC_TRAIL,
        HEVC_TRAIL_SECOND,
        HEVC_IDR_LAYER_1,
        SEQUENCE,
        SEQUENCE_EXT,
        SEQUENCE_EXT_LARGE,
        GOP,
        I_PICTURE,
        P_PICTURE,
        PICTURE_EXT,
        MPEG2_SLICE,
    ];
    let noise = proptest::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..12);
    let cut = (pick(UNITS), any::<prop::sample::Index>()).prop_map(|(mut unit, at)| {
        unit.truncate(at.index(unit.len()));
        unit
    });
    let part = (any::<bool>(), prop_oneof![4 => pick(UNITS), 1 => cut, 1 => noise]);
    proptest::collection::vec(part, 0..8).prop_map(|parts| {
        let start_code = |zero: bool| if zero { vec![0, 0, 0, 1] } else { vec![0, 0, 1] };
        parts.into_iter().flat_map(|(zero, unit)| [start_code(zero), unit]).flatten().collect()
    })
}

proptest! {
    #[test]
    fn a_prefix_decides_nothing_else_than_the_whole(codec in codec(), bytes in any_stream()) {
        let whole = AccessUnitProbe::new(codec).examine(&bytes);
        for end in 0..bytes.len() {
            let early = AccessUnitProbe::new(codec).examine(&bytes[..end]);
            prop_assert!(early.is_none() || early == whole, "{end} bytes: {early:?}, all: {whole:?}");
        }
    }

    #[test]
    fn growing_in_any_steps_gives_the_same_as_at_once(
        codec in codec(),
        bytes in any_stream(),
        steps in proptest::collection::vec(0usize..20, 0..30),
    ) {
        let mut grown = AccessUnitProbe::new(codec);
        let mut end = 0;
        for step in steps {
            end = bytes.len().min(end + step);
            let at_once = AccessUnitProbe::new(codec).examine(&bytes[..end]);
            prop_assert_eq!(grown.examine(&bytes[..end]), at_once);
        }
        prop_assert_eq!(grown.examine(&bytes), AccessUnitProbe::new(codec).examine(&bytes));
        prop_assert_eq!(grown.conclude(&bytes), AccessUnitProbe::new(codec).conclude(&bytes));
    }

    #[test]
    fn arbitrary_bytes_never_panic(codec in codec(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        AccessUnitProbe::new(codec).conclude(&bytes);
        for audio in [AudioCodec::Aac, AudioCodec::MpegAudio, AudioCodec::Ac3, AudioCodec::Opus] {
            audio.format(&bytes);
        }
    }

    #[test]
    fn arbitrary_parameter_sets_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        for (codec, header) in [(VideoCodec::H264, [0x67, 0x64]), (VideoCodec::H265, [0x42, 0x01])] {
            AccessUnitProbe::new(codec).conclude(&stream(&[[header.as_slice(), &bytes].concat().as_slice()]));
        }
    }

    #[test]
    fn the_size_is_what_h264_reader_reads_where_it_reads_one(
        sps in prop_oneof![Just(SPS_1080), Just(SPS_HIGH_362)],
        flips in proptest::collection::vec((1usize..16, 0u8..8), 0..4),
    ) {
        let mut sps = sps.to_vec();
        for (at, bit) in flips {
            sps[at] ^= 1 << bit;
        }
        if let Some(expected) = size_by_h264_reader(&sps) {
            prop_assert_eq!(size_of(&sps), Some(expected));
        }
    }
}
