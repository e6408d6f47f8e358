//! Services: children that serve the others, and are cancelled when these have ended.
//!
//! A service is a child with three differences. It does not count among those that keep its nursery
//! open, except while it is being polled, so the nursery comes to its end without it. The nursery
//! remembers it beside the generators that were left behind, and so closes it at that end. And its
//! scope hears of no graceful cancellation before then.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use crate::error::panic::FirstPanic;
use crate::error::{Reason, Result, Spawned};
use crate::nursery::Nursery;
use crate::nursery::child::label::Label;
use crate::nursery::core::{Core, LeftBehind, Turn};
use crate::nursery::start::{Kind, OnMove, Started, start};
use crate::schedule::foreign::Foreign;
use crate::schedule::units::parked;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::tree::{Level, Patience};
use crate::scope::{Enter, enter};

/// A handle to a service, made by [`Nursery::service`] and [`Nursery::start_service`].
///
/// Dropping it changes nothing.
pub struct Service<'scope> {
    state: Rc<State>,
    _scope: PhantomData<&'scope ()>,
}

/// What a service, its handle and its nursery share.
struct State {
    /// The nursery whose others it serves.
    nursery: Rc<Core>,
    task: Spawned,
    scope: ScopeRef,
    /// Whether it is in its nursery. A service that is being started is not.
    serves: Cell<bool>,
    has_ended: Cell<bool>,
    /// Those that end before this one is cancelled.
    after: RefCell<Vec<Rc<State>>>,
    /// The tasks that wait for its end.
    waiting: RefCell<Vec<Waker>>,
}

impl<'scope, 'env> Nursery<'scope, 'env> {
    /// Spawns a service: a child that runs beside the others, and is cancelled when the body and
    /// every child that is no service have ended.
    ///
    /// Write a service for what the other tasks need until their very end: a connection that they
    /// share, a task that collects what they log. It may be an endless loop, and the nursery ends
    /// nevertheless.
    ///
    /// * **It outlasts those that it serves.** A
    ///   [graceful cancellation](crate::CancelScope::cancel_gracefully) reaches the others first. It
    ///   reaches the service when they have ended, or when the grace is over, whichever is first.
    ///   Any other cancellation reaches the service at once, as it does any child.
    /// * **Several services** are cancelled together, or one [after](Service::after) another.
    /// * **Its failure** is a failure of the nursery like any other. It is no failure that it is
    ///   cancelled at the end.
    /// * **Generators** that were left behind in the nursery are closed before its services are.
    ///
    /// This is what Trio's issue 1521, "service tasks", asks for.
    ///
    /// ```
    /// use seedbed::{channel, nursery, sleep};
    /// use std::cell::RefCell;
    /// use std::time::Duration;
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let (log, lines) = channel(0);
    /// let written = RefCell::new(Vec::new());
    /// nursery(async |n| {
    ///     n.service(async {
    ///         while let Some(line) = lines.recv().await? {
    ///             written.borrow_mut().push(line);
    ///         }
    ///         Ok(())
    ///     });
    ///     for worker in [1, 2] {
    ///         let log = &log;
    ///         n.spawn(async move {
    ///             sleep(Duration::from_secs(worker)).await?;
    ///             log.send(worker).await?;
    ///             Ok(())
    ///         });
    ///     }
    ///     Ok(())
    /// })
    /// .await?; // the workers have ended, so the service has been cancelled
    /// assert_eq!(*written.borrow(), [1, 2]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn service<F>(&'scope self, future: F) -> Service<'scope>
    where
        F: Future<Output = Result<()>> + 'scope,
    {
        spawn(self, future, Location::caller(), ())
    }

    /// Runs a child until it says that it is ready, and leaves it running in the nursery as a
    /// [service](Self::service).
    ///
    /// Until then it runs under the caller's scopes, as with [`start`](Self::start), and every
    /// cancellation of theirs reaches it.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start).
    ///
    /// ```
    /// use seedbed::{nursery, sleep_forever};
    ///
    /// seedbed::run(async {
    ///     nursery(async |n| {
    ///         let (port, _service) = n
    ///             .start_service(async |started| {
    ///                 started.ready(7000);
    ///                 sleep_forever().await
    ///             })
    ///             .await?;
    ///         assert_eq!(port, 7000);
    ///         Ok(())
    ///     })
    ///     .await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn start_service<F, V>(
        &'scope self,
        child: F,
    ) -> impl Future<Output = Result<(V, Service<'scope>)>>
    where
        F: AsyncFnOnce(Started<V>) -> Result<()> + 'scope,
        V: 'scope,
    {
        start_in(self, child, Location::caller(), ())
    }
}

