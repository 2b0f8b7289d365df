//! Stitching from end to end: reads the sources, has them planned, makes the cuts. Writes nothing.

use std::time::Duration;

use bytes::Bytes;

use super::dialect;
use super::location::{folder, inside, is_elsewhere, relative};
use super::multivariant::{self, Variant};
use super::options::StitchOptions;
use super::plan::Plan;
use super::recorded::Recorded;
use super::render::render;
use super::report::OutputReport;
use super::source::{SEGMENT_LIMIT, Source, Sources};
use super::stitched::{Rewrite, Stitched, StitchedOutput};
use super::stored::{self, Listing};
use super::timeline::{Draft, Trimmed, piece};
use super::trim::{Cut, CutAt, trim};
use super::{foreign, recorded, salvaged};
use crate::checksum::Sha256;
use crate::continuity::Recordings;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Generation, Sid};
use crate::media::Container;
use crate::naming::{STITCHED, split_container};
use crate::store::Store;
use crate::time::{MediaSpan, Pts33, WallTime};

/// Makes one playlist of each output of a recording. Nothing is written: see [`Stitched::store`].
///
/// ```
/// use tapeline::ids::RecordingId;
/// use tapeline::media::Container;
/// use tapeline::recorder::{Options, OutputSpec, Recorder};
/// use tapeline::stitch::{StitchOptions, stitch};
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
/// let stitched = stitch(&store, &id.sid, &StitchOptions::default()).await?;
/// let output = &stitched.outputs[0];
/// assert!(output.playlist.contains("#EXT-X-PLAYLIST-TYPE:VOD"));
/// assert!(output.report.is_seamless());
/// stitched.store(&store).await?;
/// assert!(store.exists("stitched_38f8e3cfdc474cd56fc1ceba380d7e1a_lobby.m3u8").await?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `NotFound` where there is no such recording, or nothing of it; `DataLoss` where segments are missing that must not
/// be; whatever reading gives.
pub async fn stitch(store: &Store, sid: &Sid, options: &StitchOptions) -> Result<Stitched> {
    let mut listing = Listing::default();
    let recordings = Recordings::open(store).await?;
    let known = match &recordings {
        Some(recordings) => match recorded::read(store, recordings, sid, options).await {
            Ok(read) => Some(read),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        },
        None => None,
    };
    let last = known.as_ref().map_or(Generation::LAST, |known| known.last);
    let mut sources = match known {
        Some(Recorded { mut sources, unsealed, .. }) => {
            if !unsealed.is_empty() {
                let names = listing.folder(store, &sources.folder.clone()).await?.clone();
                let outputs = dialect::outputs(&names);
                let front = format!("{sid}_");
                let wanted =
                    |base: &str, generation| base.starts_with(&front) && unsealed.contains(&generation);
                foreign::add(store, &outputs, &mut sources, wanted).await?;
            }
            sources
        }
        None if options.sealed_only => {
            let message = format!("there is no control object of {sid} in {store}, and so no seal");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        None => {
            let names = listing.folder(store, "").await?.clone();
            foreign::read(store, &names, sid.as_str(), options).await?
        }
    };
    if let Some(recordings) = recordings.as_ref().filter(|_| !options.sealed_only) {
        salvaged::add(recordings, sid, last, &mut sources).await?;
    }
    if !options.sealed_only {
        stored::check(store, &mut listing, &mut sources, options.missing).await?;
        stored::add_unlisted(store, &mut listing, &mut sources).await?;
    }
    assemble(store, sources, options).await
}

/// Makes one playlist of several, given by their keys; where two cover the same time, the later one in the list wins.
///
/// # Errors
/// As [`stitch`]; `Malformed` where one is no media playlist.
pub async fn stitch_playlists(store: &Store, keys: &[String], options: &StitchOptions) -> Result<Stitched> {
    let mut sources = foreign::by_name(store, keys).await?;
    stored::check(store, &mut Listing::default(), &mut sources, options.missing).await?;
    assemble(store, sources, options).await
}

async fn assemble(store: &Store, sources: Sources, options: &StitchOptions) -> Result<Stitched> {
    let Sources { folder, outputs, mut notes, .. } = sources;
    let mut stitched = Vec::new();
    for (base, source) in outputs {
        if source.turns.iter().flat_map(|turn| &turn.pieces).all(|piece| piece.gap.is_some()) {
            notes.push(format!("{base} has no segment"));
            continue;
        }
        stitched.push(output(store, &folder, base, source, options).await?);
    }
    if stitched.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no segment to stitch in {store}")));
    }
    let mut variants = Vec::new();
    for output in &stitched {
        let uri = match options.presign {
            Some(valid) => store.presign(&output.key, valid).await?,
            None => options.base.of(&relative(&output.key, &folder)),
        };
        variants.push(Variant { base: &output.base, uri, bandwidth: output.bandwidth() });
    }
    let multivariant = multivariant::render(&variants);
    let multivariant = multivariant.into_iter().map(|(name, text)| (inside(&folder, &name), text)).collect();
    Ok(Stitched { outputs: stitched, multivariant, notes })
}

async fn output(
    store: &Store,
    folder: &str,
    base: String,
    source: Source,
    options: &StitchOptions,
) -> Result<StitchedOutput> {
    let mut draft = Draft::new(&source.turns, options.rewrite);
    let rewrites = make_cuts(store, folder, &source, &mut draft).await?;
    let mut plan = Plan::new(source.turns, draft);
    if let Some(valid) = options.presign {
        presign(store, &mut plan, valid).await?;
    }
    let rendered = render(&plan, options.gap, &options.base);
    let key = inside(folder, &format!("{STITCHED}{base}.m3u8"));
    let report = OutputReport::new(key.clone(), &plan, &rendered);
    Ok(StitchedOutput { base, key, playlist: rendered.text, report, rewrites, plan })
}

