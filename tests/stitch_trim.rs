//! The end of a segment is cut off without re-encoding: what is kept is the begin of each stream, to the byte; nothing
//! at or past the join is left; and the result is a sound transport stream that decodes.

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use support::{Unit, decode_segments, fixture_bytes, judge_segments, units};
use tapeline::stitch::{Cut, CutAt, Uncut, trim};
use tapeline::time::MediaSpan;
use tapeline::ts::{PACKET_LEN, Packet, Pid, SegmentMap, StreamKind};

/// The PES packets of each PID, whose declared lengths are right.
fn sound_units(bytes: &[u8]) -> BTreeMap<Pid, Vec<Unit>> {
    let units = units(bytes);
    for (header, data) in units.values().flatten() {
        assert!(header.total_len.is_none_or(|total| total == header.data_offset + data.len()), "{header:?}");
    }
    units
}

/// A fixture from its first table on, as a segment begins.
fn segment(name: &str) -> Bytes {
    let bytes = Bytes::from(fixture_bytes(name));
    let at =
        (0..bytes.len()).step_by(PACKET_LEN).find(|at| Packet::at(&bytes, *at).unwrap().pid() == Pid::PAT);
    bytes.slice(at.expect("a table")..)
}

fn joined(cut: &Cut) -> Vec<u8> {
    cut.body.concat()
}

fn stream(units: &[Unit]) -> Vec<u8> {
    units.iter().flat_map(|(_, data)| data).copied().collect()
}

/// The fixture's PID of that kind.
fn pid_of(bytes: &[u8], wanted: fn(StreamKind) -> bool) -> Pid {
    SegmentMap::of(bytes)
        .unwrap()
        .pmt
        .streams
        .iter()
        .find(|stream| wanted(stream.kind))
        .expect("a stream")
        .pid
}

const fn is_video(kind: StreamKind) -> bool {
    matches!(kind, StreamKind::Video(_))
}

const fn is_audio(kind: StreamKind) -> bool {
    matches!(kind, StreamKind::Audio(_))
}

#[test]
fn pictures_end_in_decode_order_at_the_first_one_past_the_join() {
    for name in ["h264_aac", "h265_aac", "h264_opus"] {
        let bytes = Bytes::from(fixture_bytes(name));
        let pid = pid_of(&bytes, is_video);
        let all = &sound_units(&bytes)[&pid];
        let first = all[0].0.pts.unwrap();
        for millis in [40, 333, 1000, 3210, 6999] {
            let join = first + MediaSpan::from_millis(millis);
            let cut = trim(&bytes, CutAt::After(MediaSpan::from_millis(millis))).unwrap();
            assert_eq!(cut, trim(&bytes, CutAt::Time(join)).unwrap(), "{name} {millis}");
            let before = |unit: &Unit| unit.0.pts.unwrap().since(join) < MediaSpan::ZERO;
            let kept = all.iter().take_while(|unit| before(unit)).count();
            let lost = all[kept..].iter().filter(|unit| before(unit)).count();
            assert_eq!((cut.kept, cut.pictures_lost), (kept as u64, lost as u64), "{name} {millis}");
            let made = joined(&cut);
            assert_eq!(sound_units(&made)[&pid], all[..kept], "{name} {millis}");
            assert!(made.len() < bytes.len());
        }
    }
}

#[test]
fn a_picture_at_the_join_belongs_to_what_follows() {
    let bytes = segment("h264_aac");
    let pid = pid_of(&bytes, is_video);
    let all = &sound_units(&bytes)[&pid];
    let first = all[0].0.pts.unwrap();
    let after = |unit: &Unit| unit.0.pts.unwrap().since(first);
    // Those that are shown later than all before them in decode order.
    let highest = |index: &usize| all[..*index].iter().all(|unit| after(unit) < after(&all[*index]));
    let joins: Vec<usize> = (1..all.len()).filter(highest).step_by(29).collect();
    assert!(joins.len() > 5);
    for index in joins {
        let cut = trim(&bytes, CutAt::Time(all[index].0.pts.unwrap())).unwrap();
        assert_eq!(sound_units(&joined(&cut))[&pid], all[..index], "{index}");
    }
}

