//! Slicing streams made by hand: one oddity each, with what must come of it.

mod slicer_support;

use bytes::Bytes;
use slicer_support::*;
use tapeline::slicer::{CutReason, SliceError, Slicer, SlicerOptions, SlicingRules};
use tapeline::time::MediaSpan;

const SECOND: i64 = 90_000;

/// Short segments, so that the streams stay small.
fn rules() -> SlicingRules {
    SlicingRules {
        target: MediaSpan::from_secs(2),
        max_length: MediaSpan::from_secs(4),
        ..SlicingRules::default()
    }
}

/// Ten pictures and ten PES packets of sound a second, a key frame each second.
fn feed(mux: &mut Mux, seconds: std::ops::Range<i64>) {
    feed_some(mux, seconds, true, true);
}

fn feed_some(mux: &mut Mux, seconds: std::ops::Range<i64>, video: bool, audio: bool) {
    for tenth in seconds.start * 10..seconds.end * 10 {
        let at = tenth * 9_000;
        if video {
            let data = if tenth % 10 == 0 { key(0, 400) } else { picture(300) };
            mux.pes(&Pes::video(at, data));
        }
        if audio {
            mux.pes(&Pes::audio(at, adts(3, 250)));
        }
    }
}

#[test]
fn segments_of_a_plain_stream() {
    let mut mux = Mux::program(AV);
    feed(&mut mux, 0..7);
    let outcome = slice(rules(), &mux.bytes());
    assert_eq!(outcome.starts(), [0, 2_000, 4_000, 6_000]);
    assert_eq!(outcome.notes.torn_pes, 0);
    assert!(outcome.segments.iter().all(|segment| segment.sealed.opened.starts_with_key));
}

/// Sound packets of declared length that lie across the key frame stay whole in the old segment.
#[test]
fn an_open_pes_packet_is_finished_in_the_old_segment() {
    let mut mux = Mux::program(AV);
    feed(&mut mux, 0..2);
    let sound = mux.pes_packets(&Pes::audio(2 * SECOND, adts(3, 1_500)));
    let video = mux.pes_packets(&Pes::video(2 * SECOND, key(0, 900)));
    mux.send(sound[..3].iter().copied());
    mux.send(video[..2].iter().copied());
    mux.send(sound[3..6].iter().copied());
    mux.send(video[2..].iter().copied());
    mux.send(sound[6..].iter().copied());
    feed(&mut mux, 3..4);
    let outcome = slice(rules(), &mux.bytes());
    assert_eq!(outcome.starts(), [0, 2_000]);
    assert_eq!(outcome.notes.torn_pes, 0);
    let old = outcome.segments[0].packets();
    assert_eq!(old[old.len() - sound.len()..].iter().filter(|p| pid(p) == AUDIO).count(), sound.len());
}

/// Nothing but the next start ends an unbounded PES packet. It is waited for, but no longer than 1 s.
#[test]
fn an_unbounded_pes_packet_is_waited_for_one_second() {
    for (wait, torn) in [(5, 0), (15, 1)] {
        let mut mux = Mux::program(AV);
        feed(&mut mux, 0..2);
        let sound = Pes { bounded: false, ..Pes::audio(2 * SECOND, adts(3, 4_000)) };
        let mut sound = mux.pes_packets(&sound).into_iter();
        mux.send(sound.by_ref().take(2));
        for tenth in 20..20 + wait {
            mux.pes(&Pes::video(tenth * 9_000, if tenth == 20 { key(0, 10) } else { picture(10) }));
            mux.send(sound.by_ref().take(1));
        }
        mux.send(sound);
        feed(&mut mux, 4..5);
        let outcome = slice(rules(), &mux.bytes());
        assert_eq!(outcome.starts(), [0, 2_000, 4_000]);
        assert_eq!(outcome.notes.torn_pes, torn, "{wait} tenths");
    }
}

