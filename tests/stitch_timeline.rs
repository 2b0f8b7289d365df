//! Which segments play: a table of cases for each rule, and what must hold of any timeline.
//!
//! A case is drawn: each turn is a line of segments `name from..to` in seconds, by dates unless a clock is named.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tapeline::checksum::Crc64;
use tapeline::ids::Generation;
use tapeline::playlist::check;
use tapeline::stitch::{
    Draft, GapMode, GapReason, Live, Origin, Piece, Plan, Standing, Trimmed, Turn, UriBase, Verdict, render,
};
use tapeline::time::{MediaSpan, MediaTime, WallTime};

/// 2026-11-23T01:00:00Z.
const EPOCH: i64 = 1_795_395_600_000;

fn date(millis: i64) -> WallTime {
    WallTime::from_millis(EPOCH + millis)
}

/// A segment `from..to` in milliseconds, by its date alone.
fn segment(name: &str, from: i64, to: i64) -> Piece {
    Piece {
        key: format!("{name}.ts"),
        uri: format!("{name}.ts"),
        media: None,
        date: Some(date(from)),
        millis: u64::try_from(to - from).unwrap(),
        bytes: None,
        crc64: None,
        discontinuity: false,
        gap: None,
        origin: Origin::Listed,
        tags: Vec::new(),
    }
}

/// The same on a media clock.
fn on_clock(clock: u32, name: &str, from: i64, to: i64) -> Piece {
    let media = Some((MediaTime::from_ticks(from * 90), clock));
    Piece { media, ..segment(name, from, to) }
}

fn turn(generation: u8, pieces: Vec<Piece>) -> Turn {
    Turn {
        generation: Generation::new(generation),
        playlist: format!("{generation}.m3u8"),
        standing: Standing::Sealed,
        target_duration: 30,
        independent: true,
        pieces,
    }
}

fn turns(pieces: Vec<Vec<Piece>>) -> Vec<Turn> {
    (0..).zip(pieces).map(|(generation, pieces)| turn(generation, pieces)).collect()
}

/// A plan whose cuts are made.
fn plan_of(turns: Vec<Turn>, rewrite: bool) -> Plan {
    let mut draft = Draft::new(&turns, rewrite);
    let cuts: Vec<(usize, String)> = draft
        .cuts()
        .map(|(index, item)| (index, turns[item.place.turn].pieces[item.place.piece].uri.clone()))
        .collect();
    for (index, uri) in cuts {
        let key = format!("stitched_{uri}");
        draft.settle(index, Trimmed { uri: key.clone(), key, bytes: 1, pictures_lost: 0 });
    }
    Plan::new(turns, draft)
}

/// What plays: `name from..to`, in milliseconds.
fn played(plan: &Plan) -> Vec<String> {
    let said = |item: &tapeline::stitch::Item| {
        let name = plan.key((item.place.turn, item.place.piece)).trim_end_matches(".ts");
        format!("{name} {}..{}", item.place.start - EPOCH, item.end - EPOCH)
    };
    plan.items.iter().map(said).collect()
}

fn gaps(plan: &Plan) -> Vec<(i64, i64, GapReason)> {
    plan.gaps.iter().map(|gap| (gap.start - EPOCH, gap.end - EPOCH, gap.reason)).collect()
}

fn assert_adds_up(plan: &Plan) {
    let account = plan.account;
    assert_eq!(account.covered + account.uncovered, account.end - account.begin, "{account:?}");
    let gaps: i64 = plan.gaps.iter().map(|gap| gap.end - gap.start).sum();
    assert_eq!(account.gaps, gaps);
    assert!(account.gaps <= account.uncovered);
    let played: i64 = plan.items.iter().map(|item| item.end - item.place.start).sum();
    assert_eq!(played, account.covered + account.repeated);
    let rendered = render(plan, GapMode::Collapse, &UriBase::default());
    assert_eq!(i64::try_from(rendered.duration_millis).unwrap(), played);
}

