//! Reads what is to be verified: documents, playlists, segments. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::StreamExt;

use super::documents::Promises;
use super::entries;
use super::finding::{Check, Findings};
use super::sample::{Depth, choose};
use super::segment::{Read, judge, judge_pair};
use crate::continuity::Recordings;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Cname, Sid};
use crate::naming::split_container;
use crate::playlist::{check, parse};
use crate::stitch::{
    GapReason, OutputReport, PLAYLIST_LIMIT, Piece, PieceId, Plan, Progress, SEGMENT_LIMIT, Standing,
    StitchOptions, Stitched, StitchedOutput, folder, inside, is_elsewhere, stitch, stitch_playlists,
};
use crate::store::Store;

/// Segments read at once: each may have 50 MB.
const READS: usize = 2;

/// What to verify, and how thoroughly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyOptions {
    /// The channel, where several have a recording of one id.
    pub cname: Option<Cname>,
    /// Which segments are read.
    pub depth: Depth,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What was found.
    pub findings: Findings,
    /// Playlists, one for each output and generation.
    pub playlists: usize,
    /// Segments that should be in the store, and are looked for in its listing.
    pub segments: usize,
    /// Of them, those whose bytes were read.
    pub read: usize,
}

/// Verifies a recording.
///
/// # Errors
/// `NotFound` where there is none; `InvalidInput` where several channels have one of that id; whatever reading gives.
/// What is missing or damaged is no error, but a finding.
pub async fn verify(
    store: &Store,
    sid: &Sid,
    options: &VerifyOptions,
    progress: Progress<'_>,
) -> Result<Verified> {
    let mut run = Run::new(store, options.depth);
    let mut exists = false;
    if let Some(recordings) = Recordings::open(store).await? {
        match recordings.read(sid).await {
            Ok(state) => {
                exists = true;
                run.documents(&recordings, sid, &state).await?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::Malformed => {
                exists = true;
                run.findings.add(Check::ControlUnreadable, sid.as_str(), error.report());
            }
            Err(error) => return Err(error),
        }
    }
    if !exists {
        run.findings.add(
            Check::Unsealed,
            sid.as_str(),
            "no control object tells of it: names and playlists do",
        );
    }
    let wanted = StitchOptions { cname: options.cname.clone(), ..StitchOptions::default() };
    match stitch(store, sid, &wanted).await {
        Ok(stitched) => run.outputs(&stitched, progress).await,
        Err(error) if exists && is_damage(&error) => {
            run.findings.add(Check::Unstitchable, sid.as_str(), error.report());
            Ok(run.concluded())
        }
        Err(error) => Err(error),
    }
}

/// Verifies playlists given by their keys, in the order of their turns.
///
/// # Errors
/// As [`verify`]; `Malformed` where one is no media playlist.
pub async fn verify_playlists(
    store: &Store,
    keys: &[String],
    options: &VerifyOptions,
    progress: Progress<'_>,
) -> Result<Verified> {
    let run = Run::new(store, options.depth);
    let stitched = stitch_playlists(store, keys, &StitchOptions::default()).await?;
    run.outputs(&stitched, progress).await
}

/// What is there is wrong, and reading it again would change nothing.
fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Malformed)
}

pub(super) struct Run<'a> {
    pub store: &'a Store,
    pub findings: Findings,
    pub promises: Promises,
    depth: Depth,
    /// The names in each folder that holds stitched playlists.
    folders: BTreeMap<String, BTreeSet<String>>,
    playlists: usize,
    segments: usize,
    read: usize,
}

impl<'a> Run<'a> {
    fn new(store: &'a Store, depth: Depth) -> Self {
        Self {
            store,
            findings: Findings::default(),
            promises: Promises::default(),
            depth,
            folders: BTreeMap::new(),
            playlists: 0,
            segments: 0,
            read: 0,
        }
    }

    fn concluded(self) -> Verified {
        let Self { findings, playlists, segments, read, .. } = self;
        Verified { findings, playlists, segments, read }
    }

    /// Judges a playlist's text by itself.
    pub fn rules(&mut self, list: &str, text: &[u8]) {
        check(text).iter().for_each(|finding| self.findings.add_rule(list, finding));
    }

    async fn outputs(mut self, stitched: &Stitched, progress: Progress<'_>) -> Result<Verified> {
        let chosen: Vec<_> = stitched.outputs.iter().map(|output| choose(&output.plan, self.depth)).collect();
        let total = chosen.iter().map(BTreeSet::len).sum();
        for (output, chosen) in stitched.outputs.iter().zip(chosen) {
            self.entries(output).await?;
            self.totals(&output.plan);
            self.timeline(&output.report);
            self.media(&output.plan, chosen.into_iter().collect(), total, progress).await?;
            self.stitched(output).await?;
        }
        Ok(self.concluded())
    }

    async fn entries(&mut self, output: &StitchedOutput) -> Result<()> {
        for turn in &output.plan.turns {
            self.playlists += 1;
            let own = turn.standing != Standing::Unsealed;
            // There is none where only segments are left of a turn.
            if !own && let Some(text) = self.store.find(&turn.playlist, PLAYLIST_LIMIT).await? {
                self.rules(&turn.playlist, &text);
            }
            let name = turn.playlist.rsplit('/').next().unwrap_or_default();
            let base = name.strip_suffix(".m3u8").filter(|_| own);
            entries::judge(turn, base, &mut self.findings);
            for piece in turn.pieces.iter().filter(|piece| piece.gap.is_none()) {
                self.segments += 1;
                self.size(piece);
            }
        }
        Ok(())
    }

