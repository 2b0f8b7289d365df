//! `tapeline status`: one recording, with all of its generations.

use clap::Args;

use super::place::RecordingPlace;
use super::terminal::print;
use super::text::{OUTPUT_COLUMNS, Table, gaps, holder, length, output_cells, size};
use crate::continuity::{Join, Status};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Sid;

/// Show the state of a recording, its generations, and the gaps so far
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub recording: RecordingPlace,
}

/// Shows it, as far as it can be read.
pub async fn run(arguments: Arguments) -> Result<()> {
    let (store, recordings, sid) = arguments.recording.open().await?;
    let status = recordings.status(&sid).await?;
    if arguments.recording.place.json {
        let mut value = serde_json::to_value(&status).unwrap_or_default();
        value["event"] = "status".into();
        print(value);
    } else {
        show(&status, &store.to_string());
    }
    status.error().map_or(Ok(()), |error| Err(incomplete(&sid, error)))
}

/// The error of a status that lacks what a seal should tell.
pub fn incomplete(sid: &Sid, error: &str) -> Error {
    Error::new(ErrorKind::Malformed, format!("the status of {sid} is incomplete: {error}"))
}

fn show(status: &Status, store: &str) {
    let Status { sid, cname, phase, epoch, generation, total, .. } = status;
    let mut head = Table::default();
    head.row(["recording", &format!("{sid}_{cname} in {store}")]);
    head.row(["phase", &format!("{phase}, generation {generation}, epoch {epoch}")]);
    for turn in &status.generations {
        let said = match (&turn.holder, &turn.error) {
            (_, Some(error)) => error.clone(),
            (Some(name), None) => holder(name),
            (None, None) => continue,
        };
        let is = if turn.seal.is_some() { "sealed" } else { "open" };
        head.row([format!("generation {}", turn.generation), format!("{is}; {said}")]);
    }
    print(head);
    if total.segments > 0 {
        let mut table = Table::new(["GENERATION"].into_iter().chain(OUTPUT_COLUMNS));
        for turn in &status.generations {
            for output in &turn.outputs {
                table.row([turn.generation.to_string()].into_iter().chain(output_cells(output)));
            }
        }
        let date =
            |date: Option<crate::time::WallTime>| date.map(|date| date.to_string()).unwrap_or_default();
        table.row([
            "all".to_owned(),
            String::new(),
            total.segments.to_string(),
            length(total.duration_millis),
            size(total.bytes),
            gaps(total.gaps, total.gap_millis),
            total.tail.to_string(),
            date(total.begin),
            date(total.end),
        ]);
        print(format_args!("\n{table}"));
    }
    if !status.joins.is_empty() {
        print("");
        status.joins.iter().map(join).for_each(print);
    }
}

fn join(join: &Join) -> String {
    let Join { from, to, playlist, end, begin, gap_millis, overlap_millis } = join;
    let what = match (gap_millis, overlap_millis) {
        (0, 0) => "no gap".to_owned(),
        (0, overlap) => format!("overlap of {}", length(*overlap)),
        (gap, _) => format!("gap of {}", length(*gap)),
    };
    format!("{what} between generations {from} and {to} ({playlist}): {end} to {begin}")
}
