//! `tapeline ctl`: what is asked of a node on this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::place;
use super::serve::default_socket;
use super::terminal::print;
use super::text::Table;
use crate::centre::{Question, Start, ask};
use crate::error::Result;
use crate::ids::{Cname, Sid};

/// Ask a node to start, stop or show recordings
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// Where the node listens
    #[arg(long, global = true, value_name = "PATH", default_value_os_t = default_socket())]
    socket: PathBuf,
    /// The node's answer as it is, in JSON
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Record a source until somebody stops it, whatever becomes of the nodes
    Start {
        /// udp://ADDR:PORT, tcp://ADDR:PORT, http(s)://URL, rtsp://URL, or a file: every node must be able to reach it
        source: String,
        /// Recording id; by default 32 random hex digits
        #[arg(long)]
        sid: Option<String>,
        /// Channel name
        #[arg(long, default_value = "main")]
        cname: String,
        /// Folders before every name in the store, joined by /
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
        /// A segment of at least this length ends at the next key frame
        #[arg(long, value_name = "TIME", default_value = "15s", value_parser = humantime::parse_duration)]
        segment: std::time::Duration,
    },
    /// Lay a recording's picture out in another way, where its source can
    Layout {
        /// Recording id
        sid: String,
        /// What the source is to be given, in JSON
        #[arg(value_parser = |text: &str| serde_json::from_str::<Value>(text))]
        layout: Value,
    },
    /// End a recording for good
    Stop {
        /// Recording id
        sid: String,
    },
    /// What a recording came to so far; not found while it is being started or recovered
    Query {
        /// Recording id
        sid: String,
    },
    /// All recordings that were asked for, and whether they record
    List,
    /// All nodes' workers, and whether they live
    Nodes,
}

/// Asks, and shows the answer.
pub async fn run(arguments: Arguments) -> Result<()> {
    let question = question(arguments.verb)?;
    let answer = ask(&arguments.socket, &question).await?;
    if arguments.json {
        print(answer);
        return Ok(());
    }
    match question {
        Question::Start(_) => print(format_args!("{} is asked for", text(&answer["sid"]))),
        Question::Layout { sid, .. } => print(format_args!("{sid} is to be laid out so")),
        Question::Stop { sid } => print(format_args!("{sid} is to end")),
        Question::Query { .. } => {
            print(serde_json::to_string_pretty(&answer).unwrap_or_else(|_| answer.to_string()));
        }
        Question::List => print(table(&answer["recordings"], &["sid", "state"])),
        Question::Nodes => {
            let columns = ["worker", "host", "pid", "standing", "alive", "recordings", "capacity"];
            print(table(&answer["nodes"], &columns));
        }
    }
    Ok(())
}

fn table(rows: &Value, columns: &[&str]) -> Table {
    let mut table = Table::new(columns.iter().map(|column| column.to_uppercase()));
    for row in rows.as_array().into_iter().flatten() {
        table.row(columns.iter().map(|column| text(&row[column])));
    }
    table
}

/// A value without the quotes of JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn question(verb: Verb) -> Result<Question> {
    Ok(match verb {
        Verb::Start { source, sid, cname, prefix, segment } => Question::Start(Start {
            sid: place::sid(sid.as_deref())?,
            cname: Cname::new(&cname)?,
            source,
            prefix: place::prefix(&prefix)?,
            segment_millis: u64::try_from(segment.as_millis()).ok(),
            client: None,
        }),
        Verb::Layout { sid, layout } => Question::Layout { sid: Sid::new(&sid)?, layout },
        Verb::Stop { sid } => Question::Stop { sid: Sid::new(&sid)? },
        Verb::Query { sid } => Question::Query { sid: Sid::new(&sid)? },
        Verb::List => Question::List,
        Verb::Nodes => Question::Nodes,
    })
}
