//! A worker that starts on a spool salvages what dead workers left there for the same store, beside its own recording.

mod fault_store;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fault_store::{Fault, FaultStore};
use tapeline::clock::{Clock, Sleep};
use tapeline::continuity::{Recordings, Status};
use tapeline::ids::{RecordingId, Sid};
use tapeline::media::Container;
use tapeline::recorder::{Event, Options, OutputSpec, Recorder, Spool, Summary};
use tapeline::slicer::SlicingRules;
use tapeline::spool::{Left, LeftFolder, Room, SpoolBase};
use tapeline::store::Store;
use tapeline::time::{MediaSpan, WallTime};
use tokio::sync::broadcast::Receiver;
use tokio::time::Instant;

const BEGIN: i64 = 1_767_225_600_000;

/// The runtime's time, which goes on by itself when everybody waits.
#[derive(Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn wall(&self) -> WallTime {
        WallTime::from_millis(BEGIN + i64::try_from(self.monotonic().as_millis()).unwrap())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

fn media() -> Bytes {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/h264_aac.ts")).unwrap().into()
}

fn options(base: &SpoolBase, clock: &Arc<TokioClock>) -> Options {
    let target = MediaSpan::from_secs(2);
    let rules = SlicingRules { target, max_length: target + target, ..SlicingRules::default() };
    Options { rules, spool: Spool::In(base.clone()), clock: clock.clone(), ..Options::default() }
}

/// A store, a base, and their time.
struct World {
    faulty: Arc<FaultStore>,
    store: Store,
    base: SpoolBase,
    clock: Arc<TokioClock>,
}

impl World {
    fn new(base: SpoolBase) -> Self {
        let faulty = FaultStore::new([], []);
        let store = Store::from_object_store("faulty:", faulty.clone());
        Self { faulty, store, base, clock: Arc::new(TokioClock(Instant::now())) }
    }

    fn options(&self) -> Options {
        options(&self.base, &self.clock)
    }

    /// A worker that is gone after it has recorded ten seconds of which the store took nothing.
    async fn die(&self, sid: &str) {
        let recorder = Recorder::start(&self.store, id(sid), self.options()).await.unwrap();
        self.faulty.script_puts(std::iter::repeat_n(Fault::HangBefore, 100));
        let bytes = media();
        let output = recorder.output(composite()).unwrap();
        output.write_bytes(bytes.slice(..bytes.len() * 10 / 24)).await.unwrap();
        // Bytes are in the spool half a second after they came.
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop((output, recorder));
        // All that it had under way is dropped with it.
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.faulty.script_puts([]);
        // What hung is told to nobody any more.
        tokio::select! {
            biased;
            () = self.faulty.hung.notified() => {}
            () = std::future::ready(()) => {}
        }
    }

    async fn is_left(&self, name: &str) -> bool {
        match LeftFolder::open(&self.base, name).await.unwrap() {
            Left::Open(folder) => !folder.segments().is_empty(),
            Left::Held(_) => panic!("{name} is held"),
            Left::Gone => false,
        }
    }

    async fn folders(&self) -> Vec<String> {
        self.base.folders().await.unwrap()
    }

    async fn status(&self, sid: &str) -> Status {
        let recordings = Recordings::open(&self.store).await.unwrap().unwrap();
        recordings.status(&Sid::new(sid).unwrap()).await.unwrap()
    }
}

fn id(sid: &str) -> RecordingId {
    RecordingId::new(sid, "main").unwrap()
}

fn composite() -> OutputSpec {
    OutputSpec::composite(Container::MpegTs).start_time(WallTime::from_millis(BEGIN))
}

async fn record(recorder: Recorder) -> (tapeline::Result<Summary>, Vec<Event>) {
    let mut events = recorder.events();
    let output = recorder.output(composite()).unwrap();
    output.write_bytes(media()).await.unwrap();
    let summary = recorder.stop().await;
    (summary, all(&mut events).await)
}

