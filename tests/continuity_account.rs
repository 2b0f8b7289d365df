//! What became of every second of an output: the arithmetic.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Map;
use tapeline::checksum::{Crc64, Sha256};
use tapeline::continuity::{
    Absence, Account, LossCause, LostSegment, MediaEnd, OutputState, SalvageState, SalvagedSegment, Turn,
};
use tapeline::media::Container;
use tapeline::spool::GapCause;
use tapeline::time::{MediaTime, WallTime};

const PLAYLIST: &str = "s1_main.m3u8";

fn date(second: i64) -> WallTime {
    WallTime::from_millis(1_767_225_600_000 + second * 1000)
}

/// One committed stretch in seconds: from, to, and of that in gaps (spool full), silent, doubled.
fn committed(from: i64, to: i64, [gaps, silent, doubled]: [u64; 3]) -> OutputState {
    let between = u64::try_from(to - from).unwrap() * 1000;
    let causes =
        if gaps > 0 { BTreeMap::from([(GapCause::SpoolFull, gaps * 1000)]) } else { BTreeMap::new() };
    OutputState {
        playlist: PLAYLIST.to_owned(),
        container: Container::MpegTs,
        target_duration: 4,
        segments: 9,
        bytes: 1,
        duration_millis: between + doubled * 1000 - silent * 1000,
        gaps: u64::from(gaps > 0),
        gap_millis: gaps * 1000,
        gap_causes: causes,
        silent_millis: silent * 1000,
        doubled_millis: doubled * 1000,
        independent: true,
        begin: date(from),
        end: MediaEnd { time: MediaTime::default(), clock: 1, date: date(to), unknown: Map::new() },
        hash: Sha256::of(b""),
        tail_from: 9,
        tail: Vec::new(),
        unknown: Map::new(),
    }
}

fn salvaged(from: i64, to: i64) -> SalvagedSegment {
    SalvagedSegment {
        playlist: PLAYLIST.to_owned(),
        segment: Some(9),
        key: format!("s1_main_{}.ts", date(from).compact()),
        state: SalvageState::Whole,
        cause: None,
        utc: date(from),
        start: MediaTime::default(),
        clock: 1,
        date: date(from),
        millis: u64::try_from(to - from).unwrap() * 1000,
        bytes: 1,
        crc64: Crc64::default(),
        sha256: Sha256::of(b""),
        discontinuity: false,
        unknown: Map::new(),
    }
}

fn lost(from: i64, to: i64, cause: LossCause) -> LostSegment {
    LostSegment {
        playlist: PLAYLIST.to_owned(),
        segment: None,
        name: format!("s1_main_{}.ts", date(from).compact()),
        cause,
        start: None,
        clock: None,
        date: date(from),
        millis: Some(u64::try_from(to - from).unwrap() * 1000),
        unknown: Map::new(),
    }
}

/// One turn, owned.
#[derive(Debug, Clone, Default)]
struct Part {
    committed: Option<OutputState>,
    salvaged: Vec<SalvagedSegment>,
    lost: Vec<LostSegment>,
}

fn account(parts: &[Part]) -> Option<Account> {
    let turn = |part: &'static Part| Turn {
        committed: part.committed.as_ref(),
        salvaged: part.salvaged.iter().collect(),
        lost: part.lost.iter().collect(),
    };
    // Leaked, for tests may: a turn borrows from its documents.
    let parts: &'static [Part] = Vec::leak(parts.to_vec());
    let account = Account::of(PLAYLIST, &parts.iter().map(turn).collect::<Vec<_>>())?;
    let absent: u64 = account.absent_millis.values().sum();
    let told = account.committed_millis + account.salvaged_millis + absent - account.doubled_millis;
    let between = account.end.millis() - account.begin.millis();
    assert_eq!(i64::try_from(told).unwrap(), between, "not every second is named: {account:?}");
    Some(account)
}

