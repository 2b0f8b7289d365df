//! A recording survives its workers: killed at any moment and resumed, up to three times, with nothing of what
//! was recorded before changed, and the new generation soon safe.
//!
//! `TAPELINE_TEST_KILLS` sets how many moments are tried, `TAPELINE_TEST_SEED` the first one's seed. The input
//! comes at the pace of its media, with a key frame every 2 s.

mod support;

use std::process::Stdio;
use std::sync::Mutex;
use std::thread::Scope;
use std::time::Duration;

use support::{
    Place, Proven, Record, Running, assert_kept, control, feed, fixture, fixture_bytes, prove,
    wait_out_the_last_claim,
};
use tapeline::clock::{SystemClock, random_bytes};
use tapeline::continuity::Phase;
use tapeline::ids::Generation;

/// Of the fixture that is fed.
const MEDIA: Duration = Duration::from_secs(24);
/// No worker is killed later than this after its command.
const LATEST: Duration = Duration::from_secs(6);
/// The first segment of a new generation ends at the first key frame after 2 s, so within 4 s here, and the
/// program's start and the store take some tenths. The rest is for a machine that does more at the same time.
const FIRST_STORED: Duration = Duration::from_secs(8);
/// Failovers that a recording has.
const FAILOVERS: usize = 3;
/// Recordings under way at the same time: they wait for media most of the time.
const AT_ONCE: usize = 4;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// The moment of a seed: those of consecutive seeds are spread evenly (Weyl's sequence).
fn moment(seed: u64) -> Duration {
    let share = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    LATEST.mul_f64(share as f64 / 65_536.0)
}

/// A worker that records at the pace of its media: the first of a recording, or the next.
struct Turn {
    running: Running,
    /// Its time begins with the command.
    clock: SystemClock,
}

impl Turn {
    fn begin<'a>(place: &Place, media: &'a [u8], scope: &'a Scope<'a, '_>) -> Self {
        wait_out_the_last_claim(place);
        // Every second of those who resume records segments of the usual 15 s, of which only the first ends
        // early enough to be seen here.
        let arguments: &[&str] = match control(place).map(|state| state.generation.get() % 2) {
            None => &["--segment", "2s"],
            Some(0) => &["--resume"],
            Some(_) => &["--resume", "--segment", "2s"],
        };
        let command = place.record("-").args(arguments).stdin(Stdio::piped());
        let clock = SystemClock::new();
        let mut running = command.start();
        let stdin = running.take_stdin();
        scope.spawn(move || feed(stdin, media, MEDIA));
        Self { running, clock }
    }

    /// When the first segment was stored, if that was before `moment`.
    fn first_stored(&mut self, moment: Duration) -> Option<Duration> {
        let events = self.running.events_until(&self.clock, moment);
        events.into_iter().find(|(_, event)| event["event"] == "segment_stored").map(|(at, _)| at)
    }
}

/// What is counted over all recordings.
#[derive(Default)]
struct Counts {
    kills: usize,
    /// From the command to the first stored segment, for each resumed generation.
    first_stored: Vec<Duration>,
    /// Segments committed, of all generations.
    segments: usize,
    /// Of those, the ones that the playlist of a killed worker does not list.
    unlisted: usize,
    /// Kills before anything was committed.
    early: usize,
}

