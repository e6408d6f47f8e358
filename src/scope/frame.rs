//! Frames, in which open scopes are counted, so that a generator can refuse to be suspended inside
//! one (PEP 789).
//!
//! A frame is the body of a generator or of a context manager. While it is polled, it is the
//! current frame, and each cancel scope, timeout or nursery that is opened counts in it for as long
//! as it is open: this is a *hold*. Tasks have no frame: there is nobody they could yield to.
//!
//! The count shares a word with the state of the body (`generator/state/`), so that one integer
//! tells whether a yield is allowed. The frame itself takes no interest in the state.
//!
//! # Invariants
//!
//! 1. `Holds::frame` is null or points to a frame that exists: to the one that has these holds,
//!    which sets it to null when it is dropped.
//! 2. A frame that is or was current does not move. It is in a link (`generator/link/`), and a link
//!    is made in an `Rc` and never taken out of it. Only the current frame is held.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::ptr;
use std::rc::Rc;

use crate::schedule::ids::UnitId;
use crate::scope::current::with_frame;

/// A frame, with its one word.
pub(crate) struct Frame {
    /// How many holds there are, in units of [`HOLD`]. The bits below that are the body's state.
    word: Cell<u64>,
    /// Made with the first hold. Most bodies never open anything.
    holds: OnceCell<Rc<Holds>>,
    /// The operation that last began to wait.
    awaiting: Cell<Option<&'static str>>,
}

/// What there is to see of a generator, whose body has a frame.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) name: Cow<'static, str>,
    /// Where it was made.
    pub(crate) place: &'static Location<'static>,
    /// The yield that it is suspended at. Its body runs if there is none.
    pub(crate) suspended_at: Option<&'static Location<'static>>,
    /// The operation that its running body reached last.
    pub(crate) awaiting: Option<&'static str>,
    /// The unit that polls its running body, if that is known.
    pub(crate) driver: Option<UnitId>,
}

/// One hold, in the word of a frame.
pub(crate) const HOLD: u64 = 1 << 20;

/// The holds of a frame. They may outlive it: a guard may be kept anywhere.
struct Holds {
    /// The frame that they count in; null when that has gone.
    frame: Cell<*const Frame>,
    /// The holds, for the text of the error, in the order in which they were opened. One that is
    /// closed out of order leaves a gap, but never at the end.
    ///
    /// Each has a [`Hold`] that keeps this alive, so when this is freed, none are left to drop.
    entries: RefCell<Vec<ManuallyDrop<Entry>>>,
    /// How many of them are no gaps.
    open: Cell<usize>,
}

/// Something that forbids a yield.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) what: Cow<'static, str>,
    pub(crate) place: &'static Location<'static>,
}

/// One of [`Holds::entries`].
struct Entry {
    /// Greater than the numbers of all entries before it.
    number: u64,
    /// `None` in a gap.
    held: Option<Held>,
    /// When the frame has ended, a hold that is left counts in the frame that ran it.
    passed_on: Option<Hold>,
}

impl Frame {
    pub(crate) fn new(state: u64) -> Frame {
        debug_assert!(state < HOLD, "a new frame has no holds");
        Frame { word: Cell::new(state), holds: OnceCell::new(), awaiting: Cell::new(None) }
    }

    /// The body's state and the number of holds, in units of [`HOLD`].
    #[inline(always)]
    pub(crate) fn word(&self) -> u64 {
        self.word.get()
    }

    /// Sets the body's state, the bits below [`HOLD`]. Those above stay as they are in `word`.
    #[inline(always)]
    pub(crate) fn set_word(&self, word: u64) {
        debug_assert!(word / HOLD == self.word.get() / HOLD, "only holds count themselves");
        self.word.set(word);
    }

    pub(crate) fn awaiting(&self) -> Option<&'static str> {
        self.awaiting.get()
    }

    /// The most recently opened of the holds that are still open.
    #[cold]
    pub(crate) fn last_held(&self) -> Option<Held> {
        let entries = self.holds.get()?.entries.borrow();
        entries.last().and_then(|entry| entry.held.clone())
    }

    /// To be called when the frame has ended. A hold is left if its guard was returned, or kept
    /// elsewhere. From now on it counts in the frame that this one returns to, because the guard is
    /// there now.
    pub(crate) fn pass_on_holds(&self) {
        let Some(holds) = self.holds.get().filter(|_| self.has_holds()) else { return };
        with_frame(|heir| {
            if ptr::eq(heir, self) {
                return;
            }
            for entry in holds.entries.borrow_mut().iter_mut() {
                let held = entry.held.clone();
                entry.passed_on = held.map(|held| heir.hold(held.what, held.place));
            }
        });
    }

    /// Counts all that is open here in another frame too, for as long as the returned value lives.
    pub(crate) fn count_in(&self, other: &Frame) -> Vec<Hold> {
        let Some(holds) = self.holds.get() else { return Vec::new() };
        let entries = holds.entries.borrow();
        let held = entries.iter().filter_map(|entry| entry.held.clone());
        held.map(|held| other.hold(held.what, held.place)).collect()
    }

    pub(crate) fn has_holds(&self) -> bool {
        self.word.get() >= HOLD
    }

    #[inline]
    pub(crate) fn hold(&self, what: Cow<'static, str>, place: &'static Location<'static>) -> Hold {
        // Kept in registers, because storing it in pieces and loading it whole would defeat store
        // forwarding. A value that might have to be dropped would have to be in memory.
        let held = Some(Held { what, place });
        let entry = ManuallyDrop::new(Entry { number: 0, held, passed_on: None });
        let holds = self.holds.get_or_init(|| Holds::new(self)).clone();
        self.word.set(self.word.get() + HOLD);
        let number = holds.add(entry);
        Hold { holds, number }
    }
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        if let Some(holds) = self.holds.get() {
            holds.frame.set(ptr::null()); // invariant 1
        }
    }
}

