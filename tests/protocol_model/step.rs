//! A step of the model, in words for a counterexample.

use std::fmt;

use crate::state::{Control, List, Request, Seal, State};
use crate::store::Fate;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goal {
    Start,
    Claim,
    Stop,
}

/// What a worker makes of the control object that it reads back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    Won,
    Lost,
    Fenced,
}

#[derive(Clone, Copy)]
pub enum Step {
    Begins { slot: usize, goal: Goal },
    Stores { slot: usize, entry: u8, fate: Fate },
    Drops { slot: usize, entry: u8 },
    Seals { slot: usize, seal: Seal, fate: Fate },
    Writes { slot: usize, body: Control, fate: Fate, fenced: bool },
    ReadsBack { slot: usize, read: Read },
    Publishes { slot: usize, generation: u8, list: List, fate: Fate, fenced: bool },
    ReadsPlaylist { slot: usize, there: List },
    Ends(usize),
    Arrives(Request),
}

impl Step {
    /// Whose step it is; nobody's where a late request arrives.
    pub fn slot(&self) -> Option<usize> {
        match *self {
            Step::Begins { slot, .. } | Step::Stores { slot, .. } | Step::Drops { slot, .. } => Some(slot),
            Step::Seals { slot, .. } | Step::Writes { slot, .. } | Step::ReadsBack { slot, .. } => Some(slot),
            Step::Publishes { slot, .. } | Step::ReadsPlaylist { slot, .. } | Step::Ends(slot) => Some(slot),
            Step::Arrives(_) => None,
        }
    }

    /// The worker that ends in this step because it thinks that another has taken over, or has won.
    pub fn gives_up(&self) -> Option<usize> {
        match *self {
            Step::Writes { slot, fenced: true, .. } | Step::Publishes { slot, fenced: true, .. } => {
                Some(slot)
            }
            Step::ReadsBack { slot, read: Read::Fenced | Read::Lost } => Some(slot),
            _ => None,
        }
    }
}

/// What the worker does, without its name.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |fenced: &bool| if *fenced { "; takes it for fenced and ends" } else { "" };
        match self {
            Step::Begins { goal, .. } => write!(f, "reads, to {goal:?}"),
            Step::Stores { entry, fate, .. } => write!(f, "PUTs segment {entry}: {fate}"),
            Step::Drops { entry, .. } => write!(f, "drops segment {entry}"),
            Step::Seals { seal, fate, .. } => write!(f, "PUTs seal {} of {}: {fate}", seal.name, seal.list),
            Step::Writes { body, fate, fenced, .. } => {
                write!(f, "CAS of v{} to {body}: {fate}{}", body.counter - 1, end(fenced))
            }
            Step::ReadsBack { read, .. } => write!(f, "reads back: {read:?}"),
            Step::Publishes { generation, list, fate, fenced, .. } => {
                write!(f, "PUTs the playlist of g{generation} {list}: {fate}{}", end(fenced))
            }
            Step::ReadsPlaylist { there, .. } => write!(f, "reads its playlist back: {there}"),
            Step::Ends(_) => write!(f, "ends"),
            Step::Arrives(request) => write!(f, "late: {request}"),
        }
    }
}

/// The bucket, beside a step.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.control)?;
        for (generation, turn) in self.turns.iter().enumerate() {
            if let Some(playlist) = turn.playlist {
                write!(f, "; playlist of g{generation} {playlist}")?;
            }
        }
        Ok(())
    }
}
