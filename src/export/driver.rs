//! Reads the segments of a stitched output in order, a few ahead, and writes what comes of them.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::front::Front;
use super::hls::{HlsFolder, unfit};
use super::mp4::{Mp4Error, Mp4File};
use super::object::PartedObject;
use super::part::Part;
use super::target::{Sink, Target};
use super::ts::{JoinError, TsJoiner};
use crate::checksum::RunningSha256;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Cname, Sid};
use crate::stitch::{
    Item, MissingMode, Progress, SEGMENT_LIMIT, StitchOptions, Stitched, StitchedOutput, is_elsewhere,
    stitch, stitch_playlists,
};
use crate::store::{ObjectKind, Store};
use crate::time::{MediaSpan, WallTime};
use crate::webm::{JoinedFile, WebmJoinError, WebmJoiner};

/// Segments read ahead.
const AHEAD: usize = 3;

/// What becomes of time that nothing covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GapTime {
    /// It is left out: what comes behind follows at once.
    #[default]
    Collapse,
    /// The output's time stamps go on by it.
    Keep,
}

/// What is made of a recording. Nothing is encoded anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ExportFormat {
    /// One MPEG transport stream, of any codec.
    #[default]
    TransportStream,
    /// One MP4 file, whose index stands in front: H.264, H.265, VP9, AV1, AAC, Opus.
    Mp4,
    /// One WebM file with its cues: VP8, VP9, AV1, Opus, Vorbis.
    WebM,
    /// Fragmented MP4 with a playlist, for a folder: the same codecs.
    Hls,
}

/// What to export, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// What to make.
    pub format: ExportFormat,
    /// The channel, where several have a recording of one id.
    pub cname: Option<Cname>,
    /// The name of the output's original playlist, without its extension, where there are several.
    pub output: Option<String>,
    /// Time that nothing covers.
    pub gap: GapTime,
    /// What to do about segments that are not in the store.
    pub missing: MissingMode,
    /// A file, an object or a playlist of that name may be replaced.
    pub replace: bool,
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The output.
    pub output: String,
    /// Bytes of what was made.
    pub bytes: u64,
    /// Those of them that an upload that was cut off had stored, and that were not sent again.
    pub resumed_bytes: u64,
    /// Segments.
    pub segments: usize,
    /// Length of all segments, in milliseconds.
    pub duration_millis: u64,
    /// Time that nothing covers, in milliseconds.
    pub gap_millis: i64,
    /// What people should know.
    pub notes: Vec<String>,
}

/// Writes a recording as one transport stream, one MP4 or WebM file, or fragmented MP4 for HLS.
///
/// ```
/// use tapeline::export::{ExportFormat, ExportOptions, Target, export};
/// use tapeline::ids::RecordingId;
/// use tapeline::media::Container;
/// use tapeline::recorder::{Options, OutputSpec, Recorder};
/// use tapeline::store::Store;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tapeline::Result<()> {
/// let store = Store::open("memory:")?;
/// let id = RecordingId::new("38f8e3cfdc474cd56fc1ceba380d7e1a", "lobby")?;
/// # let stream = bytes::Bytes::from(std::fs::read("fixtures/h264_aac.ts").expect("the fixture"));
/// let recorder = Recorder::start(&store, id.clone(), Options::default()).await?;
/// recorder.output(OutputSpec::composite(Container::MpegTs))?.write_bytes(stream).await?;
/// recorder.stop().await?;
///
/// let options = ExportOptions { format: ExportFormat::Mp4, ..ExportOptions::default() };
/// let target = Target::Object { store: store.clone(), key: "whole.mp4".to_owned() };
/// let exported = export(&store, &id.sid, &options, target, &|_, _| {}).await?;
/// assert_eq!(store.head("whole.mp4").await?.map(|meta| meta.size), Some(exported.bytes));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `NotFound` where there is no such recording; `InvalidInput` where several outputs are there and none is named, or the target
/// does not take the format; `Conflict` where something of that name is there; `DataLoss` where segments are missing that must
/// not be; `Malformed` for segments that have no place in what is to be made; whatever reading and writing give.
pub async fn export(
    store: &Store,
    sid: &Sid,
    options: &ExportOptions,
    to: Target<'_>,
    progress: Progress<'_>,
) -> Result<Exported> {
    let wanted =
        StitchOptions { cname: options.cname.clone(), missing: options.missing, ..StitchOptions::default() };
    write(store, stitch(store, sid, &wanted).await?, options, to, progress).await
}

