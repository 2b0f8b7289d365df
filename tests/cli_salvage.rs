//! `tapeline salvage`, and workers that salvage by themselves: the real program, killed for real. Every byte of the
//! input that was read more than a second before the kill is in a segment that is committed or salvaged.
//!
//! `TAPELINE_TEST_KILLS` sets how many moments are tried, `TAPELINE_TEST_SEED` the first one's seed.

mod fault_proxy;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{PipeReader, PipeWriter, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use fault_proxy::FaultProxy;
use serde_json::{Value, json};
use support::{
    DATAGRAM, Objects, Place, Record, START, Said, SmallDisk, all_files, control, decode_segments, fixture,
    fixture_bytes, judge_segments, lay_out, prove, salvaged, until,
};
use tapeline::clock::{Clock, SystemClock, random_bytes};
use tapeline::continuity::{SalvageState, SalvagedSegment};

/// The input that is fed, 24 s of media, would come in so long: a key frame each second, and less than 64 KiB, which
/// are written at once.
const SENDING: Duration = Duration::from_secs(12);
/// No worker is killed later than this after its input has begun.
const LATEST: Duration = Duration::from_millis(5_500);
/// What was read so long before the kill is safe.
const SAFE: Duration = Duration::from_secs(1);
/// Recordings under way at the same time.
const AT_ONCE: usize = 2;
/// Of the fixture: video and audio.
const PIDS: [u16; 2] = [0x100, 0x101];

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// In what condition the store is while a worker records that is killed.
#[derive(Clone, Copy)]
struct Condition {
    name: &'static str,
    /// What stands between the worker and its server, as the fault proxy reads it; `None` where nothing does.
    rules: Option<&'static str>,
}

const UP: Condition = Condition { name: "up", rules: None };
const DOWN: Condition = Condition { name: "down", rules: Some("*: away") };
/// The input has 31 kB/s.
const SLOW: Condition = Condition { name: "slow", rules: Some("*: rate 20kB/s") };

/// Packets of each elementary stream, in order.
type Packets = BTreeMap<u16, Vec<[u8; 188]>>;

fn packets<'a>(bytes: impl IntoIterator<Item = &'a [u8]>) -> Packets {
    let mut found: Packets = PIDS.map(|pid| (pid, Vec::new())).into();
    for bytes in bytes {
        for packet in bytes.as_chunks::<188>().0 {
            let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
            if let Some(packets) = found.get_mut(&pid) {
                packets.push(*packet);
            }
        }
    }
    found
}

/// A pipe of which it is known how much of it was read, and when.
struct Feed {
    clock: SystemClock,
    to: PipeWriter,
    /// Never read from: it tells how much is in the pipe.
    from: PipeReader,
    written: u64,
    /// When so many bytes had been read.
    read: Vec<(Duration, u64)>,
    /// When this machine stood still, and for how long: then others may have, too.
    stalls: Vec<(Duration, Duration)>,
}

impl Feed {
    fn new() -> (Self, PipeReader) {
        let (from, to) = std::io::pipe().unwrap();
        let input = from.try_clone().unwrap();
        let feed =
            Self { clock: SystemClock::new(), to, from, written: 0, read: Vec::new(), stalls: Vec::new() };
        (feed, input)
    }

    /// Writes `media` evenly until `moment`, from now on.
    fn feed_until(&mut self, media: &[u8], moment: Duration) {
        let begin = self.clock.monotonic();
        let pieces = u32::try_from(media.len().div_ceil(DATAGRAM)).unwrap();
        for (number, piece) in (0..pieces).zip(media.chunks(DATAGRAM)) {
            let due = begin + (SENDING * number / pieces).min(moment);
            let before = self.clock.monotonic();
            std::thread::sleep(due.saturating_sub(before));
            let now = self.clock.monotonic();
            self.stalls.push((now, now - due.max(before)));
            self.read.push((now, self.written - rustix::io::ioctl_fionread(&self.from).unwrap()));
            if due == begin + moment {
                return;
            }
            self.to.write_all(piece).unwrap();
            self.written += piece.len() as u64;
        }
    }

