//! A thread with a run of its own, beside the one that is looked at.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::{self, JoinHandle};

use crate::error::Result;
use crate::scope::CancelScope;
use crate::threads::{ThreadReceiver, ThreadSender, affinity, thread_channel};

/// What tells the thread to stop: the channel ends.
pub(super) type Stopped = ThreadReceiver<Infallible>;

/// Does this work on another thread, until it ends. If this is cancelled or dropped, the work is
/// told to stop, and waited for.
///
/// It is not a job of `to_thread`: it is no news for a run that has nothing else to wait for, so a
/// virtual clock goes on, and a deadlock is found.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled), that of starting a thread, or the work's own.
///
/// # Panics
///
/// If the work panics.
pub(super) async fn beside<F>(work: F) -> Result<()>
where
    F: FnOnce(Stopped) -> Result<()> + Send + 'static,
{
    let (stop, stopped) = thread_channel(0);
    let (end, ended) = thread_channel(1);
    let thread = thread::Builder::new().name("seedbed-inspect".into()).spawn(move || {
        affinity::restore(); // a run that has its core to itself keeps it
        let outcome = catch_unwind(AssertUnwindSafe(|| work(stopped)));
        let _ = end.try_send(outcome); // if nobody waits for it, it has been told to stop
    })?;
    let mut beside = Beside { stop: Some(stop), thread: Some(thread) };
    let (outcome, cancelled) = match ended.recv().await {
        Ok(outcome) => (outcome, None),
        Err(cancelled) => {
            beside.stop = None;
            let shield = CancelScope::new().with_shield();
            let outcome = shield.enter(async |_| ended.recv().await).await?;
            (outcome.flatten(), Some(cancelled))
        }
    };
    drop(beside);
    match (outcome, cancelled) {
        (Some(Err(payload)), _) => resume_unwind(payload),
        (_, Some(cancelled)) => Err(cancelled),
        (Some(Ok(outcome)), None) => outcome,
        (None, None) => unreachable!("the thread says how it has ended"),
    }
}

/// The thread, which is told to stop and waited for when this is dropped.
struct Beside {
    stop: Option<ThreadSender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Beside {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // its panic has been caught
        }
    }
}
