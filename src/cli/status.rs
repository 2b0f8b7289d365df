//! `tapeline status`: one recording, with all of its generations.

use clap::Args;

use super::place::RecordingPlace;
use super::terminal::print;
use super::text::{OUTPUT_COLUMNS, Table, gaps, holder, length, output_cells, size};
use crate::continuity::{Account, Join, Salvaged, Status};
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
    let outputs =
        || status.generations.iter().flat_map(|turn| turn.outputs.iter().map(move |output| (turn, output)));
    if outputs().next().is_some() {
        let mut table = Table::new(["GENERATION"].into_iter().chain(OUTPUT_COLUMNS).chain(["SALVAGED"]));
        for (turn, output) in outputs() {
            let of = output.salvaged;
            let cells = [turn.generation.to_string()].into_iter().chain(output_cells(output));
            table.row(cells.chain([gaps(of.segments, of.duration_millis)]));
        }
        let date =
            |date: Option<crate::time::WallTime>| date.map(|date| date.to_string()).unwrap_or_default();
        let sum = outputs().fold(Salvaged::default(), |sum, (_, output)| sum.plus(output.salvaged));
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
            gaps(sum.segments, sum.duration_millis),
        ]);
        print(format_args!("\n{table}"));
    }
    if !status.joins.is_empty() || !status.accounts.is_empty() {
        print("");
        status.joins.iter().map(join).chain(status.accounts.iter().map(account)).for_each(print);
    }
}

/// What became of every second of an output.
fn account(account: &Account) -> String {
    let Account { output, begin, end, committed_millis, salvaged_millis, absent_millis, doubled_millis } =
        account;
    let all = u64::try_from(end.since(*begin).millis()).unwrap_or(0);
    let salvaged = (*salvaged_millis > 0).then(|| format!("{} salvaged", length(*salvaged_millis)));
    let absent = absent_millis
        .iter()
        .map(|(cause, millis)| format!("{} missing ({})", length(*millis), cause.as_str()));
    let doubled =
        (*doubled_millis > 0).then(|| format!("less {} that is there twice", length(*doubled_millis)));
    let parts =
        [format!("{} committed", length(*committed_millis))].into_iter().chain(salvaged).chain(absent);
    let parts: Vec<String> = parts.chain(doubled).collect();
    format!("{output}: {} are {}", length(all), parts.join(", "))
}

fn join(join: &Join) -> String {
    let Join { from, to, playlist, end, begin, gap_millis, salvaged_millis, overlap_millis } = join;
    let (what, first, last) = match (gap_millis, overlap_millis) {
        (0, 0) => ("no gap".to_owned(), end, begin),
        (0, overlap) => (format!("overlap of {}", length(*overlap)), begin, end),
        (gap, _) => (format!("gap of {}", length(*gap)), end, begin),
    };
    let salvaged = match salvaged_millis {
        0 => String::new(),
        millis => format!("; {} of that were salvaged", length(*millis)),
    };
    format!("{what} between generations {from} and {to} ({playlist}): {first} to {last}{salvaged}")
}