    /// How much had been read a second before now, and before what the machine stood still in the last ones.
    fn safe(&self) -> u64 {
        let now = self.clock.monotonic();
        let late = self.stalls.iter().filter(|(at, _)| *at + SAFE * 2 >= now).map(|stall| stall.1);
        let safe = now.saturating_sub(SAFE + late.sum::<Duration>());
        self.read.iter().rev().find(|(at, _)| *at <= safe).map_or(0, |(_, read)| *read)
    }
}

fn salvage(place: &Place, arguments: &[&str]) -> Said {
    let spool = place.spool();
    Said::of("salvage", ["--spool", spool.to_str().unwrap()].iter().chain(arguments))
}

/// What is counted over all kills.
#[derive(Default, Debug)]
struct Counts {
    kills: usize,
    /// Before there was a recording.
    early: usize,
    committed: usize,
    salvaged: usize,
    torn: usize,
    /// Bytes that were read less than a second before, and are not there.
    lost: usize,
}

/// One worker, killed, and what it left salvaged.
fn survive(
    place: &Place,
    condition: Condition,
    media: &[u8],
    reference: &Packets,
    seed: u64,
    counts: &Mutex<Counts>,
) {
    // The moments of consecutive seeds are spread evenly (Weyl's sequence), and so are the lengths of segments.
    let share = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    let moment = LATEST.mul_f64(share as f64 / 65_536.0);
    let length = ["1s", "5s", "30s"][usize::try_from(seed % 3).unwrap()];
    println!(
        "TAPELINE_TEST_SEED={seed}: store {}, segments of {length}, killed after {moment:?}",
        condition.name
    );
    let (mut feed, input) = Feed::new();
    let proxy = condition.rules.map(|_| FaultProxy::start(&std::env::var("AWS_ENDPOINT_URL").unwrap()));
    let endpoint = proxy.iter().flat_map(|proxy| ["--endpoint".to_owned(), proxy.endpoint()]);
    let record = place.record("-").args(endpoint).args(["--segment", length]);
    let mut running = record.stdin(input).start();
    running.wait_for("the recording has begun", |event| event["event"] == "recording");
    if let Some((proxy, rules)) = proxy.as_ref().zip(condition.rules) {
        proxy.set(rules);
    }
    feed.feed_until(media, moment);
    let safe = feed.safe();
    running.kill();
    assert_eq!(running.wait().code, None);
    // What the proxy holds for the server does not come any more.
    drop(proxy);

    let before = place.objects_at_rest();
    let said = salvage(place, &["--json"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let after = place.objects_at_rest();
    assert!(place.spooled().is_empty(), "{:?}", place.spooled().keys());
    // I2, I5: nothing that was there is changed, no playlist, seal or control object is made.
    for (key, body) in &before {
        assert!(after.get(key) == Some(body), "{key} is not as it was");
    }
    let new: Vec<&String> = after.keys().filter(|key| !before.contains_key(*key)).collect();
    assert!(new.iter().all(|key| key.ends_with(".ts") || key.contains("/salvage-0-")), "{new:?}");
    // Again, nothing is to be done.
    let again = salvage(place, &[]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(again.stdout.contains("nothing was salvaged"), "{}", again.stdout);
    assert!(place.objects_at_rest() == after);

    let (committed, left) = segments(place, &after);
    let whole: Vec<&[u8]> =
        committed.iter().chain(left.iter().map(|segment| &segment.key)).map(|key| &after[key][..]).collect();
    let (found, fed) = (packets(whole), packets([&media[..usize::try_from(safe).unwrap()]]));
    let all = packets([media]);
    for pid in PIDS {
        let (found, reference) = (&found[&pid], &reference[&pid]);
        assert!(reference.starts_with(found), "{pid:#x}: not the input's packets, in their order");
        // What came before the first key frame is not recorded.
        let before = all[&pid].len() - reference.len();
        let missing = fed[&pid].len().saturating_sub(before + found.len());
        assert!(missing == 0, "{pid:#x}: of {safe} bytes, read in time, {missing} packets are missing");
    }
    judge(&after, &left);
    assert_told(place, &said, &left);
    let mut counts = counts.lock().unwrap();
    counts.kills += 1;
    counts.early += usize::from(committed.is_empty() && left.is_empty());
    counts.committed += committed.len();
    counts.salvaged += left.len();
    counts.torn += left.iter().filter(|segment| segment.state == SalvageState::Torn).count();
    let read = feed.read.last().map_or(0, |(_, read)| usize::try_from(*read).unwrap());
    let read = packets([&media[..read]]);
    for pid in PIDS {
        let before = all[&pid].len() - reference[&pid].len();
        counts.lost += read[&pid].len().saturating_sub(before + found[&pid].len()) * 188;
    }
}

/// The keys of what is committed, and what was salvaged besides, each in order.
fn segments(place: &Place, objects: &Objects) -> (Vec<String>, Vec<SalvagedSegment>) {
    let committed: Vec<String> = match control(place) {
        Some(_) => prove(place, false).into_iter().flat_map(|turn| turn.segments).collect(),
        None => Vec::new(),
    };
    let mut left = salvaged(objects);
    left.retain(|segment| !committed.contains(&segment.key));
    // What has a place is known to be committed by it.
    let places: Vec<Option<u64>> = left.iter().map(|segment| segment.segment).collect();
    let wanted = (committed.len() as u64..).map(Some).take(left.len());
    assert_eq!(places, wanted.collect::<Vec<_>>());
    (committed, left)
}

/// Salvaged segments are sound, and decode.
fn judge(objects: &Objects, left: &[SalvagedSegment]) {
    let root = lay_out(objects);
    let paths: Vec<_> = left.iter().map(|segment| root.path().join(&segment.key)).collect();
    judge_segments(&paths, &[]);
    decode_segments(&paths);
}

/// What the salvage and the status say is what is there, and the account adds up.
fn assert_told(place: &Place, said: &Said, left: &[SalvagedSegment]) {
    let events = said.json();
    let total = events.last().unwrap();
    assert_eq!(total["event"], "salvage_total");
    if control(place).is_none() {
        assert_eq!(total["segments"], 0);
        return;
    }
    let status = place.status();
    let told = |field: &str| status["generations"][0]["outputs"][0]["salvaged"][field].as_u64().unwrap_or(0);
    assert_eq!(told("segments"), left.len() as u64, "{status}");
    assert_eq!(told("bytes"), left.iter().map(|segment| segment.bytes).sum::<u64>());
    // Those that were committed lay there too.
    let found = events.iter().filter(|event| event["event"] == "salvage");
    let found = found.map(|event| {
        event["segments"].as_array().unwrap().len() as u64 - event["committed"].as_u64().unwrap()
    });
    assert_eq!(found.sum::<u64>(), left.len() as u64, "{events:?}");
    for account in status["accounts"].as_array().unwrap() {
        let millis = |field: &str| account[field].as_i64().unwrap();
        let absent =
            account["absent_millis"].as_object().unwrap().values().map(|millis| millis.as_i64().unwrap());
        let date =
            |field: &str| tapeline::time::WallTime::parse_rfc3339(account[field].as_str().unwrap()).unwrap();
        let sum = millis("committed_millis") + millis("salvaged_millis") + absent.sum::<i64>()
            - millis("doubled_millis");
        assert_eq!(sum, date("end").since(date("begin")).millis(), "{account}");
    }
}

fn survive_kills(place: &Place, condition: Condition) {
    let media = fixture_bytes("h264_aac");
    let reference = reference();
    let first = number("TAPELINE_TEST_SEED")
        .unwrap_or_else(|| u64::from(u32::from_be_bytes(random_bytes().unwrap())));
    let seeds = first..first + number("TAPELINE_TEST_KILLS").unwrap_or(5);
    let (kills, seeds) = (usize::try_from(seeds.end - seeds.start).unwrap(), Mutex::new(seeds));
    let counts = Mutex::new(Counts::default());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(seed) = seeds.lock().unwrap().next() else { break };
                    survive(&place.another(), condition, &media, &reference, seed, &counts);
                }
            });
        }
    });
    let counts = counts.into_inner().unwrap();
    println!("store {}: {counts:?}", condition.name);
    assert_eq!(counts.kills, kills);
    assert!(counts.salvaged > 0 || kills < 3, "{counts:?}");
}

