//! A live input is recorded whole, by one worker in one turn and in little memory, while its S3 server is away,
//! comes and goes, is slow, answers 503 or loses answers.
//!
//! The real program records datagrams at 6 Mb/s, in segments of 4 s, through the fault proxy to a real server.
//! `TAPELINE_TEST_OUTAGE` sets for how many seconds the server has trouble.
#![cfg(all(feature = "cli", feature = "aws"))]

mod fault_proxy;
mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fault_proxy::{FaultProxy, Kind};
use futures_util::TryStreamExt as _;
use serde_json::Value;
use support::{
    DATAGRAM, Place, block_on, control, fixture, free_udp_address, send_datagrams, skip, tool, udp_queue,
    until,
};
use tapeline::clock::SystemClock;
use tapeline::continuity::Phase;
use tapeline::ids::Generation;
use tapeline::naming::decode_uri;
use tapeline::playlist::{check, parse};

const KEY: &str = "s1_main.m3u8";
const PACKET: usize = 188;
/// Of video and audio, in what ffmpeg makes and in the fixtures.
const MEDIA: [u16; 2] = [0x100, 0x101];
/// Media before the trouble, for one segment to be committed, and behind it.
const BEFORE: u64 = 5;
const AFTER: u64 = 3;
/// What a recorder may take at most, in KiB.
const MEMORY: u64 = 32 * 1024;
/// No segment is larger.
const LIMIT: u64 = 64 << 20;

/// How long the trouble lasts, in seconds.
fn outage() -> u64 {
    std::env::var("TAPELINE_TEST_OUTAGE").map_or(8, |seconds| seconds.parse().expect("a number of seconds"))
}

/// A live input.
#[derive(Debug, Clone)]
struct Input {
    file: PathBuf,
    /// What of it is sent, and in what time.
    bytes: usize,
    length: Duration,
}

/// 6 Mb/s for so many seconds, made by ffmpeg once; without ffmpeg a fixture of less, if it is long enough.
fn input(seconds: u64) -> Option<Input> {
    let of = |file: PathBuf, length: u64| {
        let all = std::fs::metadata(&file).expect("the input").len();
        let bytes = usize::try_from(all * seconds / length).unwrap();
        let bytes = bytes / PACKET * PACKET;
        Some(Input { file, bytes, length: Duration::from_secs(seconds) })
    };
    if tool_is_missing("ffmpeg") && seconds <= 24 {
        return of(fixture("h264_aac"), 24);
    }
    let ffmpeg = tool("ffmpeg")?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let once = made(&folder.join("live-6M-20s.ts"), |to| {
        let mut command = Command::new(&ffmpeg);
        command.args(["-nostdin", "-v", "error", "-y"]);
        command.args([
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=1280x720:rate=30:duration=20,noise=alls=12:allf=t",
        ]);
        command.args(["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=20"]);
        command.args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "60"]);
        command.args(["-keyint_min", "60", "-sc_threshold", "0", "-b:v", "6M", "-minrate", "6M"]);
        command.args(["-maxrate", "6M", "-bufsize", "6M", "-x264-params", "nal-hrd=cbr"]);
        command.args(["-c:a", "aac", "-b:a", "128k", "-f", "mpegts"]).arg(to);
        command
    });
    if seconds <= 20 {
        return of(once, 20);
    }
    let times = seconds.div_ceil(20);
    let long = made(&folder.join(format!("live-6M-{}s.ts", times * 20)), |to| {
        let mut command = Command::new(&ffmpeg);
        command.args(["-nostdin", "-v", "error", "-y", "-stream_loop", &(times - 1).to_string()]);
        command.arg("-i").arg(&once).args(["-c", "copy", "-f", "mpegts"]).arg(to);
        command
    });
    of(long, times * 20)
}

fn tool_is_missing(name: &str) -> bool {
    !std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|path| path.join(name).is_file())
}

