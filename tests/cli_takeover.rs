//! Who may write a recording: of many that want it one, and who has lost it writes nothing of another's.
//!
//! `TAPELINE_TEST_PAUSE` sets for how many seconds a worker is stopped before it wakes up replaced.

mod support;

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use support::{
    Ended, Place, Record, Running, START, assert_kept, control, fixture, fixture_bytes, media, prove, until,
    wait_out_the_last_claim,
};
use tapeline::continuity::Phase;
use tapeline::ids::Generation;

// Exit codes, as `tapeline --help` lists them.
const REFUSED: i32 = 2;
const MISSING: i32 = 4;
const CONFLICT: i32 = 6;
const FENCED: i32 = 7;
const ABANDONED: i32 = 8;

fn worker(place: &Place) -> Record {
    place.record("-").args(["--segment", "2s"]).stdin(Stdio::piped())
}

/// The media in two parts: 11 s, which is five segments and a second, and 13 s.
fn parts(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.len() * 11 / 24)
}

/// A worker that has committed the five segments of the first part.
fn recording(place: &Place, arguments: &[&str]) -> Running {
    let bytes = fixture_bytes("h264_aac");
    let mut running = worker(place).args(arguments).start();
    running.write(parts(&bytes).0);
    running.wait_committed(5);
    running
}

/// The same, killed.
fn killed(place: &Place, arguments: &[&str]) {
    let mut running = recording(place, arguments);
    running.kill();
    assert_eq!(running.wait().code, None);
}

#[track_caller]
fn assert_error(ended: &Ended, code: i32, parts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    let [error] = ended.events_of("error")[..] else { panic!("not one error: {:?}", ended.events) };
    let message = error["message"].as_str().unwrap();
    for part in parts {
        assert!(message.contains(part), "no {part:?} in {message}");
    }
}

/// How a worker is named to others.
fn named(worker: &Running) -> String {
    format!("process {} on ", worker.id())
}

/// Ends when one of them is left, and gives it and the others.
fn the_last(mut workers: Vec<Running>) -> (Running, Vec<Running>) {
    until("one worker left", || {
        let running = workers.iter_mut().filter_map(|worker| worker.is_running().then_some(())).count();
        assert!(running > 0, "nobody has the recording");
        (running == 1).then_some(())
    });
    let mut place = 0..workers.len();
    let left = place.find(|index| workers[*index].is_running()).unwrap();
    (workers.swap_remove(left), workers)
}

fn of_two_that_start_one_has_the_recording(place: &Place) {
    let (one, other) = (fixture_bytes("h264_aac"), fixture_bytes("straddle"));
    for round in 0..2 {
        let place = place.another();
        let start = || worker(&place).args(["--start-time", START]).start();
        let (mut winner, losers) = the_last(vec![start(), start()]);
        for loser in losers {
            let says = ["s1", "exists", "Recording", "--resume", &named(&winner)];
            assert_error(&loser.wait(), CONFLICT, &says);
        }
        // Whoever won, in turns another input, so that what the other might have left would show.
        let input = if round % 2 == 0 { &one } else { &other };
        winner.write(input);
        winner.wait().successful();
        let alone = Place::folder();
        let mut reference = worker(&alone).args(["--start-time", START]).start();
        reference.write(input);
        reference.wait().successful();
        let (found, wanted) = (place.objects_at_rest(), alone.objects());
        assert!(media(&found).eq(media(&wanted)), "{:?}", found.keys());
        assert!(media(&found).all(|key| found[key] == wanted[key]));
        assert_eq!(control(&place).unwrap().epoch, 2, "the start and the stop");
        prove(&place, false);
    }
}

fn of_eight_that_resume_one_has_the_recording(place: &Place) {
    killed(place, &[]);
    let before = place.objects_at_rest();
    // Nothing comes to them: whoever has the recording stays where it is.
    let workers = (0..8).map(|_| worker(place).args(["--resume"]).start()).collect();
    let (mut winner, losers) = the_last(workers);
    for loser in losers {
        assert_error(&loser.wait(), CONFLICT, &["cannot claim s1_main", &named(&winner), "generation 1"]);
    }
    let state = control(place).unwrap();
    assert_eq!((state.generation.get(), state.epoch, state.phase), (1, 2, Phase::Recovering));
    assert_eq!(state.holder.pid, winner.id());
    winner.write(&fixture_bytes("h264_aac"));
    winner.wait().successful();
    assert_kept(&before, &place.objects_at_rest(), Generation::new(1));
    let proven = prove(place, false);
    assert_eq!(proven.iter().map(|turn| turn.segments.len()).collect::<Vec<_>>(), [5, 12]);
}

