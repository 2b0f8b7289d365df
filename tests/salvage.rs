//! The salvage of one folder, on a store that does as it is told: what is stored and recorded of any folder, interrupted
//! anywhere, done twice.
//!
//! `golden/salvage.json` is pretty-printed for reading. It was copied from the message of the failing test, then compared
//! with the description of each field.

mod control_support;
mod fault_store;
mod simulated_time;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use control_support::{SID, date, id, in_generation, playlist};
use fault_store::{Fault, FaultStore};
use serde_json::Value;
use tapeline::ErrorKind;
use tapeline::checksum::Crc64;
use tapeline::continuity::{
    Form, LossCause, Recordings, SalvageRecord, SalvageState, Seal, StoreForm, TornCause,
};
use tapeline::naming::{NameKind, ObjectName, Prefix};
use tapeline::salvage::{Destination, Salvage, SalvageOptions, salvage};
use tapeline::slicer::{Action, SealedSegment, Slicer, SlicerOptions, SlicingRules};
use tapeline::spool::{Fact, GapCause, Left, LeftFolder, Opened, Sealed, SpoolBase, WorkerRecord};
use tapeline::store::{ObjectKind, Store};
use tapeline::time::{MediaSpan, WallTime};
use tapeline::ts::PACKET_LEN;

const FOLDER: &str = "38f8e3cfdc474cd56fc1ceba380d7e1a.0badcafe";
const GENERATION: u8 = 1;
const RECORD: &str = ".tapeline/recordings/38f8e3cfdc474cd56fc1ceba380d7e1a/salvage-1-0.json";
const PREFIX: &str = "2026/nov";

/// A segment of 2 s of the fixture, as a recorder makes it.
#[derive(Debug, Clone)]
struct Media {
    facts: SealedSegment,
    bytes: Bytes,
}

fn media() -> Vec<Media> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/h264_aac.ts");
    let target = MediaSpan::from_secs(2);
    let rules = SlicingRules { target, max_length: target + target, ..SlicingRules::default() };
    let clocks_used = 1_000_000;
    let options = SlicerOptions { rules, start: date(0), clocks_used, ..SlicerOptions::default() };
    let mut slicer = Slicer::new(options);
    slicer.push(&Bytes::from(std::fs::read(path).unwrap()), None).unwrap();
    slicer.finish().unwrap();
    let (mut made, mut open) = (Vec::new(), Vec::new());
    while let Some(action) = slicer.pull() {
        match action {
            Action::Open(_) => {}
            Action::Patch(_) => unreachable!("a transport stream is never patched"),
            Action::Bytes(bytes) => open.extend_from_slice(&bytes),
            Action::Sealed(facts) => made.push(Media { facts, bytes: std::mem::take(&mut open).into() }),
        }
    }
    made
}

/// The name of the segment of that number.
fn name(media: &[Media], number: usize) -> ObjectName {
    let playlist: ObjectName = playlist(GENERATION).parse().unwrap();
    let kind = NameKind::Segment {
        start: media[number].facts.opened.date,
        container: tapeline::media::Container::MpegTs,
    };
    ObjectName { kind, ..playlist }
}

fn key(name: &ObjectName) -> String {
    tapeline::naming::key(&Prefix::new(PREFIX).unwrap(), name)
}

/// A spool with the folder of a worker.
struct Spool {
    root: tempfile::TempDir,
    media: Vec<Media>,
}

impl Spool {
    fn new() -> Self {
        let spool = Self { root: tempfile::tempdir().unwrap(), media: media() };
        std::fs::create_dir(spool.folder()).unwrap();
        spool.write("lock", b"");
        spool.introduce("faulty:");
        spool
    }