/// The packets of the whole input recorded to its end.
fn reference() -> Packets {
    let place = Place::folder();
    place.record(fixture("h264_aac")).succeed();
    let objects = place.objects();
    packets(objects.iter().filter(|(key, _)| key.ends_with(".ts")).map(|(_, body)| &body[..]))
}

#[test]
fn killed_at_any_moment_with_a_folder_nothing_is_lost_that_was_read_a_second_before() {
    survive_kills(&Place::folder(), UP);
}

#[test]
fn killed_at_any_moment_with_a_bucket_nothing_is_lost_that_was_read_a_second_before() {
    let Some(place) = Place::bucket() else { return };
    survive_kills(&place, UP);
}

#[test]
fn killed_at_any_moment_with_a_store_that_is_down_nothing_is_lost_that_was_read_a_second_before() {
    let Some(place) = Place::bucket() else { return };
    survive_kills(&place, DOWN);
}

#[test]
fn killed_at_any_moment_with_a_slow_store_nothing_is_lost_that_was_read_a_second_before() {
    let Some(place) = Place::bucket() else { return };
    survive_kills(&place, SLOW);
}

/// The segment that is open when a worker dies here: the sixth, ten seconds after [`START`].
const OPEN: &str = "main_20260102030415678.ts";

/// A worker that is killed when it has five committed segments and half of an open one in that spool.
fn die(record: Record, spool: &Path) {
    let bytes = fixture_bytes("h264_aac");
    let mut running = record.args(["--segment", "2s", "--start-time", START]).stdin(Stdio::piped()).start();
    running.write(&bytes[..bytes.len() * 11 / 24]);
    running.wait_committed(5);
    until("the open segment in the spool", || {
        let open = spooled(spool).into_iter().find(|(path, _)| path.ends_with(OPEN))?;
        (open.1.len() > 10_000).then_some(())
    });
    running.kill();
    running.wait();
}

