//! `tapeline verify`: whether what is stored of a recording is what was recorded, and plays.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::exit;
use super::place::{Named, Subject};
use super::terminal::{bar, print, progress};
use crate::error::Result;
use crate::severity::Severity;
use crate::verify::{Depth, Finding, Verified, VerifyOptions, verify, verify_playlists};

/// Check a recording: what is committed is stored, whole, and plays
///
/// Sizes of all segments are compared by one listing; the bytes of some are read, or of all with --deep. Nothing is
/// written.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub subject: Subject,
    /// Read every segment, not only some and those beside joins
    #[arg(long)]
    deep: bool,
}

/// Verifies, tells, and gives the exit code that the worst finding has.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let store = arguments.subject.place.store()?;
    let options = VerifyOptions {
        cname: arguments.subject.cname()?,
        depth: if arguments.deep { Depth::Deep } else { Depth::Sample },
    };
    let bar = bar(!arguments.subject.place.json);
    let progress = progress(&bar);
    let verified = match arguments.subject.required()? {
        Named::Recording(sid) => verify(&store, &sid, &options, &progress).await,
        Named::Playlists(keys) => verify_playlists(&store, keys, &options, &progress).await,
    };
    bar.finish_and_clear();
    let verified = verified?;
    show(&verified, arguments.subject.place.json);
    Ok(match verified.findings.worst() {
        Some(Severity::Error) => ExitCode::from(exit::DAMAGED),
        Some(Severity::Warning) => ExitCode::from(exit::FLAWED),
        Some(Severity::Note) | None => ExitCode::SUCCESS,
    })
}

fn show(verified: &Verified, as_json: bool) {
    let Verified { findings, playlists, segments, read } = verified;
    let of = |severity| findings.kept.iter().filter(move |finding| finding.severity == severity);
    let count = |severity| {
        let codes: std::collections::BTreeSet<&str> =
            of(severity).map(|finding| finding.code.as_str()).collect();
        codes.iter().filter_map(|code| findings.counts.get(*code)).sum::<u64>()
    };
    let [errors, warnings, notes] = [Severity::Error, Severity::Warning, Severity::Note].map(count);
    if as_json {
        for finding in &findings.kept {
            let Finding { severity, code, key, at, message } = finding;
            print(json!({
                "event": "finding", "severity": severity, "code": code, "key": key, "at": at, "message": message,
            }));
        }
        print(json!({
            "event": "verified",
            "playlists": playlists,
            "segments": segments,
            "read": read,
            "errors": errors,
            "warnings": warnings,
            "notes": notes,
            "counts": findings.counts,
        }));
        return;
    }
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        of(severity).for_each(print);
    }
    let kept = findings.kept.len() as u64;
    let more = (errors + warnings + notes).saturating_sub(kept);
    if more > 0 {
        print(format_args!("and {more} more like these"));
    }
    print(format_args!(
        "{playlists} playlists, {segments} segments, {read} of them read: {errors} errors, {warnings} warnings, \
         {notes} notes"
    ));
}
