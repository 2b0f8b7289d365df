//! What may be sent when: tables, and any order of answers.

use super::*;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

const NOW: Duration = Duration::from_secs(100);

fn later(seconds: u64) -> Duration {
    NOW + Duration::from_secs(seconds)
}

fn plan(limits: Limits, outputs: usize) -> Plan {
    let mut plan = Plan::new(limits, Form::Numbered);
    (0..outputs).for_each(|_| plan.add_output());
    plan
}

fn steps(plan: &mut Plan, now: Duration) -> Vec<Step> {
    std::iter::from_fn(|| plan.step(now)).collect()
}

fn store(output: usize, place: u64) -> Step {
    Step::Store { output, place }
}

fn written(size: u64) -> Written {
    Written { size, sent: size }
}

const PUBLISH: Step = Step::Publish { output: 0 };

#[test]
fn the_last_commit_waits_for_a_store_with_one_key_and_for_no_other() {
    for (form, expected) in [(Form::Numbered, vec![Step::Commit]), (Form::Update, Vec::new())] {
        let mut plan = Plan::new(Limits::default(), form);
        plan.add_output();
        plan.sealed(0, 10);
        assert_eq!(steps(&mut plan, NOW), [store(0, 0)]);
        plan.stored(0, 0);
        assert_eq!(steps(&mut plan, NOW), [Step::Commit]);
        plan.committed(NOW, written(100), [1000]);
        steps(&mut plan, NOW);
        (0..2).for_each(|_| plan.sealed(0, 10));
        plan.end(true);
        steps(&mut plan, NOW);
        plan.stored(0, 1);
        assert_eq!(steps(&mut plan, NOW), [], "{form:?}: one is still on its way");
        plan.stored(0, 2);
        assert_eq!(steps(&mut plan, NOW), expected, "{form:?}");
    }
}

#[test]
fn a_segment_is_committed_after_those_before_it_and_then_published() {
    let mut plan = plan(Limits::default(), 1);
    (0..3).for_each(|_| plan.sealed(0, 10));
    assert_eq!(steps(&mut plan, NOW), [store(0, 0), store(0, 1), store(0, 2)]);
    plan.stored(0, 1);
    assert_eq!(steps(&mut plan, NOW), []);
    plan.stored(0, 0);
    assert_eq!(steps(&mut plan, NOW), [Step::Commit]);
    assert_eq!(plan.batch().first(), Some(&(0..2)));
    plan.stored(0, 2);
    assert_eq!(steps(&mut plan, later(5)), [], "one commit at a time");
    assert_eq!(plan.batch().first(), Some(&(0..2)), "a batch is frozen when it is sent");
    plan.committed(later(5), written(100), [1000]);
    assert_eq!(steps(&mut plan, later(5)), [PUBLISH], "a second after the answer at the earliest");
    assert_eq!(steps(&mut plan, later(6)), [Step::Commit]);
    plan.committed(later(6), written(100), [1500]);
    assert_eq!(steps(&mut plan, later(6)), [], "one publication at a time");
    plan.published(0);
    assert_eq!(plan.published_segments(0), 2);
    assert_eq!(steps(&mut plan, later(6)), [PUBLISH]);
    plan.end(true);
    assert_eq!(steps(&mut plan, later(6)), [Step::Close]);
    plan.closed(true);
    assert_eq!(steps(&mut plan, later(6)), []);
    plan.published(0);
    assert!(!plan.is_done());
    assert_eq!(steps(&mut plan, later(6)), [PUBLISH], "the end");
    assert!(plan.shows_end(0) && !plan.is_done());
    plan.published(0);
    assert!(plan.is_done());
    assert_eq!(steps(&mut plan, later(6)), []);
}

#[test]
fn there_is_one_commit_a_second_for_all_outputs() {
    let mut plan = plan(Limits::default(), 2);
    plan.sealed(0, 10);
    plan.sealed(1, 10);
    steps(&mut plan, NOW);
    plan.stored(0, 0);
    assert_eq!(steps(&mut plan, NOW), [Step::Commit]);
    plan.committed(NOW, written(100), [500, 0]);
    plan.stored(1, 0);
    let soon = NOW + Duration::from_millis(999);
    assert_eq!(steps(&mut plan, soon), [PUBLISH]);
    assert_eq!(plan.wake(), Some(later(1)));
    plan.sealed(0, 10);
    assert_eq!(steps(&mut plan, soon), [store(0, 1)]);
    plan.stored(0, 1);
    assert_eq!(steps(&mut plan, later(1)), [Step::Commit]);
    assert_eq!(plan.batch(), [1..2, 0..1]);
}

