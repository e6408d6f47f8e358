//! A dump from another thread.

use std::panic::Location;
use std::time::{Duration, Instant};

use crate::error::{CallRefused, Refusal, Result};
use crate::platform::{Arc, Condvar, Mutex};
use crate::schedule::current;
use crate::snapshot::dump::{Dump, dump};
use crate::snapshot::take::take;
use crate::threads::Token;

/// How long a run has to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the run answers: nothing if it has dropped the question.
struct Answer {
    state: Mutex<State>,
    given: Condvar,
}

enum State {
    Awaited,
    Dumped(Box<Dump>),
    Dropped,
}

/// The end that gives the answer.
struct Answering(Arc<Answer>);

impl Answering {
    fn give(&self, state: State) {
        let mut answer = self.0.state.lock();
        if let State::Awaited = &*answer {
            *answer = state;
            self.0.given.notify_one();
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.give(State::Dropped);
    }
}

impl Token {
    /// Takes a [dump](crate::inspect) of the run, from any thread.
    ///
    /// The run does so between two tasks. If it is asleep, it is woken for it. If its thread is
    /// held up, by a task that computes or blocks, the answer does not come, and after a second this
    /// says so. On the run's own thread this is [`inspect::dump`](crate::inspect::dump()).
    ///
    /// # Errors
    ///
    /// [`CallRefused`](crate::CallRefused) if the run has ended, if its thread did not answer, or if
    /// this thread has a run of its own, which must not be kept waiting.
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
        let place = Location::caller();
        let refused = |why| Err(CallRefused::new(place, why).into());
        if Token::here() == Some(*self) {
            return dump();
        }
        if current::is_running() {
            return refused(Refusal::WouldBlock);
        }
        let answer = Arc::new(Answer { state: Mutex::new(State::Awaited), given: Condvar::new() });
        let answering = Answering(answer.clone());
        let asked = self.call(Box::new(move || {
            answering.give(take().map_or(State::Dropped, |dump| State::Dumped(Box::new(dump))));
        }));
        // Dropping a call that came back answers too.
        drop(asked);
        let until = Instant::now() + PATIENCE;
        let mut state = answer.state.lock();
        loop {
            match std::mem::replace(&mut *state, State::Awaited) {
                State::Dumped(dump) => return Ok(*dump),
                State::Dropped => return refused(Refusal::RunFinished),
                State::Awaited => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // Nobody takes a late answer out any more, and it goes with the call.
                return refused(Refusal::Busy);
            }
            (state, _) = answer.given.wait_for(state, left);
        }
    }
}
