//! What was salvaged of dead workers' spools: segments that may fill gaps, and reasons for gaps that nothing fills.
//!
//! A record holds all that lay in a spool, what was committed too; here that is left out by its key.

use std::collections::BTreeSet;

use super::location::inside;
use super::piece::{GapReason, Origin, Piece, Standing, Turn};
use super::source::Sources;
use crate::continuity::{LossCause, LostSegment, Recordings, SalvageRecord, SalvagedSegment};
use crate::error::Result;
use crate::ids::{Generation, Sid};
use crate::naming::encode_uri;

/// A clock of that number is no other segment's.
const NO_CLOCK: u32 = 0;

/// Adds what was salvaged of a recording, up to a generation.
///
/// # Errors
/// Whatever reading gives. A record that cannot be read is noted.
pub(super) async fn add(
    recordings: &Recordings,
    sid: &Sid,
    last: Generation,
    sources: &mut Sources,
) -> Result<()> {
    for record in recordings.salvages(sid, last).await? {
        match record {
            Ok(record) => take(&record, sources),
            Err(why) => sources.notes.push(format!("{why}; what it tells of may be missing")),
        }
    }
    Ok(())
}

fn take(record: &SalvageRecord, sources: &mut Sources) {
    let pieces = sources.outputs.values().flat_map(|source| &source.turns).flat_map(|turn| &turn.pieces);
    let known: BTreeSet<String> = pieces.map(|piece| piece.key.clone()).collect();
    let folder = record.prefix.as_str();
    for segment in record.segments.iter().filter(|segment| !known.contains(&segment.key)) {
        push(sources, record.generation, &segment.playlist, folder, filler(segment));
    }
    for lost in &record.lost {
        let key = inside(folder, &lost.name);
        if !known.contains(&key) {
            push(sources, record.generation, &lost.playlist, folder, gap(lost, key));
        }
    }
}

/// Adds a piece to the turn of a playlist, which is made where nothing of it is committed.
fn push(sources: &mut Sources, generation: Generation, playlist: &str, folder: &str, piece: Piece) {
    let source = sources.outputs.entry(super::recorded::base_of(playlist)).or_default();
    let place = source.turns.partition_point(|turn| turn.generation < Some(generation));
    match source.turns.get_mut(place).filter(|turn| turn.generation == Some(generation)) {
        Some(turn) => turn.pieces.push(piece),
        None => {
            let turn = Turn {
                generation: Some(generation),
                playlist: inside(folder, playlist),
                standing: Standing::Sealed,
                target_duration: 0,
                independent: false,
                pieces: vec![piece],
            };
            source.turns.insert(place, turn);
        }
    }
}

fn filler(segment: &SalvagedSegment) -> Piece {
    let name = segment.key.rsplit('/').next().unwrap_or(&segment.key);
    Piece {
        key: segment.key.clone(),
        uri: encode_uri(name),
        media: (segment.clock != NO_CLOCK).then_some((segment.start, segment.clock)),
        date: Some(segment.date),
        millis: segment.millis,
        bytes: Some(segment.bytes),
        crc64: Some(segment.crc64),
        discontinuity: true,
        gap: None,
        origin: Origin::Salvaged,
        tags: Vec::new(),
    }
}

fn gap(lost: &LostSegment, key: String) -> Piece {
    let reason = match lost.cause {
        LossCause::SpoolFull => GapReason::SpoolFull,
        LossCause::DiskFull => GapReason::DiskFull,
        LossCause::SpoolFailed => GapReason::SpoolFailed,
        LossCause::Missing | LossCause::Damaged | LossCause::Empty | LossCause::Unknown => GapReason::Lost,
    };
    Piece {
        uri: encode_uri(&lost.name),
        key,
        media: None,
        date: Some(lost.date),
        millis: lost.millis.unwrap_or(0),
        bytes: None,
        crc64: None,
        discontinuity: true,
        gap: Some(reason),
        origin: Origin::Salvaged,
        tags: Vec::new(),
    }
}