#[test]
fn one_key_is_written_once_a_second_at_the_end_too() {
    let mut plan = Plan::new(Limits::default(), Form::Update);
    plan.add_output();
    plan.sealed(0, 10);
    steps(&mut plan, NOW);
    plan.stored(0, 0);
    plan.end(true);
    assert_eq!(steps(&mut plan, NOW), [Step::Commit]);
    plan.committed(NOW, written(62_000), [500]);
    assert_eq!(steps(&mut plan, NOW), [PUBLISH]);
    assert_eq!(plan.wake(), Some(later(1)));
    assert_eq!(steps(&mut plan, later(1)), [Step::Close]);
}

#[test]
fn repeats_of_a_commit_do_not_slow_the_next_one() {
    let mut plan = plan(Limits::default(), 1);
    plan.sealed(0, 10);
    steps(&mut plan, NOW);
    plan.stored(0, 0);
    steps(&mut plan, NOW);
    plan.committed(NOW, Written { size: 4_000, sent: 40_000_000 }, [500]);
    plan.sealed(0, 10);
    steps(&mut plan, NOW);
    plan.stored(0, 1);
    assert_eq!(plan.wake(), Some(later(1)));
}

#[test]
fn a_playlist_whose_text_is_lost_holds_nothing_back() {
    let mut plan = plan(Limits::default(), 1);
    plan.sealed(0, 10);
    steps(&mut plan, NOW);
    plan.stored(0, 0);
    steps(&mut plan, NOW);
    plan.committed(NOW, written(100), [500]);
    assert_eq!(steps(&mut plan, NOW), [PUBLISH]);
    plan.muted(0);
    plan.sealed(0, 10);
    steps(&mut plan, NOW);
    plan.stored(0, 1);
    assert_eq!(steps(&mut plan, later(1)), [Step::Commit]);
    plan.committed(later(1), written(100), [2 << 20]);
    assert_eq!(plan.wake(), None);
    plan.end(true);
    assert_eq!(steps(&mut plan, later(1)), [Step::Close]);
    plan.closed(true);
    assert!(plan.is_done());
}

#[test]
fn a_store_that_takes_no_playlist_is_not_asked_to_hold_it_all_in_the_control_object() {
    let mut plan = plan(Limits::default(), 1);
    assert_eq!(commit_one(&mut plan, 0, 10, 500, NOW), [PUBLISH]);
    plan.sealed(0, 10);
    steps(&mut plan, later(15));
    plan.stored(0, 1);
    assert_eq!(steps(&mut plan, later(15)), [Step::Commit]);
    plan.committed(later(15), written(100), [1 << 20]);
    plan.sealed(0, 10);
    steps(&mut plan, later(30));
    plan.stored(0, 2);
    assert_eq!((steps(&mut plan, later(30)), plan.wake()), (vec![], None));
    plan.published(0);
    assert_eq!(steps(&mut plan, later(30)), [Step::Commit, PUBLISH]);
}

#[test]
fn a_large_control_object_is_sent_less_often() {
    let mut plan = plan(Limits::default(), 1);
    plan.sealed(0, 10);
    steps(&mut plan, NOW);
    plan.stored(0, 0);
    assert_eq!(steps(&mut plan, NOW), [Step::Commit]);
    plan.committed(NOW, written(62_000), [500]);
    plan.sealed(0, 10);
    steps(&mut plan, NOW);
    plan.stored(0, 1);
    assert_eq!(plan.wake(), Some(later(4)));
    assert_eq!(steps(&mut plan, later(3)), []);
    assert_eq!(steps(&mut plan, later(4)), [Step::Commit]);
}

#[test]
fn an_orphan_gets_no_end_and_is_published_before_it_is_left() {
    let mut plan = plan(Limits::default(), 1);
    plan.sealed(0, 10);
    steps(&mut plan, NOW);
    plan.stored(0, 0);
    plan.end(false);
    assert_eq!(steps(&mut plan, NOW), [Step::Commit]);
    plan.committed(NOW, written(100), [500]);
    assert_eq!(steps(&mut plan, NOW), [PUBLISH], "afterwards it may be somebody else's");
    plan.published(0);
    assert_eq!(steps(&mut plan, NOW), [Step::Close]);
    plan.closed(false);
    assert_eq!(steps(&mut plan, NOW), []);
    assert!(plan.is_done() && !plan.shows_end(0));
}

#[test]
fn a_recording_without_a_segment_is_closed_and_nothing_published() {
    let mut plan = plan(Limits::default(), 1);
    plan.end(true);
    assert_eq!(steps(&mut plan, NOW), [Step::Close]);
    assert!(!plan.is_done());
    plan.closed(true);
    assert!(plan.is_done());
}

