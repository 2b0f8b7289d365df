//! What each rule of slicing does: units go in, borders come out.
//!
//! Times in the tables are milliseconds. A segment reads `start..end Reason` in seconds, with `!` before it
//! where it does not continue the one before, `~` where it does not begin with a key frame, and its media
//! clock behind it where that is not the first.

use std::ops::Range;

use super::*;
use crate::media::{RandomAccess, VideoFormat, VideoProfile};

/// Where the stamps of a table's times begin.
const ZERO: i64 = 0;
/// So late that the 33 bits wrap after 10 s.
const NEAR_WRAP: i64 = (1 << 33) / 90 - 10_000;

#[derive(Debug, Clone, Copy)]
enum Step {
    Unit(UnitStart),
    /// What follows arrived then, in milliseconds.
    Arrived(i64),
    /// The input has been silent for long.
    Silence,
}
use Step::{Arrived, Silence, Unit};

fn stamp(millis: i64) -> Pts33 {
    Pts33::new((millis * 90).rem_euclid(1 << 33) as u64)
}

fn picture(millis: i64) -> UnitStart {
    UnitStart {
        lead: true,
        pts: Some(stamp(millis)),
        dts: Some(stamp(millis)),
        random_access: RandomAccess::None,
        video_format: None,
        kind: UnitKind::Video,
        discontinuity: false,
        tracks_changed: false,
        segment_bytes: 0,
    }
}

fn key(millis: i64) -> UnitStart {
    UnitStart { random_access: RandomAccess::Key, ..picture(millis) }
}

fn sized_key(millis: i64, width: u32) -> UnitStart {
    UnitStart { video_format: Some(VideoFormat { width, height: 90, profile: None }), ..key(millis) }
}

/// A unit of a stream that does not lead.
fn sound(millis: i64) -> UnitStart {
    UnitStart { lead: false, ..key(millis) }
}

fn without_time(unit: UnitStart) -> UnitStart {
    UnitStart { pts: None, dts: None, ..unit }
}

fn units(times: Range<i64>, step: usize, make: impl Fn(i64) -> UnitStart) -> Vec<Step> {
    times.step_by(step).map(|at| Unit(make(at))).collect()
}

/// 25 pictures a second; at every multiple of `keys` a key frame.
fn video(times: Range<i64>, keys: i64) -> Vec<Step> {
    units(times, 40, |at| if at % keys == 0 { key(at) } else { picture(at) })
}

fn audio(times: Range<i64>) -> Vec<Step> {
    units(times, 100, sound)
}

/// Sorted by decoding time, as a multiplexer would.
fn mixed(parts: &[Vec<Step>]) -> Vec<Step> {
    let mut all = parts.concat();
    all.sort_by_key(|step| match step {
        Unit(unit) => unit.dts.map(Pts33::bits),
        _ => None,
    });
    all
}

/// Pictures in decoding order I P B B P B B, each shown 40 ms after the one before.
fn with_b_pictures(times: Range<i64>, keys: i64) -> Vec<Step> {
    let shown = |k: i64| match k % 3 {
        _ if k == 0 => 0,
        1 => k + 2,
        _ => k - 1,
    };
    let count = (times.end - times.start) / 40;
    let unit = |k: i64| {
        let pts = times.start + 40 * shown(k) + 80;
        let base = if k == 0 || k % keys == 1 { key(pts) } else { picture(pts) };
        Unit(UnitStart { dts: Some(stamp(times.start + 40 * k)), ..base })
    };
    (0..count).map(unit).collect()
}

fn run(rules: SlicingRules, zero: i64, steps: &[Step]) -> Vec<Border> {
    let mut plan = Plan::new(rules, WallTime::from_millis(1_000_000), 0);
    let mut borders = Vec::new();
    for step in steps {
        match *step {
            Arrived(at) => plan.arrived(Some(WallTime::from_millis(at))),
            Silence => plan.interrupt(),
            Unit(unit) => {
                let later = |time: Option<Pts33>| {
                    time.map(|time| Pts33::new(time.bits().wrapping_add(stamp(zero).bits())))
                };
                let unit = UnitStart { pts: later(unit.pts), dts: later(unit.dts), ..unit };
                let before = plan.segments();
                let cut = plan.at_unit(&unit) == Placement::Cut;
                assert_eq!(plan.segments() - before, u64::from(cut), "a cut begins one segment: {unit:?}");
            }
        }
        borders.extend(std::iter::from_fn(|| plan.border()));
    }
    plan.finish();
    borders.extend(std::iter::from_fn(|| plan.border()));
    borders
}

