//! Jobs: the work that a thread does for a run, and what the run knows of the jobs under way.
//!
//! ```text
//! run's thread                                          another thread
//!   Jobs::start ── Entry, with a key, and the permit
//!        └──────── Job: work, token, key ─────────────► Job::run
//!   Jobs::arrive ◄── call with key and outcome ──────── Report::send
//!        └─ out of the table; permit given back; the waiting task woken
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `seen` | what there is to see of the jobs |
//! | `overdue` | jobs that are waited for although nobody wants them any more |
//!
//! An outcome belongs to one thread at any time, so no lock guards it. If it is dropped because
//! nobody wants it any more, its panic is reported.

mod overdue;
mod seen;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use overdue::Unwanted;
pub(crate) use overdue::{Course, HoldsUp, Overdue};
pub(crate) use seen::Seen;
use slab::Slab;

use crate::error::panic::{Payload, quietly};
use crate::error::{Asks, NotRunning, Result};
use crate::operation::sync::limiter::{CapacityLimiter, Permit};
use crate::platform::Arc;
use crate::platform::clock::{CLOCK, Clock, Nanos};
use crate::platform::part::part;
use crate::platform::thread_static;
use crate::schedule::remote::away;
use crate::schedule::remote::calls::Call;
use crate::scope::current::current_scope;
use crate::scope::tree::pool::ScopeRef;
use crate::threads::elsewhere::Elsewhere;
use crate::threads::pool;
use crate::threads::surroundings::{Surroundings, surrounded};
use crate::threads::token::Token;

thread_static! {
    /// The run and job that this thread works for.
    static EMPLOYER: Cell<Option<Employer>> = Cell::new(None);
}

/// The run that a thread works for, and which of its jobs.
#[derive(Clone, Copy)]
pub(crate) struct Employer {
    pub(crate) token: Token,
    key: usize,
}

/// How many abandoned jobs of a run may be without a permit. Each occupies a thread that nobody
/// waits for, and that hangs as often as not.
const MOST_ABANDONED: usize = 400;

/// The run and job that this thread works for, if any.
pub(crate) fn employer() -> Option<Employer> {
    EMPLOYER.with(Cell::get)
}

/// The work itself. It is passed the job's key, and returns the call that delivers its outcome to
/// the run.
pub(super) type Work = Box<dyn FnOnce(usize) -> Call + Send>;

pub(super) fn work<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
    place: &'static Location<'static>,
) -> Work {
    Box::new(move |key| {
        let outcome = Outcome { outcome: Some(catch_unwind(AssertUnwindSafe(f))), place };
        Box::new(move || {
            JOBS.with(|jobs| {
                let jobs = jobs.expect("a run makes its calls itself");
                jobs.arrive(key, outcome);
            });
        })
    })
}

/// A job as it is passed to a thread.
pub(super) struct Job {
    work: Work,
    token: Token,
    key: usize,
}

/// A thread's report that it has finished a job.
pub(super) struct Report {
    token: Token,
    call: Call,
}

impl Job {
    pub(super) fn run(self) -> Report {
        let own = Employer { token: self.token, key: self.key };
        EMPLOYER.with(|employer| employer.set(Some(own)));
        let call = (self.work)(self.key);
        EMPLOYER.with(|employer| employer.set(None));
        Report { token: self.token, call }
    }
}

impl Report {
    /// Sends the report to the run. If the run is gone, the call comes back, and the outcome is
    /// dropped with it.
    pub(super) fn send(self) -> Result<(), Call> {
        self.token.report(self.call)
    }
}

/// Has a thread do something for the present run, which only its end waits for.
///
/// # Errors
///
/// [`NotRunning`], or the system's if no thread can be started. Then `f` was dropped.
pub(crate) fn leave_behind(
    f: impl FnOnce() + Send + 'static,
    place: &'static Location<'static>,
) -> Result<()> {
    JOBS.with(|jobs| {
        let (Some(jobs), Some(token)) = (jobs, Token::here()) else {
            return Err(NotRunning.into());
        };
        // Whoever leaves something behind cannot wait for a permit.
        let permit = CapacityLimiter::new(1).try_acquire().expect("it is the only one");
        jobs.start::<()>(token, work(f, place), permit, Abandoned::KeepsPermit, place)?;
        Ok(())
    })
}

/// The value or the panic of a job.
struct Outcome<T> {
    outcome: Option<Result<T, Payload>>,
    place: &'static Location<'static>,
}

