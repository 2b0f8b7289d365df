//! The requests of an upload: each repeats itself until the store takes it or refuses it for good.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tracing::debug;

use super::driver::{DriverOptions, Notice};
use crate::error::{Error, ErrorKind, Result};
use crate::media::Container;
use crate::naming::{NameKind, ObjectName, key};
use crate::store::{Backoff, Created, ObjectKind, Store};

/// How often a segment's name may be taken before something is wrong.
const MAX_NAMES: usize = 1000;

/// What every request needs.
#[derive(Clone)]
pub(super) struct Context {
    pub store: Store,
    pub options: DriverOptions,
    pub notices: Arc<dyn Fn(Notice) + Send + Sync>,
}

impl Context {
    /// Stores a segment under its name, or under the next millisecond that is free.
    ///
    /// `proven`: the store has taken segments before, so that a refusal is an outage, not a mistake.
    pub async fn store_segment(&self, mut name: ObjectName, file: &Path, proven: bool) -> Result<ObjectName> {
        for _ in 0..MAX_NAMES {
            let (key, kind) = (key(&self.options.prefix, &name), object_kind(&name));
            let created = self.insist(&key, proven, || self.store.put_file_new(&key, file, kind)).await?;
            match (created, &mut name.kind) {
                (Created::AlreadyThere, NameKind::Segment { start, .. }) => *start = start.next_milli(),
                _ => return Ok(name),
            }
        }
        let message =
            format!("cannot store {name}: the next {MAX_NAMES} names are taken; choose another --sid");
        Err(Error::new(ErrorKind::Conflict, message))
    }

    pub async fn publish(&self, key: String, text: Vec<Bytes>, created: bool) -> Result<()> {
        if created {
            return self
                .insist(&key, true, || self.store.put(&key, text.clone(), ObjectKind::Playlist))
                .await
                .map(drop);
        }
        let put = || self.store.put_new(&key, text.clone(), ObjectKind::Playlist);
        match self.insist(&key, true, put).await? {
            Created::Stored => Ok(()),
            Created::AlreadyThere => {
                let message = format!(
                    "{key} in {} belongs to another recorder; record under another --sid",
                    self.store
                );
                Err(Error::new(ErrorKind::Conflict, message))
            }
        }
    }

    /// Repeats a request until the store takes it or refuses it for good.
    async fn insist<T, F: Future<Output = Result<T>>>(
        &self,
        key: &str,
        proven: bool,
        request: impl Fn() -> F,
    ) -> Result<T> {
        let mut backoff = Backoff::new(self.options.seed);
        loop {
            let error = match request().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let passing = match error.kind() {
                ErrorKind::Unavailable => true,
                ErrorKind::InvalidInput => proven,
                _ => false,
            };
            if !passing {
                return Err(error);
            }
            let pause = backoff.next_delay();
            debug!(error = %error.report(), ?pause, "trying again");
            (self.notices)(Notice::Retrying { key: key.to_owned(), error: error.report(), pause });
            self.options.clock.sleep(pause).await;
        }
    }
}

fn object_kind(name: &ObjectName) -> ObjectKind {
    match name.kind {
        NameKind::Playlist => ObjectKind::Playlist,
        NameKind::Segment { container: Container::MpegTs, .. } => ObjectKind::TsSegment,
        NameKind::Segment { container: Container::WebM, .. } => ObjectKind::WebmSegment,
    }
}
