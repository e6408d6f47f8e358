//! A way back to a run from any thread.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

use crate::error::panic::catch_panic;
use crate::error::{CallRefused, NotRun, NotRunning, Refusal, Result};
use crate::nursery::system::SYSTEM;
use crate::platform::{Arc, Condvar, Mutex};
use crate::schedule::current;
use crate::schedule::ids::RunId;
use crate::schedule::remote::away;
use crate::schedule::remote::calls::Call;
use crate::schedule::remote::registry;
use crate::threads::job::{self, Asking};

/// A way back to a running [`run`](crate::run()) from any thread. It runs functions and tasks on
/// the run's own thread.
///
/// This is Trio's `TrioToken`, together with `trio.from_thread`. A token can be copied, sent, and
/// kept for longer than the run, and it does not delay the run's end. In a forked process the runs
/// of the parent have ended.
///
/// The calls made through the tokens of one run begin in the order in which they were made, as far
/// as there is such an order.
///
/// ```
/// use seedbed::{Token, cancel_scope, sleep_forever};
/// use std::thread;
///
/// seedbed::run(async {
///     let token = Token::current()?;
///     cancel_scope(async |scope| {
///         let scope = scope.cancel_handle();
///         thread::spawn(move || token.run_sync_soon(move || scope.cancel()));
///         sleep_forever().await
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token {
    run: RunId,
}

impl Token {
    /// The number of its run.
    pub(crate) fn run_id(self) -> RunId {
        self.run
    }

    /// The token of the run on this thread, if there is one.
    pub(crate) fn here() -> Option<Token> {
        current::is_running().then(|| Token { run: current::current_run() })
    }

    /// Returns the token of the run on this thread, or, inside a function in
    /// [`to_thread`](crate::to_thread()), of the run that the function works for.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] if there is neither.
    ///
    /// ```
    /// use seedbed::{Token, sleep, to_thread};
    /// use std::time::Duration;
    ///
    /// seedbed::run(async {
    ///     let worked = to_thread(|| {
    ///         // on another thread
    ///         Token::current()?.run(async || sleep(Duration::from_millis(1)).await)?
    ///     });
    ///     worked.await?
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn current() -> Result<Token> {
        let here = Token::here();
        Ok(here.or_else(|| Some(job::employer()?.token)).ok_or(NotRunning)?)
    }

    /// Delivers a call that the run has been waiting for. It comes back if the run is gone.
    pub(crate) fn report(self, call: Call) -> Result<(), Call> {
        registry::report(self.run, call)
    }

    /// Delivers a call. It comes back if the run is gone or takes no more calls.
    pub(crate) fn call(self, call: Call) -> Result<(), Call> {
        registry::call(self.run, call)
    }

