//! The strict check finds each fault as itself, and nothing in a good list.

mod playlist_support;

use std::collections::BTreeSet;

use playlist_support::*;
use proptest::prelude::*;
use tapeline::playlist::{Header, Rule, check, check_append};
use tapeline::severity::Severity;

/// `|` stands for a line end. A list without a fault, for faults to be put into.
const GOOD: &str = "#EXTM3U|#EXT-X-VERSION:8|#EXT-X-TARGETDURATION:6|#EXT-X-MEDIA-SEQUENCE:0|\
    #EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:02:03.456Z|#EXTINF:6.000,|a.ts|#EXTINF:5.5,Foo, bar|b.ts|";

fn lines(text: &str) -> Vec<u8> {
    text.replace('|', "\n").into_bytes()
}

#[test]
fn each_fault_gives_its_rule_at_its_line() {
    use Rule::*;
    // What to replace in GOOD by what, the rule it breaks, and the line.
    let faults: &[(&str, &str, Rule, usize)] = &[
        ("#EXTM3U", "#EXT3MU", FirstLine, 1),
        ("#EXTM3U", "#EXTM3U |#EXTM3U", FirstLine, 1),
        ("#EXTM3U", "\u{FEFF}#EXTM3U", ByteOrderMark, 1),
        ("#EXTM3U", "|#EXTM3U", FirstLine, 1),
        ("Foo", "F\u{7}oo", ControlCharacter, 8),
        ("a.ts", "a\tb.ts", ControlCharacter, 7),
        ("b.ts|", "b.ts", LineEnd, 9),
        ("a.ts", "a.ts|#EXT-X-STREAM-INF:BANDWIDTH=1", MediaPlaylist, 8),
        ("#EXT-X-VERSION:8", "#EXT-X-VERSION:8|#EXT-X-VERSION:8", Duplicate, 3),
        ("a.ts", "a.ts|#EXT-X-TARGETDURATION:6", Duplicate, 8),
        ("#EXTINF:6.000,|", "#EXTINF:6.000,|#EXTINF:6.000,|", Duplicate, 7),
        ("#EXTINF:6.000,", "#EXT-X-GAP|#EXT-X-GAP|#EXTINF:6.000,", Duplicate, 7),
        ("#EXT-X-VERSION:8", "#EXT-X-VERSION:8.0", Value, 2),
        ("DURATION:6", "DURATION:6.0", Value, 3),
        ("DURATION:6", "DURATION", Value, 3),
        ("SEQUENCE:0", "SEQUENCE:-1", Value, 4),
        ("SEQUENCE:0", "SEQUENCE:18446744073709551616", Value, 4),
        ("SEQUENCE:0|", "SEQUENCE:0|#EXT-X-PLAYLIST-TYPE:LIVE|", Value, 5),
        ("#EXTINF:6", "#EXT-X-BYTERANGE:x@0|#EXTINF:6", Value, 6),
        ("#EXTINF:5", "#EXT-X-DISCONTINUITY:1|#EXTINF:5", Value, 8),
        ("#EXTINF:6", "#EXT-X-KEY:METHOD=AES-128,URI=\"k|#EXTINF:6", Attributes, 6),
        ("#EXTINF:6", "#EXT-X-KEY:URI=\"k\"|#EXTINF:6", Attributes, 6),
        ("#EXTINF:6", "#EXT-X-KEY:METHOD=NONE,METHOD=NONE|#EXTINF:6", Attributes, 6),
        ("#EXTINF:6", "#EXT-X-KEY:method=NONE|#EXTINF:6", Attributes, 6),
        ("#EXTINF:6", "#EXT-X-KEY:METHOD=NO NE|#EXTINF:6", Attributes, 6),
        ("#EXTINF:6", "#EXT-X-KEY:METHOD=NONE,|#EXTINF:6", Attributes, 6),
        ("#EXTINF:6", "#EXT-X-MAP:URI=i.mp4|#EXTINF:6", Attributes, 6),
        ("#EXTINF:6", "#EXT-X-TAPELINE-MEDIA:START=1.5,CLOCK=1|#EXTINF:6", Attributes, 6),
        ("#EXTINF:6", "#EXT-X-TAPELINE-MEDIA:START=1|#EXTINF:6", Attributes, 6),
        ("#EXT-X-VERSION:8|", "#EXT-X-VERSION:2|", Version, 6),
        ("#EXT-X-VERSION:8|", "", Version, 5),
        ("VERSION:8|", "VERSION:7|#EXT-X-GAP|", Version, 3),
        ("VERSION:8|", "VERSION:3|#EXT-X-BYTERANGE:10@0|", Version, 3),
        ("VERSION:8|", "VERSION:5|#EXT-X-MAP:URI=\"i.mp4\"|", Version, 3),
        ("VERSION:8|", "VERSION:4|#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"|", Version, 3),
        ("#EXT-X-TARGETDURATION:6|", "", TargetMissing, 1),
        ("6.000,", "6.500,", TargetExceeded, 6),
        ("#EXTINF:5.5", "#EXTINF:6.5", TargetExceeded, 8),
        ("a.ts", "a.ts|#EXT-X-DISCONTINUITY-SEQUENCE:0", SequencePlace, 8),
        ("SEQUENCE:0", "SEQUENCE:0|#EXT-X-DISCONTINUITY|#EXT-X-DISCONTINUITY-SEQUENCE:0", SequencePlace, 6),
        (
            "#EXT-X-MEDIA-SEQUENCE:0|#EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:02:03.456Z|#EXTINF:6.000,|",
            "#EXTINF:6.000,|#EXT-X-MEDIA-SEQUENCE:0|",
            SequencePlace,
            5,
        ),
        ("#EXTINF:6.000,|", "", ExtinfMissing, 6),
        ("6.000,", "6.000", Extinf, 6),
        ("6.000,", "-1,", Extinf, 6),
        ("6.000,", "abc,", Extinf, 6),
        ("6.000,", "1e3,", Extinf, 6),
        ("6.000,", "6.,", Extinf, 6),
        ("6.000,", "99999999999999999999,", Extinf, 6),
        (".456Z", ".456", Date, 5),
        (".456Z", ".456+0000", DateOffset, 5),
        (".456Z", ".456 0000", Date, 5),
        ("23T01", "23 01", Date, 5),
        ("#EXTINF:5", "#EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:02:03.455Z|#EXTINF:5", DateOrder, 10),
        ("#EXTINF:5", "#EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:02:08.455Z|#EXTINF:5", DateDrift, 10),
        ("#EXTINF:5", "#EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:02:10.457Z|#EXTINF:5", DateDrift, 10),
        (
            "#EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:02:03.456Z",
            "#EXT-X-DATERANGE:ID=\"g\",START-DATE=\"2026-11-23T01:02:03Z\"",
            DateRange,
            5,
        ),
        ("a.ts", "a b.ts", Uri, 7),
        ("a.ts", "100%.ts", Uri, 7),
        ("a.ts", "%4", Uri, 7),
        ("a.ts", "a^.ts", Uri, 7),
        ("a.ts", "\u{e4}.ts", Uri, 7),
        ("a.ts", "a#b#c.ts", Uri, 7),
        ("a.ts", "a[1].ts", Uri, 7),
        ("a.ts", "sid_a:b.ts", Uri, 7),
        (" bar|b.ts", "", Dangling, 8),
        ("b.ts|", "b.ts|#EXT-X-DISCONTINUITY|", Dangling, 10),
        ("a.ts", "a.ts|#EXT-X-ENDLIST", AfterEnd, 9),
        ("b.ts|", "b.ts|#EXT-X-ENDLIST|#EXT-X-DISCONTINUITY|", AfterEnd, 11),
        ("b.ts|", "b.ts|#EXT-X-ENDLIST|#EXT-X-ENDLIST|", Duplicate, 11),
        ("SEQUENCE:0", "SEQUENCE:0|#EXT-X-PLAYLIST-TYPE:VOD", VodEnd, 5),
    ];
    for (old, new, rule, line) in faults {
        let text = GOOD.replacen(old, new, 1);
        assert_ne!(text, GOOD, "{old:?} is in the good list");
        let found: Vec<_> = check(&lines(&text)).iter().map(|found| (found.rule, found.line)).collect();
        assert_eq!(found, [(*rule, *line)], "{old:?} -> {new:?}");
    }
    let not_utf8 = [&lines(GOOD)[..], b"#EXTINF:1,\nb\xFF.ts\n"].concat();
    assert_eq!(check(&not_utf8).iter().map(|found| found.rule).collect::<Vec<_>>(), [Utf8]);

    let mut tried: BTreeSet<_> = faults.iter().map(|(.., rule, _)| *rule).collect();
    tried.extend([Utf8, Append]);
    assert_eq!(tried, Rule::ALL.iter().copied().collect(), "every rule has a fault");
}

#[test]
fn good_lists_have_no_findings() {
    for text in [
        GOOD,
        "#EXTM3U|#EXT-X-TARGETDURATION:6|",
        "#EXTM3U|#EXT-X-TARGETDURATION:6|#EXTINF:6,|http://[::1]:80/a%20b.ts?x=1#f|#EXT-X-ENDLIST|",
        // CRLF, blank lines, comments, unknown tags, an integer EXTINF without a version.
        "#EXTM3U\r|\r||# a \u{e4} comment|#EXT-X-FOO:bar baz|#EXT-X-TARGETDURATION:6\r|#EXTINF:6,\r|a.ts\r|",
        // A segment of no length: the next one has the same date.
        "#EXTM3U|#EXT-X-TARGETDURATION:6|#EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:02:03Z|#EXTINF:0,|a.ts|\
         #EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:02:03Z|#EXTINF:0,|b.ts|",
        // A map in a list of I-frames needs 5 only.
        "#EXTM3U|#EXT-X-VERSION:5|#EXT-X-TARGETDURATION:6|#EXT-X-I-FRAMES-ONLY|#EXT-X-MAP:URI=\"a,b\",BYTERANGE=\"1@0\"|\
         #EXT-X-BYTERANGE:10@5|#EXTINF:6.4,|a.ts|",
        // Several keys before a segment, a target that comes late, dates that jump at a discontinuity.
        "#EXTM3U|#EXT-X-VERSION:5|#EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:02:03+01:00|\
         #EXT-X-KEY:METHOD=AES-128,URI=\"k\"|#EXT-X-KEY:METHOD=AES-128,URI=\"l\",KEYFORMAT=\"x\"|#EXTINF:1.0,|a.ts|\
         #EXT-X-DISCONTINUITY|#EXT-X-PROGRAM-DATE-TIME:2025-11-23T01:02:03Z|#EXTINF:1.0,|b.ts|#EXT-X-TARGETDURATION:1|",
        // A range after the last segment is bound to no segment.
        "#EXTM3U|#EXT-X-VERSION:3|#EXT-X-PLAYLIST-TYPE:VOD|#EXT-X-TARGETDURATION:6|\
         #EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:02:03Z|#EXTINF:1.0,|a.ts|\
         #EXT-X-DATERANGE:ID=\"g\",START-DATE=\"2026-11-23T01:02:04Z\",X-N=0x1F|#EXT-X-ENDLIST|",
    ] {
        assert_eq!(check(&lines(text)), [], "{text}");
    }
    assert_eq!(check(include_bytes!("golden/playlist.m3u8")), []);
}

#[test]
fn a_multivariant_playlist_is_one_finding() {
    let text = "#EXTM3U|#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\"|#EXT-X-STREAM-INF:BANDWIDTH=1|a.m3u8|";
    let found = check(&lines(text));
    assert_eq!(
        found.iter().map(|found| (found.rule, found.line)).collect::<Vec<_>>(),
        [(Rule::MediaPlaylist, 2)]
    );
}

#[test]
fn codes_are_unique_and_errors_outrank_warnings() {
    let codes: BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    assert_eq!(codes.len(), Rule::ALL.len());
    assert!(Severity::Error > Severity::Warning);
    assert_eq!(check(b"").len(), 1);
}

#[test]
fn an_append_keeps_every_earlier_byte() {
    for (old, new, expected) in [
        ("", "a|", None),
        ("a|b|", "a|b|", None),
        ("a|b|", "a|b|c|", None),
        ("a|b|", "a|", Some((Rule::Append, 2))),
        ("a|b|", "a|x|c|", Some((Rule::Append, 2))),
        ("x|b|", "a|b|c|", Some((Rule::Append, 1))),
        ("a|b|c", "a|b|d", Some((Rule::Append, 3))),
        ("a|#EXT-X-ENDLIST|", "a|#EXT-X-ENDLIST|", None),
        ("a|#EXT-X-ENDLIST|", "a|#EXT-X-ENDLIST|b|", Some((Rule::AfterEnd, 3))),
    ] {
        let found = check_append(&lines(old), &lines(new));
        assert_eq!(found.first().map(|found| (found.rule, found.line)), expected, "{old} {new}");
        assert!(found.len() <= 1);
    }
}

proptest! {
    #[test]
    fn what_a_recorder_renders_is_legal(entries in legal_entries(), end: bool) {
        let text = render(&Header { target_duration: TARGET }, &entries, end);
        prop_assert_eq!(check(&text), vec![]);
    }

    #[test]
    fn any_bytes_can_be_checked(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = check(&bytes);
    }

    #[test]
    fn findings_come_by_line_and_inside_the_text(text in "(#EXTM3U\n)?(#EXT-X-(KEY|GAP|MAP|ENDLIST|DATERANGE)(:[A-Z]{0,3}=?\"?x?\"?,?)?\n|#EXTINF:[0-9.,]{0,4}\n|[a%: ]{0,3}\n){0,20}") {
        let found = check(text.as_bytes());
        prop_assert!(found.is_sorted_by_key(|found| found.line));
        let last = text.lines().count().max(1);
        prop_assert!(found.iter().all(|found| (1..=last).contains(&found.line)), "{:?}", found);
    }
}
