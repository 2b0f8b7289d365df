//! The session API against a store that fails: the order of writes, outages, strangers, and a recorder
//! that is dropped.

mod fault_store;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fault_store::{Fault, FaultStore};
use tapeline::ErrorKind;
use tapeline::continuity::{ControlObject, Phase};
use tapeline::ids::{MediaKind, RecordingId, Uid};
use tapeline::media::Container;
use tapeline::playlist::{check, check_append, parse};
use tapeline::recorder::{Event, OnFull, Options, OutputSpec, Recorder, Spool, Summary};

use tapeline::slicer::{Notes, SlicingRules};
use tapeline::spool::SpoolBase;
use tapeline::store::{ObjectKind, Store};
use tapeline::time::{MediaSpan, WallTime};

const PLAYLIST: &str = "s1_main.m3u8";
const CONTROL: &str = ".tapeline/recordings/s1.json";

fn media() -> Bytes {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/h264_aac.ts");
    std::fs::read(path).unwrap().into()
}

fn options(spool: &tempfile::TempDir) -> Options {
    let target = MediaSpan::from_secs(2);
    let rules = SlicingRules { target, max_length: target + target, ..SlicingRules::default() };
    Options {
        rules,
        spool: Spool::In(SpoolBase::folder(spool.path())),
        stop_patience: Duration::from_secs(600),
        ..Options::default()
    }
}

fn composite() -> OutputSpec {
    OutputSpec::composite(Container::MpegTs).start_time(WallTime::from_millis(1_767_225_600_000))
}

async fn start(store: &Store, spool: &tempfile::TempDir) -> Recorder {
    Recorder::start(store, RecordingId::new("s1", "main").unwrap(), options(spool)).await.unwrap()
}

async fn record(store: &Store, spool: &tempfile::TempDir) -> tapeline::Result<Summary> {
    record_with(start(store, spool).await).await
}

/// Records while the store obeys a script.
async fn record_through(
    store: &Arc<FaultStore>,
    faults: impl IntoIterator<Item = Fault>,
    spool: &tempfile::TempDir,
) -> tapeline::Result<Summary> {
    let recorder = start(&Store::from_object_store("faulty:", store.clone()), spool).await;
    store.script_puts(faults);
    record_with(recorder).await
}

async fn record_with(recorder: Recorder) -> tapeline::Result<Summary> {
    let output = recorder.output(composite())?;
    for chunk in media().chunks(10_000) {
        output.write_bytes(Bytes::copy_from_slice(chunk)).await?;
    }
    recorder.stop().await
}

fn is_empty(spool: &tempfile::TempDir) -> bool {
    !spool.path().exists() || std::fs::read_dir(spool.path()).unwrap().next().is_none()
}

/// What every history of writes must show: segments are written once; each version of the playlist is
/// legal, extends the one before, and lists only what was written and committed before.
fn check_history(written: &[(String, Bytes)]) -> usize {
    let mut segments = HashSet::new();
    let mut last = Bytes::new();
    let mut committed = 0;
    for (key, body) in written {
        if key == CONTROL {
            let state = ControlObject::decode(body).unwrap();
            committed = state.outputs.first().map_or(0, |output| output.segments);
            continue;
        }
        if key.starts_with(".tapeline/") {
            continue;
        }
        if key != PLAYLIST {
            assert!(segments.insert(key.clone()), "{key} was written twice");
            continue;
        }
        let parsed = parse(body).unwrap();
        assert_eq!(check(body), [], "{}", String::from_utf8_lossy(body));
        assert_eq!(check_append(&last, body), []);
        assert!(
            parsed.segments.iter().all(|segment| segments.contains(&segment.uri)),
            "listed before stored"
        );
        assert!(parsed.segments.len() as u64 <= committed, "listed before committed");
        last = body.clone();
    }
    let parsed = parse(&last).unwrap();
    assert!(parsed.ended);
    parsed.segments.len()
}

#[tokio::test(start_paused = true)]
async fn playlists_only_grow_and_list_what_is_stored() {
    let (store, spool) = (FaultStore::new([], []), tempfile::tempdir().unwrap());
    let handle = Store::from_object_store("faulty:", store.clone());
    let summary = record(&handle, &spool).await.unwrap();
    assert_eq!(check_history(&store.written()), 12);
    let output = &summary.outputs[0];
    assert_eq!((output.account.segments, output.listed, output.account.uncommitted), (12, 12, 0));
    assert!(output.complete && is_empty(&spool));
}

