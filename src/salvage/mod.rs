//! Salvage: what a dead worker left in its spool is brought to the store, under that worker's own names.
//!
//! [`salvage`] takes one folder that nobody holds any more. Each segment is stored by create-if-absent as its worker would
//! have stored it, one whose writing was cut off after it was cut back to what is whole of it; then a
//! [`SalvageRecord`](crate::continuity::SalvageRecord) beside the recording's seals says what lay there, and the folder is
//! cleared. No playlist, seal or control object is written, so it harms nobody who records or reads meanwhile. It may be
//! interrupted anywhere and done again: what comes of it is a function of what lies in the folder, and for segments that their
//! worker had given up, of whether they have arrived in the store all the same.
//!
//! [`Others`] does it for all folders of a base in the background of a worker.

mod driver;
mod find;
mod others;
mod outcome;
mod tries;

pub use driver::{Destination, SalvageOptions, salvage, tidy};
pub use others::{News, Others};
pub use outcome::{Remainder, Salvage};