/// A worker is stopped for a while, another takes the recording over, and the first one wakes up.
fn a_worker_that_wakes_up_replaced(place: &Place, pause: Duration) {
    let bytes = fixture_bytes("h264_aac");
    let (begin, rest) = parts(&bytes);
    let mut old = recording(place, &[]);
    old.signal(&["STOP"], "");
    let before = place.objects_at_rest();
    let mut new = worker(place).args(["--resume"]).start();
    new.write(begin);
    new.wait_committed(5);
    // Not a wait for anything: the pause is what is tried.
    std::thread::sleep(pause);
    let asleep = place.objects_at_rest();
    assert_kept(&before, &asleep, Generation::new(1));
    old.signal(&["CONT"], "");
    // It may find out before it has read all that.
    old.try_write(rest);
    let ended = old.wait();
    let says = ["s1_main belongs to another worker now", "generation 1", "epoch 2", &named(&new)];
    assert_error(&ended, FENCED, &says);
    assert_eq!(ended.events_of("error")[0]["kind"], "fenced");
    assert!(ended.events_of("summary")[0]["phase"].is_null());
    let summary = ended.summary();
    assert!(summary["segments"] == 5 && summary["uncommitted"].as_u64() > Some(0), "{summary}");

    let awake = place.objects_at_rest();
    for (key, body) in &asleep {
        // The new worker still publishes; the old one may have had a request on its way. How far both may
        // come is in the seal and the control object, which the proof below holds against them.
        let grows = key.ends_with(".m3u8") || key == ".tapeline/recordings/s1.json";
        assert!(grows || awake[key] == *body, "{key} was changed");
    }
    let came: Vec<_> = media(&awake).filter(|key| !asleep.contains_key(*key)).collect();
    // The old one's request that was on its way may have been the first for its playlist.
    let ours = |key: &&String| key.starts_with("s1_main_") || key.ends_with("s1_main.m3u8");
    assert!(came.iter().all(ours), "{came:?}");
    let proven = prove(place, true);
    assert_eq!(proven[0].segments.len(), 5);
    assert!(!proven[0].ended);
    // What it could not bring into the recording is kept: the sixth segment and what came after it.
    let committed = |name: &String| proven[0].segments.contains(name);
    let spooled = place.spooled();
    let kept = spooled.keys().filter(|name| name.starts_with("s1_main_") && !committed(name));
    assert!(kept.count() >= 1, "{:?}", spooled.keys());

    // The new one has not noticed. Where the pause was longer than 15 s, it has ended its open segment by
    // itself: its input was silent.
    new.signal(&["TERM"], "");
    new.wait().successful();
    let proven = prove(place, true);
    assert_eq!(proven.iter().map(|turn| turn.segments.len()).collect::<Vec<_>>(), [5, 6]);
    assert!(proven[1].ended && !proven[0].ended);
}

/// Longer than what a worker knows of the store stays fresh, 9 s.
fn long_pause() -> Duration {
    let seconds = std::env::var("TAPELINE_TEST_PAUSE").ok();
    Duration::from_secs(
        seconds.map_or(11, |seconds| seconds.parse().expect("TAPELINE_TEST_PAUSE in seconds")),
    )
}

fn the_fourth_failover_abandons_the_recording(place: &Place) {
    killed(place, &[]);
    for _ in 0..3 {
        wait_out_the_last_claim(place);
        let before = place.objects_at_rest();
        killed(place, &["--resume"]);
        assert_kept(&before, &place.objects_at_rest(), control(place).map(|state| state.generation));
    }
    wait_out_the_last_claim(place);
    let before = place.objects_at_rest();
    assert_error(
        &worker(place).args(["--resume"]).run(),
        ABANDONED,
        &["s1_main", "three failovers", "abandoned"],
    );
    let status = place.status();
    assert_eq!(
        (&status["phase"], &status["generation"], &status["epoch"]),
        (&json!("Abandoned"), &json!(3), &json!(5))
    );
    let after = place.objects_at_rest();
    assert_kept(&before, &after, None);
    let proven = prove(place, false);
    assert_eq!(proven.iter().map(|turn| turn.segments.len()).collect::<Vec<_>>(), [5, 5, 5, 5]);
    // Killed on the word that a segment is committed: its playlist may lag behind.
    println!("listed: {:?}", proven.iter().map(|turn| turn.listed).collect::<Vec<_>>());
    assert!(proven.iter().all(|turn| !turn.ended));
    // It is final.
    assert_error(&worker(place).args(["--resume"]).run(), ABANDONED, &["abandoned"]);
    assert_error(&worker(place).run(), CONFLICT, &["exists", "Abandoned", "another --sid"]);
    place.run("stop", ["--sid", "s1"]).assert_error(ABANDONED, &["abandoned"]);
    assert!(place.objects_at_rest() == after);
}

