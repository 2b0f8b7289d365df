//! What the fuzz targets share: slicing with every property checked, and edits of real streams.
//!
//! A target decodes its input, calls one `check` here or in the target, and panics where a property does
//! not hold. Nothing here depends on time or chance but the input's bytes.

mod buckets;
mod edits;
mod fixture;
mod frames;
mod memory;
mod slicing;
mod surveying;

pub use buckets::{Bucket, record_bucket};
pub use edits::{Case, Edit};
pub use frames::check_frames;
pub use slicing::{Chunks, Setting, check, check_webm, with_setting};
pub use surveying::{check_segment, check_survey};
