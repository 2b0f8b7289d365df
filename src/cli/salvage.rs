//! `tapeline salvage`: what dead workers left in a spool is brought to its store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::place::Server;
use super::terminal::{print, tell, tell_retry};
use super::text::{length, size};
use crate::clock::{SystemClock, random_bytes};
use crate::continuity::{Recordings, probe};
use crate::error::{Error, ErrorKind, Result};
use crate::salvage::{Destination, Salvage, SalvageOptions, salvage, tidy};
use crate::spool::{Left, LeftFolder, SpoolBase, WorkerRecord};
use crate::store::Store;

/// Bring to its store what dead workers left in a spool
#[derive(Debug, Args)]
#[command(
    after_help = "Segments are stored under their workers' own names; no playlist is touched. What a live worker \
                        holds is left alone. It may be interrupted and called again at any time."
)]
pub struct Arguments {
    /// A spool, or one worker's folder in it
    #[arg(long, value_name = "DIR")]
    spool: PathBuf,
    /// The store, if it is not where the workers recorded to
    #[arg(long, value_name = "STORE")]
    to: Option<String>,
    #[command(flatten)]
    server: Server,
    /// For how long each request is repeated where the store does not serve
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// JSON on standard output, one object a line
    #[arg(long)]
    pub json: bool,
}

/// Salvages one folder after the other, and says what became of each. What went wrong with one keeps none of the others.
pub async fn run(arguments: Arguments) -> Result<()> {
    let (base, names) = folders(&arguments.spool).await?;
    let mut run = Run::new(&arguments)?;
    let (mut failures, mut live) = (Vec::new(), Vec::new());
    for name in names {
        match LeftFolder::open(&base, &name).await {
            Ok(Left::Gone) => {}
            Ok(Left::Held(worker)) => live.push((name, worker)),
            Ok(Left::Open(folder)) => {
                if let Err(error) = run.salvage(folder).await {
                    run.show_failure(&name, &error);
                    failures.push(error);
                }
            }
            Err(error) => {
                run.show_failure(&name, &error);
                failures.push(error);
            }
        }
    }
    live.iter().for_each(|(name, worker)| run.show_live(name, worker.as_deref()));
    run.finish(&base);
    if let Some(error) = failures.into_iter().next() {
        return Err(error);
    }
    if let Some((name, worker)) = live.first() {
        return Err(Error::new(ErrorKind::Conflict, refusal(name, worker.as_deref())));
    }
    match run.without_media {
        0 => Ok(()),
        count => {
            let message = format!(
                "{count} files in {base} have names of segments and hold no media; they are where they were"
            );
            Err(Error::new(ErrorKind::Malformed, message))
        }
    }
}

/// The base, and the names of its folders: all of them, or the one that was named itself.
async fn folders(spool: &Path) -> Result<(SpoolBase, Vec<String>)> {
    let missing = |error: std::io::Error| {
        let message = format!("there is no spool {}; name the folder that holds it", spool.display());
        Error::new(ErrorKind::NotFound, message).with_source(error)
    };
    let spool = std::path::absolute(spool).map_err(missing)?;
    let real = spool.canonicalize().map_err(missing)?;
    if !real.is_dir() {
        let message = format!("{} is no folder; name the folder that is the spool", spool.display());
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    if LeftFolder::is_one(&real).await?
        && let (Some(base), Some(name)) = (real.parent(), real.file_name().and_then(|name| name.to_str()))
    {
        return Ok((SpoolBase::folder(base), vec![name.to_owned()]));
    }
    let base = SpoolBase::folder(real);
    let names = base.folders().await?;
    Ok((base, names))
}

fn refusal(name: &str, worker: Option<&WorkerRecord>) -> String {
    let who = worker.map_or_else(
        || "a live process".to_owned(),
        |worker| format!("process {} on {}, which records {}", worker.pid, worker.host, worker.id()),
    );
    format!("{name} belongs to {who}; what a live worker has in its spool it stores itself")
}

/// The work, and what came of it so far.
struct Run<'a> {
    arguments: &'a Arguments,
    options: SalvageOptions,
    /// By their URLs.
    destinations: BTreeMap<String, Destination>,
    folders: u64,
    segments: u64,
    torn: u64,
    bytes: u64,
    millis: u64,
    lost: u64,
    /// Files of segments that stay.
    without_media: u64,
}

impl<'a> Run<'a> {
    fn new(arguments: &'a Arguments) -> Result<Self> {
        let options = SalvageOptions {
            clock: SystemClock::shared(),
            seed: u64::from_be_bytes(random_bytes()?),
            patience: Some(arguments.timeout),
            on_retry: Arc::new(tell_retry),
            may_go: Arc::new(|| true),
        };
        Ok(Self {
            arguments,
            options,
            destinations: BTreeMap::new(),
            folders: 0,
            segments: 0,
            torn: 0,
            bytes: 0,
            millis: 0,
            lost: 0,
            without_media: 0,
        })
    }

