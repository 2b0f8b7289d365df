//! `tapeline list`: the recordings of a store, a line each.

use clap::Args;
use serde_json::{Value, json};

use super::place::Place;
use super::terminal::{print, tell};
use super::text::{Table, length};
use crate::continuity::Status;
use crate::error::{Error, Result};
use crate::ids::Sid;

/// List the recordings of a store, with their state
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub place: Place,
}

const COLUMNS: [&str; 8] = ["SID", "CNAME", "PHASE", "GENERATION", "SEGMENTS", "LENGTH", "END", "HOLDER"];

/// Lists them, those that cannot be read too; then the first of these is the error.
pub async fn run(arguments: Arguments) -> Result<()> {
    let (store, recordings) = arguments.place.open().await?;
    let found = match recordings {
        Some(recordings) => recordings.statuses().await?,
        None => Vec::new(),
    };
    if arguments.place.json {
        found.iter().map(|(sid, status)| object(sid, status)).for_each(print);
    } else if found.is_empty() {
        tell(format_args!("there are no recordings in {store}"));
    } else {
        let mut table = Table::new(COLUMNS);
        found.iter().for_each(|(sid, status)| table.row(cells(sid, status)));
        print(table);
    }
    found.into_iter().try_for_each(|(sid, status)| match status?.error() {
        Some(error) => Err(super::status::incomplete(&sid, error)),
        None => Ok(()),
    })
}

/// One recording as JSON. Of one that cannot be read there are its `sid` and the `error`.
fn object(sid: &Sid, status: &Result<Status>) -> Value {
    match status {
        Ok(status) => json!({
            "event": "recording",
            "sid": sid,
            "cname": status.cname,
            "prefix": status.prefix,
            "phase": status.phase,
            "epoch": status.epoch,
            "generation": status.generation,
            "holder": status.holder,
            "segments": status.total.segments,
            "bytes": status.total.bytes,
            "duration_millis": status.total.duration_millis,
            "end": status.total.end,
            "error": status.error(),
        }),
        Err(error) => json!({ "event": "recording", "sid": sid, "error": error.report() }),
    }
}

fn cells(sid: &Sid, status: &Result<Status>) -> Vec<String> {
    let mut cells = vec![sid.to_string()];
    match status {
        Ok(status) => cells.extend([
            status.cname.to_string(),
            status.phase.to_string(),
            status.generation.to_string(),
            status.total.segments.to_string(),
            length(status.total.duration_millis),
            status.total.end.map_or_else(|| "-".to_owned(), |end| end.to_string()),
            format!("process {} on {}", status.holder.pid, status.holder.host)
                + &status.error().map(|error| format!("; {error}")).unwrap_or_default(),
        ]),
        Err(error) => cells.push(Error::report(error)),
    }
    cells
}
