//! What every request of an upload shares, and the storing of segments: each request repeats itself until
//! the store takes it or refuses it for good.

use std::sync::Arc;

use tracing::debug;

use super::driver::{DriverOptions, Notice};
use crate::checksum::Crc64;
use crate::error::{Error, ErrorKind, Result};
use crate::media::Container;
use crate::naming::{NameKind, ObjectName, key};
use crate::spool::SpoolFile;
use crate::store::{Backoff, Created, ObjectKind, Store};

/// How often a segment's name may be taken before something is wrong.
const MAX_NAMES: usize = 1000;

/// What every request needs.
#[derive(Clone)]
pub(super) struct Context {
    pub store: Store,
    pub options: Arc<DriverOptions>,
    pub notices: Arc<dyn Fn(Notice) + Send + Sync>,
}

impl Context {
    /// Stores a segment under its name, or under the next millisecond that is free.
    ///
    /// `proven`: the store has taken segments before, so that a refusal is an outage, not a mistake.
    pub async fn store_segment(
        &self,
        mut name: ObjectName,
        file: &SpoolFile,
        bytes: u64,
        proven: bool,
    ) -> Result<ObjectName> {
        for _ in 0..MAX_NAMES {
            let key = key(&self.options.prefix, &name);
            match (self.create(&key, object_kind(&name), file, bytes, proven).await?, &mut name.kind) {
                (Created::AlreadyThere, NameKind::Segment { start, .. }) => *start = start.next_milli(),
                _ => return Ok(name),
            }
        }
        let message =
            format!("cannot store {name}: the next {MAX_NAMES} names are taken; choose another --sid");
        Err(Error::new(ErrorKind::Conflict, message))
    }

    async fn create(
        &self,
        key: &str,
        kind: ObjectKind,
        file: &SpoolFile,
        bytes: u64,
        proven: bool,
    ) -> Result<Created> {
        // Of its own for each segment: with the same pauses they would all come back at once.
        let mut backoff = Backoff::new(self.options.seed ^ u64::from(Crc64::of(key.as_bytes())));
        loop {
            let created = match file.path() {
                Some(path) => self.store.put_file_new(key, &path, kind).await,
                None => self.store.put_new(key, file.read(bytes).await?, kind).await,
            };
            let error = match created {
                Ok(created) => return Ok(created),
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
            self.pause(key, &error, &mut backoff).await;
        }
    }

    /// Waits before a request is repeated.
    pub async fn pause(&self, key: &str, error: &Error, backoff: &mut Backoff) {
        let pause = backoff.next_delay();
        debug!(error = %error.report(), ?pause, "trying again");
        self.options.trouble.met(self.options.clock.monotonic(), error.report());
        (self.notices)(Notice::Retrying { key: key.to_owned(), error: error.report(), pause });
        self.options.clock.sleep(pause).await;
    }
}

fn object_kind(name: &ObjectName) -> ObjectKind {
    match name.kind {
        NameKind::Playlist => ObjectKind::Playlist,
        NameKind::Segment { container: Container::MpegTs, .. } => ObjectKind::TsSegment,
        NameKind::Segment { container: Container::WebM, .. } => ObjectKind::WebmSegment,
    }
}