/// The segments, after checks that hold for every input.
fn segments(rules: SlicingRules, zero: i64, steps: &[Step]) -> Vec<SealedSegment> {
    let mut open: Option<OpenedSegment> = None;
    let mut sealed: Vec<SealedSegment> = Vec::new();
    for border in run(rules, zero, steps) {
        match border {
            Border::Opened(facts) => {
                assert!(open.is_none(), "one at a time");
                assert_eq!(facts.seq.0, sealed.len() as u64);
                if let Some(before) = sealed.last() {
                    assert!(facts.date >= before.opened.date, "dates go on: {before:?} {facts:?}");
                    let continues = before.opened.clock == facts.clock && before.end == facts.start;
                    assert!(continues || facts.discontinuity, "a break is marked: {before:?} {facts:?}");
                }
                open = Some(facts);
            }
            Border::Sealed(facts) => {
                assert_eq!(open.take(), Some(facts.opened));
                assert!(facts.duration() > MediaSpan::ZERO, "{facts:?}");
                assert!(facts.duration() <= rules.max_length, "{facts:?}");
                assert!(facts.duration_millis <= rules.max_length.millis() as u64, "{facts:?}");
                sealed.push(facts);
            }
        }
    }
    assert!(open.is_none(), "all are sealed");
    sealed
}

fn shown(zero: i64, segment: &SealedSegment) -> String {
    let opened = &segment.opened;
    let base = MediaTime::from_ticks(stamp(zero).bits() as i64);
    format!(
        "{}{}{}..{} {:?}{}",
        if opened.discontinuity { "!" } else { "" },
        if opened.starts_with_key { "" } else { "~" },
        opened.start - base,
        segment.end - base,
        segment.reason,
        if opened.clock == 1 { String::new() } else { format!(" clock {}", opened.clock) },
    )
}

