//! The whole recording as one transport stream: nothing but numbers is changed, and nothing runs back.

mod export_support;
mod support;

use std::fs;
use std::path::Path;

use bytes::Bytes;
use export_support::{decoded, part, recorded, two_turns};
use support::{FIXTURES, SmallDisk, Unit, fixture_bytes, tool, units};
use tapeline::export::{ExportOptions, GapTime, JoinError, Part, Target, TsJoiner, export};
use tapeline::ids::{RecordingId, Sid};
use tapeline::media::Container;
use tapeline::recorder::{Options, OutputSpec, Recorder};
use tapeline::severity::Severity;
use tapeline::stitch::{StitchOptions, stitch};
use tapeline::store::Store;
use tapeline::ts::{FaultKind, PACKET_LEN, SegmentMap, TsSurvey};

fn join(joiner: &mut TsJoiner, part: Part) -> Bytes {
    let mut joined = Vec::new();
    let take = |piece: &[u8]| {
        joined.extend_from_slice(piece);
        Ok::<_, ()>(())
    };
    assert_eq!(joiner.part(part, take).unwrap(), joined.len() as u64);
    Bytes::from(joined)
}

async fn exported(store: &Store, gap: GapTime) -> Bytes {
    let mut file = Vec::new();
    let options = ExportOptions { gap, ..ExportOptions::default() };
    let to = Target::Stream(&mut file);
    let told = export(store, &Sid::new("s1").unwrap(), &options, to, &|_, _| {}).await.unwrap();
    assert_eq!(told.bytes, file.len() as u64);
    Bytes::from(file)
}

/// What the stitched playlist plays, joined.
async fn stitched(store: &Store) -> Vec<u8> {
    let stitched = stitch(store, &Sid::new("s1").unwrap(), &StitchOptions::default()).await.unwrap();
    stitched.store(store).await.unwrap();
    let playlist = tapeline::playlist::parse(stitched.outputs[0].playlist.as_bytes()).unwrap();
    let mut joined = Vec::new();
    for segment in playlist.segments {
        joined.extend_from_slice(&store.get(&segment.uri, 1 << 30).await.unwrap());
    }
    joined
}

#[tokio::test]
async fn every_fixture_in_two_turns_becomes_one_stream_in_which_nothing_runs_back() {
    let all = FIXTURES.iter().map(|fixture| async {
        let store = recorded(fixture.name, 6_500).await;
        let (export, joined) = (exported(&store, GapTime::Collapse).await, stitched(&store).await);
        let survey = TsSurvey::of(&export);
        let bad: Vec<_> =
            survey.faults.iter().filter(|fault| fault.kind.severity() > Severity::Note).collect();
        let allowed = |kind: FaultKind| fixture.name == "garbage" && kind == FaultKind::ContinuityGap;
        assert!(bad.iter().all(|fault| allowed(fault.kind)), "{}: {bad:#?}", fixture.name);
        assert!(!survey.counts.contains_key(&FaultKind::Late), "{}: {:?}", fixture.name, survey.faults);
        // The media is that of the segments, to the byte.
        let (ours, theirs) = (units(&export), units(&joined));
        for (pid, theirs) in &theirs {
            let of =
                |units: &Vec<Unit>| -> Vec<Vec<u8>> { units.iter().map(|(_, data)| data.clone()).collect() };
            assert_eq!(of(&ours[pid]), of(theirs), "{} {pid}", fixture.name);
        }
    });
    futures_util::future::join_all(all).await;
}

#[tokio::test]
async fn one_turn_is_its_segments_to_the_byte() {
    let store = Store::open("memory:").unwrap();
    let id = RecordingId::new("s1", "main").unwrap();
    let recorder = Recorder::start(&store, id, Options::default()).await.unwrap();
    let output = recorder.output(OutputSpec::composite(Container::MpegTs)).unwrap();
    output.write_bytes(Bytes::from(fixture_bytes("h264_aac"))).await.unwrap();
    recorder.stop().await.unwrap();
    assert!(exported(&store, GapTime::Collapse).await == stitched(&store).await);
}

#[test]
fn a_part_keeps_its_times_to_each_other_and_follows_at_once() {
    let segment = Bytes::from(fixture_bytes("h264_aac"));
    let mut joiner = TsJoiner::default();
    let first = join(&mut joiner, part(segment.clone(), false));
    assert!(first == segment);
    let second = join(&mut joiner, part(segment.clone(), false));
    let (before, after) = (units(&segment), units(&second));
    let mut moved = std::collections::BTreeSet::new();
    for (pid, units) in &before {
        for ((old, data), (new, moved_data)) in units.iter().zip(&after[pid]) {
            assert_eq!(data, moved_data);
            moved.extend(old.pts.zip(new.pts).map(|(old, new)| new.since(old).ticks()));
            moved.extend(old.dts.zip(new.dts).map(|(old, new)| new.since(old).ticks()));
        }
    }
    assert_eq!(moved.len(), 1, "{moved:?}");
    // 24 s of pictures, and the sound that reaches a little further.
    let by = *moved.first().unwrap();
    assert!((24 * 90_000..24 * 90_000 + 45_000).contains(&by), "{by}");
    let sound = TsSurvey::of(&segment).streams[1].length().unwrap().ticks();
    assert!(sound > 24 * 90_000 && by >= sound, "the sound that is over begins again: {by} of {sound}");
    let all = Bytes::from([&first[..], &second].concat());
    assert_eq!(TsSurvey::of(&all).faults, []);
}

