//! The finalizer of generators that borrow nothing.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::error::panic::{FirstPanic, quietly, report};
use crate::generator::finalize::{
    Closable, DROPPED, FinalizerHook, Registration, Unfinished, close_quietly, get_asyncgen_hooks,
    give_up,
};
use crate::nursery::system::{self, SYSTEM};
use crate::operation::checkpoint::yield_now;
use crate::schedule::remote::away;

/// The finalizer of a generator that borrows nothing: the thread's hook, or else the run.
#[derive(Default)]
pub(in crate::generator) struct OfThread {
    hook: RefCell<Option<FinalizerHook>>,
}

impl OfThread {
    pub(super) fn begin(&self, generator: &Rc<dyn Closable>) -> Option<Registration> {
        let hooks = get_asyncgen_hooks();
        *self.hook.borrow_mut() = hooks.finalizer;
        if let Some(first_iter) = hooks.first_iter {
            first_iter(&generator.qualname(), generator.place());
        }
        Registration::new(Rc::downgrade(generator))
    }

    pub(super) fn dropped(&self, generator: Rc<dyn Closable>) {
        let hook = self.hook.borrow().clone();
        match hook {
            Some(hook) => call(&hook, generator),
            None => away::in_run(generator.run(), || close_in_background(generator)),
        }
    }
}

/// Gives a generator that was dropped to the thread's hook.
fn call(hook: &FinalizerHook, generator: Rc<dyn Closable>) {
    let (name, place) = (generator.qualname(), generator.place());
    let called = catch_unwind(AssertUnwindSafe(|| hook(Unfinished::new(generator))));
    // This is called in a destructor, where the panic cannot be passed on.
    if let Err(payload) = called {
        report!(error, generator = %name, made_at = %place, "a finalizer hook has panicked");
        quietly(|| drop(payload));
    }
}

/// Closes a generator that was dropped, in a task that belongs to the run.
fn close_in_background(generator: Rc<dyn Closable>) {
    let mut panic = FirstPanic::new();
    panic.catch(|| {
        if system::is_abandoned() {
            return;
        }
        tracing::warn!(
            generator = %generator.qualname(),
            made_at = %generator.place(),
            suspended_at = generator.suspended_at().map(tracing::field::display),
            "a suspended generator was dropped: it is closed in the background; close it with \
             `aclosing`"
        );
    });
    // Its task belongs to the run, which waits for it.
    generator.deregister();
    panic.catch(|| {
        SYSTEM.with(|system| match system {
            // A run that is being dropped takes no more tasks, because nothing would keep them
            // alive.
            Some(system) if system.takes_tasks() && !system::is_abandoned() => {
                system.spawn(async move {
                    // One round later than in a child, as in Trio, where the finalizer goes through
                    // the entry queue. (It may be cancelled if another finalizer has panicked.)
                    drop(yield_now().await);
                    close_quietly(Unfinished::new(generator), DROPPED).await
                });
            }
            Some(_) => give_up(&*generator, "a generator was dropped when its run had ended"),
            None => give_up(&*generator, "a generator was dropped outside of `seedbed::run`"),
        });
    });
    panic.resume();
}
