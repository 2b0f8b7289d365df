//! The situations that a search must have met, since an invariant holds easily where nothing happens.

use crate::invariants::Transition;
use crate::state::{Phase, Request, Role};
use crate::step::{Read, Step};
use crate::store::Fate;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Landmark {
    /// A playlist with ENDLIST.
    Ended,
    /// A playlist with a gap.
    GapListed,
    Abandoned,
    /// A claim of the last generation that the bounds allow.
    LastGeneration,
    /// A claim of an orphaned recording.
    OrphanClaimed,
    /// A stop by who does not hold the recording.
    StoppedByOther,
    /// A stop by its holder.
    StoppedByHolder,
    /// A holder of an older generation publishes after the claim.
    ZombiePublishes,
    /// A holder finds out that it is fenced.
    Fenced,
    /// A claim that lost.
    ClaimLost,
    /// A write whose answer was lost is found by reading back.
    FoundOwnWrite,
    LateCas,
    LateSeal,
    LatePublish,
    /// A commit lets go of a part of the tail.
    TailTrimmed,
    /// A playlist found by reading back, its publish having had no answer.
    PlaylistAdopted,
}

use Landmark::*;

#[derive(Clone, Copy, Default)]
pub struct Landmarks(u32);

/// What a store without lost answers does not have.
pub const NEED_LOST_ANSWERS: [Landmark; 5] = [FoundOwnWrite, LateCas, LateSeal, LatePublish, PlaylistAdopted];

impl Landmarks {
    pub const ALL: [Landmark; 16] = [
        Ended,
        GapListed,
        Abandoned,
        LastGeneration,
        OrphanClaimed,
        StoppedByOther,
        StoppedByHolder,
        ZombiePublishes,
        Fenced,
        ClaimLost,
        FoundOwnWrite,
        LateCas,
        LateSeal,
        LatePublish,
        TailTrimmed,
        PlaylistAdopted,
    ];

    pub fn missing(self) -> Vec<Landmark> {
        Self::ALL.into_iter().filter(|landmark| self.0 & (1 << *landmark as u32) == 0).collect()
    }

    pub fn and(self, other: Landmarks) -> Landmarks {
        Landmarks(self.0 | other.0)
    }

    fn see(&mut self, landmark: Landmark, seen: bool) {
        self.0 |= u32::from(seen) << landmark as u32;
    }

    pub fn pass(&mut self, transition: &Transition<'_>) {
        let Transition { model, before, step, after } = transition;
        let (old, new) = (&before.control, &after.control);
        match step {
            Step::Writes { slot, fate: Fate::Done, .. } => {
                let by_holder = before.workers[*slot].role == Role::Holder;
                self.see(StoppedByHolder, new.phase == Phase::Stopped && by_holder);
                self.see(StoppedByOther, new.phase == Phase::Stopped && !by_holder);
                self.see(Abandoned, new.phase == Phase::Abandoned);
                self.see(LastGeneration, new.is_claim() && new.generation == model.failovers);
                self.see(OrphanClaimed, new.is_claim() && old.phase == Phase::Orphaned);
                self.see(TailTrimmed, new.tail_from > old.tail_from);
            }
            Step::ReadsBack { slot, read } => {
                let by_holder = before.workers[*slot].role == Role::Holder;
                self.see(FoundOwnWrite, *read == Read::Won);
                self.see(Fenced, *read == Read::Fenced);
                self.see(ClaimLost, *read == Read::Lost && !by_holder);
            }
            Step::Publishes { generation, list, .. } => {
                self.see(Ended, list.is_ended());
                self.see(GapListed, list.gaps() != 0);
                self.see(ZombiePublishes, *generation < new.generation);
            }
            Step::ReadsPlaylist { .. } => self.see(PlaylistAdopted, true),
            Step::Arrives(Request::Cas(_)) => self.see(LateCas, true),
            Step::Arrives(Request::PutSeal { .. }) => self.see(LateSeal, true),
            Step::Arrives(Request::PutPlaylist { .. }) => self.see(LatePublish, true),
            _ => {}
        }
    }
}
