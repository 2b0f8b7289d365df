//! Who may call: names and secrets, compared in a time that tells nothing about them. Pure.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use subtle::{Choice, ConstantTimeEq};

use crate::checksum::Sha256;
use crate::error::{Error, ErrorKind, Result};

/// The names and secrets that may call.
#[derive(Clone)]
pub struct Credentials {
    /// Hashes of `name:secret`, so that all have one length, and none is kept.
    allowed: Vec<[u8; 32]>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} credentials", self.allowed.len())
    }
}

impl Credentials {
    /// Reads a file's text: `name:secret` in each line, after `#` what people want to know.
    ///
    /// # Errors
    /// `InvalidInput` for a line that is neither, by its number, and for a file without any.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |message: String| Error::new(ErrorKind::InvalidInput, message);
        let mut allowed = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.split_once(':') {
                Some((name, secret)) if !name.is_empty() && !secret.is_empty() => {
                    allowed.push(Sha256::of(line.as_bytes()).bytes());
                }
                _ => {
                    return Err(invalid(format!(
                        "line {} of the credentials is not name:secret",
                        number + 1
                    )));
                }
            }
        }
        if allowed.is_empty() {
            return Err(invalid(
                "there are no credentials: write name:secret in a line of the file".to_owned(),
            ));
        }
        Ok(Self { allowed })
    }

    /// Whether a header `Authorization` is one of theirs.
    pub fn allow(&self, header: Option<&[u8]>) -> bool {
        let basic = header.and_then(|header| header.strip_prefix(b"Basic "));
        let Some(given) = basic.and_then(|basic| BASE64_STANDARD.decode(basic.trim_ascii()).ok()) else {
            return false;
        };
        let given = Sha256::of(&given).bytes();
        // All of them are compared, whichever it is.
        let found = self.allowed.iter().fold(Choice::from(0), |found, allowed| found | allowed.ct_eq(&given));
        found.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_secrets_of_the_file_may_call_and_nobody_else() {
        let credentials = Credentials::parse("# ours\nalice:wonder:land\n\n  bob:builder  \n").unwrap();
        let header = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        for (given, allowed) in [
            (header("alice:wonder:land"), true),
            (header("bob:builder"), true),
            (header("bob:"), false),
            (header("bob:Builder"), false),
            (header("alice:wonder"), false),
            (header(""), false),
            ("Basic !".to_owned(), false),
            ("Bearer bob:builder".to_owned(), false),
        ] {
            assert_eq!(credentials.allow(Some(given.as_bytes())), allowed, "{given}");
        }
        assert!(!credentials.allow(None));
        assert_eq!(format!("{credentials:?}"), "2 credentials");
    }

    #[test]
    fn a_file_without_credentials_is_refused() {
        for (text, part) in [
            ("", "no credentials"),
            ("# none", "no credentials"),
            ("a:b\nsecret", "line 2"),
            (":x", "line 1"),
        ] {
            let error = Credentials::parse(text).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(!error.to_string().contains("secret:") && !error.report().contains(":x"));
        }
    }
}
