//! `tapeline record`: one input into one recording.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use super::place::{Server, prefix, sid, spool};
use super::progress::Progress;
use super::signals::StopSignals;
use super::text::{length, parse_size};
use crate::clock::{SharedClock, Sleep, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Cname, Generation, MediaKind, RecordingId, Uid};
use crate::input::{Chunk, Media, Source, open_source};
use crate::media::Container;
use crate::recorder::{Event, Feed, OnFull, Options, OutputSpec, Recorder, Summary};
use crate::slicer::SlicingRules;
use crate::store::{Store, StoreOptions};
use crate::time::{MediaSpan, WallTime};

/// A recording that somebody has just taken over is left to them: longer than commands given at the same time
/// are apart, and less than anyone minds to wait whose second worker dies as well.
const RESPITE: Duration = Duration::from_secs(5);

/// A recording that is being begun when the process is asked to stop has so long to tell how that ended.
const BEGIN_PATIENCE: Duration = Duration::from_secs(5);

/// At a pace, so many bytes are handed on at once: a datagram of seven packets. What is read from a file at
/// once may be minutes of media.
const PACED_BYTES: usize = 7 * 188;

/// Record an input into segments and a playlist
#[derive(Debug, Args)]
pub struct Arguments {
    /// A file, - for standard input, udp://ADDR:PORT (multicast too), tcp://ADDR:PORT, http(s)://URL, rtsp://URL
    input: String,
    /// A folder, or a URL: file:///path, s3://bucket/prefix, gs://, az:// (credentials from the environment)
    #[arg(long, value_name = "STORE")]
    to: String,
    /// Recording id; by default 32 random hex digits
    #[arg(long, required_if_eq("resume", "true"))]
    sid: Option<String>,
    /// Channel name; by default main, or that of the recording that is resumed
    #[arg(long)]
    cname: Option<String>,
    /// Go on with a recording whose worker is gone, as its next generation
    #[arg(long)]
    resume: bool,
    /// The user whose stream this is: its names say so. 1 to 4294967295
    #[arg(long, value_name = "UID", requires = "media")]
    uid: Option<Uid>,
    /// What of that user's: audio or video
    #[arg(long = "type", value_name = "TYPE", id = "media", requires = "uid")]
    media: Option<What>,
    /// Playlists say where streams begin and how large pictures are, in the tags of the hosted services that scripts read
    #[arg(long)]
    compat_tags: bool,
    /// Folders before every name in the store, joined by /
    #[arg(long, default_value = "", hide_default_value = true)]
    prefix: String,
    /// A segment of at least this length ends at the next key frame
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = humantime::parse_duration)]
    segment: Duration,
    /// No segment is longer; by default twice --segment
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    max_segment: Option<Duration>,
    /// Program of the transport stream; by default the first
    #[arg(long, value_name = "NUMBER")]
    program: Option<u16>,
    /// Date of the first frame, as 2026-11-23T01:02:03Z; by default when it arrives, or the file's date
    #[arg(long, value_name = "DATE")]
    start_time: Option<String>,
    /// Read a file no faster than it would play
    #[arg(long)]
    realtime: bool,
    /// Folder for segments on their way, or memory: for none; by default inside a local store, else the
    /// user's state folder
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
    /// Bytes that may wait in the spool
    #[arg(long, value_name = "SIZE", default_value = "8GiB", value_parser = parse_size)]
    spool_limit: u64,
    /// The same with all that other recordings, and dead workers, have in that spool; by default no limit
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    spool_total: Option<u64>,
    /// What to do when the spool or its disk is full: drop the oldest segments, or make the input wait; by default
    /// wait for files and pipes, drop for the network
    #[arg(long, value_name = "WHAT")]
    on_full: Option<WhenFull>,
    /// Leave it to TLS to protect what is sent to S3: half the processor time
    #[arg(long)]
    unsigned_payload: bool,
    /// How long to wait at the end for a store that does not serve
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    stop_timeout: Duration,
    /// Tell so often how the recording stands: spool, uploads, retries, last commit
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    metrics: Option<Duration>,
    /// Events and the summary as JSON, one object a line, on standard output
    #[arg(long)]
    pub json: bool,
}

