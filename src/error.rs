//! The one public error of the library.
//!
//! Its kind says what the caller should *do*; its message says what, where and how to mend it; its
//! source keeps the cause. Pure layers below return small plain errors of their own, which the
//! layers with I/O turn into this one.

use std::fmt;

/// What the caller of a failed operation should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Fix the call: an argument, a credential, a permission or a configuration is wrong.
    InvalidInput,
    /// The media or the document read is not what it should be. Fix the source.
    Malformed,
    /// What was asked for does not exist.
    NotFound,
    /// The store, the network or the disk does not serve now. Retry later.
    Unavailable,
    /// Somebody else holds what was asked for. Read again and decide.
    Conflict,
    /// A newer generation has been claimed. Stop; nothing may be written any more.
    Fenced,
    /// The recording has used up its failovers and is closed for good.
    Abandoned,
    /// Recorded media could not be brought to the store. The spool may still hold it.
    DataLoss,
    /// Media was given up while it was recorded. What is stored is in order but for gaps.
    MediaLost,
    /// A defect of this program. Report it.
    Internal,
}

impl ErrorKind {
    const ALL: [Self; 10] = [
        Self::InvalidInput,
        Self::Malformed,
        Self::NotFound,
        Self::Unavailable,
        Self::Conflict,
        Self::Fenced,
        Self::Abandoned,
        Self::DataLoss,
        Self::MediaLost,
        Self::Internal,
    ];

    /// The kind of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// A short lower-case word for logs and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid input",
            Self::Malformed => "malformed",
            Self::NotFound => "not found",
            Self::Unavailable => "unavailable",
            Self::Conflict => "conflict",
            Self::Fenced => "fenced",
            Self::Abandoned => "abandoned",
            Self::DataLoss => "data loss",
            Self::MediaLost => "media lost",
            Self::Internal => "internal",
        }
    }
}

type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// An error with a [kind](ErrorKind), a message for a person, and its cause.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Source>,
}

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error without a cause.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Puts what was being done in front of the message.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message alone, without the causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The message followed by every cause that says something new, joined with `: `.
    pub fn report(&self) -> String {
        report(self)
    }
}

/// An error's message followed by every cause that says something new, joined with `: `.
pub(crate) fn report(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_names_every_cause_once() {
        let disk = std::io::Error::other("no space left on device");
        let inner = Error::new(ErrorKind::Unavailable, "cannot write part.ts").with_source(disk);
        let outer = Error::new(ErrorKind::DataLoss, "cannot store segment 3").with_source(inner);
        assert_eq!(outer.report(), "cannot store segment 3: cannot write part.ts: no space left on device");
        assert_eq!(outer.context("stopping").message(), "stopping: cannot store segment 3");
    }
}
