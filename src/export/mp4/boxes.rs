//! The boxes that a file and the initialization of fragments have in common.

use std::num::NonZeroU32;
use std::time::Duration;

use shiguredo_mp4::boxes::{
    DinfBox, EdtsBox, HdlrBox, MdhdBox, MdiaBox, MediaHeader, MinfBox, MoovBox, MvexBox, MvhdBox,
    SampleEntry, SmhdBox, StblBox, TkhdBox, TrakBox, VmhdBox,
};
use shiguredo_mp4::{BoxHeader, BoxSize, BoxType, Encode, FixedPointNumber, LanguageCode, Mp4FileTime};

use super::track::Track;
use crate::time::{TICKS_PER_SECOND, WallTime};

/// The scale of the whole: that of the stamps.
pub fn movie_timescale() -> NonZeroU32 {
    u32::try_from(TICKS_PER_SECOND).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}

/// The date as files have it.
pub fn file_time(date: Option<WallTime>) -> Mp4FileTime {
    let millis = date.map_or(0, |date| u64::try_from(date.millis()).unwrap_or(0));
    Mp4FileTime::from_unix_time(Duration::from_millis(millis))
}

/// The head of a box of that kind and size.
pub fn header(kind: [u8; 4], box_size: BoxSize) -> shiguredo_mp4::Result<Vec<u8>> {
    BoxHeader { box_type: BoxType::Normal(kind), box_size }.encode_to_vec()
}

/// A track's box.
pub struct TrackBox<'a> {
    /// From 1.
    pub id: u32,
    pub track: &'a Track,
    pub created: Mp4FileTime,
    /// In the movie's timescale; 0 for fragments.
    pub shown_for: u64,
    /// In the track's timescale; 0 for fragments.
    pub length: u64,
    pub edits: Option<EdtsBox>,
    pub samples: StblBox,
}

impl From<TrackBox<'_>> for TrakBox {
    fn from(TrackBox { id, track, created, shown_for, length, edits, samples }: TrackBox<'_>) -> Self {
        let (width, height) =
            samples.stsd_box.entries.iter().find_map(SampleEntry::video_resolution).unwrap_or((0, 0));
        let side = |side: u16| FixedPointNumber::new(i16::try_from(side).unwrap_or(i16::MAX), 0);
        let (volume, handler_type, media_header) = if track.is_video() {
            (TkhdBox::DEFAULT_VIDEO_VOLUME, HdlrBox::HANDLER_TYPE_VIDE, MediaHeader::Vmhd(VmhdBox::default()))
        } else {
            (TkhdBox::DEFAULT_AUDIO_VOLUME, HdlrBox::HANDLER_TYPE_SOUN, MediaHeader::Smhd(SmhdBox::default()))
        };
        Self {
            tkhd_box: TkhdBox {
                flag_track_enabled: true,
                flag_track_in_movie: true,
                flag_track_in_preview: false,
                flag_track_size_is_aspect_ratio: false,
                creation_time: created,
                modification_time: created,
                track_id: id,
                duration: shown_for,
                layer: TkhdBox::DEFAULT_LAYER,
                alternate_group: TkhdBox::DEFAULT_ALTERNATE_GROUP,
                volume,
                matrix: TkhdBox::DEFAULT_MATRIX,
                width: side(width),
                height: side(height),
            },
            edts_box: edits,
            mdia_box: MdiaBox {
                mdhd_box: MdhdBox {
                    creation_time: created,
                    modification_time: created,
                    timescale: NonZeroU32::new(track.timescale()).unwrap_or(NonZeroU32::MIN),
                    duration: length,
                    language: LanguageCode::UNDEFINED,
                },
                hdlr_box: HdlrBox { handler_type, name: vec![0] },
                minf_box: MinfBox {
                    media_header: Some(media_header),
                    dinf_box: DinfBox::LOCAL_FILE,
                    stbl_box: samples,
                    unknown_boxes: Vec::new(),
                },
                unknown_boxes: Vec::new(),
            },
            unknown_boxes: Vec::new(),
        }
    }
}

/// The box of all tracks.
pub fn movie(
    created: Mp4FileTime,
    duration: u64,
    tracks: Vec<TrakBox>,
    fragments: Option<MvexBox>,
) -> MoovBox {
    let last = tracks.iter().map(|track| track.tkhd_box.track_id).max().unwrap_or(0);
    MoovBox {
        mvhd_box: MvhdBox {
            creation_time: created,
            modification_time: created,
            timescale: movie_timescale(),
            duration,
            rate: MvhdBox::DEFAULT_RATE,
            volume: MvhdBox::DEFAULT_VOLUME,
            matrix: MvhdBox::DEFAULT_MATRIX,
            next_track_id: last + 1,
        },
        trak_boxes: tracks,
        mvex_box: fragments,
        unknown_boxes: Vec::new(),
    }
}
