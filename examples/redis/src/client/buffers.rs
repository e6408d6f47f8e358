//! Buffers for replies, which clients take turns with.
//!
//! A client needs one only from when it executes a request until the replies are written, and with
//! ten thousand clients hardly ever more than a few do so at the same time. The one that was given
//! back last is the first to be used again: it is still in the processor's cache.

use std::cell::RefCell;
use std::mem;
use std::ops::{Deref, DerefMut};

/// This many buffers are kept, and none that has grown larger than this.
const KEPT: usize = 64;
const LARGEST: usize = 128 * 1024;

#[derive(Debug, Default)]
pub struct Buffers {
    free: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    /// An empty buffer, which comes back when it is dropped.
    pub fn take(&self) -> Buffer<'_> {
        Buffer { bytes: self.free.borrow_mut().pop().unwrap_or_default(), home: self }
    }
}

#[derive(Debug)]
pub struct Buffer<'a> {
    bytes: Vec<u8>,
    home: &'a Buffers,
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        let mut free = self.home.free.borrow_mut();
        if free.len() < KEPT && self.bytes.capacity() <= LARGEST {
            self.bytes.clear();
            free.push(mem::take(&mut self.bytes));
        }
    }
}

impl Deref for Buffer<'_> {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer<'_> {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}
