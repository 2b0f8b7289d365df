//! A segment between the slicer and the recording: sealed, being stored, stored, or given up; not committed yet.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;

use super::driver::{Body, SealedFile};
use crate::checksum::Crc64;
use crate::continuity::TailEntry;
use crate::naming::{NameKind, ObjectName};
use crate::slicer::SealedSegment;
use crate::spool::{Fact, GapCause, SpoolFile};

/// A segment that is not committed.
pub(super) struct Waiting {
    /// The name it has in the store, or is to have.
    pub name: ObjectName,
    pub facts: SealedSegment,
    compat: Vec<String>,
    /// When it was complete, on the recording's clock.
    pub since: Duration,
    pub file: Arc<SpoolFile>,
    /// Why it was given up, where it was.
    pub gap: Option<GapCause>,
    crc64: Crc64,
    stored: bool,
    /// Its bytes are in the spool.
    spooled: bool,
    /// Held until it is stored: an input that can wait is not to run further ahead of the store.
    permit: Option<OwnedSemaphorePermit>,
    upload: Option<AbortHandle>,
}

impl Waiting {
    pub fn new(sealed: SealedFile, since: Duration) -> Self {
        let SealedFile { name, facts, compat, body } = sealed;
        let (file, crc64, permit, gap) = match body {
            Body::File { file, crc64, permit } => (file, crc64, permit, None),
            Body::Gap { file, cause } => (file, Crc64::default(), None, Some(cause)),
        };
        let spooled = gap.is_none();
        Self { name, facts, compat, since, file, gap, crc64, stored: false, spooled, permit, upload: None }
    }

    /// Its upload has begun.
    pub fn under_way(&mut self, upload: AbortHandle) {
        self.upload = Some(upload);
    }

    /// It is in the store, under this name.
    pub fn stored(&mut self, name: ObjectName) {
        (self.name, self.stored, self.upload, self.permit) = (name, true, None, None);
    }

    /// Whether its bytes in the spool are only a copy of what is in the store.
    pub fn is_copy(&self) -> bool {
        self.stored && self.spooled
    }

    /// Removes that copy.
    pub async fn free(&mut self) {
        self.spooled = false;
        self.file.drop_bytes(Fact::Stored(self.name.to_string())).await;
    }

    /// Makes a gap of it. Its upload is called off, and may still have been carried out: then an object lies there
    /// that no playlist lists.
    pub async fn give_up(&mut self, cause: GapCause) {
        if let Some(upload) = self.upload.take() {
            upload.abort();
        }
        (self.gap, self.spooled) = (Some(cause), false);
        self.file.drop_bytes(Fact::Dropped(cause)).await;
    }

    /// As the control object has it; `None` of what is no segment.
    pub fn entry(&self) -> Option<TailEntry> {
        let NameKind::Segment { start: utc, .. } = self.name.kind else { return None };
        let opened = self.facts.opened;
        let (bytes, crc64) =
            if self.gap.is_some() { (0, Crc64::default()) } else { (self.facts.bytes, self.crc64) };
        Some(TailEntry {
            utc,
            start: opened.start,
            clock: opened.clock,
            date: opened.date,
            millis: self.facts.duration_millis,
            bytes,
            crc64,
            discontinuity: opened.discontinuity,
            gap: self.gap.is_some(),
            cause: self.gap,
            without_key: !opened.starts_with_key,
            compat: self.compat.clone(),
            unknown: Map::new(),
        })
    }
}