#[test]
fn an_unbounded_pes_packet_is_waited_for_one_mebibyte() {
    let mut mux = Mux::program(AV);
    feed(&mut mux, 0..2);
    let sound = Pes { bounded: false, ..Pes::audio(2 * SECOND, adts(3, 1_000)) };
    let mut sound = mux.pes_packets(&sound).into_iter();
    mux.send(sound.by_ref().take(2));
    mux.pes(&Pes::video(2 * SECOND, key(0, 1_100_000)));
    mux.send(sound);
    feed(&mut mux, 3..4);
    let stream = mux.bytes();
    let outcome = slice(rules(), &stream);
    assert_eq!((outcome.starts(), outcome.notes.torn_pes), (vec![0, 2_000], 1));
    // What waits in memory is bounded: all but so much has come out by the time it came in.
    let mut slicer = Slicer::new(SlicerOptions { rules: rules(), ..Default::default() });
    let (mut given, mut taken, mut most) = (0, 0, 0);
    for chunk in stream.chunks(4096) {
        slicer.push(&Bytes::copy_from_slice(chunk), None).unwrap();
        given += chunk.len();
        while let Some(action) = slicer.pull() {
            if let tapeline::slicer::Action::Bytes(bytes) = action {
                taken += bytes.len();
            }
        }
        most = most.max(given.saturating_sub(taken));
    }
    assert!(most > 1_000_000 && most < 1_100_000, "{most}");
}

/// Where sound decides, because pictures stopped, the last picture's open PES packet holds up the border
/// for one second and not until the next cut.
#[test]
fn the_others_end_the_wait_where_the_lead_is_silent() {
    let mut mux = Mux::program(AV);
    feed(&mut mux, 0..1);
    feed_some(&mut mux, 1..7, false, true);
    let mut slicer = Slicer::new(SlicerOptions { rules: rules(), ..Default::default() });
    let mut sink = Sink::default();
    slicer.push(&Bytes::from(mux.bytes()), None).unwrap();
    sink.pull(&mut slicer);
    assert_eq!(sink.segments.len(), 1, "sealed at 4 s, given out at 5 s");
    assert_eq!(sink.segments[0].sealed.reason, CutReason::Limit);
}

#[test]
fn a_section_that_lies_across_the_border_stays_whole() {
    let streams = [AV, &[(SCTE35, SECTIONS)]].concat();
    let long = section(0xfc, 0, 0, &[0x33; 300]);
    let mut mux = Mux::program(&streams);
    feed(&mut mux, 0..2);
    // The first section begins before the key frame and ends behind it, in the packet in which another
    // begins and ends.
    mux.send_payload(SECTIONS, &[&[0], &long[..183]].concat());
    mux.pes(&Pes::video(2 * SECOND, key(0, 900)));
    let rest = &long[183..];
    mux.send_payload(SECTIONS, &[&[rest.len() as u8], rest, &section(0xfc, 0, 0, &[1; 20])].concat());
    mux.section(SECTIONS, &section(0xfc, 0, 0, &[2; 20]));
    feed(&mut mux, 3..4);
    let outcome = slice(rules(), &mux.bytes());
    assert_eq!(outcome.starts(), [0, 2_000]);
    let counts: Vec<usize> = outcome
        .segments
        .iter()
        .map(|segment| segment.packets().iter().filter(|packet| pid(packet) == SECTIONS).count())
        .collect();
    assert_eq!((counts, outcome.notes.torn_pes), (vec![2, 1], 0));
}

