//! Recordings of a day in a second: the real upload and control object under tokio's paused clock, over a
//! store that counts what it is asked.
//!
//! Segments are made: their facts say how large they are, and a few bytes stand for their media. Nothing here
//! asks the machine for the time, so that a run gives the same figures every time. `benches/costs.rs` prints
//! them, `tests/upload_costs.rs` holds them to limits.

#![allow(dead_code, reason = "the bench and the test use their own parts")]

mod counting_store;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tapeline::checksum::Crc64;
use tapeline::clock::{Chance, SharedClock};
use tapeline::continuity::{Form, Holder, HolderOptions, Recordings};
use tapeline::ids::{Generation, MediaKind, OutputName, RecordingId, SegmentSeq, Uid};
use tapeline::media::Container;
use tapeline::naming::{NameKind, ObjectName, Prefix};
use tapeline::playlist::Header;
use tapeline::recorder::{Options, Recorder, Spool};
use tapeline::slicer::{CutReason, Holds, OpenedSegment, SealedSegment};
use tapeline::spool::{Opened, Sealed, SpoolBase, SpoolFile, SpoolFolder};
use tapeline::store::Store;
use tapeline::time::{MediaSpan, MediaTime, WallTime};
use tapeline::upload::{Body, Driver, DriverOptions, Ending, Finished, Limits, Notice, SealedFile};
use tokio::time::Instant;

use crate::simulated_time;

pub use counting_store::{CountingStore, Kind, Tally, Verb};

/// 2026-01-01, when all of them begin.
const BEGIN: i64 = 1_767_225_600_000;
pub const HOUR: u64 = 3600;

/// What is recorded.
#[derive(Debug, Clone, Copy)]
pub struct Recording {
    pub form: Form,
    /// Length of its segments, in seconds.
    pub segment: u64,
    /// Of each output.
    pub bits_per_second: u64,
    pub outputs: usize,
    /// It is reported on in parts of so many seconds.
    pub part: u64,
    pub parts: u64,
}

impl Recording {
    pub fn segment_bytes(&self) -> u64 {
        self.segment * self.bits_per_second / 8
    }

    /// Segments of all outputs.
    pub fn segments(&self) -> u64 {
        self.part_segments() * self.parts
    }

    /// Segments in a part, of all outputs.
    pub fn part_segments(&self) -> u64 {
        self.part / self.segment * self.outputs as u64
    }

    /// Their bytes.
    pub fn part_bytes(&self) -> u64 {
        self.part_segments() * self.segment_bytes()
    }
}

/// Times from a commit to the publication of what it committed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lag {
    pub commits: u64,
    pub longest: Duration,
    sum: Duration,
}

impl Lag {
    pub fn mean(&self) -> Duration {
        self.sum / u32::try_from(self.commits.max(1)).unwrap()
    }
}

/// A part of a recording.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// What the store was asked.
    pub tally: Tally,
    /// Of the publications in it.
    pub lag: Lag,
}

/// What came of a recording.
#[derive(Debug)]
pub struct Report {
    pub parts: Vec<Part>,
    /// What stopping asked of the store.
    pub stop: Tally,
    pub finished: Finished,
}

impl Report {
    /// What was asked from the first segment to the last.
    pub fn total(&self) -> Tally {
        self.parts.iter().fold(Tally::default(), |sum, part| sum.plus(&part.tally))
    }
}

/// Chance that is the same every time.
#[derive(Debug, Default)]
struct Counted(AtomicU64);

impl Chance for Counted {
    fn fill(&self, bytes: &mut [u8]) -> tapeline::Result<()> {
        for byte in bytes {
            let number = self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            *byte = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        }
        Ok(())
    }
}

fn id() -> RecordingId {
    RecordingId::new("38f8e3cfdc474cd56fc1ceba380d7e1a", "channel").unwrap()
}

/// What [`Recorder::start`] asks of a store: the first one there, and any later one.
pub async fn start_requests(form: Form) -> [Tally; 2] {
    let counting = CountingStore::new(form);
    let store = Store::from_object_store("counting:", counting.clone());
    let mut asked = [Tally::default(); 2];
    for (sid, asked) in ["first", "later"].into_iter().zip(&mut asked) {
        let (clock, chance) =
            (simulated_time::clock(WallTime::from_millis(BEGIN)), Arc::new(Counted::default()));
        let options = Options { spool: Spool::In(SpoolBase::memory()), clock, chance, ..Options::default() };
        counting.take();
        let recorder = Recorder::start(&store, RecordingId::new(sid, "channel").unwrap(), options).await;
        *asked = counting.take();
        recorder.unwrap().stop().await.unwrap();
    }
    asked
}