/// Gives each segment that plays a URL for anyone.
async fn presign(store: &Store, plan: &mut Plan, valid: Duration) -> Result<()> {
    for item in &mut plan.items {
        let turn = plan.turns.get_mut(item.place.turn);
        let Some(piece) = turn.and_then(|turn| turn.pieces.get_mut(item.place.piece)) else { continue };
        match &mut item.trimmed {
            Some(trimmed) => trimmed.uri = store.presign(&trimmed.key, valid).await?,
            None if is_elsewhere(&piece.key) => {}
            None => piece.uri = store.presign(&piece.key, valid).await?,
        }
    }
    Ok(())
}

/// Trims what is to be trimmed.
async fn make_cuts(store: &Store, to: &str, source: &Source, draft: &mut Draft) -> Result<Vec<Rewrite>> {
    let wanted: Vec<_> =
        draft.cuts().filter_map(|(index, item)| Some((index, item.place, item.cut?))).collect();
    let (mut rewrites, mut empty) = (Vec::new(), Vec::new());
    for (index, place, span) in wanted {
        let Some(original) = piece(&source.turns, (place.turn, place.piece)) else { continue };
        if is_elsewhere(&original.key) {
            draft.keep_whole(index, "it is not in this store".to_owned());
            continue;
        }
        let Some((stem, container)) = split_container(&original.key) else {
            draft.keep_whole(index, "only MPEG-TS and WebM segments can be trimmed".to_owned());
            continue;
        };
        let Some(body) = store.find(&original.key, SEGMENT_LIMIT).await? else {
            draft.keep_whole(index, "it is not in the store".to_owned());
            continue;
        };
        let cut = match container {
            Container::WebM => trim_webm(&body, span),
            Container::MpegTs => {
                let stamp = original.media.map(|(start, _)| CutAt::Time(Pts33::from(start + span)));
                trim(&body, stamp.unwrap_or(CutAt::After(span))).map_err(|error| error.to_string())
            }
        };
        match cut {
            Ok(cut) if cut.kept == 0 => empty.push(index),
            Ok(cut) => {
                let name = stem.rsplit('/').next().unwrap_or(stem);
                let hash = hash(&cut.body);
                let name = format!("{STITCHED}{name}_{hash}.{}", container.extension());
                let key = inside(folder(&original.key), &name);
                let bytes = cut.body.iter().map(|piece| piece.len() as u64).sum();
                let trimmed = Trimmed {
                    key: key.clone(),
                    uri: relative(&key, to),
                    bytes,
                    pictures_lost: cut.pictures_lost,
                };
                draft.settle(index, trimmed);
                rewrites.push(Rewrite { key, body: cut.body });
            }
            Err(why) => draft.keep_whole(index, why),
        }
    }
    if !empty.is_empty() {
        draft.remove(&source.turns, &empty);
    }
    Ok(rewrites)
}

/// The same of WebM, whose times count from its own begin.
fn trim_webm(body: &Bytes, span: MediaSpan) -> std::result::Result<Cut, String> {
    let cut = crate::webm::trim(body, span).ok_or("it is no WebM that could be cut")?;
    Ok(Cut { body: vec![cut.body], kept: cut.kept, pictures_lost: cut.pictures_lost })
}

/// The first 8 hex digits of the hash of all pieces.
fn hash(body: &[Bytes]) -> String {
    let mut hash = crate::checksum::RunningSha256::default();
    body.iter().for_each(|piece| hash.update(piece));
    let hash: Sha256 = hash.current();
    hash.to_string().chars().take(8).collect()
}

/// A recording that could be stitched.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Stitchable {
    /// Its id and its channel, as names begin: `<sid>_<cname>`.
    pub recording: String,
    /// Outputs in all generations.
    pub outputs: usize,
    /// Generations, the first included.
    pub generations: usize,
    /// It has a control object, and so seals.
    pub sealed: bool,
    /// Date at which what is known of it ends; only where it has a control object.
    pub end: Option<WallTime>,
}

/// What could be stitched in a store: recordings with a control object, and those that playlists at the top tell of.
///
/// # Errors
/// Whatever reading and listing give.
pub async fn stitchable(store: &Store) -> Result<Vec<Stitchable>> {
    let mut found = Vec::new();
    if let Some(recordings) = Recordings::open(store).await? {
        for (_, status) in recordings.statuses().await? {
            let Ok(status) = status else { continue };
            let all = status.generations.iter().flat_map(|generation| &generation.outputs);
            let names = all.filter_map(|output| {
                let name = output.playlist.rsplit('/').next()?.strip_suffix(".m3u8")?;
                Some(dialect::generation(name).1.to_owned())
            });
            let outputs = names.collect::<std::collections::BTreeSet<_>>().len();
            found.push(Stitchable {
                recording: format!("{}_{}", status.sid, status.cname),
                outputs,
                generations: status.generations.len(),
                sealed: true,
                end: status.total.end,
            });
        }
    }
    let mut listing = Listing::default();
    for (base, series) in dialect::outputs(listing.folder(store, "").await?) {
        let recording = dialect::recording(&base);
        match found.iter_mut().find(|known| known.recording == recording) {
            Some(known) if known.sealed => {}
            Some(known) => {
                known.outputs += 1;
                known.generations = known.generations.max(series.turns.len());
            }
            None => found.push(Stitchable {
                recording: recording.to_owned(),
                outputs: 1,
                generations: series.turns.len(),
                sealed: false,
                end: None,
            }),
        }
    }
    Ok(found)
}
