//! Reading gives back what was written, forgives what is known to occur, and refuses the rest clearly.

mod playlist_support;

use playlist_support::*;
use proptest::prelude::*;
use tapeline::playlist::{
    Entry, Header, MAX_LINE, ParseErrorKind, Playlist, PlaylistType, Segment, check, parse,
};
use tapeline::time::{MediaTime, WallTime};

const HEADER: Header = Header { target_duration: TARGET };

/// `|` stands for a line end.
fn read(text: &str) -> Playlist {
    parse(text.replace('|', "\n").as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn uris(playlist: &Playlist) -> Vec<&str> {
    playlist.segments.iter().map(|segment| segment.uri.as_str()).collect()
}

fn noted_lines(playlist: &Playlist) -> Vec<usize> {
    playlist.notes.iter().map(|note| note.line).collect()
}

#[test]
fn the_golden_list_is_read_whole() {
    let playlist = parse(include_bytes!("golden/playlist.m3u8")).unwrap();
    let segments = vec![
        Segment {
            uri: "38f8e3cfdc474cd56fc1ceba380d7e1a_room_20261123010203456.ts".into(),
            duration_millis: 15_019,
            date: WallTime::parse_rfc3339("2026-11-23T01:02:03.456Z"),
            media: Some((MediaTime::from_ticks(8_100_000_000), 1)),
            line: 9,
            ..Segment::default()
        },
        Segment {
            uri: "38f8e3cfdc474cd56fc1ceba380d7e1a_a%23b_20261123010220000.ts".into(),
            duration_millis: 6,
            discontinuity: true,
            date: WallTime::parse_rfc3339("2026-11-23T01:02:20Z"),
            media: Some((MediaTime::from_ticks(-900), 2)),
            line: 14,
            ..Segment::default()
        },
        Segment {
            uri: "38f8e3cfdc474cd56fc1ceba380d7e1a_a%23b_20261123010220006.ts".into(),
            duration_millis: 30_000,
            gap: true,
            date: WallTime::parse_rfc3339("2026-11-23T01:02:20.006Z"),
            media: Some((MediaTime::from_ticks(-360), 2)),
            line: 19,
            ..Segment::default()
        },
    ];
    let expected = Playlist {
        version: Some(8),
        target_duration: Some(30),
        playlist_type: Some(PlaylistType::Event),
        ended: true,
        segments,
        ..Playlist::default()
    };
    assert_eq!(playlist, expected);
}

#[test]
fn every_tag_stays_with_its_segment_in_order() {
    let playlist = read(
        "#EXTM3U|#EXT-X-VERSION:7|#EXT-X-START:TIME-OFFSET=1|#EXT-X-MEDIA-SEQUENCE:7|\
         #EXT-X-DISCONTINUITY-SEQUENCE:3|#EXT-X-INDEPENDENT-SEGMENTS|#EXT-X-KEY:METHOD=NONE|\
         #EXT-X-MAP:URI=\"i.mp4\",X-OWN=1|#EXT-X-AGORA-TRACK-EVENT:EVENT=START|#EXTINF:6,Foo, bar|a.mp4|\
         #EXTINF:6,|#EXT-X-DATERANGE:ID=\"1\",X-B=\"x,y\"|#EXT-X-DATERANGE:ID=\"2\"|#EXT-X-BYTERANGE:10|#EXT-X-GAP|b.mp4|\
         #EXT-X-TARGETDURATION:6|#EXT-X-AGORA-TRACK-EVENT:EVENT=STOP|#EXT-X-DISCONTINUITY|#EXT-X-ENDLIST|",
    );
    assert_eq!(playlist.notes, []);
    assert_eq!((playlist.version, playlist.target_duration), (Some(7), Some(6)));
    assert_eq!((playlist.media_sequence, playlist.discontinuity_sequence), (7, 3));
    assert!(playlist.independent_segments && playlist.ended);
    assert_eq!(playlist.header_tags, ["#EXT-X-START:TIME-OFFSET=1"]);
    assert_eq!(playlist.trailing_tags, ["#EXT-X-AGORA-TRACK-EVENT:EVENT=STOP", "#EXT-X-DISCONTINUITY"]);
    let [a, b] = &playlist.segments[..] else { panic!("{:?}", playlist.segments) };
    assert_eq!((a.uri.as_str(), a.title.as_deref()), ("a.mp4", Some("Foo, bar")));
    assert_eq!(
        a.other_tags,
        [
            "#EXT-X-KEY:METHOD=NONE",
            "#EXT-X-MAP:URI=\"i.mp4\",X-OWN=1",
            "#EXT-X-AGORA-TRACK-EVENT:EVENT=START"
        ]
    );
    assert_eq!(
        b.other_tags,
        ["#EXT-X-DATERANGE:ID=\"1\",X-B=\"x,y\"", "#EXT-X-DATERANGE:ID=\"2\"", "#EXT-X-BYTERANGE:10"]
    );
    assert_eq!((b.gap, b.discontinuity, b.date, b.media), (true, false, None, None));
}

#[test]
fn known_oddities_are_forgiven() {
    // URIs, durations, lines with a note.
    type Read<'a> = (&'a [&'a str], &'a [u64], &'a [usize]);
    let cases: &[(&str, Read)] = &[
        ("#EXTM3U|", (&[], &[], &[])),
        ("#EXTM3U", (&[], &[], &[])),
        ("||#EXTM3U\r|#EXTINF:6,\r|a.ts\r|", (&["a.ts"], &[6000], &[])),
        ("\u{FEFF}#EXTM3U|#EXTINF:6,|a.ts|", (&["a.ts"], &[6000], &[1])),
        ("#EXTM3U|#EXTINF:15.019000|a.ts|", (&["a.ts"], &[15_019], &[2])),
        ("#EXTM3U|#EXTINF: 6 , a|a.ts|", (&["a.ts"], &[6000], &[])),
        (
            "#EXTM3U|#EXTINF:-1,|a.ts|#EXTINF:abc,|b.ts|#EXTINF|c.ts|",
            (&["a.ts", "b.ts", "c.ts"], &[0, 0, 0], &[2, 4, 6, 6]),
        ),
        ("#EXTM3U|a.ts|", (&["a.ts"], &[0], &[2])),
        ("#EXTM3U|#EXTINF:6,|#EXTINF:7,|a.ts|", (&["a.ts"], &[7000], &[3])),
        ("#EXTM3U|#EXTINF:6,|,a.ts|", (&[",a.ts"], &[6000], &[])),
        ("#EXTM3U|#EXTINF:6,|  a b.ts \t|", (&["a b.ts"], &[6000], &[3])),
        ("#EXTM3U|#EXTINF:6,|a\u{0}b\rc.ts|", (&["a\u{FFFD}b\u{FFFD}c.ts"], &[6000], &[3])),
        ("#EXTM3U|#EXT-X-TARGETDURATION:6.5|#EXTINF:6,|a.ts|", (&["a.ts"], &[6000], &[2])),
        (
            "#EXTM3U|#EXT-X-DISCONTINUITY-SEQUENCE:x|#EXT-X-VERSION:|#EXTINF:6,|a.ts|",
            (&["a.ts"], &[6000], &[2, 3]),
        ),
        ("#EXTM3U|#EXT-X-MEDIA-SEQUENCE:18446744073709551616|#EXTINF:6,|a.ts|", (&["a.ts"], &[6000], &[2])),
        ("#EXTM3U|#EXTINF:6,|a.ts|#EXT-X-ENDLIST|#EXTINF:6,|b.ts|", (&["a.ts", "b.ts"], &[6000, 6000], &[6])),
        ("#EXTM3U|#EXT-X-PROGRAM-DATE-TIME:yesterday|#EXTINF:6,|a.ts|", (&["a.ts"], &[6000], &[2])),
        // Torn ends.
        ("#EXTM3U|#EXTINF:6,|a.ts|#EXTIN", (&["a.ts"], &[6000], &[4])),
        ("#EXTM3U|#EXTINF:6,|a.ts|#EXTINF:5", (&["a.ts"], &[6000], &[4])),
        ("#EXTM3U|#EXTINF:6,|a.ts|#EXTINF:5,|", (&["a.ts"], &[6000], &[4])),
        ("#EXTM3U|#EXTINF:6,|a.ts|#EXTINF:5,|b.t", (&["a.ts"], &[6000], &[5, 5])),
        ("#EXTM3U|#EXTINF:6,|a.ts|#EXTINF:5,|b.ts", (&["a.ts", "b.ts"], &[6000, 5000], &[5])),
        ("#EXTM3U|#EXTINF:6,|a.ts|#EXT-X-ENDLIS", (&["a.ts"], &[6000], &[4])),
        ("#EXTM3U|#EXTINF:6,|a.ts|#EXT-X-ENDLIST", (&["a.ts"], &[6000], &[])),
        ("#EXTM3U|#EXT-X-MEDIA-SEQUENCE:12", (&[], &[], &[2])),
    ];
    for (text, (expected, durations, notes)) in cases {
        let playlist = read(text);
        assert_eq!(uris(&playlist), *expected, "{text}");
        assert_eq!(
            playlist.segments.iter().map(|segment| segment.duration_millis).collect::<Vec<_>>(),
            *durations,
            "{text}"
        );
        assert_eq!(noted_lines(&playlist), *notes, "{text}: {:?}", playlist.notes);
    }
}

#[test]
fn what_is_forgiven_keeps_its_meaning() {
    let ended = read("#EXTM3U|#EXTINF:6,|a.ts|#EXT-X-ENDLIST");
    assert!(ended.ended);
    assert!(!read("#EXTM3U|#EXTINF:6,|a.ts|#EXT-X-ENDLIS").ended);
    assert_eq!(read("#EXTM3U|#EXT-X-TARGETDURATION:6.5|").target_duration, Some(7));
    assert_eq!(read("#EXTM3U|#EXT-X-PLAYLIST-TYPE:LIVE|").header_tags, ["#EXT-X-PLAYLIST-TYPE:LIVE"]);
    assert_eq!(read("#EXTM3U|#EXTINF:5,|b.t").trailing_tags, ["#EXTINF:5,"]);
    for date in
        ["2026-11-23T01:02:03.456Z", "2026-11-23T02:02:03.456+0100", "2026-11-22T23:02:03.456999-02:00"]
    {
        let playlist = read(&format!("#EXTM3U|#EXT-X-PROGRAM-DATE-TIME:{date}|#EXTINF:6,|a.ts|"));
        assert_eq!(playlist.segments[0].date, WallTime::parse_rfc3339("2026-11-23T01:02:03.456Z"), "{date}");
    }
    let odd = read("#EXTM3U|#EXT-X-TAPELINE-MEDIA:START=1|#EXT-X-PROGRAM-DATE-TIME:x|#EXTINF:6,|a.ts|");
    assert_eq!(odd.segments[0].other_tags, ["#EXT-X-TAPELINE-MEDIA:START=1", "#EXT-X-PROGRAM-DATE-TIME:x"]);
    assert_eq!(odd.segments[0].to_entry(), None);
    let not_utf8 = parse(b"#EXTM3U\n#EXTINF:6,\na\xFF.ts\n#EXTINF:6,\nb.ts\n").unwrap();
    assert_eq!(uris(&not_utf8), ["a\u{FFFD}.ts", "b.ts"]);
    assert_eq!(noted_lines(&not_utf8), [3]);
}

#[test]
fn what_is_no_media_playlist_is_refused() {
    let long = "x".repeat(MAX_LINE + 1);
    for (text, kind, line) in [
        ("", ParseErrorKind::NoHeader, 1),
        ("\n\n", ParseErrorKind::NoHeader, 2),
        ("#EXTM3", ParseErrorKind::NoHeader, 1),
        ("#EXTM3U8\n", ParseErrorKind::NoHeader, 1),
        ("# Audio\na.m3u8\n", ParseErrorKind::NoHeader, 1),
        ("<?xml?>", ParseErrorKind::NoHeader, 1),
        ("#EXTM3U\n# Audio\na.m3u8\n", ParseErrorKind::NotMedia, 3),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n", ParseErrorKind::NotMedia, 2),
        ("#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO\n", ParseErrorKind::NotMedia, 2),
        ("#EXTM3U\n#EXTINF:6,\na.ts\n#EXT-X-SESSION-KEY:METHOD=NONE\n", ParseErrorKind::NotMedia, 4),
        (&format!("#EXTM3U\n{long}\n"), ParseErrorKind::LineTooLong, 2),
    ] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.line), (kind, line), "{}", text.get(..40).unwrap_or(text));
        assert!(error.to_string().starts_with(&format!("line {line}: ")));
    }
}

