//! The driver: carries changes of the control object out, for the worker that holds a recording and for
//! those who take it over or stop it.
//!
//! A holder acts on the last good answer of the store only while that is fresh on a clock that counts
//! suspended time, and reads first otherwise: a worker that was paused finds out that it was replaced before
//! it does anything else.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;
use tracing::debug;

use super::change::{Change, Heard, Next};
use super::control::{ControlObject, HolderName, Phase, SealName};
use super::form::Form;
use super::register::{Register, Swapped, Version};
use super::seal::Seal;
use super::transitions::{Addition, Refusal};
use crate::checksum::Sha256;
use crate::clock::{SharedChance, SharedClock, draw};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Generation, RecordingId, Uid};
use crate::naming::Prefix;
use crate::store::{Backoff, Created, ObjectKind};

/// How old the last good answer of the store may be to act on.
const FRESH: Duration = Duration::from_secs(9);
/// How long to try a change that nobody waits with media for.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Told of a request that will be repeated: its key, why, and after which pause.
pub type OnRetry = Arc<dyn Fn(&str, &Error, Duration) + Send + Sync>;

/// What a holder needs.
#[derive(Clone)]
pub struct HolderOptions {
    /// Counts suspended time.
    pub clock: SharedClock,
    /// Names workers, and decides pauses.
    pub chance: SharedChance,
    /// Hears of repeats.
    pub on_retry: OnRetry,
}

/// The right to write a recording's current generation, as long as nobody takes it.
pub struct Holder {
    writer: Writer,
    state: ControlObject,
    version: Version,
    /// When the last good answer was asked for.
    fresh_from: Duration,
}

/// Makes changes, each with a nonce of its own.
pub(super) struct Writer {
    register: Register,
    options: HolderOptions,
    worker: String,
    changes: u64,
    seed: u64,
    /// Bytes of control objects sent.
    sent_bytes: u64,
}

/// A state of the control object and the version it is.
pub(super) type Found = Box<(ControlObject, Version)>;

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
        let asked = writer.options.clock.monotonic();
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
        self.writer.register.form()
    }

    /// Bytes of control objects sent since the last call.
    pub fn take_sent_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.writer.sent_bytes)
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
        if self.writer.options.clock.monotonic().saturating_sub(self.fresh_from) < FRESH {
            return Ok(());
        }
        let asked = self.writer.options.clock.monotonic();
        let found = self.writer.read_patiently(None).await?;
        self.check(found.as_deref())?;
        self.fresh_from = asked;
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
        let asked = self.writer.options.clock.monotonic();
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

impl Writer {
    pub(super) fn new(register: Register, options: HolderOptions) -> Result<Self> {
        let worker = format!("{:032x}", u128::from_be_bytes(draw(&*options.chance)?));
        let seed = u64::from_be_bytes(draw(&*options.chance)?);
        Ok(Self { register, options, worker, changes: 0, seed, sent_bytes: 0 })
    }

    pub(super) fn now(&self) -> Duration {
        self.options.clock.monotonic()
    }

