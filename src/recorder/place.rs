//! Which place in the spool a recording gets.

use std::path::PathBuf;

use super::options::{Options, Spool};
use crate::clock::draw;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Sid;
use crate::spool::{Room, SpoolBase, SpoolFolder};
use crate::store::Store;

/// A folder of its own, with an account.
pub(super) async fn spool(store: &Store, sid: &Sid, options: &Options) -> Result<SpoolFolder> {
    let room = match &options.worker_room {
        Some(worker) => worker.within(options.spool_limit),
        None => Room::new(options.spool_limit),
    };
    SpoolFolder::create(&options.spool.base(store)?, sid, draw(&*options.chance)?, room).await
}

impl Spool {
    /// Where that is for recordings in `store`: a folder of a local store lies on the store's file system, so that
    /// segments are linked into place; else the user's folder for state (XDG Base Directory Specification).
    ///
    /// # Errors
    /// `InvalidInput` where there is no usual place.
    pub fn base(&self, store: &Store) -> Result<SpoolBase> {
        if let Self::In(base) = self {
            return Ok(base.clone());
        }
        if let Some(root) = store.local_root() {
            return Ok(SpoolBase::folder(root.join(".tapeline").join("spool")));
        }
        let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local").join("state"));
        let state = state.or_else(home).ok_or_else(|| {
            let message = "there is no home folder for the spool; name one with --spool";
            Error::new(ErrorKind::InvalidInput, message)
        })?;
        Ok(SpoolBase::folder(state.join("tapeline").join("spool")))
    }
}
