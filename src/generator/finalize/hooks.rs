//! The hooks that a thread has set for its generators: PEP 525's `sys.set_asyncgen_hooks`.

use std::cell::RefCell;
use std::panic::Location;
use std::rc::Rc;

use crate::generator::finalize::Unfinished;
use crate::platform::thread_static;

/// A hook for generators that are iterated for the first time. It is passed the qualified name, and
/// where the generator was made.
pub type FirstIter = Rc<dyn Fn(&str, &'static Location<'static>)>;

/// A hook for generators that are dropped while suspended.
pub type FinalizerHook = Rc<dyn Fn(Unfinished<'static>)>;

/// The hooks for the generators of a thread: PEP 525's `sys.set_asyncgen_hooks`.
#[derive(Clone, Default)]
pub struct AsyncgenHooks {
    /// Called when a generator is iterated for the first time, with its qualified name and place.
    pub first_iter: Option<FirstIter>,
    /// Called with a generator that is dropped while suspended. `None` stands for the run's own
    /// finalizer, which closes it.
    pub finalizer: Option<FinalizerHook>,
}

impl std::fmt::Debug for AsyncgenHooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AsyncgenHooks")
            .field("first_iter", &self.first_iter.is_some())
            .field("finalizer", &self.finalizer.is_some())
            .finish()
    }
}

thread_static! {
    static HOOKS: RefCell<AsyncgenHooks> =
        RefCell::new(AsyncgenHooks { first_iter: None, finalizer: None });
}

/// Sets the hooks of this thread, and returns those that were set before, to be restored.
///
/// A generator keeps the finalizer that was set when it was first iterated.
///
/// ```
/// use seedbed::{AsyncgenHooks, Yielder, generator, set_asyncgen_hooks};
/// use std::{cell::RefCell, rc::Rc};
///
/// seedbed::run(async {
///     let seen = Rc::new(RefCell::new(Vec::new()));
///     let log = seen.clone();
///     let before = set_asyncgen_hooks(AsyncgenHooks {
///         first_iter: Some(Rc::new(move |name, _place| log.borrow_mut().push(name.to_owned()))),
///         ..AsyncgenHooks::default()
///     });
///     let mut numbers = generator(async |y: Yielder<i32>| y.yield_(1).await.map(drop));
///     numbers.set_qualname("numbers");
///     numbers.anext().await?;
///     set_asyncgen_hooks(before);
///     assert_eq!(*seen.borrow(), ["numbers"]);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub fn set_asyncgen_hooks(hooks: AsyncgenHooks) -> AsyncgenHooks {
    // No hooks are kept while the thread ends and its variables are destroyed.
    HOOKS.try_with(|current| current.replace(hooks)).unwrap_or_default()
}

/// The hooks of this thread. See [`set_asyncgen_hooks`].
#[must_use]
pub fn get_asyncgen_hooks() -> AsyncgenHooks {
    HOOKS.try_with(|current| current.borrow().clone()).unwrap_or_default()
}