/// Commits one segment more, of `media` bytes, with a text of `text` bytes; what is to be done then.
fn commit_one(plan: &mut Plan, place: u64, media: u64, text: u64, now: Duration) -> Vec<Step> {
    plan.sealed(0, media);
    assert_eq!(steps(plan, now), [store(0, place)]);
    plan.stored(0, place);
    assert_eq!(steps(plan, now), [Step::Commit]);
    plan.committed(now, written(0), [text]);
    steps(plan, now)
}

#[test]
fn a_playlist_waits_for_the_budget_and_not_for_ever() {
    let mut plan = plan(Limits::default(), 1);
    // All of the allowance goes into the first, which is never held back.
    assert_eq!(commit_one(&mut plan, 0, 10, 2 << 20, NOW), [PUBLISH]);
    plan.published(0);
    assert_eq!(commit_one(&mut plan, 1, 10, (2 << 20) + 200, later(15)), []);
    assert_eq!(plan.wake(), Some(later(615)));
    assert_eq!(steps(&mut plan, later(614)), []);
    assert_eq!(steps(&mut plan, later(615)), [PUBLISH], "ten minutes are enough");
    plan.published(0);
    assert_eq!(commit_one(&mut plan, 2, 10, (2 << 20) + 60_000, later(700)), []);
    let large = (2 << 20) + 200 + 64 * 1024;
    assert_eq!(commit_one(&mut plan, 3, 10, large, later(710)), [PUBLISH], "the tail is large");
    plan.published(0);
    assert_eq!(commit_one(&mut plan, 4, 2 << 30, large + 200, later(720)), [PUBLISH], "it was earned");
    plan.published(0);
    assert_eq!(commit_one(&mut plan, 5, 10, 9 << 20, later(730)), [PUBLISH], "a budget is left");
}

#[test]
fn the_output_with_the_most_to_say_is_published_first() {
    let mut plan = plan(Limits::default(), 3);
    let commit = |plan: &mut Plan, now, texts: [u64; 3]| {
        (0..3).for_each(|output| plan.sealed(output, 10));
        for step in steps(plan, now) {
            let Step::Store { output, place } = step else { panic!("{step:?}") };
            plan.stored(output, place);
        }
        assert_eq!(plan.step(now), Some(Step::Commit));
        plan.committed(now, written(0), texts);
    };
    commit(&mut plan, NOW, [2 << 20; 3]);
    let publish = |output| Step::Publish { output };
    assert_eq!(steps(&mut plan, NOW), [0, 1, 2].map(publish));
    (0..3).for_each(|output| plan.published(output));
    commit(&mut plan, later(15), [(2 << 20) + 20_000, (2 << 20) + 31_000, (2 << 20) + 30_000]);
    assert_eq!(steps(&mut plan, later(15)), [publish(1)], "then the others are no longer too much");
}

#[test]
fn a_segment_larger_than_the_limit_goes_alone() {
    let mut plan = plan(Limits { segments: 4, bytes: 100 }, 1);
    plan.sealed(0, 1000);
    plan.sealed(0, 10);
    assert_eq!(steps(&mut plan, NOW), [store(0, 0)]);
    plan.stored(0, 0);
    assert!(steps(&mut plan, NOW).contains(&store(0, 1)));
}

#[test]
fn a_segment_that_is_given_up_is_committed_as_a_gap_in_its_place() {
    let mut plan = plan(Limits { segments: 2, bytes: 100 }, 1);
    (0..4).for_each(|_| plan.sealed(0, 10));
    assert_eq!(steps(&mut plan, NOW), [store(0, 0), store(0, 1)]);
    // Not those under way.
    assert_eq!(plan.to_spare(), Some((0, 2)));
    plan.given_up(0, 2);
    assert_eq!(plan.to_spare(), Some((0, 3)));
    plan.given_up(0, 3);
    assert_eq!(plan.to_spare(), Some((0, 1)), "the youngest that is under way");
    plan.given_up(0, 1);
    assert_eq!(plan.under_way(), (1, 10));
    // Its answer comes all the same.
    plan.stored(0, 1);
    plan.sealed_as_gap(0);
    assert_eq!(steps(&mut plan, NOW), [], "the first is still under way");
    plan.stored(0, 0);
    plan.end(true);
    assert_eq!(steps(&mut plan, NOW), [Step::Commit]);
    assert_eq!(plan.batch().first(), Some(&(0..5)));
    plan.committed(NOW, written(0), [500]);
    assert_eq!(steps(&mut plan, NOW)[0], Step::Close);
    assert_eq!((plan.under_way(), plan.to_spare()), ((0, 0), None));
}