    /// Who we are, with a fresh random recording uid.
    pub(super) fn introduce(&self) -> Result<HolderName> {
        let uid = loop {
            if let Some(uid) = Uid::new(u32::from_be_bytes(draw(&*self.options.chance)?)) {
                break uid;
            }
        };
        Ok(HolderName {
            worker: self.worker.clone(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
            uid: uid.get(),
            since: self.options.clock.wall(),
            unknown: Map::new(),
        })
    }

    /// Nobody else's, and never used twice.
    pub(super) fn nonce(&mut self) -> String {
        self.changes += 1;
        format!("{}-{}", self.worker, self.changes)
    }

    /// Writes the seal of the current generation of `state`.
    pub(super) async fn seal(&self, state: &ControlObject, patience: Option<Duration>) -> Result<SealName> {
        let seal = Seal::of(state);
        let (key, text) = (self.register.key(&seal.name()), seal.encode());
        let store = self.register.store();
        let mut backoff = Backoff::new(self.seed);
        let give_up = self.give_up(patience);
        let created = loop {
            match store.put_new(&key, vec![text.clone()], ObjectKind::Control).await {
                Ok(created) => break created,
                Err(error) => self.pause(&key, error, &mut backoff, give_up).await?,
            }
        };
        match created {
            Created::Stored => {
                let (generation, sha256) = (state.generation, Sha256::of(&text));
                Ok(SealName { generation, key, sha256, unknown: Map::new() })
            }
            Created::AlreadyThere => {
                let message = format!("{key} in {store} is not the seal of the state that was read");
                Err(Error::new(ErrorKind::Malformed, message))
            }
        }
    }

    /// Settles a change: the version it made, or what was there instead.
    pub(super) async fn change(
        &mut self,
        base: Option<(&ControlObject, &Version)>,
        proposal: &ControlObject,
        patience: Option<Duration>,
    ) -> Result<Result<Version, Option<Found>>> {
        let give_up = self.give_up(patience);
        let mut change = Change::new(base.map(|(state, _)| state), proposal);
        let mut backoff = Backoff::new(self.seed ^ proposal.counter);
        let key = self.register.to_string();
        let mut trouble = None;
        loop {
            let heard = match change.next() {
                Next::Won(version) => return Ok(Ok(version)),
                Next::Lost(found) => return Ok(Err(found)),
                Next::Swap(body) => {
                    self.sent_bytes += body.len() as u64;
                    match self.register.swap(base.map(|(_, version)| version), body).await {
                        Ok(Swapped::Won(version)) => Heard::Swapped(version),
                        Ok(Swapped::Refused(error) | Swapped::Undecided(error)) | Err(error) => {
                            debug!(error = %error.report(), "a swap needs a look");
                            trouble = Some(error);
                            Heard::NotSwapped
                        }
                    }
                }
                Next::Read => match self.read().await {
                    Ok(found) => Heard::Found(found),
                    Err(error) if error.kind() == ErrorKind::Malformed => return Err(error),
                    Err(error) => {
                        trouble = Some(error);
                        Heard::NotRead
                    }
                },
                Next::Pause => {
                    let error = trouble.take().unwrap_or_else(|| {
                        Error::new(ErrorKind::Unavailable, format!("{key} could not be changed"))
                    });
                    self.pause(&key, error, &mut backoff, give_up).await?;
                    Heard::Paused
                }
            };
            change.hear(heard);
        }
    }

    async fn read(&self) -> Result<Option<Found>> {
        let Some((text, version)) = self.register.read().await? else { return Ok(None) };
        Ok(Some(Box::new((self.register.decode(&text)?, version))))
    }

    /// Reads, waiting for a store that does not serve; with a limit, no longer than that.
    async fn read_patiently(&self, patience: Option<Duration>) -> Result<Option<Found>> {
        let give_up = self.give_up(patience);
        let mut backoff = Backoff::new(self.seed);
        loop {
            match self.read().await {
                Err(error) if error.kind() == ErrorKind::Malformed => return Err(error),
                Err(error) => {
                    self.pause(&self.register.to_string(), error, &mut backoff, give_up).await?;
                }
                found => return found,
            }
        }
    }

    pub(super) async fn read_existing(&self) -> Result<Found> {
        let found = self.read_patiently(Some(PATIENCE)).await?;
        found.ok_or_else(|| {
            let message =
                format!("there is no recording {} in {}", self.register.sid(), self.register.store());
            Error::new(ErrorKind::NotFound, message)
        })
    }

    fn give_up(&self, patience: Option<Duration>) -> Option<Duration> {
        patience.map(|patience| self.options.clock.monotonic() + patience)
    }

    /// Waits before the next try; gives `error` back when there should be none.
    async fn pause(
        &self,
        key: &str,
        error: Error,
        backoff: &mut Backoff,
        give_up: Option<Duration>,
    ) -> Result<()> {
        let pause = backoff.next_delay();
        if let Some(give_up) = give_up {
            // A person waits: what will not pass by itself is told at once.
            let passing = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict);
            if !passing || self.options.clock.monotonic() + pause > give_up {
                return Err(error);
            }
        }
        (self.options.on_retry)(key, &error, pause);
        self.options.clock.sleep(pause).await;
        Ok(())
    }
}

/// The error of a worker that has lost its recording to what `state` says.
fn fenced(state: &ControlObject) -> Error {
    let (id, epoch, holder) = (state.id(), state.epoch, &state.holder);
    let message = match state.phase {
        Phase::Stopped => format!("{id} was stopped by somebody else (epoch {epoch})"),
        Phase::Abandoned => format!("{id} was abandoned (epoch {epoch}, after {holder})"),
        phase => format!(
            "{id} belongs to another worker now: {phase}, generation {}, epoch {epoch}, held by {holder}",
            state.generation
        ),
    };
    Error::new(ErrorKind::Fenced, message)
}

/// The error of one who would start what is there already.
fn existing(state: Option<&ControlObject>, id: &RecordingId) -> Error {
    let said = match state {
        None => "its control object came and went".to_owned(),
        Some(state) if state.phase.is_final() => {
            format!("it is {}; choose another --sid", state.phase)
        }
        Some(state) => format!(
            "it is {}, generation {}, held by {}; choose another --sid, or take it over with --resume if that \
             worker is gone",
            state.phase, state.generation, state.holder
        ),
    };
    Error::new(ErrorKind::Conflict, format!("the recording {} exists: {said}", id.sid))
}

/// The error of one who would go on with what has ended.
pub(super) fn refused(state: &ControlObject, refusal: Refusal) -> Error {
    let kind = match refusal {
        Refusal::Stopped => ErrorKind::Conflict,
        Refusal::Abandoned => ErrorKind::Abandoned,
    };
    Error::new(kind, format!("{}: {refusal}; what was recorded stays as it is", state.id()))
        .with_source(refusal)
}

/// The error of one whose claim or stop came second.
pub(super) fn outrun(what: &str, base: &ControlObject, found: Option<&(ControlObject, Version)>) -> Error {
    let id = base.id();
    let said = match found {
        None => "its control object is gone".to_owned(),
        Some((state, _)) if state.is_still(base) => {
            format!("its worker lives and has just committed: {}", state.holder)
        }
        Some((state, _)) if state.phase.is_final() => format!("it is {} now", state.phase),
        Some((state, _)) => {
            format!("{} came first, with generation {}", state.holder, state.generation)
        }
    };
    Error::new(ErrorKind::Conflict, format!("cannot {what} {id}: {said}"))
}
