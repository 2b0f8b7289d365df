//! The command line: a file per verb.

#[cfg(feature = "api")]
mod api;
mod ctl;
mod doctor;
mod exit;
mod export;
mod guard;
mod inspect;
mod list;
mod place;
mod progress;
mod record;
mod salvage;
mod serve;
mod signals;
mod status;
mod stitch;
mod stop;
mod terminal;
mod text;
mod verify;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::error::{Error, ErrorKind, Result};
use exit::code;

/// Records live media into segments and HLS playlists, locally or in object storage.
#[derive(Debug, Parser)]
#[command(name = "tapeline", version, about, after_help = exit::HELP)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Record(record::Arguments),
    List(list::Arguments),
    Status(status::Arguments),
    Stop(stop::Arguments),
    Stitch(stitch::Arguments),
    Inspect(inspect::Arguments),
    Verify(verify::Arguments),
    Export(export::Arguments),
    Salvage(salvage::Arguments),
    Doctor(doctor::Arguments),
    Serve(serve::Arguments),
    Ctl(ctl::Arguments),
}

impl Verb {
    /// Whether it speaks JSON, and what came of it.
    fn run(self, runtime: &tokio::runtime::Runtime) -> (bool, Result<ExitCode>) {
        let (json, done) = match self {
            Self::Record(arguments) => (arguments.json, runtime.block_on(record::run(arguments))),
            Self::List(arguments) => (arguments.place.json, runtime.block_on(list::run(arguments))),
            Self::Status(arguments) => {
                (arguments.recording.place.json, runtime.block_on(status::run(arguments)))
            }
            Self::Stop(arguments) => (arguments.recording.place.json, runtime.block_on(stop::run(arguments))),
            Self::Stitch(arguments) => {
                (arguments.subject.place.json, runtime.block_on(stitch::run(arguments)))
            }
            Self::Verify(arguments) => {
                return (arguments.subject.place.json, runtime.block_on(verify::run(arguments)));
            }
            Self::Export(arguments) => {
                (arguments.subject.place.json, runtime.block_on(export::run(arguments)))
            }
            Self::Inspect(arguments) => (arguments.json, inspect::run(&arguments)),
            Self::Salvage(arguments) => (arguments.json, runtime.block_on(salvage::run(arguments))),
            Self::Doctor(arguments) => (arguments.place.json, runtime.block_on(doctor::run(arguments))),
            Self::Serve(arguments) => (false, runtime.block_on(serve::run(arguments))),
            Self::Ctl(arguments) => (arguments.json, runtime.block_on(ctl::run(arguments))),
        };
        (json, done.map(|()| ExitCode::SUCCESS))
    }
}

/// Reads the arguments, runs the verb, and gives the program's exit code.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("TAPELINE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::tell(format_args!("error: cannot start: {error}"));
            return code(ErrorKind::Internal);
        }
    };
    let (json, outcome) = arguments.verb.run(&runtime);
    // A reader that hangs in a device must not keep the program from ending.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => {
            report(&error, json);
            code(error.kind())
        }
    }
}

fn report(error: &Error, json: bool) {
    let message = error.report();
    if json {
        let kind = error.kind().as_str();
        terminal::print(serde_json::json!({ "event": "error", "kind": kind, "message": message }));
    }
    terminal::tell(format_args!("error: {message}"));
}
