//! Access units against what they allow, per codec.

use super::sample_units::*;
use super::*;

const KEY: RandomAccess = RandomAccess::Key;
const REFRESH: RandomAccess = RandomAccess::Recovery;
const NO: RandomAccess = RandomAccess::None;

fn facts(random_access: RandomAccess, size: Option<(u32, u32)>) -> Option<UnitFacts> {
    let video_format = size.map(|(width, height)| VideoFormat { width, height, profile: None });
    Some(UnitFacts { random_access, video_format })
}

/// Profiles have their own tests.
fn without_profile(mut facts: UnitFacts) -> UnitFacts {
    if let Some(format) = &mut facts.video_format {
        format.profile = None;
    }
    facts
}

/// What the case is about, its units, and what must come of them.
type Case<'a> = (&'a str, &'a [&'a [u8]], Option<UnitFacts>);

fn check(codec: VideoCodec, cases: &[Case<'_>]) {
    for (what, units, expected) in cases {
        let facts = AccessUnitProbe::new(codec).examine(&stream(units)).map(without_profile);
        assert_eq!(facts, *expected, "{codec}: {what}");
    }
}

#[test]
fn h264_units_are_decided_by_their_first_slice() {
    let hd = Some((1920, 1080));
    check(
        VideoCodec::H264,
        &[
            ("IDR with everything", &[AUD, SPS_1080, PPS, SEI_KEY, IDR], facts(KEY, hd)),
            ("IDR alone", &[IDR], facts(KEY, None)),
            ("High profile with cropping", &[SPS_HIGH_362, PPS, IDR], facts(KEY, Some((640, 362)))),
            ("P", &[AUD, P], facts(NO, None)),
            ("a P with parameter sets is no key frame", &[AUD, SPS_1080, PPS, P], facts(NO, hd)),
            ("recovery point, count 0", &[AUD, SEI_KEY, P], facts(KEY, None)),
            ("recovery point, count 20", &[AUD, SEI_REFRESH, P], facts(REFRESH, None)),
            ("recovery point behind escaped user data", &[AUD, SEI_ESCAPED, P], facts(KEY, None)),
            ("IDR outranks the SEI", &[AUD, SEI_REFRESH, IDR], facts(KEY, None)),
            ("data partition A", &[AUD, &[0x42, 0x80]], facts(NO, None)),
            ("the rest of the unit before", &[P_SECOND, IDR_SECOND, AUD, IDR], facts(KEY, None)),
            ("the unit before without AUD after it", &[IDR_SECOND, P], facts(NO, None)),
            ("first slice lost after AUD", &[AUD, P_SECOND], facts(NO, None)),
            ("the first of two decides", &[AUD, P, AUD, IDR], facts(NO, None)),
            (
                "slices of other layers decide nothing",
                &[&[0x74, 0x80], &[0x75, 0x80], AUD, IDR],
                facts(KEY, None),
            ),
            ("forbidden bit", &[&[0xe5, 0x88], &[0x41, 0x9a]], facts(NO, None)),
            (
                "a prefix before a later slice starts nothing",
                &[&[0x6e, 0x40], IDR_SECOND, P],
                facts(NO, None),
            ),
            ("no slice", &[AUD, SPS_1080, PPS], None),
            ("only the rest of a unit", &[P_SECOND, P_SECOND], None),
            ("slice without its second byte", &[AUD, &[0x65]], None),
            ("SPS cut short", &[&SPS_1080[..6], IDR], facts(KEY, None)),
        ],
    );
}

#[test]
fn h265_units_are_decided_by_their_first_slice() {
    let hd = Some((1920, 1080));
    check(
        VideoCodec::H265,
        &[
            ("IDR with parameter set", &[HEVC_AUD, HEVC_SPS, HEVC_IDR], facts(KEY, hd)),
            ("CRA", &[HEVC_CRA], facts(KEY, None)),
            ("sub layers and 4:4:4 cropping", &[HEVC_SPS_LAYERS, HEVC_CRA], facts(KEY, Some((61, 30)))),
            ("trailing picture", &[HEVC_AUD, HEVC_TRAIL], facts(NO, None)),
            ("recovery point, count 0", &[HEVC_AUD, HEVC_SEI_KEY, HEVC_TRAIL], facts(KEY, None)),
            ("recovery point, count 20", &[HEVC_AUD, HEVC_SEI_REFRESH, HEVC_TRAIL], facts(REFRESH, None)),
            ("IRAP outranks the SEI", &[HEVC_SEI_REFRESH, HEVC_IDR], facts(KEY, None)),
            ("the rest of the unit before", &[HEVC_TRAIL_SECOND, HEVC_IDR], facts(KEY, None)),
            ("another layer", &[HEVC_IDR_LAYER_1, HEVC_TRAIL], facts(NO, None)),
            ("suffix SEI belongs to the unit before", &[&[0x50, 0x01, 0x80], HEVC_TRAIL_SECOND], None),
            ("slice without its third byte", &[HEVC_AUD, &[0x26, 0x01]], None),
            ("temporal id 0 is forbidden", &[&[0x26, 0x00, 0x80], HEVC_TRAIL], facts(NO, None)),
        ],
    );
}

#[test]
fn mpeg2_i_pictures_are_key_after_a_sequence_header() {
    let sd = Some((720, 576));
    check(
        VideoCodec::Mpeg2,
        &[
            ("sequence, extension, GOP, I", &[SEQUENCE, SEQUENCE_EXT, GOP, I_PICTURE], facts(KEY, sd)),
            ("MPEG-1: no extension", &[SEQUENCE, I_PICTURE], facts(KEY, sd)),
            ("size extension", &[SEQUENCE, SEQUENCE_EXT_LARGE, I_PICTURE], facts(KEY, Some((4816, 8768)))),
            ("I without sequence header", &[GOP, I_PICTURE], facts(NO, None)),
            ("P", &[P_PICTURE], facts(NO, None)),
            ("P after a sequence header", &[SEQUENCE, SEQUENCE_EXT, P_PICTURE], facts(NO, sd)),
            ("the rest of the unit before", &[PICTURE_EXT, MPEG2_SLICE, SEQUENCE, I_PICTURE], facts(KEY, sd)),
            ("size 0 is forbidden", &[&[0xb3, 0, 0, 0, 0x13], I_PICTURE], facts(KEY, None)),
            ("picture header cut off", &[SEQUENCE, &I_PICTURE[..2]], None),
        ],
    );
}

#[test]
fn conclude_gives_what_is_known_and_no_random_access() {
    let mut probe = AccessUnitProbe::new(VideoCodec::H264);
    let headers = stream(&[AUD, SEI_KEY, SPS_1080]);
    assert_eq!(probe.examine(&headers), None);
    assert_eq!(Some(without_profile(probe.conclude(&headers))), facts(NO, Some((1920, 1080))));

    probe.reset();
    let key = stream(&[AUD, IDR]);
    assert_eq!(probe.examine(&key), facts(KEY, None), "nothing stays of the packet before");
    assert_eq!(Some(probe.conclude(&key)), facts(KEY, None));
    assert_eq!(Some(AccessUnitProbe::new(VideoCodec::H265).conclude(&[])), facts(NO, None));
}
