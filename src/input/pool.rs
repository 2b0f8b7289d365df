//! Buffers that return when their bytes have been used.
//!
//! A buffer is a `Vec<u8>` kept at its full length, so it is zeroed once in its life and its pages are
//! faulted in once, not for every chunk. [`Filled::into_bytes`] lends its first bytes out as [`Bytes`], and
//! when the last slice of them is dropped the buffer lies in the pool again.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// A chunk smaller than this part of its buffer is copied out: the consumer may keep it for long, and
/// must not keep a large buffer alive with it.
const SPARSE: usize = 4;

/// Buffers of one size.
#[derive(Debug)]
pub(super) struct Pool {
    size: usize,
    keep: usize,
    free: Mutex<Vec<Vec<u8>>>,
}

impl Pool {
    /// A pool of buffers of `size` bytes that keeps up to `keep` of them while they are not in use.
    pub fn new(size: usize, keep: usize) -> Arc<Self> {
        Arc::new(Self { size, keep, free: Mutex::default() })
    }

    /// A buffer to write to; its old content is left in it.
    pub fn take(self: &Arc<Self>) -> Filled {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Filled { buffer: free.unwrap_or_else(|| vec![0; self.size]), length: 0, pool: Arc::clone(self) }
    }

    fn give_back(&self, buffer: Vec<u8>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.keep {
            free.push(buffer);
        }
    }
}

/// A buffer of a [`Pool`] whose first bytes are filled.
#[derive(Debug)]
pub(super) struct Filled {
    buffer: Vec<u8>,
    length: usize,
    pool: Arc<Pool>,
}

impl Filled {
    /// The room behind the filled bytes.
    pub fn room(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.length..).unwrap_or_default()
    }

    /// Counts `count` more bytes, just written to the room, as filled.
    pub fn advance(&mut self, count: usize) {
        self.length = (self.length + count).min(self.buffer.len());
    }

    /// How many bytes are filled.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Lends the filled bytes out, or gives a copy of them if they are few.
    pub fn into_bytes(self) -> Bytes {
        if self.length < self.buffer.len() / SPARSE {
            Bytes::copy_from_slice(self.as_ref())
        } else {
            Bytes::from_owner(self)
        }
    }
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(pool: &Arc<Pool>, bytes: &[u8]) -> Bytes {
        let mut filled = pool.take();
        filled.room()[..bytes.len()].copy_from_slice(bytes);
        filled.advance(bytes.len());
        filled.into_bytes()
    }

    #[test]
    fn a_buffer_comes_back_when_its_last_slice_goes_and_not_before() {
        let pool = Pool::new(8, 2);
        let bytes = fill(&pool, b"abcdefgh");
        let address = bytes.as_ptr();
        let slice = bytes.slice(2..4);
        drop(bytes);
        assert_ne!(fill(&pool, b"12345678").as_ptr(), address);
        assert_eq!(slice, "cd");
        drop(slice);
        assert_eq!(fill(&pool, b"12345678").as_ptr(), address);
    }

    #[test]
    fn few_bytes_do_not_keep_a_large_buffer() {
        let pool = Pool::new(100, 2);
        let kept: Vec<Bytes> = (0..10).map(|_| fill(&pool, b"few")).collect();
        assert_eq!(pool.free.lock().unwrap().len(), 1, "one buffer served them all");
        assert!(kept.iter().all(|bytes| bytes == "few"));
    }

    #[test]
    fn no_more_buffers_are_kept_than_agreed() {
        let pool = Pool::new(4, 2);
        drop((0..5).map(|_| fill(&pool, b"full")).collect::<Vec<_>>());
        assert_eq!(pool.free.lock().unwrap().len(), 2);
    }
}
