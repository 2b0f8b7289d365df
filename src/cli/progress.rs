//! What a person or a script sees while a recording runs: a bar on a terminal, lines elsewhere, JSON when
//! asked.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::{print, tell};
use super::text::{length, size};
use crate::recorder::{Event, OutputSummary, Summary};

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
                _ => {}
            },
            Self::Bar { bar, segments, millis } => match event {
                Event::SegmentStored { duration_millis, .. } => {
                    *segments += 1;
                    *millis += duration_millis;
                    bar.set_message(format!("{segments} segments, {}", length(*millis)));
                }
                Event::Retrying { error, .. } => bar.set_message(format!("retrying: {error}")),
                _ => {}
            },
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

    /// The recording is complete.
    pub fn finish(&self, summary: &Summary, store: &str) {
        match self {
            Self::Json => {
                let mut value = serde_json::to_value(summary).unwrap_or_default();
                value["event"] = "summary".into();
                print(value);
                return;
            }
            Self::Bar { bar, .. } => bar.finish_and_clear(),
            Self::Lines => {}
        }
        for output in &summary.outputs {
            let Some(playlist) = &output.playlist else { continue };
            let (segments, bytes) = (output.segments, size(output.bytes));
            let duration = length(output.duration_millis);
            print(format_args!("{playlist} in {store}: {segments} segments, {duration}, {bytes}"));
            remarks(output).for_each(print);
        }
    }
}

fn print_json(event: &Event) {
    if let Ok(line) = serde_json::to_string(event) {
        print(line);
    }
}

fn remarks(output: &OutputSummary) -> impl Iterator<Item = String> {
    let notes = &output.notes;
    let counted = [
        ("segments that do not begin with a key frame", output.without_key_frame),
        ("losses of packets before they came here", notes.continuity_errors),
        ("places where the input was no transport stream", notes.sync_losses),
        ("bytes that belong to no packet, dropped", notes.skipped_bytes),
        ("packets before the first key frame, dropped", notes.packets_before_start),
        ("scrambled packets", notes.scrambled_packets),
        ("packets that came damaged", notes.transport_errors),
        ("tables that came damaged", notes.table_errors),
        ("PES packets divided between two segments", notes.torn_pes),
    ];
    let told = counted.into_iter().filter(|&(_, count)| count > 0);
    told.map(|(what, count)| format!("  {what}: {count}"))
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}
