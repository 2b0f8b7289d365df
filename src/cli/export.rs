//! `tapeline export`: the whole recording as one file, or for HLS.

use std::io::Write;
use std::path::Path;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::place::{Missing, Named, Subject};
use super::terminal::{bar, print, progress, tell};
use super::text::{length, size};
use crate::error::{Error, ErrorKind, Result};
use crate::export::{ExportFormat, ExportOptions, Exported, GapTime, Target, export, export_playlists};
use crate::store::{Store, StoreOptions, split_scheme};

/// Write a whole recording as one file, or as fragmented MP4 for HLS
///
/// Nothing is encoded: time stamps and counters run on over the joins. The name says what is made: FILE.ts takes every codec of a
/// transport stream; FILE.mp4, and FOLDER/ for HLS, take H.264, H.265, AAC and Opus of one, VP9, AV1 and
/// Opus of WebM; FILE.webm takes all WebM.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub subject: Subject,
    /// Which output, by its first playlist's name without .m3u8, where there are several
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// A file ending in .ts, .mp4 or .webm, a folder ending in /, either of them also as a URL (s3://bucket/file.mp4), or - for a transport
    /// stream on standard output. A file has its name once it is whole; an upload that was cut off goes on when it is tried again
    #[arg(long, value_name = "FILE")]
    out: String,
    /// Replace what is there
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
    let mut standard = std::io::stdout();
    let (format, to) = target(&arguments, &mut standard)?;
    let options = ExportOptions {
        format,
        cname: arguments.subject.cname()?,
        output: arguments.output.clone(),
        gap: if arguments.gap == Gap::Keep { GapTime::Keep } else { GapTime::Collapse },
        missing: arguments.missing.into(),
        replace: arguments.force,
    };
    let bar = bar(true);
    let progress = progress(&bar);
    let exported = match arguments.subject.required()? {
        Named::Recording(sid) => export(&store, &sid, &options, to, &progress).await,
        Named::Playlists(keys) => export_playlists(&store, keys, &options, to, &progress).await,
    };
    bar.finish_and_clear();
    show(&arguments, &exported?);
    Ok(())
}

/// What is to be made, and where it goes.
fn target<'a>(
    arguments: &Arguments,
    standard: &'a mut (dyn Write + Send),
) -> Result<(ExportFormat, Target<'a>)> {
    let out = arguments.out.as_str();
    if out == "-" {
        return Ok((ExportFormat::TransportStream, Target::Stream(standard)));
    }
    let is_url = split_scheme(out).is_some();
    let open = |store: &str| {
        let endpoint = arguments.subject.place.endpoint();
        Store::open_with(store, &StoreOptions { endpoint, ..StoreOptions::default() })
    };
    if out.ends_with('/') || !is_url && Path::new(out).is_dir() {
        let (store, folder) = (open(out.trim_end_matches('/'))?, String::new());
        return Ok((ExportFormat::Hls, Target::Folder { store, folder }));
    }
    let name = out.rsplit('/').next().unwrap_or(out);
    let format = match Path::new(name).extension().and_then(|extension| extension.to_str()) {
        Some("ts") => ExportFormat::TransportStream,
        Some("mp4") => ExportFormat::Mp4,
        Some("webm") => ExportFormat::WebM,
        _ => {
            let message = format!(
                "{out} does not say what to make: a name ends in .ts, .mp4 or .webm, or in / for fragmented MP4 with a playlist"
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
    };
    let to = match out.rsplit_once('/').filter(|_| is_url) {
        Some((store, key)) => Target::Object { store: open(store)?, key: key.to_owned() },
        None => Target::File(out.into()),
    };
    Ok((format, to))
}

fn show(arguments: &Arguments, exported: &Exported) {
    let to_standard = arguments.out == "-";
    let Exported { output, bytes, resumed_bytes, segments, duration_millis, gap_millis, notes } = exported;
    if arguments.subject.place.json && !to_standard {
        print(json!({
            "event": "exported",
            "output": output,
            "file": arguments.out,
            "bytes": bytes,
            "resumed_bytes": resumed_bytes,
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
    let resumed = match resumed_bytes {
        0 => String::new(),
        bytes => format!(", {} of it sent by an earlier try", size(*bytes)),
    };
    let said = format!(
        "{output}: {segments} segments, {}, {}{resumed}, {gaps}",
        length(*duration_millis),
        size(*bytes)
    );
    // Standard output has the media.
    if to_standard { tell(said) } else { print(said) }
}
