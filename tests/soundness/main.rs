//! N4: safe code cannot make nurseries unsound. Each test does what a hostile, careless or unlucky
//! program could do. `.ci/sanitize` shows best that nothing touches freed memory, but most tests
//! also check what happened.
//!
//! Tests that leak on purpose are in `leaks`, which the sanitizer runs without looking for leaks.

mod afterwards;
mod dropped;
mod hand_over;
mod hooks;
mod hosts;
mod leaks;
mod panics;
mod starting;
mod wakers;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use seedbed::testing::VirtualClock;
use seedbed::{Builder, Nursery, NurseryHandle, Result, nursery, sleep_forever};

/// Runs on a virtual clock; what would wait for ever is an error.
#[track_caller]
fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new().clock(&VirtualClock::new()).ctrl_c(false).detect_deadlock(true).run(main)
}

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// A nursery's future that may be polled or dropped from anywhere.
#[derive(Clone, Default)]
struct Slot(Rc<RefCell<Option<Boxed<'static>>>>);

impl Slot {
    fn put(&self, future: impl Future<Output = Result<()>> + 'static) {
        *self.0.borrow_mut() = Some(Box::pin(future));
    }

    fn take(&self) -> Option<Boxed<'static>> {
        self.0.borrow_mut().take()
    }

    /// Polls it, with the slot free meanwhile. What has ended is dropped.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(mut future) = self.take() else { return Poll::Ready(Ok(())) };
        let outcome = future.as_mut().poll(cx);
        if outcome.is_pending() {
            *self.0.borrow_mut() = Some(future);
        }
        outcome
    }

    async fn poll_once(&self) -> Poll<Result<()>> {
        poll_fn(|cx| Poll::Ready(self.poll(cx))).await
    }

    async fn finish(&self) -> Result<()> {
        poll_fn(|cx| self.poll(cx)).await
    }
}

/// The waker of whatever polls this.
async fn own_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

async fn note_waker(wakers: &RefCell<Vec<Waker>>) {
    let waker = own_waker().await;
    wakers.borrow_mut().push(waker);
}

/// A nursery that runs until it is cancelled, polled once, and a handle to it.
async fn open_nursery(slot: &Slot) -> NurseryHandle {
    let handle = Rc::new(RefCell::new(None));
    let kept = handle.clone();
    slot.put(nursery(async move |n: &Nursery<'_, '_>| {
        *kept.borrow_mut() = Some(n.handle());
        sleep_forever().await
    }));
    assert!(slot.poll_once().await.is_pending());
    handle.take().expect("the body has run")
}

/// Adds one when it is dropped.
struct CountDrop(Rc<Cell<usize>>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Calls a closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