/// The files of a spool, without those of locks.
fn spooled(spool: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = if spool.exists() { all_files(spool) } else { BTreeMap::new() };
    files.retain(|path, _| !path.ends_with("/lock"));
    files
}

#[test]
fn what_was_salvaged_is_said_for_people_and_in_the_status() {
    let place = Place::folder();
    die(place.record("-"), &place.spool());
    let said = salvage(&place, &[]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", said.stdout);
    let parts = ["s1.", ": 1 segments, ", " of s1_main, generation 0, are in file:///"];
    assert!(parts.iter().all(|part| lines[0].contains(part)), "{}", lines[0]);
    let millis = place.status()["accounts"][0]["salvaged_millis"].as_u64().unwrap();
    let length = |millis| humantime::format_duration(Duration::from_millis(millis));
    assert_eq!(lines[1], format!("  torn s1_{OPEN}: {} are whole", length(millis)));
    assert!(lines[2].starts_with("1 folders, 1 segments (1 torn), ") && lines[2].ends_with("; 0 lost"));
    let shown = place.run("status", ["--sid", "s1"]).stdout;
    let rows: Vec<&str> = shown.lines().collect();
    assert!(rows[4].starts_with("GENERATION") && rows[4].ends_with("  SALVAGED"), "{shown}");
    assert!(rows[5].ends_with(&format!("  1 of {}", length(millis))), "{shown}");
    let account =
        format!("s1_main.m3u8: {} are 10s committed, {} salvaged", length(10_000 + millis), length(millis));
    assert_eq!(rows.last(), Some(&&*account), "{shown}");
}

#[test]
fn a_live_workers_spool_is_refused_and_the_others_are_done_first() {
    let place = Place::folder();
    let record = |sid: &str| Record::new("-", place.url()).args(["--sid", sid]);
    die(record("a"), &place.spool());
    let mut live = record("b").args(["--segment", "2s"]).stdin(Stdio::piped()).start();
    // The worker that came next has salvaged the first one's.
    live.wait_for("the salvage", |event| event["event"] == "salvaged");
    die(record("c"), &place.spool());
    // By "c" as well; so this is what "b" has, and what nobody has.
    let bytes = fixture_bytes("h264_aac");
    live.write(&bytes[..bytes.len() / 3]);
    live.wait_committed(3);
    let folders: Vec<_> = fs::read_dir(place.spool()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 2, "{folders:?}");
    let of_live =
        folders.iter().find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("b.")).unwrap();
    let before = spooled(of_live);
    let said = salvage(&place, &["--json"]);
    let names = format!("process {} on ", live.id());
    said.assert_error(6, &["b.", "which records b_main", &names]);
    assert_eq!(spooled(of_live).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    let events = said.json();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["salvage", "salvage_refused", "salvage_total", "error"]);
    assert_eq!((&events[0]["sid"], &events[1]["worker"]["sid"]), (&json!("c"), &json!("b")));
    // By its own name as well.
    Said::of("salvage", ["--spool".as_ref(), of_live.as_os_str()]).assert_error(6, &[&names]);
    live.write(&bytes[bytes.len() / 3..]);
    let ended = live.wait().successful();
    assert_eq!(ended.summary()["segments"], 12, "and it goes on as if nothing had been");
}