/// The same of playlists given by their keys, in the order of their turns.
///
/// # Errors
/// As [`export`].
pub async fn export_playlists(
    store: &Store,
    keys: &[String],
    options: &ExportOptions,
    to: Target<'_>,
    progress: Progress<'_>,
) -> Result<Exported> {
    let wanted = StitchOptions { missing: options.missing, ..StitchOptions::default() };
    write(store, stitch_playlists(store, keys, &wanted).await?, options, to, progress).await
}

async fn write(
    store: &Store,
    stitched: Stitched,
    options: &ExportOptions,
    to: Target<'_>,
    progress: Progress<'_>,
) -> Result<Exported> {
    let Stitched { outputs, notes, .. } = stitched;
    let output = choose(outputs, options.output.as_deref())?;
    let total = output.plan.items.len();
    let mut parts = std::pin::pin!(parts(store, &output, options.gap));
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(done, total);
    };
    let Made { bytes, resumed_bytes, notes: more } = match (options.format, to) {
        (ExportFormat::Hls, Target::Folder { store: to, folder }) => {
            let base = output.base.clone();
            let mut made =
                HlsFolder::begin(to, folder, base, &fingerprint(&output, options), begin(&output)).await?;
            refuse_to_replace(options, &made.playlist(), made.has_playlist())?;
            while let Some(part) = parts.next().await {
                made.part(part?).await?;
                step();
            }
            let (bytes, notes) = made.finish().await?;
            Made { bytes, resumed_bytes: 0, notes }
        }
        (ExportFormat::TransportStream, to) => {
            let mut sink = open(&output, options, to).await?;
            let made = transport_stream(&mut parts, &mut sink, &mut step).await;
            close(sink, made).await?
        }
        (ExportFormat::Mp4, to) => {
            let mut sink = open(&output, options, to).await?;
            let made = mp4(&output, &mut parts, &mut sink, &mut step).await;
            close(sink, made).await?
        }
        (ExportFormat::WebM, to) => {
            let mut sink = open(&output, options, to).await?;
            let made = webm(&output, &mut parts, &mut sink, &mut step).await;
            close(sink, made).await?
        }
        (ExportFormat::Hls, _) => {
            let message = "HLS is many objects: it goes into a folder, whose name ends in /";
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
    };
    Ok(Exported {
        output: output.base.clone(),
        bytes,
        resumed_bytes,
        segments: total,
        duration_millis: output.report.duration_millis,
        gap_millis: output.report.gap_millis,
        notes: notes.into_iter().chain(more).collect(),
    })
}

/// What a format came to.
struct Made {
    bytes: u64,
    resumed_bytes: u64,
    notes: Vec<String>,
}

/// Gives one file its name, or leaves nothing of it.
async fn close(sink: Sink<'_>, made: Result<(u64, Option<Front>)>) -> Result<Made> {
    match made {
        Ok((bytes, front)) => {
            let resumed_bytes = sink.finish(front.as_ref()).await?;
            Ok(Made { bytes, resumed_bytes, notes: front.map(|front| front.notes).unwrap_or_default() })
        }
        Err(error) => {
            sink.give_up(&error).await;
            Err(error)
        }
    }
}

/// One file's target, ready for its first byte.
async fn open<'a>(output: &StitchedOutput, options: &ExportOptions, to: Target<'a>) -> Result<Sink<'a>> {
    let kind = match options.format {
        ExportFormat::Mp4 | ExportFormat::Hls => ObjectKind::Mp4Export,
        ExportFormat::TransportStream => ObjectKind::TsExport,
        ExportFormat::WebM => ObjectKind::WebmExport,
    };
    match to {
        Target::Stream(_) if options.format != ExportFormat::TransportStream => {
            let message = "the front of an MP4 or WebM file is written last: name a file, not a stream";
            Err(Error::new(ErrorKind::InvalidInput, message))
        }
        Target::Stream(to) => Ok(Sink::Stream(to)),
        Target::File(path) => {
            refuse_to_replace(options, &path.display().to_string(), path.exists())?;
            Sink::file(path)
        }
        Target::Object { store, key } => {
            if let Some(root) = store.local_root() {
                // A key that leads out of the store is none.
                store.path(&key)?;
                let path = root.join(&key);
                refuse_to_replace(options, &key, path.exists())?;
                return Sink::file(path);
            }
            refuse_to_replace(options, &key, store.head(&key).await?.is_some())?;
            let expected = output.plan.items.iter().filter_map(|item| size(output, item)).sum();
            let fingerprint = fingerprint(output, options);
            let object = PartedObject::begin(store, key, kind, fingerprint, expected).await?;
            Ok(Sink::Object(Box::new(object)))
        }
        Target::Folder { .. } => {
            let message = "a folder takes HLS alone: name a file that ends in .ts, .mp4 or .webm";
            Err(Error::new(ErrorKind::InvalidInput, message))
        }
    }
}

