//! What must hold, by the numbers of DESIGN.md section 3, judged on each step: the state before and after it.

use crate::state::{GONE, List, NOBODY, Request, Role, State, Turn, WorkerId};
use crate::step::Step;
use crate::store::Fate;
use crate::variants::{Form, Model};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invariant {
    /// I1: a generation is claimed once, the next one after the last, and held by its claimant alone.
    OneClaimant,
    /// I1: no more generations than failovers allow.
    GenerationLimit,
    /// I1: Stopped and Abandoned are final.
    FinalPhases,
    /// I2: who writes an object of a generation has claimed it.
    OwnObjects,
    /// I3: what is committed or listed is stored, gaps aside.
    StoredFirst,
    /// I4: each version of a playlist is a prefix of the next. Not on numbered stores.
    PlaylistGrows,
    /// I4, what is left of it on numbered stores: of two versions in a row, one is a prefix of the other.
    PlaylistAgrees,
    /// I4: a playlist is a prefix of what the seal of its generation allows.
    WithinSeal,
    /// I5: a seal object keeps its bytes.
    SealsStay,
    /// I5: the seal that the control object names is stored with the bytes that it names.
    SealsStored,
    /// I6, I8: a claim seals all that was committed.
    SealsComplete,
    /// I6: nothing is committed to a generation after the claim of the next.
    NoLateCommit,
    /// I8: what a worker knows to be committed is in the control object, or in the seal.
    CommitsKept,
    /// I8: what the tail has let go of is in the playlist. Not on numbered stores, which keep the older versions.
    TailPublished,
    /// A worker gives up only if its generation was ended by another, and its write was not made.
    RightfulHolderStays,
    /// A claim ends the generation that it was decided to end, not one that began meanwhile.
    ClaimAsMeant,
}

use Invariant::*;

impl Invariant {
    pub const ALL: [Invariant; 16] = [
        OneClaimant,
        GenerationLimit,
        FinalPhases,
        OwnObjects,
        StoredFirst,
        PlaylistGrows,
        PlaylistAgrees,
        WithinSeal,
        SealsStay,
        SealsStored,
        SealsComplete,
        NoLateCommit,
        CommitsKept,
        TailPublished,
        RightfulHolderStays,
        ClaimAsMeant,
    ];

    /// What a store of this form lets the protocol keep.
    pub fn kept_on(form: Form) -> Vec<Invariant> {
        let weaker = |invariant: &Invariant| matches!(invariant, PlaylistGrows | TailPublished);
        Self::ALL.into_iter().filter(|invariant| form != Form::Numbered || !weaker(invariant)).collect()
    }
}

/// A step to be judged.
pub struct Transition<'a> {
    pub model: &'a Model,
    pub before: &'a State,
    pub step: &'a Step,
    pub after: &'a State,
}