/// Records. `after_part` is called when a part is over, between two segments.
pub async fn record(recording: &Recording, spool: SpoolFolder, mut after_part: impl FnMut()) -> Report {
    let counting = CountingStore::new(recording.form);
    let store = Store::from_object_store("counting:", counting.clone());
    let (clock, id) = (simulated_time::clock(WallTime::from_millis(BEGIN)), id());
    let holder_options = HolderOptions {
        lease: None,
        uid: None,
        clock: clock.clone(),
        chance: Arc::new(Counted::default()),
        on_retry: Arc::new(|key, error, _| panic!("{key}: {error}")),
    };
    let register = Recordings::new(&store, recording.form).register(&id.sid);
    let holder = Holder::start(register, &id, Prefix::default(), holder_options).await.unwrap();
    let options = DriverOptions {
        limits: Limits::default(),
        clock: clock.clone(),
        seed: 1,
        prefix: Prefix::default(),
        spool: spool.clone(),
        trouble: Arc::default(),
        patience: Duration::from_secs(60),
    };
    let playlists: Vec<ObjectName> = (0..recording.outputs).map(|output| playlist(&id, output)).collect();
    let listings = Arc::new(Mutex::new(Listings::new(&playlists)));
    let listener = Arc::clone(&listings);
    let driver = Driver::start(store, holder, options, move |notice| listener.lock().unwrap().hear(&notice));
    let header = Header::covering(MediaSpan::from_secs(i64::try_from(recording.segment).unwrap() * 2));
    for playlist in &playlists {
        driver.add_output(playlist.clone(), Container::MpegTs, header);
    }

    // Starting is counted elsewhere.
    counting.take();
    let begin = Instant::now();
    let mut parts = Vec::with_capacity(usize::try_from(recording.parts).unwrap());
    let millis = recording.segment * 1000;
    for place in 0..recording.parts * recording.part / recording.segment {
        for (output, playlist) in playlists.iter().enumerate() {
            // Outputs are cut at their own times.
            let shift = millis * output as u64 / recording.outputs as u64;
            tokio::time::sleep_until(begin + Duration::from_millis((place + 1) * millis + shift)).await;
            let sealed = sealed(recording, place, shift, playlist, &spool, &clock);
            driver.sealed(output, sealed).unwrap();
        }
        if ((place + 1) * recording.segment).is_multiple_of(recording.part) {
            // Half a segment later than the last one, so that all is quiet.
            tokio::time::sleep(Duration::from_millis(millis / recording.outputs as u64 / 2)).await;
            after_part();
            parts.push(Part { tally: counting.take(), lag: listings.lock().unwrap().take() });
        }
    }
    let finished = driver.finish(Ending::Stop).await;
    Report { parts, stop: counting.take(), finished }
}

fn playlist(id: &RecordingId, output: usize) -> ObjectName {
    let (user, kind) = (output.div_ceil(2), [MediaKind::Audio, MediaKind::Video][output % 2]);
    let user = u32::try_from(user).ok().and_then(Uid::new);
    let output = user.map_or(OutputName::Composite, |user| OutputName::Individual(user, kind));
    let (generation, kind) = (Generation::FIRST, NameKind::Playlist);
    ObjectName { generation, recording: id.clone(), output, kind }
}

fn sealed(
    recording: &Recording,
    place: u64,
    shift: u64,
    playlist: &ObjectName,
    spool: &SpoolFolder,
    clock: &SharedClock,
) -> SealedFile {
    let millis = i64::try_from(place * recording.segment * 1000 + shift).unwrap();
    let date = WallTime::from_millis(BEGIN + millis);
    let kind = NameKind::Segment { start: date, container: Container::MpegTs };
    let name = ObjectName { kind, ..playlist.clone() };
    let start = MediaTime::from_ticks(millis * 90);
    let opened = OpenedSegment {
        seq: SegmentSeq(place),
        start,
        date,
        clock: 1,
        discontinuity: false,
        starts_with_key: true,
        video_format: None,
    };
    let known = Opened::new(playlist.to_string(), &opened);
    let file = SpoolFile::create(spool, &name.to_string(), Some(known), clock.clone()).unwrap();
    file.append(Bytes::from_static(b"media"));
    let facts = SealedSegment {
        opened,
        end: start + MediaSpan::from_secs(i64::try_from(recording.segment).unwrap()),
        duration_millis: recording.segment * 1000,
        reason: CutReason::Target,
        bytes: recording.segment_bytes(),
        holds: Holds::default(),
    };
    // A checksum that reads as long as a real one.
    let crc64 = Crc64::of(&place.to_le_bytes());
    file.seal(Sealed::new(&facts, crc64));
    SealedFile {
        name,
        facts,
        compat: Vec::new(),
        body: Body::File { file: Arc::new(file), crc64, permit: None },
    }
}

/// What was committed when, and is not listed yet.
struct Listings {
    waiting: Vec<(ObjectName, VecDeque<(u64, Instant)>)>,
    lag: Lag,
}

impl Listings {
    fn new(playlists: &[ObjectName]) -> Self {
        // Room enough at once: what grows here must not be taken for the recorder's memory.
        let waiting = playlists.iter().map(|playlist| (playlist.clone(), VecDeque::with_capacity(1024)));
        Self { waiting: waiting.collect(), lag: Lag::default() }
    }

    fn hear(&mut self, notice: &Notice) {
        match notice {
            Notice::Committed { playlist, segments } => {
                self.of(playlist).push_back((*segments, Instant::now()));
            }
            Notice::Listed { playlist, segments, .. } => {
                while let Some(&(committed, at)) = self.of(playlist).front().filter(|(n, _)| n <= segments) {
                    assert!(committed <= *segments);
                    self.of(playlist).pop_front();
                    self.lag.commits += 1;
                    self.lag.sum += at.elapsed();
                    self.lag.longest = self.lag.longest.max(at.elapsed());
                }
            }
            Notice::Retrying { key, error, .. } => panic!("{key}: {error}"),
            Notice::Failed(error) => panic!("{}", error.report()),
            Notice::Gap { name, .. } => panic!("{name} was given up"),
            Notice::Stored { .. } | Notice::Recovered { .. } | Notice::Throttled { .. } => {}
        }
    }

    fn of(&mut self, playlist: &ObjectName) -> &mut VecDeque<(u64, Instant)> {
        let found = self.waiting.iter_mut().find(|(name, _)| name == playlist);
        &mut found.expect("an output that was added").1
    }

    fn take(&mut self) -> Lag {
        std::mem::take(&mut self.lag)
    }
}