#[test]
fn a_worker_that_starts_salvages_what_others_left_for_its_store() {
    let (place, other) = (Place::folder(), Place::folder());
    let spool = tempfile::tempdir().unwrap();
    let record = |place: &Place, input: &Path, sid: &str| {
        Record::new(input, place.url()).args(["--sid", sid]).arg_pair("--spool", spool.path())
    };
    die(record(&place, Path::new("-"), "s1"), spool.path());
    let left = spooled(spool.path());
    let ended = record(&other, &fixture("m2ts_192"), "s2").succeed();
    assert!(ended.events_of("salvaged").is_empty());
    assert!(spooled(spool.path()) == left, "it belongs to another store");
    let ended = record(&place, &fixture("m2ts_192"), "s3").succeed();
    let [told] = ended.events_of("salvaged")[..] else { panic!("{:?}", ended.events) };
    assert_eq!((&told["sid"], &told["generation"], &told["segments"]), (&json!("s1"), &json!(0), &json!(1)));
    assert!(spooled(spool.path()).is_empty());
    let objects = place.objects();
    let left = salvaged(&objects);
    assert_eq!(left.len(), 1);
    judge(&objects, &left);
    prove(&place, false);
}

#[test]
fn a_spool_that_may_only_be_read_is_salvaged_and_stays() {
    let Some(disk) = SmallDisk::mount(8192) else { return };
    let place = Place::folder();
    let spool = disk.path().join("spool");
    let record = Record::new("-", place.url()).args(["--sid", "s1"]).arg_pair("--spool", &spool);
    die(record, &spool);
    disk.make_read_only();
    let before = all_files(&spool);
    let arguments = ["--spool".as_ref(), spool.as_os_str()];
    let said = Said::of("salvage", arguments);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains(" cannot be cleared: cannot "), "{}", said.stdout);
    let objects = place.objects();
    assert_eq!(salvaged(&objects).len(), 1);
    assert_eq!(Said::of("salvage", arguments).stdout, said.stdout);
    assert!(place.objects() == objects && all_files(&spool) == before);
}

#[test]
fn a_store_that_moved_is_named_and_a_wrong_one_gets_nothing() {
    let (root, other) = (tempfile::tempdir().unwrap(), Place::folder());
    let (old, new) = (root.path().join("old"), root.path().join("new"));
    die(Record::new("-", &old).args(["--sid", "s1"]), &old);
    fs::rename(&old, &new).unwrap();
    let spool = new.join(".tapeline/spool");
    let arguments = |more: &[&'static str]| {
        let spool = ["--spool".to_owned(), spool.to_str().unwrap().to_owned()];
        spool.into_iter().chain(more.iter().map(|&text| text.to_owned())).collect::<Vec<_>>()
    };
    let before = all_files(&new);
    let is_kept = || {
        let mut now = all_files(&new);
        now.retain(|path, _| before.contains_key(path));
        now == before
    };
    Said::of("salvage", arguments(&[])).assert_error(4, &["old", "no such file or folder"]);
    Record::new(fixture("m2ts_192"), other.url()).args(["--sid", "s2"]).succeed();
    let wrong = other.objects();
    let to_other = arguments(&[]).into_iter().chain(["--to".to_owned(), other.url().to_owned()]);
    Said::of("salvage", to_other).assert_error(4, &["there is no recording s1", "--to"]);
    let nowhere = root.path().join("nowhere");
    fs::create_dir(&nowhere).unwrap();
    let to_nowhere =
        arguments(&[]).into_iter().chain(["--to".to_owned(), nowhere.to_str().unwrap().to_owned()]);
    Said::of("salvage", to_nowhere).assert_error(4, &["nobody has recorded to", "--to"]);
    assert!(is_kept() && other.objects() == wrong);
    let to_new =
        arguments(&["--json"]).into_iter().chain(["--to".to_owned(), new.to_str().unwrap().to_owned()]);
    let said = Said::of("salvage", to_new);
    assert_eq!(
        (said.code, &said.json()[0]["segments"][0]["state"]),
        (Some(0), &json!("torn")),
        "{}",
        said.stderr
    );
    assert!(!spool.exists() || spooled(&spool).is_empty());
}

