//! Surveys a stream at once and in chunks, has salvage and export look at it as a segment, and checks all that must hold of
//! the outcome.

use bytes::Bytes;
use tapeline::export::{Fragments, Mp4Error, Mp4File, Part, TsJoiner};
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
        let part =
            Part { key: String::new(), bytes, date: None, continues: false, length: MediaSpan::ZERO, gap };
        let joined = joiner.part(part, |piece| {
            written += piece.len();
            Ok::<_, ()>(())
        });
        let whole = stream.len() / PACKET_LEN * PACKET_LEN;
        assert_eq!(written, joined.map_or(0, |_| whole));
    }
    check_mp4(stream);
}

/// Makes MP4 of `stream` twice in a row, as a file and in fragments.
///
/// # Panics
/// Where the file's boxes are not as long as they say, or much more comes out than went in.
pub(crate) fn check_mp4(stream: &[u8]) {
    let part = |date| {
        let (bytes, gap) = (Bytes::copy_from_slice(stream), MediaSpan::ZERO);
        Part { key: String::new(), bytes, date, continues: false, length: MediaSpan::ZERO, gap }
    };
    let mut bytes = Vec::new();
    let mut sink = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok::<_, Mp4Error>(())
    };
    let mut file = Mp4File::new(MediaSpan::from_secs(10), None);
    let made = (0..2).try_for_each(|_| file.part(part(None), &mut sink).map(drop));
    if let Ok(front) = made.and_then(|()| file.finish(&mut sink)) {
        bytes.get_mut(..front.bytes.len()).expect("room").copy_from_slice(&front.bytes);
        bytes.extend_from_slice(&front.tail);
        let (mut at, mut boxes) = (0, 0);
        while at < bytes.len() {
            let size = u32::from_be_bytes(bytes[at..at + 4].try_into().expect("a size"));
            let large = || u64::from_be_bytes(bytes[at + 8..at + 16].try_into().expect("a size"));
            let size = if size == 1 { large() } else { u64::from(size) };
            assert!(size >= 8, "a box of {size} bytes");
            at += usize::try_from(size).expect("a size");
            boxes += 1;
        }
        assert_eq!((at, boxes), (bytes.len(), 4));
    }
    let mut fragments = Fragments::new(None);
    let made: Result<Vec<_>, _> = (0..2).map(|_| fragments.part(part(None))).collect();
    if let Ok((made, Ok((rest, _)))) = made.map(|made| (made, fragments.finish())) {
        let media: usize = made.iter().flatten().chain(&rest).map(|fragment| fragment.bytes.len()).sum();
        // Each sample takes 16 bytes of a fragment's head.
        assert!(media <= 100 * stream.len() + 10_000, "{media} bytes of {}", stream.len());
    }
}
