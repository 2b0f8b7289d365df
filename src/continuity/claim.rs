//! Taking a recording over: one claim from one read.
//!
//! Between the two the caller decides. A claim that comes second ends and says who was first; it is never
//! repeated on the newer state, which somebody else has just become the holder of.

use std::time::Duration;

use tracing::info;

use super::control::{ControlObject, Phase};
use super::holder::Holder;
use super::register::{Register, Version};
use super::rejection::{outrun, refused};
use super::transitions::Refusal;
use super::writer::{HolderOptions, PATIENCE, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Generation;
use crate::time::WallTime;

/// A recording as it was read by one who would take it over.
pub struct Claim {
    writer: Writer,
    base: ControlObject,
    version: Version,
}

impl Claim {
    /// Reads the recording.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where the recording was stopped; `Abandoned` where it has used up its
    /// failovers.
    pub async fn read(register: Register, options: HolderOptions) -> Result<Self> {
        let writer = Writer::new(register, options)?;
        let (base, version) = *writer.read_existing().await?;
        base.check_open().map_err(|refusal| refused(&base, refusal))?;
        Ok(Self { writer, base, version })
    }

    /// The recording as it was read.
    pub fn state(&self) -> &ControlObject {
        &self.base
    }

    /// Leaves a recording alone that another worker has claimed less than `respite` ago, unless it has given
    /// it up. Of several who are told at the same time to take a recording over, each would otherwise fence
    /// the one before, and use the failovers up.
    ///
    /// Clocks of two machines are compared here; where they differ by more, nothing is left alone.
    ///
    /// # Errors
    /// `Conflict`, saying whose it is and when to try again.
    pub fn respect(&self, now: WallTime, respite: Duration) -> Result<()> {
        let Self { base, .. } = self;
        let claimed = base.generation > Generation::FIRST && base.phase != Phase::Orphaned;
        let age = Duration::from_millis(now.millis().abs_diff(base.holder.since.millis()));
        match respite.checked_sub(age).filter(|rest| claimed && !rest.is_zero()) {
            None => Ok(()),
            Some(rest) => {
                let message = format!(
                    "cannot claim {}: {} came first, with generation {}; if that one is gone too, try again in \
                     {} s",
                    base.id(),
                    base.holder,
                    base.generation,
                    rest.as_secs() + 1
                );
                Err(Error::new(ErrorKind::Conflict, message))
            }
        }
    }

    /// Makes the claim.
    ///
    /// # Errors
    /// `Conflict` where another change came first, saying whose; `Abandoned` where this was the claim
    /// that found the failovers used up.
    pub async fn make(self) -> Result<Holder> {
        let Self { mut writer, base, version } = self;
        let seal = writer.seal(&base, Some(PATIENCE)).await?;
        let me = writer.introduce()?;
        let asked = writer.now();
        let state = base.claim(me, seal, writer.nonce()).map_err(|refusal| refused(&base, refusal))?;
        match writer.change(Some((&base, &version)), &state, Some(PATIENCE)).await? {
            Ok(_) if state.phase == Phase::Abandoned => Err(refused(&state, Refusal::Abandoned)),
            Ok(version) => {
                info!(generation = %state.generation, epoch = state.epoch, "claimed");
                Ok(Holder::new(writer, state, version, asked))
            }
            Err(found) => Err(outrun("claim", &base, found.as_deref())),
        }
    }
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim").field("base", &self.base).finish_non_exhaustive()
    }
}