#[test]
fn what_is_no_spool_is_said_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("missing");
    let said = |path: &Path, more: &[&str]| {
        let more = more.iter().map(|text| text.as_ref());
        Said::of("salvage", ["--spool".as_ref(), path.as_os_str()].into_iter().chain(more))
    };
    said(&missing, &[]).assert_error(4, &["missing", "no spool"]);
    assert!(!missing.exists());
    let file = root.path().join("file");
    fs::write(&file, "x").unwrap();
    said(&file, &[]).assert_error(2, &["no folder"]);
    fs::remove_file(&file).unwrap();
    Said::of("salvage", [""; 0]).assert_error(2, &["--spool"]);
    // Folders of somebody else's get no lock of ours.
    fs::create_dir_all(root.path().join("photos")).unwrap();
    fs::write(root.path().join("photos/a.ts"), "x").unwrap();
    let before = all_files(root.path());
    for arguments in [&[][..], &["--json"]] {
        let said = said(root.path(), arguments);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
        assert!(said.stdout.contains(if arguments.is_empty() {
            "nothing was salvaged"
        } else {
            "salvage_total"
        }));
    }
    assert!(all_files(root.path()) == before);
}

#[test]
fn garbage_and_what_is_not_ours_stay_and_are_named() {
    let place = Place::folder();
    die(place.record("-"), &place.spool());
    let folder = fs::read_dir(place.spool()).unwrap().next().unwrap().unwrap().path();
    let garbage = "s1_main_20260102030500000.ts";
    fs::write(folder.join(garbage), "Good morning.").unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let said = salvage(&place, &[]);
    said.assert_error(3, &["hold no media"]);
    for left in [format!("/{garbage}: it holds no media"), "/notes.txt: no recorder made it".to_owned()] {
        assert!(said.stdout.contains(&left), "{}", said.stdout);
    }
    assert!(said.stdout.contains(": 1 segments, "), "{}", said.stdout);
    let left = spooled(&folder);
    assert!(left.contains_key(garbage) && left.contains_key("notes.txt"), "{:?}", left.keys());
    assert!(!left.keys().any(|name| name.contains(OPEN)), "{:?}", left.keys());
    let objects = place.objects();
    assert_eq!(salvaged(&objects).len(), 1);
    // Not said twice in the store, and still said here.
    salvage(&place, &[]).assert_error(3, &["hold no media"]);
    assert!(place.objects() == objects);
    fs::remove_file(folder.join(garbage)).unwrap();
    fs::remove_file(folder.join("notes.txt")).unwrap();
    let said = salvage(&place, &["--json"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(!folder.exists());
}

#[test]
fn a_store_that_does_not_serve_is_said_and_the_spool_kept() {
    let Some(place) = Place::bucket() else { return };
    die(place.record("-"), &place.spool());
    let before = spooled(&place.spool());
    let arguments = ["--endpoint", "http://127.0.0.1:9", "--timeout", "2s"];
    let said = salvage(&place, &arguments);
    said.assert_error(5, &["s1.", "is left as it is"]);
    assert!(said.stderr.contains("retrying"), "{}", said.stderr);
    assert!(spooled(&place.spool()) == before);
    let said = salvage(&place, &["--json"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(said.json()[0]["segments"].as_array().map(Vec::len), Some(1));
    until("the spool is empty", || spooled(&place.spool()).is_empty().then_some(()));
    let _: Value = place.status();
}