#[test]
fn a_new_map_switches_all_streams_together() {
    let second_audio = 0x110;
    let more = [AV, &[(AAC, second_audio)]].concat();
    let less = &AV[..1];
    for (what, streams, extra) in
        [("one more", &more[..], Some(second_audio)), ("one less", less, None), ("the same", AV, None)]
    {
        let mut mux = Mux::program(AV);
        feed(&mut mux, 0..1);
        mux.pmt(PMT_PID, 1, streams);
        for tenth in 10..20 {
            if let Some(pid) = extra {
                mux.pes(&Pes { pid, ..Pes::audio(tenth * 9_000, adts(3, 100)) });
            }
            mux.pes(&Pes::video(tenth * 9_000, if tenth == 10 { key(0, 400) } else { picture(300) }));
        }
        let outcome = slice(rules(), &mux.bytes());
        if what == "the same" {
            assert_eq!(outcome.reasons(), [CutReason::Stop], "{what}");
            continue;
        }
        assert_eq!(outcome.reasons(), [CutReason::Tracks, CutReason::Stop], "{what}");
        assert_eq!(outcome.starts(), [0, 1_000], "{what}");
        assert!(outcome.segments[1].sealed.opened.discontinuity);
        if let Some(extra) = extra {
            let [old, new] = [0, 1]
                .map(|n| outcome.segments[n].packets().iter().filter(|packet| pid(packet) == extra).count());
            assert_eq!((old, new), (0, 10), "the new stream is whole in the new segment");
        }
    }
}

#[test]
fn pictures_that_are_announced_and_never_sent_do_not_hold_up_sound() {
    let mut mux = Mux::program(&AV[1..]);
    feed_some(&mut mux, 0..1, false, true);
    mux.pmt(PMT_PID, 1, AV);
    feed_some(&mut mux, 1..12, false, true);
    feed(&mut mux, 12..14);
    let outcome = slice(rules(), &mux.bytes());
    let reasons = outcome.reasons();
    assert_eq!(reasons[..3], [CutReason::Tracks, CutReason::Limit, CutReason::Limit], "{reasons:?}");
}

#[test]
fn a_stream_that_changes_its_kind_keeps_the_end_of_its_old_packet() {
    let mut mux = Mux::program(AV);
    feed(&mut mux, 0..1);
    let sound = mux.pes_packets(&Pes::audio(SECOND, adts(3, 1_000)));
    mux.send(sound[..2].iter().copied());
    mux.pmt(PMT_PID, 1, &[(H264, VIDEO), (0x81, AUDIO)]);
    mux.send(sound[2..].iter().copied());
    feed(&mut mux, 1..2);
    let outcome = slice(rules(), &mux.bytes());
    assert_eq!(outcome.reasons(), [CutReason::Tracks, CutReason::Stop]);
    assert_eq!(outcome.notes.torn_pes, 0);
}

#[test]
fn an_interruption_loses_nothing() {
    let second_audio = 0x110;
    let more = [AV, &[(AAC, second_audio)]].concat();
    // With and without a map that has just announced another stream, some of which has come.
    for announced in [false, true] {
        let mut mux = Mux::program(AV);
        feed(&mut mux, 0..1);
        if announced {
            mux.pmt(PMT_PID, 1, &more);
            mux.pes(&Pes { pid: second_audio, ..Pes::audio(SECOND, adts(3, 100)) });
        }
        let before = mux.packets.len() * 188;
        feed(&mut mux, 20..21);
        let stream = mux.bytes();
        let mut slicer = Slicer::new(SlicerOptions { rules: rules(), ..Default::default() });
        let mut sink = Sink::default();
        slicer.push(&Bytes::copy_from_slice(&stream[..before]), None).unwrap();
        slicer.interrupt();
        sink.pull(&mut slicer);
        assert!(sink.open.is_none() && !sink.segments.is_empty(), "ended at once");
        slicer.interrupt();
        slicer.push(&Bytes::copy_from_slice(&stream[before..]), None).unwrap();
        let finished = slicer.finish();
        sink.pull(&mut slicer);
        let outcome = Outcome { segments: sink.segments, notes: ts_notes(&slicer), finished };
        check(rules(), &outcome, &stream);
        assert_eq!(outcome.reasons(), [CutReason::Interruption, CutReason::Stop], "{announced}");
        assert!(outcome.segments[1].sealed.opened.discontinuity);
        let extra =
            |n: usize| outcome.segments[n].packets().iter().filter(|p| pid(p) == second_audio).count();
        assert_eq!(extra(0) + extra(1), usize::from(announced), "nothing of the new stream is lost");
    }
}

