//! Every change of a recording's state: a table of phases, and what commits add up to.

mod control_support;

use control_support::{addition, claimed, date, entry, holder, in_generation, playlist, seal_name, started};
use proptest::prelude::*;
use tapeline::continuity::{Addition, ControlObject, Phase, Refusal, Seal, TailEntry};
use tapeline::ids::Generation;

/// A state of each phase, in a generation.
fn in_phase(phase: Phase, generation: u8) -> Option<ControlObject> {
    let state = in_generation(generation);
    Some(match phase {
        Phase::Recording => state.commit(&[addition(generation, vec![entry(0)], 0)], "r".to_owned()),
        Phase::Recovering if generation > 0 => state,
        Phase::Orphaned => state.orphan("o".to_owned()),
        Phase::Stopped => state.stop(seal_name(&state), "s".to_owned()).unwrap(),
        Phase::Abandoned if generation == 3 => {
            state.claim(holder("z"), seal_name(&state), "z".to_owned()).unwrap()
        }
        Phase::Recovering | Phase::Abandoned => return None,
    })
    .inspect(|state| assert_eq!(state.phase, phase))
}

#[test]
fn every_change_leads_where_the_table_says() {
    use Phase::{Abandoned, Orphaned, Recording, Recovering, Stopped};
    // The phase, then the phase after a claim (before the last generation, and in it) and after a stop.
    let table = [
        (Recording, Ok(Recovering), Ok(Abandoned), Ok(Stopped)),
        (Recovering, Ok(Recovering), Ok(Abandoned), Ok(Stopped)),
        (Orphaned, Ok(Recovering), Ok(Abandoned), Ok(Stopped)),
        (Stopped, Err(Refusal::Stopped), Err(Refusal::Stopped), Err(Refusal::Stopped)),
        (Abandoned, Err(Refusal::Abandoned), Err(Refusal::Abandoned), Err(Refusal::Abandoned)),
    ];
    let mut seen = 0;
    for (phase, claim, last_claim, stop) in table {
        for generation in 0..=3 {
            let Some(state) = in_phase(phase, generation) else { continue };
            seen += 1;
            assert_eq!(state.check_open(), stop.map(drop), "{phase}");
            let seal = seal_name(&state);
            let claimed = state.claim(holder("n"), seal.clone(), "n".to_owned());
            let expected = if generation == 3 { last_claim } else { claim };
            assert_eq!(
                claimed.as_ref().map(|next| next.phase),
                expected.as_ref().map(|phase| *phase),
                "{phase}"
            );
            let stopped = state.stop(seal.clone(), "n".to_owned());
            assert_eq!(stopped.as_ref().map(|next| next.phase), stop.as_ref().map(|phase| *phase), "{phase}");
            for next in claimed.iter().chain(&stopped) {
                assert_eq!((next.epoch, next.counter), (state.epoch + 1, state.counter + 1));
                assert_eq!((next.nonce.as_str(), next.seals.last()), ("n", Some(&seal)));
                assert_eq!(next.seals.len(), state.seals.len() + 1);
                assert!(!next.is_still(&state), "the worker before is fenced");
                assert_eq!(ControlObject::decode(&next.encode()).as_ref(), Ok(next));
            }
        }
    }
    assert_eq!(seen, 4 + 3 + 4 + 4 + 1);
}

#[test]
fn a_claim_begins_a_generation_and_keeps_nothing_of_the_last() {
    let first = in_phase(Phase::Recording, 0).unwrap();
    let next = claimed(&first, "b0");
    assert_eq!((next.generation, next.outputs.len()), (Generation::new(1).unwrap(), 0));
    assert_eq!(next.holder, holder("b0"));
    assert_eq!((&next.sid, &next.cname, &next.prefix), (&first.sid, &first.cname, &first.prefix));
    let abandoned = in_phase(Phase::Abandoned, 3).unwrap();
    let before = in_generation(3);
    assert_eq!(
        (abandoned.generation, &abandoned.holder),
        (Generation::LAST, &before.holder),
        "nobody took it"
    );
    let stopped = first.stop(seal_name(&first), "s".to_owned()).unwrap();
    assert_eq!(
        (stopped.outputs, stopped.holder),
        (first.outputs, first.holder),
        "it is still told what there is"
    );
}

#[test]
fn the_holder_is_fenced_by_epoch_and_phase_alone() {
    let state = in_phase(Phase::Recording, 0).unwrap();
    let commit = state.commit(&[addition(0, vec![entry(1)], 0)], "a0-3".to_owned());
    assert!(commit.is_still(&state), "its own commits do not fence it");
    assert!(!state.orphan("o".to_owned()).is_still(&state));
    let renamed = ControlObject { holder: holder("other"), counter: 99, ..state.clone() };
    assert!(renamed.is_still(&state), "never by the holder's name");
}

