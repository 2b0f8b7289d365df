//! A segment that was read, and the one behind it: pure.

use bytes::Bytes;

use super::finding::{Check, Findings};
use crate::checksum::Crc64;
use crate::media::Container;
use crate::naming::split_container;
use crate::stitch::{Piece, Turn};
use crate::time::{MediaSpan, MediaTime, Pts33, WallTime};
use crate::ts::{StreamSurvey, TsSurvey};
use crate::webm::{TrackSurvey, WebmSurvey};

/// What is rounded, and the length of a last frame, are less.
const TOLERANCE: MediaSpan = MediaSpan::from_millis(500);
/// Sound and pictures that begin further apart are heard to.
const AV_TOLERANCE: MediaSpan = MediaSpan::from_secs(1);

/// A segment that was read.
pub(super) struct Read {
    survey: Survey,
    crc64: Crc64,
}

/// What is in it, by its container.
enum Survey {
    Ts(TsSurvey),
    Webm(WebmSurvey),
}

/// What counts of the stream whose units decide.
struct Lead {
    first_is_key: Option<bool>,
    units: u64,
    key_units: u64,
    longest_step: MediaSpan,
    length: Option<MediaSpan>,
}

/// When a segment begins by its own account.
#[derive(Clone, Copy)]
enum Begin {
    /// On its media clock.
    Stamp(Pts33),
    Date(WallTime),
}

impl Begin {
    fn since(self, earlier: Self) -> Option<MediaSpan> {
        match (self, earlier) {
            (Self::Stamp(own), Self::Stamp(earlier)) => Some(own.since(earlier)),
            (Self::Date(own), Self::Date(earlier)) => Some(own.since(earlier)),
            _ => None,
        }
    }
}

impl Read {
    pub fn of(key: &str, body: &Bytes) -> Self {
        let survey = match split_container(key) {
            Some((_, Container::WebM)) => Survey::Webm(WebmSurvey::of(body)),
            _ => Survey::Ts(TsSurvey::of(body)),
        };
        Self { survey, crc64: Crc64::of(body) }
    }

    fn lead(&self) -> Option<Lead> {
        match &self.survey {
            Survey::Ts(survey) => survey.lead().map(|lead| Lead {
                first_is_key: lead.first_is_key,
                units: lead.units,
                key_units: lead.key_units,
                longest_step: lead.longest_step,
                length: lead.length(),
            }),
            Survey::Webm(survey) => survey.lead().map(|lead| Lead {
                first_is_key: lead.first_is_key,
                units: lead.blocks,
                key_units: lead.key_blocks,
                longest_step: lead.longest_step,
                length: lead.length(),
            }),
        }
    }

    fn sound_lag(&self) -> Option<MediaSpan> {
        match &self.survey {
            Survey::Ts(survey) => survey.sound_lag(),
            Survey::Webm(survey) => survey.sound_lag(),
        }
    }

    /// Whether it begins with what is shown first: between key frames pictures are decoded in another order.
    fn is_exact(&self) -> bool {
        self.lead().is_some_and(|lead| lead.first_is_key != Some(false))
    }

    /// When the deciding stream begins.
    fn begin(&self) -> Option<Begin> {
        match &self.survey {
            Survey::Ts(survey) => {
                let first = survey.lead()?.first_pts?;
                Some(Begin::Stamp(survey.base? + MediaSpan::from_ticks(first.ticks())))
            }
            Survey::Webm(survey) => {
                let first = survey.lead()?.first? - MediaTime::default();
                Some(Begin::Date(survey.date?.plus(first)))
            }
        }
    }
}

/// When a segment begins by its entry, in the terms of its own account.
fn promised(piece: &Piece, own: Begin) -> Option<Begin> {
    match own {
        Begin::Stamp(_) => piece.media.map(|(start, _)| Begin::Stamp(Pts33::from(start))),
        Begin::Date(_) => piece.date.map(Begin::Date),
    }
}