/// What it is about, the turns, and in seconds: committed, salvaged and twice there; absent by cause.
type Case = (&'static str, Vec<Part>, [u64; 3], Vec<(Absence, u64)>);

#[test]
fn every_second_is_named() {
    use Absence::{Silence, SpoolFailed, SpoolFull, Takeover, Unknown};
    let plain = |from, to| Part { committed: Some(committed(from, to, [0; 3])), ..Part::default() };
    let with = |part: Part, stretches: &[(i64, i64)]| Part {
        salvaged: stretches.iter().map(|&(from, to)| salvaged(from, to)).collect(),
        ..part
    };
    let without = |part: Part, stretches: &[(i64, i64, LossCause)]| Part {
        lost: stretches.iter().map(|&(from, to, cause)| lost(from, to, cause)).collect(),
        ..part
    };
    let cases: Vec<Case> = vec![
        ("one worker", vec![plain(0, 30)], [30, 0, 0], vec![]),
        (
            "its own gaps, silence and a clock set back",
            vec![Part { committed: Some(committed(0, 30, [4, 5, 2])), ..Part::default() }],
            [23, 0, 2],
            vec![(Silence, 5), (SpoolFull, 4)],
        ),
        ("a takeover", vec![plain(0, 10), plain(15, 20)], [15, 0, 0], vec![(Takeover, 5)]),
        (
            "a takeover of which most was salvaged",
            vec![with(plain(0, 10), &[(10, 12), (12, 14)]), plain(15, 20)],
            [15, 4, 0],
            vec![(Takeover, 1)],
        ),
        (
            "salvaged beyond the next worker's begin",
            vec![with(plain(0, 10), &[(10, 14), (14, 18)]), plain(15, 20)],
            [15, 8, 3],
            vec![],
        ),
        (
            "a silence between what is committed and what was salvaged",
            vec![with(plain(0, 10), &[(12, 14)]), plain(15, 20)],
            [15, 2, 0],
            vec![(Takeover, 1), (Silence, 2)],
        ),
        ("no successor", vec![with(plain(0, 10), &[(10, 12)])], [10, 2, 0], vec![]),
        ("nothing committed", vec![with(Part::default(), &[(3, 5), (5, 6)])], [0, 3, 0], vec![]),
        (
            "a turn without a commit between two others",
            vec![plain(0, 10), with(Part::default(), &[(14, 16)]), plain(20, 30)],
            [20, 2, 0],
            vec![(Takeover, 8)],
        ),
        ("two workers at once", vec![plain(0, 10), plain(8, 12)], [14, 0, 2], vec![]),
        (
            "one inside of another",
            vec![plain(0, 10), plain(2, 4), plain(11, 12)],
            [13, 0, 2],
            vec![(Takeover, 1)],
        ),
        (
            "media that a dead worker had given up",
            vec![without(with(plain(0, 10), &[(14, 16)]), &[(10, 14, LossCause::SpoolFull)]), plain(18, 20)],
            [12, 2, 0],
            vec![(Takeover, 2), (SpoolFull, 4)],
        ),
        (
            "media that is lost at the end, and some that was there all the same",
            vec![without(plain(0, 10), &[(8, 14, LossCause::Missing), (15, 16, LossCause::Unknown)])],
            [10, 0, 0],
            vec![(Silence, 1), (SpoolFailed, 4), (Unknown, 1)],
        ),
        (
            "lost before anything was committed",
            vec![without(Part::default(), &[(0, 4, LossCause::Damaged)]), plain(6, 10)],
            [4, 0, 0],
            vec![(Takeover, 2), (SpoolFailed, 4)],
        ),
    ];
    for (what, parts, [in_all, saved, twice], absent) in cases {
        let account = account(&parts).unwrap();
        let found = [account.committed_millis, account.salvaged_millis, account.doubled_millis];
        assert_eq!(found.map(|millis| millis / 1000), [in_all, saved, twice], "{what}: {account:?}");
        let absent = absent.into_iter().map(|(cause, seconds)| (cause, seconds * 1000)).collect();
        assert_eq!(account.absent_millis, absent, "{what}");
    }
    assert_eq!(account(&[]), None);
    assert_eq!(account(&[Part::default(), Part::default()]), None);
}

#[test]
fn what_an_older_program_did_not_write_down_has_an_unknown_cause() {
    let mut state = committed(0, 30, [4, 5, 0]);
    state.gap_causes.clear();
    state.silent_millis = 0;
    let account = account(&[Part { committed: Some(state), ..Part::default() }]).unwrap();
    assert_eq!(account.committed_millis, 21_000);
    assert_eq!(account.absent_millis, BTreeMap::from([(Absence::Unknown, 9_000)]));
}

#[test]
fn numbers_that_cannot_be_are_no_reason_to_panic() {
    let mut state = committed(0, 30, [4, 5, 0]);
    (state.duration_millis, state.silent_millis, state.doubled_millis) = (u64::MAX, u64::MAX, u64::MAX);
    state.gap_causes.insert(GapCause::DiskFull, u64::MAX);
    let segment = SalvagedSegment { millis: u64::MAX, ..salvaged(3, 4) };
    let turn = Turn { committed: Some(&state), salvaged: vec![&segment; 3], lost: Vec::new() };
    assert!(Account::of(PLAYLIST, &[turn]).is_some());
}

/// Begin and length of what is committed, and of it gaps, silence and what is twice there; begins and lengths of what was
/// salvaged, and of what is lost.
type RandomPart = (Option<(i64, i64, u64, u64, u64)>, Vec<(i64, i64)>, Vec<(i64, i64)>);

proptest! {
    #[test]
    fn every_second_is_named_whatever_happened(
        turns in prop::collection::vec((
            prop::option::of((0i64..100, 0i64..30, 0u64..3, 0u64..3, 0u64..3)),
            prop::collection::vec((0i64..130, 0i64..10), 0..4),
            prop::collection::vec((0i64..130, 0i64..10), 0..3),
        ), 0..4),
    ) {
        let part = |(state, saved, gone): &RandomPart| {
            let state = state.map(|(from, length, gaps, silent, doubled)| {
                committed(from, from + length + 9, [gaps, silent, doubled])
            });
            Part {
                committed: state,
                salvaged: saved.iter().map(|&(from, length)| salvaged(from, from + length)).collect(),
                lost: gone.iter().map(|&(from, length)| lost(from, from + length, LossCause::DiskFull)).collect(),
            }
        };
        // `account` adds up.
        account(&turns.iter().map(part).collect::<Vec<_>>());
    }
}
