//! What need not be told apart, so that the search stays small.
//!
//! `settle` changes a state: it forgets requests and seals that cannot matter, and ends workers that cannot do
//! anything that another would see. `key` is what two states have in common that can go on alike.

use std::cmp::Reverse;

use crate::state::{
    Condition, Control, FLIGHT, List, Nonce, Phase, Request, Role, Seal, State, Turn, WORKERS, Worker,
};
use crate::store::{condition_holds, seal_name};
use crate::variants::{Model, Variant};

pub fn settle(model: &Model, state: &mut State) {
    if model.takes_shortcuts() {
        for slot in 0..model.workers {
            settle_worker(state, slot);
        }
    }
    for place in 0..FLIGHT {
        if state.flight[place].is_some_and(|request| is_dead(model, state, &request)) {
            state.flight[place] = None;
        }
    }
    if model.takes_shortcuts() {
        forget_segments(state);
    }
    for generation in 0..=state.control.generation {
        let turn = state.turns[usize::from(generation)];
        for (place, seal) in turn.seals.iter().enumerate() {
            if seal.is_some() && !is_wanted(model, state, generation, seal.name) {
                state.turns[usize::from(generation)].seals[place] = Seal::default();
            }
        }
    }
}

/// The control object never again is the version on which this worker's writes would be made: it can only find that
/// out, and publish what it knows to be committed.
fn settle_worker(state: &mut State, slot: usize) {
    let control = state.control;
    let worker = &mut state.workers[slot];
    let pending = worker.pending;
    let is_written = pending.counter == control.counter && control.nonce.worker == slot as u8 + 1;
    let may_be_won = pending.exists() && (pending.counter > control.counter || is_written || worker.landed);
    let all_published = |list: List| worker.published.unwrap_or_default() == list;
    match worker.role {
        Role::Empty => {}
        Role::Claimant if may_be_won => {}
        Role::Claimant => state.end(slot),
        Role::Finished => {
            if all_published(worker.view.list.with_end()) {
                state.end(slot);
            }
        }
        Role::Holder => {
            let is_over = control.epoch > worker.view.epoch || control.phase.is_final();
            let is_orphan = worker.view.phase == Phase::Orphaned;
            if (is_over && !may_be_won || is_orphan) && all_published(worker.view.list) {
                return state.end(slot);
            }
            if is_over && !may_be_won {
                let view = Control {
                    generation: worker.view.generation,
                    list: worker.view.list,
                    ..Control::default()
                };
                let published = worker.published;
                *worker =
                    Worker { role: Role::Holder, view, ready: view.list, published, ..Worker::default() };
            }
        }
    }
}

/// Segments that nobody can commit any more.
fn forget_segments(state: &mut State) {
    for generation in 0..=state.control.generation {
        let turn = &state.turns[usize::from(generation)];
        let mut may_be_listed = turn.sealed.list.segments();
        if generation == state.control.generation {
            may_be_listed |= state.control.list.segments();
        }
        for worker in state.workers.iter().filter(|worker| worker.view.generation == generation) {
            may_be_listed |= worker.ready.segments();
        }
        for request in state.flight.iter().flatten() {
            if let Request::Cas(body) = request
                && body.generation == generation
            {
                may_be_listed |= body.list.segments();
            }
        }
        state.turns[usize::from(generation)].stored &= may_be_listed;
    }
}

fn is_dead(model: &Model, state: &State, request: &Request) -> bool {
    match *request {
        Request::Cas(_) => !condition_holds(model, state, request),
        Request::PutSeal { generation, seal } => {
            let there =
                state.turns[usize::from(generation)].seals.iter().find(|there| there.name == seal.name);
            let no_change = there.is_some_and(|there| *there == seal || !model.is(Variant::SealOverwritten));
            no_change || !is_wanted(model, state, generation, seal.name)
        }
        Request::PutPlaylist { generation, condition, .. } => {
            let there = state.turns[usize::from(generation)].playlist;
            match (condition, there) {
                (_, None) | (Condition::Any, _) => false,
                (Condition::Absent, Some(_)) => true,
                // A playlist does not become shorter again, where it has conditions.
                (Condition::Matches(list), Some(there)) => list != there && list.is_prefix_of(there),
            }
        }
    }
}