/// A rule: turns, what plays, what is missing.
struct Case {
    rule: &'static str,
    turns: Vec<Vec<Piece>>,
    played: &'static [&'static str],
    gaps: &'static [(i64, i64, GapReason)],
}

fn cases() -> Vec<Case> {
    let s = segment;
    let salvaged = |name, from, to| Piece { origin: Origin::Salvaged, ..s(name, from, to) };
    let unlisted = |name, from, to| Piece { origin: Origin::Unlisted, ..s(name, from, to) };
    let lost = |name, from, to| Piece { gap: Some(GapReason::SpoolFull), ..s(name, from, to) };
    vec![
        Case {
            rule: "a failover with a gap",
            turns: vec![vec![s("a", 0, 15_000), s("b", 15_000, 30_000)], vec![s("c", 42_000, 57_000)]],
            played: &["a 0..15000", "b 15000..30000", "c 42000..57000"],
            gaps: &[(30_000, 42_000, GapReason::Failover)],
        },
        Case {
            rule: "by dates a second is no gap",
            turns: vec![vec![s("a", 0, 15_000)], vec![s("b", 16_000, 30_000)]],
            played: &["a 0..15000", "b 16000..30000"],
            gaps: &[],
        },
        Case {
            rule: "on one clock 51 ms are a gap",
            turns: vec![vec![on_clock(1, "a", 0, 15_000)], vec![on_clock(1, "b", 15_051, 30_000)]],
            played: &["a 0..15000", "b 15051..30000"],
            gaps: &[(15_000, 15_051, GapReason::Failover)],
        },
        Case {
            rule: "media time decides against dates that differ by the hosts' clocks",
            turns: vec![
                vec![on_clock(1, "a", 0, 15_000)],
                vec![Piece { date: Some(date(18_000)), ..on_clock(1, "b", 15_000, 30_000) }],
            ],
            played: &["a 0..15000", "b 15000..30000"],
            gaps: &[],
        },
        Case {
            rule: "a clock whose dates lie hours away is another one",
            turns: vec![
                vec![on_clock(1, "a", 0, 15_000)],
                vec![Piece { date: Some(date(7_200_000)), ..on_clock(1, "b", 15_000, 30_000) }],
            ],
            played: &["a 0..15000", "b 7200000..7215000"],
            gaps: &[(15_000, 7_200_000, GapReason::Failover)],
        },
        Case {
            rule: "what the newer one covers is left out, and the segment it begins in is trimmed",
            turns: vec![
                vec![s("a", 0, 10_000), s("b", 10_000, 20_000), s("c", 20_000, 30_000)],
                vec![s("d", 14_000, 24_000), s("e", 24_000, 34_000)],
            ],
            played: &["a 0..10000", "b 10000..14000", "d 14000..24000", "e 24000..34000"],
            gaps: &[],
        },
        Case {
            rule: "the same segments of two workers: the newer one's",
            turns: vec![
                vec![s("a", 0, 10_000), s("b", 10_000, 20_000), s("c", 20_000, 30_000)],
                vec![s("d", 10_000, 20_000), s("e", 20_000, 30_000), s("f", 30_000, 40_000)],
            ],
            played: &["a 0..10000", "d 10000..20000", "e 20000..30000", "f 30000..40000"],
            gaps: &[],
        },
        Case {
            rule: "where the newer one ends inside a segment of the older, it is the one that is trimmed",
            turns: vec![vec![s("a", 0, 10_000), s("b", 10_000, 20_000)], vec![s("c", 4_000, 14_000)]],
            played: &["a 0..4000", "c 4000..10000", "b 10000..20000"],
            gaps: &[],
        },
        Case {
            rule: "a newer one that lies inside a segment of the older takes nothing from it",
            turns: vec![vec![s("a", 0, 15_000)], vec![s("b", 5_000, 7_000)]],
            played: &["a 0..15000"],
            gaps: &[],
        },
        Case {
            rule: "a short first segment and its successor together cover the older one's end",
            turns: vec![vec![s("a", 0, 15_000)], vec![s("b", 5_000, 7_000), s("c", 7_000, 22_000)]],
            played: &["a 0..5000", "b 5000..7000", "c 7000..22000"],
            gaps: &[],
        },
        Case {
            rule: "three turns over each other",
            turns: vec![
                vec![s("a", 0, 10_000), s("b", 10_000, 20_000)],
                vec![s("c", 8_000, 18_000), s("d", 18_000, 28_000)],
                vec![s("e", 16_000, 36_000)],
            ],
            played: &["a 0..8000", "c 8000..16000", "e 16000..36000"],
            gaps: &[],
        },
        Case {
            rule: "a salvaged segment fills a gap, and its end goes where the next turn begins",
            turns: vec![vec![s("a", 0, 10_000), salvaged("x", 10_000, 17_000)], vec![s("b", 15_000, 25_000)]],
            played: &["a 0..10000", "x 10000..15000", "b 15000..25000"],
            gaps: &[],
        },
        Case {
            rule: "a filler takes nothing from what is sealed",
            turns: vec![
                vec![s("a", 0, 10_000), unlisted("x", 2_000, 9_000), unlisted("y", 12_000, 22_000)],
                vec![s("b", 11_000, 21_000)],
            ],
            played: &["a 0..10000", "b 11000..21000"],
            gaps: &[],
        },
        Case {
            rule: "of two fillers for the same time the salvaged one",
            turns: vec![vec![
                s("a", 0, 10_000),
                unlisted("x", 10_000, 20_000),
                salvaged("y", 10_000, 20_000),
            ]],
            played: &["a 0..10000", "y 10000..20000"],
            gaps: &[],
        },
        Case {
            rule: "gaps that the recorder entered keep their reason, and another turn may have their media",
            turns: vec![
                vec![
                    s("a", 0, 10_000),
                    lost("b", 10_000, 20_000),
                    lost("c", 20_000, 30_000),
                    s("d", 30_000, 40_000),
                ],
                vec![s("e", 20_000, 30_000)],
            ],
            played: &["a 0..10000", "e 20000..30000", "d 30000..40000"],
            gaps: &[(10_000, 20_000, GapReason::SpoolFull)],
        },
        Case {
            rule: "silence between segments of one turn",
            turns: vec![vec![s("a", 0, 10_000), s("b", 25_000, 35_000)]],
            played: &["a 0..10000", "b 25000..35000"],
            gaps: &[(10_000, 25_000, GapReason::Silence)],
        },
        Case {
            rule: "a clock that was set back inside a turn loses nothing",
            turns: vec![vec![s("a", 0, 10_000), s("b", 4_000, 14_000)]],
            played: &["a 0..10000", "b 4000..14000"],
            gaps: &[],
        },
        Case {
            rule: "nor does it take from a newer turn that covers the same time",
            turns: vec![
                vec![s("a", 20_000, 24_000), s("b", 0, 6_000), s("c", 30_000, 40_000)],
                vec![s("d", 5_000, 25_000)],
            ],
            played: &["d 5000..25000", "b 0..6000", "c 30000..40000"],
            gaps: &[(25_000, 30_000, GapReason::Failover)],
        },
        Case {
            rule: "gaps at both ends belong to the recording",
            turns: vec![vec![lost("a", 0, 10_000), s("b", 10_000, 20_000), lost("c", 20_000, 25_000)]],
            played: &["b 10000..20000"],
            gaps: &[(0, 10_000, GapReason::SpoolFull), (20_000, 25_000, GapReason::SpoolFull)],
        },
    ]
}

