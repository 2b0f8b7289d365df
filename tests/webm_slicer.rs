//! WebM streams in segments: nothing of them is lost, each is a file of its own, and bad input does no harm.

mod webm_support;

use bytes::Bytes;
use proptest::prelude::*;
use tapeline::media::Unfit;
use tapeline::slicer::{CutReason, SliceError};
use tapeline::webm::WebmRemains;
use webm_support::{
    Block, CLUSTER, FIXTURES, File, TRACKS, VOID, check_index, element, elements, files, fixture, rules,
    slice, start,
};

fn whole(name: &str) -> webm_support::Outcome {
    slice(rules(), [&fixture(name)[..]])
}

/// A track's blocks: their times, and all that is in them.
fn of_track(blocks: &[(i64, Block)], track: u8) -> Vec<(i64, Vec<u8>)> {
    let blocks = blocks.iter().filter(|(_, block)| block.track == track);
    blocks.map(|(at, block)| (*at, block.body.clone())).collect()
}

#[test]
fn blocks_and_their_times_are_those_of_the_input() {
    for (name, segments) in FIXTURES {
        let outcome = whole(name);
        assert_eq!(outcome.end, Ok(()), "{name}");
        assert_eq!(outcome.made.len(), segments, "{name}");
        // Where a file begins anew in the stream, its times do.
        let mut input: Vec<(i64, Block)> = Vec::new();
        let mut shift = 0;
        for file in files(&fixture(name)) {
            let first = file.blocks.iter().find(|block| block.key && block.track == 1).unwrap().at;
            input.extend(file.blocks.into_iter().map(|block| (block.at - first + shift, block)));
            shift += 4000;
        }
        let mut output = Vec::new();
        for made in &outcome.made {
            let [file] = &files(&made.bytes)[..] else { panic!("{name}: not one file") };
            // Its own times begin at 0, on the date that it says.
            let begin = file.date.unwrap() - start().millis();
            assert_eq!(file.blocks.iter().map(|block| block.at).min(), Some(0), "{name}");
            output.extend(file.blocks.iter().map(|block| (begin + block.at, block.clone())));
        }
        for track in [1, 2] {
            let (theirs, ours) = (of_track(&input, track), of_track(&output, track));
            assert_eq!(ours.len(), theirs.len(), "{name} {track}");
            assert!(ours == theirs, "{name} {track}");
        }
        assert_eq!(outcome.notes.faults().skipped_bytes, 0, "{name}");
    }
}

#[test]
fn every_segment_is_a_file_of_known_sizes_that_begins_with_a_key_frame() {
    for (name, _) in FIXTURES {
        for made in whole(name).made {
            let what = format!("{name} {:?}", made.facts.opened.seq);
            let [file] = &files(&made.bytes)[..] else { panic!("{what}: not one file") };
            assert!(file.sized, "{what}");
            assert!(file.top.iter().all(|top| element(&made.bytes, top.begin).end.is_some()), "{what}");
            // Sound may stand before it, as in the input.
            let first = file.blocks.iter().find(|block| block.track == 1).unwrap();
            assert!(first.key && first.at <= 10, "{what}: {first:?}");
            assert!(made.facts.opened.starts_with_key, "{what}");
            let last = file.blocks.iter().map(|block| block.at).max().unwrap() as f64;
            let duration = file.duration.unwrap();
            assert!(duration > last && duration <= last + 80.0, "{what}: {duration} {last}");
            let expected = made.facts.duration_millis as f64;
            assert!((duration - expected).abs() < 100.0, "{what}: {duration} {expected}");
            check_index(&made.bytes, file, &what);
        }
    }
}

#[test]
fn a_segment_that_was_never_sealed_holds_all_blocks() {
    for (name, _) in FIXTURES {
        for made in whole(name).made {
            // Cues come only at the end: what is torn ends before them.
            let end = files(&made.bytes)[0].top.last().unwrap().begin;
            let torn = &files(&made.torn[..end])[0];
            assert!(!torn.sized && torn.duration.is_none(), "{name}");
            let bodies = |file: &File| file.blocks.iter().map(|block| block.body.clone()).collect::<Vec<_>>();
            assert!(bodies(torn) == bodies(&files(&made.bytes)[0]), "{name}");
            let seeks = elements(&made.torn, torn.top[0].content, torn.top[0].end.unwrap());
            assert_eq!(seeks[2].id, VOID, "{name}");
        }
    }
}