impl Holds {
    #[cold]
    fn new(frame: &Frame) -> Rc<Holds> {
        Rc::new(Holds {
            frame: Cell::new(frame),
            entries: RefCell::new(Vec::new()),
            open: Cell::new(0),
        })
    }

    /// The frame that they count in, if it is still there.
    #[inline]
    fn frame(&self) -> Option<&Frame> {
        // SAFETY: invariant 1.
        unsafe { self.frame.get().as_ref() }
    }

    #[inline]
    fn add(&self, mut entry: ManuallyDrop<Entry>) -> u64 {
        let mut entries = self.entries.borrow_mut();
        entry.number = entries.last().map_or(0, |last| last.number + 1);
        let number = entry.number;
        entries.push(entry);
        self.open.set(self.open.get() + 1);
        number
    }

    /// Takes out the hold with this number. Returns the hold that it was passed on to.
    #[inline]
    fn release(&self, number: u64) -> Option<Hold> {
        self.open.set(self.open.get() - 1);
        let mut entries = self.entries.borrow_mut();
        match entries.last_mut() {
            Some(last) if last.number == number && last.passed_on.is_none() => {
                last.held = None; // dropped in place
                entries.pop();
                if entries.len() > self.open.get() {
                    trim(&mut entries);
                }
                None
            }
            _ => self.release_earlier(number, &mut entries),
        }
    }

    /// Leaves a gap. There are never more gaps than holds.
    #[cold]
    fn release_earlier(&self, number: u64, entries: &mut Vec<ManuallyDrop<Entry>>) -> Option<Hold> {
        let index = entries.binary_search_by_key(&number, |entry| entry.number).ok()?;
        entries[index].held = None;
        let passed_on = entries[index].passed_on.take();
        trim(entries);
        if entries.len() > 2 * self.open.get() {
            entries.retain(|entry| entry.held.is_some());
        }
        passed_on
    }
}

/// Removes the gaps at the end.
#[cold]
fn trim(entries: &mut Vec<ManuallyDrop<Entry>>) {
    while entries.pop_if(|last| last.held.is_none()).is_some() {}
}

/// Tells the current frame, if there is one, which operation it waits for.
#[inline]
pub(crate) fn awaits(operation: &'static str) {
    with_frame(|frame| frame.awaiting.set(Some(operation)));
}

/// A hold in the current frame, if there is one.
#[inline]
pub(crate) fn hold_in_current(
    what: impl FnOnce() -> Cow<'static, str>,
    place: &'static Location<'static>,
) -> Option<Hold> {
    let mut hold = None;
    with_frame(|frame| hold = Some(frame.hold(what(), place)));
    hold
}

/// A hold in a frame, released when this is dropped.
pub(crate) struct Hold {
    holds: Rc<Holds>,
    number: u64,
}

impl Drop for Hold {
    #[inline]
    fn drop(&mut self) {
        if let Some(frame) = self.holds.frame() {
            frame.word.set(frame.word.get() - HOLD);
        }
        drop(self.holds.release(self.number));
    }
}

/// Forbids the current generator to yield for as long as the guard lives.
///
/// For types that, like a cancel scope, must not stay open while the generator is suspended: a
/// lock, a profiler's span, a value in a thread-local. Scopes, timeouts and nurseries forbid it
/// themselves. A yield while the guard is alive fails with
/// [`YieldInCancelScope`](crate::YieldInCancelScope), which names the reason.
///
/// The guard counts in the frame it was made in, wherever and in whatever order guards are
/// dropped. If that frame ends first, because it returned the guard, the guard counts in the frame
/// that ran it. Outside generators and context managers it does nothing. This is PEP 789's
/// `sys.prevent_yields`.
///
/// ```
/// use seedbed::{YieldInCancelScope, Yielder, generator, prevent_yields};
///
/// seedbed::run(async {
///     let mut numbers = generator(async |y: Yielder<i32>| {
///         y.yield_(1).await?;
///         let _guard = prevent_yields("the ledger is locked");
///         y.yield_(2).await?; // refused
///         Ok(())
///     });
///     assert_eq!(numbers.anext().await?, Some(1));
///     let error = numbers.anext().await.unwrap_err();
///     assert!(error.is::<YieldInCancelScope>());
///     assert!(error.to_string().contains("the ledger is locked"));
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
#[must_use = "yields are prevented for as long as the guard lives"]
pub fn prevent_yields(reason: impl Into<Cow<'static, str>>) -> PreventYields {
    PreventYields { _hold: hold_in_current(|| reason.into(), Location::caller()) }
}

/// The guard of [`prevent_yields`].
pub struct PreventYields {
    _hold: Option<Hold>,
}

impl std::fmt::Debug for PreventYields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreventYields").finish_non_exhaustive()
    }
}