#[test]
fn each_rule_decides_as_it_says() {
    for Case { rule, turns: pieces, played: expected, gaps: missing } in cases() {
        let plan = plan_of(turns(pieces), true);
        assert_eq!(played(&plan), expected, "{rule}");
        assert_eq!(gaps(&plan), missing, "{rule}");
        assert_adds_up(&plan);
    }
}

#[test]
fn without_rewriting_segments_stay_whole_and_what_plays_twice_is_told() {
    let pieces = vec![vec![segment("a", 0, 10_000)], vec![segment("b", 6_000, 16_000)]];
    let plan = plan_of(turns(pieces), false);
    assert_eq!(played(&plan), ["a 0..10000", "b 6000..16000"]);
    assert_eq!((plan.account.covered, plan.account.repeated), (16_000, 4_000));
    assert_adds_up(&plan);
}

#[test]
fn a_cut_is_exact_on_one_clock() {
    let mut older = on_clock(1, "a", 0, 10_000);
    older.media = Some((MediaTime::from_ticks(7), 1));
    let mut newer = on_clock(1, "b", 6_000, 16_000);
    newer.media = Some((MediaTime::from_ticks(540_001), 1));
    let draft = Draft::new(&turns(vec![vec![older], vec![newer]]), true);
    assert_eq!(draft.items[0].cut, Some(MediaSpan::from_ticks(539_994)));
}