impl<T> Drop for Outcome<T> {
    fn drop(&mut self) {
        let place = self.place;
        let outcome = self.outcome.take();
        quietly(|| {
            // Values have destructors, and these may panic too.
            let dropped = catch_unwind(AssertUnwindSafe(|| outcome.transpose().map(drop)));
            if let Ok(Err(payload)) | Err(payload) = dropped {
                tracing::error!(
                    job = %place,
                    panic = crate::error::panic::text(&*payload),
                    "a job on another thread panicked, and nobody waits for it any more"
                );
            }
        });
    }
}

part! {
    /// The jobs of the present run.
    pub(crate) const JOBS: Jobs;
}

/// The jobs of a run that threads are working on.
pub(crate) struct Jobs {
    /// Of type [`Entry`].
    under_way: RefCell<Slab<Rc<dyn UnderWay>>>,
    /// How many of them were not abandoned.
    awaited: Cell<usize>,
    /// How many of them wait for the run themselves.
    asking: Cell<usize>,
    /// How many have been abandoned and have given their permits back.
    without_permit: Cell<usize>,
    /// Woken when `awaited` reaches zero.
    none_awaited: Cell<Option<Waker>>,
    surroundings: Option<Arc<dyn Surroundings>>,
    pub(crate) elsewhere: Elsewhere,
}

impl Jobs {
    pub(crate) fn new(surroundings: Option<Arc<dyn Surroundings>>) -> Jobs {
        Jobs {
            under_way: RefCell::new(Slab::new()),
            awaited: Cell::new(0),
            asking: Cell::new(0),
            without_permit: Cell::new(0),
            none_awaited: Cell::new(None),
            surroundings,
            elsewhere: Elsewhere::default(),
        }
    }

    /// Whether there is a job that was not abandoned.
    pub(crate) fn is_any_awaited(&self) -> bool {
        self.awaited.get() > 0
    }

    /// Whether there is a job, abandoned or not, that makes progress by itself: one that does not
    /// wait for this run.
    pub(crate) fn is_any_going_on(&self) -> bool {
        self.under_way.borrow().len() > self.asking.get()
    }

    /// Whether there is such a job that was not abandoned.
    pub(crate) fn is_any_awaited_going_on(&self) -> bool {
        let goes_on = |job: &Rc<dyn UnderWay>| {
            let status = job.status();
            status.stage.get() == Stage::Awaited && status.asks.get().is_none()
        };
        self.is_any_awaited()
            && (self.asking.get() == 0
                || self.under_way.borrow().iter().any(|(_, job)| goes_on(job)))
    }

    /// The jobs that wait for this run.
    pub(crate) fn asking(&self) -> Vec<(usize, Asks)> {
        if self.asking.get() == 0 {
            return Vec::new();
        }
        let jobs = self.under_way.borrow();
        let asks = jobs.iter().filter_map(|(key, job)| {
            let Status { place, asks, .. } = job.status();
            Some((key, Asks { job: place, call: asks.get()? }))
        });
        asks.collect()
    }

    /// Waits, in the body of the system's nursery, until every job has ended or been abandoned.
    pub(crate) async fn none_awaited(&self) {
        poll_fn(|cx| {
            if !self.is_any_awaited() {
                return Poll::Ready(());
            }
            self.none_awaited.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Gives the work to a thread. The permit is given back when the thread has finished, or
    /// already when the job is abandoned, as `abandoned` says.
    pub(super) fn start<T: 'static>(
        &self,
        token: Token,
        work: Work,
        permit: Permit,
        abandoned: Abandoned,
        place: &'static Location<'static>,
    ) -> io::Result<Rc<Entry<T>>> {
        let entry = Rc::new(Entry {
            outcome: Cell::new(None),
            waker: RefCell::new(None),
            permit: Cell::new(Some(permit)),
            abandoned,
            status: Status {
                stage: Cell::new(Stage::Awaited),
                place,
                began: CLOCK.with(|clock| clock.map_or(0, Clock::now_or_later)),
                scope: current_scope(),
                unwanted: Cell::new(Unwanted::No),
                asks: Cell::new(None),
            },
            token,
        });
        #[cfg(feature = "console")]
        let work = crate::schedule::seen::console::job(work, place);
        let work = match &self.surroundings {
            Some(surroundings) => surrounded(surroundings.clone(), work),
            None => work,
        };
        let key = self.under_way.borrow_mut().insert(entry.clone());
        self.awaited.set(self.awaited.get() + 1);
        pool::submit(Job { work, token, key }).inspect_err(|_| {
            let gone = self.under_way.borrow_mut().remove(key);
            drop(gone);
            self.one_awaited_less();
        })?;
        Ok(entry)
    }

    /// Called when a thread has finished its job.
    fn arrive<T: 'static>(&self, key: usize, outcome: Outcome<T>) {
        let entry = self.under_way.borrow_mut().remove(key);
        let entry: Rc<dyn Any> = entry;
        let entry = entry.downcast::<Entry<T>>().expect("the key is this job's");
        if entry.status.stage.replace(Stage::Arrived) == Stage::Awaited {
            self.one_awaited_less();
        }
        entry.outcome.set(Some(outcome));
        match entry.permit.take() {
            Some(permit) => drop(permit),
            None => self.without_permit.set(self.without_permit.get() - 1),
        }
        if let Some(waker) = entry.waker.take() {
            waker.wake();
        }
    }

    fn one_awaited_less(&self) {
        self.awaited.set(self.awaited.get() - 1);
        if !self.is_any_awaited()
            && let Some(waker) = self.none_awaited.take()
        {
            waker.wake();
        }
    }
}

/// What becomes of the permit of an abandoned job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Abandoned {
    KeepsPermit,
    GivesPermitBack,
}

