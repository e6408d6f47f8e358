//! Values that hold for all that runs below: what Trio's context variables and Swift's task-locals
//! are for.
//!
//! Nothing is kept with a task. A future that is polled in [`Local::scope`] has its value on the
//! stack of that poll, in a list that begins in what is current on the thread. Whatever polls
//! something else from in there, a nursery its children, a consumer its generator, has it polled
//! with the same list. So children inherit a value by being polled, it need not be cloned, and
//! spawning and polling cost nothing more.
//!
//! # Invariants
//!
//! 1. `Thread::locals` is null or points to a [`Binding`] on this thread's stack, and so does
//!    `Binding::outer`. [`Local::bind`], the only function that makes one, restores the former value
//!    before its `Binding` goes, however it is left.
//! 2. What `Binding::value` points to is a `T` if `Binding::local` is the address of a `Local<T>`,
//!    and is borrowed by [`Local::bind`] for as long as the binding exists.
//! 3. No two `Local`s ever have the same address: each is borrowed for ever by whoever binds it, and
//!    has a byte of its own. Since that byte may be written to, as far as the compiler knows, a
//!    `Local` is not put in one place with another constant, nor made `'static` where a `const` is
//!    used.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::AtomicU8;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::schedule::current::THREAD;

/// A value that holds for everything that runs below: set around a piece of code, and found by
/// whatever that code runs, however deep, without being handed down.
///
/// It is for what a program would otherwise pass through every function: the number of a request, a
/// user, a deadline of another system. Anything else is better borrowed by the children, or is an
/// argument. A `Local` is a `static`, needs no run, and does not have to be `Send`, since each value
/// stays on the thread that it was set on.
///
/// ```
/// use seedbed::{Local, nursery, yield_now};
///
/// static REQUEST: Local<u64> = Local::new();
///
/// async fn log(line: &str) -> String {
///     format!("{:?}: {line}", REQUEST.get())
/// }
///
/// seedbed::run(async {
///     let handled = REQUEST.scope(7, async {
///         nursery(async |n| {
///             let child = n.spawn(async {
///                 yield_now().await?;
///                 Ok(log("a child of the handler").await)
///             });
///             child.await
///         })
///         .await
///     });
///     assert_eq!(handled.await?, "Some(7): a child of the handler");
///     assert_eq!(REQUEST.get(), None);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// # Who has which value
///
/// **Whatever polls something lends it its values.** This holds for a `Local`, and just as well for
/// whatever other libraries set around each poll: a span of `tracing`, a `task_local!` of tokio's.
///
/// | what runs | has the values around |
/// |---|---|
/// | a child, a service, a child of [`race`](crate::race()) or [`gather`](crate::gather()) | its nursery |
/// | a child spawned through a [`NurseryHandle`](crate::NurseryHandle) | that nursery, not the caller |
/// | a child that is [started](crate::Nursery::start) | the caller until it is ready, then that nursery, as with scopes |
/// | the body of a generator | the call that drives it, such as [`anext`](crate::Generator::anext) |
/// | a context manager, and the body of its [`with`](crate::with()) | that `with` |
/// | clean-up in a cancelled scope, under a shield, in [`finishing`](crate::finishing()) | the code that it is part of |
/// | a destructor, when a future is dropped in [`scope`](Self::scope) or with it | that `scope` |
/// | a generator that borrows and is closed by its nursery | the nursery |
/// | a generator that is closed by the run, a task of [`Token::run`](crate::Token::run) | the call of [`run`](crate::run()) |
/// | a function of [`Token::run_sync_soon`](crate::Token::run_sync_soon), `run_sync` | nothing |
/// | a function in [`to_thread`](crate::to_thread()), a run on [another core](crate::run_on_cores()) | nothing |
///
/// A child is in its nursery's surroundings and not its spawner's for the same reason as it is in
/// its nursery's scope: the nursery may be further out, and the child may outlast what is around the
/// spawner. Trio copies all values when a task is spawned, so there it is the spawner's.
///
/// A value does not leave the generator that sets it: a body may yield in [`scope`](Self::scope),
/// and its consumer does not see the value, while the body has it again when it is resumed. So this
/// is no scope in the sense of PEP 789, and the leak that PEP 568 was to mend is not there. For the
/// same reason a context manager cannot set a value for the body of its [`with`](crate::with());
/// set it around the `with`.
///
/// Nothing is copied to other threads. To have a value there, take it along:
///
/// ```
/// use seedbed::{Local, to_thread};
///
/// static REQUEST: Local<u64> = Local::new();
///
/// seedbed::run(REQUEST.scope(7, async {
///     let request = REQUEST.get().unwrap();
///     let there = to_thread(move || REQUEST.sync_scope(request, || REQUEST.get()));
///     assert_eq!(there.await?, Some(7));
///     Ok(())
/// }))?;
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// # What does not compile
///
/// A `Local` that is a `const`, which would be another one in each place where it is used:
///
/// ```compile_fail,E0716
/// # use seedbed::Local;
/// const REQUEST: Local<u64> = Local::new(); // `static` instead
/// let handler = REQUEST.scope(7, async {});
/// # seedbed::run(async { Ok(handler.await) });
/// ```
pub struct Local<T> {
    /// Invariant 3.
    _address: AtomicU8,
    /// Values are made and dropped elsewhere, so a `Local` is `Send` and `Sync` whatever they are.
    _value: PhantomData<fn() -> T>,
}

