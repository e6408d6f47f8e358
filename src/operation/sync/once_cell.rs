//! A value that is made by the first task that needs it.

use std::cell::{self, Cell};
use std::fmt;
use std::future::Future;
use std::panic::Location;

use crate::error::panic::in_destructor;
use crate::error::{Exclusive, Result};
use crate::operation::queued::Queued;
use crate::operation::skeleton::{Doing, Tried, When};
use crate::operation::waiters::Waiters;

/// A value that is made, asynchronously, by the first task that needs it. The others wait for it.
///
/// If the task that makes it fails, is cancelled or is dropped, the next one that waits makes it
/// with a function of its own, so nobody gets another task's error.
///
/// ```
/// use std::cell::Cell;
/// use seedbed::{nursery, sync::OnceCell, yield_now};
///
/// seedbed::run(async {
///     let (config, reads) = (OnceCell::new(), Cell::new(0));
///     nursery(async |n| {
///         for _ in 0..3 {
///             n.spawn(async {
///                 let config = config.get_or_init(async || {
///                     reads.set(reads.get() + 1);
///                     yield_now().await?; // read a file
///                     Ok("verbose = true")
///                 });
///                 assert_eq!(*config.await?, "verbose = true");
///                 Ok(())
///             });
///         }
///         Ok(())
///     })
///     .await?;
///     assert_eq!(reads.get(), 1);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct OnceCell<T> {
    value: cell::OnceCell<T>,
    made: Cell<Made>,
    waiters: Waiters<Option<Turn>>,
}

/// Whether somebody makes the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Made {
    /// It is there, or nobody makes it.
    ByNobody,
    BySomebody,
}

/// What a task does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    /// Make the value. Meanwhile nobody else does.
    Make,
    /// Take the value, which is there.
    Look,
}

impl<T> OnceCell<T> {
    /// Makes an empty cell.
    #[must_use]
    pub const fn new() -> Self {
        let made = Cell::new(Made::ByNobody);
        OnceCell { value: cell::OnceCell::new(), made, waiters: Waiters::new() }
    }

    /// The value, if it is there.
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, if it is there.
    #[must_use]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// Returns the value, if it is there.
    #[must_use]
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Takes the value, if it is there, and leaves the cell empty.
    #[must_use]
    pub fn take(&mut self) -> Option<T> {
        self.value.take()
    }

    /// Sets the value. This is not a checkpoint.
    ///
    /// # Errors
    ///
    /// The given value, if there is one in the cell, or a task is making one.
    pub fn set(&self, value: T) -> Result<(), T> {
        match self.made.get() {
            Made::ByNobody => self.value.set(value),
            Made::BySomebody => Err(value),
        }
    }

    /// Returns the value, which `make` makes if it is not there. While another task makes it, this
    /// waits. The task that has waited longest is the next to make it, if the other one does not
    /// get that far.
    ///
    /// It is a checkpoint, even if the value is there. If `make` asks for the value of the same
    /// cell, it waits for itself, forever.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), or the error of this task's own `make`.
    #[track_caller]
    pub fn get_or_init(
        &self,
        make: impl AsyncFnOnce() -> Result<T>,
    ) -> impl Future<Output = Result<&T>> {
        let place = Location::caller();
        async move {
            match Doing::new(Asking { cell: self, place }).await? {
                Turn::Look => Ok(self.value.get().expect("it is there")),
                Turn::Make => {
                    let making = Making(self);
                    let value = make().await?;
                    drop(self.value.set(value)); // nobody else could
                    drop(making);
                    Ok(self.value.get().expect("it was just set"))
                }
            }
        }
    }

    /// The task whose turn it was has made the value or given up. This runs foreign code.
    fn ended(&self) {
        if self.value.get().is_some() {
            self.made.set(Made::ByNobody);
            self.waiters.serve_present(|turn| *turn = Some(Turn::Look));
        } else if let Some(mut next) = self.waiters.next() {
            *next.value() = Some(Turn::Make);
            next.serve_alone(Exclusive::Lock).wake();
        } else {
            self.made.set(Made::ByNobody);
        }
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        OnceCell::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        let cell = OnceCell::new();
        drop(cell.value.set(value));
        cell
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceCell").field("value", &self.value.get()).finish_non_exhaustive()
    }
}

/// It is this task's turn to make the value.
struct Making<'a, T>(&'a OnceCell<T>);

impl<T> Drop for Making<'_, T> {
    fn drop(&mut self) {
        in_destructor(|| self.0.ended());
    }
}

struct Asking<'a, T> {
    cell: &'a OnceCell<T>,
    place: &'static Location<'static>,
}

impl<T> Queued for Asking<'_, T> {
    const NAME: &'static str = "OnceCell::get_or_init";
    const COUNTS_WHEN_CANCELLED: u8 = 2;
    const ALONE: Option<Exclusive> = Some(Exclusive::Lock);

    type Value = Option<Turn>;
    type Got = Turn;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn queue(&self) -> &Waiters<Option<Turn>> {
        &self.cell.waiters
    }

    fn attempt(&mut self, _: When) -> Tried<Turn> {
        if self.cell.value.get().is_some() {
            Tried::Done(Turn::Look)
        } else if self.cell.made.replace(Made::BySomebody) == Made::ByNobody {
            Tried::Done(Turn::Make)
        } else {
            Tried::Waits
        }
    }

    fn pause(&mut self, turn: &Turn) -> Option<Exclusive> {
        (*turn == Turn::Make).then_some(Exclusive::Lock)
    }

    fn receive(&mut self, turn: Option<Turn>) -> Turn {
        turn.expect("it was served")
    }

    fn pass_on(&mut self, turn: Option<Turn>) {
        if turn == Some(Turn::Make) {
            self.cell.ended();
        }
    }

    fn give_back(&mut self, turn: Turn) {
        self.pass_on(Some(turn));
    }
}
