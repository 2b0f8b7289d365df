//! Why a text is no name or no prefix.

use std::fmt;

use crate::ids::InvalidId;

/// A text that is not what it was read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName {
    text: String,
    reason: String,
}

impl InvalidName {
    pub(super) fn new(text: &str, reason: impl Into<String>) -> Self {
        // A listing may hold names of any length.
        Self { text: text.chars().take(200).collect(), reason: reason.into() }
    }

    pub(super) fn id(text: &str, error: &InvalidId) -> Self {
        Self::new(text, error.to_string())
    }
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not such a name: {}", self.text, self.reason)
    }
}

impl std::error::Error for InvalidName {}