/// A file that is there, or is made now, whole.
fn made(file: &Path, command: impl FnOnce(&Path) -> Command) -> PathBuf {
    if !file.exists() {
        let making = file.with_extension(format!("{}.ts", std::process::id()));
        let output = command(&making).output().expect("ffmpeg runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::rename(making, file).unwrap();
    }
    file.to_owned()
}

impl Input {
    /// Sends it at its pace.
    fn send(&self, to: SocketAddr) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect(to).unwrap();
        let mut file = File::open(&self.file).unwrap().take(self.bytes as u64);
        let pieces = u32::try_from(self.bytes.div_ceil(DATAGRAM * 64)).unwrap();
        for _ in 0..pieces {
            let mut piece = Vec::new();
            file.by_ref().take((DATAGRAM * 64) as u64).read_to_end(&mut piece).unwrap();
            send_datagrams(&socket, &piece, self.length / pieces);
        }
    }

    /// The packets of one PID, in order.
    fn packets(&self, pid: u16) -> impl Iterator<Item = [u8; PACKET]> + use<> {
        let mut file = BufReader::new(File::open(&self.file).unwrap()).take(self.bytes as u64);
        std::iter::from_fn(move || {
            let mut packet = [0; PACKET];
            file.read_exact(&mut packet).ok().map(|()| packet)
        })
        .filter(move |packet| pid_of(packet) == pid)
    }
}

fn pid_of(packet: &[u8; PACKET]) -> u16 {
    u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2])
}

/// The most memory that a process had until its end, in KiB.
fn peak_memory(process: u32) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut peak = 0;
        while let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/status")) {
            // One that has ended and is not waited for has none any more.
            let Some(line) = status.lines().find(|line| line.starts_with("VmHWM:")) else { break };
            peak = line.split_whitespace().nth(1).unwrap().parse().unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
        peak
    })
}

/// A kind of trouble.
struct Case {
    name: &'static str,
    /// With the length of the trouble in place of `OUTAGE`.
    rules: &'static str,
    /// What must have happened, so that the test is one.
    happened: fn(&Trouble) -> bool,
}

/// What happened while there was trouble.
#[derive(Debug)]
struct Trouble {
    absences: u64,
    /// Requests, by the kind of fault.
    faults: BTreeMap<Kind, usize>,
    /// Segments stored before it ended, and their bytes.
    stored: usize,
    stored_bytes: u64,
}

const CASES: [Case; 5] = [
    Case {
        name: "away",
        rules: "* to OUTAGE: away",
        happened: |trouble| trouble.absences == 1 && trouble.stored == 0,
    },
    Case {
        name: "comes and goes",
        rules: "* to OUTAGE first 2s of 4s: away",
        happened: |trouble| trouble.absences >= 2,
    },
    Case {
        name: "slow",
        rules: "* to OUTAGE: rate 100kB/s",
        happened: |trouble| trouble.stored_bytes <= 100_000 * outage(),
    },
    Case {
        name: "answers 503",
        rules: "* to OUTAGE: status 503",
        happened: |trouble| trouble.faults[&Kind::Status] >= 3 && trouble.stored == 0,
    },
    Case {
        name: "loses every third answer",
        rules: "* every 3: lose-reply",
        happened: |trouble| trouble.faults[&Kind::LoseReply] >= 3,
    },
];

#[test]
fn a_live_input_is_recorded_whole_whatever_its_store_does() {
    let Some(place) = Place::bucket() else { return };
    let Ok(server) = std::env::var("AWS_ENDPOINT_URL") else {
        return skip("an S3 server, named by AWS_ENDPOINT_URL");
    };
    let Some(input) = input(BEFORE + outage() + AFTER) else { return };
    // All at once: each is in real time.
    let running: Vec<_> = CASES
        .into_iter()
        .map(|case| {
            let (place, proxy, input) = (place.another(), FaultProxy::start(&server), input.clone());
            let name = case.name;
            let thread = std::thread::Builder::new().name(name.to_owned());
            (name, thread.spawn(move || record(&case, &place, &proxy, &input)).unwrap())
        })
        .collect();
    let ended = running.into_iter().map(|(name, case)| (name, case.join().is_ok()));
    let failed: Vec<&str> = ended.filter(|(_, well)| !well).map(|(name, _)| name).collect();
    assert!(failed.is_empty(), "failed: {failed:?}");
}

