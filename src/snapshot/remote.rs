//! Asking a run from another thread: for a dump, or for anything else that can be read at once.

use std::panic::Location;
use std::time::{Duration, Instant};

use crate::error::{CallRefused, NotRunning, Refusal, Result};
use crate::platform::{Arc, Condvar, Mutex};
use crate::schedule::current;
use crate::snapshot::dump::Dump;
use crate::snapshot::take::take;
use crate::threads::Token;

/// How long a run has to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the run answers: nothing if it has dropped the question.
struct Answer<T> {
    state: Mutex<State<T>>,
    given: Condvar,
}

enum State<T> {
    Awaited,
    Given(Box<T>),
    Dropped,
}

/// The end that gives the answer.
struct Answering<T>(Arc<Answer<T>>);

impl<T> Answering<T> {
    /// Whether whoever asked still waits.
    fn is_awaited(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    fn give(&self, state: State<T>) {
        let mut answer = self.0.state.lock();
        if let State::Awaited = &*answer {
            *answer = state;
            self.0.given.notify_one();
        }
    }
}

impl<T> Drop for Answering<T> {
    fn drop(&mut self) {
        self.give(State::Dropped);
    }
}

impl Token {
    /// Takes a [dump](crate::inspect) of the run, from any thread.
    ///
    /// This blocks the calling thread until the run has answered, which it does between two tasks.
    /// A run that is asleep is woken for it. If its thread is held up, by a task that computes or
    /// blocks, the answer does not come, and after a second that is an error. On the run's own
    /// thread this is [`inspect::dump`](crate::inspect::dump()). A task of another run calls it in
    /// [`to_thread`](crate::to_thread()).
    ///
    /// # Errors
    ///
    /// [`CallRefused`](crate::CallRefused) if the run has ended, if its thread did not answer, or
    /// if this thread has a run of its own, which must not be kept waiting.
    ///
    /// ```
    /// use seedbed::{Token, sleep_forever, nursery};
    /// use std::thread;
    ///
    /// seedbed::run(async {
    ///     let token = Token::current()?;
    ///     nursery(async |n| {
    ///         let scope = n.scope().cancel_handle();
    ///         thread::spawn(move || {
    ///             println!("{}", token.dump().unwrap());
    ///             scope.cancel();
    ///         });
    ///         sleep_forever().await
    ///     })
    ///     .await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn dump(&self) -> Result<Dump> {
        ask(*self, Location::caller(), take)
    }
}

/// Asks a run, on behalf of the caller at `place`. `answer` is called on the run's thread, and runs
/// no foreign code.
///
/// # Errors
///
/// [`CallRefused`](crate::CallRefused) if there is no answer, or not in time; [`NotRunning`] on
/// this thread.
pub(crate) fn ask<T: Send + 'static>(
    token: Token,
    place: &'static Location<'static>,
    answer: fn() -> Option<T>,
) -> Result<T> {
    let refused = |why| Err(CallRefused::new(place, why).into());
    if Token::here() == Some(token) {
        return Ok(answer().ok_or(NotRunning)?);
    }
    if current::is_running() {
        return refused(Refusal::WouldBlock);
    }
    let given = Arc::new(Answer { state: Mutex::new(State::Awaited), given: Condvar::new() });
    let answering = Answering(given.clone());
    let asked = token.call(Box::new(move || {
        if answering.is_awaited() {
            let state = answer().map_or(State::Dropped, |answer| State::Given(Box::new(answer)));
            answering.give(state);
        }
    }));
    // Dropping a call that came back answers too.
    drop(asked);
    let until = Instant::now() + PATIENCE;
    let mut state = given.state.lock();
    loop {
        match std::mem::replace(&mut *state, State::Awaited) {
            State::Given(answer) => return Ok(*answer),
            State::Dropped => return refused(Refusal::RunFinished),
            State::Awaited => {}
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            // Nobody takes a late answer out any more, and it goes with the call.
            return refused(Refusal::Busy);
        }
        (state, _) = given.given.wait_for(state, left);
    }
}
