//! A worker that holds a generation: segments, commits, publishes, Stop and Orphan, and how it decides a write
//! whose answer it did not get.

use crate::claim;
use crate::reduce;
use crate::state::{Condition, Control, List, Phase, Request, Role, State};
use crate::step::{Read, Step};
use crate::store::{self, Fate};
use crate::variants::{Form, Model, Variant};

pub type Successors = Vec<(Step, State)>;

/// Every step that is possible in `state`, and the state after it.
pub fn successors(model: &Model, state: &State, out: &mut Successors) {
    out.clear();
    let mut idle = false;
    for slot in 0..model.workers {
        match state.workers[slot].role {
            // One new worker is as good as another.
            Role::Empty if idle => {}
            Role::Empty => {
                idle = true;
                claim::begin(model, state, slot, out);
            }
            Role::Claimant => {
                write(model, state, slot, out);
                crash(state, slot, out);
            }
            Role::Holder => {
                hold(model, state, slot, out);
                publish(model, state, slot, out);
                crash(state, slot, out);
            }
            Role::Finished => {
                publish(model, state, slot, out);
                crash(state, slot, out);
            }
        }
    }
    store::arrivals(model, state, |request, after| out.push((Step::Arrives(request), after)));
    for (_, after) in out.iter_mut() {
        reduce::settle(model, after);
    }
}

fn crash(state: &State, slot: usize, out: &mut Successors) {
    let mut after = *state;
    after.end(slot);
    out.push((Step::Ends(slot), after));
}

fn hold(model: &Model, state: &State, slot: usize, out: &mut Successors) {
    let worker = &state.workers[slot];
    if worker.pending.exists() {
        write(model, state, slot, out);
        if model.is(Variant::DropAfterSent) {
            drop_after_sent(state, slot, out);
        }
    } else {
        look(model, state, slot, out);
    }
    let view = worker.view;
    let closing = worker.pending.exists() && worker.pending.phase != Phase::Recording;
    if closing || view.phase == Phase::Orphaned {
        return;
    }
    take_segment(model, state, slot, out);
    if worker.pending.exists() {
        return;
    }
    if worker.ready.len() > view.list.len() {
        // Never back, though a numbered store may show a shorter playlist again.
        let published = worker.published.map_or(0, |list| list.len()).max(view.tail_from);
        let tail_from = if model.is(Variant::TailForgets) { worker.ready.len() } else { published };
        // Begins to record, if it was recovering.
        let body = Control { phase: Phase::Recording, list: worker.ready, tail_from, ..view.next() };
        begin_write(model, state, slot, body, out);
    } else {
        begin_write(model, state, slot, claim::stop(model, &view), out);
    }
    begin_write(model, state, slot, Control { phase: Phase::Orphaned, ..view.next() }, out);
}

/// The next segment is stored, or dropped before its commit was ever sent. In the order of their commits: what is
/// stored beyond that nobody can see.
fn take_segment(model: &Model, state: &State, slot: usize, out: &mut Successors) {
    let worker = &state.workers[slot];
    let entry = worker.ready.len();
    if entry == model.segments {
        return;
    }
    let generation = usize::from(worker.view.generation);
    let mut after = *state;
    after.workers[slot].ready = worker.ready.with_segment();
    if model.is(Variant::CommitBeforeStored) {
        out.push((Step::Stores { slot, entry, fate: Fate::Lost }, after));
    }
    after.turns[generation].stored |= 1 << entry;
    out.push((Step::Stores { slot, entry, fate: Fate::Done }, after));
    // The object is there, and its worker does not know it: it may still drop the segment.
    if model.form != Form::File && state.turns[generation].stored & (1 << entry) == 0 {
        after.workers[slot].ready = worker.ready;
        out.push((Step::Stores { slot, entry, fate: Fate::AnswerLost }, after));
    }
    if worker.ready.gaps().count_ones() < model.drops {
        let mut after = *state;
        after.workers[slot].ready = worker.ready.with_gap();
        out.push((Step::Drops { slot, entry }, after));
    }
}

fn drop_after_sent(state: &State, slot: usize, out: &mut Successors) {
    let worker = &state.workers[slot];
    for entry in worker.view.list.len()..worker.pending.list.len() {
        if !worker.pending.list.is_gap(entry) {
            let mut after = *state;
            after.workers[slot].pending.list = worker.pending.list.with_gap_at(entry);
            after.workers[slot].ready = worker.ready.with_gap_at(entry);
            out.push((Step::Drops { slot, entry }, after));
        }
    }
}

fn begin_write(model: &Model, state: &State, slot: usize, body: Control, out: &mut Successors) {
    let mut begun = *state;
    begun.workers[slot].pending = body;
    write(model, &begun, slot, out);
}

