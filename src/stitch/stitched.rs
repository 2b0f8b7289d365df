//! What stitching gives, and how it is written: trimmed segments first, then the playlists.
//!
//! A stitched playlist can be remade at any time, so it is replaced; but never by one that ends earlier, which a
//! second stitcher may have made of an older state. Where the store has conditional updates, the one that is replaced is
//! the one that was read.

use bytes::Bytes;
use serde::Serialize;

use super::plan::Plan;
use super::report::OutputReport;
use super::source::PLAYLIST_LIMIT;
use crate::continuity::{Form, StoreForm};
use crate::error::{Error, ErrorKind, Result};
use crate::media::Container;
use crate::naming::split_container;
use crate::playlist::parse;
use crate::store::{Condition, Conditional, Created, Lane, ObjectKind, Store};

/// How often a playlist that others write as well is looked at again.
const ATTEMPTS: usize = 8;

/// A stitched recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stitched {
    /// Each output.
    pub outputs: Vec<StitchedOutput>,
    /// Keys and texts of the lists that pair users' sound and pictures.
    pub multivariant: Vec<(String, String)>,
    /// What people should know.
    pub notes: Vec<String>,
}

/// A stitched output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StitchedOutput {
    /// The name of its original playlist without the extension.
    pub base: String,
    /// The stitched playlist's key.
    pub key: String,
    /// Its text.
    pub playlist: String,
    /// What it came to.
    pub report: OutputReport,
    /// Trimmed segments that it lists.
    pub rewrites: Vec<Rewrite>,
    /// Why it is as it is.
    pub plan: Plan,
}

impl StitchedOutput {
    fn lists_webm(&self) -> bool {
        let mut keys = self.plan.items.iter().map(|item| self.plan.key((item.place.turn, item.place.piece)));
        keys.any(|key| matches!(split_container(key), Some((_, Container::WebM))))
    }
}

/// A trimmed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// Its key.
    pub key: String,
    /// Its bytes, in order.
    pub body: Vec<Bytes>,
}

/// All that stitching tells of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Each output.
    pub outputs: Vec<OutputReport>,
    /// What people should know.
    pub notes: Vec<String>,
}

/// What became of a playlist that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Stored.
    Written,
    /// It was there already, to the byte.
    Unchanged,
    /// The one that is there ends later: somebody stitched a newer state. It was left alone.
    Newer,
}

impl Stitched {
    /// All that there is to tell.
    pub fn report(&self) -> Report {
        let outputs = self.outputs.iter().map(|output| output.report.clone()).collect();
        let webm = self.outputs.iter().filter(|output| output.lists_webm());
        let of_list = |output: &StitchedOutput| {
            format!("{} lists WebM, which no common player takes: it is an index for tools", output.key)
        };
        Report { outputs, notes: self.notes.iter().cloned().chain(webm.map(of_list)).collect() }
    }

    /// Stores it: segments, then playlists. Gives each playlist's key with what became of it.
    ///
    /// # Errors
    /// Whatever writing gives.
    pub async fn store(&self, store: &Store) -> Result<Vec<(String, Outcome)>> {
        for rewrite in self.outputs.iter().flat_map(|output| &output.rewrites) {
            // Equal names are equal bytes but for a chance of one in four billion, which is looked at.
            match store.put_new(&rewrite.key, rewrite.body.clone(), ObjectKind::TsSegment).await? {
                Created::Stored => {}
                Created::AlreadyThere => {
                    let message =
                        format!("{} in {store} is another object than the trimmed segment", rewrite.key);
                    return Err(Error::new(ErrorKind::Conflict, message));
                }
            }
        }
        let conditional = store.local_root().is_none() && has_conditions(store).await?;
        let mut done = Vec::new();
        for output in &self.outputs {
            done.push((output.key.clone(), write(store, &output.key, &output.playlist, conditional).await?));
        }
        for (key, text) in &self.multivariant {
            done.push((key.clone(), write(store, key, text, conditional).await?));
        }
        Ok(done)
    }
}

impl StitchedOutput {
    /// Bits a second of its heaviest segment; 0 where no size is known.
    pub(super) fn bandwidth(&self) -> u64 {
        let rates = self.plan.turns.iter().flat_map(|turn| &turn.pieces).filter_map(|piece| {
            let bits = piece.bytes?.saturating_mul(8);
            bits.saturating_mul(1000).checked_div(piece.millis)
        });
        rates.max().unwrap_or(0)
    }
}

/// Whether the store has conditional updates, as far as is known.
pub(super) async fn has_conditions(store: &Store) -> Result<bool> {
    match StoreForm::read(store).await {
        Ok(form) => Ok(form.is_none_or(|form| form.form == Form::Update)),
        // Nothing depends on it here but the safety of the write itself.
        Err(error) if error.kind() == ErrorKind::Malformed => Ok(true),
        Err(error) => Err(error),
    }
}

/// Stores one playlist, unless a newer one is there.
pub(super) async fn write(store: &Store, key: &str, text: &str, conditional: bool) -> Result<Outcome> {
    let body = || vec![Bytes::copy_from_slice(text.as_bytes())];
    for _ in 0..ATTEMPTS {
        let Some((found, version)) = store.get_versioned(Lane::Bulk, key, PLAYLIST_LIMIT).await? else {
            match store.put_new(key, body(), ObjectKind::Playlist).await? {
                Created::Stored => return Ok(Outcome::Written),
                Created::AlreadyThere => continue,
            }
        };
        if found == text.as_bytes() {
            return Ok(Outcome::Unchanged);
        }
        if found.starts_with(text.as_bytes()) || ends_later(&found, text) {
            return Ok(Outcome::Newer);
        }
        if !conditional {
            store.put(key, body(), ObjectKind::Playlist).await?;
            return Ok(Outcome::Written);
        }
        let put = store.put_if(Lane::Bulk, key, body(), ObjectKind::Playlist, Condition::Unchanged(version));
        match put.await? {
            Conditional::Done(_) => return Ok(Outcome::Written),
            // Looked at again: it may be ours.
            Conditional::Refused(_) | Conditional::Undecided(_) => {}
        }
    }
    let message = format!("{key} in {store} is written by somebody else all the time; try again");
    Err(Error::new(ErrorKind::Unavailable, message))
}

/// Whether the media that a stored playlist lists ends after that of `text`, by more than dates are worth.
fn ends_later(stored: &[u8], text: &str) -> bool {
    let end = |text: &[u8]| {
        let playlist = parse(text).ok()?;
        let last = playlist.segments.iter().rev().find(|segment| !segment.gap)?;
        Some(last.date?.millis().saturating_add_unsigned(last.duration_millis))
    };
    match (end(stored), end(text.as_bytes())) {
        (Some(stored), Some(ours)) => stored > ours.saturating_add(1000),
        _ => false,
    }
}