impl Service<'_> {
    /// Has this service cancelled only when the other one has ended, at the end of the nursery in
    /// which both are.
    ///
    /// A failure of the nursery, or a cancellation that is not graceful, reaches all its services at
    /// once nevertheless.
    ///
    /// # Panics
    ///
    /// If the other service is in another nursery, or is itself to end after this one.
    ///
    /// ```
    /// use seedbed::{nursery, sleep_forever};
    ///
    /// seedbed::run(async {
    ///     nursery(async |n| {
    ///         let cache = n.service(async { sleep_forever().await });
    ///         // The cache writes to it until the cache has ended.
    ///         n.service(async { sleep_forever().await }).after(&cache);
    ///         Ok(())
    ///     })
    ///     .await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    #[expect(clippy::must_use_candidate, reason = "the handle is seldom needed any further")]
    pub fn after(self, other: &Service<'_>) -> Self {
        assert!(
            Rc::ptr_eq(&self.state.nursery, &other.state.nursery),
            "the service {} cannot end after the one {}: they are in different nurseries",
            self.state.task,
            other.state.task,
        );
        assert!(
            !other.state.ends_after(&self.state),
            "the service {} cannot end after the one {}, which is to end after it",
            self.state.task,
            other.state.task,
        );
        self.state.after.borrow_mut().push(other.state.clone());
        self
    }

    /// Whether the service has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.state.has_ended.get()
    }
}

/// Spawns a service.
pub(super) fn spawn<'scope, F, L>(
    nursery: &'scope Nursery<'scope, '_>,
    future: F,
    place: &'static Location<'static>,
    label: L,
) -> Service<'scope>
where
    F: Future<Output = Result<()>> + 'scope,
    L: Label,
{
    let service = Service::new(nursery, label.spawned(place));
    service.state.serve();
    let future = Serving::new(service.state.clone(), future);
    // SAFETY: `'scope` outlasts the nursery's future, as in `Nursery::spawn`.
    drop(unsafe { nursery.core.spawn(future, place, label) });
    service
}

