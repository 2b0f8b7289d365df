//! A segment that was read, and the one behind it: pure.

use bytes::Bytes;

use super::finding::{Check, Findings};
use crate::checksum::Crc64;
use crate::stitch::{Piece, Turn};
use crate::time::{MediaSpan, Pts33};
use crate::ts::{StreamSurvey, TsSurvey};

/// What is rounded, and the length of a last frame, are less.
const TOLERANCE: MediaSpan = MediaSpan::from_millis(500);
/// Sound and pictures that begin further apart are heard to.
const AV_TOLERANCE: MediaSpan = MediaSpan::from_secs(1);

/// A segment that was read.
pub(super) struct Read {
    survey: TsSurvey,
    crc64: Crc64,
}

impl Read {
    pub fn of(body: &Bytes) -> Self {
        Self { survey: TsSurvey::of(body), crc64: Crc64::of(body) }
    }

    /// Whether it begins with what is shown first: between key frames pictures are decoded in another order.
    fn is_exact(&self) -> bool {
        self.survey.lead().is_some_and(|lead| lead.first_is_key != Some(false))
    }

    /// The raw presentation time at which the deciding stream begins.
    fn first_pts(&self) -> Option<Pts33> {
        let first = self.survey.lead()?.first_pts?;
        Some(self.survey.base? + MediaSpan::from_ticks(first.ticks()))
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
    survey.faults.iter().for_each(|fault| findings.add_fault(&piece.key, fault));
    let Some(lead) = survey.lead() else { return };
    if lead.first_is_key == Some(false) {
        // The recorder waits for a key frame up to the longest length that a segment may have.
        let limit = turn.target_duration.saturating_mul(1000).saturating_sub(1000);
        let forced = lead.key_units == 0 || before.is_some_and(|before| before.millis >= limit);
        let check = if forced { Check::ForcedCut } else { Check::KeyFrame };
        findings.add(check, &piece.key, "players that begin here show nothing until the next key frame");
    }
    if let Some(((start, _), first)) = piece.media.zip(read.first_pts()).filter(|_| read.is_exact()) {
        let apart = first.since(Pts33::from(start));
        if apart.abs() > TOLERANCE {
            findings.add(Check::StartTime, &piece.key, format_args!("it begins {apart} s later than that"));
        }
    }
    // One picture may stand for any time.
    if let Some(length) = lead.length().filter(|_| lead.units > 1) {
        let said = MediaSpan::from_millis(i64::try_from(piece.millis).unwrap_or(i64::MAX));
        // The last unit may be as long as the longest one.
        let slack = TOLERANCE + lead.longest_step;
        if length > said + slack || said > length + slack {
            findings.add(Check::Duration, &piece.key, format_args!("{length} s, not {said}"));
        }
    }
    if let Some(lag) = survey.sound_lag().filter(|lag| lag.abs() > AV_TOLERANCE) {
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
    if let Some((first, next)) = read_before.first_pts().zip(read.first_pts()).filter(|_| exact) {
        let said = MediaSpan::from_millis(i64::try_from(before.millis).unwrap_or(i64::MAX));
        let apart = next.since(first) - said;
        if apart.abs() > TOLERANCE {
            let message = format_args!("time stamps go on {apart} s after the end of the entry before");
            findings.add(Check::BreakUnmarked, &piece.key, message);
        }
    }
    if are_others(&read_before.survey.streams, &read.survey.streams) {
        let message = "its streams, or their formats, are others than those of the segment before";
        findings.add(Check::TracksUnmarked, &piece.key, message);
    }
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
