//! What a store must guarantee, and whether it does.
//!
//! Recordings are safe on stores that create a key at most once, whoever else tries at the same moment. Not all
//! do: some gateways ignore `If-None-Match` and answer success, some are right one at a time and wrong in a
//! race. Where conditional updates hold as well, registers have the [form](Form) `update`; where they are
//! missing, ignored or wrong in a race, the form `numbered`, which needs creating alone.
//!
//! The first recording on a store makes the full examination and writes the form down ([`StoreForm`]). Later
//! ones follow it after a short look whether it still holds. Nothing falls back in silence: a store that breaks
//! a promise is refused by its name, and one whose answers do not tell (busy, failing, silent; each is asked
//! several times, and what it holds is read back) is an error, never a form. Who only reads asks nothing of all
//! this.
//!
//! Objects are written under `.tapeline/probe/` and the hex digits of the caller's random bytes, and deleted in
//! the end. A write whose answer never came may still land there later; it harms nobody.

mod checks;
mod place;
mod race;
mod verdict;

pub use verdict::{Check, Guarantee, Outcome, Report, Verdict};

use self::place::Place;
use super::form::{Form, StoreForm};
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;

/// The form of a store's registers, after making sure that it keeps its promises: all of them before the first
/// recording, later those that take no race to see.
///
/// # Errors
/// `InvalidInput` for a store that would lose recordings, naming the guarantee that it lacks, and for one that
/// no longer is what was found before; `Unavailable` for one that could not be judged.
pub async fn prepare(store: &Store, clock: &SharedClock, random: [u8; 8]) -> Result<Form> {
    let Some(known) = StoreForm::read(store).await? else {
        let report = examine(store, clock, random).await?;
        return Ok(write_down(store, clock, &report).await?.form);
    };
    let quick: &[Guarantee] = match known.form {
        Form::Update => {
            &[Guarantee::ReadAfterWrite, Guarantee::CreateOnce, Guarantee::Update, Guarantee::StaleUpdate]
        }
        Form::Numbered => &[Guarantee::ReadAfterWrite, Guarantee::CreateOnce],
    };
    let report = look(store, clock, random, quick).await?;
    agree(&known, &report)?;
    Ok(known.form)
}

/// Examines a store in full. Writes nothing down.
///
/// # Errors
/// What keeps this user from reading or writing at all. A store that is no good is no error here: the report
/// says so.
pub async fn examine(store: &Store, clock: &SharedClock, random: [u8; 8]) -> Result<Report> {
    look(store, clock, random, &Guarantee::ALL).await
}

/// Writes the form down that a full examination found, unless one is written down already; gives that one.
///
/// # Errors
/// As [`Report::form`]; `InvalidInput` where what is written down does not hold.
pub async fn write_down(store: &Store, clock: &SharedClock, report: &Report) -> Result<StoreForm> {
    let form = report.form()?;
    let known = match StoreForm::read(store).await? {
        Some(known) => known,
        None => StoreForm::new(form, clock.wall()).write(store).await?,
    };
    agree(&known, report)?;
    Ok(known)
}

async fn look(
    store: &Store,
    clock: &SharedClock,
    random: [u8; 8],
    guarantees: &[Guarantee],
) -> Result<Report> {
    let place = Place::new(store, clock, random);
    let checks = checks::look_at(&place, guarantees).await;
    place.clear().await;
    let checks = checks.map_err(|error| error.context(format_args!("cannot examine {store}")))?;
    Ok(Report::new(store.to_string(), checks))
}

/// Whether what is written down still holds. The numbered form holds where updates do as well.
fn agree(known: &StoreForm, report: &Report) -> Result<()> {
    if report.form()? == known.form || known.form == Form::Numbered {
        return Ok(());
    }
    let seen = report.broken_update().map_or("", |check| &check.seen);
    let message = format!(
        "cannot record to {}: its {} says that it has conditional updates, as found on {} by version {}, but it \
         no longer has: {seen}; was it moved to another server?",
        report.store,
        StoreForm::KEY,
        known.found,
        known.by
    );
    Err(Error::new(ErrorKind::InvalidInput, message))
}