/// A job under way, as the run and its task see it.
pub(super) struct Entry<T> {
    outcome: Cell<Option<Outcome<T>>>,
    /// The task that waits for it.
    waker: RefCell<Option<Waker>>,
    /// `None` if it was given back when the job was abandoned.
    permit: Cell<Option<Permit>>,
    abandoned: Abandoned,
    status: Status,
    token: Token,
}

/// A job under way, whatever its type.
trait UnderWay: Any {
    fn status(&self) -> &Status;
}

impl<T: 'static> UnderWay for Entry<T> {
    fn status(&self) -> &Status {
        &self.status
    }
}

struct Status {
    stage: Cell<Stage>,
    /// Where `to_thread` was called.
    place: &'static Location<'static>,
    /// When it was given to a thread.
    began: Nanos,
    /// The scope in which it is waited for, or was at first.
    scope: Option<ScopeRef>,
    unwanted: Cell<Unwanted>,
    /// Where the job called into this run, if it waits for the answer.
    asks: Cell<Option<&'static Location<'static>>>,
}

/// As long as this lives, a job waits for its run. It stays on the run's thread.
pub(crate) struct Asking(Employer);

impl Asking {
    pub(crate) fn new(job: Employer, call: &'static Location<'static>) -> Asking {
        set_asks(job, Some(call));
        Asking(job)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        set_asks(self.0, None);
    }
}

fn set_asks(job: Employer, call: Option<&'static Location<'static>>) {
    JOBS.with(|jobs| {
        let Some(jobs) = jobs.filter(|_| Token::here() == Some(job.token)) else { return };
        if let Some(entry) = jobs.under_way.borrow().get(job.key) {
            let before = entry.status().asks.replace(call);
            let others = jobs.asking.get() - usize::from(before.is_some());
            jobs.asking.set(others + usize::from(call.is_some()));
        }
    });
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Awaited,
    Abandoned,
    Arrived,
}

impl<T> Entry<T> {
    /// The value or the panic, if it is here.
    pub(super) fn take(&self) -> Option<Result<T, Payload>> {
        self.outcome.take()?.outcome.take()
    }

    /// Stops waiting for the job: from now on neither its task nor the end of the run does.
    pub(super) fn abandon(&self) {
        away::in_run(self.token.run_id(), || self.abandon_here());
    }

    fn abandon_here(&self) {
        JOBS.with(|jobs| {
            // This may be called in a later run, or in none, if its own has failed.
            let jobs = jobs.filter(|_| Token::here() == Some(self.token));
            if let (Some(jobs), Stage::Awaited) = (jobs, self.status.stage.get()) {
                self.status.stage.set(Stage::Abandoned);
                jobs.one_awaited_less();
                if self.abandoned == Abandoned::GivesPermitBack {
                    self.give_permit_back(jobs);
                }
            }
        });
    }

    /// Spares others from waiting for the end of an abandoned job, which may never come.
    fn give_permit_back(&self, jobs: &Jobs) {
        let others = jobs.without_permit.get();
        if others == MOST_ABANDONED {
            return;
        }
        jobs.without_permit.set(others + 1);
        drop(self.permit.take());
        if others + 1 == MOST_ABANDONED {
            let job = self.status.place;
            quietly(|| {
                tracing::warn!(
                    %job,
                    "{MOST_ABANDONED} jobs on other threads that were abandoned have not ended, \
                     this one is the latest; those that are abandoned from now on keep their \
                     permits"
                );
            });
        }
    }

    /// Makes sure that this waker is the one to be woken when the job ends.
    pub(super) fn arm(&self, cx: &Context<'_>) {
        if self.waker.borrow().as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return;
        }
        let former = self.waker.replace(Some(cx.waker().clone()));
        drop(former); // foreign code
    }

    /// Makes sure that nobody is woken any more.
    pub(super) fn disarm(&self) {
        let former = self.waker.take();
        drop(former); // foreign code
    }
}