/// One recording: a worker for each seed, killed at its moment, and a last one that is asked to stop.
fn survive(place: &Place, media: &[u8], seeds: &[u64], counts: &Mutex<Counts>) {
    // The first recording of a store examines it; here that is another one.
    Record::new(fixture("m2ts_192"), place.url()).args(["--sid", "s0", "--spool", "memory:"]).succeed();
    let mut before = place.objects_at_rest();
    for seed in seeds {
        let moment = moment(*seed);
        println!("TAPELINE_TEST_SEED={seed}: killed after {moment:?}");
        let stored = std::thread::scope(|scope| {
            let mut turn = Turn::begin(place, media, scope);
            let stored = turn.first_stored(moment);
            turn.running.kill();
            assert_eq!(turn.running.wait().code, None);
            stored
        });
        let after = place.objects_at_rest();
        let state = control(place);
        let generation = state.as_ref().map(|state| state.generation);
        assert_kept(&before, &after, generation);
        assert!(state.as_ref().is_none_or(|state| !state.phase.is_final()));
        let mut counts = counts.lock().unwrap();
        counts.kills += 1;
        counts.early += usize::from(state.is_none_or(|state| state.outputs.is_empty()));
        counts.first_stored.extend(stored.filter(|_| generation > Some(Generation::FIRST)));
        before = after;
    }
    let stored = std::thread::scope(|scope| {
        let mut turn = Turn::begin(place, media, scope);
        let stored = turn.first_stored(FIRST_STORED).expect("a segment is stored in time");
        turn.running.signal(&["TERM"], "");
        turn.running.wait().successful();
        stored
    });
    let state = control(place).expect("a recording");
    assert_kept(&before, &place.objects_at_rest(), Some(state.generation));
    assert_eq!(state.phase, Phase::Stopped);
    let proven = prove(place, true);
    assert_told(place, &proven);
    let mut counts = counts.lock().unwrap();
    if state.generation > Generation::FIRST {
        counts.first_stored.push(stored);
    }
    counts.segments += proven.iter().map(|turn| turn.segments.len()).sum::<usize>();
    counts.unlisted += proven.iter().map(|turn| turn.segments.len() - turn.listed).sum::<usize>();
}

/// `tapeline status` tells what was proven.
fn assert_told(place: &Place, proven: &[Proven]) {
    let status = place.status();
    for turn in proven {
        let generation = turn.generation.get();
        let bak = if generation == 0 { String::new() } else { format!("bak{}_", generation - 1) };
        assert_eq!(turn.playlist, format!("{bak}s1_main.m3u8"));
        let told = &status["generations"][usize::from(generation)]["outputs"][0];
        assert_eq!(told["playlist"], turn.playlist);
        assert_eq!(told["segments"], turn.segments.len());
        assert_eq!(turn.ended, status["generation"] == generation, "ENDLIST in {}", turn.playlist);
    }
    assert_eq!(status["total"]["segments"], proven.iter().map(|turn| turn.segments.len()).sum::<usize>());
}

fn survive_kills(place: &Place) {
    let media = fixture_bytes("h264_aac");
    let first = number("TAPELINE_TEST_SEED")
        .unwrap_or_else(|| u64::from(u32::from_be_bytes(random_bytes().unwrap())));
    let seeds: Vec<u64> = (first..first + number("TAPELINE_TEST_KILLS").unwrap_or(5)).collect();
    let recordings = Mutex::new(seeds.chunks(FAILOVERS));
    let counts = Mutex::new(Counts::default());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(seeds) = recordings.lock().unwrap().next() else { break };
                    survive(&place.another(), &media, seeds, &counts);
                }
            });
        }
    });
    let mut counts = counts.into_inner().unwrap();
    counts.first_stored.sort();
    let times = &counts.first_stored;
    println!(
        "{} kills, {} of them before anything was committed; {} segments committed, {} of them in no playlist",
        counts.kills, counts.early, counts.segments, counts.unlisted
    );
    let middle = times.get(times.len() / 2);
    println!(
        "from the command to the first segment stored, {} times: {middle:?}, {:?}",
        times.len(),
        times.last()
    );
    assert_eq!(counts.kills, seeds.len());
    assert!(times.iter().all(|time| *time < FIRST_STORED), "{times:?}");
}

#[test]
fn killed_at_any_moment_a_recording_in_a_folder_goes_on() {
    survive_kills(&Place::folder());
}

#[test]
fn killed_at_any_moment_a_recording_in_a_bucket_goes_on() {
    let Some(place) = Place::bucket() else { return };
    survive_kills(&place);
}
