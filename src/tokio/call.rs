//! Waiting for another runtime.

use std::future::{Future, IntoFuture, poll_fn};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::tokio::runtime::Handle;
use ::tokio::task::unconstrained;
use pin_project_lite::pin_project;

use crate::error::{Error, NotRunning, Result, used_in_a_fork, without_companion};
use crate::nursery::system;
use crate::operation::{Cancellable, cancellable};
use crate::schedule::rounds::SCHEDULER;
use crate::threads::elsewhere::AtWork;
use crate::tokio::contents::{Output, Within};
use crate::tokio::on_cancel::{self, LIMIT};

pin_project! {
    /// The future of [`call`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Call<F: Future> {
        #[pin]
        inner: Cancellable<F>,
        context: Needs,
        stage: Stage,
        place: &'static Location<'static>,
    }
}

/// Whose context the future is polled in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Needs {
    /// The one that has been entered, of which there has to be one.
    Context,
    /// It brings its own.
    Nothing,
}

enum Stage {
    New,
    Begun,
    /// It has been pending.
    Waits {
        _at_work: AtWork,
    },
}

/// Awaits a future of a library that works on a tokio runtime: the run's
/// [companion](crate::Builder::tokio), or whichever has been entered.
///
/// It differs in three ways from awaiting the future itself:
///
/// * It is a checkpoint. When its scope is cancelled, the future is dropped, as by
///   [`cancellable`](crate::cancellable()), and `Cancelled` is raised in its place. A value that was
///   about to come is lost with it, unless the library says otherwise.
///   [`on_cancel`](Call::on_cancel) undoes what has been begun.
/// * It counts against the [budget](crate::guide::scheduling#the-budget). tokio's own budget applies
///   only in tokio's tasks.
/// * It is known to wait for something outside the run. Meanwhile a
///   [virtual clock](crate::testing::VirtualClock) stands still, and nothing is a
///   [`Deadlock`](crate::Deadlock). So it is for what really comes from outside: whatever the run
///   itself does, such as a channel of tokio's between two of its tasks, is for
///   [`cancellable`](crate::cancellable()).
///
/// The future's output is a `Result`, and its error becomes an [`Error`], so that one `?` is enough.
/// For any other output, and to look at the error itself, there is [`output`](Call::output). The
/// future needs to be neither `Send` nor `'static`, as it is polled on the run's own thread.
///
/// # Errors
///
/// The future's own; [`Cancelled`](crate::Cancelled), when the future has been dropped;
/// [`NotRunning`] outside [`run`](crate::run); an [`io::Error`](std::io::Error) if no runtime has
/// been entered, in a program that is [explored](crate::testing::explore()), which fails the
/// exploration as well, and in a process that was forked during the run.
///
/// # Panics
///
/// If it is polled after it was ready.
///
/// ```
/// use std::time::Duration;
/// use seedbed::tokio::{Companion, call};
/// use seedbed::{Builder, move_on_after};
/// use tokio::net::TcpListener;
///
/// Builder::new().tokio(Companion::new()).run(async {
///     let listener = call(TcpListener::bind("127.0.0.1:0")).await?;
///     let none = move_on_after(Duration::from_millis(5), call(listener.accept())).await?;
///     assert!(none.is_none()); // nobody has connected
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn call<F: IntoFuture>(future: F) -> Call<F::IntoFuture> {
    Call::new(future.into_future(), Needs::Context, Location::caller())
}

impl<F: Future> Call<F> {
    fn new(future: F, context: Needs, place: &'static Location<'static>) -> Self {
        Call { inner: cancellable(future), context, stage: Stage::New, place }
    }

    /// Takes the future's output for a value, whatever it is: no `Result`, or one whose error
    /// matters.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use seedbed::Builder;
    /// use seedbed::tokio::{Companion, call};
    /// use tokio::net::TcpStream;
    ///
    /// Builder::new().tokio(Companion::new()).run(async {
    ///     match call(TcpStream::connect("127.0.0.1:1")).output().await? {
    ///         Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
    ///         other => panic!("nobody should listen there: {other:?}"),
    ///     }
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If it has been polled.
    pub fn output(self) -> Call<Output<F>> {
        let Call { context, place, .. } = self;
        Call::new(Output::new(self.into_future_itself()), context, place)
    }