/// Judges a segment by itself. `committed`: the checksum that was committed with it; `before`: the entry before it.
pub(super) fn judge(
    turn: &Turn,
    piece: &Piece,
    before: Option<&Piece>,
    committed: Option<Crc64>,
    read: &Read,
    findings: &mut Findings,
) {
    let Read { survey, crc64 } = read;
    if committed.is_some_and(|committed| committed != *crc64) {
        let message =
            "its bytes are not those that were committed; another copy, or the spool, may have them";
        findings.add(Check::SegmentHash, &piece.key, message);
    }
    match survey {
        Survey::Ts(survey) => survey.faults.iter().for_each(|fault| findings.add_fault(&piece.key, fault)),
        Survey::Webm(survey) => {
            survey.faults.iter().for_each(|fault| findings.add_webm_fault(&piece.key, fault));
        }
    }
    let Some(lead) = read.lead() else { return };
    if lead.first_is_key == Some(false) {
        // The recorder waits for a key frame up to the longest length that a segment may have.
        let limit = turn.target_duration.saturating_mul(1000).saturating_sub(1000);
        let forced = lead.key_units == 0 || before.is_some_and(|before| before.millis >= limit);
        let check = if forced { Check::ForcedCut } else { Check::KeyFrame };
        findings.add(check, &piece.key, "players that begin here show nothing until the next key frame");
    }
    let begin = read.begin().filter(|_| read.is_exact());
    if let Some(apart) = begin.and_then(|own| own.since(promised(piece, own)?))
        && apart.abs() > TOLERANCE
    {
        findings.add(Check::StartTime, &piece.key, format_args!("it begins {apart} s later than that"));
    }
    // One picture may stand for any time.
    if let Some(length) = lead.length.filter(|_| lead.units > 1) {
        let said = MediaSpan::from_millis(i64::try_from(piece.millis).unwrap_or(i64::MAX));
        // The last unit may be as long as the longest one.
        let slack = TOLERANCE + lead.longest_step;
        if length > said + slack || said > length + slack {
            findings.add(Check::Duration, &piece.key, format_args!("{length} s, not {said}"));
        }
    }
    if let Some(lag) = read.sound_lag().filter(|lag| lag.abs() > AV_TOLERANCE) {
        findings.add(
            Check::AvOffset,
            &piece.key,
            format_args!("the sound begins {lag} s after the pictures"),
        );
    }
}

/// Judges two segments in a row of one turn.
pub(super) fn judge_pair(
    (before, read_before): (&Piece, &Read),
    (piece, read): (&Piece, &Read),
    findings: &mut Findings,
) {
    if piece.discontinuity {
        return;
    }
    let exact = read_before.is_exact() && read.is_exact();
    let begins = read_before.begin().zip(read.begin()).filter(|_| exact);
    if let Some(step) = begins.and_then(|(first, next)| next.since(first)) {
        let said = MediaSpan::from_millis(i64::try_from(before.millis).unwrap_or(i64::MAX));
        let apart = step - said;
        if apart.abs() > TOLERANCE {
            let message = format_args!("time stamps go on {apart} s after the end of the entry before");
            findings.add(Check::BreakUnmarked, &piece.key, message);
        }
    }
    let others = match (&read_before.survey, &read.survey) {
        (Survey::Ts(before), Survey::Ts(survey)) => are_others(&before.streams, &survey.streams),
        (Survey::Webm(before), Survey::Webm(survey)) => are_other_tracks(&before.tracks, &survey.tracks),
        _ => true,
    };
    if others {
        let message = "its streams, or their formats, are others than those of the segment before";
        findings.add(Check::TracksUnmarked, &piece.key, message);
    }
}

/// The same of WebM, where every entry is announced whether anything comes of it or not.
fn are_other_tracks(before: &[TrackSurvey], tracks: &[TrackSurvey]) -> bool {
    let shape = |track: &TrackSurvey| (track.number, track.codec.clone(), track.audio_format);
    let same = before.iter().map(shape).eq(tracks.iter().map(shape));
    let sizes = before.iter().zip(tracks).filter_map(|(one, two)| one.video_format.zip(two.video_format));
    !before.is_empty() && !tracks.is_empty() && (!same || sizes.into_iter().any(|(one, two)| one != two))
}

/// Whether a player must set its decoders up anew: media comes on a stream that the other does not announce, or in
/// another format.
fn are_others(before: &[StreamSurvey], streams: &[StreamSurvey]) -> bool {
    // What holds no media at all has been told of.
    if before.is_empty() || streams.is_empty() {
        return false;
    }
    let is_new = |stream: &StreamSurvey, known: &[StreamSurvey]| {
        let same = |other: &&StreamSurvey| (other.pid, other.stream_type) == (stream.pid, stream.stream_type);
        stream.units > 0 && known.iter().find(same).is_none_or(|other| !agree(stream, other))
    };
    before.iter().any(|stream| is_new(stream, streams)) || streams.iter().any(|stream| is_new(stream, before))
}

/// Whether formats are the same as far as both are known.
fn agree(one: &StreamSurvey, two: &StreamSurvey) -> bool {
    let video = one.video_format.zip(two.video_format).is_none_or(|(one, two)| one == two);
    let audio = one.audio_format.zip(two.audio_format).is_none_or(|(one, two)| one == two);
    video && audio
}
