//! Following a recording: its stitched playlists grow while it runs, over failovers, until it has ended.
//!
//! The control object is read at intervals. When it has changed, only what is new is taken: of an output that is known as far as
//! its tail begins, the tail alone; playlists are read where a follower begins in the middle. Each turn's pieces are kept,
//! some hundred bytes for each segment.

use std::collections::BTreeMap;
use std::time::Duration;

use super::live::Live;
use super::location::inside;
use super::options::StitchOptions;
use super::piece::Turn;
use super::recorded::{base_of, known};
use super::stitched::{Outcome, has_conditions, write};
use crate::clock::SharedClock;
use crate::continuity::Recordings;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Sid;
use crate::naming::STITCHED;
use crate::store::Store;

/// What a follower did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The playlist's key.
    pub key: String,
    /// What became of it.
    pub outcome: Outcome,
    /// It has its end.
    pub ended: bool,
}

/// Keeps the stitched playlists of a recording up to date, as `EVENT` playlists, until the recording has ended. Looks at
/// intervals of `pause`; `tell` hears of each playlist that was looked at. A store that does not serve is waited for.
///
/// # Errors
/// `NotFound` where there is no such recording; what a store refuses.
pub async fn follow(
    store: &Store,
    sid: &Sid,
    options: &StitchOptions,
    clock: &SharedClock,
    pause: Duration,
    mut tell: impl FnMut(&Followed),
) -> Result<()> {
    let recordings = Recordings::open(store).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!("there is no recording {sid} in {store}: there are none at all"),
        )
    })?;
    let mut follower = Follower { turns: BTreeMap::new(), live: BTreeMap::new(), counter: 0 };
    loop {
        match follower.look(store, &recordings, sid, options, &mut tell).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                tracing::warn!(error = %error.report(), "the store does not serve");
            }
            Err(error) => return Err(error),
        }
        clock.sleep(pause).await;
    }
}

struct Follower {
    /// By playlist, what is known of each turn.
    turns: BTreeMap<String, Turn>,
    /// By output.
    live: BTreeMap<String, Live>,
    /// Of the version that was seen last.
    counter: u64,
}

impl Follower {
    /// Takes what is new; whether the recording has ended.
    async fn look(
        &mut self,
        store: &Store,
        recordings: &Recordings,
        sid: &Sid,
        options: &StitchOptions,
        tell: &mut impl FnMut(&Followed),
    ) -> Result<bool> {
        let state = recordings.read(sid).await?;
        if state.counter == self.counter {
            return Ok(false);
        }
        let register = recordings.register(sid);
        let mut outputs: BTreeMap<String, Vec<Turn>> = BTreeMap::new();
        for known in known(recordings, &state).await? {
            for output in &known.outputs {
                let committed = known.committed(&register, &state.prefix, output);
                let turn = committed.more(store, self.turns.remove(&output.playlist)).await?;
                self.turns.insert(output.playlist.clone(), turn.clone());
                outputs.entry(base_of(&output.playlist)).or_default().push(turn);
            }
        }
        let conditional = store.local_root().is_none() && has_conditions(store).await?;
        for (base, turns) in outputs {
            let key = inside(state.prefix.as_str(), &format!("{STITCHED}{base}.m3u8"));
            let live = self.live.entry(base).or_default();
            live.extend(&turns, &options.base).map_err(|segment| {
                let message =
                    format!("{segment} is longer than {key} allows, which cannot change; stitch it anew");
                Error::new(ErrorKind::Malformed, message)
            })?;
            if live.text().is_empty() {
                continue;
            }
            if state.phase.is_final() {
                live.end();
            }
            let outcome = write(store, &key, live.text(), conditional).await?;
            tell(&Followed { key, outcome, ended: live.has_ended() });
        }
        self.counter = state.counter;
        Ok(state.phase.is_final())
    }
}
