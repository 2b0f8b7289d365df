//! Many recordings in one process, fed in real time: what they cost, and how long a frame has to wait.
//!
//! `cargo bench --bench scale -- [--recordings N] [--seconds S] [--mbits M] [--bytes FILE] [--to DIR]`
//!
//! Each recording gets frames of H.264 and Opus of about M Mb/s (or the bytes of a transport stream of that rate) and writes
//! segments of 15 s into a local store. Prints one JSON line: processor time per stream-second, resident memory before the
//! recordings, with all of them open, and at its peak, and percentiles of the time that a write took. `benches/scale` runs it
//! beside as many processes of ffmpeg. Without arguments a small number, to see that it works.

mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use tapeline::clock::{Clock, SystemClock};
use tapeline::ids::RecordingId;
use tapeline::media::Container;
use tapeline::recorder::{Options, Output, OutputSpec, Recorder};
use tapeline::store::Store;
use tapeline::time::{MediaSpan, MediaTime};

/// Recordings are fed so often.
const TICK: Duration = Duration::from_millis(100);
/// The same on the clock of 90 kHz, and the length of the frames that are fed over and over: whole ticks.
const TICK_TICKS: i64 = 9000;
const LAP_TICKS: i64 = 180_000;
/// Tasks that feed them.
const FEEDERS: usize = 4;

struct Wanted {
    recordings: usize,
    seconds: u64,
    mbits: f64,
    bytes: Option<String>,
    to: Option<String>,
}

impl Wanted {
    fn read() -> Self {
        let arguments: Vec<String> =
            std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
        let mut wanted = Self { recordings: 20, seconds: 3, mbits: 2.5, bytes: None, to: None };
        for pair in arguments.chunks(2) {
            let [name, value] = pair else { panic!("{} needs a value", pair[0]) };
            match name.as_str() {
                "--recordings" => wanted.recordings = value.parse().expect("a number"),
                "--seconds" => wanted.seconds = value.parse().expect("a number"),
                "--mbits" => wanted.mbits = value.parse().expect("a number"),
                "--bytes" => wanted.bytes = Some(value.clone()),
                "--to" => wanted.to = Some(value.clone()),
                other => panic!("{other} is no option"),
            }
        }
        wanted
    }
}

/// Times in powers of the square root of two, from a microsecond on.
struct Times([AtomicU64; 64]);

impl Times {
    fn add(&self, took: Duration) {
        let micros = took.as_nanos() as f64 / 1000.0;
        let place = (micros.max(1.0).log2() * 2.0) as usize;
        self.0[place.min(63)].fetch_add(1, Relaxed);
    }

    /// The time that so many of a thousand did not exceed, in milliseconds.
    fn per_mille(&self, part: u64) -> f64 {
        let counts: Vec<u64> = self.0.iter().map(|count| count.load(Relaxed)).collect();
        let wanted = counts.iter().sum::<u64>() * part / 1000;
        let mut sum = 0;
        let place = counts.iter().position(|count| {
            sum += count;
            sum > wanted
        });
        2_f64.powf((place.unwrap_or(63) + 1) as f64 / 2.0) / 1000.0
    }
}

/// A field of `/proc/self/status`, in KiB.
fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = text.lines().find_map(|line| line.strip_prefix(field)).expect("the field");
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("KiB")
}

/// User and system time of the process, in seconds.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("procfs");
    let (_, rest) = text.rsplit_once(") ").expect("the name's end");
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
    ticks / 100.0
}

/// What a recording is fed in each tick.
enum Media {
    /// Two seconds of frames, of which the first picture is a key frame.
    Frames(Vec<tapeline::media::Frame>),
    /// A stream of so many bytes a tick.
    Bytes(Bytes, usize),
}

impl Media {
    async fn feed(&self, output: &Output, tick: u64, clock: &SystemClock, times: &Times) {
        match self {
            Self::Frames(frames) => {
                // Frames whose time lies in this tick of the period.
                let begin = tick as i64 * TICK_TICKS;
                let (lap, from) = (begin / LAP_TICKS, begin % LAP_TICKS);
                let is_due = |at: i64| (from..from + TICK_TICKS).contains(&at);
                for frame in frames.iter().filter(|frame| frame.pts.is_some_and(|pts| is_due(pts.ticks()))) {
                    let pts = frame.pts.map(|pts| pts + MediaSpan::from_ticks(lap * LAP_TICKS));
                    let before = clock.monotonic();
                    output
                        .write_frame(tapeline::media::Frame { pts, ..frame.clone() })
                        .await
                        .expect("a frame is written");
                    times.add(clock.monotonic() - before);
                }
            }
            Self::Bytes(stream, rate) => {
                let begin = (tick as usize * rate) % (stream.len() - rate);
                let before = clock.monotonic();
                output.write_bytes(stream.slice(begin..begin + rate)).await.expect("bytes are written");
                times.add(clock.monotonic() - before);
            }
        }
    }
}