/// A seal is named already, or a claim of the present version names it, or one of an older version is about to.
fn is_wanted(model: &Model, state: &State, generation: u8, name: u8) -> bool {
    if state.turns[usize::from(generation)].sealed.name == name {
        return true;
    }
    if generation != state.control.generation || state.control.phase.is_final() {
        return false;
    }
    let names = |body: &Control| body.seal.name == name;
    let is_late = |request: &Request| matches!(request, Request::Cas(body) if names(body));
    seal_name(model, &state.control) == name
        || !model.takes_shortcuts()
            && (state.workers.iter().any(|worker| names(&worker.pending))
                || state.flight.iter().flatten().any(is_late))
}

/// Equal for states that differ only in who is who, in how many versions there were before, and in generations that
/// nobody writes any more.
pub fn key(model: &Model, state: &State) -> State {
    let mut key = *state;
    // Named in its turn too; and a nonce is only compared by who waits for that version.
    key.control.seal = Seal::default();
    let writer = usize::from(key.control.nonce.worker).wrapping_sub(1);
    if key.workers.get(writer).is_none_or(|worker| worker.pending.counter != key.control.counter) {
        key.control.nonce = Nonce::default();
    }
    if model.takes_shortcuts() {
        close_turns(&mut key);
        pack_turns(&mut key);
        count_from_now(&mut key);
    }
    if !key.workers.is_sorted_by(|one, next| one >= next) {
        let mut order: [usize; WORKERS] = std::array::from_fn(|slot| slot);
        order.sort_by_key(|&slot| Reverse(key.workers[slot]));
        key.workers = order.map(|slot| key.workers[slot]);
        key.rename(|id| {
            let place = order.iter().position(|&slot| slot as u8 + 1 == id);
            place.map_or(id, |slot| slot as u8 + 1)
        });
    }
    key.flight.sort();
    key
}

/// Once a generation has its seal, and neither a worker nor a request that could write its objects, all is said of it.
fn close_turns(key: &mut State) {
    for generation in 0..=key.control.generation {
        let is_held = |worker: &Worker| worker.role != Role::Empty && worker.view.generation == generation;
        let is_late = |request: &Request| match request {
            Request::PutPlaylist { generation: of, .. } | Request::PutSeal { generation: of, .. } => {
                *of == generation
            }
            Request::Cas(_) => false,
        };
        let may_change = key.workers.iter().any(is_held) || key.flight.iter().flatten().any(is_late);
        if key.turns[usize::from(generation)].sealed.is_some() && !may_change {
            key.turns[usize::from(generation)] = Turn::default();
        }
    }
}

/// Which of the older generations are still open says nothing: they move up to the present one.
fn pack_turns(key: &mut State) {
    let mut free = usize::from(key.control.generation);
    for generation in (0..free).rev() {
        if key.turns[generation] == Turn::default() {
            continue;
        }
        free -= 1;
        if free == generation {
            continue;
        }
        key.turns.swap(free, generation);
        for worker in key.workers.iter_mut().filter(|worker| worker.role != Role::Empty) {
            if usize::from(worker.view.generation) == generation {
                worker.view.generation = free as u8;
            }
        }
        for request in key.flight.iter_mut().flatten() {
            if let Request::PutPlaylist { generation: of, .. } = request
                && usize::from(*of) == generation
            {
                *of = free as u8;
            }
        }
    }
}

/// Versions are only ever compared: they count from the present one, which is `NOW`. (The epoch says no more than
/// generation and phase.)
fn count_from_now(key: &mut State) {
    const NOW: u8 = 100;
    let counter = key.control.counter;
    let current = usize::from(key.control.generation);
    let is_final = key.control.phase.is_final();
    let since = |then: &mut u8| *then = if *then == 0 { 0 } else { NOW + *then - counter };
    for (generation, turn) in key.turns.iter_mut().enumerate() {
        for seal in turn.seals.iter_mut().chain([&mut turn.sealed]).filter(|seal| seal.is_some()) {
            // Of an older generation only the one is left that was named.
            if generation == current && !is_final { since(&mut seal.name) } else { seal.name = NOW }
        }
    }
    let count = |body: &mut Control| {
        since(&mut body.counter);
        since(&mut body.seal.name);
    };
    for worker in &mut key.workers {
        count(&mut worker.view);
        count(&mut worker.pending);
    }
    for request in key.flight.iter_mut().flatten() {
        match request {
            Request::Cas(body) => count(body),
            Request::PutSeal { seal, .. } => since(&mut seal.name),
            Request::PutPlaylist { .. } => {}
        }
    }
    count(&mut key.control);
}
