//! The text a recording's playlist has, and the times in it.
//!
//! `golden/playlist.m3u8` was written by hand from the format's description, not by the renderer: a
//! plain segment, one after a discontinuity on a new media clock (its name percent-encoded), a lost
//! one, and the end.

mod playlist_support;

use playlist_support::*;
use proptest::prelude::*;
use tapeline::playlist::{Entry, EntryTimes, Header, RenderError, Renderer, check_append};
use tapeline::time::{MediaSpan, MediaTime, WallTime};

const HEADER: Header = Header { target_duration: TARGET };

#[test]
fn the_text_is_the_golden_one() {
    let sid = "38f8e3cfdc474cd56fc1ceba380d7e1a";
    let date = |text| WallTime::parse_rfc3339(text).unwrap();
    let entries = [
        entry(&format!("{sid}_room_20261123010203456.ts")),
        Entry {
            start: MediaTime::from_ticks(-900),
            clock: 2,
            date: date("2026-11-23T01:02:20.000Z"),
            duration_millis: 6,
            discontinuity: true,
            ..entry(&format!("{sid}_a%23b_20261123010220000.ts"))
        },
        Entry {
            start: MediaTime::from_ticks(-360),
            clock: 2,
            date: date("2026-11-23T01:02:20.006Z"),
            duration_millis: 30_000,
            gap: true,
            ..entry(&format!("{sid}_a%23b_20261123010220006.ts"))
        },
    ];
    let text = render(&HEADER, &entries, true);
    assert_eq!(String::from_utf8(text).unwrap(), include_str!("golden/playlist.m3u8"));
}

#[test]
fn what_cannot_be_read_back_is_refused_and_changes_nothing() {
    let mut renderer = Renderer::new(&HEADER);
    renderer.append(&entry("a.ts")).unwrap();
    let before = text(&renderer);
    for uri in ["", "#a.ts", "a b.ts", "a\n#EXT-X-ENDLIST", "a\u{85}b.ts", "a\tb"] {
        assert_eq!(renderer.append(&entry(uri)), Err(RenderError::Uri), "{uri:?}");
    }
    let mut long = entry("b.ts");
    for tag in ["#EXT-X-AGORA-ROTATE:A\n#EXT-X-ENDLIST", "#EXTINF:1,", ""] {
        let tagged = Entry { compat: vec![tag.to_owned()], ..entry("a.ts") };
        assert_eq!(renderer.append(&tagged), Err(RenderError::Tag), "{tag:?}");
    }
    for (millis, result) in [(30_500, Err(RenderError::OverTarget)), (u64::MAX, Err(RenderError::OverTarget))]
    {
        long.duration_millis = millis;
        assert_eq!(renderer.append(&long), result, "{millis}");
    }
    assert_eq!(text(&renderer), before);
    long.duration_millis = 30_499;
    assert_eq!(renderer.append(&long), Ok(()));
    renderer.end();
    let ended = text(&renderer);
    renderer.end();
    assert_eq!(renderer.append(&entry("c.ts")), Err(RenderError::Ended));
    assert_eq!(text(&renderer), ended);
}

#[test]
fn the_pieces_taken_make_the_text() {
    let (mut whole, mut taken, mut pieces) = (Renderer::new(&HEADER), Renderer::new(&HEADER), String::new());
    for number in 0..100 {
        let entry = entry(&format!("{number}.ts"));
        whole.append(&entry).unwrap();
        taken.append(&entry).unwrap();
        pieces += &taken.take();
        assert_eq!(taken.text(), "", "nothing is kept");
    }
    whole.end();
    taken.end();
    assert_eq!(pieces + &taken.take(), whole.text());
}

/// Borders of segments over 24 hours, `numerator / denominator` ticks each.
fn day(numerator: i64, denominator: i64) -> Vec<MediaTime> {
    let origin = 8_100_000_000;
    let border = |k: i64| origin + (k * numerator + denominator / 2) / denominator;
    (0..).map(border).take_while(|tick| tick - origin <= 86_400 * 90_000).map(MediaTime::from_ticks).collect()
}

#[test]
fn times_do_not_drift_over_a_day() {
    // 6.006 s; 259 AAC frames of 1024 samples at 44.1 kHz, 6.01396825 s; 16.6833 s.
    for (numerator, denominator) in [(540_540, 1), (259 * 1024 * 90_000, 44_100), (1_501_497, 1)] {
        let borders = day(numerator, denominator);
        let anchor = WallTime::from_millis(1_800_000_000_000);
        let times = EntryTimes::new(borders[0], anchor);
        let mut sum = 0;
        for pair in borders.windows(2) {
            sum += times.duration_millis(pair[0], pair[1]) as i64;
            let exact = pair[1] - borders[0];
            assert_eq!(sum, exact.millis());
            assert!((MediaSpan::from_millis(sum) - exact).abs() <= MediaSpan::from_ticks(45));
            assert_eq!(times.date(pair[1]).millis(), anchor.millis() + sum);
        }
        assert!(sum > 86_380_000, "{sum} covers a day");
        // The test can fail: each duration rounded alone is off, where it does not fall on a milli.
        let alone: i64 = borders.windows(2).map(|pair| (pair[1] - pair[0]).millis()).sum();
        assert!(alone.abs_diff(sum) > 400 || numerator == 540_540, "{alone} against {sum}");
    }
}

#[test]
fn times_of_absurd_borders_do_not_overflow() {
    let (least, most) = (MediaTime::from_ticks(i64::MIN), MediaTime::from_ticks(i64::MAX));
    let times = EntryTimes::new(least, WallTime::from_millis(0));
    assert_eq!(times.duration_millis(most, least), 0);
    assert_eq!(times.duration_millis(least, most), u64::MAX / 90);
    assert_eq!(times.date(most), WallTime::from_millis(i64::MAX));
}

#[test]
fn a_header_covers_its_limit() {
    for (ticks, seconds) in [(0, 1), (-1, 1), (90_000, 1), (90_001, 2), (2_700_000, 30), (i64::MAX, u32::MAX)]
    {
        let header = Header::covering(MediaSpan::from_ticks(ticks));
        assert_eq!(header.target_duration, seconds, "{ticks}");
    }
}

proptest! {
    #[test]
    fn every_text_is_a_prefix_of_each_later_one(entries in any_entries(), end: bool) {
        let mut renderer = Renderer::new(&HEADER);
        let mut texts = vec![text(&renderer)];
        for entry in &entries {
            renderer.append(entry).unwrap();
            texts.push(text(&renderer));
        }
        if end {
            renderer.end();
            texts.push(text(&renderer));
        }
        let last = texts.last().unwrap();
        for earlier in &texts {
            prop_assert!(last.starts_with(earlier));
            prop_assert_eq!(check_append(earlier, last), vec![]);
        }
    }

    #[test]
    fn rounding_never_exceeds_the_target(limit in 1i64..5_400_000, origin in -90i64..90, start in 0i64..1 << 40, less in 0i64..90) {
        let header = Header::covering(MediaSpan::from_ticks(limit));
        let times = EntryTimes::new(MediaTime::from_ticks(origin), WallTime::from_millis(0));
        let (start, end) = (MediaTime::from_ticks(start), MediaTime::from_ticks(start + (limit - less).max(0)));
        let duration_millis = times.duration_millis(start, end);
        let result = Renderer::new(&header).append(&Entry { duration_millis, ..entry("a.ts") });
        prop_assert_eq!(result, Ok(()));
    }
}