#[test]
fn segments_with_the_same_bytes_are_called_identical() {
    let known = |piece: Piece| Piece { bytes: Some(100), crc64: Some(Crc64::of(b"x")), ..piece };
    let pieces = vec![vec![known(segment("a", 0, 10_000))], vec![known(segment("b", 300, 10_300))]];
    let plan = plan_of(turns(pieces), true);
    assert_eq!(played(&plan), ["b 300..10300"]);
    assert_eq!(plan.verdicts, [((0, 0), Verdict::Identical { to: (1, 0) })]);
}

#[test]
fn overlaps_are_told_whatever_was_decided() {
    let pieces =
        vec![vec![segment("a", 0, 10_000), segment("b", 10_000, 20_000)], vec![segment("c", 14_000, 30_000)]];
    let plan = plan_of(turns(pieces), true);
    let [overlap] = &plan.overlaps[..] else { panic!("{:?}", plan.overlaps) };
    assert_eq!((overlap.older, overlap.newer), (0, 1));
    assert_eq!((overlap.start - EPOCH, overlap.end - EPOCH), (14_000, 20_000));
}

#[test]
fn a_discontinuity_stands_at_each_join_and_nowhere_else() {
    let pieces = vec![
        vec![segment("a", 0, 10_000), segment("b", 10_000, 20_000)],
        vec![Piece { discontinuity: true, ..segment("c", 20_000, 30_000) }, segment("d", 30_000, 40_000)],
    ];
    let plan = plan_of(turns(pieces), true);
    let marks: Vec<bool> = plan.items.iter().map(|item| item.discontinuity).collect();
    assert_eq!(marks, [false, false, true, false]);
}

#[test]
fn names_without_dates_play_in_the_order_they_are_given() {
    let undated = |name: &str| Piece { date: None, ..segment(name, 0, 10_000) };
    let plan = plan_of(turns(vec![vec![undated("a"), undated("b")], vec![undated("c")]]), true);
    assert_eq!(plan.items.len(), 3);
    assert!(!plan.dated && plan.gaps.is_empty());
    let text = render(&plan, GapMode::Collapse, &UriBase::default()).text;
    assert!(!text.contains("DATE"), "{text}");
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
}

