//! What a listing tells: which listed segments are missing, how large the others are, and which stored ones nothing
//! tells of (a worker died between storing and committing them). The latter are read to learn when they are.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt};

use super::dialect::{self, Names};
use super::location::{folder, inside, is_elsewhere};
use super::options::MissingMode;
use super::piece::{GapReason, Origin, Piece, Standing, Turn};
use super::source::{SEGMENT_LIMIT, Sources};
use super::span::{Span, span};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Generation;
use crate::naming::{STITCHED, encode_uri, split_container};
use crate::store::Store;
use crate::time::{MediaSpan, WallTime};

/// Segments read at once.
const READS: usize = 4;
/// A segment whose stamps are so near to where its name says belongs to its neighbour's clock.
const SAME_CLOCK: MediaSpan = MediaSpan::from_secs(1);

/// The names in each folder that was listed.
#[derive(Debug, Default)]
pub(super) struct Listing {
    folders: BTreeMap<String, Names>,
}

impl Listing {
    /// Lists a folder, once.
    ///
    /// # Errors
    /// Whatever listing gives.
    pub async fn folder(&mut self, store: &Store, folder: &str) -> Result<&Names> {
        if !self.folders.contains_key(folder) {
            let listed = store.list_folder(folder).await?;
            let name = |key: &str| key.rsplit('/').next().unwrap_or(key).to_owned();
            let names = listed.objects.iter().map(|object| (name(&object.key), object.size)).collect();
            self.folders.insert(folder.to_owned(), names);
        }
        Ok(self.folders.entry(folder.to_owned()).or_default())
    }

    fn size(&self, key: &str) -> Option<u64> {
        self.folders.get(folder(key))?.get(key.rsplit('/').next()?).copied()
    }
}

/// Looks at each segment in the listing: those that are not there become gaps.
///
/// # Errors
/// `DataLoss` where none may be missing; whatever listing gives.
pub(super) async fn check(
    store: &Store,
    listing: &mut Listing,
    sources: &mut Sources,
    mode: MissingMode,
) -> Result<()> {
    let pieces = || sources.outputs.values().flat_map(|source| &source.turns).flat_map(|turn| &turn.pieces);
    let folders: BTreeSet<String> = pieces()
        .filter(|piece| !is_elsewhere(&piece.key))
        .map(|piece| folder(&piece.key).to_owned())
        .collect();
    for folder in folders {
        listing.folder(store, &folder).await?;
    }
    let mut missing: Vec<String> = Vec::new();
    let all = sources.outputs.values_mut().flat_map(|source| &mut source.turns);
    for piece in all.flat_map(|turn| &mut turn.pieces).filter(|piece| piece.gap.is_none()) {
        match listing.size(&piece.key) {
            Some(size) => piece.bytes = Some(size),
            None if is_elsewhere(&piece.key) => {}
            None => {
                piece.gap = Some(GapReason::Missing);
                missing.push(piece.key.clone());
            }
        }
    }
    match missing.first().filter(|_| mode == MissingMode::Fail) {
        Some(first) => {
            let count = missing.len();
            let message = format!("{count} listed segments are not in {store}, the first is {first}");
            Err(Error::new(ErrorKind::DataLoss, message))
        }
        None => Ok(()),
    }
}

/// A stored segment that nothing tells of.
struct Found {
    base: String,
    generation: Generation,
    key: String,
    name: String,
    date: WallTime,
    bytes: u64,
}

/// Adds what lies in the recording's folder, and nothing tells of.
///
/// # Errors
/// Whatever reading gives.
pub(super) async fn add_unlisted(store: &Store, listing: &mut Listing, sources: &mut Sources) -> Result<()> {
    let home = sources.folder.clone();
    let names = listing.folder(store, &home).await?;
    let pieces = sources.outputs.values().flat_map(|source| &source.turns).flat_map(|turn| &turn.pieces);
    let known: BTreeSet<&str> = pieces.map(|piece| piece.key.as_str()).collect();
    let mut found = Vec::new();
    for (name, bytes) in names {
        let key = inside(&home, name);
        if split_container(name).is_none() || name.starts_with(STITCHED) || known.contains(key.as_str()) {
            continue;
        }
        let (generation, rest) = dialect::generation(name);
        let Some((base, date)) = dialect::dated(rest) else { continue };
        if sources.outputs.contains_key(base) && sources.scanned.contains(&generation) {
            let (base, name, bytes) = (base.to_owned(), name.clone(), *bytes);
            found.push(Found { base, generation, key, name, date, bytes });
        }
    }
    let read = found.into_iter().map(|found| async move {
        // Unless somebody removed it meanwhile.
        let body = store.find(&found.key, SEGMENT_LIMIT).await?;
        Ok::<_, Error>(body.map(|body| (span(&found.name, &body), found)))
    });
    let read: Vec<_> = futures_util::stream::iter(read).buffered(READS).try_collect().await?;
    for (times, found) in read.into_iter().flatten() {
        let Some(times) = times else {
            sources.notes.push(format!("{} is listed nowhere, and holds nothing that could play", found.key));
            continue;
        };
        let Some(source) = sources.outputs.get_mut(&found.base) else { continue };
        let place = source.turns.partition_point(|turn| turn.generation < Some(found.generation));
        let there = source.turns.get(place).is_some_and(|turn| turn.generation == Some(found.generation));
        if !there {
            source.turns.insert(place, turn_without_list(&found, &home));
        }
        if let Some(turn) = source.turns.get_mut(place) {
            let piece = filler(&found, times, &turn.pieces);
            turn.pieces.push(piece);
        }
    }
    Ok(())
}

/// A turn whose playlist was never published.
fn turn_without_list(found: &Found, home: &str) -> Turn {
    let stem = found.name.rsplit_once('_').map_or("", |(stem, _)| stem);
    Turn {
        generation: Some(found.generation),
        playlist: inside(home, &format!("{stem}.m3u8")),
        standing: Standing::Unsealed,
        target_duration: 0,
        independent: false,
        pieces: Vec::new(),
    }
}

fn filler(found: &Found, times: Span, pieces: &[Piece]) -> Piece {
    let near = pieces.iter().filter_map(|piece| Some((piece.media?, piece.date?)));
    let near = near.min_by_key(|(_, date)| date.since(found.date).abs());
    let media = near.and_then(|((start, clock), date)| {
        let expected = start + found.date.since(date);
        let own = times.first?.unwrap_near(expected);
        ((own - expected).abs() <= SAME_CLOCK).then_some((own, clock))
    });
    Piece {
        key: found.key.clone(),
        uri: encode_uri(&found.name),
        media,
        date: Some(found.date),
        millis: u64::try_from(times.length.millis()).unwrap_or(0),
        bytes: Some(found.bytes),
        crc64: None,
        discontinuity: true,
        gap: None,
        origin: Origin::Unlisted,
        tags: Vec::new(),
    }
}