/// What to do when the spool is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WhenFull {
    Drop,
    Wait,
}

/// What an individual output carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Audio,
    Video,
}

/// Records until the input ends or the process is asked to stop.
pub async fn run(arguments: Arguments) -> Result<()> {
    let mut signals = StopSignals::listen()?;
    let clock = SystemClock::shared();
    let id = recording_id(&arguments)?;
    let rules = rules(&arguments)?;
    let prefix = prefix(&arguments.prefix)?;
    let start = arguments.start_time.as_deref().map(parse_date).transpose()?;
    let store_options = StoreOptions {
        endpoint: arguments.server.endpoint.clone(),
        unsigned_payload: arguments.unsigned_payload,
        // There is nothing to resume in a folder that is missing.
        create_folder: !arguments.resume,
        ..StoreOptions::default()
    };
    // The input first: a mistyped one must not leave a folder behind.
    let opened = tokio::select! {
        opened = open_source(&arguments.input, &clock) => Some(opened?),
        () = signals.requested() => None,
    };
    let Some(mut source) = opened else { return Ok(()) };
    let store = Store::open_with(&arguments.to, &store_options)?;
    let mut options = Options {
        rules,
        prefix,
        spool: spool(arguments.spool.as_ref()),
        spool_limit: arguments.spool_limit,
        stop_patience: arguments.stop_timeout,
        respite: RESPITE,
        compat_tags: arguments.compat_tags,
        clock: clock.clone(),
        ..Options::default()
    };
    if let Some(total) = arguments.spool_total {
        options.worker_room = Some(options.spool.base(&store)?.room(total).await);
    }
    options.on_full = match arguments.on_full {
        Some(WhenFull::Drop) => OnFull::Drop,
        None if !source.waits() => OnFull::Drop,
        Some(WhenFull::Wait) | None => OnFull::USUAL_WAIT,
    };
    let start = start.or_else(|| source.file_time().filter(|_| !source.is_live()));
    let mut began = std::pin::pin!(begin(&store, &arguments, id, options));
    let started = tokio::select! {
        started = &mut began => Some(started?),
        () = signals.requested() => None,
    };
    let stopping = started.is_none();
    let recorder = match started {
        Some(recorder) => recorder,
        // It may have been begun already: better to know, and to leave it in order.
        None => tokio::select! {
            started = began => started?,
            () = clock.sleep(BEGIN_PATIENCE) => return Err(unknown(&store)),
        },
    };
    let mut progress = Progress::new(arguments.json, source.size());
    progress.begin(&recorder);
    let mut session = Session {
        pace: arguments.realtime.then(|| Pace { clock: clock.clone(), begin: None }),
        silence: Duration::from_millis(u64::try_from(rules.interruption.millis()).unwrap_or(u64::MAX)),
        events: recorder.events(),
        meter: Meter { recorder: &recorder, every: arguments.metrics, due: None },
        clock,
        feed: Feed::new(wanted(&arguments, start)),
    };
    let fed = match stopping {
        true => Ok(Fed::UntilStopped),
        false => session.run(&mut *source, &mut signals, &mut progress).await,
    };
    let Session { mut feed, mut events, .. } = session;
    let began = !feed.is_empty();
    if !began {
        // Of what is empty nothing can be told but that.
        feed.write(&recorder, Media::Bytes(Chunk { bytes: Bytes::new(), arrived: None })).await?;
    }
    let ended = feed.finish().await;
    // A turn without a frame has nothing to end: another may still record.
    let nothing = feed.now().await.is_none();
    let again = recorder.generation() > Generation::FIRST;
    let open = fed.is_err() || nothing && (ended.is_err() || again);
    let left = if open { recorder.orphan().await } else { recorder.stop().await };
    show_events(&mut events, &mut progress);
    let input = match fed {
        // Nothing came so far, which is no fault of the input.
        Ok(Fed::UntilStopped) if !began => Ok(()),
        Ok(_) => ended,
        Err(error) => Err(error),
    };
    let of_input = |error: Error| error.context(source.describe());
    match (left, input) {
        // What was recorded before the input failed is complete.
        (Ok(summary), input) => {
            if open {
                progress.say(&format!(
                    "the recording stays open: go on with --sid {} --resume, or end it with tapeline stop",
                    summary.sid
                ));
            }
            input.map_err(of_input).and(whole(&summary))
        }
        (Err(left), Ok(())) => Err(left),
        // What ended the uploading ends the input too, and is told once.
        (Err(left), Err(input)) if left.report().contains(input.message()) => Err(left),
        (Err(left), Err(input)) => Err(left.context(of_input(input).report())),
    }
}