/// Starts a service.
pub(super) fn start_in<'scope, F, V, L>(
    nursery: &'scope Nursery<'scope, '_>,
    child: F,
    place: &'static Location<'static>,
    label: L,
) -> impl Future<Output = Result<(V, Service<'scope>)>>
where
    F: AsyncFnOnce(Started<V>) -> Result<()> + 'scope,
    V: 'scope,
    L: Label,
{
    let service = Service::new(nursery, label.spawned(place));
    let kind = AsService { state: service.state.clone(), label };
    // SAFETY: `'scope` outlasts the nursery and the future made here, as in `Nursery::start`.
    let started = unsafe { start(nursery.core.clone(), child, place, kind) };
    async move { Ok((started.await?, service)) }
}

impl<'scope> Service<'scope> {
    fn new(nursery: &'scope Nursery<'scope, '_>, task: Spawned) -> Self {
        let state = State {
            nursery: nursery.core.clone(),
            scope: ScopeRef::new(task.place()),
            task,
            serves: Cell::new(false),
            has_ended: Cell::new(false),
            after: RefCell::default(),
            waiting: RefCell::default(),
        };
        Service { state: Rc::new(state), _scope: PhantomData }
    }
}

/// `start` for services.
struct AsService<L> {
    state: Rc<State>,
    label: L,
}

impl<L: Label> Kind for AsService<L> {
    unsafe fn spawn(
        self,
        cradle: &Rc<Core>,
        child: impl Future<Output = Result<()>>,
        place: &'static Location<'static>,
    ) {
        // SAFETY: the caller's promise.
        drop(unsafe { cradle.spawn(Serving::new(self.state, child), place, self.label) });
    }

    fn on_move(&self) -> Option<Rc<dyn OnMove>> {
        Some(self.state.clone())
    }
}

impl OnMove for State {
    fn moves(self: Rc<Self>, cradle: &Core) -> Option<Foreign> {
        self.serve();
        // It is counted in its nursery until it has been polled there.
        cradle.wake_only_child()
    }
}

impl State {
    /// Says that the service is in its nursery from now on.
    fn serve(self: &Rc<Self>) {
        self.serves.set(true);
        self.scope.set_patience(Patience::Serves);
        let state: Weak<State> = Rc::downgrade(self);
        // SAFETY: the state borrows nothing.
        unsafe { self.nursery.remember(state) };
    }

    /// Whether this service is `other`, or is to end after it.
    fn ends_after(self: &Rc<Self>, other: &Rc<Self>) -> bool {
        let mut seen = vec![self.clone()];
        let mut next = 0;
        while let Some(service) = seen.get(next).cloned() {
            if Rc::ptr_eq(&service, other) {
                return true;
            }
            for before in &*service.after.borrow() {
                if !seen.iter().any(|seen| Rc::ptr_eq(seen, before)) {
                    seen.push(before.clone());
                }
            }
            next += 1;
        }
        false
    }

    /// Lets a graceful cancellation in, if there is one, and otherwise cancels the service.
    fn stop(&self) {
        self.scope.set_patience(Patience::None);
        if !self.scope.is_cancelled() {
            let reason = Reason::Requested(Some("all that this service served has ended".into()));
            self.scope.cancel(Level::Full, reason, None);
        }
    }

    /// Waits for the end of the service, whatever is cancelled meanwhile.
    async fn end(&self) {
        poll_fn(|cx| {
            if self.has_ended.get() {
                return Poll::Ready(());
            }
            let waker = cx.waker().clone(); // that of a unit: the nursery polls this in a child
            let mut waiting = self.waiting.borrow_mut();
            waiting.retain(|other| !other.will_wake(&waker));
            waiting.push(waker);
            parked::leave(const { parked::What::of("the end of a service") }, self.scope.place());
            Poll::Pending
        })
        .await;
    }
}

impl std::fmt::Debug for Service<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.state.task.name())
            .field("spawned_at", &self.state.task.place())
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

impl LeftBehind for State {
    fn place(&self) -> &'static Location<'static> {
        self.task.place()
    }

    fn is_finished(&self) -> bool {
        self.has_ended.get()
    }

    fn turn(&self) -> Turn {
        Turn::Last
    }

    fn close<'a>(self: Rc<Self>) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>
    where
        Self: 'a,
    {
        Box::pin(async move {
            for before in self.after.take() {
                before.end().await;
            }
            self.stop();
            self.end().await;
            Ok(())
        })
    }
}

/// Tells those that wait for it that a service has ended, when it is dropped.
struct Ending(Rc<State>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.has_ended.set(true);
        // Whoever polls the nursery may be woken through a foreign waker.
        let mut panic = FirstPanic::new();
        panic.catch_each(&mut self.0.waiting.take().into_iter(), Waker::wake);
        panic.resume();
    }
}

pin_project! {
    /// The future of a service.
    struct Serving<F> {
        #[pin]
        future: Enter<F>,
        counts: Counts,
        // Dropped last.
        ending: Ending,
    }
}

/// Whether a service counts among those that keep its nursery open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Counts {
    Yes,
    No,
}

impl<F: Future<Output = Result<()>>> Serving<F> {
    fn new(state: Rc<State>, future: F) -> Self {
        Serving {
            future: enter(state.scope.clone(), "a service", future),
            counts: Counts::Yes,
            ending: Ending(state),
        }
    }
}

impl<F: Future<Output = Result<()>>> Future for Serving<F> {
    type Output = Result<()>;

    /// While this is polled the service counts, so that one that ends or panics is taken out of its
    /// nursery as any child is.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.project();
        let state = &this.ending.0;
        // It may move to its nursery in this poll, but only when the poll is over.
        let serves = state.serves.get();
        if *this.counts == Counts::No {
            *this.counts = Counts::Yes;
            state.nursery.count_service();
        }
        match this.future.poll(cx) {
            Poll::Pending if serves => {
                *this.counts = Counts::No;
                if let Some(foreign) = state.nursery.discount_service() {
                    foreign.wake();
                }
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(outcome) => Poll::Ready(outcome.map(|_| ())),
        }
    }
}
