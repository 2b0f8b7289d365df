//! H.265: where access units start, what they allow, and the picture size (ITU-T H.265 sections 7.3.1,
//! 7.3.2.2.1, 7.3.3, 7.4.2.4.4 and D.2.8).
//!
//! Only the base layer (`nuh_layer_id` 0) counts: the units of other layers are no starts and no slices.

use super::access_unit::{Headers, Opening};
use super::bits::BitReader;
use super::{NalRole, RandomAccess, VideoFormat, VideoProfile, sei};

const LAST_VCL: u8 = 31;
const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const AUD: u8 = 35;
const PREFIX_SEI: u8 = 39;

const HEADER_LEN: usize = 2;

fn nal_unit_type(first_byte: u8) -> u8 {
    (first_byte >> 1) & 0x3f
}

/// What the unit with that first byte is.
pub(super) fn role(first: u8) -> NalRole {
    let forbidden_zero_bit = first & 0x80 != 0;
    match nal_unit_type(first) {
        _ if forbidden_zero_bit => NalRole::Other,
        VPS => NalRole::VideoParameters,
        SPS => NalRole::SequenceParameters,
        PPS => NalRole::PictureParameters,
        AUD => NalRole::Delimiter,
        0..=LAST_VCL => NalRole::Slice,
        _ => NalRole::Other,
    }
}

/// `unit` begins with the NAL unit header, and may be cut off anywhere.
pub(super) fn open(unit: &[u8], headers: &Headers) -> Opening {
    let &[first, second, ref payload @ ..] = unit else { return Opening::Incomplete };
    let forbidden_zero_bit = first & 0x80 != 0;
    let nuh_layer_id = (first & 1) << 5 | second >> 3;
    let temporal_id_plus1 = second & 7;
    if forbidden_zero_bit || nuh_layer_id != 0 || temporal_id_plus1 == 0 {
        return Opening::Other;
    }
    match nal_unit_type(first) {
        kind @ 0..=LAST_VCL => {
            let Some(&slice) = payload.first() else { return Opening::Incomplete };
            let first_slice_segment_in_pic = slice & 0x80 != 0;
            match kind {
                _ if !first_slice_segment_in_pic && !headers.started => Opening::Other,
                // BLA, IDR, CRA, and the two types reserved for more of them.
                16..=23 => Opening::Decides(RandomAccess::Key),
                _ => Opening::Decides(headers.recovery),
            }
        }
        SPS | PREFIX_SEI => Opening::Read,
        VPS | PPS | AUD | 41..=44 | 48..=55 => Opening::Starts,
        _ => Opening::Other,
    }
}

/// Reads a whole prefix SEI or SPS unit.
pub(super) fn read(unit: &[u8], headers: &mut Headers) {
    let (Some(&first), Some(payload)) = (unit.first(), unit.get(HEADER_LEN..)) else { return };
    match nal_unit_type(first) {
        PREFIX_SEI if headers.recovery == RandomAccess::None => {
            let recovery_poc_cnt = sei::recovery_point(payload).and_then(|mut reader| reader.se());
            headers.recovery = sei::allows(recovery_poc_cnt.map(|count| count == 0));
        }
        SPS if headers.format.is_none() => headers.format = format(payload),
        _ => {}
    }
}

/// Reads a sequence parameter set without its NAL unit header.
fn format(payload: &[u8]) -> Option<VideoFormat> {
    let mut bits = BitReader::new(payload);
    bits.skip(4)?; // sps_video_parameter_set_id
    let max_sub_layers_minus1 = bits.u(3).filter(|&count| count <= 6)?;
    bits.skip(1)?; // sps_temporal_id_nesting_flag
    let profile = profile_tier_level(&mut bits, max_sub_layers_minus1)?;
    bits.ue()?; // sps_seq_parameter_set_id
    // SubWidthC and SubHeightC, table 6-1: the steps of the cropping.
    let (step_x, step_y) = match bits.ue()? {
        0 => (1, 1),
        1 => (2, 2),
        2 => (2, 1),
        3 => {
            bits.skip(1)?; // separate_colour_plane_flag
            (1, 1)
        }
        _ => return None,
    };
    let (width, height) = (bits.ue()?, bits.ue()?);
    if !bits.flag()? {
        return VideoFormat::checked(width, height, Some(profile));
    }
    let (across, down) = bits.cropping(step_x, step_y)?;
    VideoFormat::checked(width.checked_sub(across)?, height.checked_sub(down)?, Some(profile))
}

/// Section 7.3.3 with `profilePresentFlag` 1.
fn profile_tier_level(bits: &mut BitReader<'_>, max_sub_layers_minus1: u32) -> Option<VideoProfile> {
    const PROFILE: u32 = 88;
    const LEVEL: u32 = 8;
    let (space, high_tier, profile) = (bits.byte(2)?, bits.flag()?, bits.byte(5)?);
    let compatibility = bits.u(32)?;
    let mut constraints = [0; 6];
    for flags in &mut constraints {
        *flags = bits.byte(8)?;
    }
    let level = bits.byte(8)?;
    let mut sub_layers = 0;
    for _ in 0..max_sub_layers_minus1 {
        let profile_present = bits.flag()?;
        let level_present = bits.flag()?;
        sub_layers += if profile_present { PROFILE } else { 0 } + if level_present { LEVEL } else { 0 };
    }
    if max_sub_layers_minus1 > 0 {
        bits.skip(2 * (8 - max_sub_layers_minus1))?; // reserved_zero_2bits
    }
    bits.skip(sub_layers)?;
    Some(VideoProfile::H265 { space, high_tier, profile, compatibility, constraints, level })
}