/// # Errors
/// `MediaLost` where there are gaps.
fn whole(summary: &Summary) -> Result<()> {
    let accounts = || summary.outputs.iter().map(|output| &output.account);
    let (gaps, millis): (u64, u64) =
        (accounts().map(|account| account.gaps).sum(), accounts().map(|account| account.gap_millis).sum());
    if gaps == 0 {
        return Ok(());
    }
    let causes: BTreeSet<&str> =
        accounts().flat_map(|account| account.gap_causes.keys().map(|cause| cause.as_str())).collect();
    let causes = causes.into_iter().collect::<Vec<_>>().join(", ");
    let message = format!(
        "{gaps} segments of {} are lost: {causes}; the rest is stored, and the playlist has gaps in their places",
        length(millis)
    );
    Err(Error::new(ErrorKind::MediaLost, message))
}

/// How feeding ended.
enum Fed {
    ToTheEnd,
    UntilStopped,
}

/// What the loop works with.
struct Session<'a> {
    pace: Option<Pace>,
    silence: Duration,
    events: Receiver<Event>,
    meter: Meter<'a>,
    clock: SharedClock,
    feed: Feed,
}

/// What is asked of the output.
fn wanted(arguments: &Arguments, start: Option<WallTime>) -> OutputSpec {
    let kind = arguments.media.map(|media| match media {
        What::Audio => MediaKind::Audio,
        What::Video => MediaKind::Video,
    });
    let mut wanted = match arguments.uid.zip(kind) {
        Some((uid, kind)) => OutputSpec::individual(uid, kind, Container::default()),
        None => OutputSpec::composite(Container::default()),
    };
    if let Some(date) = start {
        wanted = wanted.start_time(date);
    }
    if let Some(program) = arguments.program {
        wanted = wanted.program(program);
    }
    wanted
}

impl Session<'_> {
    /// Hands the input on until it ends, fails, or the process is asked to stop.
    async fn run(
        &mut self,
        source: &mut dyn Source,
        signals: &mut StopSignals,
        progress: &mut Progress,
    ) -> Result<Fed> {
        let live = source.is_live();
        let mut silence = self.clock.sleep(self.silence);
        loop {
            let media = tokio::select! {
                biased;
                () = signals.requested() => {
                    progress.say("stopping");
                    return Ok(Fed::UntilStopped);
                }
                media = source.next() => media?,
                Ok(event) = self.events.recv() => {
                    progress.show(&event);
                    continue;
                }
                () = self.meter.due(&self.clock) => {
                    self.meter.tell(progress);
                    continue;
                }
                () = &mut silence, if live => {
                    silence = self.clock.sleep(self.silence);
                    self.feed.interrupt().await?;
                    continue;
                }
            };
            silence = self.clock.sleep(self.silence);
            let Some(media) = media else { return Ok(Fed::ToTheEnd) };
            progress.read(media.size());
            let mut rest = Some(media);
            while let Some(mut media) = rest.take() {
                if self.pace.is_some() {
                    rest = media.split_off(PACED_BYTES);
                }
                if !self.ready(signals, progress).await {
                    progress.say("stopping");
                    return Ok(Fed::UntilStopped);
                }
                self.feed.write(self.meter.recorder, media).await?;
                show_events(&mut self.events, progress);
                if !self.keep_pace(signals, progress).await {
                    progress.say("stopping");
                    return Ok(Fed::UntilStopped);
                }
            }
        }
    }

    /// Waits until more may be written. Writing may wait for a store that is far behind, or a full disk; a request to
    /// stop may not: false where there is one.
    async fn ready(&mut self, signals: &mut StopSignals, progress: &mut Progress) -> bool {
        let mut ready = std::pin::pin!(self.feed.ready());
        loop {
            tokio::select! {
                biased;
                () = signals.requested() => return false,
                () = &mut ready => return true,
                Ok(event) = self.events.recv() => progress.show(&event),
                () = self.meter.due(&self.clock) => self.meter.tell(progress),
            }
        }
    }

    /// Waits until what was written is due. False where the process is asked to stop before.
    async fn keep_pace(&mut self, signals: &mut StopSignals, progress: &mut Progress) -> bool {
        let Some(pace) = &mut self.pace else { return true };
        let now = self.feed.now().await;
        let mut due = std::pin::pin!(pace.keep(now));
        loop {
            tokio::select! {
                biased;
                () = signals.requested() => return false,
                () = &mut due => return true,
                Ok(event) = self.events.recv() => progress.show(&event),
            }
        }
    }
}

