//! Playlists: arbitrary text is read and checked, entries are written and read back.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use tapeline::playlist::{Entry, Header, Renderer, check, check_append, parse};
use tapeline::time::{MediaTime, WallTime};

/// The milliseconds in which a date has its written form.
const DATES: std::ops::RangeInclusive<i64> = 0..=253_402_300_799_999;

/// One entry of a list, and what is done to the list's text at the end.
#[derive(Debug, Arbitrary)]
struct Written {
    uri: String,
    start: i64,
    clock: u32,
    date: i64,
    duration_millis: u32,
    discontinuity: bool,
    gap: bool,
    compat: Vec<String>,
}

#[derive(Debug, Arbitrary)]
struct List {
    target_duration: u32,
    entries: Vec<Written>,
    end: bool,
    /// Bytes of the text that are set, and where it is cut.
    damage: Vec<(u16, u8)>,
    cut: Option<u16>,
}

fuzz_target!(|data: &[u8]| match data.split_first() {
    Some((b'#', _)) => read(data),
    Some((_, rest)) => {
        if let Ok(list) = List::arbitrary_take_rest(Unstructured::new(rest)) {
            round_trip(&list);
        }
    }
    None => read(data),
});

/// Any text: nothing panics, and what was read can be written and read again.
fn read(text: &[u8]) {
    let findings = check(text);
    assert!(findings.is_sorted_by_key(|finding| finding.line), "findings in the order of lines");
    assert!(check_append(text, text).is_empty());
    let Ok(list) = parse(text) else { return };
    let lines = text.split(|&b| b == b'\n').count();
    assert!(list.segments.is_sorted_by(|a, b| a.line < b.line));
    assert!(list.notes.iter().all(|note| note.line <= lines));
    let entries: Vec<Entry> = list.segments.iter().filter_map(|segment| segment.to_entry()).collect();
    let mut renderer = Renderer::new(&Header { target_duration: u32::MAX });
    let kept: Vec<Entry> = entries.into_iter().filter(|entry| renderer.append(entry).is_ok()).collect();
    same(&renderer, &kept);
}

fn round_trip(list: &List) {
    let mut renderer = Renderer::new(&Header { target_duration: list.target_duration });
    let mut kept = Vec::new();
    for written in &list.entries {
        let before = renderer.text().as_bytes().to_vec();
        let entry = Entry {
            uri: written.uri.clone(),
            start: MediaTime::from_ticks(written.start),
            clock: written.clock,
            date: WallTime::from_millis(written.date.rem_euclid(DATES.end() + 1)),
            duration_millis: u64::from(written.duration_millis),
            discontinuity: written.discontinuity,
            gap: written.gap,
            compat: written.compat.iter().map(|rest| format!("#EXT-X-AGORA-ROTATE:{rest}")).collect(),
        };
        let taken = renderer.append(&entry).is_ok();
        let after = renderer.text().as_bytes().to_vec();
        assert!(check_append(&before, &after).is_empty());
        assert_eq!(taken, after.len() > before.len(), "refused, the text stays as it was");
        if taken {
            kept.push(entry);
        }
    }
    same(&renderer, &kept);
    if list.end {
        renderer.end();
    }
    let mut text = renderer.text().as_bytes().to_vec();
    for &(at, byte) in &list.damage {
        let at = usize::from(at) % text.len();
        text[at] = byte;
    }
    text.truncate(list.cut.map_or(text.len(), usize::from));
    read(&text);
}

fn same(renderer: &Renderer, entries: &[Entry]) {
    let text = renderer.text().as_bytes().to_vec();
    let read = parse(&text).expect("what was written can be read");
    assert!(read.notes.is_empty(), "{:?}", read.notes);
    let read: Vec<Entry> = read.segments.iter().filter_map(|segment| segment.to_entry()).collect();
    assert_eq!(read, entries);
}
