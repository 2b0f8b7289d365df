//! A change of the control object, from the first try to its end: every path, as a table.

mod control_support;

use bytes::Bytes;
use control_support::{addition, claimed, entry, started};
use tapeline::continuity::{Change, ControlObject, Heard, Next};

type Found = Option<Box<(ControlObject, u32)>>;

/// What is expected next, without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// On this version.
    Swap(Option<u32>),
    Read,
    Pause,
    Won(u32),
    /// By the change of this nonce; none where the object is gone.
    Lost(Option<&'static str>),
}

use Step::{Lost, Pause, Read, Swap, Won};

fn step(next: &Next<u32>, body: &Bytes) -> Step {
    match next {
        Next::Swap(on, sent) => {
            assert_eq!(sent, body, "the body, and with it the nonce, is always the same");
            Swap(*on)
        }
        Next::Read => Read,
        Next::Pause => Pause,
        Next::Won(version) => Won(*version),
        Next::Lost(None) => Lost(None),
        Next::Lost(Some(found)) => Lost(Some(match found.0.nonce.as_str() {
            "b0-1" => "b0-1",
            "a0-1" => "a0-1",
            "c0-1" => "c0-1",
            other => panic!("{other}"),
        })),
    }
}

/// Runs a change through what is heard; after each, the next step must be the one beside it.
#[track_caller]
fn run(base: Option<&ControlObject>, to: &ControlObject, heard: Vec<(Heard<u32>, Step)>) {
    let mut change = Change::new(base.map(|base| (base, &1)), to);
    let body = to.encode();
    assert_eq!(step(&change.next(), &body), Swap(base.map(|_| 1)));
    for (number, (heard, expected)) in heard.into_iter().enumerate() {
        change.hear(heard);
        assert_eq!(step(&change.next(), &body), expected, "after {}", number + 1);
        assert_eq!(step(&change.next(), &body), expected, "asking again changes nothing");
    }
}

fn found(state: &ControlObject, version: u32) -> Heard<u32> {
    Heard::Found(Some(Box::new((state.clone(), version))))
}

const GONE: fn() -> Heard<u32> = || Heard::Found(None as Found);

#[test]
fn an_update_is_settled_on_every_path() {
    let base = started();
    let ours = base.commit(&[addition(0, vec![entry(0)], 0)], "a0-2".to_owned());
    let theirs = claimed(&base, "b0");
    let later = claimed(&theirs, "c0");
    let run = |heard| run(Some(&base), &ours, heard);

    // A clean win.
    run(vec![(Heard::Swapped(2), Won(2))]);
    // Refused or without an answer, and yet ours.
    run(vec![(Heard::NotSwapped, Read), (found(&ours, 2), Won(2))]);
    // Nothing has changed: the same body again, after a pause.
    run(vec![
        (Heard::NotSwapped, Read),
        (found(&base, 1), Pause),
        (Heard::Paused, Swap(Some(1))),
        (Heard::Swapped(2), Won(2)),
    ]);
    // The first try took effect only after it was looked for; the repeat is refused.
    run(vec![
        (Heard::NotSwapped, Read),
        (found(&base, 1), Pause),
        (Heard::Paused, Swap(Some(1))),
        (Heard::NotSwapped, Read),
        (found(&ours, 2), Won(2)),
    ]);
    // Another change came first, at once or between two tries.
    run(vec![(Heard::NotSwapped, Read), (found(&theirs, 2), Lost(Some("b0-1")))]);
    run(vec![
        (Heard::NotSwapped, Read),
        (found(&base, 1), Pause),
        (Heard::Paused, Swap(Some(1))),
        (Heard::NotSwapped, Read),
        (found(&later, 3), Lost(Some("c0-1"))),
    ]);
    // Copied in place by somebody: the same state under another version.
    run(vec![
        (Heard::NotSwapped, Read),
        (found(&base, 7), Pause),
        (Heard::Paused, Swap(Some(7))),
        (Heard::Swapped(8), Won(8)),
    ]);
    // The object is gone, on five looks; on one it may be a replica that lags.
    let mut gone = vec![(Heard::NotSwapped, Read)];
    for _ in 0..4 {
        gone.extend([(GONE(), Pause), (Heard::Paused, Read)]);
    }
    gone.push((GONE(), Lost(None)));
    run(gone);
    run(vec![(Heard::NotSwapped, Read), (GONE(), Pause), (Heard::Paused, Read), (found(&ours, 2), Won(2))]);
    // It cannot be read: that decides nothing.
    run(vec![
        (Heard::NotSwapped, Read),
        (Heard::NotRead, Pause),
        (Heard::Paused, Read),
        (Heard::NotRead, Pause),
        (Heard::Paused, Read),
        (found(&ours, 2), Won(2)),
    ]);
    // A pause after reading leads to the repeat, one after not reading to reading.
    run(vec![
        (Heard::NotSwapped, Read),
        (Heard::NotRead, Pause),
        (Heard::Paused, Read),
        (found(&base, 1), Pause),
        (Heard::Paused, Swap(Some(1))),
    ]);
}

#[test]
fn a_creation_is_settled_on_every_path() {
    let ours = started();
    let theirs = ControlObject { nonce: "b0-1".to_owned(), ..started() };
    let run = |heard| run(None, &ours, heard);
    run(vec![(Heard::Swapped(1), Won(1))]);
    run(vec![(Heard::NotSwapped, Read), (found(&ours, 1), Won(1))]);
    run(vec![(Heard::NotSwapped, Read), (found(&theirs, 1), Lost(Some("b0-1")))]);
    // "There is one", and then there is none: a conflict over a key that nobody holds.
    run(vec![
        (Heard::NotSwapped, Read),
        (GONE(), Pause),
        (Heard::Paused, Swap(None)),
        (Heard::NotSwapped, Read),
        (GONE(), Pause),
        (Heard::Paused, Swap(None)),
        (Heard::Swapped(1), Won(1)),
    ]);
    run(vec![(Heard::NotSwapped, Read), (Heard::NotRead, Pause), (Heard::Paused, Read), (GONE(), Pause)]);
}

/// Neither an equal counter nor an equal state makes another's change ours.
#[test]
fn only_the_nonce_says_whose_a_change_is() {
    let base = started();
    let ours = base.commit(&[addition(0, vec![entry(0)], 0)], "a0-2".to_owned());
    let twin = ControlObject { nonce: "b0-1".to_owned(), ..ours.clone() };
    run(Some(&base), &ours, vec![(Heard::NotSwapped, Read), (found(&twin, 2), Lost(Some("b0-1")))]);
    // One of the base's counter, but not the base.
    let other_base = ControlObject { nonce: "b0-1".to_owned(), ..base.clone() };
    run(Some(&base), &ours, vec![(Heard::NotSwapped, Read), (found(&other_base, 1), Lost(Some("b0-1")))]);
    // The base's nonce with another counter: no version that there ever was.
    let odd = ControlObject { counter: 7, ..base.clone() };
    run(Some(&base), &ours, vec![(Heard::NotSwapped, Read), (found(&odd, 1), Lost(Some("a0-1")))]);
}