impl Transition<'_> {
    pub fn keeps(&self, invariant: Invariant) -> bool {
        match invariant {
            OneClaimant => self.claims_once() && self.holders_are_claimants(),
            GenerationLimit => self.after.control.generation <= self.model.failovers,
            FinalPhases => !self.before.control.phase.is_final() || self.control_writer().is_none(),
            OwnObjects => self.writers_are_claimants(),
            StoredFirst => self.stored_first(),
            PlaylistGrows => self.playlists(|old, new| old.is_prefix_of(new)),
            PlaylistAgrees => {
                self.playlists(|old, new| old.is_prefix_of(new) || new.is_prefix_of(old.without_end()))
            }
            WithinSeal => self.playlists_within_seals(),
            SealsStay => self.seals_stay(),
            SealsStored => self.seals_stored(),
            SealsComplete => self.seals_complete(),
            NoLateCommit => self.no_late_commit(),
            CommitsKept => self.commits_kept(),
            TailPublished => self.tails_published(),
            RightfulHolderStays => self.rightful_holder_stays(),
            ClaimAsMeant => self.claims_as_meant(),
        }
    }

    /// Who wrote the version that this step made, if it made one.
    fn control_writer(&self) -> Option<WorkerId> {
        match *self.step {
            Step::Writes { slot, fate: Fate::Done | Fate::AnswerLost, .. } => Some(slot as WorkerId + 1),
            Step::Arrives(Request::Cas(body)) => Some(body.nonce.worker),
            _ => None,
        }
    }

    /// Of the state after, with their generations.
    fn turns(&self) -> impl Iterator<Item = (usize, &Turn)> {
        self.after.turns.iter().enumerate()
    }

    fn claims_once(&self) -> bool {
        let (old, new) = (&self.before.control, &self.after.control);
        if self.control_writer().is_none() || !new.is_claim() {
            return true;
        }
        let is_next = !old.exists() || new.generation == old.generation + 1;
        is_next && self.before.turns[usize::from(new.generation)].claimant == NOBODY
    }

    fn holders_are_claimants(&self) -> bool {
        let mut workers = self.after.workers.iter().enumerate();
        workers.all(|(slot, worker)| {
            let claimant = self.after.turns[usize::from(worker.view.generation)].claimant;
            !matches!(worker.role, Role::Holder | Role::Finished) || claimant == slot as WorkerId + 1
        })
    }

    fn writers_are_claimants(&self) -> bool {
        let writer = match *self.step {
            Step::Stores { slot, .. } | Step::Publishes { slot, .. } => slot as WorkerId + 1,
            Step::Arrives(Request::PutPlaylist { by, .. }) => by,
            _ => return true,
        };
        self.turns().all(|(generation, turn)| {
            let old = &self.before.turns[generation];
            let written = turn.stored & !old.stored != 0 || old.playlist != turn.playlist;
            // Ended workers share a name, and each was judged when it sent its requests.
            !written || old.claimant == writer || writer == GONE
        })
    }

    fn stored_first(&self) -> bool {
        let control = &self.after.control;
        let committed = control.list.segments() & !self.after.turns[usize::from(control.generation)].stored;
        committed == 0
            && self.turns().all(|(_, turn)| {
                let listed = turn.playlist.unwrap_or_default().segments();
                (listed | turn.sealed.list.segments()) & !turn.stored == 0
            })
    }

    fn playlists(&self, follow: impl Fn(List, List) -> bool) -> bool {
        self.turns().all(|(generation, turn)| match (self.before.turns[generation].playlist, turn.playlist) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(old), Some(new)) => follow(old, new),
        })
    }

    fn playlists_within_seals(&self) -> bool {
        self.turns().all(|(_, turn)| {
            let listed = turn.playlist.unwrap_or_default().without_end();
            !turn.sealed.is_some() || listed.is_prefix_of(turn.sealed.list)
        })
    }

    fn seals_stay(&self) -> bool {
        self.turns().all(|(generation, turn)| {
            let old = self.before.turns[generation].seals;
            old.iter().all(|old| !turn.seals.iter().any(|new| new.name == old.name && new != old))
        })
    }

    fn seals_stored(&self) -> bool {
        self.turns().all(|(_, turn)| !turn.sealed.is_some() || turn.seals.contains(&turn.sealed))
    }

    fn seals_complete(&self) -> bool {
        let (old, new) = (&self.before.control, &self.after.control);
        let seal = self.after.turns[usize::from(old.generation)].sealed;
        self.control_writer().is_none()
            || !new.seal.is_some()
            || (seal.list == old.list && seal.tail_from == old.tail_from)
    }

    fn no_late_commit(&self) -> bool {
        let (old, new) = (&self.before.control, &self.after.control);
        new.generation >= old.generation
    }

    fn commits_kept(&self) -> bool {
        self.after.workers.iter().all(|worker| {
            let generation = worker.view.generation;
            let turn = &self.after.turns[usize::from(generation)];
            let kept = if turn.sealed.is_some() { turn.sealed.list } else { self.after.control.list };
            let is_held = matches!(worker.role, Role::Holder | Role::Finished) && turn.claimant != NOBODY;
            !is_held || worker.view.list.is_prefix_of(kept)
        })
    }

    fn tails_published(&self) -> bool {
        let current = usize::from(self.after.control.generation);
        self.turns().all(|(generation, turn)| {
            let control = if generation == current { self.after.control.tail_from } else { 0 };
            turn.playlist.unwrap_or_default().len() >= turn.sealed.tail_from.max(control)
        })
    }

    fn rightful_holder_stays(&self) -> bool {
        let Some(slot) = self.step.gives_up() else { return true };
        if self.after.workers[slot].role != Role::Empty {
            return true;
        }
        let control = &self.before.control;
        let id = slot as WorkerId + 1;
        let holds = self.before.turns[usize::from(control.generation)].claimant == id;
        let pending = &self.before.workers[slot].pending;
        let is_written = pending.counter == control.counter && control.nonce.worker == id;
        !is_written && (!holds || control.phase.is_final())
    }

    fn claims_as_meant(&self) -> bool {
        let Some(writer) = self.control_writer() else { return true };
        let ended = &self.before.control;
        if !self.after.control.seal.is_some() || writer == GONE {
            return true;
        }
        let writer = &self.before.workers[usize::from(writer) - 1];
        writer.role != Role::Claimant || writer.meant == ended.generation
    }
}
