//! Transport streams made by hand, and what every slicing of one must keep.

#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

mod mux;
mod outcome;

pub use mux::*;
pub use outcome::*;