#[test]
fn tables_alone_do_not_pile_up() {
    let mut mux = Mux::program(AV);
    feed(&mut mux, 0..1);
    let before = mux.packets.len() * 188;
    for _ in 0..5_000 {
        mux.pat(&[(1, PMT_PID)]);
        mux.pmt(PMT_PID, 0, AV);
    }
    feed(&mut mux, 20..21);
    let stream = mux.bytes();
    let mut slicer = Slicer::new(SlicerOptions { rules: rules(), ..Default::default() });
    let mut sink = Sink::default();
    slicer.push(&Bytes::copy_from_slice(&stream[..before]), None).unwrap();
    slicer.interrupt();
    slicer.push(&Bytes::copy_from_slice(&stream[before..]), None).unwrap();
    let finished = slicer.finish();
    sink.pull(&mut slicer);
    let outcome = Outcome { segments: sink.segments, notes: ts_notes(&slicer), finished };
    check(rules(), &outcome, &stream);
    let tables = outcome.segments[1].packets().iter().filter(|p| pid(p) == 0 || pid(p) == PMT_PID).count();
    assert_eq!(tables, 2, "a silent input's tables are not kept");
}

#[test]
fn a_map_that_moves_is_found_where_the_pat_says() {
    for same_map in [true, false] {
        let mut mux = Mux::program(AV);
        feed(&mut mux, 0..1);
        mux.pat(&[(1, 0x1abc)]);
        // A segment begins before the map has come again.
        feed(&mut mux, 1..3);
        mux.pmt(0x1abc, u8::from(!same_map), AV);
        feed(&mut mux, 3..5);
        let outcome = slice(rules(), &mux.bytes());
        assert_eq!(outcome.starts(), [0, 2_000, 4_000]);
        for segment in &outcome.segments[1..] {
            let packets = segment.packets();
            assert!(packets.iter().all(|packet| pid(packet) != PMT_PID), "the map is where the PAT says");
        }
    }
}

#[test]
fn a_program_that_vanishes_is_gone_on_with() {
    for program in [None, Some(1)] {
        let mut mux = Mux::program(AV);
        feed(&mut mux, 0..1);
        mux.pat(&[(7, 0x1abc)]);
        feed(&mut mux, 1..3);
        mux.pat(&[(1, PMT_PID)]);
        mux.pmt(PMT_PID, 0, AV);
        feed(&mut mux, 3..4);
        let stream = mux.bytes();
        let options = SlicerOptions { rules: rules(), program, ..Default::default() };
        let outcome = slice_chunks(options, stream.chunks(188));
        check(rules(), &outcome, &stream);
        assert_eq!((outcome.finished.clone(), outcome.starts()), (Ok(()), vec![0, 2_000]), "{program:?}");
    }
}

#[test]
fn another_program_takes_the_place_of_the_first() {
    let mut mux = Mux::program(AV);
    feed(&mut mux, 0..1);
    mux.pat(&[(7, 0x1abc)]);
    mux.program_map(0x1abc, 7, 0, AV);
    feed(&mut mux, 1..4);
    let outcome = slice(rules(), &mux.bytes());
    assert_eq!(outcome.reasons(), [CutReason::Tracks, CutReason::Target, CutReason::Stop]);
    let packets = outcome.segments[1].packets();
    assert_eq!((pid(&packets[1]), packets[1][9]), (0x1abc, 7), "program_number in the map");
    assert_eq!(packets[0][14], 7, "and in the PAT");
}

