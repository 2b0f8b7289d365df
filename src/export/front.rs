//! The begin of a file, which is known at its end.

/// What is written over the begin of the file at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Front {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Bytes behind all others.
    pub tail: Vec<u8>,
    /// What people should know.
    pub notes: Vec<String>,
}