#[test]
fn the_oldest_of_all_outputs_is_given_up_first() {
    let mut plan = plan(Limits { segments: 1, bytes: 100 }, 3);
    [2, 1, 0, 1, 2].into_iter().for_each(|output| plan.sealed(output, 10));
    assert_eq!(steps(&mut plan, NOW), [store(0, 0)]);
    let given_up: Vec<_> = std::iter::from_fn(|| {
        let (output, place) = plan.to_spare()?;
        plan.given_up(output, place);
        Some((output, place))
    })
    .collect();
    assert_eq!(given_up, [(2, 0), (1, 0), (1, 1), (2, 1), (0, 0)]);
}

#[test]
fn what_waited_for_hours_is_committed_in_parts() {
    let mut plan = plan(Limits::default(), 2);
    (0..300).for_each(|_| plan.sealed_as_gap(1));
    assert_eq!(steps(&mut plan, NOW), [Step::Commit]);
    assert_eq!(plan.batch(), [0..0, 0..256]);
    plan.committed(NOW, written(0), [0, 500]);
    assert_eq!(steps(&mut plan, NOW), [Step::Publish { output: 1 }]);
    assert_eq!(steps(&mut plan, later(1)), [Step::Commit]);
    assert_eq!(plan.batch(), [0..0, 256..300]);
}

proptest! {
    /// Whatever order the answers come in: nothing is committed before it is stored nor published before it
    /// is committed, places come in order, the limits hold, and all ends closed and published.
    #[test]
    fn any_order_of_answers_ends_well(
        sizes in prop::collection::vec((0usize..3, 1u64..60), 0..40),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 400),
        pauses in prop::collection::vec(0u64..1500, 400),
        given_up in prop::collection::vec(0usize..400, 0..6),
    ) {
        let limits = Limits { segments: 3, bytes: 100 };
        let mut plan = plan(limits, 3);
        let mut sealed = [0u64; 3];
        let mut size_of = HashMap::new();
        for &(output, bytes) in &sizes {
            plan.sealed(output, bytes);
            size_of.insert((output, sealed[output]), bytes);
            sealed[output] += 1;
        }
        plan.end(true);
        let mut now = NOW;
        let (mut open, mut stored) = (Vec::new(), HashSet::new());
        let (mut committed, mut shown, mut last_commit) = ([0u64; 3], [0u64; 3], None);
        for (round, (pick, pause)) in picks.into_iter().zip(pauses).enumerate() {
            if given_up.contains(&round) && let Some((output, place)) = plan.to_spare() {
                // As good as stored, and what was under way of it is called off.
                plan.given_up(output, place);
                stored.insert((output, place));
                open.retain(|step| *step != Step::Store { output, place });
            }
            now += Duration::from_millis(pause);
            if open.is_empty() && !plan.is_done() {
                now = now.max(plan.wake().unwrap_or(now));
            }
            for step in steps(&mut plan, now) {
                match step {
                    Step::Commit => {
                        // But the last: this store has a key for each version.
                        let is_last = stored.len() == sizes.len();
                        prop_assert!(is_last || last_commit.is_none_or(|last| now - last >= COMMIT_PACE));
                        last_commit = Some(now);
                        for (output, places) in plan.batch().into_iter().enumerate() {
                            prop_assert_eq!(places.start, committed[output]);
                            prop_assert!(places.clone().all(|place| stored.contains(&(output, place))));
                        }
                    }
                    Step::Close => prop_assert_eq!(committed, sealed),
                    Step::Publish { output } => {
                        prop_assert!(committed[output] > 0);
                        shown[output] = committed[output];
                    }
                    Step::Store { .. } => {}
                }
                open.push(step);
            }
            let storing: Vec<_> = open.iter().filter_map(|step| match step {
                Step::Store { output, place } => Some(size_of[&(*output, *place)]),
                _ => None,
            }).collect();
            prop_assert!(storing.len() <= limits.segments);
            prop_assert!(storing.len() == 1 || storing.iter().sum::<u64>() <= limits.bytes);
            prop_assert!(open.iter().filter(|step| **step == Step::Commit).count() <= 1);
            if open.is_empty() { break }
            match open.swap_remove(pick.index(open.len())) {
                Step::Store { output, place } => {
                    stored.insert((output, place));
                    plan.stored(output, place);
                }
                Step::Commit => {
                    for (output, places) in plan.batch().into_iter().enumerate() {
                        committed[output] = places.end;
                    }
                    plan.committed(now, written(300), committed.map(|count| 100 + 200 * count));
                }
                Step::Close => plan.closed(true),
                Step::Publish { output } => plan.published(output),
            }
        }
        prop_assert!(plan.is_done());
        prop_assert_eq!((committed, shown), (sealed, sealed));
    }
}
