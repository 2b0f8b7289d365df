//! What the API answers where it refuses, in the codes that clients of the hosted services know: pure.

use serde_json::{Value, json};

use crate::error::{Error, ErrorKind};

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP's.
    pub status: u16,
    /// The service's own; `None` where the call did not reach it.
    pub code: Option<u16>,
    /// For people.
    pub reason: String,
}

impl Refusal {
    const fn coded(status: u16, code: u16, reason: String) -> Self {
        Self { status, code: Some(code), reason }
    }

    /// A parameter is wrong.
    pub fn parameter(reason: impl Into<String>) -> Self {
        Self::coded(400, 2, reason.into())
    }

    /// It was started with that resource before.
    pub fn already_started(reason: impl Into<String>) -> Self {
        Self::coded(201, 7, reason.into())
    }

    /// Another recording of that channel runs for that user.
    pub fn conflict(reason: impl Into<String>) -> Self {
        Self::coded(400, 53, reason.into())
    }

    /// It was asked to stop before.
    pub fn already_stopping(reason: impl Into<String>) -> Self {
        Self::coded(400, 49, reason.into())
    }

    /// There is nothing yet, or not now: it has not begun, is being recovered, or is over.
    pub fn no_worker(reason: impl std::fmt::Display) -> Self {
        Self::coded(404, 404, format!("failed to find worker: {reason}"))
    }

    /// It takes longer than a call may: the same call again tells how it ended.
    pub fn not_completed(reason: impl Into<String>) -> Self {
        Self::coded(206, 65, reason.into())
    }

    /// It has ended without anything in it.
    pub fn no_data() -> Self {
        Self::coded(206, 435, "no recorded data".to_owned())
    }

    /// The call did not reach the service.
    pub fn gateway(status: u16, message: impl Into<String>) -> Self {
        Self { status, code: None, reason: message.into() }
    }

    /// The answer's body.
    pub fn body(&self) -> Value {
        match self.code {
            Some(code) => json!({ "code": code, "reason": self.reason }),
            None => json!({ "message": self.reason }),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::no_worker(error.report()),
            ErrorKind::InvalidInput => Self::parameter(error.report()),
            ErrorKind::Unavailable => Self::coded(504, 62, error.report()),
            _ => Self::coded(500, 502, error.report()),
        }
    }
}
