//! How users check a program of their own: a flag that a thread sets and a task waits for, once
//! right and once wrong. See "Other threads: loom" in `seedbed::guide::testing`.
#![cfg(loom)]

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

// In a program these would come from a module that chooses: `std`'s, or with `--cfg loom` loom's.
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

#[derive(Default)]
struct Flag {
    set: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Flag {
    fn set(&self) {
        self.set.store(true, Ordering::Release);
        self.wake();
    }

    /// The planted bug: the task that is woken looks at the flag before it is set.
    fn set_swapped(&self) {
        self.wake();
        self.set.store(true, Ordering::Release);
    }

    fn wake(&self) {
        let waker = self.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn wait(&self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        // The waker is left before the look, so a flag that is set in between wakes the task.
        *self.waker.lock().unwrap() = Some(cx.waker().clone());
        match self.set.load(Ordering::Acquire) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// The program waits for a flag that another thread sets.
fn program(set: fn(&Flag)) {
    let flag = Arc::new(Flag::default());
    let setting = flag.clone();
    let setter = thread::spawn(move || set(&setting));
    seedbed::run(async {
        flag.wait().await;
        Ok(())
    })
    .unwrap();
    setter.join().unwrap();
}

#[test]
fn the_program_ends_in_every_order() {
    loom::model(|| program(Flag::set));
}

#[test]
#[should_panic(expected = "deadlock")]
fn loom_finds_the_planted_bug() {
    loom::model(|| program(Flag::set_swapped));
}