fn check(zero: i64, table: &[(&str, Vec<Step>, &[&str])]) {
    let mut wrong = Vec::new();
    for (rule, steps, expected) in table {
        let got: Vec<_> = segments(SlicingRules::default(), zero, steps)
            .iter()
            .map(|segment| shown(zero, segment))
            .collect();
        if got != *expected {
            wrong.push(format!("{rule}\n   got      {got:?}\n   expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_target_and_the_limit() {
    const NEVER: i64 = i64::MAX;
    let start = |rest: Vec<Step>| [vec![Unit(key(0))], rest].concat();
    let table: &[(&str, Vec<Step>, &[&str])] = &[
        (
            "the first key frame after 15 s",
            video(0..40_000, 4_000),
            &["0.000..16.000 Target", "16.000..32.000 Target", "32.000..40.000 Stop"],
        ),
        (
            "a key frame at 15 s itself",
            video(0..20_000, 5_000),
            &["0.000..15.000 Target", "15.000..20.000 Stop"],
        ),
        (
            "audio alone ends at 15 s on a frame's border",
            units(0..31_000, 64, key),
            &["0.000..15.040 Target", "15.040..30.080 Target", "30.080..31.040 Stop"],
        ),
        (
            "no key frame ends at the limit, and goes on",
            start(video(40..70_000, NEVER)),
            &["0.000..30.000 Limit", "~30.000..60.000 Limit", "~60.000..70.000 Stop"],
        ),
        (
            "a key frame just past the limit does not stretch it",
            start([video(40..29_980, NEVER), video(30_000..31_000, 30_000)].concat()),
            &["0.000..30.000 Target", "30.000..31.000 Stop"],
        ),
        (
            "pictures in another order than shown, at the target",
            with_b_pictures(0..40_000, 375),
            &["0.080..15.200 Target", "15.200..30.200 Target", "30.200..40.080 Stop"],
        ),
        (
            "pictures in another order than shown, at the limit: end and start are one",
            with_b_pictures(0..70_000, NEVER),
            &["0.080..30.000 Limit", "~30.000..60.000 Limit", "~60.000..70.080 Stop"],
        ),
        (
            "few pictures: the one that would reach past the limit begins the next segment",
            start(units(7_000..63_000, 7_000, picture)),
            &["0.000..28.000 Limit", "~28.000..56.000 Limit", "~56.000..63.000 Stop"],
        ),
        (
            "few pictures at uneven times: the last one's end is the end, and a break is marked",
            start(vec![
                Unit(picture(40)),
                Unit(picture(12_000)),
                Unit(picture(12_040)),
                Unit(picture(26_000)),
            ])
            .into_iter()
            .chain([Unit(picture(26_040)), Unit(picture(38_000)), Unit(picture(38_040))])
            .collect(),
            &["0.000..26.080 Limit", "!~38.000..38.080 Stop"],
        ),
        (
            "a place to begin after some pictures is preferred from midway between target and limit",
            start(video(40..22_000, NEVER))
                .into_iter()
                .chain(units(22_000..24_000, 1_000, |at| UnitStart {
                    random_access: RandomAccess::Recovery,
                    ..picture(at)
                }))
                .chain(video(23_040..25_000, NEVER))
                .collect(),
            &["0.000..22.040 Limit", "!~23.000..25.000 Stop"],
        ),
    ];
    check(ZERO, table);
    check(NEAR_WRAP, table);
}

#[test]
fn bytes_are_limited_with_and_without_times() {
    let heavy = |unit| UnitStart { segment_bytes: 50_000_000, ..unit };
    let start = video(0..2_000, 10_000);
    let table: &[(&str, Vec<Step>, &[&str])] = &[
        (
            "the lead's unit",
            [start.clone(), vec![Unit(heavy(picture(2_000))), Unit(picture(2_040))]].concat(),
            &["0.000..2.000 Limit", "~2.000..2.080 Stop"],
        ),
        (
            "a lead's unit without time",
            [start.clone(), vec![Unit(heavy(without_time(picture(0)))), Unit(picture(2_040))]].concat(),
            &["0.000..2.000 Limit", "~2.000..2.080 Stop"],
        ),
        (
            "another stream while the lead is silent",
            [start, vec![Unit(sound(3_100)), Unit(heavy(sound(3_200)))]].concat(),
            &["0.000..3.200 Limit", "~3.200..3.240 Stop"],
        ),
    ];
    check(ZERO, table);
}

#[test]
fn the_begin() {
    let unknown = |at| UnitStart { random_access: RandomAccess::Unknown, ..picture(at) };
    let table: &[(&str, Vec<Step>, &[&str])] = &[
        ("nothing", vec![], &[]),
        ("at the first key frame", video(1_000..5_000, 2_000), &["2.000..5.000 Stop"]),
        ("without any, after 30 s", video(40..32_000, 90_000), &["~30.040..32.000 Stop"]),
        ("not known to be key, after 1 s", units(0..3_000, 40, unknown), &["~1.000..3.000 Stop"]),
        ("sound does not begin what pictures lead", audio(0..1_900), &[]),
        ("pictures announced but never sent", audio(0..5_000), &["~2.000..4.900 Stop"]),
        (
            "one picture that is not key, then sound alone",
            [vec![Unit(picture(0))], audio(0..33_000)].concat(),
            &["~30.000..32.900 Stop clock 2"],
        ),
        (
            "the sound's clock jumps back before the begin",
            [audio(900_000..901_000), audio(0..5_000)].concat(),
            &["~2.000..4.900 Stop"],
        ),
        (
            "sound that changed before the begin",
            [
                vec![
                    Unit(sound(0)),
                    Unit(UnitStart { kind: UnitKind::Audio { changed: true }, ..sound(100) }),
                ],
                video(120..5_000, 1_000),
            ]
            .concat(),
            &["1.000..5.000 Stop"],
        ),
        ("units without time alone", units(0..9_000, 40, |at| without_time(key(at))), &[]),
    ];
    check(ZERO, table);
}

#[test]
fn parameters_and_tracks() {
    let changed = |unit| UnitStart { kind: UnitKind::Audio { changed: true }, ..unit };
    let tracks = |unit| UnitStart { tracks_changed: true, ..unit };
    let sized = |times: Range<i64>, width| {
        units(times, 40, |at| if at % 2_000 == 0 { sized_key(at, width) } else { picture(at) })
    };
    let leveled = |times: Range<i64>, level| {
        let profile = Some(VideoProfile::H264 { profile: 100, constraints: 0, level });
        let format = Some(VideoFormat { width: 160, height: 90, profile });
        let key = |at| UnitStart { video_format: format, ..key(at) };
        units(times, 40, |at| if at % 2_000 == 0 { key(at) } else { picture(at) })
    };
    // Another size every 2 s.
    let flapping: Vec<Step> =
        (0..12).flat_map(|n: i64| sized(n * 2_000..(n + 1) * 2_000, 100 + n as u32)).collect();
    let slowly: Vec<Step> =
        (0..5).flat_map(|n: i64| sized(n * 8_000..(n + 1) * 8_000, 100 + n as u32)).collect();
    let table: &[(&str, Vec<Step>, &[&str])] = &[
        (
            "another size cuts at its key frame",
            [sized(0..6_000, 160), sized(6_000..10_000, 320)].concat(),
            &["0.000..6.000 Parameters", "!6.000..10.000 Stop"],
        ),
        (
            "another level of the same size cuts too",
            [sized(0..6_000, 160), leveled(6_000..10_000, 40), leveled(10_000..12_000, 40)].concat(),
            &["0.000..6.000 Parameters", "!6.000..12.000 Stop"],
        ),
        ("the same size does not", sized(0..10_000, 160), &["0.000..10.000 Stop"]),
        (
            "after three in 15 s the next ones wait for the target, then a break",
            flapping,
            &[
                "0.000..2.000 Parameters",
                "!2.000..4.000 Parameters",
                "!4.000..6.000 Parameters",
                "!6.000..22.000 Target",
                "!22.000..24.000 Stop",
            ],
        ),
        (
            "every 8 s is no flapping",
            slowly,
            &[
                "0.000..8.000 Parameters",
                "!8.000..16.000 Parameters",
                "!16.000..24.000 Parameters",
                "!24.000..32.000 Parameters",
                "!32.000..40.000 Stop",
            ],
        ),
        (
            "other sound cuts at the next key frame",
            mixed(&[video(0..8_000, 2_000), audio(0..3_050), vec![Unit(changed(sound(3_100)))]]),
            &["0.000..4.000 Parameters", "!4.000..8.000 Stop"],
        ),
        (
            "other sound where sound leads cuts there",
            [units(0..3_000, 100, key), vec![Unit(changed(key(3_000)))], units(3_100..5_000, 100, key)]
                .concat(),
            &["0.000..3.000 Parameters", "!3.000..5.000 Stop"],
        ),
        (
            "other tracks cut at the lead's next unit",
            [video(0..3_000, 2_000), vec![Unit(tracks(picture(3_000)))], video(3_040..5_000, 10_000)]
                .concat(),
            &["0.000..3.000 Tracks", "!~3.000..5.000 Stop"],
        ),
        (
            "other tracks and another size are one cut",
            [sized(0..4_000, 160), vec![Unit(tracks(sized_key(4_000, 320)))], sized(4_040..9_000, 320)]
                .concat(),
            &["0.000..4.000 Tracks", "!4.000..9.000 Stop"],
        ),
        (
            "other tracks and no unit of the lead: the others' unit after 2 s",
            [video(0..3_000, 2_000), units(3_000..7_000, 100, |at| tracks(sound(at)))]
                .concat()
                .into_iter()
                .take(75 + 21)
                .collect(),
            &["0.000..5.000 Tracks", "!~5.000..5.040 Stop"],
        ),
        (
            "other tracks, and a unit without time",
            [
                video(0..3_000, 2_000),
                vec![Unit(tracks(without_time(picture(0))))],
                video(3_000..5_000, 10_000),
            ]
            .concat(),
            &["0.000..3.000 Tracks", "!~3.000..5.000 Stop"],
        ),
    ];
    check(ZERO, table);
}

#[test]
fn silence_and_jumps() {
    let announced = |unit| UnitStart { discontinuity: true, ..unit };
    let table: &[(&str, Vec<Step>, &[&str])] = &[
        (
            "15 s without a unit",
            [video(0..5_000, 1_000), video(20_000..22_000, 1_000)].concat(),
            &["0.000..5.000 Interruption", "!20.000..22.000 Stop"],
        ),
        (
            "14 s without a unit",
            [video(0..5_000, 1_000), video(18_960..20_000, 5_000)].concat(),
            &["0.000..20.000 Stop"],
        ),
        (
            "the lead is silent, the others are not",
            mixed(&[video(0..5_000, 1_000), video(25_000..27_000, 1_000), audio(0..27_000)]),
            &["0.000..25.000 Target", "25.000..27.000 Stop"],
        ),
        (
            "the lead is silent for longer than a segment may be, and comes back",
            mixed(&[video(0..5_000, 1_000), video(70_000..72_000, 1_000), audio(0..72_000)]),
            &["0.000..30.000 Limit", "~30.000..60.000 Limit", "~60.000..72.000 Stop"],
        ),
        (
            "all are silent, sound comes back first",
            [
                mixed(&[video(0..5_000, 1_000), audio(0..5_000)]),
                mixed(&[video(30_120..32_000, 1_000), audio(30_000..32_000)]),
            ]
            .concat(),
            &["0.000..5.000 Interruption", "!~30.000..32.000 Stop"],
        ),
        (
            "all are silent, sound comes back alone",
            [mixed(&[video(0..5_000, 1_000), audio(0..5_000)]), audio(30_000..34_000)].concat(),
            &["0.000..5.000 Interruption", "!~30.000..33.900 Stop"],
        ),
        (
            "the clock jumps back, pictures first",
            [
                mixed(&[video(900_000..905_000, 1_000), audio(900_000..905_000)]),
                mixed(&[video(0..3_000, 1_000), audio(100..3_000)]),
            ]
            .concat(),
            &["900.000..905.000 ClockJump", "!0.000..3.000 Stop clock 2"],
        ),
        (
            "the clock jumps back, sound first",
            [
                mixed(&[video(900_000..905_000, 1_000), audio(900_000..905_000)]),
                audio(0..500),
                mixed(&[video(120..3_000, 1_000), audio(500..3_000)]),
            ]
            .concat(),
            &["900.000..905.000 ClockJump", "!~0.120..3.000 Stop clock 2"],
        ),
        (
            "the clock jumps far ahead",
            [video(0..5_000, 1_000), video(9_000_000..9_002_000, 1_000)].concat(),
            &["0.000..5.000 ClockJump", "!9000.000..9002.000 Stop clock 2"],
        ),
        (
            "a break that is announced makes a small step a jump",
            [video(0..5_000, 1_000), vec![Unit(announced(key(8_000)))], video(8_040..9_000, 20_000)].concat(),
            &["0.000..5.000 ClockJump", "!8.000..9.000 Stop clock 2"],
        ),
        (
            "one stamp of the sound far ahead costs two cuts and no more",
            [
                mixed(&[video(0..5_000, 1_000), audio(0..5_000)]),
                vec![Unit(sound(40_000))],
                mixed(&[video(5_000..15_000, 1_000), audio(5_000..15_000)]),
            ]
            .concat(),
            &["0.000..5.000 Interruption", "!~40.000..40.040 ClockJump", "!5.000..15.000 Stop clock 2"],
        ),
    ];
    check(ZERO, table);
    // Interleaved one to one, so that the lead never falls silent.
    let strange: Vec<Step> = (0..500)
        .flat_map(|n| {
            [video(n * 40..n * 40 + 1, 10_000), units(40_000 + n * 40..40_001 + n * 40, 40, sound)].concat()
        })
        .collect();
    check(ZERO, &[("sound whose clock is always another is not believed", strange, &["0.000..20.000 Stop"])]);
}

#[test]
fn an_interruption_ends_at_the_last_frame() {
    let table: &[(&str, Vec<Step>, &[&str])] = &[
        (
            "whatever comes next begins another",
            [video(0..5_000, 1_000), vec![Silence], video(22_040..23_000, 5_000)].concat(),
            &["0.000..5.000 Interruption", "!~22.040..23.000 Stop"],
        ),
        (
            "shorter than a gap of the media clock",
            [video(0..5_000, 1_000), vec![Silence], video(5_040..6_000, 5_000)].concat(),
            &["0.000..5.000 Interruption", "!~5.040..6.000 Stop"],
        ),
        (
            "another clock comes back",
            [video(900_000..905_000, 1_000), vec![Silence], video(0..1_000, 5_000)].concat(),
            &["900.000..905.000 Interruption", "!0.000..1.000 Stop clock 2"],
        ),
        (
            "sound comes back first",
            [video(0..5_000, 1_000), audio(4_900..5_000), vec![Silence], audio(8_000..12_000)].concat(),
            &["0.000..5.000 Interruption", "!~8.000..11.900 Stop"],
        ),
        (
            "a unit without time comes back",
            [video(0..5_000, 1_000), vec![Silence, Unit(without_time(picture(0)))]].concat(),
            &["0.000..5.000 Interruption", "!~5.000..5.040 Stop"],
        ),
        ("twice", [video(0..1_000, 1_000), vec![Silence, Silence]].concat(), &["0.000..1.000 Interruption"]),
        ("before anything", [vec![Silence], video(1_000..2_000, 1_000)].concat(), &["1.000..2.000 Stop"]),
    ];
    check(ZERO, table);
}

fn dates(steps: &[Step]) -> Vec<(i64, i64)> {
    let date = |segment: &SealedSegment| (segment.opened.date.millis(), segment.duration_millis as i64);
    segments(SlicingRules::default(), ZERO, steps).iter().map(date).collect()
}

#[test]
fn dates_are_anchored_once_per_run_of_the_clock() {
    // Without arrival the next run's date goes on where the last one ended.
    let jump = [video(900_000..905_000, 1_000), video(0..2_000, 1_000)].concat();
    assert_eq!(dates(&jump), [(1_000_000, 5_000), (1_005_000, 2_000)]);
    // With it, the arrival of its first unit is the date, however late the others arrive.
    let late = [
        vec![Arrived(5_000_000)],
        video(900_000..905_000, 1_000),
        vec![Arrived(5_009_000)],
        video(905_000..906_000, 1_000),
        vec![Arrived(5_012_000)],
        video(0..2_000, 1_000),
    ];
    assert_eq!(dates(&late.concat()), [(5_000_000, 6_000), (5_012_000, 2_000)]);
    // A burst at the begin runs ahead of the wall clock; dates do not go back.
    let burst = [
        vec![Arrived(5_000_000)],
        video(900_000..910_000, 1_000),
        vec![Arrived(5_001_000)],
        video(0..2_000, 1_000),
    ];
    assert_eq!(dates(&burst.concat()), [(5_000_000, 10_000), (5_010_000, 2_000)]);
}

#[test]
fn arrival_tells_silence_from_a_jump() {
    let after = |arrived: i64| {
        let steps = [
            vec![Arrived(5_000_000)],
            video(0..5_000, 1_000),
            audio(5_000..9_000),
            vec![Arrived(5_000_000 + arrived)],
            video(29_000..30_000, 1_000),
        ];
        let all = segments(SlicingRules::default(), ZERO, &steps.concat());
        all.iter().map(|segment| (segment.reason, segment.opened.clock)).collect::<Vec<_>>()
    };
    assert_eq!(after(20_000), [(CutReason::Interruption, 1), (CutReason::Stop, 1)]);
    assert_eq!(after(1_000), [(CutReason::ClockJump, 1), (CutReason::Stop, 2)]);
}

#[test]
fn sums_of_durations_do_not_drift() {
    // 29.97 pictures a second, key frames 15.015 s apart: no border is a whole millisecond.
    let steps: Vec<_> = (0..54_000i64)
        .map(|n| {
            let at = Pts33::new((n * 3003) as u64);
            let base = if n % 450 == 0 { key(0) } else { picture(0) };
            Unit(UnitStart { pts: Some(at), dts: Some(at), ..base })
        })
        .collect();
    let all = segments(SlicingRules::default(), ZERO, &steps);
    assert_eq!(all.len(), 120);
    let sum: u64 = all.iter().map(|segment| segment.duration_millis).sum();
    assert_eq!(sum, 54_000 * 3003 / 90);
}

#[test]
fn a_silent_lead_does_not_stop_sound_from_being_cut_by_bytes_or_time_for_hours() {
    let mut steps = video(0..1_000, 1_000);
    steps.extend(audio(1_000..3_600_000));
    let all = segments(SlicingRules::default(), ZERO, &steps);
    assert_eq!(all.len(), 120);
    assert!(all.iter().all(|segment| segment.reason != CutReason::Interruption));
}