    /// Runs a function on the run's thread, soon, and does not wait for it. This is Trio's
    /// `TrioToken.run_sync_soon`.
    ///
    /// It can be called anywhere, including on a signal handler's thread and on the run's own
    /// thread, and never blocks. The function runs between tasks and in no cancel scope, so it
    /// should be short: set an [`Event`](crate::Event), cancel a scope, spawn through a
    /// [`NurseryHandle`](crate::NurseryHandle). It has no value of a [`Local`](crate::Local). (It may
    /// be called deep inside of what is being polled, so a span of `tracing` may be anybody's.) If this returns `Ok`, the function will be called,
    /// even if the run is just ending. The exception is a run that itself fails (with a
    /// [`Deadlock`](crate::Deadlock), or because its reactor is broken): it drops the functions it
    /// has not got to.
    ///
    /// If the function panics, the main future is cancelled and the panic comes out of `run`.
    ///
    /// # Errors
    ///
    /// [`NotRun`], with the function, if the run has ended.
    ///
    /// ```
    /// use seedbed::{Event, Token};
    /// use std::cell::RefCell;
    /// use std::{rc::Rc, thread};
    ///
    /// thread_local! { static ANSWER: RefCell<Option<Rc<Event>>> = RefCell::default(); }
    ///
    /// seedbed::run(async {
    ///     let ready = Rc::new(Event::new());
    ///     ANSWER.set(Some(ready.clone()));
    ///     let token = Token::current()?;
    ///     thread::spawn(move || token.run_sync_soon(|| ANSWER.take().unwrap().set()));
    ///     ready.wait().await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn run_sync_soon<F>(&self, f: F) -> Result<(), NotRun<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        // In a slot of its own, so that it can be given back with its own type.
        let slot = Arc::new(Mutex::new(Some(f)));
        let place = Location::caller();
        let call = {
            let slot = slot.clone();
            Box::new(move || {
                let f = slot.lock().take();
                f.expect("it is called once")();
            })
        };
        self.call(call).map_err(|_| {
            let f = slot.lock().take();
            NotRun::new(f.expect("it was not called"), place, Refusal::RunFinished)
        })
    }

    /// Runs a function on the run's thread and waits for its value. This is Trio's
    /// `from_thread.run_sync`.
    ///
    /// As with [`run_sync_soon`](Self::run_sync_soon), the function runs between tasks and should
    /// be short. It is not cancelled.
    ///
    /// # Errors
    ///
    /// [`NotRun`], with the function, if the run has ended, or if this is called on a thread that
    /// has a `run` of its own. Such a thread must not block, least of all to wait for itself.
    ///
    /// # Panics
    ///
    /// If the function panics, with the same payload.
    ///
    /// ```
    /// use seedbed::{Token, to_thread};
    /// use std::cell::Cell;
    ///
    /// thread_local! { static HITS: Cell<u32> = const { Cell::new(3) }; }
    ///
    /// seedbed::run(async {
    ///     HITS.set(4);
    ///     let token = Token::current()?;
    ///     let there = move || (HITS.get(), token.run_sync(|| HITS.get()));
    ///     let (there, here) = to_thread(there).await?;
    ///     assert_eq!((there, here?), (3, 4));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn run_sync<F, T>(&self, f: F) -> Result<T, NotRun<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let answer = self.ask(Location::caller(), f, |f, answer| {
            answer.give(catch_unwind(AssertUnwindSafe(f)));
        })?;
        Ok(answer.expect("a function that has begun has an end"))
    }

    /// Runs an `async` closure as a task on the run's thread and waits for its value. This is
    /// Trio's `from_thread.run`.
    ///
    /// The closure is sent to that thread; its future need not be `Send`. The task belongs to the
    /// run, is in none of the program's scopes, and is cancelled when the main future has ended. It
    /// has the values of each [`Local`](crate::Local) that is set around [`run`](crate::run()).
    ///
    /// # Errors
    ///
    /// The outer error is that of [`run_sync`](Self::run_sync), with the closure; it also comes if
    /// the main future has already ended. The inner error is the task's own, or
    /// [`Cancelled`](crate::Cancelled) if the end of the run interrupted the task.
    ///
    /// # Panics
    ///
    /// If the task panics, with the same payload.
    ///
    /// ```
    /// use seedbed::{Token, sleep, to_thread};
    /// use std::time::Duration;
    ///
    /// seedbed::run(async {
    ///     let token = Token::current()?;
    ///     let answer = to_thread(move || {
    ///         // on another thread
    ///         token.run(async || {
    ///             sleep(Duration::from_millis(1)).await?; // on this one
    ///             Ok(42)
    ///         })
    ///     });
    ///     assert_eq!(answer.await???, 42); // of `to_thread`, `NotRun`, the task
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn run<F, T>(&self, f: F) -> Result<Result<T>, NotRun<F>>
    where
        F: AsyncFnOnce() -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let place = Location::caller();
        let answer = self.ask(place, f, |f, answer| {
            SYSTEM.with(|system| {
                let system = system.expect("a run makes its calls itself");
                if system.is_ending() {
                    answer.refuse(f);
                    return;
                }
                system.spawn(async move {
                    answer.give(catch_panic(f()).await);
                    Ok(())
                });
            });
        })?;
        Ok(answer.unwrap_or_else(|| Err(CallRefused::new(place, Refusal::RunFinished).into())))
    }

    /// Has `call` called with `f` on the run's thread. Waits until it has given an answer, or has
    /// dropped the means to give one.
    fn ask<F, T>(
        self,
        place: &'static Location<'static>,
        f: F,
        call: impl FnOnce(F, Answering<F, T>) + Send + 'static,
    ) -> Result<Option<T>, NotRun<F>>
    where
        F: Send + 'static,
        T: Send + 'static,
    {
        if away::is_any_here() {
            return Err(NotRun::new(f, place, Refusal::WouldBlock));
        }
        let answer = Arc::new(Answer { state: Mutex::new(State::Asked(f)), given: Condvar::new() });
        let mut answering = Answering { answer: answer.clone(), asking: None };
        let job = job::employer().filter(|employer| employer.token == self);
        // A call that comes back is dropped, and that is an answer too.
        let _ = self.call(Box::new(move || {
            let begun = mem::replace(&mut *answering.answer.state.lock(), State::Begun);
            let State::Asked(f) = begun else { unreachable!("it is called once") };
            // Up to here, the pending call is news for the run. From here on the job waits for its
            // answer.
            answering.asking = job.map(|job| Asking::new(job, place));
            call(f, answering);
        }));
        let mut state = answer.state.lock();
        loop {
            match mem::replace(&mut *state, State::Begun) {
                State::Given(Ok(value)) => return Ok(Some(value)),
                State::Given(Err(payload)) => {
                    drop(state);
                    resume_unwind(payload)
                }
                State::Refused(f) => return Err(NotRun::new(f, place, Refusal::RunFinished)),
                State::Dropped => return Ok(None),
                waiting => *state = waiting,
            }
            state = answer.given.wait(state);
        }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("run", &self.run.tenancy()).finish_non_exhaustive()
    }
}

/// A question that one thread asks another, waiting for the answer.
struct Answer<F, T> {
    state: Mutex<State<F, T>>,
    given: Condvar,
}

enum State<F, T> {
    /// The call has not begun.
    Asked(F),
    Begun,
    Given(Result<T, Box<dyn Any + Send>>),
    Refused(F),
    /// The call had begun, and was dropped.
    Dropped,
}

/// The end that gives the answer. Dropping it counts as an answer too.
struct Answering<F, T> {
    answer: Arc<Answer<F, T>>,
    /// Set if a job of this very run waits for the answer.
    asking: Option<Asking>,
}

impl<F, T> Answering<F, T> {
    fn give(self, outcome: Result<T, Box<dyn Any + Send>>) {
        *self.answer.state.lock() = State::Given(outcome);
    }

    fn refuse(self, f: F) {
        *self.answer.state.lock() = State::Refused(f);
    }
}

impl<F, T> Drop for Answering<F, T> {
    fn drop(&mut self) {
        let mut state = self.answer.state.lock();
        *state = match mem::replace(&mut *state, State::Begun) {
            State::Asked(f) => State::Refused(f),
            State::Begun => State::Dropped,
            answer => answer,
        };
        drop(state);
        self.answer.given.notify_one();
    }
}
