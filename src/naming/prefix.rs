//! The folders that stand before a name in an object's key.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::InvalidName;

/// A list of path elements joined by `/`, without one at either end; it may be empty.
///
/// At most 128 characters with the slashes. An element is one or more of `A-Z a-z 0-9 _ - .`, and not dots
/// alone: `.` and `..` would leave the folder on a disk and vanish from a URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(String);

impl Prefix {
    /// The longest prefix, in characters.
    pub const MAX_LEN: usize = 128;

    /// Checks and takes a prefix.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        if text.len() > Self::MAX_LEN {
            return Err(InvalidName::new(text, "a prefix has at most 128 characters"));
        }
        if text.is_empty() || text.split('/').all(is_element) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidName::new(
            text,
            "a prefix is elements of A-Z a-z 0-9 _ - . joined by /, none of them empty or of dots alone",
        ))
    }

    /// The prefix's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether objects stand at the top.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The path elements, from the top.
    pub fn elements(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|element| !element.is_empty())
    }
}

fn is_element(text: &str) -> bool {
    !text.bytes().all(|b| b == b'.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Prefix {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

impl TryFrom<String> for Prefix {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::new(&text)
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.0
    }
}

/// The key of the object `name` under `prefix`. It is raw: give it to a store as it is.
pub fn key(prefix: &Prefix, name: &impl fmt::Display) -> String {
    if prefix.is_empty() { name.to_string() } else { format!("{prefix}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_safe_in_paths_and_urls() {
        for good in ["", "a", "a/b-1/_c", ".hidden/v1.2", "a..b", &"x".repeat(128)] {
            assert_eq!(Prefix::new(good).map(|prefix| prefix.to_string()).as_deref(), Ok(good));
        }
        let bad = ["/", "/a", "a/", "a//b", ".", "..", "a/../b", "...", "a b", "a%2Fb", "é", "a\\b"];
        for bad in bad.into_iter().chain([&*"x".repeat(129)]) {
            assert!(Prefix::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_key_is_the_prefix_and_the_name() {
        let prefix = Prefix::new("a/b").unwrap();
        assert_eq!(key(&prefix, &"s_c.m3u8"), "a/b/s_c.m3u8");
        assert_eq!(key(&Prefix::default(), &"s_c.m3u8"), "s_c.m3u8");
        assert_eq!(prefix.elements().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(Prefix::default().elements().count(), 0);
    }
}
