//! The driver: carries changes of the control object out, for a holder and for those who take a recording
//! over or stop it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;
use tracing::debug;

use super::change::{ABSENCES, Change, Heard, Next};
use super::control::{ControlObject, HolderName, SealName};
use super::form::Form;
use super::register::{Register, Swapped, Version};
use super::seal::Seal;
use crate::checksum::Sha256;
use crate::clock::{SharedChance, SharedClock, draw};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Uid;
use crate::store::{Backoff, Created, ObjectKind};

/// How long to try a change that nobody waits with media for.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Told of a request that will be repeated: its key, why, and after which pause.
pub type OnRetry = Arc<dyn Fn(&str, &Error, Duration) + Send + Sync>;

/// What changes of a control object wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the object as it was last sent.
    pub size: u64,
    /// Bytes sent in all, repeats included.
    pub sent: u64,
}

/// What a holder needs.
#[derive(Clone)]
pub struct HolderOptions {
    /// Counts suspended time.
    pub clock: SharedClock,
    /// Names workers, and decides pauses.
    pub chance: SharedChance,
    /// Hears of repeats.
    pub on_retry: OnRetry,
    /// Whose lease tells whether this process lives, where it has one.
    pub lease: Option<String>,
    /// The recording uid of a claim; by default a random one.
    pub uid: Option<Uid>,
}

/// Makes changes, each with a nonce of its own.
pub(super) struct Writer {
    register: Register,
    options: HolderOptions,
    worker: String,
    changes: u64,
    seed: u64,
    written: Written,
}

/// This machine's name.
pub fn this_host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// A recording uid for one turn at a recording.
///
/// # Errors
/// Where there is no chance to draw from.
pub fn random_uid(chance: &SharedChance) -> Result<Uid> {
    loop {
        if let Some(uid) = Uid::new(u32::from_be_bytes(draw(&**chance)?)) {
            return Ok(uid);
        }
    }
}

/// A state of the control object and the version it is.
pub(super) type Found = Box<(ControlObject, Version)>;

impl Writer {
    pub(super) fn new(register: Register, options: HolderOptions) -> Result<Self> {
        let worker = format!("{:032x}", u128::from_be_bytes(draw(&*options.chance)?));
        let seed = u64::from_be_bytes(draw(&*options.chance)?);
        Ok(Self { register, options, worker, changes: 0, seed, written: Written::default() })
    }

    pub(super) fn now(&self) -> Duration {
        self.options.clock.monotonic()
    }

    pub(super) fn form(&self) -> Form {
        self.register.form()
    }

    /// What was written since the last call.
    pub(super) fn take_written(&mut self) -> Written {
        let sent = std::mem::take(&mut self.written.sent);
        Written { sent, ..self.written }
    }

    /// Who we are.
    pub(super) fn introduce(&self) -> Result<HolderName> {
        let uid = self.options.uid.map_or_else(|| random_uid(&self.options.chance), Ok)?;
        Ok(HolderName {
            worker: self.worker.clone(),
            host: this_host(),
            pid: std::process::id(),
            lease: self.options.lease.clone(),
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
        let text = seal.encode();
        let (plain, sha256) = (self.register.key(&seal.name()), Sha256::of(&text));
        let mut key = plain.clone();
        let store = self.register.store();
        let mut backoff = Backoff::new(self.seed);
        let give_up = self.give_up(patience);
        loop {
            match store.put_new(&key, vec![text.clone()], ObjectKind::Control).await {
                Ok(Created::Stored) => {
                    let generation = state.generation;
                    return Ok(SealName { generation, key, sha256, unknown: Map::new() });
                }
                // Another program's rendering of the same state, whose claim came to nothing.
                Ok(Created::AlreadyThere) if key == plain => {
                    key = self.register.key(&seal.name_by_hash(sha256));
                }
                Ok(Created::AlreadyThere) => {
                    let message = format!("{key} in {store} is not the seal of the state that was read");
                    return Err(Error::new(ErrorKind::Malformed, message));
                }
                Err(error) => self.pause(&key, error, &mut backoff, give_up).await?,
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
        let mut change = Change::new(base, proposal);
        let mut backoff = Backoff::new(self.seed ^ proposal.counter);
        let key = self.register.to_string();
        let (mut trouble, mut unreadable) = (None, 0);
        loop {
            let heard = match change.next() {
                Next::Won(version) => return Ok(Ok(version)),
                Next::Lost(found) => return Ok(Err(found)),
                Next::Swap(on, body) => {
                    self.written.size = body.len() as u64;
                    self.written.sent += self.written.size;
                    match self.register.swap(on.as_ref(), body).await {
                        Ok(Swapped::Won(version)) => Heard::Swapped(version),
                        Ok(Swapped::Refused(error)) => {
                            debug!(error = %error.report(), "a swap was refused");
                            // Told only where nothing is found that would be a reason: no conflict, then.
                            let message = format!("the store refuses a change of {key}, and holds no other");
                            trouble = Some(Error::new(ErrorKind::Unavailable, message).with_source(error));
                            Heard::NotSwapped
                        }
                        Ok(Swapped::Undecided(error)) | Err(error) => {
                            debug!(error = %error.report(), "a swap needs a look");
                            trouble = Some(error);
                            Heard::NotSwapped
                        }
                    }
                }
                Next::Read => match self.read().await {
                    Ok(found) => Heard::Found(found),
                    Err(error) => {
                        // Somebody's maintenance page is no document either, and passes.
                        unreadable += u8::from(error.kind() == ErrorKind::Malformed);
                        if unreadable > ABSENCES {
                            return Err(error);
                        }
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

    /// Reads, waiting for a store that does not serve; with a limit, no longer than that. Without one, media
    /// hangs on the answer: an object that is gone or unreadable is looked at several times.
    pub(super) async fn read_patiently(&self, patience: Option<Duration>) -> Result<Option<Found>> {
        let give_up = self.give_up(patience);
        let mut backoff = Backoff::new(self.seed);
        let mut oddities = 0;
        loop {
            let read = self.read().await;
            let odd = matches!(&read, Ok(None)) || is_malformed(&read);
            let again = odd && patience.is_none() && oddities < ABSENCES;
            oddities += u8::from(odd);
            let error = match read {
                Ok(_) if again => {
                    Error::new(ErrorKind::Unavailable, format!("{} is not to be found", self.register))
                }
                Err(error) if again || error.kind() != ErrorKind::Malformed => error,
                found => return found,
            };
            self.pause(&self.register.to_string(), error, &mut backoff, give_up).await?;
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
        patience.map(|patience| self.now() + patience)
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
            let passing = error.kind() == ErrorKind::Unavailable;
            if !passing || self.now() + pause > give_up {
                return Err(error);
            }
        }
        (self.options.on_retry)(key, &error, pause);
        self.options.clock.sleep(pause).await;
        Ok(())
    }
}

fn is_malformed<T>(read: &Result<T>) -> bool {
    read.as_ref().is_err_and(|error| error.kind() == ErrorKind::Malformed)
}