async fn all(events: &mut Receiver<Event>) -> Vec<Event> {
    let mut all = Vec::new();
    while let Ok(event) = events.recv().await {
        all.push(event);
    }
    all
}

/// Recording, turn, segments and milliseconds of what was salvaged.
fn salvaged(events: &[Event]) -> Vec<(&str, u8, u64, u64)> {
    let salvaged = events.iter().filter_map(|event| match event {
        Event::Salvaged { sid, generation, segments, duration_millis, .. } => {
            Some((sid.as_str(), *generation, *segments, *duration_millis))
        }
        _ => None,
    });
    salvaged.collect()
}

async fn the_next_worker_salvages(base: SpoolBase) {
    let world = World::new(base);
    world.die("s1").await;
    let [folder] = &world.folders().await[..] else { panic!() };
    let room = world.base.room(1 << 30).await;
    assert!(room.used() > 100_000);
    let options = Options { worker_room: Some(room.clone()), ..world.options() };
    let recorder = Recorder::resume(&world.store, &id("s1").sid, None, options).await.unwrap();
    assert_eq!(recorder.generation().get(), 1);
    let (summary, events) = record(recorder).await;
    let output = &summary.unwrap().outputs[0];
    assert!(output.complete && output.account.segments == 12);
    // Four of 2 s, and of the fifth what was whole of it.
    let [(sid, generation, segments, millis)] = salvaged(&events)[..] else { panic!("{events:?}") };
    assert_eq!((sid, generation, segments), ("s1", 0, 5));
    assert!((9000..=10_000).contains(&millis), "{millis}");
    assert!(!world.is_left(folder).await);
    assert_eq!((world.folders().await.len(), room.used()), (0, 0));
    let status = world.status("s1").await;
    assert_eq!(status.error(), None);
    let told: Vec<_> = status.generations.iter().map(|turn| turn.outputs[0].salvaged.segments).collect();
    assert_eq!(told, [5, 0]);
    assert_eq!(status.accounts[0].committed_millis, 24_000);
    assert_eq!(status.accounts[0].salvaged_millis, millis);
}

#[tokio::test(start_paused = true)]
async fn the_next_worker_on_a_disk_salvages_what_the_last_one_left() {
    let root = tempfile::tempdir().unwrap();
    the_next_worker_salvages(SpoolBase::folder(root.path())).await;
}