/// `tapeline stop` of a recording whose worker still runs, and then once more.
fn a_worker_whose_recording_was_stopped(place: &Place) {
    let bytes = fixture_bytes("h264_aac");
    let mut running = recording(place, &[]);
    let said = place.run("stop", ["--sid", "s1", "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let stopped = said.object();
    assert_eq!(
        (&stopped["event"], &stopped["phase"], &stopped["epoch"]),
        (&json!("stopped"), &json!("Stopped"), &json!(2))
    );
    assert_eq!(stopped["sealed"]["outputs"][0]["segments"], 5);
    running.try_write(parts(&bytes).1);
    let ended = running.wait();
    assert_error(&ended, FENCED, &["s1_main was stopped by somebody else", "epoch 2"]);
    let proven = prove(place, false);
    assert_eq!((proven.len(), proven[0].segments.len(), proven[0].ended), (1, 5, false));
    assert!(place.spooled().keys().any(|name| name.starts_with("s1_main_")), "{:?}", place.spooled().keys());
    assert_over(place);
}

/// A stopped recording does not go on, by no verb.
fn assert_over(place: &Place) {
    let before = place.objects_at_rest();
    assert_error(&worker(place).args(["--resume"]).run(), CONFLICT, &["s1_main", "was stopped"]);
    place.run("stop", ["--sid", "s1"]).assert_error(CONFLICT, &["s1_main", "was stopped"]);
    assert_error(&worker(place).run(), CONFLICT, &["exists", "Stopped", "another --sid"]);
    assert!(place.objects_at_rest() == before);
}

fn what_has_ended_does_not_go_on(place: &Place) {
    killed(place, &[]);
    let before = place.objects_at_rest();
    let said = place.run("stop", ["--sid", "s1"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(
        said.stdout.contains("s1_main in ") && said.stdout.contains("generation 0 is sealed"),
        "{}",
        said.stdout
    );
    assert_kept(&before, &place.objects_at_rest(), None);
    assert_eq!(place.status()["phase"], "Stopped");
    prove(place, false);
    assert_over(place);
    // Nor does one that its own worker has stopped.
    let place = place.another();
    place.record(fixture("h264_aac")).succeed();
    assert_over(&place);
}

fn a_resume_must_mean_the_recording_that_is_there(place: &Place) {
    let input = fixture("h264_aac");
    let resume = |arguments: &[&str]| place.record(&input).args(["--resume"]).args(arguments).run();
    assert_error(&resume(&[]), MISSING, &["no recording s1", "nobody has recorded there"]);
    assert!(place.objects_at_rest().is_empty());
    place.run("stop", ["--sid", "s1"]).assert_error(MISSING, &["no recording s1"]);

    killed(place, &["--cname", "lobby #1", "--prefix", "a/b"]);
    let before = place.objects_at_rest();
    assert_error(&resume(&["--cname", "hall"]), REFUSED, &["lobby #1", "hall"]);
    assert_error(&resume(&["--prefix", "a"]), REFUSED, &["a/b"]);
    let other = Record::new(&input, place.url()).args(["--sid", "s2", "--resume"]).run();
    assert_error(&other, MISSING, &["no recording s2"]);
    place.run("stop", ["--sid", "s2"]).assert_error(MISSING, &["no recording s2"]);
    let nameless = Record::new(&input, place.url()).args(["--resume"]).run();
    assert_eq!(nameless.code, Some(REFUSED));
    assert!(nameless.stderr.contains("--sid"), "{}", nameless.stderr);
    assert!(place.objects_at_rest() == before);
    assert!(place.spooled().keys().all(|name| name.starts_with("s1_")), "{:?}", place.spooled().keys());

    // What is left out is the recording's own; what is given may be right.
    assert_eq!(resume(&["--cname", "lobby #1", "--prefix", "a/b"]).successful().summary()["complete"], true);
    let after = place.objects_at_rest();
    assert!(after.contains_key("a/b/bak0_s1_lobby #1.m3u8"), "{:?}", after.keys());
}

/// Each of these on a folder and on a real S3 server.
macro_rules! in_both {
    ($($name:ident: $test:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn in_a_folder() {
                ($test)(&Place::folder());
            }

            #[test]
            fn in_a_bucket() {
                let Some(place) = Place::bucket() else { return };
                ($test)(&place);
            }
        }
    )*};
}

in_both! {
    two_start: of_two_that_start_one_has_the_recording;
    eight_resume: of_eight_that_resume_one_has_the_recording;
    a_short_pause: |place| a_worker_that_wakes_up_replaced(place, Duration::ZERO);
    a_long_pause: |place| a_worker_that_wakes_up_replaced(place, long_pause());
    four_failovers: the_fourth_failover_abandons_the_recording;
    stopped_while_it_runs: a_worker_whose_recording_was_stopped;
    ended: what_has_ended_does_not_go_on;
    mistaken: a_resume_must_mean_the_recording_that_is_there;
}

#[test]
fn a_folder_that_is_missing_is_not_made_by_a_resume() {
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("missing");
    let ended = Record::new(fixture("h264_aac"), &missing).args(["--sid", "s1", "--resume"]).run();
    assert_error(&ended, MISSING, &["missing"]);
    assert!(!missing.exists());
}
