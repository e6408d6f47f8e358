//! The three things about a generator that the compiler cannot check, because they depend on its
//! state: who uses the body, whether a slot is full, and whether the link that a yielder points to
//! still exists.
//!
//! # Invariants
//!
//! 1. `RUNNING` guards the body of a generator. Whoever sets it, after seeing that it was not set,
//!    uses the body until it clears it; nobody else does. While it is not set, nobody has a
//!    reference into the cell. So foreign code that is called by the body, or by its driver
//!    meanwhile, can neither poll nor drop the body.
//! 2. The body is in its cell from before the first poll until `ENDED` is set. So if the state is
//!    `SUSPENDED` and nothing else, the body is there and nobody uses it.
//! 3. `FULL`, `BATCH` and `VALUE` say that a slot is full. They are set when it has been filled, and
//!    cleared by whoever empties it. No foreign code runs in between, nor while there is a reference
//!    into a slot, so there is never more than one.
//! 4. Whoever has a [`Memory`] keeps the memory of a link. The link itself exists until its state
//!    has `GONE`, which is set when it begins to be dropped, and never cleared. The state is an
//!    integer in a `Cell`, and can be read for as long as there is memory.
//! 5. What is current exists (invariant 1 of `scope/current.rs`), and the memory of a link is not
//!    used for anything else while it is kept. So if a link's frame is current, the link exists, and
//!    goes on existing until the poll of its body is over.
//! 6. A link has no lifetimes but those of the values that go through it, and whatever points to it
//!    has those as well. So it can be used for as long as it exists, even by a yielder that has
//!    outlived what the body borrows.
//! 7. A link is made in an `Rc`, never moves, and is [`PhantomPinned`](std::marker::PhantomPinned).
//!    Pointers to it come from `Rc::as_ptr`, so they cover it, and outlast references.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::pin::Pin;
use std::ptr::NonNull;
use std::rc::{Rc, Weak};

use crate::generator::link::{Body, DynBody, Link};
use crate::generator::state::{Notice, State};
use crate::scope::current::is_current_frame;

/// The body of a generator, guarded by its state.
pub(super) struct BodyCell<'a>(UnsafeCell<Option<Body<'a>>>);

impl<'a> BodyCell<'a> {
    pub(super) fn empty() -> Self {
        BodyCell(UnsafeCell::new(None))
    }

    /// Puts the body in.
    ///
    /// # Safety
    ///
    /// The generator has not been given to anybody.
    pub(super) unsafe fn put(&self, body: Body<'a>) {
        // SAFETY: nobody else knows of it.
        unsafe { *self.0.get() = Some(body) };
    }

    /// The body, for whoever has set `RUNNING`. `None` if it has ended.
    ///
    /// # Safety
    ///
    /// The caller has set `RUNNING`, has not cleared it, and has no other reference to the body.
    #[expect(clippy::mut_from_ref, reason = "`RUNNING` is the guard")]
    #[inline(always)]
    pub(super) unsafe fn running(&self) -> Option<Pin<&mut DynBody<'a>>> {
        // SAFETY: invariant 1.
        unsafe { (*self.0.get()).as_mut() }.map(Pin::as_mut)
    }

    /// The body of a generator whose state was `SUSPENDED` and nothing else.
    ///
    /// # Safety
    ///
    /// As for [`running`](Self::running), and that was the state when the caller set `RUNNING`.
    #[expect(clippy::mut_from_ref, reason = "`RUNNING` is the guard")]
    #[inline(always)]
    pub(super) unsafe fn resumed(&self) -> Pin<&mut DynBody<'a>> {
        // SAFETY: invariants 1 and 2.
        unsafe { self.running().unwrap_unchecked() }
    }

    /// Takes the body out, unless it is being used.
    ///
    /// # Safety
    ///
    /// `state` is the body's, and has `ENDED`.
    pub(super) unsafe fn take(&self, state: &State) -> Option<Body<'a>> {
        if state.is_running() {
            return None;
        }
        debug_assert!(state.has_ended());
        // SAFETY: invariant 1: nobody uses it; and nobody expects it any more (invariant 2).
        unsafe { (*self.0.get()).take() }
    }
}

/// A place for a value. The state says whether there is one.
pub(super) struct Slot<T>(UnsafeCell<MaybeUninit<T>>);

