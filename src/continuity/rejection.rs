//! What those are told who lose: a worker its recording, a second comer its claim.

use super::control::{ControlObject, Phase};
use super::register::Version;
use super::transitions::Refusal;
use crate::error::{Error, ErrorKind};
use crate::ids::RecordingId;

/// The error of a worker that has lost its recording to what `state` says.
pub(super) fn fenced(state: &ControlObject) -> Error {
    let (id, epoch, holder) = (state.id(), state.epoch, &state.holder);
    let message = match state.phase {
        Phase::Stopped => format!("{id} was stopped by somebody else (epoch {epoch})"),
        Phase::Abandoned => format!("{id} was abandoned (epoch {epoch}, after {holder})"),
        phase => format!(
            "{id} belongs to another worker now: {phase}, generation {}, epoch {epoch}, held by {holder}",
            state.generation
        ),
    };
    Error::new(ErrorKind::Fenced, message)
}

/// The error of one who would start what is there already.
pub(super) fn existing(state: Option<&ControlObject>, id: &RecordingId) -> Error {
    let said = match state {
        None => "its control object came and went".to_owned(),
        Some(state) if state.phase.is_final() => {
            format!("it is {}; choose another --sid", state.phase)
        }
        Some(state) => format!(
            "it is {}, generation {}, held by {}; choose another --sid, or take it over with --resume if that \
             worker is gone",
            state.phase, state.generation, state.holder
        ),
    };
    Error::new(ErrorKind::Conflict, format!("the recording {} exists: {said}", id.sid))
}

/// The error of one who would go on with what has ended.
pub(super) fn refused(state: &ControlObject, refusal: Refusal) -> Error {
    let kind = match refusal {
        Refusal::Stopped => ErrorKind::Conflict,
        Refusal::Abandoned => ErrorKind::Abandoned,
    };
    Error::new(kind, format!("{}: {refusal}; what was recorded stays as it is", state.id()))
        .with_source(refusal)
}

/// The error of one whose claim or stop came second.
pub(super) fn outrun(what: &str, base: &ControlObject, found: Option<&(ControlObject, Version)>) -> Error {
    let id = base.id();
    let said = match found {
        None => "its control object is gone".to_owned(),
        Some((state, _)) if state.epoch == base.epoch && state.phase == Phase::Orphaned => {
            "its worker has just given it up: try again".to_owned()
        }
        Some((state, _)) if state.epoch == base.epoch => {
            format!("its worker lives and has just committed: {}", state.holder)
        }
        Some((state, _)) if state.phase.is_final() => format!("it is {} now", state.phase),
        Some((state, _)) => {
            format!("{} came first, with generation {}", state.holder, state.generation)
        }
    };
    Error::new(ErrorKind::Conflict, format!("cannot {what} {id}: {said}"))
}
