//! Entries and texts for the playlist tests.
//!
//! [`legal_entries`] makes what a recorder would append: contiguous segments of one media clock, or a
//! discontinuity. [`any_entries`] makes anything whose URI can stand on a line.

#![allow(dead_code, reason = "each test binary uses its own part")]

use proptest::prelude::*;
use tapeline::playlist::{Entry, EntryTimes, Header, Renderer};
use tapeline::time::{MediaSpan, MediaTime, WallTime};

pub const TARGET: u32 = 30;

pub fn entry(uri: &str) -> Entry {
    Entry {
        uri: uri.to_string(),
        start: MediaTime::from_ticks(8_100_000_000),
        clock: 1,
        date: WallTime::parse_rfc3339("2026-11-23T01:02:03.456Z").unwrap(),
        duration_millis: 15_019,
        discontinuity: false,
        gap: false,
        compat: Vec::new(),
    }
}

pub fn render(header: &Header, entries: &[Entry], end: bool) -> Vec<u8> {
    let mut renderer = Renderer::new(header);
    for entry in entries {
        renderer.append(entry).unwrap();
    }
    if end {
        renderer.end();
    }
    text(&renderer)
}

pub fn text(renderer: &Renderer) -> Vec<u8> {
    renderer.text().as_bytes().to_vec()
}

pub fn any_entries() -> impl Strategy<Value = Vec<Entry>> {
    let entry = (
        "[^\\s#\\p{Cc}][^\\s\\p{Cc}]{0,20}",
        any::<i64>(),
        any::<u32>(),
        0..=253_402_300_799_999i64,
        0..30_500u64,
        any::<(bool, bool)>(),
        prop::collection::vec("#EXT-X-AGORA-(ROTATE|TRACK-EVENT):[A-Z0-9=,]{0,20}", 0..3),
    );
    let entry =
        entry.prop_map(|(uri, ticks, clock, date, duration_millis, (discontinuity, gap), compat)| Entry {
            uri,
            start: MediaTime::from_ticks(ticks),
            clock,
            date: WallTime::from_millis(date),
            duration_millis,
            discontinuity,
            gap,
            compat,
        });
    prop::collection::vec(entry, 0..20)
}

pub fn legal_entries() -> impl Strategy<Value = Vec<Entry>> {
    let step = ("[A-Za-z0-9_.-]{1,20}(%[0-9A-F]{2})?\\.ts", 1i64..=2_700_000, any::<bool>(), 0u8..5);
    (prop::collection::vec(step, 0..20), -1i64 << 34..1 << 34, 0..4_000_000_000_000i64).prop_map(
        |(steps, first_tick, first_date)| {
            let (mut start, mut clock) = (MediaTime::from_ticks(first_tick), 1);
            let mut times = EntryTimes::new(start, WallTime::from_millis(first_date));
            let mut entries = Vec::new();
            for (uri, ticks, gap, jump) in steps {
                let discontinuity = jump == 0;
                if discontinuity {
                    clock += 1;
                    start = MediaTime::from_ticks(ticks);
                    times = EntryTimes::new(start, WallTime::from_millis(first_date + ticks));
                }
                let end = start + MediaSpan::from_ticks(ticks);
                let (date, duration_millis) = (times.date(start), times.duration_millis(start, end));
                entries.push(Entry {
                    uri,
                    start,
                    clock,
                    date,
                    duration_millis,
                    discontinuity,
                    gap,
                    compat: Vec::new(),
                });
                start = end;
            }
            entries
        },
    )
}