    /// Polls the future in the context of this runtime, instead of the one that has been entered, if
    /// any. The context is entered anew at each poll. An `EnterGuard` in a task would be in force
    /// for all other tasks meanwhile, and two of them in two tasks panic when they are dropped.
    ///
    /// ```
    /// use seedbed::tokio::call;
    /// use tokio::runtime::Runtime;
    ///
    /// let runtime = Runtime::new()?;
    /// seedbed::run(async {
    ///     let answer = async { tokio::spawn(async { 42 }).await };
    ///     assert_eq!(call(answer).on(runtime.handle()).await?, 42);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If it has been polled.
    pub fn on(self, runtime: &Handle) -> Call<Within<F>> {
        let place = self.place;
        let future = Within::new(self.into_future_itself(), runtime.clone());
        Call::new(future, Needs::Nothing, place)
    }

    fn into_future_itself(self) -> F {
        assert!(matches!(self.stage, Stage::New), "a `tokio::call` was changed after it had begun");
        self.inner.into_inner()
    }

    pub(super) fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Continues the call. An error is a cancellation, or says why there can be no call here.
    pub(super) fn poll_output(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<F::Output>> {
        let this = self.project();
        if let Stage::New = this.stage {
            *this.stage = Stage::Begun;
            if let Err(error) = may_begin(*this.context, this.place) {
                return Poll::Ready(Err(error.at(this.place)));
            }
        }
        // If tokio polls the run itself, its budget is for as long as the run: one that is spent would
        // never be renewed. Ours counts.
        let mut inner = this.inner;
        let polled = pin!(unconstrained(poll_fn(|cx| inner.as_mut().poll(cx)))).poll(cx);
        *this.stage = match (&polled, std::mem::replace(this.stage, Stage::Begun)) {
            (Poll::Ready(_), _) => Stage::Begun,
            (Poll::Pending, Stage::Waits { _at_work }) => Stage::Waits { _at_work },
            (Poll::Pending, _) => Stage::Waits { _at_work: AtWork::begin()? },
        };
        polled
    }
}

/// # Errors
///
/// If nothing here can wait for another runtime.
fn may_begin(context: Needs, place: &'static Location<'static>) -> Result<()> {
    SCHEDULER.with(|scheduler| scheduler.ok_or(NotRunning)?.order.leave_to_others(place))?;
    if let Some(run) = system::forked_from() {
        return Err(used_in_a_fork("tokio::call", place, run));
    }
    if context == Needs::Context && Handle::try_current().is_err() {
        return Err(without_companion(place));
    }
    Ok(())
}

impl<F, T, E> Call<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Error>,
{
    /// Has a cancellation undo what the call has begun: `clean_up` is called when the future has
    /// been polled, was then cancelled, and has been dropped. A server can be told to stop working
    /// on a query in this way, or a process can be ended.
    ///
    /// It runs under a shield, and may await for 5 seconds: for another limit, see
    /// [`on_cancel_within`](Self::on_cancel_within). Then `Cancelled` is raised. If `clean_up`
    /// fails, or is not done in time, that is reported through `tracing`. If the whole call is
    /// dropped while the future waits, `clean_up` cannot run, and this is reported as well.
    ///
    /// # Errors
    ///
    /// Those of the [call].
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::time::Duration;
    /// use seedbed::tokio::{Companion, call};
    /// use seedbed::{Builder, move_on_after};
    /// use tokio::net::TcpListener;
    ///
    /// Builder::new().tokio(Companion::new()).run(async {
    ///     let listener = call(TcpListener::bind("127.0.0.1:0")).await?;
    ///     let told = Cell::new(false);
    ///     let accept = call(listener.accept()).on_cancel(async || {
    ///         told.set(true); // may await
    ///         Ok(())
    ///     });
    ///     move_on_after(Duration::from_millis(5), accept).await?;
    ///     assert!(told.get());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn on_cancel(
        self,
        clean_up: impl AsyncFnOnce() -> Result<()>,
    ) -> impl Future<Output = Result<T>> {
        self.on_cancel_within(LIMIT, clean_up)
    }

    /// Does the same as [`on_cancel`](Self::on_cancel), but `clean_up` has this much time.
    ///
    /// # Errors
    ///
    /// Those of the [call].
    pub fn on_cancel_within(
        self,
        limit: Duration,
        clean_up: impl AsyncFnOnce() -> Result<()>,
    ) -> impl Future<Output = Result<T>> {
        let place = self.place;
        let outcome = on_cancel::undo(self, limit, clean_up);
        async move { flat(outcome.await, place) }
    }
}

fn flat<T, E: Into<Error>>(
    outcome: Result<Result<T, E>>,
    place: &'static Location<'static>,
) -> Result<T> {
    outcome?.map_err(|error| error.into().at(place))
}

impl<F, T, E> Future for Call<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Error>,
{
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let place = self.place;
        Poll::Ready(flat(ready!(self.poll_output(cx)), place))
    }
}

impl<F: Future> std::fmt::Debug for Call<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("place", &self.place).finish_non_exhaustive()
    }
}
