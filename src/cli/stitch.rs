//! `tapeline stitch`: one playlist out of all generations of a recording.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::place::{Missing, Named, Subject};
use super::terminal::{print, tell};
use super::text::{Table, length};
use crate::clock::SystemClock;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Sid;
use crate::stitch::{
    Followed, GapMode, Outcome, Report, StitchOptions, Stitched, UriBase, follow, picture, stitch,
    stitch_playlists, stitchable,
};
use crate::store::Store;

/// Between two looks at a recording that is followed: segments come every few seconds.
const LOOK: Duration = Duration::from_secs(1);

/// Make one playlist of all generations of a recording, and tell what is missing
///
/// Without --sid and --playlist it lists what could be stitched.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub subject: Subject,
    /// Write the playlist to a file, or - for standard output, and nothing to the store; no segment is trimmed then. With
    /// several outputs it is a folder. URIs stay relative to the recording's folder
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What stands in the playlist for time that nothing covers: nothing, or EXT-X-GAP where players can stand it
    #[arg(long, value_name = "WHAT", default_value = "collapse")]
    gap: Gap,
    /// Do not trim segments whose end another generation has: they play whole
    #[arg(long)]
    no_rewrite: bool,
    /// Only what is sealed: the same at any time, whatever lies in the store beside it
    #[arg(long, requires = "sid")]
    sealed_only: bool,
    /// What to do about segments that are listed, and not in the store: take them for gaps, or fail
    #[arg(long, value_name = "WHAT", default_value = "gap")]
    missing: Missing,
    /// What to write before each URI, as https://cdn.example.com/recordings
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Give each segment a URL that anyone may read from for so long, as 24h, where the bucket is not public
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, conflicts_with = "base_url")]
    presign: Option<Duration>,
    /// While the recording runs, keep the stitched playlist up to date: one address that plays over failovers. Nothing is
    /// trimmed, and what is listed stays
    #[arg(long, requires = "sid", conflicts_with_all = ["out", "sealed_only", "presign", "report", "picture"])]
    follow: bool,
    /// Write the report to a file, or - for standard output; JSON where the name ends in .json, or with --json
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Draw generations, segments, joins, gaps and overlaps into an SVG file; with several outputs, one file each, with the
    /// output's name before the extension
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Gap {
    Collapse,
    Tag,
}

/// Stitches, writes, reports.
pub async fn run(arguments: Arguments) -> Result<()> {
    let store = arguments.subject.place.store()?;
    let Some(named) = arguments.subject.named()? else {
        return list(&store, arguments.subject.place.json).await;
    };
    let options = options(&arguments)?;
    let stitched = match named {
        Named::Recording(sid) if arguments.follow => {
            return keep_up(&store, &sid, &options, arguments.subject.place.json).await;
        }
        Named::Recording(sid) => stitch(&store, &sid, &options).await?,
        Named::Playlists(keys) => stitch_playlists(&store, keys, &options).await?,
    };
    let written = match &arguments.out {
        Some(out) => {
            write_out(out, &stitched)?;
            Vec::new()
        }
        None => stitched.store(&store).await?,
    };
    if let Some(path) = &arguments.picture {
        draw(path, &stitched)?;
    }
    show(&arguments, &stitched, &written)
}

/// Follows until the recording has ended.
async fn keep_up(store: &Store, sid: &Sid, options: &StitchOptions, as_json: bool) -> Result<()> {
    let tell_of = |followed: &Followed| {
        let Followed { key, outcome, ended } = followed;
        if as_json {
            print(json!({ "event": "followed", "playlist": key, "outcome": outcome, "ended": ended }));
        } else if *ended {
            print(format_args!("{key} has its end"));
        } else if *outcome == Outcome::Written {
            print(format_args!("{key} is up to date"));
        }
    };
    follow(store, sid, options, &SystemClock::shared(), LOOK, tell_of).await
}

fn draw(path: &Path, stitched: &Stitched) -> Result<()> {
    for output in &stitched.outputs {
        let file = if stitched.outputs.len() == 1 {
            path.to_owned()
        } else {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!("{stem}-{}.svg", output.base))
        };
        write_file(&file, &picture(&output.plan, &output.key))?;
    }
    Ok(())
}

fn options(arguments: &Arguments) -> Result<StitchOptions> {
    Ok(StitchOptions {
        cname: arguments.subject.cname()?,
        gap: if arguments.gap == Gap::Tag { GapMode::Tag } else { GapMode::Collapse },
        // A trimmed segment would have to be stored.
        rewrite: !arguments.no_rewrite && arguments.out.is_none(),
        sealed_only: arguments.sealed_only,
        missing: arguments.missing.into(),
        base: UriBase::new(arguments.base_url.clone()),
        presign: arguments.presign,
    })
}

