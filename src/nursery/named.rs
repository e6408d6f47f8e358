//! Children with names.

use std::future::Future;
use std::panic::Location;

use crate::error::{Named, NotSpawned, Result};
use crate::nursery::service::{self, Service};
use crate::nursery::start::{Ordinary, Started, start};
use crate::nursery::{Nursery, NurseryHandle, Task};

/// A task that has a name and is about to be spawned, made by [`Nursery::named`] and
/// [`NurseryHandle::named`].
#[must_use = "a name does nothing until a task is spawned with it"]
#[derive(Debug)]
pub struct NamedTask<N> {
    nursery: N,
    name: String,
}

impl<'scope, 'env> Nursery<'scope, 'env> {
    /// Gives a name to the task that is spawned next, to tell it from others that are spawned at
    /// the same place.
    ///
    /// The name stands beside the place in the tree of errors, in the reason of a cancellation that
    /// the task's failure caused, in [`TaskCancelled`](crate::TaskCancelled), in the task's `Debug`,
    /// and in warnings. Names need not be different. A task without a name has no room for one.
    ///
    /// This is `name=` of Trio's `start_soon`.
    ///
    /// ```
    /// use seedbed::{Error, nursery};
    ///
    /// let error = seedbed::run(nursery::<_, ()>(async |n| {
    ///     for i in 0..3 {
    ///         n.named(format!("worker {i}")).spawn(async move {
    ///             if i == 1 { Err(Error::msg("out of paper")) } else { Ok(()) }
    ///         });
    ///     }
    ///     Ok(())
    /// }))
    /// .unwrap_err();
    /// assert!(format!("{error:?}").contains("in the task \"worker 1\" spawned at"));
    /// ```
    pub fn named(
        &'scope self,
        name: impl Into<String>,
    ) -> NamedTask<&'scope Nursery<'scope, 'env>> {
        NamedTask { nursery: self, name: name.into() }
    }
}

impl NurseryHandle {
    /// Gives a name to the task that is spawned next. See [`Nursery::named`].
    pub fn named(&self, name: impl Into<String>) -> NamedTask<&NurseryHandle> {
        NamedTask { nursery: self, name: name.into() }
    }
}

impl<'scope> NamedTask<&'scope Nursery<'scope, '_>> {
    /// Spawns a child. See [`Nursery::spawn`].
    #[track_caller]
    pub fn spawn<F, T>(self, future: F) -> Task<'scope, T>
    where
        F: Future<Output = Result<T>> + 'scope,
        T: 'scope,
    {
        let place = Location::caller();
        // SAFETY: as in `Nursery::spawn`.
        Task::new(unsafe { self.nursery.core.spawn(future, place, Named::new(self.name, place)) })
    }

    /// Runs a child until it says that it is ready. See [`Nursery::start`].
    ///
    /// # Errors
    ///
    /// Those of [`Nursery::start`].
    #[track_caller]
    pub fn start<F, V>(self, child: F) -> impl Future<Output = Result<V>>
    where
        F: AsyncFnOnce(Started<V>) -> Result<()> + 'scope,
        V: 'scope,
    {
        let place = Location::caller();
        let kind = Ordinary(Named::new(self.name, place));
        // SAFETY: as in `Nursery::start`.
        unsafe { start(self.nursery.core.clone(), child, place, kind) }
    }

    /// Spawns a service. See [`Nursery::service`].
    #[track_caller]
    pub fn service<F>(self, future: F) -> Service<'scope>
    where
        F: Future<Output = Result<()>> + 'scope,
    {
        let place = Location::caller();
        service::spawn(self.nursery, future, place, Named::new(self.name, place))
    }

    /// Runs a service until it says that it is ready. See [`Nursery::start_service`].
    ///
    /// # Errors
    ///
    /// Those of [`Nursery::start`].
    #[track_caller]
    pub fn start_service<F, V>(self, child: F) -> impl Future<Output = Result<(V, Service<'scope>)>>
    where
        F: AsyncFnOnce(Started<V>) -> Result<()> + 'scope,
        V: 'scope,
    {
        let place = Location::caller();
        service::start_in(self.nursery, child, place, Named::new(self.name, place))
    }
}

impl NamedTask<&NurseryHandle> {
    /// Spawns a child. See [`NurseryHandle::spawn`].
    ///
    /// # Errors
    ///
    /// [`NotSpawned`], with the future, if the nursery has closed.
    #[track_caller]
    pub fn spawn<F, T>(self, future: F) -> Result<Task<'static, T>, NotSpawned<F>>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        let place = Location::caller();
        let core = &self.nursery.core;
        if !core.is_open() {
            return Err(NotSpawned::new(future, core.place(), place));
        }
        // SAFETY: the future borrows nothing.
        Ok(Task::new(unsafe { core.spawn(future, place, Named::new(self.name, place)) }))
    }

    /// Runs a child until it says that it is ready. See [`NurseryHandle::start`].
    ///
    /// # Errors
    ///
    /// [`NotSpawned`], with the closure, if the nursery has closed. The future's errors are those
    /// of [`Nursery::start`].
    #[track_caller]
    pub fn start<F, V>(
        self,
        child: F,
    ) -> Result<impl Future<Output = Result<V>> + use<F, V>, NotSpawned<F>>
    where
        F: AsyncFnOnce(Started<V>) -> Result<()> + 'static,
        V: 'static,
    {
        let place = Location::caller();
        let core = &self.nursery.core;
        if !core.is_open() {
            return Err(NotSpawned::new(child, core.place(), place));
        }
        let kind = Ordinary(Named::new(self.name, place));
        // SAFETY: the child borrows nothing.
        Ok(unsafe { start(core.clone(), child, place, kind) })
    }
}
