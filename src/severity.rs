//! How bad a finding is: the same scale for playlists, transport streams and whole recordings; and kinds of findings, each
//! with a stable code and a severity.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is wrong; worth knowing.
    Note,
    /// Players cope, but something is not as it should be.
    Warning,
    /// Illegal, damaged or missing.
    Error,
}

impl Severity {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Faults of a file: each counted, the first few of each kind kept.
#[derive(Debug)]
pub(crate) struct Faults<Kind, Fault> {
    pub kept: Vec<Fault>,
    pub counts: BTreeMap<Kind, u64>,
}

impl<Kind: Ord, Fault> Faults<Kind, Fault> {
    /// Places kept of each kind.
    const KEPT: u64 = 8;

    /// Counts one, and makes it where it is to be kept.
    pub fn count(&mut self, kind: Kind, make: impl FnOnce() -> Fault) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= Self::KEPT {
            self.kept.push(make());
        }
    }
}

impl<Kind, Fault> Default for Faults<Kind, Fault> {
    fn default() -> Self {
        Self { kept: Vec::new(), counts: BTreeMap::new() }
    }
}

/// An enum of kinds of findings: `Name = "code", Severity;` for each, with `ALL`, `code` and `severity`.
macro_rules! kinds {
    ($(#[$about:meta])* $kind:ident: $($(#[$doc:meta])* $name:ident = $code:literal, $severity:ident;)+) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $kind { $($(#[$doc])* $name,)+ }

        impl $kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its stable name.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// How bad it is.
            pub fn severity(self) -> $crate::severity::Severity {
                match self { $(Self::$name => $crate::severity::Severity::$severity,)+ }
            }
        }
    };
}
pub(crate) use kinds;