    async fn salvage(&mut self, folder: LeftFolder) -> Result<()> {
        if folder.segments().is_empty() {
            let done = tidy(folder).await;
            if !done.left.is_empty() || done.uncleared.is_some() {
                self.show(&done, None);
            }
            return Ok(());
        }
        let destination = self.destination(&folder).await?;
        let done = salvage(folder, &destination, &self.options).await?;
        self.count(&done);
        self.show(&done, Some(&destination.store));
        Ok(())
    }

    /// The store that was named, or the one of the folder's worker.
    async fn destination(&mut self, folder: &LeftFolder) -> Result<Destination> {
        let url = match (&self.arguments.to, folder.worker()) {
            (Some(url), _) => url.clone(),
            (None, Ok(worker)) if worker.store.starts_with("memory:") => {
                let message = format!(
                    "{} was recorded to the memory of a process that is gone; name a store with --to",
                    worker.id()
                );
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            (None, Ok(worker)) => worker.store.clone(),
            (None, Err(why)) => {
                let message = format!(
                    "{} does not say where it belongs: {why}; name the store with --to",
                    folder.name()
                );
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
        };
        if let Some(known) = self.destinations.get(&url) {
            return Ok(known.clone());
        }
        let store = self.arguments.server.open(&url)?;
        let recordings = self.options.repeat(&url, || Recordings::open(&store)).await?;
        let recordings = recordings.ok_or_else(|| {
            let message = format!("nobody has recorded to {store}; name the right store with --to");
            Error::new(ErrorKind::NotFound, message)
        })?;
        // Who writes makes sure of the store first.
        let random = random_bytes()?;
        self.options.repeat(&url, || probe::prepare(&store, &self.options.clock, random)).await?;
        let destination = Destination { store, recordings };
        self.destinations.insert(url, destination.clone());
        Ok(destination)
    }

    fn count(&mut self, done: &Salvage) {
        self.folders += u64::from(done.record.is_some());
        self.segments += done.segments().len() as u64;
        self.torn += done.torn().count() as u64;
        self.bytes += done.bytes();
        self.millis += done.millis();
        self.lost += done.record.as_ref().map_or(0, |record| record.lost.len() as u64);
        self.without_media += done.left.iter().filter(|file| file.segment).count() as u64;
    }

    fn show(&self, done: &Salvage, store: Option<&Store>) {
        if self.arguments.json {
            return print(object(done, store));
        }
        let Salvage { folder, generation, left, .. } = done;
        if let (Some(id), Some(record), Some(store)) = (&done.id, &done.record, store) {
            let committed = match done.already_committed() {
                0 => String::new(),
                count => format!(", {count} of them committed before"),
            };
            print(format_args!(
                "{folder}: {} segments, {}, {} of {id}, generation {generation}, are in {store}{committed}",
                record.segments.len(),
                length(done.millis()),
                size(done.bytes()),
            ));
            for segment in done.torn() {
                print(format_args!("  torn {}: {} are whole", segment.key, length(segment.millis)));
            }
            for lost in &record.lost {
                let millis = lost.millis.map(|millis| format!(" {}", length(millis))).unwrap_or_default();
                print(format_args!("  LOST {}{millis}: {}", lost.name, lost.cause.as_str()));
            }
        }
        for file in left {
            print(format_args!("  left {folder}/{}: {}", file.name, file.why));
        }
        if let Some(error) = &done.uncleared {
            print(format_args!("  {folder} cannot be cleared: {}", error.report()));
        }
    }

    fn show_failure(&self, name: &str, error: &Error) {
        if self.arguments.json {
            let (kind, message) = (error.kind().as_str(), error.report());
            print(json!({ "event": "salvage_failed", "folder": name, "kind": kind, "error": message }));
        } else {
            tell(format_args!("{name} is left as it is: {}", error.report()));
        }
    }

    fn show_live(&self, name: &str, worker: Option<&WorkerRecord>) {
        if self.arguments.json {
            print(json!({ "event": "salvage_refused", "folder": name, "worker": worker }));
        } else {
            tell(refusal(name, worker));
        }
    }

    fn finish(&self, base: &SpoolBase) {
        let Self { folders, segments, torn, bytes, millis, lost, without_media, .. } = self;
        if self.arguments.json {
            print(json!({
                "event": "salvage_total", "folders": folders, "segments": segments, "torn": torn, "bytes": bytes,
                "duration_millis": millis, "lost": lost, "left": without_media,
            }));
        } else if *folders == 0 {
            print(format_args!("nothing was salvaged from {base}"));
        } else {
            let (length, size) = (length(*millis), size(*bytes));
            print(format_args!(
                "{folders} folders, {segments} segments ({torn} torn), {length}, {size}; {lost} lost"
            ));
        }
    }
}

fn object(done: &Salvage, store: Option<&Store>) -> Value {
    json!({
        "event": "salvage",
        "folder": done.folder,
        "store": store.map(Store::to_string),
        "sid": done.id.as_ref().map(|id| &id.sid),
        "cname": done.id.as_ref().map(|id| &id.cname),
        "generation": done.generation,
        "segments": done.segments(),
        "lost": done.record.as_ref().map_or(&[][..], |record| &record.lost),
        "committed": done.committed.as_ref().map(|_| done.already_committed()),
        "left": done.left,
        "freed": done.freed,
        "uncleared": done.uncleared.as_ref().map(Error::report),
    })
}