    fn size(&mut self, piece: &Piece) {
        let Some(bytes) = piece.bytes else { return };
        if bytes == 0 {
            return self.findings.add(Check::SegmentEmpty, &piece.key, "nothing was stored of it");
        }
        if let Some((promised, _)) = self.promises.segments.get(&piece.key)
            && *promised != bytes
        {
            let message = format!("{bytes} bytes, and {promised} were committed");
            self.findings.add(Check::SegmentSize, &piece.key, message);
        }
    }

    /// Sizes of segments are committed one by one only while they are in a tail; their sum always is.
    fn totals(&mut self, plan: &Plan) {
        for turn in &plan.turns {
            let Some((count, promised)) = self.promises.totals.get(&turn.playlist) else { continue };
            let committed = || turn.pieces.iter().filter(|piece| !piece.origin.is_filler());
            // Where entries are lacking, so are their segments here.
            if committed().count() as u64 != *count {
                continue;
            }
            let stored = committed().filter(|piece| piece.gap.is_none_or(|gap| gap == GapReason::Missing));
            let sizes: Option<u64> = stored.map(|piece| piece.bytes.filter(|_| piece.gap.is_none())).sum();
            if let Some(stored) = sizes.filter(|stored| stored != promised) {
                let message = format!("its segments have {stored} bytes, and {promised} were committed");
                self.findings.add(Check::TotalSize, &turn.playlist, message);
            }
        }
    }

    fn timeline(&mut self, report: &OutputReport) {
        for gap in &report.gaps {
            let message =
                format!("{} ms from {} to {}: {}", gap.millis, gap.begin, gap.end, gap.reason.as_str());
            self.findings.add(Check::Gap, &report.playlist, message);
        }
        for overlap in &report.overlaps {
            let (older, newer) = (&overlap.older, &overlap.newer);
            let message = format!(
                "{} ms from {} to {} are in {older} and in {newer}",
                overlap.millis, overlap.begin, overlap.end
            );
            self.findings.add(Check::Overlap, &report.playlist, message);
        }
    }

    async fn media(
        &mut self,
        plan: &Plan,
        chosen: Vec<PieceId>,
        total: usize,
        progress: Progress<'_>,
    ) -> Result<()> {
        let store = self.store;
        let of = |id: PieceId| plan.turns.get(id.0).and_then(|turn| turn.pieces.get(id.1));
        let reads = chosen.into_iter().filter_map(|id| Some((id, of(id)?))).map(|(id, piece)| async move {
            if is_elsewhere(&piece.key) || split_container(&piece.key).is_none() {
                return (id, piece, None);
            }
            (id, piece, Some(store.find(&piece.key, SEGMENT_LIMIT).await))
        });
        let mut reads = futures_util::stream::iter(reads).buffered(READS);
        let mut before: Option<(PieceId, Read)> = None;
        while let Some((id, piece, body)) = reads.next().await {
            let body: Bytes = match body.transpose()? {
                Some(Some(body)) => body,
                Some(None) => {
                    self.findings.add(Check::SegmentMissing, &piece.key, "it is gone since it was listed");
                    continue;
                }
                None => {
                    let message = "only MPEG-TS and WebM in this store are looked into";
                    self.findings.add(Check::Unchecked, &piece.key, message);
                    continue;
                }
            };
            self.read += 1;
            progress(self.read, total);
            let read = Read::of(&piece.key, &body);
            let Some(turn) = plan.turns.get(id.0) else { continue };
            let last = id.1.checked_sub(1).and_then(|index| turn.pieces.get(index));
            let committed = self.promises.segments.get(&piece.key).map(|(_, crc64)| *crc64);
            judge(turn, piece, last, committed, &read, &mut self.findings);
            let next_to = |before: &PieceId| (before.0, before.1 + 1) == id && !piece.origin.is_filler();
            if let Some((_, read_before)) = before.filter(|(before, _)| next_to(before))
                && let Some(last) = last
            {
                judge_pair((last, &read_before), (piece, &read), &mut self.findings);
            }
            before = Some((id, read));
        }
        Ok(())
    }

    /// A stitched playlist that somebody stored.
    async fn stitched(&mut self, output: &StitchedOutput) -> Result<()> {
        let Some(text) = self.store.find(&output.key, PLAYLIST_LIMIT).await? else { return Ok(()) };
        self.rules(&output.key, &text);
        if text != output.playlist.as_bytes() {
            let message = "it is not what stitching makes now: stitch again if the recording went on since";
            self.findings.add(Check::StitchedStale, &output.key, message);
        }
        let Ok(playlist) = parse(&text) else { return Ok(()) };
        let home = folder(&output.key).to_owned();
        let pieces = output.plan.turns.iter().flat_map(|turn| &turn.pieces);
        let turns: BTreeSet<&str> = pieces.map(|piece| piece.key.as_str()).collect();
        self.list_folder(&home).await?;
        for segment in playlist.segments.iter().filter(|segment| !segment.gap && !is_elsewhere(&segment.uri))
        {
            let name = crate::naming::decode_uri(&segment.uri).unwrap_or_else(|| segment.uri.clone());
            let stored = self.folders.get(&home).is_some_and(|names| names.contains(&name));
            // Segments of the turns, and those in other folders, are judged where they are listed first.
            let key = inside(&home, &name);
            if !stored && !name.contains('/') && !turns.contains(key.as_str()) {
                let message = format!("{} lists it, and it is not in the store", output.key);
                self.findings.add(Check::StitchedMissing, &key, message);
            }
        }
        Ok(())
    }

    async fn list_folder(&mut self, folder: &str) -> Result<()> {
        if !self.folders.contains_key(folder) {
            let listed = self.store.list_folder(folder).await?;
            let name = |key: &str| key.rsplit('/').next().unwrap_or(key).to_owned();
            let names = listed.objects.iter().map(|object| name(&object.key)).collect();
            self.folders.insert(folder.to_owned(), names);
        }
        Ok(())
    }
}
