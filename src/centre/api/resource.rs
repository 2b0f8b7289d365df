//! What a client acquires before it starts a recording: pure.
//!
//! A resource id says itself for whom it is and until when, so that any node takes one that another has given, and none keeps a
//! list. The recording's id follows from it: however often it is started, on however many nodes, it is one recording.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::centre::document;
use crate::checksum::Sha256;
use crate::ids::{Cname, Sid, Uid};
use crate::time::{MediaSpan, WallTime};

/// A resource may be started for so long.
pub const LIFE: MediaSpan = MediaSpan::from_secs(300);
/// No id is longer: a channel's name and an application's have at most 64 bytes each, and JSON may write each byte as six.
const LONGEST: usize = 4096;

/// What was acquired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The application that acquired it.
    pub app: String,
    /// The channel.
    pub cname: Cname,
    /// The user as which it is to be recorded.
    pub uid: Uid,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Random: no two are the same.
    pub nonce: String,
}

impl Resource {
    /// Reads an id.
    pub fn parse(id: &str) -> Option<Self> {
        if id.len() > LONGEST || id.len() % 2 == 1 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let digits = id.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).ok());
        let bytes: Option<Vec<u8>> = digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect();
        serde_json::from_slice(&bytes?).ok()
    }

    /// The recording that it becomes: its id is the same each time.
    pub fn sid(&self) -> Sid {
        let hash = Sha256::of(self.to_string().as_bytes()).bytes();
        Sid::from_random(std::array::from_fn(|at| hash[at]))
    }

    /// Whether it may still be started.
    pub fn lives(&self, now: WallTime) -> bool {
        now.since(WallTime::from_millis(self.at)) <= LIFE
    }
}

impl fmt::Display for Resource {
    /// Digits alone: no client, proxy or router changes them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        document::encode(self).iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(nonce: &str) -> Resource {
        let (cname, uid) = (Cname::new("the lobby").unwrap(), Uid::new(527_841).unwrap());
        Resource { app: "app".to_owned(), cname, uid, at: 1_000_000, nonce: nonce.to_owned() }
    }

    #[test]
    fn an_id_says_what_it_is_for_and_until_when() {
        let one = resource("1");
        let id = one.to_string();
        assert_eq!(Resource::parse(&id), Some(one.clone()));
        assert_eq!(Resource::parse(&id).unwrap().sid(), one.sid());
        assert_ne!(resource("2").sid(), one.sid());
        assert_eq!(one.sid().as_str().len(), 32);
        assert!(one.lives(WallTime::from_millis(1_300_000)));
        assert!(!one.lives(WallTime::from_millis(1_300_001)));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let id = resource("1").to_string();
        let bad_name = Resource { nonce: String::new(), ..resource("1") }.to_string();
        assert!(Resource::parse(&bad_name).is_some());
        for bad in ["", "x", "..", "zz", &id[1..], &id[2..], &format!("{id}00"), &"00".repeat(3000)] {
            assert_eq!(Resource::parse(bad), None, "{bad}");
        }
    }
}
