//! H.264: where access units start, what they allow, and the pictures' format (ITU-T H.264 sections 7.3.1,
//! 7.3.2.1.1, 7.4.1.2.3 and D.1.8).
//!
//! The sequence parameter set is read here, up to its cropping, and not with a parser for all of it: one
//! that checks the whole set refuses a stream whose level is too low for its size or whose VUI is wrong.
//! Cameras send both, and a size is all that is wanted. The tests compare with `h264-reader`.

use super::access_unit::{Headers, Opening};
use super::bits::BitReader;
use super::{NalRole, RandomAccess, VideoFormat, VideoProfile, sei};

const SLICE: u8 = 1;
const SLICE_PARTITION_A: u8 = 2;
const SLICE_IDR: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;
const AUD: u8 = 9;

/// What the unit with that first byte is.
pub(super) fn role(first: u8) -> NalRole {
    let forbidden_zero_bit = first & 0x80 != 0;
    match first & 0x1f {
        _ if forbidden_zero_bit => NalRole::Other,
        SPS => NalRole::SequenceParameters,
        PPS => NalRole::PictureParameters,
        AUD => NalRole::Delimiter,
        SLICE..=SLICE_IDR => NalRole::Slice,
        _ => NalRole::Other,
    }
}

/// `unit` begins with the NAL unit header, and may be cut off anywhere.
pub(super) fn open(unit: &[u8], headers: &Headers) -> Opening {
    let Some(&header) = unit.first() else { return Opening::Incomplete };
    let forbidden_zero_bit = header & 0x80 != 0;
    match header & 0x1f {
        _ if forbidden_zero_bit => Opening::Other,
        kind @ (SLICE | SLICE_PARTITION_A | SLICE_IDR) => {
            let Some(&slice) = unit.get(1) else { return Opening::Incomplete };
            // The code of first_mb_in_slice 0 is a single set bit.
            let first_in_picture = slice & 0x80 != 0;
            match kind {
                _ if !first_in_picture && !headers.started => Opening::Other,
                SLICE_IDR => Opening::Decides(RandomAccess::Key),
                _ => Opening::Decides(headers.recovery),
            }
        }
        SEI | SPS => Opening::Read,
        // 14, the prefix of an SVC base layer slice, starts nothing by itself: it comes before each slice of
        // a picture, and the slice after it tells.
        PPS | AUD | 15..=18 => Opening::Starts,
        // Among them 20 and 21, the slices of other layers and views.
        _ => Opening::Other,
    }
}

/// Reads a whole SEI or SPS unit.
pub(super) fn read(unit: &[u8], headers: &mut Headers) {
    let Some((header, payload)) = unit.split_first() else { return };
    match header & 0x1f {
        SEI if headers.recovery == RandomAccess::None => {
            let recovery_frame_cnt = sei::recovery_point(payload).and_then(|mut reader| reader.ue());
            headers.recovery = sei::allows(recovery_frame_cnt.map(|count| count == 0));
        }
        SPS if headers.format.is_none() => headers.format = format(payload),
        _ => {}
    }
}

/// Reads a sequence parameter set without its NAL unit header.
fn format(payload: &[u8]) -> Option<VideoFormat> {
    let mut bits = BitReader::new(payload);
    let profile_idc = bits.byte(8)?;
    let (constraints, level) = (bits.byte(8)?, bits.byte(8)?);
    let profile = VideoProfile::H264 { profile: profile_idc, constraints, level };
    bits.ue()?; // seq_parameter_set_id
    let chroma = if has_chroma_info(profile_idc) { chroma_info(&mut bits)? } else { Chroma::YUV420 };
    bits.ue()?; // log2_max_frame_num_minus4
    skip_picture_order_count(&mut bits)?;
    bits.ue()?; // max_num_ref_frames
    bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
    let width_in_mbs = bits.ue()?.checked_add(1)?;
    let height_in_map_units = bits.ue()?.checked_add(1)?;
    let frame_mbs_only = bits.flag()?;
    if !frame_mbs_only {
        bits.skip(1)?; // mb_adaptive_frame_field_flag
    }
    bits.skip(1)?; // direct_8x8_inference_flag
    let fields = if frame_mbs_only { 1 } else { 2 };
    let width = width_in_mbs.checked_mul(16)?;
    let height = height_in_map_units.checked_mul(16 * fields)?;
    if !bits.flag()? {
        return VideoFormat::checked(width, height, Some(profile));
    }
    let (across, down) = bits.cropping(chroma.crop_unit_x, chroma.crop_unit_y * fields)?;
    VideoFormat::checked(width.checked_sub(across)?, height.checked_sub(down)?, Some(profile))
}

fn has_chroma_info(profile_idc: u8) -> bool {
    matches!(profile_idc, 44 | 83 | 86 | 100 | 110 | 118 | 122 | 128 | 134 | 135 | 138 | 139 | 244)
}

/// The steps of the cropping, in luma samples of a frame (table 6-1, equations 7-19 to 7-22).
struct Chroma {
    crop_unit_x: u32,
    crop_unit_y: u32,
}

impl Chroma {
    const YUV420: Self = Self { crop_unit_x: 2, crop_unit_y: 2 };
    const YUV422: Self = Self { crop_unit_x: 2, crop_unit_y: 1 };
    const FULL: Self = Self { crop_unit_x: 1, crop_unit_y: 1 };
}

fn chroma_info(bits: &mut BitReader<'_>) -> Option<Chroma> {
    let (chroma, scaling_lists) = match bits.ue()? {
        0 => (Chroma::FULL, 8),
        1 => (Chroma::YUV420, 8),
        2 => (Chroma::YUV422, 8),
        3 => {
            bits.skip(1)?; // separate_colour_plane_flag: three planes, each of full size
            (Chroma::FULL, 12)
        }
        _ => return None,
    };
    bits.ue()?; // bit_depth_luma_minus8
    bits.ue()?; // bit_depth_chroma_minus8
    bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
    let scaling_matrix_present = bits.flag()?;
    for list in 0..if scaling_matrix_present { scaling_lists } else { 0 } {
        if bits.flag()? {
            skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
        }
    }
    Some(chroma)
}

/// Section 7.3.2.1.1.1: once a scale is 0, the rest of the list is not coded.
fn skip_scaling_list(bits: &mut BitReader<'_>, size: u32) -> Option<()> {
    let mut scale = 8;
    for _ in 0..size {
        scale = (scale + bits.se()?.rem_euclid(256)) % 256;
        if scale == 0 {
            break;
        }
    }
    Some(())
}

fn skip_picture_order_count(bits: &mut BitReader<'_>) -> Option<()> {
    match bits.ue()? {
        0 => bits.ue().map(drop), // log2_max_pic_order_cnt_lsb_minus4
        1 => {
            bits.skip(1)?; // delta_pic_order_always_zero_flag
            bits.se()?; // offset_for_non_ref_pic
            bits.se()?; // offset_for_top_to_bottom_field
            let in_cycle = bits.ue().filter(|&count| count <= 255)?;
            for _ in 0..in_cycle {
                bits.se()?; // offset_for_ref_frame
            }
            Some(())
        }
        2 => Some(()),
        _ => None,
    }
}
