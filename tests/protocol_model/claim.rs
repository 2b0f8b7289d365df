//! Start, claim, abandon and stop: the writes of a worker that does not hold the recording.

use crate::state::{Control, List, Phase, Role, Seal, State, Worker};
use crate::step::{Goal, Step};
use crate::store::seal_name;
use crate::variants::{Model, Variant};
use crate::worker::Successors;

/// A new worker reads the control object and decides what to write on that very version. Anybody may claim or
/// stop at any time: a lease only says when it is wise.
pub fn begin(model: &Model, state: &State, slot: usize, out: &mut Successors) {
    let view = state.control;
    if view.phase.is_final() {
        return;
    }
    let goals: &[Goal] = if view.exists() { &[Goal::Claim, Goal::Stop] } else { &[Goal::Start] };
    for &goal in goals {
        let mut after = *state;
        after.workers[slot] =
            Worker { role: Role::Claimant, meant: view.generation, ..decide(model, &view, goal) };
        out.push((Step::Begins { slot, goal }, after));
    }
}

fn decide(model: &Model, view: &Control, goal: Goal) -> Worker {
    let pending = match goal {
        Goal::Start => Control { epoch: 1, ..view.next() },
        Goal::Claim => claim(model, view),
        Goal::Stop => stop(model, view),
    };
    let view = Control { nonce: Default::default(), seal: Seal::default(), ..*view };
    Worker { view, pending, ..Worker::default() }
}

/// The next generation, or the end where the failovers are used up.
fn claim(model: &Model, view: &Control) -> Control {
    if view.generation == model.failovers && !model.is(Variant::NoLimit) {
        return close(model, view, Phase::Abandoned);
    }
    Control {
        epoch: view.epoch + 1,
        generation: view.generation + 1,
        phase: Phase::Recovering,
        list: List::EMPTY,
        tail_from: 0,
        seal: seal(model, view),
        ..view.next()
    }
}

pub fn stop(model: &Model, view: &Control) -> Control {
    close(model, view, Phase::Stopped)
}

fn close(model: &Model, view: &Control, phase: Phase) -> Control {
    let keeps = model.is(Variant::FinalKeepsEpoch) || model.is(Variant::FinalKeepsEpochAlone);
    let epoch = if keeps { view.epoch } else { view.epoch + 1 };
    Control { epoch, phase, seal: seal(model, view), ..view.next() }
}

/// A pure function of the version read.
fn seal(model: &Model, view: &Control) -> Seal {
    Seal { name: seal_name(model, view), list: view.list, tail_from: view.tail_from }
}

/// Somebody else wrote the version that this one was to be. The claim ends with that; the variants go on.
pub fn lost(model: &Model, state: &mut State, slot: usize) -> bool {
    let (there, worker) = (state.control, &mut state.workers[slot]);
    if there.phase.is_final() {
        return false;
    }
    if model.is(Variant::OldSeal) && there.generation == worker.view.generation {
        worker.pending.counter = there.counter + 1;
        return true;
    }
    if model.is(Variant::ClaimAgain) && worker.pending.phase != Phase::Stopped {
        *worker = Worker { role: Role::Claimant, meant: worker.meant, ..decide(model, &there, Goal::Claim) };
        return true;
    }
    false
}
