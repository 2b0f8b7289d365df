//! The control protocol as a small model: a search over all states finds no violation, and finds one in each
//! variant that is wrong in one place.
//!
//! **In the model**: the control object as a register in both forms, segments, seals, playlists; workers that start,
//! store or drop segments, commit, publish, trim the tail, stop, orphan, claim, abandon, find out that they are fenced, and
//! die; any number of turns of such workers. A request may be applied at once with or without an answer, at any
//! later time, or never. A paused worker is one that does not take the next step: it acts on what it knew.
//!
//! **Abstracted away**: the hash of a playlist is its list; bytes, names and times of segments (a segment is entry `i` of
//! its generation); several outputs (one list stands for all); the spool and salvage; leases and clocks, as anybody
//! may claim at any time; carrying older seals along. A segment is stored in the order of its commit; a
//! late segment PUT is not kept, because it adds an object that nobody looks at.
//!
//! **Bounds**: how many workers live at the same time, failovers, segments and drops in a generation, and requests under way
//! after their sender gave up waiting: see `NORMAL` and, with `TAPELINE_TEST_MODEL=long`, `LONG`. What the search does not
//! tell apart is in `reduce.rs`.
//!
//! `cargo test --test protocol_model -- --nocapture` shows how many states there are and how long the counterexamples.

#[path = "protocol_model/claim.rs"]
mod claim;
#[path = "protocol_model/invariants.rs"]
mod invariants;
#[path = "protocol_model/landmarks.rs"]
mod landmarks;
#[path = "protocol_model/reduce.rs"]
mod reduce;
#[path = "protocol_model/search.rs"]
mod search;
#[path = "protocol_model/state.rs"]
mod state;
#[path = "protocol_model/step.rs"]
mod step;
#[path = "protocol_model/store.rs"]
mod store;
#[path = "protocol_model/variants.rs"]
mod variants;
#[path = "protocol_model/worker.rs"]
mod worker;

use invariants::Invariant::{self, *};
use landmarks::{Landmarks, NEED_LOST_ANSWERS};
use search::{Explored, explore};
use variants::Variant::{self, *};
use variants::{Form, Model};

/// Workers at a time, failovers, segments, drops, requests under way.
type Bounds = (usize, u8, u8, u32, usize);

/// A quarter of a minute without optimisation.
const NORMAL: &[Bounds] = &[(2, 1, 2, 0, 1), (2, 1, 1, 1, 1)];
/// Some minutes, optimised.
const LONG: &[Bounds] = &[(2, 1, 2, 1, 2), (3, 3, 1, 1, 1)];
/// Too many where playlists have no condition: a late publish of an older generation stays possible for ever.
const LONG_COMPARED: Bounds = (3, 3, 2, 0, 1);
/// To see that the shortcuts hide nothing.
const NO_SHORTCUTS: &[Bounds] = &[(2, 0, 1, 0, 1)];
const LONG_NO_SHORTCUTS: &[Bounds] = &[(2, 0, 2, 0, 1), (2, 1, 1, 0, 1)];
/// Each variant has a counterexample within the first or else the second.
const VARIANTS: [Bounds; 2] = [(2, 1, 1, 1, 0), (2, 1, 2, 0, 1)];

fn is_long() -> bool {
    std::env::var("TAPELINE_TEST_MODEL").is_ok_and(|length| length == "long")
}

fn model(form: Form, bounds: Bounds, variant: Option<Variant>) -> Model {
    let (workers, failovers, segments, drops, flight) = bounds;
    Model { form, workers, failovers, segments, drops, flight, shortcuts: true, variant }
}

fn explore_all(model: &Model) -> Explored {
    let explored = explore(model, &Invariant::kept_on(model.form));
    println!("{model:?}: {} states, {} steps deep", explored.states, explored.depth);
    if let Some(violation) = &explored.violation {
        panic!("{violation}");
    }
    explored
}

fn holds(form: Form) -> Landmarks {
    let (bounds, no_shortcuts) = if is_long() { (LONG, LONG_NO_SHORTCUTS) } else { (NORMAL, NO_SHORTCUTS) };
    let models = bounds.iter().map(|bounds| model(form, *bounds, None));
    let plain = no_shortcuts.iter().map(|bounds| Model { shortcuts: false, ..model(form, *bounds, None) });
    models.chain(plain).fold(Landmarks::default(), |met, model| met.and(explore_all(&model).landmarks))
}