/// A list with something of everything, for mutations.
fn good_list() -> Vec<u8> {
    b"#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:1\n\
      #EXT-X-DISCONTINUITY-SEQUENCE:2\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-INDEPENDENT-SEGMENTS\n\
      #EXT-X-START:TIME-OFFSET=-1.5,PRECISE=YES\n#EXT-X-MAP:URI=\"i.mp4\",BYTERANGE=\"10@0\"\n\
      #EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x00\n#EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:02:03.456Z\n\
      #EXT-X-TAPELINE-MEDIA:START=8100000000,CLOCK=1\n#EXTINF:5.005,Foo, bar\na%20b.ts\n\
      #EXT-X-DISCONTINUITY\n#EXT-X-DATERANGE:ID=\"g\",START-DATE=\"2026-11-23T01:02:04Z\",X-A=\"x,y\"\n\
      #EXT-X-BYTERANGE:100@5\r\n#EXT-X-GAP\n#EXTINF:6,\nhttp://[::1]:80/b.ts?x=1#f\n#EXT-X-ENDLIST\n"
        .to_vec()
}

#[derive(Debug, Clone)]
enum Mutation {
    Set(usize, u8),
    Insert(usize, u8),
    Remove(usize, usize),
    Copy(usize, usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(&b"\n\r#:,=\"%.@-09 "[..])];
    prop_oneof![
        (any::<usize>(), byte.clone()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        (any::<usize>(), byte).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        (any::<usize>(), 0..40usize).prop_map(|(at, len)| Mutation::Remove(at, len)),
        (any::<usize>(), any::<usize>(), 0..80usize)
            .prop_map(|(from, to, len)| Mutation::Copy(from, to, len)),
    ]
}

fn mutate(text: &mut Vec<u8>, mutation: &Mutation) {
    let place = |at: usize, text: &Vec<u8>| at % (text.len() + 1);
    match *mutation {
        Mutation::Set(at, byte) => {
            let at = place(at, text);
            if let Some(old) = text.get_mut(at) {
                *old = byte;
            }
        }
        Mutation::Insert(at, byte) => text.insert(place(at, text), byte),
        Mutation::Remove(at, len) => {
            let at = place(at, text);
            text.drain(at..(at + len).min(text.len()));
        }
        Mutation::Copy(from, to, len) => {
            let (from, to) = (place(from, text), place(to, text));
            let piece = text[from..(from + len).min(text.len())].to_vec();
            text.splice(to..to, piece);
        }
    }
}

/// As many segments must come out as there are URI lines, unless the torn last one was dropped.
fn count_segments(text: &[u8]) -> Result<(), TestCaseError> {
    match parse(text) {
        Ok(playlist) => {
            let text = String::from_utf8_lossy(text);
            let is_uri = |line: &&str| {
                !line.trim_matches([' ', '\t', '\r']).is_empty()
                    && !line.trim_start_matches([' ', '\t']).starts_with('#')
            };
            let expected = text.trim_start_matches('\u{FEFF}').split('\n').filter(is_uri).count();
            let dropped =
                playlist.notes.iter().filter(|note| note.what.ends_with("may be cut, dropped")).count();
            prop_assert!(playlist.segments.len() + dropped >= expected, "{text:?}\n{playlist:?}");
            prop_assert!(playlist.segments.len() <= expected, "{text:?}\n{playlist:?}");
        }
        Err(error) => prop_assert_ne!(error.kind, ParseErrorKind::Inconsistent, "{}", error),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn reading_gives_back_what_was_rendered(entries in any_entries(), end: bool) {
        let playlist = parse(&render(&HEADER, &entries, end)).unwrap();
        let read: Vec<Option<Entry>> = playlist.segments.iter().map(Segment::to_entry).collect();
        let expected: Vec<_> = entries.into_iter().map(Some).collect();
        prop_assert_eq!(read, expected);
        prop_assert_eq!(playlist.notes, vec![]);
        prop_assert_eq!((playlist.ended, playlist.target_duration), (end, Some(u64::from(TARGET))));
        prop_assert_eq!(playlist.trailing_tags.len() + playlist.header_tags.len(), 0);
    }

    #[test]
    fn a_torn_list_gives_a_prefix_of_its_segments(entries in legal_entries(), end: bool, cut: prop::sample::Index) {
        let text = render(&HEADER, &entries, end);
        let torn = &text[..cut.index(text.len())];
        let Ok(playlist) = parse(torn) else {
            prop_assert!(torn.len() < "#EXTM3U".len());
            return Ok(());
        };
        // A name such as "a.ts.ts" can be cut to another whole name; such a segment is the last one.
        let whole = playlist.segments.iter().zip(&entries).filter(|(read, entry)| read.to_entry().as_ref() == Some(*entry)).count();
        prop_assert!(whole + 1 >= playlist.segments.len());
        prop_assert!(playlist.segments.len() <= entries.len());
    }

    #[test]
    fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
        count_segments(&[b"#EXTM3U\n", &bytes[..]].concat())?;
    }

    #[test]
    fn mutated_lists_lose_and_invent_no_segment(mutations in prop::collection::vec(mutation(), 0..8)) {
        let mut text = good_list();
        for mutation in &mutations {
            mutate(&mut text, mutation);
        }
        count_segments(&text)?;
        let _ = check(&text);
    }
}

#[test]
fn the_list_for_mutations_is_good() {
    assert_eq!(check(&good_list()), []);
    assert_eq!(parse(&good_list()).unwrap().notes, []);
}
