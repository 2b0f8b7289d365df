//! What is on its way to a store, a few at once.

use tokio::task::{JoinError, JoinSet};

use crate::error::{Error, ErrorKind, Result};

/// Under way at once.
const AT_ONCE: usize = 3;

/// Uploads under way. They are called off when this is dropped.
#[derive(Debug)]
pub(super) struct Uploads<T>(JoinSet<Result<T>>);

impl<T> Default for Uploads<T> {
    fn default() -> Self {
        Self(JoinSet::new())
    }
}

impl<T: Send + 'static> Uploads<T> {
    /// What came of one that has ended, or has to before another one may begin; `None` where one may.
    pub async fn room(&mut self) -> Option<Result<T>> {
        match self.0.try_join_next() {
            Some(ended) => Some(ended.map_err(died).flatten()),
            None if self.0.len() < AT_ONCE => None,
            None => self.next().await,
        }
    }

    /// Begins one.
    pub fn begin(&mut self, upload: impl Future<Output = Result<T>> + Send + 'static) {
        self.0.spawn(upload);
    }

    /// What came of the next that ends; `None` where none is under way.
    pub async fn next(&mut self) -> Option<Result<T>> {
        Some(self.0.join_next().await?.map_err(died).flatten())
    }
}

fn died(error: JoinError) -> Error {
    Error::new(ErrorKind::Internal, "an upload ended early").with_source(error)
}