#[test]
fn a_part_that_goes_on_is_not_moved_further() {
    let segment = Bytes::from(fixture_bytes("pts_wrap"));
    let half = segment.len() / 2 / PACKET_LEN * PACKET_LEN;
    let mut joiner = TsJoiner::default();
    join(&mut joiner, part(fixture_bytes("h264_aac"), false));
    let once = join(&mut joiner, part(segment.clone(), false));
    let mut joiner = TsJoiner::default();
    join(&mut joiner, part(fixture_bytes("h264_aac"), false));
    let one = join(&mut joiner, part(segment.slice(..half), false));
    let two = join(&mut joiner, part(segment.slice(half..), true));
    assert!([&one[..], &two].concat() == once[..]);
}

#[test]
fn another_map_gets_another_version_and_a_right_crc() {
    // Both have version 0; the second has no sound. The third is long.
    let parts = ["h264_aac", "no_key", "long_pmt", "h264_aac"].map(fixture_bytes);
    let mut joiner = TsJoiner::default();
    let mut versions = Vec::new();
    let mut all = Vec::new();
    for bytes in parts {
        let joined = join(&mut joiner, part(bytes, false));
        versions.push(SegmentMap::of(&joined).unwrap().pmt.version);
        all.extend_from_slice(&joined);
    }
    assert!(versions.windows(2).all(|pair| pair[0] != pair[1]), "{versions:?}");
    let survey = TsSurvey::of(&Bytes::from(all));
    for kind in [FaultKind::DamagedTable, FaultKind::ContinuityGap, FaultKind::DtsBack, FaultKind::PcrBack] {
        assert!(!survey.counts.contains_key(&kind), "{:#?}", survey.faults);
    }
}

#[tokio::test]
async fn gaps_are_left_out_or_kept() {
    let store = recorded("h264_aac", 54_000).await;
    for (gap, seconds) in [(GapTime::Collapse, 48), (GapTime::Keep, 78)] {
        let survey = TsSurvey::of(&exported(&store, gap).await);
        let length = survey.lead().unwrap().length().unwrap().millis();
        assert!((seconds * 1000..seconds * 1000 + 500).contains(&length), "{gap:?}: {length}");
    }
}

#[test]
fn what_is_no_transport_stream_is_refused() {
    for bytes in [&b""[..], b"<html>", &[0; 1000]] {
        let mut joiner = TsJoiner::default();
        let joined = joiner.part(part(Bytes::copy_from_slice(bytes), false), |_| Ok::<_, ()>(()));
        assert!(matches!(joined, Err(JoinError::NoStream)));
    }
}

#[test]
fn the_program_makes_a_file_that_plays_as_the_stitched_playlist_does() {
    let place = two_turns();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("whole.ts");
    let said = place.run("export", ["--sid", "s1", "--out", file.to_str().unwrap(), "--json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.object()["bytes"], fs::metadata(&file).unwrap().len());
    assert!(!folder.path().join("whole.ts.part").exists());

    let again = ["--sid", "s1", "--out", file.to_str().unwrap()];
    place.run("export", again).assert_error(6, &["whole.ts is there already"]);
    assert_eq!(place.run("export", again.into_iter().chain(["--force"])).code, Some(0));
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    place.run("stitch", ["--sid", "s1"]);
    let list = Path::new(place.url()).join("stitched_s1_main.m3u8");
    let (ours, theirs) = (decoded(&ffmpeg, &file, "v"), decoded(&ffmpeg, &list, "v"));
    assert!(ours.len() > 700, "{}", ours.len());
    assert_eq!(ours, theirs);
}

#[test]
fn what_cannot_be_written_is_said_and_leaves_nothing() {
    let place = two_turns();
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    place
        .run("export", ["--sid", "s1", "--out", &out("a.mkv")])
        .assert_error(2, &["does not say what to make"]);
    place.run("export", ["--sid", "s2", "--out", &out("a.ts")]).assert_error(4, &["no recording s2"]);
    place.run("export", ["--sid", "s1", "--out", &out("x/a.ts")]).assert_error(2, &["cannot write"]);
    let gone = place
        .objects()
        .keys()
        .find(|key| key.starts_with("s1_main_") && key.ends_with(".ts"))
        .unwrap()
        .clone();
    fs::remove_file(Path::new(place.url()).join(&gone)).unwrap();
    place
        .run("export", ["--sid", "s1", "--missing", "fail", "--out", &out("a.ts")])
        .assert_error(9, &[&gone]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    let Some(disk) = SmallDisk::mount(100) else { return };
    let file = disk.path().join("a.ts");
    let said = place.run("export", ["--sid", "s1", "--out", file.to_str().unwrap()]);
    said.assert_error(5, &["cannot write", "a.ts.part", "No space left"]);
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 0);
}