fn refuse_to_replace(options: &ExportOptions, name: &str, is_there: bool) -> Result<()> {
    if is_there && !options.replace {
        let message = format!("{name} is there already; --force replaces it");
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    Ok(())
}

async fn transport_stream(
    parts: &mut (impl Stream<Item = Result<Part>> + Unpin),
    sink: &mut Sink<'_>,
    step: &mut impl FnMut(),
) -> Result<(u64, Option<Front>)> {
    let mut joiner = TsJoiner::default();
    let mut bytes = 0;
    while let Some(part) = parts.next().await {
        let part = part?;
        let key = part.key.clone();
        let joined = joiner.part(part, |piece| sink.write(piece));
        bytes += joined.map_err(|error| match error {
            JoinError::NoStream => {
                let message =
                    format!("cannot export {key}: it is no transport stream with packets of 188 bytes; WebM is exported as .webm");
                Error::new(ErrorKind::Malformed, message)
            }
            JoinError::Write(error) => error,
        })?;
        sink.settle(0).await?;
        step();
    }
    Ok((bytes, None))
}

async fn mp4(
    output: &StitchedOutput,
    parts: &mut (impl Stream<Item = Result<Part>> + Unpin),
    sink: &mut Sink<'_>,
    step: &mut impl FnMut(),
) -> Result<(u64, Option<Front>)> {
    let millis = output.report.duration_millis.saturating_add_signed(output.report.gap_millis);
    let expected = MediaSpan::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
    let mut file = Mp4File::new(expected, begin(output));
    let mut bytes = 0;
    while let Some(part) = parts.next().await {
        let part = part?;
        let key = part.key.clone();
        let made = file.part(part, &mut |piece| sink.write(piece).map_err(Stopped::Write));
        bytes += made.map_err(|stopped| stopped.at(&key))?;
        sink.settle(file.front_len()).await?;
        step();
    }
    let finished = file.finish(&mut |piece| {
        bytes += piece.len() as u64;
        sink.write(piece).map_err(Stopped::Write)
    });
    let front = finished.map_err(|stopped| stopped.at(&output.base))?;
    Ok((bytes + front.tail.len() as u64, Some(front)))
}

async fn webm(
    output: &StitchedOutput,
    parts: &mut (impl Stream<Item = Result<Part>> + Unpin),
    sink: &mut Sink<'_>,
    step: &mut impl FnMut(),
) -> Result<(u64, Option<Front>)> {
    let mut joiner = WebmJoiner::new(begin(output));
    let mut bytes = 0;
    while let Some(part) = parts.next().await {
        let Part { key, bytes: body, continues, gap, length, .. } = part?;
        let file = JoinedFile { bytes: &body, continues, gap, length };
        let joined = joiner.file(&file, &mut |piece| sink.write(piece));
        bytes += joined.map_err(|error| match error {
            WebmJoinError::NoBlocks => {
                let message = format!("cannot export {key}: it is no WebM; export a .ts or .mp4 instead");
                Error::new(ErrorKind::Malformed, message)
            }
            WebmJoinError::OtherTracks => {
                let message = format!("cannot export {key}: its tracks are others than those before, and a WebM file has one set");
                Error::new(ErrorKind::Malformed, message)
            }
            WebmJoinError::Write(error) => error,
        })?;
        sink.settle(joiner.front_len()).await?;
        step();
    }
    let ends = joiner.finish(&mut |piece| {
        bytes += piece.len() as u64;
        sink.write(piece)
    })?;
    let front = Front { bytes: ends.front, tail: ends.tail, notes: Vec::new() };
    Ok((bytes + front.tail.len() as u64, Some(front)))
}

/// Why a file goes no further.
enum Stopped {
    Unfit(Mp4Error),
    Write(Error),
}

impl From<Mp4Error> for Stopped {
    fn from(error: Mp4Error) -> Self {
        Self::Unfit(error)
    }
}

impl Stopped {
    fn at(self, key: &str) -> Error {
        match self {
            Self::Unfit(error) => unfit(key, &error),
            Self::Write(error) => error,
        }
    }
}

/// What plays, in order, read a few segments ahead.
fn parts<'a>(
    store: &'a Store,
    output: &'a StitchedOutput,
    gap: GapTime,
) -> impl Stream<Item = Result<Part>> + 'a {
    let before = std::iter::once(None).chain(output.plan.items.iter().map(Some));
    let reads = before.zip(&output.plan.items).map(move |(before, item)| {
        let gap = match (gap, before) {
            (GapTime::Keep, Some(before)) => item.place.start.saturating_sub(before.end).max(0),
            _ => 0,
        };
        // A task of its own: it goes on while what came before is written.
        let read = tokio::spawn(read(store.clone(), output, item));
        async move {
            let (key, bytes) = read.await.map_err(|error| {
                Error::new(ErrorKind::Internal, "a segment's reader ended early").with_source(error)
            })??;
            let gap = MediaSpan::from_millis(gap);
            let length = MediaSpan::from_millis(item.end.saturating_sub(item.place.start));
            let (date, continues) = (date(output, item), !item.discontinuity);
            Ok::<_, Error>(Part { key, bytes, date, continues, length, gap })
        }
    });
    futures_util::stream::iter(reads).buffered(AHEAD)
}

