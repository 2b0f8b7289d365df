//! What follows from what was seen.

use super::*;

fn check(guarantee: Guarantee, outcome: Outcome) -> Check {
    Check::new(guarantee, Finding(outcome, format!("seen {}", guarantee.name())))
}

fn report(outcomes: [Outcome; 7]) -> Report {
    let checks = Guarantee::ALL.into_iter().zip(outcomes);
    Report::new("s3://b".to_owned(), checks.map(|(guarantee, outcome)| check(guarantee, outcome)).collect())
}

#[test]
fn a_form_follows_from_what_holds_and_never_from_doubt() {
    use Outcome::{Failed as F, Inconclusive as I, Passed as P, Skipped as S};
    let cases = [
        ([P, P, P, P, P, P, P], Verdict::Usable(Form::Update)),
        ([F, S, S, S, S, S, S], Verdict::Refused(Guarantee::ReadAfterWrite)),
        ([P, F, S, S, S, S, S], Verdict::Refused(Guarantee::CreateOnce)),
        ([P, P, F, S, S, S, S], Verdict::Refused(Guarantee::CreateRace)),
        ([P, P, F, P, P, P, P], Verdict::Refused(Guarantee::CreateRace)),
        ([P, P, P, F, S, S, S], Verdict::Usable(Form::Numbered)),
        ([P, P, P, P, F, S, S], Verdict::Usable(Form::Numbered)),
        ([P, P, P, P, P, F, S], Verdict::Usable(Form::Numbered)),
        ([P, P, P, P, P, P, F], Verdict::Usable(Form::Numbered)),
        ([I, S, S, S, S, S, S], Verdict::Inconclusive(Guarantee::ReadAfterWrite)),
        ([P, I, S, S, S, S, S], Verdict::Inconclusive(Guarantee::CreateOnce)),
        ([P, P, I, F, S, S, S], Verdict::Inconclusive(Guarantee::CreateRace)),
        ([P, P, P, I, S, S, S], Verdict::Inconclusive(Guarantee::Update)),
        ([P, P, P, P, P, P, I], Verdict::Inconclusive(Guarantee::UpdateRace)),
        ([P, P, P, P, I, P, F], Verdict::Usable(Form::Numbered)),
    ];
    for (outcomes, verdict) in cases {
        assert_eq!(report(outcomes).verdict, verdict, "{outcomes:?}");
    }
    let quick = [Guarantee::ReadAfterWrite, Guarantee::CreateOnce].map(|guarantee| check(guarantee, P));
    assert_eq!(judge(&quick), Verdict::Usable(Form::Numbered), "updates were not looked at");
}

#[test]
fn the_error_names_what_is_missing_and_what_was_seen() {
    use Outcome::{Failed, Inconclusive, Passed, Skipped};
    let refused = report([Passed, Failed, Skipped, Skipped, Skipped, Skipped, Skipped]).form().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    for part in ["s3://b", "creating a key a second time is refused", "seen create once"] {
        assert!(refused.message().contains(part), "{refused}");
    }
    let unclear = report([Passed, Passed, Inconclusive, Skipped, Skipped, Skipped, Skipped]);
    let unclear = unclear.form().unwrap_err();
    assert_eq!(unclear.kind(), ErrorKind::Unavailable);
    assert!(unclear.message().contains("seen racing creates"), "{unclear}");
}

#[test]
fn one_answered_success_that_is_there_is_one_winner() {
    let unknown = || Ending::Unknown("429".to_owned());
    let (won, lost) = (Ending::Won, Ending::Lost);
    let race = |endings: [&Ending; 3], left| judge_race(&endings.map(Clone::clone), left);
    assert_eq!(race([&lost, &won, &lost], Left::Of(1)), Round::OneWinner);
    assert_eq!(race([&lost, &won, &unknown()], Left::Of(1)), Round::OneWinner);
    let wrong = [
        ([&won, &won, &lost], Left::Of(1), "2 of 3"),
        ([&won, &won, &won], Left::Of(0), "3 of 3"),
        ([&won, &unknown(), &won], Left::Before, "2 of 3"),
        ([&won, &lost, &lost], Left::Of(1), "replaced"),
        ([&won, &unknown(), &lost], Left::Of(1), "replaced"),
        ([&won, &lost, &lost], Left::Before, "not there"),
    ];
    for (endings, left, says) in wrong {
        match race(endings, left) {
            Round::Wrong(seen) => assert!(seen.contains(says), "{seen}"),
            other => panic!("{endings:?} {left:?}: {other:?}"),
        }
    }
    let unclear = [
        ([&lost, &lost, &lost], Left::Before),
        ([&lost, &lost, &lost], Left::Of(2)),
        ([&unknown(), &lost, &lost], Left::Of(0)),
        ([&won, &unknown(), &unknown()], Left::Of(0)),
    ];
    for (endings, left) in unclear {
        assert!(matches!(race(endings, left), Round::Unclear(_)), "{endings:?} {left:?}");
    }
}
