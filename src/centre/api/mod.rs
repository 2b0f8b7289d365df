//! The REST API: calls of clients that know the hosted services' cloud recording, answered by any node for any recording.
//!
//! [`Service`] is the calls; [`listen`] reads them from the network, after [`Credentials`] and limits.

mod access;
mod answer;
mod call;
mod files;
mod places;
mod rate;
mod resource;
mod server;
mod service;

pub use access::Credentials;
pub use answer::Refusal;
pub use places::{Allowed, Places};
pub use resource::Resource;
pub use server::{Listening, Tls, listen};
pub use service::{Path, Service};
