//! Checksums of what is stored: CRC-64/NVME for segments, SHA-256 for playlists, control objects and seals.
//!
//! CRC-64/NVME costs next to nothing and is one that S3 itself computes and shows; it finds damage.
//! SHA-256 names a text: a seal is believed because the control object holds its hash.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

const ALGORITHM: crc_fast::CrcAlgorithm = crc_fast::CrcAlgorithm::Crc64Nvme;

/// The CRC-64/NVME of a segment; 16 hex digits in documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Crc64(u64);

impl Crc64 {
    /// The checksum of bytes that are all there.
    pub fn of(bytes: &[u8]) -> Self {
        Self(crc_fast::crc64_nvme(bytes))
    }
}

impl From<Crc64> for u64 {
    fn from(checksum: Crc64) -> Self {
        checksum.0
    }
}

/// The CRC-64/NVME of bytes that come in pieces.
#[derive(Debug, Clone)]
pub struct RunningCrc64 {
    digest: crc_fast::Digest,
    /// What patches change of it.
    change: u64,
}

impl RunningCrc64 {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// The bytes `old` from `offset` on have become `new`, as long. No more may be taken after that.
    pub fn patch(&mut self, offset: u64, old: &[u8], new: &[u8]) {
        let behind = self.digest.get_amount().saturating_sub(offset + old.len() as u64);
        // All of it is linear: what does not change falls out.
        self.change ^= moved(Crc64::of(old).0 ^ Crc64::of(new).0, behind);
    }

    /// The checksum of the bytes so far.
    pub fn current(&self) -> Crc64 {
        Crc64(self.digest.finalize() ^ self.change)
    }
}

/// What a difference becomes by so many bytes behind it.
///
/// The crate can do that too, but makes the powers of its operator anew each time: a fifth of the time of recording WebM.
fn moved(difference: u64, bytes: u64) -> u64 {
    let steps = STEPS.iter().enumerate().filter(|(power, _)| bytes >> power & 1 == 1);
    steps.fold(difference, |difference, (_, step)| applied(step, difference))
}

/// What each bit becomes.
type Operator = [u64; 64];

fn applied(operator: &Operator, value: u64) -> u64 {
    let bits = operator.iter().enumerate().filter(|(bit, _)| value >> bit & 1 == 1);
    bits.fold(0, |sum, (_, becomes)| sum ^ becomes)
}

/// By 1, 2, 4, 8 ... bytes behind: as far as any file is long.
static STEPS: LazyLock<[Operator; 48]> = LazyLock::new(|| {
    let mut step = std::array::from_fn(|bit| crc_fast::checksum_combine(ALGORITHM, 1 << bit, 0, 1));
    std::array::from_fn(|_| {
        let twice = step.map(|becomes| applied(&step, becomes));
        std::mem::replace(&mut step, twice)
    })
});

impl Default for RunningCrc64 {
    fn default() -> Self {
        Self { digest: crc_fast::Digest::new(ALGORITHM), change: 0 }
    }
}

/// A SHA-256; 64 hex digits in documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The hash of bytes that are all there.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Its bytes.
    pub fn bytes(self) -> [u8; 32] {
        self.0
    }
}

/// The SHA-256 of a text that grows.
#[derive(Debug, Clone, Default)]
pub struct RunningSha256(sha2::Sha256);

impl RunningSha256 {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of the bytes so far.
    pub fn current(&self) -> Sha256 {
        Sha256(self.0.clone().finalize().into())
    }
}

/// Why a text is no checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidChecksum(String);

impl fmt::Display for InvalidChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no checksum of that many lower-case hex digits", self.0)
    }
}

impl std::error::Error for InvalidChecksum {}

/// The bytes of lower-case hex digits.
fn hex<const N: usize>(text: &str) -> Result<[u8; N], InvalidChecksum> {
    let refuse = || InvalidChecksum(text.chars().take(80).collect());
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).filter(|_| !digit.is_ascii_uppercase()).map(|digit| digit as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len() == 2 * N).ok_or_else(refuse)?;
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
    }
    Ok(bytes)
}

impl fmt::Display for Crc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Crc64 {
    type Err = InvalidChecksum;

    fn from_str(text: &str) -> Result<Self, InvalidChecksum> {
        hex(text).map(|bytes| Self(u64::from_be_bytes(bytes)))
    }
}

impl FromStr for Sha256 {
    type Err = InvalidChecksum;

    fn from_str(text: &str) -> Result<Self, InvalidChecksum> {
        hex(text).map(Self)
    }
}

macro_rules! stored_as_text {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = InvalidChecksum;

            fn try_from(text: String) -> Result<Self, InvalidChecksum> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(checksum: $name) -> Self {
                checksum.to_string()
            }
        }
    )*};
}
stored_as_text!(Crc64, Sha256);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_standards() {
        // The check values of the CRC catalogue (CRC-64/NVME) and of FIPS 180-4.
        assert_eq!(Crc64::of(b"123456789").to_string(), "ae8b14860a799888");
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Sha256::of(b"abc").to_string(), abc);
        assert_eq!(abc.parse(), Ok(Sha256::of(b"abc")));
        assert_eq!("ae8b14860a799888".parse(), Ok(Crc64::of(b"123456789")));
    }

    #[test]
    fn pieces_do_not_matter() {
        let (mut crc, mut sha) = (RunningCrc64::default(), RunningSha256::default());
        for piece in [&b"1234"[..], b"", b"56789"] {
            crc.update(piece);
            sha.update(piece);
        }
        assert_eq!(crc.current(), Crc64::of(b"123456789"));
        assert_eq!(sha.current(), Sha256::of(b"123456789"));
    }

    #[test]
    fn a_patch_changes_it_to_that_of_the_patched_bytes() {
        let bytes = *b"segments of unknown size";
        for (at, new) in [(0, "SEG"), (12, "a known"), (21, "end"), (5, "")] {
            let mut patched = bytes;
            patched[at..at + new.len()].copy_from_slice(new.as_bytes());
            let mut crc = RunningCrc64::default();
            crc.update(&bytes);
            crc.patch(at as u64, &bytes[at..at + new.len()], new.as_bytes());
            assert_eq!(crc.current(), Crc64::of(&patched), "{new}");
        }
    }

    #[test]
    fn what_is_no_checksum_is_refused() {
        for bad in ["", "ae8b14860a79988", "ae8b14860a7998888", "AE8B14860A799888", "ae8b14860a79988g", "é"]
        {
            assert!(bad.parse::<Crc64>().is_err(), "{bad:?}");
        }
    }
}
