//! Continuity: who may write a recording, and what of it is committed.
//!
//! The *control object* is the one source of truth about a recording's state, and the one object that
//! workers contend for; it is changed by compare-and-swap alone. So correctness never depends on a clock:
//! clocks only decide when somebody tries.
//!
//! - A [`Holder`] starts a recording, or claims its next generation, and then commits segments and stops.
//!   It is *fenced* when somebody else has claimed or stopped the recording since.
//! - [`ControlObject`] and [`Seal`] are the documents, with every change that there is, and [`SalvageRecord`] (pure).
//! - [`Change`] settles one change: any answer but a clean success is undecided until the object has been
//!   read back, and what is undecided is repeated with the same body (pure).
//! - A [`Register`] reads and swaps the control object in the form that its store has; [`probe`] finds out
//!   which, and refuses a store that would lose recordings.
//! - [`Recordings`] lists and reads what a store holds; a [`Status`] is what one of them came to, an [`Account`] what
//!   became of each of its seconds (pure).
//!
//! The order segment, commit, publish is what makes it safe: a playlist is published only as far as it is
//! committed, commits of a generation end with the next claim, and so a late publication can only show what
//! the seal of its generation already holds.

mod account;
mod change;
mod claim;
mod control;
mod form;
mod holder;
pub mod probe;
mod recordings;
mod register;
mod rejection;
mod salvage;
mod seal;
mod status;
mod tail;
mod transitions;
mod uncommitted;
mod writer;

pub use account::{Absence, Account, Turn};
pub use change::{Change, Heard, Next};
pub use claim::Claim;
pub use control::{ControlObject, HolderName, InvalidDocument, MediaEnd, OutputState, Phase, SealName};
pub use form::{Form, StoreForm};
pub use holder::Holder;
pub use recordings::Recordings;
pub use register::{Register, Swapped, Version};
pub use salvage::{
    LossCause, LostSegment, SalvageRecord, SalvageState, SalvagedSegment, SalvagedWorker, TornCause,
};
pub use seal::Seal;
pub use status::{GenerationStatus, Join, OutputStatus, Salvaged, Status, Total};
pub use tail::TailEntry;
pub use transitions::{Addition, Refusal};
pub use writer::{HolderOptions, OnRetry, Written, random_uid, this_host};
