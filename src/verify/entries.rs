//! A turn's entries, one after the other: pure.

use std::collections::BTreeSet;

use super::finding::{Check, Findings};
use crate::stitch::{GapReason, Origin, Piece, Turn, dated};
use crate::time::MediaSpan;

/// Dates in names are moved by some milliseconds where two segments begin in the same one.
const NAME_TOLERANCE: MediaSpan = MediaSpan::from_secs(1);
/// Lengths are rounded to milliseconds, once for each border.
const MEDIA_TOLERANCE: MediaSpan = MediaSpan::from_millis(50);

/// Judges the entries of a turn, in order. `base`: what names of its segments begin with, where that is known.
pub(super) fn judge(turn: &Turn, base: Option<&str>, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    let mut before: Option<&Piece> = None;
    for piece in turn.pieces.iter().filter(|piece| !piece.origin.is_filler()) {
        if !seen.insert(piece.key.as_str()) {
            findings.add(Check::ListedTwice, &piece.key, format_args!("{} lists it again", turn.playlist));
        }
        named(piece, base, findings);
        if let Some(before) = before {
            follows(before, piece, findings);
        }
        before = Some(piece);
    }
    for piece in &turn.pieces {
        match (piece.gap, piece.origin) {
            (Some(GapReason::Missing), _) => {
                let message = format_args!("{} lists it, and it is not in the store", turn.playlist);
                findings.add(Check::SegmentMissing, &piece.key, message);
            }
            (Some(reason), _) => findings.add(Check::Lost, &piece.key, reason.as_str()),
            (None, Origin::Salvaged) => {
                findings.add(Check::Salvaged, &piece.key, "brought here after its worker was gone");
            }
            (None, Origin::Unlisted) => {
                findings.add(Check::Unlisted, &piece.key, "nothing tells of it; stitching uses it");
            }
            (None, Origin::Listed | Origin::Tail) => {}
        }
    }
}

fn named(piece: &Piece, base: Option<&str>, findings: &mut Findings) {
    let name = piece.key.rsplit('/').next().unwrap_or(&piece.key);
    let read = dated(name);
    if let Some(base) = base
        && read.is_none_or(|(own, _)| own != base)
    {
        findings.add(Check::WrongName, &piece.key, format_args!("it is no segment of {base}"));
    }
    if let Some(((_, named), date)) = read.zip(piece.date) {
        let apart = date.since(named);
        if apart.abs() > NAME_TOLERANCE {
            findings.add(Check::NameDate, &piece.key, format_args!("its entry's date is {apart} s later"));
        }
    }
}

fn follows(before: &Piece, piece: &Piece, findings: &mut Findings) {
    let (Some((begin, clock)), Some((next, next_clock))) = (before.media, piece.media) else { return };
    if clock != next_clock {
        if !piece.discontinuity {
            let message = format_args!("clock {clock} becomes {next_clock}, and no discontinuity says so");
            findings.add(Check::ClockUnmarked, &piece.key, message);
        }
        return;
    }
    let length = MediaSpan::from_millis(i64::try_from(before.millis).unwrap_or(i64::MAX));
    let apart = next - begin - length;
    if apart.abs() > MEDIA_TOLERANCE && !piece.discontinuity {
        let message = format_args!("it begins {apart} s after the end of the entry before");
        findings.add(Check::MediaTime, &piece.key, message);
    }
}