#[test]
fn the_text_is_this_one() {
    let pieces = vec![
        vec![on_clock(1, "a", 0, 15_019), on_clock(1, "b", 15_019, 30_000)],
        vec![on_clock(1_000_001, "c", 26_000, 42_000), on_clock(1_000_001, "d", 54_500, 60_000)],
    ];
    let plan = plan_of(turns(pieces), true);
    let golden = "\
#EXTM3U
#EXT-X-VERSION:3
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-TARGETDURATION:30
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:00:00.000Z
#EXT-X-TAPELINE-MEDIA:START=0,CLOCK=1
#EXTINF:15.019,
https://cdn/x/a.ts
#EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:00:15.019Z
#EXT-X-TAPELINE-MEDIA:START=1351710,CLOCK=1
#EXTINF:10.981,
https://cdn/x/stitched_b.ts
#EXT-X-DATERANGE:ID=\"overlap-1\",CLASS=\"tapeline.overlap\",START-DATE=\"2026-11-23T01:00:26.000Z\",DURATION=4.000,X-WHY=\"generation 0 and generation 1\"
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:00:26.000Z
#EXT-X-TAPELINE-MEDIA:START=2340000,CLOCK=1000001
#EXTINF:16.000,
https://cdn/x/c.ts
#EXT-X-DATERANGE:ID=\"gap-1\",CLASS=\"tapeline.gap\",START-DATE=\"2026-11-23T01:00:42.000Z\",DURATION=12.500,X-WHY=\"nothing came of the source\"
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-11-23T01:00:54.500Z
#EXT-X-TAPELINE-MEDIA:START=4905000,CLOCK=1000001
#EXTINF:5.500,
https://cdn/x/d.ts
#EXT-X-ENDLIST
";
    let base = UriBase::new(Some("https://cdn/x/".to_owned()));
    let rendered = render(&plan, GapMode::Collapse, &base);
    assert_eq!(rendered.text, golden);
    assert!(check(golden.as_bytes()).is_empty(), "{:?}", check(golden.as_bytes()));
}

#[test]
fn tagged_gaps_are_short_never_first_and_in_runs_that_players_survive() {
    let lost = |name: &str, from, to| Piece { gap: Some(GapReason::DiskFull), ..segment(name, from, to) };
    let pieces = vec![vec![
        lost("first", 0, 10_000),
        segment("a", 10_000, 20_000),
        segment("b", 60_000, 70_000),
        segment("c", 120_000, 130_000),
        lost("d", 130_000, 140_000),
        segment("e", 140_000, 150_000),
        lost("last", 150_000, 160_000),
    ]];
    let plan = plan_of(turns(pieces), true);
    let rendered = render(&plan, GapMode::Tag, &UriBase::default());
    assert_eq!(check(rendered.text.as_bytes()), []);
    let playlist = tapeline::playlist::parse(rendered.text.as_bytes()).unwrap();
    let entries: Vec<_> =
        playlist.segments.iter().map(|entry| (entry.gap, entry.duration_millis, &*entry.uri)).collect();
    assert_eq!(
        entries,
        [
            (false, 10_000, "a.ts"),
            (true, 30_000, "gap_20261123010020000.ts"),
            (true, 10_000, "gap_20261123010050000.ts"),
            (false, 10_000, "b.ts"),
            (false, 10_000, "c.ts"),
            (true, 10_000, "d.ts"),
            (false, 10_000, "e.ts"),
        ]
    );
    assert_eq!((playlist.version, rendered.tagged_millis), (Some(8), 50_000));
}

/// Step, length, kind, discontinuity.
type AnyPiece = (i64, i64, u8, bool);

