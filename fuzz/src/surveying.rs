//! Surveys a stream at once and in chunks, has salvage and export look at it as a segment, and checks all that must hold of
//! the outcome.

use bytes::Bytes;
use tapeline::export::{Part, TsJoiner};
use tapeline::time::MediaSpan;
use tapeline::ts::{PACKET_LEN, Remains, Survey, TsSurvey};

use crate::slicing::Chunks;

/// Places that are kept of each kind of fault.
const KEPT: u64 = 8;

/// Surveys `stream` twice and checks the outcome.
///
/// # Panics
/// Where a property does not hold.
pub fn check_survey(stream: &[u8], chunks: &Chunks) {
    let whole = TsSurvey::of(&Bytes::copy_from_slice(stream));
    assert_eq!(whole, in_chunks(stream, chunks), "the survey depends on the chunks");
    assert_eq!(whole.bytes, stream.len() as u64);
    assert!(whole.packets * PACKET_LEN as u64 <= whole.bytes);
    assert!(whole.streams.iter().map(|one| one.packets).sum::<u64>() <= whole.packets);
    for one in &whole.streams {
        assert!(one.key_units <= one.units && one.units <= one.packets, "{one:?}");
        assert!(one.bytes <= one.packets * PACKET_LEN as u64, "{one:?}");
        assert!(one.first_pts <= one.last_pts, "{one:?}");
    }
    for (&kind, &count) in &whole.counts {
        let kept = whole.faults.iter().filter(|fault| fault.kind == kind).count() as u64;
        assert_eq!(kept, count.min(KEPT), "{}", kind.code());
    }
    assert!(whole.faults.iter().all(|fault| fault.packet <= whole.packets));
}

fn in_chunks(mut rest: &[u8], chunks: &Chunks) -> TsSurvey {
    let mut survey = Survey::new();
    for len in chunks.lengths() {
        let (chunk, after) = rest.split_at(len.min(rest.len()));
        survey.push(&Bytes::copy_from_slice(chunk));
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    survey.finish()
}

/// Salvages `stream` as a torn segment, and exports it twice in a row.
///
/// # Panics
/// Where what is kept is more than there was, or no whole packets; where export adds or loses any.
pub fn check_segment(stream: &[u8]) {
    if let Ok(remains) = Remains::of(stream) {
        let whole =
            |range: &std::ops::Range<usize>| range.end <= stream.len() && range.len() % PACKET_LEN == 0;
        assert!(remains.kept.iter().all(whole), "{remains:?}");
        assert!(remains.kept.windows(2).all(|pair| pair[0].end < pair[1].start), "{remains:?}");
    }
    let mut joiner = TsJoiner::default();
    for _ in 0..2 {
        let (bytes, gap) = (Bytes::copy_from_slice(stream), MediaSpan::ZERO);
        let mut written = 0;
        let part = Part { key: String::new(), bytes, date: None, continues: false, gap };
        let joined = joiner.part(part, |piece| {
            written += piece.len();
            Ok::<_, ()>(())
        });
        let whole = stream.len() / PACKET_LEN * PACKET_LEN;
        assert_eq!(written, joined.map_or(0, |_| whole));
    }
}