#[test]
fn the_first_commit_ends_a_recovery() {
    let claimed = in_generation(1);
    assert_eq!(claimed.phase, Phase::Recovering);
    let commit = claimed.commit(&[addition(1, vec![entry(0)], 0)], "n".to_owned());
    assert_eq!(
        (commit.phase, commit.epoch, commit.counter),
        (Phase::Recording, claimed.epoch, claimed.counter + 1)
    );
}

#[test]
fn a_commit_adds_up() {
    let gap = TailEntry { gap: true, bytes: 0, millis: 4_000, ..entry(1) };
    let one = started().commit(&[addition(0, vec![entry(0), gap], 0)], "1".to_owned());
    let output = &one.outputs[0];
    assert_eq!((output.segments, output.bytes, output.duration_millis), (2, 1_000, 19_000));
    assert_eq!((output.gaps, output.gap_millis), (1, 4_000));
    assert_eq!((output.begin, output.end.date), (date(0), date(19_000)));
    assert_eq!(output.end.time.ticks(), entry(1).start.ticks() + 90 * 4_000);
    assert_eq!((output.tail_from, output.tail.len()), (0, 2));

    // What is published leaves the tail; not more than there is, and never back into it.
    let two = one.commit(&[addition(0, vec![entry(2)], 1)], "2".to_owned());
    assert_eq!(
        (two.outputs[0].tail_from, &two.outputs[0].tail[..]),
        (1, &[output.tail[1].clone(), entry(2)][..])
    );
    let trimmed = two.commit(&[addition(0, vec![], 99)], "3".to_owned());
    assert_eq!(
        (trimmed.outputs[0].tail_from, trimmed.outputs[0].tail.len(), trimmed.outputs[0].segments),
        (3, 0, 3)
    );
    assert_eq!(trimmed.outputs[0].end, two.outputs[0].end);
    let back = trimmed.commit(&[addition(0, vec![entry(3)], 0)], "4".to_owned());
    assert_eq!((back.outputs[0].tail_from, &back.outputs[0].tail[..]), (3, &[entry(3)][..]));

    // An output exists from its first entry on.
    assert_eq!(started().commit(&[addition(0, vec![], 0)], "1".to_owned()).outputs, []);
    let other = Addition {
        playlist: playlist(0).replace(".m3u8", "__uid_s_5__uid_e_audio.m3u8"),
        ..addition(0, vec![entry(0)], 0)
    };
    let many = one.commit(&[other, addition(0, vec![entry(2)], 0)], "2".to_owned());
    assert_eq!(many.outputs.iter().map(|output| output.segments).collect::<Vec<_>>(), [3, 1]);
    ControlObject::decode(&many.encode()).unwrap();
}

/// Any change, drawn.
#[derive(Debug, Clone)]
enum Draw {
    Commit { entries: u8, published: u64 },
    Orphan,
    Claim,
    Stop,
}

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    let one = prop_oneof![
        6 => (0..5u8, 0..30u64).prop_map(|(entries, published)| Draw::Commit { entries, published }),
        1 => Just(Draw::Orphan),
        2 => Just(Draw::Claim),
        1 => Just(Draw::Stop),
    ];
    prop::collection::vec(one, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens to a recording, its document can be read, and so can the seal of each version.
    #[test]
    fn every_history_is_one_of_documents_that_are_read(draws in draws()) {
        let (mut state, mut next_entry) = (started(), 0);
        for (number, draw) in draws.into_iter().enumerate() {
            let nonce = format!("n-{number}");
            let before = state.clone();
            let changed = match draw {
                Draw::Commit { entries, published } if !state.phase.is_final() => {
                    let entries = (0..entries).map(|_| { next_entry += 1; entry(next_entry) }).collect();
                    Ok(state.commit(&[addition(state.generation.get(), entries, published)], nonce))
                }
                Draw::Commit { .. } => continue,
                Draw::Orphan if !state.phase.is_final() => Ok(state.orphan(nonce)),
                Draw::Orphan => continue,
                Draw::Claim => state.claim(holder("n"), seal_name(&state), nonce),
                Draw::Stop => state.stop(seal_name(&state), nonce),
            };
            match changed {
                Err(_) => prop_assert!(before.phase.is_final(), "I1: final phases are final"),
                Ok(changed) => {
                    prop_assert!(!before.phase.is_final());
                    prop_assert_eq!(changed.counter, before.counter + 1);
                    prop_assert!(changed.epoch >= before.epoch && changed.generation >= before.generation);
                    prop_assert!(changed.seals.starts_with(&before.seals), "I5: seals stay");
                    state = changed;
                }
            }
            prop_assert_eq!(ControlObject::decode(&state.encode()), Ok(state.clone()));
            let seal = Seal::of(&state);
            prop_assert_eq!(Seal::decode(&seal.encode()), Ok(seal));
            for output in &state.outputs {
                prop_assert_eq!(output.tail_from + output.tail.len() as u64, output.segments);
            }
        }
    }
}
