//! What dead workers left in the base of the spool, salvaged beside a recording that has begun.
//!
//! It gives way to the recording: a segment of theirs goes only while the store serves and none of the recording's own is
//! being stored.

use std::sync::Arc;

use tokio::sync::broadcast;
use tracing::warn;

use super::event::Event;
use super::options::Options;
use crate::error::Result;
use crate::salvage::{Destination, News, Others, SalvageOptions};
use crate::upload::{Driver, Trouble};

/// Begins with it.
pub(super) fn salvage(
    destination: Destination,
    options: &Options,
    seed: u64,
    driver: &Driver,
    trouble: &Arc<Trouble>,
    events: broadcast::Sender<Event>,
) -> Result<Others> {
    let base = options.spool.base(&destination.store)?;
    let (standing, trouble) = (driver.watch(), Arc::clone(trouble));
    let salvage_options = SalvageOptions {
        clock: options.clock.clone(),
        seed,
        patience: None,
        on_retry: Arc::new(|_, _, _| {}),
        may_go: Arc::new(move || trouble.since().is_none() && standing.borrow().under_way == 0),
    };
    let room = options.worker_room.clone();
    Ok(Others::start(base, destination, salvage_options, move |news| {
        let event = match news {
            News::Salvaged(salvage) => {
                room.iter().for_each(|room| room.give_back(salvage.freed));
                for file in &salvage.left {
                    warn!(folder = salvage.folder, file = file.name, why = file.why, "left in the spool");
                }
                let (Some(record), bytes) = (&salvage.record, salvage.bytes()) else { return };
                Event::Salvaged {
                    sid: record.sid.to_string(),
                    generation: record.generation.get(),
                    segments: record.segments.len() as u64,
                    bytes,
                    duration_millis: salvage.millis(),
                }
            }
            News::Failed { folder, error } => {
                warn!(folder, error = %error.report(), "not salvaged");
                Event::SalvageFailed { folder, kind: error.kind().as_str(), error: error.report() }
            }
        };
        // Nobody may be listening.
        let _ = events.send(event);
    }))
}
