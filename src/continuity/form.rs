//! Which form the registers of a store have: found out once, written down in the store, followed by all.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a store holds control objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// One object, replaced by conditional updates.
    Update,
    /// A new object for each version, made by create-if-absent.
    Numbered,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Update => "update",
            Self::Numbered => "numbered",
        })
    }
}

/// Where a store's form is written down.
pub const SETTINGS: &str = ".tapeline/store.json";
