//! The fault processing centre: it keeps recordings running that somebody asked for, on any of its nodes, and moves them to
//! another when theirs is gone.
//!
//! Nodes share the store and nothing else; there is no leader. A *worker* is a process that records; its [`Lease`] says that it
//! lives. A [`Request`] says what is to be recorded, and outlives every node. [`Watch`] judges leases, [`Policy`] decides who does
//! what, `placement` makes all nodes think of the same worker first (all pure). The control object of each recording stays the one
//! that arbitrates: what is decided twice is claimed once.

#[cfg(feature = "api")]
pub mod api;
mod board;
mod desk;
mod document;
mod knowledge;
mod lease;
#[cfg(feature = "nats")]
mod nats;
mod node;
mod placement;
mod policy;
mod request;
mod socket;
mod task;
mod view;
mod watch;

pub use board::{Membership, Requests, StoreMembership};
pub use desk::{Desk, Question, Start};
pub use lease::{Lease, RENEWAL, Standing};
#[cfg(feature = "nats")]
pub use nats::NatsMembership;
pub use node::{NodeOptions, serve, worker_id};
pub use policy::{Action, Control, Known, Policy, RECONNECT};
pub use request::{Client, Request, Wanted};
pub use socket::{ask, listen};
pub use view::{Node, State, View};
pub use watch::{Verdict, Watch};
