//! What a person or a script sees while a recording runs: a bar on a terminal, lines elsewhere, JSON when
//! asked.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::terminal::{print, tell};
use super::text::{length, size};
use crate::ids::Generation;
use crate::recorder::{Event, Metrics, OutputSummary, Recorder, Summary};
use crate::slicer::Notes;

/// Where events are shown.
pub enum Progress {
    /// One JSON object a line, on standard output.
    Json,
    /// A line a segment, on standard error.
    Lines,
    /// A line that is redrawn, on standard error.
    Bar { bar: ProgressBar, segments: u64, millis: u64 },
}

impl Progress {
    /// `size`: how many bytes there are to read, where that is known.
    pub fn new(json: bool, size: Option<u64>) -> Self {
        if json {
            return Self::Json;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Lines;
        }
        let bar = match size {
            Some(size) => ProgressBar::new(size),
            None => ProgressBar::no_length(),
        };
        let template = match size {
            Some(_) => "{bar:30} {bytes}/{total_bytes} {msg}",
            None => "{spinner} {bytes} {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self::Bar { bar, segments: 0, millis: 0 }
    }

    /// The recording has begun, or this worker's turn at it.
    pub fn begin(&self, recorder: &Recorder) {
        let (id, generation, uid) = (recorder.id(), recorder.generation(), recorder.uid());
        if matches!(self, Self::Json) {
            let (sid, cname) = (id.sid.as_str(), id.cname.as_str());
            let generation = generation.get();
            print(
                json!({ "event": "recording", "sid": sid, "cname": cname, "generation": generation, "uid": uid }),
            );
        } else if generation > Generation::FIRST {
            self.say(&format!("resumed {id} as generation {generation}, uid {uid}"));
        }
    }

    /// So many bytes of the input have been read.
    pub fn read(&self, bytes: usize) {
        if let Self::Bar { bar, .. } = self {
            bar.inc(bytes as u64);
        }
    }

    /// Something happened.
    pub fn show(&mut self, event: &Event) {
        match self {
            Self::Json => print_json(event),
            Self::Lines => match event {
                Event::SegmentStored { segment, name, bytes, duration_millis, .. } => {
                    tell(format_args!("stored {segment} {name} {} {bytes} bytes", seconds(*duration_millis)));
                }
                Event::Retrying { key, error, pause_millis } => {
                    tell(format_args!("retrying {key} in {pause_millis} ms: {error}"));
                }
                Event::Summary(summary) => finish(summary),
                event => trouble(event).into_iter().for_each(tell),
            },
            Self::Bar { bar, segments, millis } => match event {
                Event::SegmentStored { duration_millis, .. } => {
                    *segments += 1;
                    *millis += duration_millis;
                    bar.set_message(format!("{segments} segments, {}", length(*millis)));
                }
                Event::Retrying { error, .. } => bar.set_message(format!("retrying: {error}")),
                Event::Summary(summary) => {
                    bar.finish_and_clear();
                    finish(summary);
                }
                event => trouble(event).into_iter().for_each(|line| bar.println(line)),
            },
        }
    }

    /// How the recording stands.
    pub fn measure(&self, metrics: &Metrics) {
        let (bytes, limit) = (size(metrics.spool_bytes), size(metrics.spool_limit));
        match self {
            Self::Json => {
                let mut value = serde_json::to_value(metrics).unwrap_or_default();
                value["event"] = "metrics".into();
                print(value);
            }
            Self::Lines | Self::Bar { .. } => self.say(&format!(
                "spool {bytes} of {limit}, {} segments waiting for {}; {} uploads under way; {} retries, {} answers \
                 that asked for fewer; {} gaps",
                metrics.segments_waiting,
                length(metrics.spool_age_millis),
                metrics.uploads_under_way,
                metrics.retries,
                metrics.store.throttled,
                metrics.gaps,
            )),
        }
    }

    /// A remark for a person.
    pub fn say(&self, text: &str) {
        match self {
            Self::Json => {}
            Self::Lines => tell(text),
            Self::Bar { bar, .. } => bar.println(text),
        }
    }
}

/// What it all came to.
fn finish(summary: &Summary) {
    for output in &summary.outputs {
        let Some(playlist) = &output.playlist else { continue };
        let account = &output.account;
        let (segments, bytes) = (account.segments, size(account.bytes));
        let duration = length(account.duration_millis);
        print(format_args!("{playlist} in {}: {segments} segments, {duration}, {bytes}", summary.store));
        remarks(output).for_each(print);
    }
}

fn print_json(event: &Event) {
    if let Ok(line) = serde_json::to_string(event) {
        print(line);
    }
}

/// What goes wrong, and when it is over.
fn trouble(event: &Event) -> Option<String> {
    Some(match event {
        Event::Gap { segment, name, duration_millis, cause, .. } => {
            format!("LOST {segment} {name} {}: {}", seconds(*duration_millis), cause.as_str())
        }
        Event::SpoolFull { cause, bytes, limit, waits } => {
            let then = if *waits { "the input waits" } else { "the oldest segments are given up" };
            format!("{}, {} of {}: {then}", cause.as_str(), size(*bytes), size(*limit))
        }
        Event::SpoolFreed { bytes } => format!("the spool has room again, {} in use", size(*bytes)),
        Event::Throttled { requests_per_minute: Some(limit) } => {
            format!("the store asks for fewer requests: {limit} a minute from now on")
        }
        Event::Throttled { requests_per_minute: None } => "the store's rate is unlimited again".to_owned(),
        Event::Recovered { outage_millis } => {
            format!("the store serves again after {}", length(*outage_millis))
        }
        Event::Salvaged { sid, generation, segments, bytes, duration_millis } => format!(
            "salvaged {segments} segments of {sid}, generation {generation}: {}, {}",
            length(*duration_millis),
            size(*bytes)
        ),
        Event::SalvageFailed { folder, error, .. } => format!("{folder} is left in the spool: {error}"),
        _ => return None,
    })
}

fn remarks(output: &OutputSummary) -> impl Iterator<Item = String> {
    let account = &output.account;
    let lost = account.gap_causes.iter().map(|(cause, &millis)| (cause.as_str(), millis));
    let lost: Vec<_> = lost.map(|(cause, millis)| format!("  LOST {}: {cause}", length(millis))).collect();
    let silent =
        (account.silent_millis > 0).then(|| format!("  nothing came for {}", length(account.silent_millis)));
    lost.into_iter().chain(silent).chain(counts(output))
}

fn counts(output: &OutputSummary) -> impl Iterator<Item = String> {
    let of_input = match &output.notes {
        Notes::MpegTs(notes) => vec![
            ("losses of packets before they came here", notes.continuity_errors),
            ("places where the input was no transport stream", notes.sync_losses),
            ("bytes that belong to no packet, dropped", notes.skipped_bytes),
            ("packets before the first key frame, dropped", notes.packets_before_start),
            ("scrambled packets", notes.scrambled_packets),
            ("packets that came damaged", notes.transport_errors),
            ("tables that came damaged", notes.table_errors),
            ("PES packets divided between two segments", notes.torn_pes),
        ],
        Notes::WebM(notes) => vec![
            ("places where the input was no WebM", notes.sync_losses),
            ("bytes that belong to no element, dropped", notes.skipped_bytes),
            ("blocks before the first key frame, dropped", notes.blocks_before_start),
            ("blocks that came damaged", notes.damaged_blocks),
            ("blocks of tracks that are not announced, dropped", notes.foreign_blocks),
            ("times that the input began anew", notes.restarts),
        ],
        Notes::Frames(notes) => vec![
            ("frames before the first key frame, dropped", notes.frames_before_start),
            ("frames that came after their decoding time", notes.late_frames),
            ("frames without a time, dropped", notes.frames_without_time),
            ("frames that came damaged, dropped", notes.damaged_frames),
        ],
    };
    let keyless = ("segments that do not begin with a key frame", output.without_key_frame);
    let told = std::iter::once(keyless).chain(of_input).filter(|&(_, count)| count > 0);
    told.map(|(what, count)| format!("  {what}: {count}"))
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}