#[test]
fn what_a_killed_worker_leaves_becomes_a_file_of_all_whole_blocks() {
    for (name, _) in FIXTURES {
        for made in whole(name).made {
            let opened = made.facts.opened;
            let of =
                |torn: &[u8]| WebmRemains::of(&Bytes::copy_from_slice(torn), Some(opened.start), opened.date);
            // All of it gives the very file that was made.
            let remains = of(&made.torn).unwrap();
            assert!(remains.bytes == made.bytes, "{name}");
            assert_eq!(remains.units[0].pts.unwrap_near(opened.start), opened.start, "{name}");
            let file = &files(&made.bytes)[0];
            let lead = file.blocks.iter().find(|block| block.track == 1).unwrap();
            for cut in [
                lead.end,
                made.bytes.len() / 2,
                made.bytes.len() * 9 / 10,
                file.blocks.last().unwrap().end - 1,
            ] {
                let remains = of(&made.torn[..cut]).unwrap();
                let expected: Vec<&[u8]> = file
                    .blocks
                    .iter()
                    .filter(|block| block.end <= cut)
                    .map(|block| &block.body[..])
                    .collect();
                let kept = &files(&remains.bytes)[0];
                assert!(kept.sized, "{name} {cut}");
                let bodies: Vec<&[u8]> = kept.blocks.iter().map(|block| &block.body[..]).collect();
                assert!(bodies == expected, "{name} {cut}: {} of {}", bodies.len(), expected.len());
            }
            assert_eq!(of(&made.torn[..lead.begin]), Err(Unfit::NothingWhole), "{name}");
            assert_eq!(of(&made.torn[..100]), Err(Unfit::NoProgram), "{name}");
        }
    }
}

#[test]
fn cuts_have_their_reasons() {
    let reasons = |name| whole(name).made.iter().map(|made| made.facts.reason).collect::<Vec<_>>();
    assert_eq!(reasons("vp8_opus"), [CutReason::Target, CutReason::Target, CutReason::Stop]);
    assert_eq!(reasons("vp8_size_change"), [CutReason::Parameters, CutReason::Stop]);
    assert_eq!(reasons("restart"), [CutReason::ClockJump, CutReason::Stop]);
    for name in ["vp8_size_change", "restart"] {
        let outcome = whole(name);
        assert!(outcome.made[1].facts.opened.discontinuity, "{name}");
        let tracks = |made: usize| files(&outcome.made[made].bytes)[0].tracks.clone();
        assert_ne!(tracks(0), tracks(1), "{name}");
    }
    assert_eq!(whole("restart").notes.restarts, 1);
}

#[test]
fn another_file_that_begins_later_is_another_run_of_the_clock() {
    let stream = fixture("browser");
    let file = &files(&stream)[0];
    let soon = file.blocks.iter().find(|block| block.at > 700).unwrap().begin;
    let clusters: Vec<_> = file.top.iter().filter(|element| element.id == CLUSTER).collect();
    let (head, last) = (&stream[..clusters[0].begin], &stream[clusters[2].begin..]);
    let opened = |middle: &[u8]| {
        let outcome = slice(rules(), [&[&stream[..soon], middle, last].concat()[..]]);
        assert_eq!(outcome.end, Ok(()));
        outcome.made.iter().map(|made| made.facts.opened.clock).collect::<Vec<_>>()
    };
    // What is missing in one file is missing; between two it is not known what time went by.
    assert_eq!(opened(&[]).last(), Some(&1));
    assert_eq!(opened(head).last(), Some(&2));
}

#[test]
fn a_stream_that_is_joined_late_begins_at_its_next_key_frame() {
    let stream = fixture("browser");
    let file = &files(&stream)[0];
    let head = file.top.iter().find(|element| element.id == CLUSTER).unwrap().begin;
    // In the middle of the first Cluster, and of a block.
    let joined = [&stream[..head], &stream[head + 9_001..]].concat();
    let outcome = slice(rules(), [&joined[..]]);
    assert_eq!(outcome.end, Ok(()));
    assert_eq!(outcome.notes.sync_losses, 1);
    let first = files(&outcome.made[0].bytes).remove(0).blocks.into_iter().find(|block| block.track == 1);
    assert!(first.unwrap().key);
    let missing =
        outcome.made.iter().flat_map(|made| files(&made.bytes)).map(|file| file.blocks.len()).sum::<usize>();
    assert!(missing < file.blocks.len() && missing > file.blocks.len() / 3, "{missing}");
}

