//! What the caller of stitching chooses.

use std::time::Duration;

use super::render::{GapMode, UriBase};
use crate::ids::Cname;

/// What to do about segments that are listed, and not in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingMode {
    /// They are gaps.
    #[default]
    Gap,
    /// They are an error.
    Fail,
}

/// How to stitch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StitchOptions {
    /// The channel, where several have a recording of one id.
    pub cname: Option<Cname>,
    /// What stands in the playlist for time that nothing covers.
    pub gap: GapMode,
    /// Segments may be trimmed: those of which another turn has the end.
    pub rewrite: bool,
    /// Only what seals vouch for: the same at any time, whatever lies in the store beside it.
    pub sealed_only: bool,
    /// What to do about segments that are not in the store.
    pub missing: MissingMode,
    /// What stands before the URIs.
    pub base: UriBase,
    /// URIs are URLs that anyone may read from for so long, for a bucket that is not public. They differ from run to run.
    pub presign: Option<Duration>,
}

impl Default for StitchOptions {
    fn default() -> Self {
        Self {
            cname: None,
            gap: GapMode::default(),
            rewrite: true,
            sealed_only: false,
            missing: MissingMode::default(),
            base: UriBase::default(),
            presign: None,
        }
    }
}

/// Told while segments are read: how many are done, of how many.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Send + Sync);