/// Turns of segments with random lengths, holes, steps back, clocks and origins.
fn any_turns() -> impl Strategy<Value = Vec<Turn>> {
    let piece = (
        prop_oneof![6 => Just(0i64), 2 => 0i64..12_000, 1 => 0i64..60, 1 => -30_000i64..0],
        prop_oneof![Just(10_000i64), 100i64..20_000],
        0u8..10,
        any::<bool>(),
    );
    let list = (0i64..60_000, prop::collection::vec(piece, 0..8), any::<bool>());
    prop::collection::vec(list, 1..4).prop_map(|lists| {
        let list = |(number, (begin, list, clocked)): (u8, (i64, Vec<AnyPiece>, bool))| {
            let mut at = begin;
            let pieces = (0..).zip(list).map(|(index, (step, length, kind, discontinuity))| {
                let from = (at + step).max(0);
                at = from + length;
                let name = format!("g{number}s{index}");
                let mut piece = segment(&name, from, at);
                if clocked {
                    piece.media = Some((MediaTime::from_ticks(from * 90), 1));
                }
                piece.discontinuity = discontinuity;
                match kind {
                    0 => piece.gap = Some(GapReason::Lost),
                    1 => piece.origin = Origin::Salvaged,
                    2 => piece.origin = Origin::Unlisted,
                    _ => {}
                }
                piece
            });
            let mut pieces: Vec<Piece> = pieces.collect();
            pieces.sort_by_key(|piece| piece.origin.is_filler());
            turn(number, pieces)
        };
        (0..).zip(lists).map(list).collect()
    })
}

/// Milliseconds that some of these intervals cover, the slow way.
fn measure(mut intervals: Vec<(i64, i64)>) -> i64 {
    intervals.sort_unstable();
    let (mut sum, mut reached) = (0, i64::MIN);
    for (start, end) in intervals {
        sum += (end - start.max(reached)).max(0);
        reached = reached.max(end);
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn any_timeline_adds_up_and_loses_nothing(turns in any_turns(), rewrite in any::<bool>()) {
        let plan = plan_of(turns.clone(), rewrite);
        assert_adds_up(&plan);
        let spans = plan.items.iter().map(|item| (item.place.start, item.end)).collect();
        prop_assert_eq!(plan.account.covered, measure(spans));
        // Every segment plays, or there is a verdict on it.
        let mut told: BTreeSet<(usize, usize)> =
            plan.items.iter().map(|item| (item.place.turn, item.place.piece)).collect();
        prop_assert_eq!(told.len(), plan.items.len(), "one plays twice");
        told.extend(plan.verdicts.iter().map(|(id, _)| *id));
        for (index, turn) in turns.iter().enumerate() {
            for (number, piece) in turn.pieces.iter().enumerate() {
                prop_assert!(piece.gap.is_some() || told.contains(&(index, number)), "{}", piece.key);
            }
        }
        // No time that a list covers is lost, but for what lies within the tolerance of a join.
        let firm = |filler: bool| -> Vec<(i64, i64)> {
            let all = turns.iter().flat_map(|turn| &turn.pieces);
            let wanted = all.filter(|piece| piece.gap.is_none() && piece.origin.is_filler() == filler);
            wanted.map(|piece| {
                let start = piece.date.unwrap().millis();
                (start, start + i64::try_from(piece.millis).unwrap())
            }).collect()
        };
        let recorded = measure(firm(false));
        let joins = i64::try_from(plan.verdicts.len() + plan.items.len()).unwrap();
        prop_assert!(plan.account.covered + 1000 * joins >= recorded, "{} of {}", plan.account.covered, recorded);
        // What is drawn is legal.
        for mode in [GapMode::Collapse, GapMode::Tag] {
            let text = render(&plan, mode, &UriBase::default()).text;
            let findings = check(text.as_bytes());
            prop_assert!(plan.items.is_empty() || findings.is_empty(), "{findings:?}\n{text}");
        }
        prop_assert_eq!(plan_of(turns, rewrite), plan);
    }

    #[test]
    fn fillers_change_nothing_that_plays_without_them(turns in any_turns()) {
        let firm: Vec<Turn> = turns.iter().map(|turn| {
            let mut turn = turn.clone();
            turn.pieces.retain(|piece| !piece.origin.is_filler());
            turn
        }).collect();
        let (with, without) = (plan_of(turns, true), plan_of(firm, true));
        let all = played(&with);
        let kept: Vec<String> = played(&without);
        let mut rest = all.iter();
        for item in &kept {
            prop_assert!(rest.any(|other| other == item), "{item} of {kept:?} is not in {all:?}");
        }
        prop_assert!(with.account.covered >= without.account.covered);
    }
}

#[test]
fn a_picture_is_well_formed_and_shows_what_happened() {
    let filler = Piece { origin: Origin::Salvaged, ..segment("x", 30_000, 36_000) };
    let lost = Piece { gap: Some(GapReason::SpoolFull), ..segment("l", 110_000, 120_000) };
    let pieces = vec![
        vec![segment("a<&\">", 0, 15_000), segment("b", 15_000, 30_000), filler],
        vec![segment("c", 50_000, 65_000), segment("d", 65_000, 80_000), segment("e", 80_000, 95_000)],
        vec![
            segment("f", 72_000, 87_000),
            segment("g", 87_000, 110_000),
            lost,
            segment("h", 120_000, 130_000),
        ],
    ];
    let plan = plan_of(turns(pieces), true);
    let picture = tapeline::stitch::picture(&plan, "s1_main & <more>");
    assert_eq!(picture, tapeline::stitch::picture(&plan, "s1_main & <more>"));
    for class in ["plays", "cut", "fills", "out", "gap", "missing", "overlap", "join"] {
        assert!(picture.contains(&format!("class=\"{class}\"")), "nothing of {class}");
    }
    for said in
        ["01:00:50.000", "s1_main &amp; &lt;more&gt;", "14.0 s", "generation 2", "cut off: 01:01:12.000"]
    {
        assert!(picture.contains(said), "no {said:?} in {picture}");
    }
    // Every element that is opened is closed, in order.
    let mut open = Vec::new();
    for tag in picture.split('<').skip(1).map(|tag| tag.split('>').next().unwrap()) {
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split([' ', '\n']).next().unwrap());
        }
    }
    assert!(open.is_empty());
    if let Some(folder) = std::env::var_os("TAPELINE_TEST_PICTURES") {
        std::fs::write(std::path::Path::new(&folder).join("stitched.svg"), picture).unwrap();
    }
}

