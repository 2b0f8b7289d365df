//! The sources of a recording that has a control object: its seals, and what is committed of the open generation.

use futures_util::{StreamExt, TryStreamExt};

use super::committed::Committed;
use super::options::StitchOptions;
use super::piece::Standing;
use super::source::Sources;
use crate::continuity::{ControlObject, OutputState, Phase, Recordings, Register, Seal};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Generation, Sid};
use crate::naming::{ObjectName, Prefix};
use crate::store::Store;

/// Playlists read at once.
const READS: usize = 8;

/// A generation whose outputs are known.
pub(crate) struct Known {
    pub generation: Generation,
    pub standing: Standing,
    /// Of the version that tells.
    pub counter: u64,
    pub outputs: Vec<OutputState>,
}

impl Known {
    /// What it says of one of its outputs.
    pub fn committed<'a>(
        &self,
        register: &'a Register,
        prefix: &'a Prefix,
        output: &'a OutputState,
    ) -> Committed<'a> {
        let &Self { generation, standing, counter, .. } = self;
        Committed { register, prefix, generation, standing, counter, output }
    }

    /// What a seal says.
    pub fn sealed(seal: Seal) -> Self {
        let Seal { generation, counter, outputs, .. } = seal;
        Self { generation, standing: Standing::Sealed, counter, outputs }
    }

    /// What is committed of the open generation.
    pub fn open(state: &ControlObject) -> Self {
        let ControlObject { generation, counter, outputs, .. } = state.clone();
        Self { generation, standing: Standing::Open, counter, outputs }
    }
}

/// All generations of a recording in that state.
///
/// # Errors
/// Whatever reading a seal gives.
pub(super) async fn known(recordings: &Recordings, state: &ControlObject) -> Result<Vec<Known>> {
    let mut known = Vec::new();
    for name in &state.seals {
        known.push(Known::sealed(recordings.seal(name).await?));
    }
    if !state.phase.is_final() {
        known.push(Known::open(state));
    }
    Ok(known)
}

/// What a recording's documents tell.
pub(super) struct Recorded {
    /// Its turns.
    pub sources: Sources,
    /// Generations whose seal cannot be read: only their playlists tell of them.
    pub unsealed: Vec<Generation>,
    /// The generation that it has come to.
    pub last: Generation,
}

/// Reads them.
///
/// # Errors
/// `NotFound` where there is no such recording; `Conflict` where it is of another channel; whatever reading gives.
pub(super) async fn read(
    store: &Store,
    recordings: &Recordings,
    sid: &Sid,
    options: &StitchOptions,
) -> Result<Recorded> {
    let state = recordings.read(sid).await?;
    if let Some(cname) = options.cname.as_ref().filter(|cname| **cname != state.cname) {
        let message =
            format!("{sid} in {store} is a recording of the channel {}, not of {cname}", state.cname);
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    let folder = state.prefix.as_str().to_owned();
    let mut sources = Sources { folder, ..Sources::default() };
    let (mut known, mut unsealed) = (Vec::new(), Vec::new());
    for name in &state.seals {
        match recordings.seal(name).await {
            Ok(seal) => known.push(Known::sealed(seal)),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Malformed)
                    && !options.sealed_only =>
            {
                sources.notes.push(format!("{}; only its playlists tell of that generation", error.report()));
                unsealed.push(name.generation);
            }
            Err(error) => return Err(error),
        }
    }
    sources.scanned = state.seals.iter().map(|seal| seal.generation).collect();
    if !state.phase.is_final() {
        let generation = state.generation;
        if options.sealed_only {
            sources.notes.push(format!("generation {generation} is open, and left out"));
        } else {
            sources.notes.push(format!("generation {generation} is open: what is committed of it so far"));
            known.push(Known::open(&state));
            if state.phase == Phase::Orphaned {
                sources.scanned.push(generation);
            }
        }
    }
    let register = recordings.register(sid);
    let all = known.iter().flat_map(|known| known.outputs.iter().map(move |output| (known, output)));
    let read = all.map(|(known, output)| {
        let committed = known.committed(&register, &state.prefix, output);
        async move { committed.turn(store).await.map(|turn| (output.playlist.as_str(), turn)) }
    });
    let turns: Vec<_> = futures_util::stream::iter(read).buffered(READS).try_collect().await?;
    for (playlist, (turn, faults)) in turns {
        sources.notes.extend(faults.iter().map(ToString::to_string));
        sources.outputs.entry(base_of(playlist)).or_default().turns.push(turn);
    }
    Ok(Recorded { sources, unsealed, last: state.generation })
}

/// The name that an output's playlist has in the first generation, without the extension.
pub(super) fn base_of(playlist: &str) -> String {
    let original = match playlist.parse::<ObjectName>() {
        Ok(name) => ObjectName { generation: Generation::FIRST, ..name }.to_string(),
        Err(_) => playlist.to_owned(),
    };
    original.strip_suffix(".m3u8").unwrap_or(&original).to_owned()
}
