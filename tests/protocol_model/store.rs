//! The bucket and the network: what a request does to the objects, and the fates that it may have.
//!
//! A request without an answer is in `State::flight` and may be applied in any later state, or never.
//!
//! Sending, applying and hearing the answer is one step where the answer comes: what others do in between could
//! as well happen before or after, because the sender learns nothing in that time.

use std::fmt;

use crate::state::{Condition, Control, FLIGHT, Request, Seal, State};
use crate::variants::{Form, Model, Variant};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Done,
    /// The condition does not hold.
    Refused,
    /// Applied, but the answer is lost.
    AnswerLost,
    /// Not applied yet; it may be at any later time.
    Late,
    /// Never applied.
    Lost,
}

impl Fate {
    /// The sender sees a timeout.
    pub fn is_silent(self) -> bool {
        matches!(self, Fate::AnswerLost | Fate::Late | Fate::Lost)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fate::Done => "done",
            Fate::Refused => "refused",
            Fate::AnswerLost => "done, but the answer is lost",
            Fate::Late => "no answer, still under way",
            Fate::Lost => "no answer, and never applied",
        })
    }
}

/// Calls `then` with each fate that the request may have in `state`, and the bucket after it.
pub fn send(model: &Model, state: &State, request: Request, mut then: impl FnMut(Fate, State)) {
    if !condition_holds(model, state, &request) {
        return then(Fate::Refused, *state);
    }
    let applied = apply(model, state, request);
    then(Fate::Done, applied);
    if model.form == Form::File {
        return;
    }
    then(Fate::AnswerLost, applied);
    if let Some(late) = launch(model, state, request) {
        then(Fate::Late, late);
    }
    then(Fate::Lost, *state);
}

/// Each late request that arrives now. One without a condition may do so twice; where there is a condition, a
/// second copy finds it broken by the first.
pub fn arrivals(model: &Model, state: &State, mut then: impl FnMut(Request, State)) {
    for place in 0..FLIGHT {
        let Some(request) = state.flight[place] else { continue };
        let applied = apply(model, state, request);
        let mut taken = applied;
        taken.flight[place] = None;
        then(request, taken);
        if matches!(request, Request::PutPlaylist { condition: Condition::Any, .. }) {
            then(request, applied);
        }
    }
}

fn launch(model: &Model, state: &State, request: Request) -> Option<State> {
    let flight = &state.flight[..model.flight];
    if flight.contains(&Some(request)) {
        return None;
    }
    let place = flight.iter().position(Option::is_none)?;
    let mut late = *state;
    late.flight[place] = Some(request);
    Some(late)
}

pub fn condition_holds(model: &Model, state: &State, request: &Request) -> bool {
    if model.is(Variant::StoreIgnoresConditions) {
        return true;
    }
    match *request {
        Request::Cas(body) => state.control.counter + 1 == body.counter,
        // Where one is there, it has the same bytes; the variants take it for that.
        Request::PutSeal { .. } => true,
        Request::PutPlaylist { generation, condition, .. } => {
            let there = state.turns[usize::from(generation)].playlist;
            match condition {
                Condition::Absent => there.is_none(),
                Condition::Matches(list) => there == Some(list),
                Condition::Any => true,
            }
        }
    }
}

fn apply(model: &Model, state: &State, request: Request) -> State {
    let mut after = *state;
    if !condition_holds(model, state, &request) {
        return after;
    }
    match request {
        Request::Cas(body) => replace_control(model, &mut after, body),
        Request::PutSeal { generation, seal } => put_seal(model, &mut after, generation, seal),
        Request::PutPlaylist { generation, list, .. } => {
            after.turns[usize::from(generation)].playlist = Some(list);
        }
    }
    after
}

fn replace_control(model: &Model, state: &mut State, body: Control) {
    if body.seal.is_some() {
        state.turns[usize::from(state.control.generation)].sealed = body.seal;
    }
    if body.is_claim() {
        state.turns[usize::from(body.generation)].claimant = body.nonce.worker;
    }
    state.control = body;
    let writer = usize::from(body.nonce.worker);
    if model.form == Form::Numbered
        && let Some(worker) = state.workers.get_mut(writer.wrapping_sub(1))
    {
        let pending = worker.pending;
        worker.landed |= pending.counter == body.counter && pending.nonce.attempt == body.nonce.attempt;
    }
}

fn put_seal(model: &Model, state: &mut State, generation: u8, seal: Seal) {
    let seals = &mut state.turns[usize::from(generation)].seals;
    match seals.iter_mut().find(|there| there.name == seal.name) {
        Some(there) if model.is(Variant::SealOverwritten) => *there = seal,
        Some(_) => {}
        None => *seals.iter_mut().find(|there| !there.is_some()).expect("SEALS is enough") = seal,
    }
}

/// What a seal made from this version is called.
pub fn seal_name(model: &Model, version: &Control) -> u8 {
    let by_epoch = model.is(Variant::SealNamedByEpoch) || model.is(Variant::SealOverwritten);
    if by_epoch { version.epoch } else { version.counter }
}