#[test]
fn damaged_tables_change_nothing() {
    let mut mux = Mux::program(AV);
    feed(&mut mux, 0..1);
    let whole = mux.clone();
    mux.pat(&[(2, 0x1abc)]);
    mux.pmt(PMT_PID, 1, &AV[..1]);
    let tables = mux.packets.split_off(whole.packets.len());
    for mut packet in tables {
        packet[12] ^= 0x10;
        mux.packets.push(packet);
    }
    feed(&mut mux, 1..3);
    let outcome = slice(rules(), &mux.bytes());
    assert_eq!((outcome.starts(), outcome.notes.table_errors), (vec![0, 2_000], 2));
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    let mut mux = Mux::program(AV);
    feed(&mut mux, 0..1);
    let options = SlicerOptions { program: Some(9), ..Default::default() };
    let error = slice_chunks(options, [&mux.bytes()[..]]).finished.unwrap_err();
    assert_eq!(error, SliceError::NoSuchProgram { wanted: 9, present: vec![1] });
}

#[test]
fn every_packet_sent_twice_is_kept_and_understood() {
    let mut mux = Mux::program(AV);
    for second in 0..3 {
        // The slice comes only in the third packet.
        mux.pes(&Pes::video(second * SECOND, late_key(400, 300)));
        mux.pes(&Pes::audio(second * SECOND, adts(3, 250)));
    }
    let twice: Vec<u8> = mux.packets.iter().flat_map(|packet| [*packet, *packet]).flatten().collect();
    let outcome = slice(rules(), &twice);
    assert_eq!(outcome.starts(), [0, 2_000]);
    assert_eq!(outcome.notes.torn_pes, 0);
    assert!(outcome.segments.iter().all(|segment| segment.sealed.opened.starts_with_key));
}

/// A restarted encoder begins its counters anew, now and then with the very number that was the last.
#[test]
fn a_start_with_the_last_count_is_no_repeat_of_another_packet() {
    let mut mux = Mux::program(AV);
    feed(&mut mux, 0..2);
    let counter = mux.counter(VIDEO);
    *counter = (*counter + 15) & 0x0f;
    feed(&mut mux, 2..3);
    let outcome = slice(rules(), &mux.bytes());
    assert_eq!(outcome.starts(), [0, 2_000]);
    assert_eq!((outcome.notes.duplicate_packets, outcome.notes.continuity_errors), (0, 1));
}

#[test]
fn a_packet_lost_in_a_pes_packet_costs_only_itself() {
    let mut mux = Mux::program(AV);
    feed(&mut mux, 0..2);
    // Of declared length, so that it would never be complete.
    let sound = mux.pes_packets(&Pes::audio(2 * SECOND - 9_000, adts(3, 1_000)));
    mux.send(sound);
    let lost = mux.packets.len() - 3;
    mux.packets.remove(lost);
    feed(&mut mux, 2..5);
    let outcome = slice(rules(), &mux.bytes());
    assert_eq!(outcome.starts(), [0, 2_000, 4_000]);
    assert_eq!((outcome.notes.continuity_errors, outcome.notes.torn_pes), (1, 0));
}

/// Where a start is lost as well, the length declared before says nothing of what follows.
#[test]
fn a_start_that_is_lost_does_not_end_its_packet_early() {
    let mut mux = Mux::program(AV);
    feed(&mut mux, 0..2);
    let sound = |at| Pes::audio(at, adts(3, 1_000));
    let first = mux.pes_packets(&sound(2 * SECOND - 9_000));
    let second = mux.pes_packets(&sound(2 * SECOND));
    mux.send(first.iter().copied().chain(second[..4].iter().copied()));
    // The end of the first and the begin of the second.
    let lost = mux.packets.len() - 6;
    mux.packets.drain(lost..lost + 3);
    mux.pes(&Pes::video(2 * SECOND, key(0, 300)));
    mux.send(second[4..].iter().copied());
    feed(&mut mux, 3..4);
    let outcome = slice(rules(), &mux.bytes());
    assert_eq!(outcome.starts(), [0, 2_000]);
    let next = outcome.segments[1].packets();
    let sound = next.iter().find(|packet| pid(packet) == AUDIO).unwrap();
    assert!(starts(sound), "the rest stays in the old segment");
}