#[test]
fn sound_ends_at_its_own_frame() {
    let bytes = Bytes::from(fixture_bytes("h264_aac"));
    let pid = pid_of(&bytes, is_audio);
    let whole = sound_units(&bytes);
    let first = whole[&pid_of(&bytes, is_video)][0].0.pts.unwrap();
    let all = stream(&whole[&pid]);
    let start = whole[&pid][0].0.pts.unwrap();
    for millis in [500, 1001, 2345, 6789] {
        let cut = trim(&bytes, CutAt::After(MediaSpan::from_millis(millis))).unwrap();
        let kept = stream(&sound_units(&joined(&cut))[&pid]);
        assert!(all.starts_with(&kept));
        // Frames of 1024 samples at 48 kHz, one after the other from the first PES packet's time on.
        let mut frames = 0;
        let mut at = 0;
        while at < kept.len() {
            at += usize::from(kept[at + 3] & 3) << 11
                | usize::from(kept[at + 4]) << 3
                | usize::from(kept[at + 5] >> 5);
            frames += 1;
        }
        assert_eq!(at, kept.len(), "whole frames");
        let rate = 90_000 * 1024 / if all[2] >> 2 & 0x0f == 3 { 48_000 } else { 44_100 };
        let time = |frame: i64| (start + MediaSpan::from_ticks(frame * rate)).since(first).millis();
        // Time stamps of PES packets are rounded by whoever multiplexed them.
        assert!(time(frames - 1) <= millis + 1, "the last frame begins at {} of {millis}", time(frames - 1));
        assert!(time(frames) >= millis - 1, "a frame at {} of {millis} is missing", time(frames));
    }
}

#[test]
fn sound_alone_is_cut_as_well() {
    for name in ["audio_aac", "audio_mp3", "audio_ac3"] {
        let bytes = Bytes::from(fixture_bytes(name));
        let pid = pid_of(&bytes, is_audio);
        let cut = trim(&bytes, CutAt::After(MediaSpan::from_millis(2500))).unwrap();
        let (kept, all) = (sound_units(&joined(&cut)), sound_units(&bytes));
        let (kept, all) = (stream(&kept[&pid]), stream(&all[&pid]));
        assert!(all.starts_with(&kept) && !kept.is_empty() && cut.kept > 0, "{name}");
        let (share, expected) = (kept.len() as f64 / all.len() as f64, 2500.0 / 20_000.0);
        assert!(name == "audio_ac3" || (share - expected).abs() < 0.03, "{name}: {share}");
    }
}

#[test]
fn what_is_cut_is_sound_and_decodes() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for name in ["h264_aac", "h265_aac", "audio_aac"] {
        let bytes = segment(name);
        for millis in [777, 2020, 4999] {
            let cut = trim(&bytes, CutAt::After(MediaSpan::from_millis(millis))).unwrap();
            let path = folder.path().join(format!("{name}_{millis}.ts"));
            std::fs::write(&path, joined(&cut)).unwrap();
            paths.push(path);
        }
    }
    judge_segments(&paths, &[]);
    decode_segments(&paths);
}

#[test]
fn nothing_is_kept_of_what_begins_at_the_join() {
    let bytes = Bytes::from(fixture_bytes("h264_aac"));
    assert_eq!(trim(&bytes, CutAt::After(MediaSpan::ZERO)).unwrap().kept, 0);
}

#[test]
fn what_is_no_segment_is_refused() {
    let error =
        |bytes: Vec<u8>| trim(&Bytes::from(bytes), CutAt::After(MediaSpan::from_secs(1))).unwrap_err();
    assert_eq!(error(Vec::new()), Uncut::NotPackets);
    assert_eq!(error(vec![0x47; 187]), Uncut::NotPackets);
    assert_eq!(error(vec![0; 188]), Uncut::NotPackets);
    let mut null = vec![0xff; 188];
    null[..4].copy_from_slice(&[0x47, 0x1f, 0xff, 0x10]);
    assert_eq!(error(null), Uncut::NoMap);
}