#[tokio::test(start_paused = true)]
async fn an_outage_in_the_middle_loses_nothing() {
    // Every write fails for a while, half of them after they were carried out.
    let faults = (0..12).map(|n| if n < 6 || n % 2 == 0 { Fault::None } else { Fault::LostAfter });
    let outage = std::iter::repeat_n(Fault::LostBefore, 60);
    let (store, spool) = (FaultStore::new([], []), tempfile::tempdir().unwrap());
    let summary = record_through(&store, faults.chain(outage), &spool).await.unwrap();
    assert_eq!(check_history(&store.written()), 12);
    assert!(summary.outputs[0].complete && is_empty(&spool));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_comes_back_leaves_all_in_the_spool() {
    let (store, spool) = (FaultStore::new([], []), tempfile::tempdir().unwrap());
    let outage = std::iter::repeat_n(Fault::LostBefore, 100_000);
    let error = record_through(&store, outage, &spool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataLoss, "{}", error.report());
    assert!(error.message().contains("0 segments are committed, 12 complete ones are not"), "{error}");
    let folder = std::fs::read_dir(spool.path()).unwrap().next().unwrap().unwrap().path();
    let left = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    assert_eq!(left.filter(|file| file.extension().is_some_and(|end| end == "ts")).count(), 12);
    assert!(store.written().iter().all(|(key, _)| key.starts_with(".tapeline/")));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_at_the_begin_is_an_error_and_later_an_outage() {
    let spool = tempfile::tempdir().unwrap();
    let handle = Store::from_object_store("faulty:", FaultStore::new([Fault::Denied], []));
    let id = RecordingId::new("s1", "main").unwrap();
    let error = Recorder::start(&handle, id, options(&spool)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{}", error.report());

    let spool = tempfile::tempdir().unwrap();
    let later = std::iter::repeat_n(Fault::None, 14).chain(std::iter::repeat_n(Fault::Denied, 9));
    let store = FaultStore::new([], []);
    record_through(&store, later, &spool).await.unwrap();
    assert_eq!(check_history(&store.written()), 12);
}

#[tokio::test(start_paused = true)]
async fn a_strangers_playlist_is_never_overwritten() {
    let (store, spool) = (Store::open("memory:").unwrap(), tempfile::tempdir().unwrap());
    let stranger = vec![Bytes::from_static(b"#EXTM3U\n")];
    let recorder = start(&store, &spool).await;
    // It comes after this recorder looked.
    let _ = store.put(PLAYLIST, stranger, ObjectKind::Playlist).await.unwrap();
    let output = recorder.output(composite()).unwrap();
    let written = output.write_bytes(media()).await;
    let error = match written {
        Ok(()) => recorder.stop().await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.report());
    assert_eq!(store.get(PLAYLIST, 1 << 20).await.unwrap(), "#EXTM3U\n");

    let second = Recorder::start(&store, RecordingId::new("s1", "main").unwrap(), options(&spool)).await;
    assert_eq!(second.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test(start_paused = true)]
async fn a_taken_name_makes_way_for_the_next_millisecond() {
    let (store, spool) = (Store::open("memory:").unwrap(), tempfile::tempdir().unwrap());
    let taken = "s1_main_20260101000000000.ts";
    let _ = store.put(taken, vec![Bytes::from_static(b"x")], ObjectKind::TsSegment).await.unwrap();
    record(&store, &spool).await.unwrap();
    let playlist = parse(&store.get(PLAYLIST, 1 << 20).await.unwrap()).unwrap();
    assert_eq!(playlist.segments[0].uri, "s1_main_20260101000000001.ts");
    assert_eq!(playlist.segments[1].uri, "s1_main_20260101000002000.ts");
    assert_eq!(store.get(taken, 10).await.unwrap(), "x");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_recorder_is_a_crash() {
    let (store, spool) = (FaultStore::new([], []), tempfile::tempdir().unwrap());
    let handle = Store::from_object_store("faulty:", store.clone());
    let recorder = start(&handle, &spool).await;
    let mut events = recorder.events();
    let output = recorder.output(composite()).unwrap();
    output.write_bytes(media()).await.unwrap();
    while !matches!(events.recv().await.unwrap(), Event::SegmentListed { .. }) {}
    drop(recorder);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let error = output.write_bytes(media()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let written = store.written();
    let (_, last) = written.iter().rfind(|(key, _)| key == PLAYLIST).unwrap();
    assert!(!parse(last).unwrap().ended);
    assert!(!is_empty(&spool), "the open segment is there");
}

#[tokio::test(start_paused = true)]
async fn outputs_are_independent() {
    let (store, spool) = (Store::open("memory:").unwrap(), tempfile::tempdir().unwrap());
    let recorder = start(&store, &spool).await;
    let uid = Uid::new(7).unwrap();
    let specs = [composite(), OutputSpec::individual(uid, MediaKind::Video, Container::MpegTs)];
    let [first, second] = specs.map(|spec| recorder.output(spec).unwrap());
    assert_eq!(recorder.output(composite()).unwrap_err().kind(), ErrorKind::InvalidInput);
    let webm = recorder.output(OutputSpec::individual(uid, MediaKind::Video, Container::WebM));
    assert_eq!(webm.unwrap_err().kind(), ErrorKind::InvalidInput);
    first.write_bytes(media()).await.unwrap();
    second.write_bytes(media().slice(..200_000)).await.unwrap();
    second.write_bytes(Bytes::from_static(b"not a transport stream")).await.unwrap();
    let summary = recorder.stop().await.unwrap();
    let segments: Vec<u64> = summary.outputs.iter().map(|output| output.account.segments).collect();
    assert_eq!(segments, [12, 7]);
    let individual = store.get("s1_main__uid_s_7__uid_e_video.m3u8", 1 << 20).await.unwrap();
    assert_eq!(parse(&individual).unwrap().segments.len(), 7);
    let Notes::MpegTs(notes) = summary.outputs[1].notes else { panic!("a transport stream") };
    assert_eq!(notes.skipped_bytes, 22 + 200_000 % 188);
}

#[tokio::test(start_paused = true)]
async fn an_output_without_media_leaves_nothing() {
    let (store, spool) = (FaultStore::new([], []), tempfile::tempdir().unwrap());
    let recorder = start(&Store::from_object_store("faulty:", store.clone()), &spool).await;
    let output = recorder.output(composite()).unwrap();
    output.write_bytes(Bytes::from(vec![0x47; 3000])).await.unwrap();
    assert_eq!(output.finish().await.unwrap_err().kind(), ErrorKind::Malformed);
    let summary = recorder.stop().await.unwrap();
    assert_eq!(summary.outputs[0].playlist, None);
    assert!(store.written().iter().all(|(key, _)| key.starts_with(".tapeline/")) && is_empty(&spool));
    let (_, last) = store.written().into_iter().rfind(|(key, _)| key == CONTROL).unwrap();
    assert_eq!(ControlObject::decode(&last).unwrap().phase, Phase::Stopped);
}

#[tokio::test(start_paused = true)]
async fn an_input_that_waits_fills_a_segment_however_small_the_spool_and_then_waits_for_the_store() {
    let (store, spool) = (FaultStore::new([], []), tempfile::tempdir().unwrap());
    let on_full = OnFull::Wait { segments: 8 };
    let options = Options { spool_limit: 1000, on_full, ..options(&spool) };
    let faulty = Store::from_object_store("faulty:", store.clone());
    let recorder = Recorder::start(&faulty, RecordingId::new("s1", "main").unwrap(), options).await.unwrap();
    store.script_puts(std::iter::repeat_n(Fault::HangBefore, 100));
    let output = recorder.output(composite()).unwrap();
    let mut fed = 0;
    let feed = async {
        for chunk in media().chunks(2_000) {
            output.write_bytes(Bytes::copy_from_slice(chunk)).await.unwrap();
            fed += 1;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), feed).await.is_err(), "nothing makes room");
    // One of 2 s in 24, and what the slicer holds back.
    let part = media().len() as u64 / 12;
    let held = recorder.metrics().spool_bytes;
    assert!(held > part / 2 && held < part * 2, "{held} bytes after {fed} chunks");
}