#[tokio::test(start_paused = true)]
async fn the_next_worker_in_the_same_memory_does_too() {
    the_next_worker_salvages(SpoolBase::memory()).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_alive_or_another_stores_is_left_alone() {
    let world = World::new(SpoolBase::memory());
    world.die("a").await;
    let [dead] = &world.folders().await[..] else { panic!() };
    // The same base, but another store.
    let other = World { base: world.base.clone(), ..World::new(SpoolBase::memory()) };
    let elsewhere = Store::from_object_store("elsewhere:", other.faulty.clone());
    let alive = Recorder::start(&elsewhere, id("b"), other.options()).await.unwrap();
    let output = alive.output(composite()).unwrap();
    output.write_bytes(media().slice(..20_000)).await.unwrap();
    let recorder = Recorder::start(&elsewhere, id("c"), other.options()).await.unwrap();
    let (summary, events) = record(recorder).await;
    assert!(summary.unwrap().outputs[0].complete);
    let tells = |event: &Event| matches!(event, Event::Salvaged { .. } | Event::SalvageFailed { .. });
    assert!(!events.iter().any(tells), "{events:?}");
    assert!(world.is_left(dead).await);
    let (summary, events) =
        record(Recorder::start(&world.store, id("d"), world.options()).await.unwrap()).await;
    assert!(summary.unwrap().outputs[0].complete);
    assert_eq!(salvaged(&events).len(), 1);
    assert!(!world.is_left(dead).await);
    output.write_bytes(media().slice(20_000..)).await.unwrap();
    let summary = alive.stop().await.unwrap();
    assert_eq!(summary.outputs[0].account.segments, 12, "nobody took its spool");
    assert!(!other.faulty.written().iter().any(|(key, _)| key.contains("/salvage-")));
    assert_eq!(world.folders().await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_salvaged_is_told_and_does_not_keep_the_rest() {
    let world = World::new(SpoolBase::memory());
    for sid in ["a", "b"] {
        world.die(sid).await;
    }
    // Both die before anybody salvages: the second began while the first was there, and found it.
    let folders = world.folders().await;
    assert_eq!(folders.len(), 2, "{folders:?}");
    world.store.delete(".tapeline/recordings/a.json").await.unwrap();
    let (summary, events) =
        record(Recorder::start(&world.store, id("c"), world.options()).await.unwrap()).await;
    assert!(summary.unwrap().outputs[0].complete);
    assert_eq!(salvaged(&events).iter().map(|told| told.0).collect::<Vec<_>>(), ["b"]);
    let failed: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::SalvageFailed { folder, kind, .. } => Some((folder.as_str(), *kind)),
            _ => None,
        })
        .collect();
    assert_eq!(failed, [(&*folders[0], "not found")]);
    assert!(world.is_left(&folders[0]).await && !world.is_left(&folders[1]).await);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_it_only_so_long_and_the_next_worker_goes_on() {
    let world = World::new(SpoolBase::memory());
    world.die("a").await;
    let [folder] = &world.folders().await[..] else { panic!() };
    let options = Options { stop_patience: Duration::from_secs(20), ..world.options() };
    let recorder = Recorder::start(&world.store, id("b"), options).await.unwrap();
    // Nothing of its own: the first request from now on is one of the salvage.
    world.faulty.script_puts(std::iter::repeat_n(Fault::HangBefore, 1000));
    world.faulty.hung.notified().await;
    world.faulty.script_puts([Fault::None; 20]);
    let before = world.clock.monotonic();
    recorder.stop().await.unwrap();
    let waited = world.clock.monotonic() - before;
    assert!(waited >= Duration::from_secs(15) && waited <= Duration::from_secs(31), "{waited:?}");
    assert!(world.is_left(folder).await, "and its lock was given back");
    let (_, events) = record(Recorder::start(&world.store, id("c"), world.options()).await.unwrap()).await;
    assert_eq!(salvaged(&events).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_recording_that_has_nothing_to_send_yet_salvages_though_requests_failed_before() {
    let mut repeated = 0;
    for at in 0..12 {
        let world = World::new(SpoolBase::memory());
        world.die("a").await;
        // One of the examination, or the one that begins the recording.
        world.faulty.script_puts(std::iter::repeat_n(Fault::None, at).chain([Fault::LostBefore]));
        let Ok(recorder) = Recorder::start(&world.store, id("b"), world.options()).await else { continue };
        repeated += u64::from(recorder.metrics().retries > 0);
        world.faulty.script_puts([]);
        let mut events = recorder.events();
        recorder.stop().await.unwrap();
        assert_eq!(salvaged(&all(&mut events).await).len(), 1, "request {at} failed");
    }
    assert!(repeated > 0);
}

#[tokio::test(start_paused = true)]
async fn the_room_of_a_recorder_that_left_no_segment_is_given_back() {
    let world = World::new(SpoolBase::memory());
    let room = Room::new(1 << 30);
    let options = || Options { worker_room: Some(room.clone()), ..world.options() };
    let recorder = Recorder::start(&world.store, id("a"), options()).await.unwrap();
    recorder.output(composite()).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(recorder);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(room.used() > 0, "the begin of its playlist");
    Recorder::start(&world.store, id("b"), options()).await.unwrap().stop().await.unwrap();
    assert_eq!((world.folders().await.len(), room.used()), (0, 0));
}
