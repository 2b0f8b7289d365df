//! Reads the segments of a stitched output in order, a few ahead, and writes what comes of them.

use std::io::Write;

use bytes::Bytes;
use futures_util::StreamExt;

use super::part::Part;
use super::ts::{JoinError, TsJoiner};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Cname, Sid};
use crate::stitch::{
    Item, MissingMode, Progress, SEGMENT_LIMIT, StitchOptions, Stitched, StitchedOutput, is_elsewhere,
    stitch, stitch_playlists,
};
use crate::store::Store;
use crate::time::MediaSpan;

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

/// What to export, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// The channel, where several have a recording of one id.
    pub cname: Option<Cname>,
    /// The name of the output's original playlist, without its extension, where there are several.
    pub output: Option<String>,
    /// Time that nothing covers.
    pub gap: GapTime,
    /// What to do about segments that are not in the store.
    pub missing: MissingMode,
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The output.
    pub output: String,
    /// Bytes written.
    pub bytes: u64,
    /// Segments.
    pub segments: usize,
    /// Length of all segments, in milliseconds.
    pub duration_millis: u64,
    /// Time that nothing covers, in milliseconds.
    pub gap_millis: i64,
    /// What people should know.
    pub notes: Vec<String>,
}

/// Writes a recording as one transport stream.
///
/// ```
/// use tapeline::export::{ExportOptions, export};
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
/// let mut file = Vec::new();
/// let exported = export(&store, &id.sid, &ExportOptions::default(), &mut file, &|_, _| {}).await?;
/// assert_eq!(exported.bytes, file.len() as u64);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `NotFound` where there is no such recording; `InvalidInput` where several outputs are there and none is named;
/// `DataLoss` where segments are missing that must not be; `Malformed` for segments that are no transport stream; whatever
/// reading and writing give. What was written so far is a whole stream then.
pub async fn export(
    store: &Store,
    sid: &Sid,
    options: &ExportOptions,
    to: &mut (dyn Write + Send),
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
    to: &mut (dyn Write + Send),
    progress: Progress<'_>,
) -> Result<Exported> {
    let wanted = StitchOptions { missing: options.missing, ..StitchOptions::default() };
    write(store, stitch_playlists(store, keys, &wanted).await?, options, to, progress).await
}

async fn write(
    store: &Store,
    stitched: Stitched,
    options: &ExportOptions,
    to: &mut (dyn Write + Send),
    progress: Progress<'_>,
) -> Result<Exported> {
    let Stitched { outputs, notes, .. } = stitched;
    let output = choose(outputs, options.output.as_deref())?;
    let mut exported = Exported {
        output: output.base.clone(),
        bytes: 0,
        segments: 0,
        duration_millis: output.report.duration_millis,
        gap_millis: output.report.gap_millis,
        notes,
    };
    let total = output.plan.items.len();
    let before = std::iter::once(None).chain(output.plan.items.iter().map(Some));
    let reads = before.zip(&output.plan.items).map(|(before, item)| {
        let gap = match (options.gap, before) {
            (GapTime::Keep, Some(before)) => item.place.start.saturating_sub(before.end).max(0),
            _ => 0,
        };
        // A task of its own: it goes on while what came before is written.
        let read = tokio::spawn(read(store.clone(), &output, item));
        async move {
            let (key, bytes) = read.await.map_err(|error| {
                Error::new(ErrorKind::Internal, "a segment's reader ended early").with_source(error)
            })??;
            let gap = MediaSpan::from_millis(gap);
            Ok::<_, Error>(Part { key, bytes, continues: !item.discontinuity, gap })
        }
    });
    let mut parts = futures_util::stream::iter(reads).buffered(AHEAD);
    let mut joiner = TsJoiner::default();
    while let Some(part) = parts.next().await {
        let part = part?;
        let key = part.key.clone();
        let joined = joiner.part(part, |piece| to.write_all(piece));
        exported.bytes += joined.map_err(|error| match error {
            JoinError::NoStream => {
                let message =
                    format!("cannot export {key}: it is no transport stream with packets of 188 bytes");
                Error::new(ErrorKind::Malformed, message)
            }
            JoinError::Write(error) => unwritable(exported.bytes)(error),
        })?;
        exported.segments += 1;
        progress(exported.segments, total);
    }
    to.flush().map_err(unwritable(exported.bytes))?;
    Ok(exported)
}

/// Why no more was written than so many bytes.
fn unwritable(bytes: u64) -> impl Fn(std::io::Error) -> Error {
    move |error| {
        let what = format!("cannot write the export, behind {bytes} bytes");
        Error::new(ErrorKind::Unavailable, what).with_source(error)
    }
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
    let key = match &item.trimmed {
        Some(trimmed) => trimmed.key.clone(),
        None => output.plan.key((item.place.turn, item.place.piece)).to_owned(),
    };
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