#[test]
fn garbage_in_the_middle_costs_no_more_than_the_cluster_it_is_in() {
    for name in ["vp8_opus", "browser"] {
        let stream = fixture(name);
        let input = &files(&stream)[0];
        let second = input.top.iter().filter(|element| element.id == CLUSTER).nth(1).unwrap();
        let middle = (second.content + second.end.unwrap()) / 2;
        for cut in [0, 5000] {
            let noise: Vec<u8> = (0..997_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            let damaged = [&stream[..middle], &noise, &stream[middle + cut..]].concat();
            let outcome = slice(rules(), [&damaged[..]]);
            assert_eq!(outcome.end, Ok(()), "{name}");
            assert!(outcome.notes.faults().sync_losses > 0, "{name}");
            let found: Vec<Block> = outcome
                .made
                .iter()
                .flat_map(|made| files(&made.bytes))
                .flat_map(|file| file.blocks)
                .collect();
            let outside = |block: &&Block| block.begin < middle - 3000 || block.begin >= second.end.unwrap();
            let missing = input.blocks.iter().filter(outside);
            let missing = missing.filter(|block| !found.iter().any(|found| found.body == block.body)).count();
            assert_eq!(missing, 0, "{name} {cut}");
        }
    }
}

#[test]
fn what_cannot_be_recorded_is_told_by_its_name() {
    let end = |bytes: &[u8]| slice(rules(), [bytes]).end.unwrap_err();
    assert_eq!(end(&[]), SliceError::Empty);
    assert_eq!(end(&[0x47; 1000]), SliceError::NotWebm { bytes: 1000 });
    let stream = fixture("vp8_opus");
    let file = &files(&stream)[0];
    let tracks = file.top.iter().find(|element| element.id == TRACKS).unwrap();
    assert_eq!(end(&stream[..tracks.begin]), SliceError::NoTracks);
    assert_eq!(end(&stream[..tracks.end.unwrap()]), SliceError::NoKeyFrame);
    let at = stream.windows(5).position(|five| five == b"V_VP8").unwrap();
    let mut other = stream.clone();
    other[at..at + 5].copy_from_slice(b"V_XYZ");
    assert_eq!(end(&other), SliceError::NoPlaceInWebm { codec: "V_XYZ".to_owned() });
    let mut without = stream.clone();
    // A subtitle track instead of each.
    for at in 0..without.len() - 3 {
        if without[at] == 0x83 && without[at + 1] == 0x81 && at < tracks.end.unwrap() {
            without[at + 2] = 0x11;
        }
    }
    assert_eq!(end(&without), SliceError::NoStreams);
}

#[test]
fn a_size_that_lies_costs_nothing() {
    // Four gigabytes of a block are announced, and of Tracks.
    let stream = fixture("vp8_opus");
    let head = files(&stream)[0].top.iter().find(|element| element.id == CLUSTER).unwrap().begin;
    for id in [&[0xa3][..], &[0x16, 0x54, 0xae, 0x6b], &[0x15, 0x49, 0xa9, 0x66], &[0xe7]] {
        let lie = [id, &[0x01, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xf0]].concat();
        let cluster = [&CLUSTER.to_be_bytes()[..], &[0xff, 0xe7, 0x81, 0x00]].concat();
        let bytes = [&stream[..head], &cluster, &lie, &stream[head..]].concat();
        let outcome = slice(rules(), [&bytes[..]]);
        assert_eq!(outcome.end, Ok(()));
        assert_eq!((outcome.made.len(), outcome.notes.sync_losses), (3, 1), "{id:x?}");
    }
}

#[test]
fn the_same_comes_of_chunks_of_any_size() {
    for (name, _) in FIXTURES {
        let stream = fixture(name);
        let expected = whole(name);
        for length in [1, 2, 13, 188, 4_099, 65_536] {
            assert!(slice(rules(), stream.chunks(length)) == expected, "{name} {length}");
        }
    }
}

/// Edits a fixture's begin (a byte set, bytes taken out, a byte put in), and slices it at once and in chunks.
fn check_damaged(which: usize, edits: &[(usize, u8, usize)], lengths: &[usize]) {
    let mut stream = fixture(FIXTURES[which].0);
    stream.truncate(40_000);
    for &(at, byte, kind) in edits {
        let at = at % stream.len();
        match kind {
            0 => stream[at] = byte,
            1 => drop(stream.drain(at..(at + usize::from(byte)).min(stream.len() - 1))),
            _ => stream.insert(at, byte),
        }
    }
    let expected = slice(rules(), [&stream[..]]);
    let mut chunks = Vec::new();
    let mut rest = &stream[..];
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*length).min(rest.len()));
        chunks.push(now);
        rest = later;
    }
    assert!(slice(rules(), chunks) == expected);
    for made in &expected.made {
        let file = files(&made.bytes);
        assert_eq!(file.len(), 1);
        assert!(file[0].sized);
    }
}

/// A codec that became another, and a group whose parts are longer than it.
#[test]
fn damage_that_was_found_once_is_harmless() {
    check_damaged(5, &[(361, 129, 0)], &[1]);
    check_damaged(0, &[(333, 156, 1), (28_244, 0, 2)], &[1]);
}

proptest! {
    /// Damage never panics, and how the bytes were cut changes nothing.
    #[test]
    fn damaged_streams_end_and_do_not_depend_on_chunks(
        which in 0..FIXTURES.len(),
        edits in prop::collection::vec((0_usize..120_000, any::<u8>(), 0_usize..3), 0..12),
        lengths in prop::collection::vec(1_usize..9_000, 1..6),
    ) {
        check_damaged(which, &edits, &lengths);
    }
}