#[test]
fn a_picture_of_a_month_is_no_larger_than_that_of_an_hour() {
    let many = (0..200_000).map(|place| segment("s", place * 15_000, (place + 1) * 15_000)).collect();
    let plan = plan_of(turns(vec![many]), true);
    assert!(tapeline::stitch::picture(&plan, "a month").len() < 200_000);
}

/// The first `count` pieces of all turns: what can be known at some moment, since an older turn ends before the next one begins.
fn at_moment(turns: &[Turn], mut count: usize) -> Vec<Turn> {
    let mut seen = Vec::new();
    for turn in turns {
        let mut turn = turn.clone();
        turn.pieces.truncate(count);
        count -= turn.pieces.len();
        if !turn.pieces.is_empty() {
            seen.push(turn);
        }
    }
    seen
}

proptest! {
    #[test]
    fn followers_write_one_text_whenever_they_look(
        turns in any_turns(),
        looks in prop::collection::vec(0usize..24, 0..6),
    ) {
        let base = UriBase::default();
        let mut looks = looks;
        looks.sort_unstable();
        let all: usize = turns.iter().map(|turn| turn.pieces.len()).sum();
        let mut follower = Live::default();
        for count in looks.into_iter().chain([all]) {
            let before = follower.text().to_owned();
            follower.extend(&at_moment(&turns, count.min(all)), &base).unwrap();
            prop_assert!(follower.text().starts_with(&before));
        }
        let mut late = Live::default();
        late.extend(&turns, &base).unwrap();
        prop_assert_eq!(follower.text(), late.text());
        let nothing = late.text().is_empty();
        late.end();
        let findings = check(late.text().as_bytes());
        prop_assert!(nothing || findings.is_empty(), "{findings:?}\n{}", late.text());
    }
}