impl<T> Slot<T> {
    pub(super) const fn empty() -> Self {
        Slot(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Fills the slot. If there was a value in it, that is leaked.
    #[inline(always)]
    pub(super) fn put(&self, value: T) {
        // SAFETY: invariant 3: there is no reference into it.
        unsafe { (*self.0.get()).write(value) };
    }

    /// The value in the slot.
    ///
    /// # Safety
    ///
    /// The state says that it is full, and no foreign code runs for as long as the caller uses it.
    #[expect(clippy::mut_from_ref, reason = "the state is the guard")]
    #[inline(always)]
    pub(super) unsafe fn get(&self) -> &mut T {
        // SAFETY: invariant 3: there is no other reference into it.
        unsafe { (*self.0.get()).assume_init_mut() }
    }

    /// Empties the slot.
    ///
    /// # Safety
    ///
    /// The state said that it is full, and does not say so any more.
    #[inline(always)]
    pub(super) unsafe fn take(&self) -> T {
        // SAFETY: invariant 3.
        unsafe { (*self.0.get()).assume_init_read() }
    }
}

/// Keeps the memory of a link, but not the link itself: a body must not keep what it is in.
pub(crate) struct Memory<T, S> {
    link: NonNull<Link<T, S>>,
    _kept: Weak<dyn Anything>,
}

/// What a link is in.
trait Anything {}

impl<O> Anything for O {}

impl<T, S> Memory<T, S> {
    /// Keeps the memory of `owner`, for the link in it.
    ///
    /// # Safety
    ///
    /// `link` points to a link in what `owner` owns, and comes from `Rc::as_ptr`.
    pub(super) unsafe fn new<'a, O: 'a>(owner: &Rc<O>, link: *const Link<T, S>) -> Self {
        let kept: Weak<O> = Rc::downgrade(owner);
        let kept: Weak<dyn Anything + 'a> = kept;
        // SAFETY: it differs in a lifetime, and is only ever dropped. This frees memory and does
        // not touch what was in it.
        let kept = unsafe { mem::transmute::<Weak<dyn Anything + 'a>, Weak<dyn Anything>>(kept) };
        // SAFETY: it is not null.
        let link = unsafe { NonNull::new_unchecked(link.cast_mut()) };
        Memory { link, _kept: kept }
    }

    #[inline(always)]
    pub(super) fn pointer(&self) -> ToLink<'_, T, S> {
        ToLink { link: self.link, _memory: PhantomData }
    }
}

/// A pointer to a link whose memory is kept.
pub(super) struct ToLink<'a, T, S> {
    link: NonNull<Link<T, S>>,
    _memory: PhantomData<&'a Memory<T, S>>,
}

impl<T, S> Clone for ToLink<'_, T, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, S> Copy for ToLink<'_, T, S> {}

impl<T, S> ToLink<'_, T, S> {
    /// Calls `f` with the link, if its frame is current. `f` may run foreign code.
    #[inline(always)]
    pub(super) fn if_current<R>(self, f: impl FnOnce(&Link<T, S>) -> R) -> Option<R> {
        // SAFETY: invariant 4: the state's place is in the memory. No reference to it is made.
        let frame = unsafe { (*self.link.as_ptr()).state.frame() };
        // SAFETY: invariants 5 and 6.
        is_current_frame(frame).then(|| f(unsafe { self.link.as_ref() }))
    }

    /// See [`State::notice`].
    #[inline(always)]
    pub(super) fn notice(self) -> Notice {
        // SAFETY: invariant 4.
        unsafe { (*self.link.as_ptr()).state.notice() }
    }

    /// Takes the value that a yield was resumed with.
    ///
    /// # Safety
    ///
    /// The state has said just now that there is one, and does not say so any more.
    #[inline(always)]
    pub(super) unsafe fn take_noticed(self) -> S {
        // SAFETY: the link exists (invariant 4), and the slot was full and is not any more
        // (invariant 3).
        unsafe { (*self.link.as_ptr()).take_noticed() }
    }

    /// The link, if it exists.
    ///
    /// # Safety
    ///
    /// No foreign code runs for as long as the caller uses it.
    #[inline]
    pub(super) unsafe fn get<'l>(self) -> Option<&'l Link<T, S>> {
        // SAFETY: invariant 4.
        let state = unsafe { &(*self.link.as_ptr()).state };
        // SAFETY: invariants 4 and 6.
        if state.is_gone() { None } else { Some(unsafe { self.link.as_ref() }) }
    }
}
