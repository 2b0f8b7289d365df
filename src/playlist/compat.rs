//! Two tags of the hosted services that scripts for their recordings read: when a stream begins, and how large its pictures are.
//!
//! They are ours to write only where somebody asks for them. Players skip them.

use crate::time::WallTime;

const TRACK_EVENT: &str = "#EXT-X-AGORA-TRACK-EVENT:";
const ROTATE: &str = "#EXT-X-AGORA-ROTATE:";

/// Whether a line is one of them.
pub(super) fn is_compat(line: &str) -> bool {
    (line.starts_with(TRACK_EVENT) || line.starts_with(ROTATE))
        && line.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What a segment holds, as far as these tags tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CompatSegment {
    /// When it begins.
    pub date: WallTime,
    /// Its streams begin anew with it.
    pub resumes: bool,
    /// It has pictures.
    pub video: bool,
    /// It has sound.
    pub audio: bool,
    /// Width and height of its first pictures, where they are known.
    pub size: Option<(u32, u32)>,
}

/// Makes the tags of an output's segments, in their order.
#[derive(Debug, Clone, Default)]
pub struct CompatTags {
    video: bool,
    audio: bool,
    size: Option<(u32, u32)>,
}

impl CompatTags {
    /// The tags that stand before the next segment.
    pub fn before(&mut self, segment: &CompatSegment) -> Vec<String> {
        let CompatSegment { date, resumes, video, audio, size } = *segment;
        if resumes {
            *self = Self::default();
        }
        let time = date.compact();
        let mut tags = Vec::new();
        for (kind, is_there, known) in [("AUDIO", audio, &mut self.audio), ("VIDEO", video, &mut self.video)]
        {
            if is_there && !std::mem::replace(known, true) {
                tags.push(format!("{TRACK_EVENT}EVENT=START,TRACK_TYPE={kind},TIME={time}"));
            }
        }
        if let Some((width, height)) = size.filter(|_| video && self.size != size) {
            self.size = size;
            tags.push(format!("{ROTATE}WIDTH={width},HEIGHT={height},ROTATE=0,TIME={time}"));
        }
        tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_told_where_it_begins_and_pictures_where_their_size_changes() {
        let date = WallTime::from_millis(1_795_395_723_456);
        let time = date.compact();
        let mut tags = CompatTags::default();
        let segment =
            CompatSegment { date, resumes: false, video: true, audio: false, size: Some((320, 180)) };
        let video = format!("#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=VIDEO,TIME={time}");
        let audio = format!("#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=AUDIO,TIME={time}");
        let small = format!("#EXT-X-AGORA-ROTATE:WIDTH=320,HEIGHT=180,ROTATE=0,TIME={time}");
        assert_eq!(tags.before(&segment), [video.clone(), small.clone()]);
        assert_eq!(tags.before(&segment), Vec::<String>::new());
        let with_sound = CompatSegment { audio: true, ..segment };
        assert_eq!(tags.before(&with_sound), std::slice::from_ref(&audio));
        let large = CompatSegment { size: Some((640, 360)), ..with_sound };
        let told = tags.before(&large);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("WIDTH=640,HEIGHT=360"), "{told:?}");
        let again = CompatSegment { resumes: true, ..with_sound };
        assert_eq!(tags.before(&again), [audio, video, small]);
        let sound_alone = CompatSegment { video: false, resumes: true, ..with_sound };
        assert_eq!(tags.before(&sound_alone).len(), 1, "no size of no pictures");
    }

    #[test]
    fn a_line_is_one_of_them_or_not() {
        assert!(is_compat("#EXT-X-AGORA-ROTATE:WIDTH=1"));
        for bad in ["#EXT-X-AGORA-OTHER:1", "#EXTINF:1,", "", "#EXT-X-AGORA-ROTATE:A\n#EXT-X-ENDLIST"] {
            assert!(!is_compat(bad), "{bad:?}");
        }
    }
}
