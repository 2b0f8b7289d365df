//! What a store must guarantee, and whether it does.
//!
//! Not yet: the form is told by what kind of store it is.

use super::form::Form;
use crate::error::Result;
use crate::store::Store;

/// The form of a store's registers, after making sure that it keeps its promises.
///
/// # Errors
/// `InvalidInput` for a store that would lose recordings, naming the guarantee that it lacks.
pub async fn prepare(store: &Store) -> Result<Form> {
    Ok(if store.local_root().is_some() { Form::Numbered } else { Form::Update })
}