/// A value that is set, on the stack of whoever has set it.
struct Binding {
    /// The [`Local`] it is the value of.
    local: *const (),
    value: *const (),
    /// The binding that was made before, or null.
    outer: *const Binding,
}

impl<T: 'static> Local<T> {
    /// Makes a `Local` without a value, to be used as a `static`.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is of use only in a `static`")]
    pub const fn new() -> Self {
        Local { _address: AtomicU8::new(0), _value: PhantomData }
    }

    /// Sets a value for a future, and for [all that it runs](Self#who-has-which-value).
    ///
    /// An inner `scope` takes the place of the value while it is being polled. Neither entering nor
    /// leaving is a checkpoint, and a generator may yield inside. The future is dropped with the
    /// value set; the value itself is dropped after it. This is Swift's `withValue`; Trio's context
    /// variables have it only as `set` and `reset`.
    ///
    /// # Panics
    ///
    /// If it is polled after it was ready.
    ///
    /// ```
    /// use seedbed::Local;
    ///
    /// static USER: Local<&str> = Local::new();
    ///
    /// seedbed::run(USER.scope("ada", async {
    ///     let inner = USER.scope("grace", async { USER.get() });
    ///     assert_eq!(USER.get(), Some("ada"), "it is not polled yet");
    ///     assert_eq!(inner.await, Some("grace"));
    ///     assert_eq!(USER.get(), Some("ada"));
    ///     Ok(())
    /// }))?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn scope<F: Future>(
        &'static self,
        value: T,
        future: F,
    ) -> impl Future<Output = F::Output> + use<T, F> {
        Scoped { local: self, value, future: Some(future) }
    }

    /// Calls a function with a value set.
    ///
    /// This works on every thread, inside a run and outside, and also around [`run`](crate::run())
    /// itself.
    ///
    /// ```
    /// use seedbed::Local;
    ///
    /// static USER: Local<&str> = Local::new();
    ///
    /// let length = USER.sync_scope("ada", || USER.with(|user| user.len()));
    /// assert_eq!(length, Some(3));
    /// ```
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        self.bind(&value, f)
    }

    /// Calls a function with the value that holds here. `None` if there is none; then the function
    /// is not called.
    ///
    /// ```
    /// use seedbed::Local;
    ///
    /// static USER: Local<String> = Local::new();
    ///
    /// assert_eq!(USER.with(|user| user.len()), None);
    /// ```
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Option<R> {
        let mut binding = THREAD.with(|thread| thread.locals.get()).cast::<Binding>();
        // SAFETY: invariant 1: whoever made a binding that is found is further up the stack.
        while let Some(found) = unsafe { binding.as_ref() } {
            if ptr::eq(found.local, ptr::from_ref(self).cast()) {
                // SAFETY: invariants 2 and 3. `f` is called below that stack frame, so the value is
                // borrowed until it has returned.
                return Some(f(unsafe { &*found.value.cast::<T>() }));
            }
            binding = found.outer;
        }
        None
    }

    /// A copy of the value that holds here, if there is one.
    pub fn get(&'static self) -> Option<T>
    where
        T: Clone,
    {
        self.with(T::clone)
    }

    /// Calls `f`, which is foreign code, with this value set.
    fn bind<R>(&'static self, value: &T, f: impl FnOnce() -> R) -> R {
        struct Restore(*const ());
        impl Drop for Restore {
            fn drop(&mut self) {
                THREAD.with(|thread| thread.locals.set(self.0));
            }
        }
        THREAD.with(|thread| {
            let outer = thread.locals.get();
            let binding = Binding {
                local: ptr::from_ref(self).cast(),
                value: ptr::from_ref(value).cast(),
                outer: outer.cast(),
            };
            thread.locals.set(ptr::from_ref(&binding).cast());
            // Dropped before the binding: invariant 1.
            let _restore = Restore(outer);
            f()
        })
    }
}

impl<T> std::fmt::Debug for Local<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Local::scope`].
    struct Scoped<T: 'static, F> {
        local: &'static Local<T>,
        value: T,
        // `None` once it has ended.
        #[pin]
        future: Option<F>,
    }

    impl<T: 'static, F> PinnedDrop for Scoped<T, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                this.local.bind(this.value, || this.future.set(None)); // foreign code
            }
        }
    }
}

impl<T, F: Future> Future for Scoped<T, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let local = *this.local;
        local.bind(this.value, || {
            let future = this.future.as_mut().as_pin_mut();
            let polled = future.expect("a future is polled until it is ready").poll(cx);
            if polled.is_ready() {
                this.future.set(None); // foreign code
            }
            polled
        })
    }
}
