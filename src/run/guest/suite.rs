//! Every `run` of a test as a guest.
//!
//! With `SEEDBED_AS_GUEST` in its environment, a program that was built with debug assertions polls
//! each `run` as a guest of a small executor. So the tests of everything else are tests of guests
//! too, with the programs that have been built already. Other builds do not have this.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Events, Interest, Token};

use crate::error::Result;
use crate::platform::clock::Clock;
use crate::run::Builder;
use crate::run::guest::future::{Going, Settings};
use crate::run::guest::host::Host;
use crate::scope::tree::pool::ScopeRef;
use crate::threads::surroundings::Surroundings;

pub(in crate::run) fn is_wanted() -> bool {
    static IS_WANTED: OnceLock<bool> = OnceLock::new();
    *IS_WANTED.get_or_init(|| std::env::var_os("SEEDBED_AS_GUEST").is_some())
}

/// Does the same as `run`, with a guest. It may have settings that a guest is refused elsewhere.
pub(in crate::run) fn run<T>(
    choices: Builder,
    clock: Clock,
    surroundings: Option<Arc<dyn Surroundings>>,
    scope: ScopeRef,
    interrupted: &dyn Fn(),
    main: impl Future<Output = Result<T>>,
) -> Result<T> {
    let executor = Rc::new(Executor::new()?);
    let waker = Waker::from(Arc::new(Interrupter(mio::Waker::new(
        executor.poll.borrow().registry(),
        Executor::WOKEN,
    )?)));
    let host = {
        let executor = executor.clone();
        Box::new(move |news| Ok(Box::new(Task::new(executor, news)?) as Box<dyn Host>))
    };
    let settings = Settings { clock, choices, surroundings, host };
    let mut going = Going::begin(settings, |whole| whole, scope, interrupted, main)?;
    loop {
        match going.poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => executor.sleep()?,
        }
    }
}

/// An executor of one task, which is polled whenever there is any reason to.
struct Executor {
    poll: RefCell<mio::Poll>,
    /// Whether the task's descriptor has become readable. As in tokio, the kernel says so once.
    is_readable: Cell<bool>,
    alarm: Cell<Option<Instant>>,
}

impl Executor {
    const WOKEN: Token = Token(0);
    const READABLE: Token = Token(1);

    fn new() -> io::Result<Executor> {
        let poll = RefCell::new(mio::Poll::new()?);
        Ok(Executor { poll, is_readable: Cell::new(false), alarm: Cell::new(None) })
    }

    fn sleep(&self) -> io::Result<()> {
        let mut events = Events::with_capacity(8);
        let alarm = self.alarm.take();
        let time = alarm.map(|alarm| alarm.saturating_duration_since(Instant::now()));
        match self.poll.borrow_mut().poll(&mut events, time) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        if events.iter().any(|event| event.token() == Executor::READABLE) {
            self.is_readable.set(true);
        }
        Ok(())
    }
}

/// The task, as its host.
struct Task {
    executor: Rc<Executor>,
    news: OwnedFd,
}

impl Task {
    fn new(executor: Rc<Executor>, news: OwnedFd) -> io::Result<Task> {
        executor.poll.borrow().registry().register(
            &mut SourceFd(&news.as_raw_fd()),
            Executor::READABLE,
            Interest::READABLE,
        )?;
        Ok(Task { executor, news })
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let poll = self.executor.poll.borrow();
        let _ = poll.registry().deregister(&mut SourceFd(&self.news.as_raw_fd()));
    }
}

impl Host for Task {
    fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.executor.is_readable.take() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_at(&mut self, moment: Instant, _: &mut Context<'_>) -> Poll<()> {
        self.executor.alarm.set(Some(moment));
        if Instant::now() < moment { Poll::Pending } else { Poll::Ready(()) }
    }
}

struct Interrupter(mio::Waker);

impl Wake for Interrupter {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // This fails only if the run has ended.
        let _ = self.0.wake();
    }
}
