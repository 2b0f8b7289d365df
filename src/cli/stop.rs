//! `tapeline stop`: the end of a recording whose worker is gone.

use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::place::RecordingPlace;
use super::terminal::{print, tell_retry};
use super::text::{OUTPUT_COLUMNS, Table, output_cells};
use crate::clock::{SystemChance, SystemClock, random_bytes};
use crate::continuity::{GenerationStatus, Holder, HolderOptions, probe};
use crate::error::Result;

/// Stop a recording whose worker is gone, for good
#[derive(Debug, Args)]
#[command(after_help = "A worker that still runs is fenced by this: it finds out at its next call and ends \
                        with exit code 7. To end it whole, send it SIGTERM instead.")]
pub struct Arguments {
    #[command(flatten)]
    pub recording: RecordingPlace,
}

/// Stops it, and says what is sealed.
pub async fn run(arguments: Arguments) -> Result<()> {
    let (store, recordings, sid) = arguments.recording.open().await?;
    let clock = SystemClock::shared();
    // Who writes makes sure of the store first.
    probe::prepare(&store, &clock, random_bytes()?).await?;
    let options = HolderOptions {
        clock,
        chance: Arc::new(SystemChance),
        on_retry: Arc::new(tell_retry),
        lease: None,
        uid: None,
    };
    let state = Holder::stop_for_another(recordings.register(&sid), options).await?;
    let sealed = GenerationStatus::current(&state);
    if arguments.recording.place.json {
        print(json!({
            "event": "stopped",
            "sid": sid,
            "cname": state.cname,
            "phase": state.phase,
            "epoch": state.epoch,
            "sealed": sealed,
        }));
        return Ok(());
    }
    let id = state.id();
    print(format_args!("{id} in {store} is stopped; generation {} is sealed", sealed.generation));
    if sealed.outputs.is_empty() {
        print("nothing was committed in it");
        return Ok(());
    }
    let mut table = Table::new(OUTPUT_COLUMNS);
    sealed.outputs.iter().for_each(|output| table.row(output_cells(output)));
    print(table);
    Ok(())
}