fn media(wanted: &Wanted) -> Media {
    match &wanted.bytes {
        Some(file) => {
            let stream = Bytes::from(std::fs::read(file).expect("the stream"));
            Media::Bytes(stream, (wanted.mbits * 1_000_000.0 / 8.0 * TICK.as_secs_f64()) as usize)
        }
        None => {
            // Pictures of a fixed size, of which fewer bytes are taken.
            let mut frames = work::frames::make(Container::MpegTs, 60 * 25_000);
            let picture = (wanted.mbits * 1_000_000.0 / 8.0 / 30.0) as usize;
            for frame in frames.iter_mut().filter(|frame| frame.track == 0) {
                frame.data = frame.data.slice(..picture.min(frame.data.len()));
            }
            frames.retain(|frame| frame.pts.is_some_and(|pts| pts < MediaTime::from_ticks(LAP_TICKS)));
            Media::Frames(frames)
        }
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let wanted = Wanted::read();
    let folder = tempfile::tempdir().expect("a folder");
    let to = wanted.to.clone().unwrap_or_else(|| folder.path().display().to_string());
    let store = Store::open(&to).expect("a store");
    let media = Arc::new(media(&wanted));
    let empty = status("VmRSS:");
    let mut recorders = Vec::new();
    for number in 0..wanted.recordings {
        let id = RecordingId::new(&format!("r{number}"), "main").expect("an id");
        let recorder = Recorder::start(&store, id, Options::default()).await.expect("it starts");
        let spec = OutputSpec::composite(Container::MpegTs);
        let tracks =
            if wanted.bytes.is_none() { work::frames::tracks(Container::MpegTs) } else { Vec::new() };
        let output = recorder.output(tracks.into_iter().fold(spec, OutputSpec::track)).expect("an output");
        recorders.push((recorder, output));
    }
    let open = status("VmRSS:");
    let times = Arc::new(Times(std::array::from_fn(|_| AtomicU64::new(0))));
    // It begins now.
    let (clock, cpu) = (Arc::new(SystemClock::new()), processor_seconds());
    let mut feeders = Vec::new();
    for feeder in 0..FEEDERS {
        let outputs: Vec<Output> =
            recorders.iter().skip(feeder).step_by(FEEDERS).map(|(_, output)| output.clone()).collect();
        let (media, times, ticks) = (Arc::clone(&media), Arc::clone(&times), wanted.seconds * 10);
        let clock = Arc::clone(&clock);
        feeders.push(tokio::spawn(async move {
            let mut interval = tokio::time::interval(TICK);
            let mut late = Duration::ZERO;
            for tick in 0..ticks {
                interval.tick().await;
                let due = TICK * u32::try_from(tick).expect("a number");
                late = late.max(clock.monotonic().saturating_sub(due));
                for output in &outputs {
                    media.feed(output, tick, &clock, &times).await;
                }
            }
            late
        }));
    }
    let mut late = Duration::ZERO;
    for feeder in feeders {
        late = late.max(feeder.await.expect("a feeder ends"));
    }
    let cpu = processor_seconds() - cpu;
    let (peak, streams) = (status("VmHWM:"), wanted.recordings as f64 * wanted.seconds as f64);
    let took = clock.monotonic().as_secs_f64();
    let mut stored = 0;
    for (recorder, _) in recorders {
        let summary = recorder.stop().await.expect("it stops");
        stored += summary.outputs.iter().map(|output| output.account.segments).sum::<u64>();
    }
    let kib = |value: u64| value as f64 / 1024.0;
    println!(
        "{{\"recordings\": {}, \"seconds\": {took:.1}, \"segments\": {stored}, \"cpu_ms_per_stream_second\": {:.3}, \
         \"cpu_percent\": {:.1}, \"empty_mib\": {:.1}, \"open_mib\": {:.1}, \"peak_mib\": {:.1}, \
         \"kib_each_open\": {:.1}, \"write_ms_p50\": {:.3}, \"write_ms_p99\": {:.3}, \"write_ms_p999\": {:.3}, \"late_ms\": {:.0}}}",
        wanted.recordings,
        cpu * 1000.0 / streams,
        cpu / took * 100.0,
        kib(empty),
        kib(open),
        kib(peak),
        (open.saturating_sub(empty)) as f64 / wanted.recordings as f64,
        times.per_mille(500),
        times.per_mille(990),
        times.per_mille(999),
        late.as_secs_f64() * 1000.0,
    );
}