fn show_events(events: &mut Receiver<Event>, progress: &mut Progress) {
    loop {
        match events.try_recv() {
            Ok(event) => progress.show(&event),
            // Those that were missed are in the summary.
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return,
        }
    }
}

/// Tells from time to time how the recording stands.
struct Meter<'a> {
    recorder: &'a Recorder,
    every: Option<Duration>,
    due: Option<Sleep>,
}

impl Meter<'_> {
    /// Waits until it is time; for ever where nobody asked for it. May be dropped while it waits.
    async fn due(&mut self, clock: &SharedClock) {
        match self.every {
            Some(every) => self.due.get_or_insert_with(|| clock.sleep(every)).await,
            None => std::future::pending().await,
        }
    }

    fn tell(&mut self, progress: &Progress) {
        self.due = None;
        progress.measure(&self.recorder.metrics());
    }
}

/// Keeps a file from being read faster than it would play.
struct Pace {
    clock: SharedClock,
    /// The first frame's date, and when it was read.
    begin: Option<(WallTime, Duration)>,
}

impl Pace {
    /// Waits until the frame of date `now` is due.
    async fn keep(&mut self, now: Option<WallTime>) {
        let Some(now) = now else { return };
        let (first, read_at) = *self.begin.get_or_insert((now, self.clock.monotonic()));
        let due = read_at + Duration::from_millis(u64::try_from(now.since(first).millis()).unwrap_or(0));
        if let Some(wait) = due.checked_sub(self.clock.monotonic()) {
            self.clock.sleep(wait).await;
        }
    }
}

/// The error of one who was stopped while it asked for a recording.
fn unknown(store: &Store) -> Error {
    let message = format!(
        "stopped while the recording was being begun; whether it was is unknown: see tapeline list {store}"
    );
    Error::new(ErrorKind::Unavailable, message)
}

/// Starts the recording, or resumes it.
async fn begin(store: &Store, arguments: &Arguments, id: RecordingId, options: Options) -> Result<Recorder> {
    if !arguments.resume {
        return Recorder::start(store, id, options).await;
    }
    let recorder = Recorder::resume(store, &id.sid, arguments.cname.is_some().then_some(&id.cname), options);
    recorder.await
}

fn recording_id(arguments: &Arguments) -> Result<RecordingId> {
    let sid = sid(arguments.sid.as_deref())?;
    Ok(RecordingId { sid, cname: Cname::new(arguments.cname.as_deref().unwrap_or("main"))? })
}

fn rules(arguments: &Arguments) -> Result<SlicingRules> {
    let target = MediaSpan::from(arguments.segment);
    let max_length = arguments.max_segment.map_or(target + target, MediaSpan::from);
    if target < MediaSpan::from_secs(1) || max_length < target || max_length > MediaSpan::from_secs(3600) {
        let message = "--segment must be at least 1s, --max-segment at least --segment and at most 1h";
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    Ok(SlicingRules { target, max_length, ..SlicingRules::default() })
}

fn parse_date(text: &str) -> Result<WallTime> {
    WallTime::parse_rfc3339(text).ok_or_else(|| {
        let message = format!("--start-time {text:?} is no date; write it as 2026-11-23T01:02:03Z");
        Error::new(ErrorKind::InvalidInput, message)
    })
}