#[test]
fn the_protocol_holds_where_versions_are_compared() {
    assert_eq!(holds(Form::Update).missing(), []);
    if is_long() {
        explore_all(&model(Form::Update, LONG_COMPARED, None));
    }
}

#[test]
fn the_protocol_holds_where_versions_are_numbered() {
    assert_eq!(holds(Form::Numbered).missing(), []);
}

#[test]
fn the_protocol_holds_on_file_systems() {
    assert_eq!(holds(Form::File).missing(), NEED_LOST_ANSWERS);
}

/// The length of the shortest trace to a step that breaks this invariant; others may be broken on the way.
fn steps_to_break(model: &Model, invariant: Invariant) -> Option<usize> {
    let explored = explore(model, &[invariant]);
    let steps = explored.violation?.trace.len();
    println!("{:?}: {invariant:?} is broken in {steps} steps ({} states)", model.variant, explored.states);
    Some(steps)
}

/// What each variant breaks.
const CAUGHT: &[(Variant, Invariant)] = &[
    (PublishWithoutIfMatch, PlaylistGrows),
    (PublishBeforeCommit, WithinSeal),
    (TimeoutIsSuccess, WithinSeal),
    (TimeoutIsSuccess, OneClaimant),
    (TimeoutIsSuccess, CommitsKept),
    (RefusedIsFenced, RightfulHolderStays),
    (RefusedPublishIsFenced, RightfulHolderStays),
    (FreshNonce, RightfulHolderStays),
    (FinalKeepsEpochAlone, FinalPhases),
    (DropAfterSent, WithinSeal),
    (DropAfterSent, CommitsKept),
    (BatchGrows, WithinSeal),
    (CommitBeforeStored, StoredFirst),
    (OldSeal, SealsComplete),
    (ClaimAgain, ClaimAsMeant),
    (SealNamedByEpoch, SealsStored),
    (SealOverwritten, SealsStay),
    (NeverFenced, NoLateCommit),
    (TailForgets, TailPublished),
    (NoLimit, GenerationLimit),
    (StoreIgnoresConditions, OneClaimant),
    (StoreIgnoresConditions, PlaylistAgrees),
    (ClaimantEndsOldPlaylist, OwnObjects),
];

#[test]
fn each_wrong_variant_is_caught() {
    for &(variant, invariant) in CAUGHT {
        let models = VARIANTS.map(|bounds| model(Form::Update, bounds, Some(variant)));
        let caught = models.iter().any(|model| steps_to_break(model, invariant).is_some());
        assert!(caught, "{variant:?} does not break {invariant:?}");
    }
}

/// They may spare the step in which a worker ends. (What needs the greater bounds takes too long without them.)
#[test]
fn the_shortcuts_hide_no_counterexample() {
    for &(variant, invariant) in CAUGHT {
        let model = model(Form::Update, VARIANTS[0], Some(variant));
        if model.takes_shortcuts()
            && let Some(short) = steps_to_break(&model, invariant)
        {
            let plain = steps_to_break(&Model { shortcuts: false, ..model }, invariant);
            let same = plain == Some(short) || plain == Some(short + 1);
            assert!(same, "{variant:?}: {short} steps, {plain:?} without shortcuts");
        }
    }
}

#[test]
fn each_invariant_can_be_broken() {
    let unbroken = |invariant: &Invariant| !CAUGHT.iter().any(|(_, broken)| broken == invariant);
    assert_eq!(Invariant::ALL.into_iter().filter(unbroken).collect::<Vec<_>>(), []);
}

/// Why stitching takes entries from older versions there, and why `file:`, whose writes are never late, need not. The
/// shortest trace takes ENDLIST away after the last publish, where no next one puts it back.
#[test]
fn a_late_publish_shortens_a_playlist_where_versions_are_numbered() {
    let numbered = model(Form::Numbered, VARIANTS[1], None);
    assert!(steps_to_break(&numbered, PlaylistGrows).is_some());
}

/// Stop and Abandon raise the epoch and change the phase: for fencing, either would do.
#[test]
fn the_phase_fences_without_a_new_epoch() {
    explore_all(&model(Form::Update, (2, 0, 1, 1, 0), Some(FinalKeepsEpoch)));
}