/// A PES packet may go without a stamp. The program clock, which runs well before the decoding time, is no
/// stamp.
#[test]
fn a_picture_without_stamps_is_no_jump_of_the_clock() {
    let mut mux = Mux::program(AV);
    for tenth in 0..40 {
        let at = tenth * 9_000;
        let data = if tenth % 10 == 0 { key(0, 400) } else { picture(300) };
        let pts = (tenth % 3 != 1).then_some(at);
        mux.pes(&Pes { pts, pcr: Some(at - 2 * SECOND), ..Pes::video(at, data) });
        mux.pes(&Pes::audio(at, adts(3, 250)));
    }
    let outcome = slice(rules(), &mux.bytes());
    assert_eq!(outcome.reasons(), [CutReason::Target, CutReason::Stop]);
    assert_eq!(outcome.starts(), [0, 2_000]);
}

#[test]
fn pictures_without_any_stamp_go_by_the_program_clock() {
    for scrambled in [false, true] {
        let mut mux = Mux::program(AV);
        for tenth in 0..100 {
            let at = tenth * 9_000;
            let data = if tenth % 10 == 0 { key(0, 400) } else { picture(300) };
            mux.pes(&Pes { pts: None, pcr: Some(at), scrambled, ..Pes::video(at, data) });
        }
        let outcome = slice(rules(), &mux.bytes());
        // Scrambled pictures show no key frame: after a patience of 1 s, each limit of 4 s.
        let expected: &[i64] = if scrambled { &[0, 4_000, 8_000] } else { &[0, 2_000, 4_000, 6_000, 8_000] };
        assert_eq!(outcome.starts(), expected, "scrambled {scrambled}");
    }
}

/// Scrambling begins in the middle: no stamp can be read, and the program clock is 1.5 s earlier.
#[test]
fn scrambling_that_begins_is_no_jump() {
    let mut mux = Mux::program(AV);
    for tenth in 0..60 {
        let at = tenth * 9_000;
        let data = if tenth % 10 == 0 { key(0, 400) } else { picture(300) };
        let scrambled = tenth >= 15;
        mux.pes(&Pes { scrambled, pcr: Some(at - 3 * SECOND / 2), ..Pes::video(at, data) });
        mux.pes(&Pes { scrambled, ..Pes::audio(at, adts(3, 250)) });
    }
    let outcome = slice(rules(), &mux.bytes());
    assert_eq!(outcome.reasons(), [CutReason::Limit, CutReason::Stop]);
}

#[test]
fn a_key_frame_is_looked_for_in_64_kib_and_no_further() {
    for (before, key) in [(2_000, true), (60_000, true), (66_000, false)] {
        let mut mux = Mux::program(&AV[..1]);
        feed_some(&mut mux, 0..2, true, false);
        mux.pes(&Pes::video(2 * SECOND, late_key(before, 100)));
        let outcome = slice(rules(), &mux.bytes());
        assert_eq!(outcome.starts().len(), if key { 2 } else { 1 }, "{before} bytes before the slice");
    }
}

/// Sound goes on while a picture's first slice has not come: at most 1 MiB of it is held.
#[test]
fn what_is_held_for_a_picture_is_bounded() {
    let mut mux = Mux::program(AV);
    feed(&mut mux, 0..2);
    let picture = mux.pes_packets(&Pes::video(2 * SECOND, late_key(1_000, 10)));
    mux.send(picture[..2].iter().copied());
    let before = mux.packets.len();
    for n in 0..200 {
        mux.pes(&Pes::audio(2 * SECOND + n * 100, adts(3, 8_000)));
    }
    let mut slicer = Slicer::new(SlicerOptions { rules: rules(), ..Default::default() });
    let mut out = 0;
    slicer.push(&Bytes::from(mux.bytes()), None).unwrap();
    while let Some(action) = slicer.pull() {
        if let tapeline::slicer::Action::Bytes(bytes) = action {
            out += bytes.len();
        }
    }
    let held = mux.packets.len() * 188 - out;
    assert!(out > before * 188 && held < 1_100_000, "{held} bytes held");
}