/// The seal that the write names, then the write, with the same body until it is decided.
pub fn write(model: &Model, state: &State, slot: usize, out: &mut Successors) {
    let worker = &state.workers[slot];
    if worker.pending.seal.is_some() && !worker.sealed {
        let (generation, seal) = (worker.view.generation, worker.pending.seal);
        store::send(model, state, Request::PutSeal { generation, seal }, |fate, mut after| {
            after.workers[slot].sealed = fate == Fate::Done;
            if fate != Fate::Lost {
                out.push((Step::Seals { slot, seal, fate }, after));
            }
        });
        return;
    }
    let mut sender = *state;
    if worker.sent {
        read_back(model, state, slot, out);
        let pending = &mut sender.workers[slot].pending;
        if model.is(Variant::FreshNonce) {
            pending.nonce.attempt = 1;
        }
        if model.is(Variant::BatchGrows) && pending.phase == Phase::Recording {
            pending.list = worker.ready;
        }
    }
    sender.workers[slot].sent = true;
    let body = sender.workers[slot].pending;
    store::send(model, &sender, Request::Cas(body.signed(slot)), |fate, mut after| {
        let mut fenced = false;
        if fate == Fate::Done || (fate.is_silent() && model.is(Variant::TimeoutIsSuccess)) {
            won(&mut after, slot);
        } else if fate == Fate::Refused && model.is(Variant::RefusedIsFenced) {
            after.end(slot);
            fenced = true;
        }
        let is_news = !worker.sent || !matches!(fate, Fate::Refused | Fate::Lost);
        if is_news || model.variant.is_some() {
            out.push((Step::Writes { slot, body, fate, fenced }, after));
        }
    });
}

/// After any answer but a clean success: compare nonce and counter, then decide.
fn read_back(model: &Model, state: &State, slot: usize, out: &mut Successors) {
    let worker = &state.workers[slot];
    let (there, pending) = (&state.control, &worker.pending);
    let mut after = *state;
    let is_this_write = there.counter == pending.counter && there.nonce == pending.signed(slot).nonce;
    let read = if worker.landed || is_this_write {
        won(&mut after, slot);
        Read::Won
    } else if there.counter + 1 == pending.counter {
        // Not applied yet: to be repeated.
        return;
    } else if worker.role == Role::Claimant {
        if !claim::lost(model, &mut after, slot) {
            after.end(slot);
        }
        Read::Lost
    } else if stands(model, there, &worker.view) {
        // Only a variant comes here: a version that is not this write, though nobody took over.
        after.workers[slot].pending.counter = there.counter + 1;
        Read::Lost
    } else {
        after.end(slot);
        Read::Fenced
    };
    out.push((Step::ReadsBack { slot, read }, after));
}

/// Nobody took over: epoch and phase are what this worker last wrote.
fn stands(model: &Model, there: &Control, view: &Control) -> bool {
    let phase_stands = there.phase == view.phase || model.is(Variant::FinalKeepsEpochAlone);
    (there.epoch == view.epoch && phase_stands) || model.is(Variant::NeverFenced)
}

/// A worker whose last good answer is too old reads before it acts.
fn look(model: &Model, state: &State, slot: usize, out: &mut Successors) {
    if !stands(model, &state.control, &state.workers[slot].view) {
        let mut after = *state;
        after.end(slot);
        out.push((Step::ReadsBack { slot, read: Read::Fenced }, after));
    }
}

/// The write is known to be made.
fn won(state: &mut State, slot: usize) {
    let worker = &mut state.workers[slot];
    let is_claimant = worker.role == Role::Claimant;
    if is_claimant && worker.pending.phase.is_final() {
        return state.end(slot);
    }
    worker.role = if worker.pending.phase == Phase::Stopped { Role::Finished } else { Role::Holder };
    worker.view = Control { nonce: Default::default(), seal: Default::default(), ..worker.pending };
    worker.pending = Control::default();
    (worker.sent, worker.sealed, worker.landed, worker.meant) = (false, false, false, 0);
}

/// The playlist of what is committed, where the bucket is not known to have it.
fn publish(model: &Model, state: &State, slot: usize, out: &mut Successors) {
    let worker = &state.workers[slot];
    let generation = worker.view.generation;
    let mut list = if model.is(Variant::PublishBeforeCommit) { worker.ready } else { worker.view.list };
    if worker.role == Role::Finished {
        list = list.with_end();
    }
    if model.is(Variant::ClaimantEndsOldPlaylist) && generation > 0 {
        let generation = generation - 1;
        let list = state.turns[usize::from(generation)].sealed.list;
        put_playlist(model, state, slot, (generation, list, Condition::Any), out);
    }
    if worker.published.unwrap_or_default() == list {
        return;
    }
    let condition = match worker.published {
        None => Condition::Absent,
        Some(_) if model.form != Form::Update || model.is(Variant::PublishWithoutIfMatch) => Condition::Any,
        Some(published) => Condition::Matches(published),
    };
    put_playlist(model, state, slot, (generation, list, condition), out);
    // Refused: reads back, and goes on from there if it is a prefix of its own.
    let there = state.turns[usize::from(generation)].playlist;
    if let Some(there) = there
        && condition != Condition::Any
        && worker.published != Some(there)
        && there.is_prefix_of(list)
    {
        let mut after = *state;
        after.workers[slot].published = Some(there);
        out.push((Step::ReadsPlaylist { slot, there }, after));
    }
}

fn put_playlist(model: &Model, state: &State, slot: usize, put: (u8, List, Condition), out: &mut Successors) {
    let (generation, list, condition) = put;
    let by = slot as u8 + 1;
    let own = generation == state.workers[slot].view.generation;
    store::send(model, state, Request::PutPlaylist { by, generation, list, condition }, |fate, mut after| {
        if fate == Fate::Done && own {
            after.workers[slot].published = Some(list);
        }
        let fenced = fate == Fate::Refused && model.is(Variant::RefusedPublishIsFenced);
        if fenced {
            after.end(slot);
        }
        // What changes nothing is no step.
        if fenced || !matches!(fate, Fate::Refused | Fate::Lost) {
            out.push((Step::Publishes { slot, generation, list, fate, fenced }, after));
        }
    });
}
