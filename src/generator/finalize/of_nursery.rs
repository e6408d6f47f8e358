//! Generators that belong to a nursery: their bodies may borrow, and the nursery closes them before
//! it ends.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};

use crate::error::Result;
use crate::error::panic::report;
use crate::generator::finalize::{
    Closable, DROPPED, Finalizer, Unfinished, close_quietly, give_up,
};
use crate::generator::link::Link;
use crate::generator::state::Phase;
use crate::generator::{Generator, Inner, Yielder};
use crate::nursery::Nursery;
use crate::nursery::core::{Core, LeftBehind};
use crate::scope::frame::Seen;

impl<'scope> Nursery<'scope, '_> {
    /// Makes an asynchronous generator whose body may borrow, as a child may.
    ///
    /// If it is dropped while suspended, a child of this nursery closes it, so the nursery does
    /// not end before its clean-up has. See [`generator`](crate::generator()) for the rest.
    ///
    /// ```
    /// use seedbed::{Yielder, nursery};
    ///
    /// seedbed::run(async {
    ///     let words = vec!["one", "two"]; // borrowed by the generator
    ///     nursery(async |n| {
    ///         let mut lengths = n.generator(async |y: Yielder<usize>| {
    ///             for word in &words {
    ///                 y.yield_(word.len()).await?;
    ///             }
    ///             Ok(())
    ///         });
    ///         assert_eq!(lengths.anext().await?, Some(3));
    ///         Ok(()) // dropped half-way: closed before `nursery` returns
    ///     })
    ///     .await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn generator<T, S, F>(&'scope self, body: F) -> Generator<'scope, T, S>
    where
        F: AsyncFnOnce(Yielder<T, S>) -> Result<()> + 'scope,
        T: 'scope,
        S: 'scope,
    {
        let finalizer = Finalizer::OfNursery(OfNursery { core: self.core.clone() });
        Generator::new(body, finalizer, Location::caller())
    }
}

/// The finalizer of a generator that belongs to a nursery.
pub(in crate::generator) struct OfNursery {
    core: Rc<Core>,
}

impl OfNursery {
    pub(super) fn begin<'a>(&self, generator: &Rc<dyn Closable + 'a>) {
        let generator: Weak<dyn Closable + 'a> = Rc::downgrade(generator);
        // SAFETY: what the generator borrows outlasts the nursery, as in `dropped` below.
        unsafe { self.core.remember(generator) };
    }

    pub(super) fn dropped<'a>(&self, generator: Rc<dyn Closable + 'a>) {
        if !self.core.is_open() {
            return give_up(&*generator, "a generator was dropped with its nursery");
        }
        let place = generator.place();
        // SAFETY: what the generator borrows outlasts the nursery: `Nursery::generator` requires
        // the same of the generator as `Nursery::spawn` does of a child.
        drop(unsafe {
            self.core.spawn(close_quietly(Unfinished::new(generator), DROPPED), place, ())
        });
    }
}

impl<T, S> LeftBehind for Inner<'_, T, S> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn is_finished(&self) -> bool {
        self.link.state.phase() == Phase::Ended
    }

    fn seen(&self) -> Option<Seen> {
        let suspended_at = self.link.suspended_at();
        let running = suspended_at.is_none().then_some(&self.link);
        Some(Seen {
            name: self.qualname(),
            place: self.place,
            suspended_at,
            awaiting: running.and_then(|link| link.state.frame().awaiting()),
            driver: running.and_then(Link::driver),
        })
    }

    fn close<'a>(self: Rc<Self>) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>
    where
        Self: 'a,
    {
        Box::pin(close_left(self))
    }
}

/// Closes a generator that is left behind in its nursery.
async fn close_left(generator: Rc<dyn Closable + '_>) -> Result<()> {
    report!(
        warn,
        generator = %generator.qualname(),
        made_at = %generator.place(),
        suspended_at = generator.suspended_at().map(tracing::field::display),
        "a generator was left suspended at the end of its nursery, which closes it"
    );
    close_quietly(Unfinished::left(generator), DROPPED).await
}
