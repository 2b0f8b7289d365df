//! What every request of an upload shares, and the storing of segments: each request repeats itself until
//! the store takes it or refuses it for good.

use std::sync::Arc;

use tracing::debug;

use super::driver::{DriverOptions, Notice};
use super::names::{all_taken, names};
use crate::checksum::Crc64;
use crate::error::{Error, ErrorKind, Result};
use crate::naming::{ObjectName, key};
use crate::spool::SpoolFile;
use crate::store::{Backoff, Created, ObjectKind, Store};

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
        name: ObjectName,
        file: &SpoolFile,
        bytes: u64,
        proven: bool,
    ) -> Result<ObjectName> {
        for name in names(&name) {
            let key = key(&self.options.prefix, &name);
            if self.create(&key, ObjectKind::of(&name), file, bytes, proven).await? == Created::Stored {
                return Ok(name);
            }
        }
        Err(all_taken(&name))
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
