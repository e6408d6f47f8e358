//! What passes between tasks, compared with models: operations that are begun, polled, cancelled
//! and dropped at any time.
//!
//! | file | what |
//! |---|---|
//! | `locks` | `Mutex`, `RwLock` and `Semaphore`, against one model of permits |
//! | `notices` | `Notify` and `Condition`, against one model of notifications |
//! | `meetings` | `Barrier` and `OnceCell` |
//! | `all` | `broadcast` |
//! | `latest` | `watch` and `oneshot` |
//!
//! Each operation has a scope of its own and is polled by hand, with a waker that counts.

pub mod all;
pub mod latest;
pub mod locks;
pub mod meetings;
pub mod notices;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake};

use seedbed::testing::{VirtualClock, statistics};
use seedbed::{Builder, CancelScope, Result};

/// How many operations there are at most.
const OPERATIONS: usize = 6;

#[derive(Default)]
struct Wakes(AtomicU32);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// An operation that waits.
struct Operation<'a, T> {
    future: Pin<Box<dyn Future<Output = Option<T>> + 'a>>,
    scope: CancelScope,
    wakes: Arc<Wakes>,
}

impl<'a, T> Operation<'a, T> {
    fn new(operation: impl Future<Output = Result<T>> + 'a) -> Self {
        let scope = CancelScope::new();
        let future = Box::pin({
            let scope = scope.clone();
            async move {
                let outcome = scope.enter(async |_| operation.await);
                outcome.await.expect("nothing but the cancellation")
            }
        });
        Operation { future, scope, wakes: Arc::default() }
    }

    /// What has come of it: `Some(None)` if it was cancelled.
    fn poll(&mut self) -> Option<Option<T>> {
        self.wakes.0.store(0, Ordering::Relaxed);
        let waker = self.wakes.clone().into();
        match self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    fn is_cancelled(&self) -> bool {
        self.scope.cancel_called()
    }

    fn is_woken(&self) -> bool {
        self.wakes.0.load(Ordering::Relaxed) > 0
    }
}

/// Runs the steps, where what can be done at once is done at once. Nothing is left over.
fn steps(run: impl FnOnce()) {
    let builder = Builder::new().clock(&VirtualClock::new()).budget(u32::MAX).ctrl_c(false);
    let outcome = builder.run(async {
        let before = statistics()?;
        run();
        assert_eq!(statistics()?, before);
        Ok(())
    });
    outcome.expect("it does not fail");
}
