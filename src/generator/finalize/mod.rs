//! What becomes of a suspended generator that is dropped, or left when everything else has ended.
//!
//! Its clean-up is asynchronous, so it cannot run in a destructor. Instead the body goes to the
//! finalizer that was set when it was first iterated. The runtime's own finalizer closes it in a
//! system task, inside a cancelled, shielded scope, where it may clean up but cannot wait.
//!
//! | file | concept |
//! |---|---|
//! | `hooks` | the hooks that a thread has set to be called instead |
//! | `dropped` | the finalizer of generators that borrow nothing: the hook, or the run |
//! | `of_nursery` | generators that borrow, and their finalizer: the nursery |
//! | `unfinished` | the generator that a finalizer is given |
//! | `living` | the run's list of generators, and how it closes them in the end |

mod dropped;
mod hooks;
mod living;
mod of_nursery;
mod unfinished;

use std::borrow::Cow;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context, Poll};

use dropped::OfThread;
pub use hooks::{AsyncgenHooks, FinalizerHook, FirstIter, get_asyncgen_hooks, set_asyncgen_hooks};
pub(super) use living::Registration;
pub(crate) use living::{GENERATORS, Generators, abandon_all, finalize_all};
use of_nursery::OfNursery;
pub use unfinished::Unfinished;
pub(super) use unfinished::last_chance;

use crate::error::panic::{FirstPanic, report};
use crate::error::{Reason, Result};
use crate::generator::calls::Closing;
use crate::generator::state::Phase;
use crate::generator::{Deregistered, Inner};
use crate::nursery::core::LeftBehind;
use crate::nursery::system;
use crate::schedule::ids::RunId;
use crate::schedule::seen::onlookers::{self, Happening};
use crate::scope;
use crate::scope::tree::Level;
use crate::scope::tree::pool::ScopeRef;

/// A generator, whatever its types.
pub(super) trait Closable: LeftBehind {
    fn poll_close(&self, closing: &mut Closing, cx: &mut Context<'_>) -> Poll<Result<()>>;
    fn qualname(&self) -> Cow<'static, str>;
    fn suspended_at(&self) -> Option<&'static Location<'static>>;
    /// Whether the body is running, or in flight.
    fn is_running(&self) -> bool;
    /// Makes sure that from now on only its finalizer polls it.
    fn begin_finalizing(&self);
    /// Lets others poll it again.
    fn end_finalizing(&self);
    /// Like [`begin_finalizing`](Self::begin_finalizing), for a generator that was not dropped:
    /// whatever else polls it is woken, to learn of this.
    fn take_over(&self);
    /// Takes it off the list of generators to be closed at the end.
    fn deregister(&self) -> Deregistered;
    /// Ends a body that has yielded when it was closed, as far as that is possible. Does nothing to
    /// any other body.
    fn exit_again(&self);
    /// Drops the body as it is.
    fn abandon(&self);
    /// The run that will close it in the end; [`RunId::NONE`] if there is none.
    fn run(&self) -> RunId;
}

impl<T, S> Closable for Inner<'_, T, S> {
    fn poll_close(&self, closing: &mut Closing, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Inner::poll_close(self, closing, cx)
    }

    fn qualname(&self) -> Cow<'static, str> {
        Inner::qualname(self)
    }

    fn suspended_at(&self) -> Option<&'static Location<'static>> {
        self.link.suspended_at()
    }

    fn is_running(&self) -> bool {
        matches!(self.link.state.phase(), Phase::InFlight | Phase::Running | Phase::Finalizing)
    }

    fn begin_finalizing(&self) {
        self.link.state.begin_finalizing();
    }

    fn end_finalizing(&self) {
        self.link.state.end_finalizing();
    }

    fn take_over(&self) {
        self.begin_finalizing();
        if self.is_running() {
            self.link.wake_driver();
        }
    }

    fn deregister(&self) -> Deregistered {
        Inner::deregister(self)
    }

    fn exit_again(&self) {
        Inner::exit_again(self);
    }

    fn abandon(&self) {
        self.finish();
    }

    fn run(&self) -> RunId {
        self.registered.get().map_or(RunId::NONE, |registration| registration.run())
    }
}

/// The finalizer of a generator.
pub(super) enum Finalizer<'a> {
    OfThread(OfThread, BorrowsNothing<'a>),
    OfNursery(OfNursery),
}

/// Shows that a generator borrows nothing: it is the identity, which exists only if `'a` is
/// `'static`.
type BorrowsNothing<'a> = fn(Rc<dyn Closable + 'a>) -> Rc<dyn Closable>;

impl Finalizer<'static> {
    /// The finalizer of a generator that borrows nothing.
    pub(super) fn of_thread() -> Self {
        Finalizer::OfThread(OfThread::default(), |generator| generator)
    }
}

impl<'a> Finalizer<'a> {
    /// Called when the generator is iterated for the first time.
    pub(super) fn begin(&self, generator: Rc<dyn Closable + 'a>) -> Option<Registration> {
        match self {
            Finalizer::OfThread(thread, shown) => thread.begin(&shown(generator)),
            Finalizer::OfNursery(nursery) => {
                nursery.begin(&generator);
                None
            }
        }
    }

    /// Called when the generator was dropped with its body suspended.
    pub(super) fn dropped(&self, generator: Rc<dyn Closable + 'a>) {
        onlookers::happened(Happening::GeneratorAbandoned);
        match self {
            Finalizer::OfThread(thread, shown) => thread.dropped(shown(generator)),
            Finalizer::OfNursery(nursery) => nursery.dropped(generator),
        }
    }
}

/// Why the clean-up of a dropped generator cannot wait.
const DROPPED: Reason = Reason::Requested(Some(Cow::Borrowed("its generator was dropped")));

/// Closes a generator inside a cancelled, shielded scope. Its errors are reported.
async fn close_quietly(generator: Unfinished<'_>, why: Reason) -> Result<()> {
    let (name, place) = (generator.qualname(), generator.place());
    let around = ScopeRef::new(place);
    around.set_shield(true);
    around.cancel(Level::Full, why, None);
    let outcome = scope::enter(around, "a finalizer", generator.close()).await;
    onlookers::happened(Happening::GeneratorFinalized);
    if let Err(error) = outcome {
        report!(error, generator = %name, made_at = %place, %error, "a generator failed while it was finalized");
    }
    Ok(())
}

/// Drops a generator's body as it is, and reports that.
fn give_up(generator: &dyn Closable, why: &str) {
    // This is called in a destructor.
    let mut panic = FirstPanic::new();
    panic.catch(|| {
        if system::is_abandoned() {
            return;
        }
        tracing::error!(
            generator = %generator.qualname(),
            made_at = %generator.place(),
            suspended_at = generator.suspended_at().map(tracing::field::display),
            "{why}: its body is dropped without cleaning up"
        );
    });
    panic.catch(|| generator.abandon());
    panic.resume();
}
