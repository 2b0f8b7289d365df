//! What a recording costs must not grow with its length.
//!
//! Allocations stand in for instructions: every copy and every rendering of text goes through them, and they
//! are the same whatever else the machine does. The count is the process's, so that tests go one by one.

mod simulated_time;
mod upload_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use simulated_time::simulate;
use tapeline::continuity::Form;
use tapeline::ids::Sid;
use tapeline::spool::{Room, SpoolBase, SpoolFolder};
use upload_support::*;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static FREED: AtomicUsize = AtomicUsize::new(0);
static ALONE: Mutex<()> = Mutex::new(());

/// In this hour of the day the budget is used up for certain.
const SETTLED: usize = 6;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        FREED.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What was allocated up to some moment.
#[derive(Debug, Clone, Copy)]
struct Memory {
    allocations: usize,
    allocated: usize,
    live: usize,
}

impl Memory {
    fn now() -> Self {
        let allocated = ALLOCATED.load(Ordering::Relaxed);
        let live = allocated - FREED.load(Ordering::Relaxed);
        Self { allocations: ALLOCATIONS.load(Ordering::Relaxed), allocated, live }
    }
}

/// Records into a spool on a disk, so that the texts of playlists are not in memory. Gives what was allocated
/// at the begin and after each part.
fn run(recording: &Recording) -> (Report, Vec<Memory>) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let base = tempfile::tempdir().unwrap();
    let mut memory = Vec::with_capacity(usize::try_from(recording.parts).unwrap() + 1);
    memory.push(Memory::now());
    let report = simulate(async {
        let (base, sid) = (SpoolBase::folder(base.path()), Sid::new("s1").unwrap());
        let spool = SpoolFolder::create(&base, &sid, [0; 4], Room::new(1 << 30)).await.unwrap();
        record(recording, spool, || memory.push(Memory::now())).await
    });
    assert!(report.finished.failure.is_none(), "{:?}", report.finished);
    for output in &report.finished.outputs {
        assert!(output.complete && output.listed * recording.outputs as u64 == recording.segments());
    }
    (report, memory)
}

/// Playlists, control objects and seals.
fn overhead(tally: &Tally) -> u64 {
    [Kind::Playlist, Kind::Control, Kind::Seal].into_iter().map(|kind| tally.puts(kind).bytes).sum()
}

#[test]
fn a_day_costs_at_most_one_percent_and_the_same_in_every_hour() {
    let (segment, bits_per_second) = (15, 1_000_000);
    let recording =
        Recording { form: Form::Update, segment, bits_per_second, outputs: 1, part: HOUR, parts: 24 };
    let (report, memory) = run(&recording);

    let all = overhead(&report.total().plus(&report.stop));
    let media = recording.segments() * recording.segment_bytes();
    assert!(all * 100 <= media, "{all} bytes for {media} of media");

    let segments = recording.part_segments();
    for (hour, Part { tally, lag }) in report.parts.iter().enumerate() {
        assert_eq!(tally.puts(Kind::Segment).requests, segments, "hour {hour}");
        assert_eq!(tally.puts(Kind::Control).requests, segments, "hour {hour}: a commit for a segment");
        // One look before a commit: 15 s after the last answer it is not fresh.
        assert_eq!(tally.of(Kind::Control, Verb::Get).requests, segments, "hour {hour}");
        let playlists = tally.puts(Kind::Playlist).requests;
        assert!((6..=segments).contains(&playlists), "hour {hour}: {playlists} playlists");
        assert_eq!(tally.requests(&Verb::ALL), 3 * segments + playlists, "hour {hour}: and nothing else");
        assert!(lag.longest <= Duration::from_secs(601), "hour {hour}: listed after {:?}", lag.longest);
    }

    // Until the budget is used up, playlists are published more often, tails are shorter, and a segment costs
    // less. From then on it costs the same.
    let costs: Vec<_> = memory.windows(2).zip(&report.parts).map(|(pair, part)| cost(pair, part)).collect();
    let settled = &costs[SETTLED];
    for (hour, cost) in costs.iter().enumerate() {
        let more = cost.allocations.saturating_sub(settled.allocations);
        // A publication more or less in the hour.
        assert!(more * 100 <= settled.allocations, "hour {hour}: {cost:?}, hour {SETTLED}: {settled:?}");
        if hour > SETTLED {
            let change = cost.bytes.abs_diff(settled.bytes);
            // Entries grow by a digit now and then, and publications are read in pieces of 64 KiB.
            assert!(change <= 2048 * segments, "hour {hour}: {cost:?}, hour {SETTLED}: {settled:?}");
        }
    }
    // Ten minutes of entries wait for their publication: 40, here and in the control object, in vectors with
    // room to spare. Without a limit there would be 5760.
    let live: Vec<usize> = memory.iter().skip(1).map(|memory| memory.live).collect();
    assert!(live[23] <= live[0] + 32 * 1024, "bytes in use after each hour: {live:?}");
}

/// What an hour's segments took.
#[derive(Debug)]
struct Cost {
    allocations: u64,
    /// Without the texts of playlists as they are read and sent: those grow, and the budget counts them.
    bytes: u64,
}

fn cost(pair: &[Memory], part: &Part) -> Cost {
    let [before, after] = pair else { panic!("two moments") };
    let allocations = (after.allocations - before.allocations) as u64;
    let bytes = (after.allocated - before.allocated) as u64 - part.tally.puts(Kind::Playlist).bytes;
    Cost { allocations, bytes }
}

#[test]
fn many_outputs_share_one_commit_a_second_and_their_tails_have_a_limit() {
    // So slow that the budget is used up soon, and only what must be is published.
    let (segment, bits_per_second, outputs) = (15, 64_000, 34);
    let recording = Recording { form: Form::Update, segment, bits_per_second, outputs, part: 60, parts: 5 };
    let (report, _) = run(&recording);
    for (number, Part { tally, .. }) in report.parts.iter().enumerate() {
        let commits = tally.puts(Kind::Control);
        assert!(commits.requests <= recording.part, "part {number}: {} commits", commits.requests);
        // The first one is sent after a look at what is there.
        let pace = tally.shortest_pace.unwrap();
        assert!(pace >= Duration::from_millis(950), "part {number}: commits after {pace:?}");
        // The tails, and of each output some names and sums.
        let most = 64 * 1024 + outputs as u64 * 512;
        assert!(commits.largest <= most, "part {number}: a control object of {} bytes", commits.largest);
        assert_eq!(tally.puts(Kind::Segment).requests, recording.part_segments(), "part {number}");
        // Once the tails are full, a publication makes room for those of some seconds.
        let playlists = tally.puts(Kind::Playlist).requests;
        assert!(number < 3 || playlists <= outputs as u64, "part {number}: {playlists} playlists");
    }
}
