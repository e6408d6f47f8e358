//! A handle to a nursery that does not borrow it.

use std::future::Future;
use std::panic::Location;
use std::rc::Rc;

use crate::error::{NotSpawned, Result};
use crate::nursery::Task;
use crate::nursery::core::Core;
use crate::scope::CancelScope;

/// A handle to a nursery, which spawns `'static` futures and can be cloned and kept anywhere on the
/// thread.
///
/// It does not keep the nursery open. Once the body and all the children have ended, spawning fails
/// and gives the future back.
///
/// ```
/// # use seedbed::nursery;
/// seedbed::run(async {
///     let mut kept = None;
///     nursery(async |n| {
///         kept = Some(n.handle());
///         n.handle().spawn(async { Ok(()) })?;
///         Ok(())
///     })
///     .await?;
///     let refused = kept.unwrap().spawn(async { Ok(7) }).unwrap_err();
///     assert_eq!(refused.into_inner().await?, 7); // the future, as it was
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone)]
pub struct NurseryHandle {
    pub(super) core: Rc<Core>,
}

impl NurseryHandle {
    pub(super) fn new(core: Rc<Core>) -> Self {
        NurseryHandle { core }
    }

    /// Spawns a child, as [`Nursery::spawn`](crate::Nursery::spawn) does.
    ///
    /// # Errors
    ///
    /// [`NotSpawned`], with the future, if the nursery has closed.
    #[track_caller]
    pub fn spawn<F, T>(&self, future: F) -> Result<Task<'static, T>, NotSpawned<F>>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        if !self.core.is_open() {
            return Err(NotSpawned::new(future, self.core.place(), Location::caller()));
        }
        let place = Location::caller();
        Ok(Task::new(self.core.in_its_run(|| self.core.spawn_static(future, place))))
    }

    /// Whether the nursery still accepts children.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.core.is_open()
    }

    /// Returns the nursery's own cancel scope.
    #[must_use]
    pub fn scope(&self) -> CancelScope {
        CancelScope::of(self.core.scope().clone())
    }

    /// Cancels the body and all the children. This is short for `scope().cancel()`.
    #[track_caller]
    pub fn cancel(&self) {
        self.scope().cancel();
    }
}

impl std::fmt::Debug for NurseryHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NurseryHandle")
            .field("place", &self.core.place())
            .field("is_open", &self.is_open())
            .finish()
    }
}
