//! The ciphertext that a stream has read and rustls has not taken yet.
//!
//! A record can only be decrypted when all of it has come, so what is read at once should be at
//! least as long as the longest. A connection that waits has no such buffer: a thread keeps one
//! for whichever of its streams reads next.

use std::cell::Cell;
use std::io::{self, Read};
use std::ops::Range;

/// Room for nearly two of the longest records, which are a little over 16 KiB.
const SIZE: usize = 32 * 1024;

thread_local! {
    static SPARE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// A buffer, and which part of it is full. When it is dropped, its thread may use it again.
pub(super) struct Buffer {
    memory: Option<Box<[u8]>>,
    full: Range<usize>,
}

impl Buffer {
    pub(super) fn new() -> Buffer {
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let memory = spare.unwrap_or_else(|| vec![0; SIZE].into_boxed_slice());
        Buffer { memory: Some(memory), full: 0..0 }
    }

    fn memory(&mut self) -> &mut [u8] {
        self.memory.as_mut().expect("it is there until the buffer is dropped")
    }

    /// All of it, to be read into.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.memory()
    }

    /// To be called when this many bytes have been read into its beginning.
    pub(super) fn fill(&mut self, length: usize) {
        assert!(length <= SIZE, "a stream claims to have read more than fits in the buffer");
        self.full = 0..length;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.full.is_empty()
    }

    pub(super) fn bytes(&mut self) -> &[u8] {
        let full = self.full.clone();
        &self.memory()[full]
    }
}

/// Takes bytes from the front.
impl Read for Buffer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.bytes().read(into)?;
        self.full.start += n;
        Ok(n)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = self.memory.take();
        let _ = SPARE.try_with(|spare| spare.set(memory));
    }
}
