//! A regular file, read where it is sliced.
//!
//! Reading happens on the thread that asks, so that the bytes are still in that processor's cache when the
//! slicer looks at them, while the one before is being written by another thread. Reading ahead on a third
//! thread was measured to be slower: bytes travelled between processors once more, and threads waited for
//! each other. A file that grows is read to the end that it has when the reader gets there.

use std::fs::{File, Metadata};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::open::cannot_read;
use super::pipe::fill;
use super::pool::Pool;
use crate::error::Result;
use crate::time::WallTime;

/// Bytes read at once: about 512 KiB in whole TS packets, so that no packet of an intact file lies across
/// two chunks.
const CHUNK: usize = 188 * 2788;
/// Idle buffers kept. The consumer holds some chunks while it parses; more would only be memory.
const KEEP: usize = 4;

/// Reads a file.
#[derive(Debug)]
pub(super) struct FileReader {
    file: File,
    pool: Arc<Pool>,
    modified: Option<WallTime>,
    size: u64,
}

impl FileReader {
    pub fn new(file: File, metadata: &Metadata) -> Self {
        let since_epoch = metadata.modified().ok().and_then(|date| date.duration_since(UNIX_EPOCH).ok());
        let millis = since_epoch.and_then(|since| i64::try_from(since.as_millis()).ok());
        Self {
            file,
            pool: Pool::new(CHUNK, KEEP),
            modified: millis.map(WallTime::from_millis),
            size: metadata.len(),
        }
    }

    pub fn modified(&self) -> Option<WallTime> {
        self.modified
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next chunk. Waits for the disk without yielding; other tasks go on on other threads.
    pub fn next(&mut self, name: &str) -> Result<Option<Bytes>> {
        let mut filled = self.pool.take();
        let mut read = || fill(&mut self.file, &mut filled, true);
        let outcome = match Handle::try_current().map(|handle| handle.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(read),
            _ => read(),
        };
        // What was read before an error is worth keeping; the next read meets the error again.
        match outcome {
            Err(error) if filled.len() == 0 => Err(cannot_read(name, error)),
            _ => Ok((filled.len() > 0).then(|| filled.into_bytes())),
        }
    }
}