fn record(case: &Case, place: &Place, proxy: &FaultProxy, input: &Input) {
    let (name, address) = (case.name, free_udp_address());
    let options = ["--segment", "4s", "--endpoint", &proxy.endpoint()];
    let mut running = place.record(format!("udp://{address}")).args(options).start();
    let memory = peak_memory(running.id());
    running.wait_for("it records", |event| event["event"] == "recording");
    let sender = std::thread::spawn({
        let input = input.clone();
        move || input.send(address)
    });
    running.wait_committed(1);

    let (clock, length) = (SystemClock::new(), outage());
    proxy.set(&case.rules.replace("OUTAGE", &format!("{length}s")));
    let during = running.events_until(&clock, Duration::from_secs(length));
    assert!(running.is_running(), "{name}: it ended early: {during:?}");
    let stored: Vec<u64> = during
        .iter()
        .filter(|(_, event)| event["event"] == "segment_stored")
        .map(|(_, event)| event["bytes"].as_u64().unwrap())
        .collect();

    sender.join().unwrap();
    let queue = until("all is read", || udp_queue(address).filter(|queue| queue.waiting == 0));
    assert_eq!(queue.dropped, 0, "{name}: datagrams were lost before the program read them");
    let state = control(place).expect("a control object");
    assert_eq!(
        (state.generation, state.epoch, state.phase),
        (Generation::FIRST, 1, Phase::Recording),
        "{name}"
    );
    running.signal(&["TERM"], "");
    let ended = running.wait();
    let peak = memory.join().unwrap();
    println!("{name}: {length} s, at most {:.1} MiB, {:?}", peak as f64 / 1024.0, proxy.totals());
    assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
    assert_eq!(ended.summary()["complete"], Value::Bool(true), "{name}: {}", ended.summary());

    let kinds = [Kind::Status, Kind::LoseReply].into_iter();
    let trouble = Trouble {
        absences: proxy.totals().absences,
        faults: kinds.map(|kind| (kind, proxy.count(kind))).collect(),
        stored: stored.len(),
        stored_bytes: stored.iter().sum(),
    };
    assert!((case.happened)(&trouble), "{name}: {trouble:?}");
    prove_whole(name, place, input);
    let state = control(place).expect("a control object");
    assert_eq!(
        (state.generation, state.epoch, state.phase),
        (Generation::FIRST, 2, Phase::Stopped),
        "{name}"
    );
    // What is not optimised takes more.
    assert!(cfg!(debug_assertions) || peak <= MEMORY, "{name}: {peak} KiB");
}

/// The playlist has its end and lists every segment of the bucket once, and they hold every packet of the input.
fn prove_whole(name: &str, place: &Place, input: &Input) {
    let store = place.store();
    let read = |key: &str| block_on(store.get(key, LIMIT)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let text = read(KEY);
    assert!(check(&text).is_empty(), "{name}: {:?}", check(&text));
    let playlist = parse(&text).unwrap();
    assert!(playlist.ended && playlist.segments.iter().all(|segment| !segment.discontinuity), "{name}");
    let segments: Vec<String> =
        playlist.segments.iter().map(|segment| decode_uri(&segment.uri).unwrap()).collect();
    let mut expected = [&segments[..], &[KEY.to_owned()]].concat();
    expected.sort();
    let listed: Vec<_> = block_on(store.list("").try_collect()).unwrap();
    let keys = listed.into_iter().map(|object: tapeline::store::ObjectMeta| object.key);
    let mut keys: Vec<String> = keys.filter(|key| !key.starts_with(".tapeline/")).collect();
    keys.sort();
    assert_eq!(keys, expected, "{name}");

    let mut sent: BTreeMap<u16, _> = MEDIA.into_iter().map(|pid| (pid, input.packets(pid))).collect();
    for segment in &segments {
        for packet in read(segment).as_chunks().0 {
            let Some(sent) = sent.get_mut(&pid_of(packet)) else { continue };
            assert!(sent.next().as_ref() == Some(packet), "{name}: lost before or in {segment}");
        }
    }
    for (pid, mut rest) in sent {
        assert_eq!(rest.by_ref().count(), 0, "{name}: the end of PID {pid} is lost");
    }
}