    /// One with each kind of thing in it.
    fn mixed() -> Self {
        let spool = Self::new();
        spool.whole(0);
        spool.facts(1, &[spool.opened(1), spool.sealed(1), Fact::Dropped(GapCause::SpoolFull)]);
        spool.whole(2);
        // Cut in the middle of a packet.
        spool.torn(3, 20_000);
        spool.write(&playlist(GENERATION), b"#EXTM3U\n");
        spool.write("notes.txt", b"not ours");
        spool
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join(FOLDER)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder().join(name), bytes).unwrap();
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.folder().join(name)).unwrap();
    }

    fn introduce(&self, store: &str) {
        let worker = WorkerRecord {
            schema: WorkerRecord::SCHEMA,
            sid: id().sid,
            cname: id().cname,
            prefix: Prefix::new(PREFIX).unwrap(),
            generation: tapeline::ids::Generation::new(GENERATION).unwrap(),
            uid: 99_000_001,
            store: store.to_owned(),
            host: "recorder-1".to_owned(),
            pid: 4711,
            since: date(0),
            unknown: serde_json::Map::new(),
        };
        self.write("worker.json", &worker.encode());
    }

    fn opened(&self, number: usize) -> Fact {
        Fact::Opened(Opened::new(playlist(GENERATION), &self.media[number].facts.opened))
    }

    fn sealed(&self, number: usize) -> Fact {
        let Media { facts, bytes } = &self.media[number];
        Fact::Sealed(Sealed::new(facts, Crc64::of(bytes)))
    }

    fn facts(&self, number: usize, facts: &[Fact]) {
        let text: String = facts.iter().map(Fact::encode).collect();
        self.write(&format!("{}.facts", self.name(number)), text.as_bytes());
    }

    fn name(&self, number: usize) -> ObjectName {
        name(&self.media, number)
    }

    fn bytes(&self, number: usize) -> &Bytes {
        &self.media[number].bytes
    }

    fn file(&self, number: usize, bytes: &[u8]) {
        self.write(&self.name(number).to_string(), bytes);
    }

    fn whole(&self, number: usize) {
        self.facts(number, &[self.opened(number), self.sealed(number)]);
        self.file(number, self.bytes(number));
    }

    fn torn(&self, number: usize, len: usize) {
        self.facts(number, &[self.opened(number)]);
        self.file(number, &self.bytes(number)[..len]);
    }

    /// What lies in it, by name.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let Ok(entries) = std::fs::read_dir(self.folder()) else { return BTreeMap::new() };
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.map(|path| (file_name(&path), std::fs::read(&path).unwrap())).collect()
    }

    /// The same content in another place.
    fn copy(&self) -> Self {
        let copy = Self { root: tempfile::tempdir().unwrap(), media: self.media.clone() };
        std::fs::create_dir(copy.folder()).unwrap();
        for (name, bytes) in self.files() {
            copy.write(&name, &bytes);
        }
        copy
    }

    async fn open(&self) -> LeftFolder {
        match LeftFolder::open(&SpoolBase::folder(self.root.path()), FOLDER).await.unwrap() {
            Left::Open(folder) => folder,
            other => panic!("{other:?}"),
        }
    }

    async fn salvage(&self, place: &Place) -> tapeline::Result<Salvage> {
        salvage(self.open().await, &place.destination, &options()).await
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn options() -> SalvageOptions {
    SalvageOptions {
        clock: simulated_time::clock(date(0)),
        seed: 7,
        patience: Some(Duration::from_secs(60)),
        on_retry: Arc::new(|_, _, _| {}),
        may_go: Arc::new(|| true),
    }
}

/// A store that holds the recording.
struct Place {
    faulty: Arc<FaultStore>,
    destination: Destination,
}

impl Place {
    async fn new() -> Self {
        let faulty = FaultStore::new([], []);
        let store = Store::from_object_store("faulty:", faulty.clone());
        let form = StoreForm::new(Form::Update, date(0)).encode();
        let _ = store.put(StoreForm::KEY, vec![form], ObjectKind::Control).await.unwrap();
        let control = format!(".tapeline/recordings/{SID}.json");
        let _ =
            store.put(&control, vec![in_generation(GENERATION).encode()], ObjectKind::Control).await.unwrap();
        let seal = Seal::of(&in_generation(0));
        let sealed = format!(".tapeline/recordings/{SID}/{}", seal.name());
        let _ = store.put(&sealed, vec![seal.encode()], ObjectKind::Control).await.unwrap();
        let recordings = Recordings::open(&store).await.unwrap().unwrap();
        Self { faulty, destination: Destination { store, recordings } }
    }

    /// What was written since it was made, by key: each key once.
    fn written(&self) -> BTreeMap<String, Bytes> {
        let written: Vec<_> = self.faulty.written().into_iter().skip(3).collect();
        let objects: BTreeMap<_, _> = written.iter().cloned().collect();
        assert_eq!(objects.len(), written.len(), "something was written twice");
        objects
    }

    async fn plant(&self, key: &str, bytes: &[u8]) {
        let body = vec![Bytes::copy_from_slice(bytes)];
        let _ = self.destination.store.put_new(key, body, ObjectKind::TsSegment).await.unwrap();
    }

    fn record(&self) -> SalvageRecord {
        SalvageRecord::decode(&self.written()[RECORD]).unwrap()
    }
}

/// State, cause and key of a segment.
type Told = (SalvageState, Option<TornCause>, String);

/// All of them of a record, and name and cause of what is lost.
fn told(record: &SalvageRecord) -> (Vec<Told>, Vec<(String, LossCause)>) {
    let segments = record.segments.iter().map(|segment| (segment.state, segment.cause, segment.key.clone()));
    let lost = record.lost.iter().map(|lost| (lost.name.clone(), lost.cause));
    (segments.collect(), lost.collect())
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_worker_left_is_stored_under_its_names_and_recorded() {
    let (spool, place) = (Spool::mixed(), Place::new().await);
    let done = spool.salvage(&place).await.unwrap();
    let written = place.written();
    let names = [0, 2, 3].map(|number| key(&spool.name(number)));
    assert_eq!(written.keys().collect::<Vec<_>>(), [&RECORD.to_owned(), &names[0], &names[1], &names[2]]);
    assert!(written[&names[0]] == spool.bytes(0) && written[&names[1]] == spool.bytes(2));
    let torn = &written[&names[2]];
    assert!(torn.len() < 20_000 && torn.len().is_multiple_of(PACKET_LEN));

    let text: Value = serde_json::from_slice(&written[RECORD]).unwrap();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/salvage.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(golden).unwrap()).unwrap();
    let record = place.record();
    assert!(text == golden, "{}", serde_json::to_string_pretty(&record).unwrap());
    assert_eq!(done.record.as_ref(), Some(&record));
    for segment in &record.segments {
        let body = &written[&segment.key];
        assert_eq!((segment.bytes, segment.crc64), (body.len() as u64, Crc64::of(body)));
        assert_eq!(segment.sha256, tapeline::checksum::Sha256::of(body));
    }
    assert_eq!((done.segments().len(), done.torn().count(), done.already_committed()), (3, 1, 0));
    assert!(done.uncleared.is_none());
    // What is not ours stays, and is named.
    assert_eq!(
        done.left.iter().map(|file| (&*file.name, file.segment)).collect::<Vec<_>>(),
        [("notes.txt", false)]
    );
    assert_eq!(spool.files().into_keys().collect::<Vec<_>>(), ["lock", "notes.txt", "worker.json"]);
}

#[tokio::test(start_paused = true)]
async fn a_folder_with_nothing_but_ours_is_gone_afterwards() {
    let (spool, place) = (Spool::mixed(), Place::new().await);
    spool.remove("notes.txt");
    let bytes: u64 = spool
        .files()
        .iter()
        .filter(|(name, _)| name.starts_with("bak0"))
        .map(|file| file.1.len() as u64)
        .sum();
    let done = spool.salvage(&place).await.unwrap();
    assert!(!spool.folder().exists() && done.left.is_empty());
    // And what was noted in it meanwhile.
    assert!(done.freed >= bytes, "{} of {bytes}", done.freed);
    assert!(matches!(
        LeftFolder::open(&SpoolBase::folder(spool.root.path()), FOLDER).await.unwrap(),
        Left::Gone
    ));
}

#[tokio::test(start_paused = true)]
async fn done_twice_nothing_changes() {
    let (spool, place) = (Spool::mixed(), Place::new().await);
    let copy = spool.copy();
    let first = spool.salvage(&place).await.unwrap();
    let written = place.written();
    // The same folder again, as if nothing of it had been removed; then what was left.
    let second = copy.salvage(&place).await.unwrap();
    assert!(place.written() == written);
    assert_eq!(first.record, second.record);
    for spool in [&spool, &copy] {
        let third = spool.salvage(&place).await.unwrap();
        assert_eq!((third.record, third.left.len()), (None, 1));
    }
    assert!(place.written() == written);
}

/// Runs a salvage until a request is never answered, as one that is killed there. True if it came to its end before.
async fn run_until_it_hangs(spool: &Spool, place: &Place) -> bool {
    tokio::select! {
        biased;
        done = spool.salvage(place) => { done.unwrap(); true }
        () = place.faulty.hung.notified() => false,
    }
}

#[tokio::test(start_paused = true)]
async fn interrupted_at_any_request_it_ends_the_same() {
    let (wanted, spool) = (Place::new().await, Spool::mixed());
    // A name that a stranger has, so that there is something to read as well.
    let taken = key(&spool.name(2));
    wanted.plant(&taken, b"a stranger's").await;
    spool.copy().salvage(&wanted).await.unwrap();
    let wanted = wanted.written();
    assert_eq!(wanted.len(), 5);
    let mut interrupted = 0;
    for [hang, of_puts] in [[0, 1], [1, 1], [0, 0]] {
        for number in 0.. {
            let (spool, place) = (spool.copy(), Place::new().await);
            place.plant(&taken, b"a stranger's").await;
            let fault = if hang == 0 { Fault::HangBefore } else { Fault::HangAfter };
            let script = std::iter::repeat_n(Fault::None, number).chain([fault]);
            if of_puts == 1 {
                place.faulty.script_puts(script)
            } else {
                place.faulty.script_gets(script)
            }
            if run_until_it_hangs(&spool, &place).await {
                assert!(number >= if of_puts == 1 { 5 } else { 2 }, "{number} requests");
                break;
            }
            interrupted += 1;
            // One who died as well, at its first request.
            place.faulty.script_puts([Fault::HangBefore]);
            assert!(!run_until_it_hangs(&spool, &place).await, "{number}");
            let done = spool.salvage(&place).await.unwrap();
            assert!(place.written() == wanted, "interrupted at request {number}");
            assert_eq!(done.record.as_ref(), Some(&place.record()));
            assert_eq!(spool.files().into_keys().collect::<Vec<_>>(), ["lock", "notes.txt", "worker.json"]);
        }
    }
    println!("interrupted at {interrupted} requests");
    assert!(interrupted >= 12, "{interrupted}");
}

#[tokio::test(start_paused = true)]
async fn interrupted_while_the_folder_is_cleared_the_record_is_still_the_whole_one() {
    let (spool, place) = (Spool::mixed(), Place::new().await);
    // It dies when the record is stored.
    place.faulty.script_puts([Fault::None, Fault::None, Fault::None, Fault::HangAfter]);
    assert!(!run_until_it_hangs(&spool, &place).await);
    let written = place.written();
    assert!(written.contains_key(RECORD));
    // Or a little later, with a part of the files gone.
    let names: Vec<String> = spool.files().into_keys().filter(|name| name.starts_with("bak0")).collect();
    for removed in 0..=names.len() {
        let left = spool.copy();
        names.iter().take(removed).for_each(|name| left.remove(name));
        let done = left.salvage(&place).await.unwrap();
        assert!(place.written() == written, "with {removed} files gone");
        // Without a segment there is nothing to tell any more.
        let segments = left
            .media
            .iter()
            .enumerate()
            .any(|(number, _)| names[removed..].contains(&left.name(number).to_string()));
        assert!(!segments || done.record.as_ref() == Some(&place.record()), "with {removed} files gone");
        assert_eq!(left.files().into_keys().collect::<Vec<_>>(), ["lock", "notes.txt", "worker.json"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_tried_for_a_while_and_the_spool_kept() {
    let (spool, place) = (Spool::mixed(), Place::new().await);
    let before = spool.files();
    place.faulty.script_puts(std::iter::repeat_n(Fault::LostBefore, 1000));
    let error = spool.salvage(&place).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.report());
    assert!(spool.files() == before && place.written().is_empty());
    place.faulty.script_puts([]);
    place.faulty.script_gets(std::iter::repeat_n(Fault::LostBefore, 1000));
    let error = spool.salvage(&place).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.report());
    assert!(spool.files() == before);
    // Refused for good, it is not tried again.
    place.faulty.script_gets([]);
    place.faulty.script_puts([Fault::Denied, Fault::LostBefore]);
    let error = spool.salvage(&place).await.unwrap_err();
    assert_eq!((error.kind(), place.faulty.unused().0), (ErrorKind::InvalidInput, 1), "{}", error.report());
    // Answers that are lost, and servers that say "exists" of what they have just taken, do no harm.
    let faults =
        [Fault::LostAfter, Fault::LostBefore, Fault::ExistsAfter, Fault::ExistsBefore, Fault::LostAfter];
    place.faulty.script_puts(faults);
    spool.salvage(&place).await.unwrap();
    assert_eq!(place.written().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_there_already_stays_and_a_taken_name_makes_way() {
    let (spool, place) = (Spool::new(), Place::new().await);
    spool.whole(0);
    spool.whole(1);
    spool.torn(2, 20_000);
    spool.torn(3, 20_000);
    let next = |number: usize, millis| {
        let NameKind::Segment { start, container } = spool.name(number).kind else { panic!() };
        let start = WallTime::from_millis(start.millis() + millis);
        key(&ObjectName { kind: NameKind::Segment { start, container }, ..spool.name(number) })
    };
    // Stored by their worker: one under its name, one under the second next, for the others were taken.
    place.plant(&next(0, 0), spool.bytes(0)).await;
    place.plant(&next(1, 0), b"a stranger's").await;
    place.plant(&next(1, 1), b"another's").await;
    place.plant(&next(1, 2), spool.bytes(1)).await;
    // Torn here, for the machine lost its power after all of it was stored.
    place.plant(&next(2, 0), spool.bytes(2)).await;
    // And one of whose name a stranger has the first.
    place.plant(&next(3, 0), b"a stranger's").await;
    let planted = place.written();
    let record = spool.salvage(&place).await.unwrap().record.unwrap();
    let whole = |key: String| (SalvageState::Whole, None, key);
    let wanted = vec![
        whole(next(0, 0)),
        whole(next(1, 2)),
        whole(next(2, 0)),
        (SalvageState::Torn, Some(TornCause::Open), next(3, 1)),
    ];
    assert_eq!(told(&record), (wanted, vec![]));
    assert_eq!(record.segments[2].millis, 2000);
    let written = place.written();
    assert!(planted.iter().all(|(key, bytes)| written[key] == bytes));
    assert_eq!(written.len(), planted.len() + 2, "the torn one and the record");
}

/// One segment of a spool, and what is to come of it.
struct Case {
    what: &'static str,
    facts: Option<Vec<Fact>>,
    file: Option<Vec<u8>>,
    /// State and cause of what is stored, or why nothing is.
    wanted: Result<(SalvageState, Option<TornCause>), Option<LossCause>>,
    /// Its file stays.
    stays: bool,
}

fn cases(spool: &Spool) -> Vec<Case> {
    let (opened, sealed) = (spool.opened(0), spool.sealed(0));
    let bytes = spool.bytes(0).to_vec();
    let garbage = b"Good morning.".repeat(3000);
    let mut zeros = bytes.clone();
    zeros[20_000..].fill(0);
    let mut changed = bytes.clone();
    changed[20_000] ^= 1;
    let torn = |cause| Ok((SalvageState::Torn, Some(cause)));
    let case = |what, facts: Option<&[Fact]>, file: Option<&[u8]>, wanted, stays| Case {
        what,
        facts: facts.map(<[_]>::to_vec),
        file: file.map(<[_]>::to_vec),
        wanted,
        stays,
    };
    let (open, both) = (&[opened.clone()][..], &[opened.clone(), sealed.clone()][..]);
    let given_up = [opened.clone(), sealed.clone(), Fact::Dropped(GapCause::DiskFull)];
    let stored = [opened.clone(), sealed.clone(), Fact::Stored(spool.name(0).to_string())];
    vec![
        case("whole", Some(both), Some(&bytes), Ok((SalvageState::Whole, None)), false),
        case("open", Some(open), Some(&bytes[..30_000]), torn(TornCause::Open), false),
        case("open, all there", Some(open), Some(&bytes), torn(TornCause::Open), false),
        case("sealed, but cut", Some(both), Some(&bytes[..30_000]), torn(TornCause::Damaged), false),
        case("sealed, a byte changed", Some(both), Some(&changed), torn(TornCause::Damaged), false),
        case(
            "sealed, the end lost with the power",
            Some(both),
            Some(&zeros),
            torn(TornCause::Damaged),
            false,
        ),
        case("sealed, all of it lost", Some(both), Some(&[0; 40_000]), Err(Some(LossCause::Damaged)), true),
        case("no facts", None, Some(&bytes), torn(TornCause::NoFacts), false),
        case("no facts, cut", None, Some(&bytes[..30_001]), torn(TornCause::NoFacts), false),
        case("garbage for facts", Some(&[]), Some(&bytes[..30_001]), torn(TornCause::NoFacts), false),
        case("garbage", None, Some(&garbage), Err(None), true),
        case("garbage with facts", Some(open), Some(&garbage), Err(Some(LossCause::Damaged)), true),
        case("not begun", Some(open), None, Err(Some(LossCause::Empty)), false),
        case("empty", Some(open), Some(&[]), Err(Some(LossCause::Empty)), false),
        case("empty without facts", None, Some(&[]), Err(Some(LossCause::Empty)), false),
        case("a part of a packet", Some(open), Some(&bytes[..100]), Err(Some(LossCause::Empty)), false),
        case("tables alone", Some(open), Some(&bytes[..2 * 188]), Err(Some(LossCause::Empty)), false),
        case("a part of a picture", Some(open), Some(&bytes[..700]), Err(Some(LossCause::Empty)), false),
        case("given up", Some(&given_up), None, Err(Some(LossCause::DiskFull)), false),
        case(
            "given up, but the file is there",
            Some(&given_up),
            Some(&bytes),
            Ok((SalvageState::Whole, None)),
            false,
        ),
        case("sealed, but gone", Some(both), None, Err(Some(LossCause::Missing)), false),
        case("said to be stored, but nowhere", Some(&stored), None, Err(Some(LossCause::Missing)), false),
    ]
}

#[tokio::test(start_paused = true)]
async fn of_any_folder_what_can_be_is_stored_and_the_rest_named() {
    for case in cases(&Spool::new()) {
        let (spool, place) = (Spool::new(), Place::new().await);
        if let Some(facts) = &case.facts {
            spool.facts(0, facts);
            if facts.is_empty() {
                spool.write(&format!("{}.facts", spool.name(0)), &[0x80; 77]);
            }
        }
        if let Some(file) = &case.file {
            spool.file(0, file);
        }
        let copy = spool.copy();
        let what = case.what;
        let done = spool.salvage(&place).await.unwrap_or_else(|error| panic!("{what}: {}", error.report()));
        let written = place.written();
        match (case.wanted, &done.record) {
            (Ok((state, cause)), Some(record)) => {
                assert_eq!(told(record), (vec![(state, cause, key(&spool.name(0)))], vec![]), "{what}");
                let body = &written[&key(&spool.name(0))];
                let segment = &record.segments[0];
                assert_eq!((segment.bytes, segment.crc64), (body.len() as u64, Crc64::of(body)), "{what}");
                let known = segment.segment == Some(0);
                assert_eq!(
                    (known, segment.clock),
                    if cause == Some(TornCause::NoFacts) { (false, 0) } else { (true, 1_000_001) }
                );
                assert_eq!(segment.start.ticks(), 129_600, "{what}");
                assert!((1..=2000).contains(&segment.millis), "{what}: {} ms", segment.millis);
                assert_eq!(segment.date, date(0), "{what}");
            }
            (Err(Some(cause)), Some(record)) => {
                assert_eq!(told(record), (vec![], vec![(spool.name(0).to_string(), cause)]), "{what}");
                assert_eq!(written.len(), 1, "{what}");
            }
            (Err(None), None) => assert!(written.is_empty(), "{what}"),
            (_, record) => panic!("{what}: {record:?}"),
        }
        assert_eq!(done.left.len(), usize::from(case.stays), "{what}: {:?}", done.left);
        assert!(done.left.iter().all(|file| file.segment && file.why.contains("no media")), "{what}");
        assert_eq!(spool.folder().exists(), case.stays, "{what}");
        // Again, on what is left and on all of it.
        for spool in [&spool, &copy].into_iter().filter(|spool| spool.folder().exists()) {
            let before = spool.files();
            let again = spool.salvage(&place).await.unwrap();
            assert!(place.written() == written, "{what}, again");
            assert!(again.record == done.record, "{what}, again");
            let files = spool.files();
            assert!(
                !case.stays || files[&spool.name(0).to_string()] == before[&spool.name(0).to_string()],
                "{what}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_store_has_though_the_spool_does_not_is_found() {
    let cases = [
        // What is known of it, and its file.
        ("its bytes made room for others", true, None),
        ("its file went when it was committed, its facts did not yet", false, None),
        ("its file is no longer what it was", false, Some([0; 5000])),
    ];
    for (what, says, file) in cases {
        let (spool, place) = (Spool::new(), Place::new().await);
        let stored = says.then(|| Fact::Stored(key_later(&spool, 1)));
        let facts: Vec<Fact> = [spool.opened(0), spool.sealed(0)].into_iter().chain(stored).collect();
        spool.facts(0, &facts);
        file.iter().for_each(|file| spool.file(0, file));
        place.plant(&key(&spool.name(0)), b"a stranger's").await;
        let there = format!("{PREFIX}/{}", key_later(&spool, 1));
        place.plant(&there, spool.bytes(0)).await;
        let record = spool.salvage(&place).await.unwrap().record.unwrap();
        assert_eq!(told(&record), (vec![(SalvageState::Whole, None, there)], vec![]), "{what}");
        assert_eq!((record.segments[0].millis, record.segments[0].crc64), (2000, Crc64::of(spool.bytes(0))));
        assert!(!spool.folder().exists(), "{what}");
    }
}

/// The name of the first segment, so many milliseconds later.
fn key_later(spool: &Spool, millis: i64) -> String {
    let NameKind::Segment { start, container } = spool.name(0).kind else { panic!() };
    let start = WallTime::from_millis(start.millis() + millis);
    ObjectName { kind: NameKind::Segment { start, container }, ..spool.name(0) }.to_string()
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_does_not_say_whose_it_is_is_told_by_its_names() {
    let (spool, place) = (Spool::mixed(), Place::new().await);
    for worker in [&b""[..], b"{\"schema\":1", b"{\"schema\":2}"] {
        let spool = spool.copy();
        spool.write("worker.json", worker);
        let done = spool.salvage(&place).await.unwrap();
        let record = done.record.unwrap();
        assert_eq!((&record.worker, record.prefix.as_str(), record.segments.len()), (&None, PREFIX, 3));
        assert_eq!(record.id(), id());
    }
    // The golden record has a worker: this is another one, under another name.
    assert!(place.written().keys().any(|key| key.as_str() == RECORD));
    let other = Spool::mixed();
    other.remove("worker.json");
    other.write("s2_main_20260101000000000.ts", b"x");
    let before = other.files();
    let error = other.salvage(&place).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(
        error.report().contains("several recordings") && error.report().contains("worker.json"),
        "{error}"
    );
    assert!(other.files() == before);
}

#[tokio::test(start_paused = true)]
async fn a_store_without_the_recording_gets_nothing() {
    let spool = Spool::mixed();
    let before = spool.files();
    let place = Place::new().await;
    let control = format!(".tapeline/recordings/{SID}.json");
    place.destination.store.delete(&control).await.unwrap();
    let error = spool.salvage(&place).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{}", error.report());
    assert!(error.report().contains("--to"), "{}", error.report());
    // One of that name, but with fewer turns.
    let older = vec![in_generation(0).encode()];
    let _ = place.destination.store.put(&control, older, ObjectKind::Control).await.unwrap();
    let error = spool.salvage(&place).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.report());
    assert!(spool.files() == before);
    assert!(!place.faulty.written().iter().any(|(key, _)| key.ends_with(".ts")));
}

#[tokio::test(start_paused = true)]
async fn a_note_about_another_store_is_not_believed() {
    let (spool, first, second) = (Spool::mixed(), Place::new().await, Place::new().await);
    first.faulty.script_puts([Fault::None, Fault::None, Fault::None, Fault::HangBefore]);
    assert!(!run_until_it_hangs(&spool, &first).await);
    assert!(spool.files().contains_key("salvage.json"));
    let renamed = Store::from_object_store("another:", second.faulty.clone());
    let recordings = Recordings::open(&renamed).await.unwrap().unwrap();
    let destination = Destination { store: renamed, recordings };
    salvage(spool.open().await, &destination, &options()).await.unwrap();
    assert_eq!(second.written().len(), 4, "all of it, and the record");
    let torn = Spool::mixed();
    torn.write("salvage.json", b"{\"store\":\"faulty:\"");
    torn.salvage(&first).await.unwrap();
    assert_eq!(first.written().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_changes_after_its_salvage_gets_a_second_record() {
    let (spool, place) = (Spool::mixed(), Place::new().await);
    let copy = spool.copy();
    spool.salvage(&place).await.unwrap();
    copy.whole(4);
    let done = copy.salvage(&place).await.unwrap();
    assert_eq!(done.segments().len(), 4);
    let written = place.written();
    let records: Vec<_> = written.keys().filter(|key| key.contains("/salvage-")).collect();
    assert_eq!(records.len(), 2, "{records:?}");
    let sid = id().sid;
    let status = place.destination.recordings.status(&sid).await.unwrap();
    let told = status.generations[1].outputs[0].salvaged;
    assert_eq!((told.segments, status.error()), (4, None), "each segment once");
}

#[tokio::test(start_paused = true)]
async fn the_next_segment_goes_only_when_it_may() {
    let (spool, place) = (Spool::mixed(), Place::new().await);
    let (looks, gone) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&place.faulty));
    let may_go = move || {
        let look = looks.fetch_add(1, Ordering::Relaxed);
        // At the fifth look the first, given up or not; the others at once.
        assert!(look > 4 || gone.written().len() == 3, "stored before it might");
        look >= 4
    };
    let options = SalvageOptions { may_go: Arc::new(may_go), ..options() };
    let begin = options.clock.monotonic();
    salvage(spool.open().await, &place.destination, &options).await.unwrap();
    assert_eq!((options.clock.monotonic() - begin).as_secs(), 4);
    assert_eq!(place.written().len(), 4);
}
