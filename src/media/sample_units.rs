//! Units of access units, made by hand for the tests.
//!
//! The parameter sets are those that ffmpeg 5.1 wrote with libx264, libx265 and mpeg2video for `testsrc2`
//! of the size named; everything else is written out bit by bit beside it.

/// libx264 `-preset ultrafast`, 1920x1080: 1088 lines, of which 8 are cropped.
pub(super) const SPS_1080: &[u8] = &[
    0x67, 0x42, 0xc0, 0x28, 0xda, 0x01, 0xe0, 0x08, 0x9f, 0x97, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x2a,
];
/// libx264 `-preset veryfast`, High profile, 640x362: all four numbers of the cropping are coded.
pub(super) const SPS_HIGH_362: &[u8] = &[
    0x67, 0x64, 0x00, 0x1e, 0xac, 0x56, 0x40, 0x28, 0x0b, 0xfe, 0x4c, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00,
    0x40, 0x00, 0x00, 0x0c, 0x83, 0xc5, 0x8b, 0x65, 0x80,
];
pub(super) const PPS: &[u8] = &[0x68, 0xce, 0x0f, 0xc8];
pub(super) const AUD: &[u8] = &[0x09, 0xf0];
/// Type 6, size 1: recovery_frame_cnt `1` (0), exact 1, broken 0, slice groups 00, stop bit.
pub(super) const SEI_KEY: &[u8] = &[0x06, 0x06, 0x01, 0xc4, 0x80];
/// Type 6, size 2: recovery_frame_cnt `000010101` (20), exact 1, broken 0, slice groups 00, stop bit.
pub(super) const SEI_REFRESH: &[u8] = &[0x06, 0x06, 0x02, 0x0a, 0xc4, 0x80];
/// User data (type 5) of the four bytes 00 00 01 AA, escaped, and the recovery point after it.
pub(super) const SEI_ESCAPED: &[u8] =
    &[0x06, 0x05, 0x04, 0x00, 0x00, 0x03, 0x01, 0xaa, 0x06, 0x01, 0xc4, 0x80];
/// Slices: type 5 or 1, then first_mb_in_slice `1` (0) or `010` (1).
pub(super) const IDR: &[u8] = &[0x65, 0x88, 0x84];
pub(super) const P: &[u8] = &[0x41, 0x9a, 0x21];
pub(super) const P_SECOND: &[u8] = &[0x41, 0x4a, 0x21];
pub(super) const IDR_SECOND: &[u8] = &[0x65, 0x48, 0x84];

/// libx265 `-preset ultrafast`, 1920x1080: 1088 lines, of which the conformance window takes 8.
pub(super) const HEVC_SPS: &[u8] = &[
    0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00,
    0x78, 0xa0, 0x03, 0xc0, 0x80, 0x11, 0x07, 0xcb, 0x96, 0x56, 0x54, 0xa4, 0xc2, 0xf0, 0x16, 0x80, 0x80,
    0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x0c, 0x84,
];
/// 3 sub layers: level 5A in each of the first two, the first with 88 bits of profile, 6 x 2 bits reserved.
/// After them id `1`, chroma `00100` (3), separate planes 0, width `0000001000001` (64), height
/// `00000100001` (32), window 1: left, right, top, bottom `010 011 1 011` (1, 2, 0, 2).
#[rustfmt::skip]
pub(super) const HEVC_SPS_LAYERS: &[u8] = &[
    0x42, 0x01, 0x04, // vps id 0, max_sub_layers_minus1 2, nesting 0
    1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 90, // general profile and level
    0b1101_0000, 0, // present flags 11 01, then 12 bits reserved
    1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 90, // sub layer 0
    90, // sub layer 1
    0b1001_0000, 0b0000_0100, 0b0001_0000, 0b0100_0011, 0b0100_1110, 0b1100_0000,
];
pub(super) const HEVC_AUD: &[u8] = &[0x46, 0x01, 0x50];
/// Type 6, size 1: recovery_poc_cnt `1` (0), exact 1, broken 0, stop bit.
pub(super) const HEVC_SEI_KEY: &[u8] = &[0x4e, 0x01, 0x06, 0x01, 0xd0, 0x80];
/// Type 6, size 2: recovery_poc_cnt `00000101000` (20), exact 1, broken 0, stop bit.
pub(super) const HEVC_SEI_REFRESH: &[u8] = &[0x4e, 0x01, 0x06, 0x02, 0x05, 0x14, 0x80];
/// VCL units: type << 1, temporal id 0, first_slice_segment_in_pic_flag.
pub(super) const HEVC_IDR: &[u8] = &[0x26, 0x01, 0xaf];
pub(super) const HEVC_CRA: &[u8] = &[0x2a, 0x01, 0xaf];
pub(super) const HEVC_TRAIL: &[u8] = &[0x02, 0x01, 0xd0];
pub(super) const HEVC_TRAIL_SECOND: &[u8] = &[0x02, 0x01, 0x50];
pub(super) const HEVC_IDR_LAYER_1: &[u8] = &[0x26, 0x09, 0xaf];

/// mpeg2video, 720x576.
pub(super) const SEQUENCE: &[u8] = &[0xb3, 0x2d, 0x02, 0x40, 0x13, 0xff, 0xff, 0xe0, 0x18];
pub(super) const SEQUENCE_EXT: &[u8] = &[0xb5, 0x14, 0x8a, 0x00, 0x01, 0x00, 0x00];
/// As above, with horizontal_size_extension 01 and vertical_size_extension 10.
pub(super) const SEQUENCE_EXT_LARGE: &[u8] = &[0xb5, 0x14, 0x8a, 0xc0, 0x01, 0x00, 0x00];
pub(super) const GOP: &[u8] = &[0xb8, 0x00, 0x08, 0x00, 0x40];
/// temporal_reference 10 bits, picture_coding_type 001 or 010.
pub(super) const I_PICTURE: &[u8] = &[0x00, 0x00, 0x0f, 0xff, 0xf8];
pub(super) const P_PICTURE: &[u8] = &[0x00, 0x00, 0x57, 0xff, 0xfb, 0x80];
pub(super) const PICTURE_EXT: &[u8] = &[0xb5, 0x8f, 0xff, 0xf3, 0x41, 0x80];
pub(super) const MPEG2_SLICE: &[u8] = &[0x01, 0x2b, 0xf9];

/// Units behind start codes of four bytes, then of three, in turn.
pub(super) fn stream(units: &[&[u8]]) -> Vec<u8> {
    let start_codes = [[0, 0, 0, 1].as_slice(), &[0, 0, 1]].into_iter().cycle();
    start_codes.zip(units).flat_map(|(code, unit)| [code, unit]).flatten().copied().collect()
}
