//! Streams in memory, which know nothing of this crate, and keep only the last waker of each
//! direction.
#![allow(dead_code, reason = "not every test binary needs all of it")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};
use seedbed::CancelScope;

/// One end of a connection.
pub struct Memory {
    incoming: Rc<Pipe>,
    outgoing: Rc<Pipe>,
}

/// One direction.
pub struct Pipe {
    bytes: RefCell<VecDeque<u8>>,
    capacity: usize,
    ended: Cell<bool>,
    /// After this many bytes more, it breaks off.
    pub cut_after: Cell<usize>,
    /// How many bytes have been written.
    pub passed: Cell<usize>,
    /// The most that is taken and given at once.
    pub at_once: Cell<usize>,
    /// If not 0, some operations let others run first, at random.
    pub unrest: Cell<u64>,
    /// What is cancelled, and at which operation from now.
    pub cancels: RefCell<Option<(usize, CancelScope)>>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

impl Pipe {
    fn new(capacity: usize) -> Rc<Pipe> {
        Rc::new(Pipe {
            bytes: RefCell::default(),
            capacity,
            ended: Cell::new(false),
            cut_after: Cell::new(usize::MAX),
            passed: Cell::new(0),
            at_once: Cell::new(usize::MAX),
            unrest: Cell::new(0),
            cancels: RefCell::default(),
            reader: RefCell::default(),
            writer: RefCell::default(),
        })
    }

    pub fn end(&self) {
        self.ended.set(true);
        self.wake();
    }

    fn wake(&self) {
        for waker in [&self.reader, &self.writer] {
            if let Some(waker) = waker.take() {
                waker.wake();
            }
        }
    }

    /// Whether an operation lets others run first.
    fn is_restless(&self, cx: &Context<'_>) -> bool {
        let mut cancels = self.cancels.borrow_mut();
        if let Some((left, scope)) = &mut *cancels {
            if *left == 0 {
                scope.cancel();
                *cancels = None;
            } else {
                *left -= 1;
            }
        }
        drop(cancels);
        let x = self.unrest.get();
        if x == 0 {
            return false;
        }
        let x = x ^ x << 13;
        let x = x ^ x >> 7;
        self.unrest.set(x ^ x << 17);
        let is_restless = x.is_multiple_of(4);
        if is_restless {
            cx.waker().wake_by_ref();
        }
        is_restless
    }

    /// Whether a task has left its waker to read.
    pub fn is_awaited(&self) -> bool {
        self.reader.borrow().is_some()
    }

    /// Puts bytes into it, however many fit.
    pub fn put(&self, bytes: &[u8]) {
        self.bytes.borrow_mut().extend(bytes);
        self.wake();
    }

    pub fn take(&self) -> Vec<u8> {
        let bytes = self.bytes.take();
        self.wake();
        bytes.into()
    }
}

/// Two ends, and room for so many bytes in each direction.
pub fn pair(capacity: usize) -> (Memory, Memory) {
    let (one, other) = (Pipe::new(capacity), Pipe::new(capacity));
    let near = Memory { incoming: one.clone(), outgoing: other.clone() };
    (near, Memory { incoming: other, outgoing: one })
}

impl Memory {
    pub fn incoming(&self) -> Rc<Pipe> {
        self.incoming.clone()
    }

    pub fn outgoing(&self) -> Rc<Pipe> {
        self.outgoing.clone()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.incoming.end();
        self.outgoing.end();
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let pipe = &*self.incoming;
        if pipe.is_restless(cx) {
            return Poll::Pending;
        }
        let n = pipe.bytes.borrow().len().min(into.len()).min(pipe.at_once.get());
        if n == 0 && !pipe.ended.get() {
            pipe.reader.replace(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        for (byte, from) in into.iter_mut().zip(pipe.bytes.borrow_mut().drain(..n)) {
            *byte = from;
        }
        pipe.wake();
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let pipe = &*self.outgoing;
        if pipe.is_restless(cx) {
            return Poll::Pending;
        }
        if pipe.ended.get() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = pipe.capacity.saturating_sub(pipe.bytes.borrow().len());
        let n = bytes.len().min(room).min(pipe.at_once.get()).min(pipe.cut_after.get());
        if n == 0 && pipe.cut_after.get() > 0 {
            pipe.writer.replace(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        pipe.bytes.borrow_mut().extend(&bytes[..n]);
        pipe.passed.set(pipe.passed.get() + n);
        if pipe.cut_after.get() != usize::MAX {
            pipe.cut_after.set(pipe.cut_after.get() - n);
            if pipe.cut_after.get() == 0 {
                self.incoming.end();
                pipe.end();
            }
        }
        pipe.wake();
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.end();
        Poll::Ready(Ok(()))
    }
}
