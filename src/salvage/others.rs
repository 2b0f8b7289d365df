//! What other workers left in a base, salvaged in the background of one that records: one folder after the other, for the
//! same store only.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::{AbortHandle, JoinHandle};
use tracing::{Instrument, info_span, warn};

use super::driver::{Destination, SalvageOptions, salvage};
use super::outcome::Salvage;
use crate::clock::SharedClock;
use crate::error::Error;
use crate::spool::{Left, LeftFolder, SpoolBase};

/// What happened to a folder.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "told once for each folder")]
pub enum News {
    /// It was salvaged.
    Salvaged(Salvage),
    /// It was not, and is left as it is.
    Failed {
        /// Its name.
        folder: String,
        /// Why.
        error: Error,
    },
}

/// The handle on the task. Dropping it ends the task, and the folder's lock is given back.
#[derive(Debug)]
pub struct Others {
    task: Mutex<Option<JoinHandle<()>>>,
    abort: AbortHandle,
    clock: SharedClock,
}

impl Others {
    /// Begins with the folders that lie in `base` now. `tell` gets what happens.
    pub fn start(
        base: SpoolBase,
        destination: Destination,
        options: SalvageOptions,
        tell: impl Fn(News) + Send + Sync + 'static,
    ) -> Self {
        let clock = options.clock.clone();
        let work = async move {
            let names = match base.folders().await {
                Ok(names) => names,
                Err(error) => return warn!(error = %error.report(), "the spool cannot be searched"),
            };
            for name in names {
                if let Some(news) = one(&base, &name, &destination, &options).await {
                    tell(news);
                }
            }
        };
        let task = tokio::spawn(work.instrument(info_span!("salvage")));
        Self { abort: task.abort_handle(), task: Mutex::new(Some(task)), clock }
    }

    /// Waits for its end for so long, and then ends it.
    pub async fn finish(&self, patience: Duration) {
        let Some(mut task) = self.task.lock().await.take() else { return };
        let ended = tokio::select! {
            biased;
            _ = &mut task => true,
            () = self.clock.sleep(patience) => false,
        };
        if !ended {
            task.abort();
            // Whoever waits can rely on the folder's lock being given back.
            let _ = task.await;
        }
    }

    /// Ends it at once.
    pub fn abort(&self) {
        self.abort.abort();
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        self.abort();
    }
}

/// `None` for a folder that is not ours to touch.
async fn one(
    base: &SpoolBase,
    name: &str,
    destination: &Destination,
    options: &SalvageOptions,
) -> Option<News> {
    let failed = |error| News::Failed { folder: name.to_owned(), error };
    let folder = match LeftFolder::open(base, name).await {
        Ok(Left::Open(folder)) => folder,
        Ok(Left::Held(_) | Left::Gone) => return None,
        Err(error) => return Some(failed(error)),
    };
    // Of what does not say where it belongs, or is another store's, somebody has to decide.
    if !folder.worker().is_ok_and(|worker| worker.store == destination.store.to_string()) {
        return None;
    }
    let done = salvage(folder, destination, options).await;
    // Of a recorder that left no segment too: what else it left may have taken room.
    Some(done.map_or_else(failed, News::Salvaged))
}
