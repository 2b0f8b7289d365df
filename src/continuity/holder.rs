//! The right to write a recording, and how a worker keeps it or finds out that it has lost it.
//!
//! A holder acts on the last good answer of the store only while that is fresh on a clock that counts
//! suspended time, and reads first otherwise: a worker that was paused finds out that it was replaced before
//! it does anything else.

use std::time::Duration;

use super::control::ControlObject;
use super::form::Form;
use super::register::{Register, Version};
use super::rejection::{existing, fenced, outrun, refused};
use super::transitions::Addition;
use super::writer::{HolderOptions, PATIENCE, Writer, Written};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Generation, RecordingId};
use crate::naming::Prefix;

/// How old the last good answer of the store may be to act on.
const FRESH: Duration = Duration::from_secs(9);

/// The right to write a recording's current generation, as long as nobody takes it.
pub struct Holder {
    writer: Writer,
    state: ControlObject,
    version: Version,
    /// When the last good answer was asked for.
    fresh_from: Duration,
}

impl Holder {
    /// Creates a recording.
    ///
    /// # Errors
    /// `Conflict` where there is one of that sid, saying its state; `Unavailable` where the store does not
    /// serve.
    pub async fn start(
        register: Register,
        id: &RecordingId,
        prefix: Prefix,
        options: HolderOptions,
    ) -> Result<Self> {
        let mut writer = Writer::new(register, options)?;
        let me = writer.introduce()?;
        let asked = writer.now();
        let state = ControlObject::start(id, prefix, me, writer.nonce());
        match writer.change(None, &state, Some(PATIENCE)).await? {
            Ok(version) => Ok(Self { writer, state, version, fresh_from: asked }),
            Err(found) => Err(existing(found.as_deref().map(|found| &found.0), id)),
        }
    }

    /// Stops a recording whose worker is gone. Gives the final state.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where the recording was stopped, or another change came first, saying whose;
    /// `Abandoned`.
    pub async fn stop_for_another(register: Register, options: HolderOptions) -> Result<ControlObject> {
        let mut writer = Writer::new(register, options)?;
        let (base, version) = *writer.read_existing().await?;
        base.check_open().map_err(|refusal| refused(&base, refusal))?;
        let seal = writer.seal(&base, Some(PATIENCE)).await?;
        let state = base.stop(seal, writer.nonce()).map_err(|refusal| refused(&base, refusal))?;
        match writer.change(Some((&base, &version)), &state, Some(PATIENCE)).await? {
            Ok(_) => Ok(state),
            Err(found) => Err(outrun("stop", &base, found.as_deref())),
        }
    }

    pub(super) fn new(writer: Writer, state: ControlObject, version: Version, fresh_from: Duration) -> Self {
        Self { writer, state, version, fresh_from }
    }

    /// The state as this worker last wrote it.
    pub fn state(&self) -> &ControlObject {
        &self.state
    }

    /// In which form the recording's register is.
    pub fn form(&self) -> Form {
        self.writer.form()
    }

    /// What this worker's changes wrote since the last call.
    pub fn take_written(&mut self) -> Written {
        self.writer.take_written()
    }

    /// Which turn at the recording this is.
    pub fn generation(&self) -> Generation {
        self.state.generation
    }

    /// Makes sure that the recording was ours a moment ago.
    ///
    /// # Errors
    /// `Fenced`, naming epoch and holder. Waits as long as the store does not serve.
    pub async fn ensure_current(&mut self) -> Result<()> {
        // Again where the answer is no longer fresh: it may have waited for a worker that was paused.
        while self.writer.now().saturating_sub(self.fresh_from) >= FRESH {
            let asked = self.writer.now();
            let found = self.writer.read_patiently(None).await?;
            self.check(found.as_deref())?;
            self.fresh_from = asked;
        }
        Ok(())
    }

    /// Commits segments: they are stored, and now listed for good.
    ///
    /// # Errors
    /// `Fenced`. Waits as long as the store does not serve.
    pub async fn commit(&mut self, additions: &[Addition]) -> Result<()> {
        let nonce = self.writer.nonce();
        self.advance(self.state.commit(additions, nonce)).await
    }

    /// Gives the recording up for want of a source; whoever claims it next need not wait.
    ///
    /// # Errors
    /// `Fenced`.
    pub async fn orphan(&mut self) -> Result<()> {
        let nonce = self.writer.nonce();
        self.advance(self.state.orphan(nonce)).await
    }

    /// Ends the recording: nothing more can be committed.
    ///
    /// # Errors
    /// `Fenced`.
    pub async fn stop(&mut self) -> Result<()> {
        let seal = self.writer.seal(&self.state, None).await?;
        let nonce = self.writer.nonce();
        let next = self.state.stop(seal, nonce).map_err(|refusal| refused(&self.state, refusal))?;
        self.advance(next).await
    }

    async fn advance(&mut self, next: ControlObject) -> Result<()> {
        self.ensure_current().await?;
        let asked = self.writer.now();
        match self.writer.change(Some((&self.state, &self.version)), &next, None).await? {
            Ok(version) => {
                (self.state, self.version, self.fresh_from) = (next, version, asked);
                Ok(())
            }
            Err(found) => {
                self.check(found.as_deref())?;
                // Epoch and phase are ours, and yet somebody has written.
                let id = self.state.id();
                let message = format!(
                    "another process writes {id} as this worker; is this a copy of a machine that still runs?"
                );
                Err(Error::new(ErrorKind::Fenced, message))
            }
        }
    }

    /// # Errors
    /// `Fenced` where the object is not as we last wrote it.
    fn check(&self, found: Option<&(ControlObject, Version)>) -> Result<()> {
        match found {
            Some((state, _)) if state.is_still(&self.state) => Ok(()),
            Some((state, _)) => Err(fenced(state)),
            None => {
                let id = self.state.id();
                let message = format!("the control object of {id} is gone: somebody deleted the recording");
                Err(Error::new(ErrorKind::Fenced, message))
            }
        }
    }
}

impl std::fmt::Debug for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holder").field("state", &self.state).finish_non_exhaustive()
    }
}