/// Lists what could be stitched.
async fn list(store: &Store, as_json: bool) -> Result<()> {
    let found = stitchable(store).await?;
    if as_json {
        for recording in &found {
            let mut value = serde_json::to_value(recording).unwrap_or_default();
            value["event"] = "stitchable".into();
            print(value);
        }
        return Ok(());
    }
    if found.is_empty() {
        tell(format_args!("there is nothing to stitch in {store}"));
        return Ok(());
    }
    let mut table = Table::new(["RECORDING", "OUTPUTS", "GENERATIONS", "KNOWN BY", "END"]);
    for recording in &found {
        let by = if recording.sealed { "seals" } else { "names" };
        let end = recording.end.map_or_else(|| "-".to_owned(), |end| end.to_string());
        let counts = (recording.outputs.to_string(), recording.generations.to_string());
        table.row([recording.recording.clone(), counts.0, counts.1, by.to_owned(), end]);
    }
    print(table);
    Ok(())
}

fn write_out(out: &Path, stitched: &Stitched) -> Result<()> {
    let lists = || {
        let outputs = stitched.outputs.iter().map(|output| (output.key.as_str(), output.playlist.as_str()));
        outputs.chain(stitched.multivariant.iter().map(|(key, text)| (key.as_str(), text.as_str())))
    };
    let mut all = lists();
    match (all.next(), all.next()) {
        (Some((_, text)), None) if out == Path::new("-") => {
            print(text.trim_end_matches('\n'));
            Ok(())
        }
        (Some((_, text)), None) if !out.is_dir() => write_file(out, text),
        _ if out.is_dir() => lists().try_for_each(|(key, text)| {
            let name = key.rsplit('/').next().unwrap_or(key);
            write_file(&out.join(name), text)
        }),
        _ => {
            let message = format!(
                "the recording has {} playlists, so {} must be a folder that exists",
                lists().count(),
                out.display()
            );
            Err(Error::new(ErrorKind::InvalidInput, message))
        }
    }
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, format!("cannot write {}", path.display())).with_source(error)
    })
}

/// Tells what was done: on standard output, unless the playlist or the report goes there.
fn show(arguments: &Arguments, stitched: &Stitched, written: &[(String, Outcome)]) -> Result<()> {
    let report = stitched.report();
    let as_json = arguments.subject.place.json;
    let is_standard = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new("-"));
    match &arguments.report {
        Some(path) if !is_standard(&arguments.report) => {
            let named_json = path.extension().is_some_and(|extension| extension == "json");
            let text =
                if as_json || named_json { in_json(&report, written).to_string() } else { in_words(&report) };
            write_file(path, &format!("{text}\n"))?;
        }
        Some(_) if is_standard(&arguments.out) => {
            let message = "the playlist and the report cannot both go to standard output";
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        _ => {}
    }
    if is_standard(&arguments.out) {
        report.notes.iter().for_each(|note| tell(format_args!("note: {note}")));
        return Ok(());
    }
    if as_json {
        print(in_json(&report, written));
        return Ok(());
    }
    if is_standard(&arguments.report) {
        print(in_words(&report));
    } else {
        for output in &report.outputs {
            let missing = u64::try_from(output.gap_millis).unwrap_or(0);
            let gaps = output.gaps.len();
            let said =
                if gaps == 0 { "no gap".to_owned() } else { format!("{gaps} gaps of {}", length(missing)) };
            print(format_args!(
                "{}: {} segments, {}, {said}",
                output.playlist,
                output.segments,
                length(output.duration_millis)
            ));
        }
        report.notes.iter().for_each(|note| tell(format_args!("note: {note}")));
    }
    for (key, _) in written.iter().filter(|(_, outcome)| *outcome == Outcome::Newer) {
        tell(format_args!("note: {key} was left alone: the one that is there ends later"));
    }
    Ok(())
}

fn in_words(report: &Report) -> String {
    let mut lines: Vec<String> = report.outputs.iter().map(ToString::to_string).collect();
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    lines.join("\n")
}

fn in_json(report: &Report, written: &[(String, Outcome)]) -> serde_json::Value {
    let written: serde_json::Map<_, _> =
        written.iter().map(|(key, outcome)| (key.clone(), json!(outcome))).collect();
    json!({ "event": "stitched", "outputs": report.outputs, "notes": report.notes, "written": written })
}
