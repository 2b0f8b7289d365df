//! Whole files in memory, in pieces whose memory is used again.
//!
//! A segment that waits for a slow store is read again for each try, each time on another thread. Memory that is
//! freed on one thread does not serve the next (glibc keeps it for that thread), so that a recording came to hold
//! several times what was under way: 46 MiB for segments of 11 MiB. Pieces that were sent therefore stay with the
//! process, and the next file is read into them, on whatever thread.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Size of a piece.
pub(super) const PIECE: usize = 256 * 1024;
/// Idle pieces kept: 16 MiB, what one recording has under way at most unless a single segment is larger.
const KEEP: usize = 64;

/// Buffers that nobody uses now.
#[derive(Debug, Default)]
struct Idle(Mutex<Vec<Vec<u8>>>);

/// Those of the process.
static IDLE: Idle = Idle(Mutex::new(Vec::new()));

/// A part of a file; its buffer is idle again when the last [`Bytes`] of it goes.
struct Piece {
    bytes: Vec<u8>,
    idle: &'static Idle,
}

impl Idle {
    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn piece(&'static self) -> Piece {
        let bytes = self.lock().pop().unwrap_or_else(|| Vec::with_capacity(PIECE));
        Piece { bytes, idle: self }
    }

    fn read(&'static self, mut file: impl Read) -> io::Result<Vec<Bytes>> {
        let mut pieces = Vec::new();
        loop {
            let mut piece = self.piece();
            // Within its capacity, which stays as it is.
            let read = file.by_ref().take(PIECE as u64).read_to_end(&mut piece.bytes)?;
            if read > 0 {
                pieces.push(Bytes::from_owner(piece));
            }
            if read < PIECE {
                return Ok(pieces);
            }
        }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.bytes);
        buffer.clear();
        let mut idle = self.idle.lock();
        if idle.len() < KEEP {
            idle.push(buffer);
        }
    }
}

/// A whole file in pieces of 256 KiB. Blocking.
pub(super) fn read_file(file: &Path) -> io::Result<Vec<Bytes>> {
    IDLE.read(File::open(file)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle() -> &'static Idle {
        Box::leak(Box::default())
    }

    #[test]
    fn pieces_are_the_whole_in_order() {
        let idle = idle();
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 7] {
            let body: Vec<u8> = (0..length).map(|place| u8::try_from(place % 251).unwrap()).collect();
            let pieces = idle.read(&body[..]).unwrap();
            assert!(pieces.concat() == body, "{length} bytes");
            assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= PIECE));
        }
    }

    #[test]
    fn a_buffer_is_used_again_when_its_last_slice_goes_and_not_before() {
        let (idle, body) = (idle(), vec![1; 3 * PIECE]);
        let mut pieces = idle.read(&body[..]).unwrap();
        let kept = pieces.pop().unwrap().slice(..9);
        drop(pieces);
        for _ in 0..3 {
            let again = idle.read(&vec![2; 2 * PIECE][..]).unwrap();
            assert_eq!(again.concat(), vec![2; 2 * PIECE]);
        }
        assert_eq!(kept, [1; 9][..]);
        // Two of the first file, and the one that found its end.
        assert_eq!(idle.lock().len(), 3);
        drop(kept);
        assert_eq!(idle.lock().len(), 4);
        assert!(idle.lock().iter().all(|buffer| buffer.is_empty() && buffer.capacity() == PIECE));
    }

    #[test]
    fn no_more_is_kept_than_one_recording_needs() {
        let idle = idle();
        drop(idle.read(&vec![0; (KEEP + 9) * PIECE][..]).unwrap());
        assert_eq!(idle.lock().len(), KEEP);
    }
}