#[test]
fn several_access_units_in_a_pes_packet_count_by_the_first() {
    let mut mux = Mux::program(&AV[..1]);
    for half in 0..8 {
        let mut data = if half % 2 == 0 { key(0, 100) } else { picture(100) };
        data.extend(if half % 2 == 0 { picture(100) } else { key(0, 100) });
        mux.pes(&Pes::video(half * SECOND / 2, data));
    }
    assert_eq!(slice(rules(), &mux.bytes()).starts(), [0, 2_000]);
}

#[test]
fn another_size_or_sample_rate_cuts() {
    let mut size = Mux::program(AV);
    feed(&mut size, 0..1);
    size.pes(&Pes::video(SECOND, key(1, 10)));
    let mut rate = Mux::program(&AV[1..]);
    for tenth in 0..20 {
        rate.pes(&Pes::audio(tenth * 9_000, adts(if tenth < 10 { 3 } else { 4 }, 250)));
    }
    for mux in [size, rate] {
        let outcome = slice(rules(), &mux.bytes());
        assert_eq!(outcome.reasons(), [CutReason::Parameters, CutReason::Stop]);
        assert_eq!(outcome.starts(), [0, 1_000]);
        assert!(outcome.segments[1].sealed.opened.discontinuity);
    }
}

/// Streams are joined: what comes before the map is kept until it comes, up to 1 MiB.
#[test]
fn a_map_that_comes_late_loses_nothing() {
    let mut body = Mux::default();
    feed(&mut body, 0..4);
    let mut mux = Mux::default();
    mux.send(body.packets);
    mux.pat(&[(1, PMT_PID)]);
    mux.pmt(PMT_PID, 0, AV);
    let outcome = slice(rules(), &mux.bytes());
    assert_eq!(outcome.starts(), [0, 2_000]);
    assert_eq!(outcome.notes.packets_before_start, 0);
    let kept: usize = outcome.segments.iter().map(|segment| segment.packets().len()).sum();
    assert_eq!(kept, mux.packets.len() - 2 + 2 * outcome.segments.len());
}

#[test]
fn a_wrap_of_the_stamps_at_the_border_leaves_no_trace() {
    let zero = (1 << 33) - 2 * SECOND;
    for offset in [-1, 0, 1, 9_000] {
        let mut mux = Mux::program(AV);
        for tenth in 0..50 {
            let at = zero + offset + tenth * 9_000;
            let data = if tenth % 10 == 0 { key(0, 40) } else { picture(30) };
            mux.pes(&Pes { dts: Some(at - 100), ..Pes::video(at, data) });
            mux.pes(&Pes::audio(at, adts(3, 250)));
        }
        let outcome = slice(rules(), &mux.bytes());
        assert_eq!(outcome.starts(), [0, 2_000, 4_000], "{offset}");
        assert!(outcome.segments.iter().all(|segment| !segment.sealed.opened.discontinuity));
    }
}

#[test]
fn bytes_are_limited() {
    let rules = SlicingRules { max_bytes: 100_000, ..rules() };
    let mut mux = Mux::program(AV);
    for n in 0..40 {
        mux.pes(&Pes::video(n * 1_000, if n == 0 { key(0, 9_000) } else { picture(9_000) }));
        mux.pes(&Pes::audio(n * 1_000, adts(3, 250)));
    }
    let outcome = slice(rules, &mux.bytes());
    assert_eq!(outcome.reasons()[..3], [CutReason::Limit; 3]);
    assert!(outcome.segments.iter().all(|segment| segment.bytes.len() < 100_000 + 10_000));
}
