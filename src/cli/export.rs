//! `tapeline export`: the whole recording as one file.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::place::{Missing, Named, Subject};
use super::terminal::{bar, print, progress, tell};
use super::text::{length, size};
use crate::error::{Error, ErrorKind, Result};
use crate::export::{ExportOptions, Exported, GapTime, export, export_playlists};
use crate::stitch::Progress;
use crate::store::Store;

/// Write a whole recording as one transport stream
///
/// Nothing is encoded: time stamps and counters run on over the joins.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub subject: Subject,
    /// Which output, by its first playlist's name without .m3u8, where there are several
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// The file, whose name ends in .ts, or - for standard output. It has its name once it is whole; before that .part is behind it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// What becomes of time that nothing covers: it is left out, or kept in the time stamps
    #[arg(long, value_name = "WHAT", default_value = "collapse")]
    gap: Gap,
    /// What to do about segments that are listed, and not in the store: take them for gaps, or fail
    #[arg(long, value_name = "WHAT", default_value = "gap")]
    missing: Missing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Gap {
    Collapse,
    Keep,
}

/// Exports, and tells.
pub async fn run(arguments: Arguments) -> Result<()> {
    let store = arguments.subject.place.store()?;
    let to_standard = arguments.out == Path::new("-");
    if !to_standard {
        check_name(&arguments.out)?;
    }
    if !to_standard && !arguments.force && arguments.out.exists() {
        let message = format!("{} is there already; --force replaces it", arguments.out.display());
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    let bar = bar(true);
    let progress = progress(&bar);
    let exported = if to_standard {
        write(&arguments, &store, &mut std::io::stdout(), &progress).await
    } else {
        let part = part_of(&arguments.out);
        let written = into_file(&arguments, &store, &part, &progress).await;
        if written.is_err() {
            // What is there of it is of no use; that it cannot be removed says nothing new.
            let _ = fs::remove_file(&part);
        }
        written
    };
    bar.finish_and_clear();
    show(&arguments, &exported?, to_standard);
    Ok(())
}

async fn into_file(
    arguments: &Arguments,
    store: &Store,
    part: &Path,
    progress: Progress<'_>,
) -> Result<Exported> {
    let mut file = File::create(part).map_err(|error| unwritable(part, error))?;
    let exported = write(arguments, store, &mut file, progress).await?;
    file.sync_all().map_err(|error| unwritable(part, error))?;
    fs::rename(part, &arguments.out).map_err(|error| unwritable(&arguments.out, error))?;
    Ok(exported)
}

async fn write(
    arguments: &Arguments,
    store: &Store,
    to: &mut (dyn Write + Send),
    progress: Progress<'_>,
) -> Result<Exported> {
    let options = ExportOptions {
        cname: arguments.subject.cname()?,
        output: arguments.output.clone(),
        gap: if arguments.gap == Gap::Keep { GapTime::Keep } else { GapTime::Collapse },
        missing: arguments.missing.into(),
    };
    match arguments.subject.required()? {
        Named::Recording(sid) => export(store, &sid, &options, to, progress).await,
        Named::Playlists(keys) => export_playlists(store, keys, &options, to, progress).await,
    }
}

fn check_name(out: &Path) -> Result<()> {
    if out.extension().is_some_and(|extension| extension == "ts") {
        return Ok(());
    }
    let message = format!(
        "{} does not end in .ts, and a transport stream is what can be exported; \
         ffmpeg -i FILE.ts -c copy makes other containers of it",
        out.display()
    );
    Err(Error::new(ErrorKind::InvalidInput, message))
}

fn part_of(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull => ErrorKind::Unavailable,
        _ => ErrorKind::InvalidInput,
    };
    Error::new(kind, format!("cannot write {}", path.display())).with_source(error)
}

fn show(arguments: &Arguments, exported: &Exported, to_standard: bool) {
    let Exported { output, bytes, segments, duration_millis, gap_millis, notes } = exported;
    if arguments.subject.place.json && !to_standard {
        print(json!({
            "event": "exported",
            "output": output,
            "file": arguments.out,
            "bytes": bytes,
            "segments": segments,
            "duration_millis": duration_millis,
            "gap_millis": gap_millis,
            "notes": notes,
        }));
        return;
    }
    notes.iter().for_each(|note| tell(format_args!("note: {note}")));
    let missing = u64::try_from(*gap_millis).unwrap_or(0);
    let gaps = if missing == 0 { "no gap".to_owned() } else { format!("{} missing", length(missing)) };
    let said =
        format!("{output}: {segments} segments, {}, {}, {gaps}", length(*duration_millis), size(*bytes));
    // Standard output has the media.
    if to_standard { tell(said) } else { print(said) }
}