fn date(output: &StitchedOutput, item: &Item) -> Option<WallTime> {
    output.plan.dated.then(|| WallTime::from_millis(item.place.start))
}

/// When the recording began.
fn begin(output: &StitchedOutput) -> Option<WallTime> {
    date(output, output.plan.items.first()?)
}

fn size(output: &StitchedOutput, item: &Item) -> Option<u64> {
    match &item.trimmed {
        Some(trimmed) => Some(trimmed.bytes),
        None => output.plan.turns.get(item.place.turn)?.pieces.get(item.place.piece)?.bytes,
    }
}

/// The key of what plays of an item.
fn key(output: &StitchedOutput, item: &Item) -> String {
    match &item.trimmed {
        Some(trimmed) => trimmed.key.clone(),
        None => output.plan.key((item.place.turn, item.place.piece)).to_owned(),
    }
}

/// The same for the same export: of the same segments, by the same program, with the same choices.
fn fingerprint(output: &StitchedOutput, options: &ExportOptions) -> String {
    let mut hash = RunningSha256::default();
    let how = format!("{} {:?} {:?}\n", env!("CARGO_PKG_VERSION"), options.format, options.gap);
    hash.update(how.as_bytes());
    for item in &output.plan.items {
        let (key, size) = (key(output, item), size(output, item));
        hash.update(
            format!("{key} {size:?} {} {} {}\n", item.discontinuity, item.place.start, item.end).as_bytes(),
        );
    }
    hash.current().to_string()
}

fn choose(mut outputs: Vec<StitchedOutput>, wanted: Option<&str>) -> Result<StitchedOutput> {
    if let Some(wanted) = wanted {
        outputs.retain(|output| output.base == wanted);
    }
    match outputs.len() {
        1 => outputs.pop().ok_or_else(|| Error::new(ErrorKind::Internal, "one output is none")),
        0 => {
            let message = format!("there is no output {}", wanted.unwrap_or_default());
            Err(Error::new(ErrorKind::NotFound, message))
        }
        _ => {
            let names: Vec<&str> = outputs.iter().map(|output| output.base.as_str()).collect();
            let message = format!("there are several outputs, choose one: {}", names.join(", "));
            Err(Error::new(ErrorKind::InvalidInput, message))
        }
    }
}

/// Reads what plays of an item: its key, and its bytes.
fn read(
    store: Store,
    output: &StitchedOutput,
    item: &Item,
) -> impl Future<Output = Result<(String, Bytes)>> + Send + use<> {
    let key = key(output, item);
    let rewritten = output.rewrites.iter().find(|rewrite| rewrite.key == key);
    let rewritten = rewritten.map(|rewrite| Bytes::from(rewrite.body.concat()));
    async move {
        let bytes = match rewritten {
            Some(bytes) => bytes,
            None if is_elsewhere(&key) => {
                let message = format!("{key} is not in {store}: only what is in the store can be exported");
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            None => store.get(&key, SEGMENT_LIMIT).await?,
        };
        Ok((key, bytes))
    }
}
