//! Frames: where the scopes that are open are counted, so that a generator can refuse to be
//! suspended inside one (PEP 789).
//!
//! A frame is the body of a generator or of a context manager. While it is polled it is the
//! current frame, and what opens a cancel scope, a timeout or a nursery then counts in it for as
//! long as that is open. Tasks have no frame: there is nobody to whom they could yield.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::ptr;
use std::rc::Rc;

use crate::scope::current::{current_frame, with_frame};

/// A frame, with its one counter.
pub(crate) struct Frame {
    /// How many things that forbid a yield are open, in units of [`ONE`]; the bits below that say
    /// what else forbids one, so that a yield has one integer to look at.
    counter: Cell<u32>,
    /// What they are, for the error's sake, in the order in which they were opened. What is left
    /// out of order stays as a gap; the last one is none.
    ///
    /// What is held has a [`Hold`] that keeps the frame: a frame that goes has none to drop.
    holds: RefCell<Vec<ManuallyDrop<Entry>>>,
    /// The operation that was reached last.
    awaiting: Cell<Option<&'static str>>,
}

/// Something open, in [`Frame::counter`].
const ONE: u32 = 32;
/// A yield waits, until it has noticed that it was resumed: there is one at a time.
const SUSPENDED: u32 = 1;
/// It was resumed with a plain next, and has not noticed yet. Only beside `SUSPENDED`.
const NEXT: u32 = 2;
/// The body is being closed, or has ended, or an error waits to be raised at its next yield.
const CLOSING: u32 = 4;
/// The body of a context manager may yield anywhere: what it holds open then is handed to the
/// frame that entered it. Not a reason against a yield, but one to look closer.
const HANDS_OVER: u32 = 8;
/// The body may wait for something other than its yield. Not a reason against one either.
const WAITS: u32 = 16;

/// Something that forbids a yield.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) what: Cow<'static, str>,
    pub(crate) place: &'static Location<'static>,
}

/// One of [`Frame::holds`].
struct Entry {
    /// Greater than that of all before it.
    number: u64,
    /// `None` in a gap.
    held: Option<Held>,
    /// When the frame has ended, what was still held counts in the one that ran it.
    passed_on: Option<Hold>,
}

impl Frame {
    pub(crate) fn new(hands_over: bool) -> Rc<Frame> {
        Rc::new(Frame {
            counter: Cell::new(if hands_over { HANDS_OVER } else { 0 }),
            holds: RefCell::new(Vec::new()),
            awaiting: Cell::new(None),
        })
    }

    pub(crate) fn awaiting(&self) -> Option<&'static str> {
        self.awaiting.get()
    }

    /// Suspends the body, if it is a generator's and nothing forbids it: the whole of the check
    /// is one integer that is compared with 0.
    #[inline]
    pub(crate) fn suspend(&self) -> bool {
        let may = self.counter.get() == 0;
        if may {
            self.counter.set(SUSPENDED);
        }
        may
    }

    /// As `suspend`, where more than a look at the counter is needed: a context manager's body
    /// may hold what it likes.
    pub(crate) fn suspend_closely(&self) -> bool {
        let counter = self.counter.get();
        let may = counter & (SUSPENDED | CLOSING) == 0 && !self.is_held();
        if may {
            self.counter.set(counter | SUSPENDED);
        }
        may
    }

    pub(crate) fn hands_over(&self) -> bool {
        self.counter.get() & HANDS_OVER != 0
    }

    /// Whether a yield waits, and there is nothing else to heed.
    #[inline]
    pub(crate) fn is_only_suspended(&self) -> bool {
        self.counter.get() == SUSPENDED
    }

    /// Whether no yield waits, and there is nothing else to heed when the body waits.
    #[inline]
    pub(crate) fn is_only_held(&self) -> bool {
        self.counter.get() & (ONE - 1) == 0
    }

    /// Resumes the yield that waits, if one does, with a plain next.
    pub(crate) fn set_next(&self) {
        if self.is_suspended() {
            self.counter.set(self.counter.get() | NEXT);
        }
    }

    /// Lets a body go on with a plain next, that waits at a yield, or for something else and, as
    /// it is asked then, where it was before. False, and nothing is done, if there is more to heed.
    #[inline(always)]
    pub(crate) fn go_on(&self, is_where_it_was: impl FnOnce() -> bool) -> bool {
        match self.counter.get() {
            SUSPENDED => self.counter.set(SUSPENDED | NEXT),
            counter if counter & (ONE - 1) == WAITS && is_where_it_was() => {
                self.counter.set(counter & !WAITS);
            }
            _ => return false,
        }
        true
    }

    /// Whether the yield that waits was resumed with a plain next, and there is nothing else to
    /// heed. It has noticed then.
    #[inline]
    pub(crate) fn take_only_next(&self) -> bool {
        let resumed = self.counter.get() == SUSPENDED | NEXT;
        if resumed {
            self.counter.set(0);
        }
        resumed
    }

    pub(crate) fn is_next(&self) -> bool {
        self.counter.get() & NEXT != 0
    }

    /// The yield that waited has noticed that it was resumed, or was given up.
    pub(crate) fn resume(&self) {
        self.counter.set(self.counter.get() & !(SUSPENDED | NEXT));
    }

    /// Whether the body may wait for something other than its yield.
    #[inline]
    pub(crate) fn waits(&self) -> bool {
        self.counter.get() & WAITS != 0
    }

    #[inline]
    pub(crate) fn set_waits(&self, waits: bool) {
        let others = self.counter.get() & !WAITS;
        self.counter.set(if waits { others | WAITS } else { others });
    }

    /// Whether what is open here forbids a yield.
    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        self.counter.get() >= ONE && self.counter.get() & HANDS_OVER == 0
    }

    #[inline]
    pub(crate) fn is_suspended(&self) -> bool {
        self.counter.get() & SUSPENDED != 0
    }

    /// From now on every yield is looked at closely.
    pub(crate) fn set_closing(&self) {
        self.counter.set(self.counter.get() | CLOSING);
    }

    pub(crate) fn clear_closing(&self) {
        self.counter.set(self.counter.get() & !CLOSING);
    }

    /// What forbids a yield now: of all that is open, what was opened last.
    #[cold]
    pub(crate) fn forbids(&self) -> Option<Held> {
        if !self.is_held() {
            return None;
        }
        self.holds.borrow().last().and_then(|entry| entry.held.clone())
    }

    /// The frame has ended: what is still held, because a guard was kept, counts in the frame
    /// that it returns to, like the value that the guard is part of.
    pub(crate) fn end(&self) {
        self.set_closing();
        if self.holds_any()
            && let Some(heir) = current_frame()
            && !ptr::eq(&*heir, self)
        {
            for entry in self.holds.borrow_mut().iter_mut() {
                let held = entry.held.clone();
                entry.passed_on = held.map(|held| heir.clone().hold(held.what, held.place));
            }
        }
    }

    /// Counts all that is open here in another frame as well, for as long as the answer lives.
    pub(crate) fn hand_over(&self, to: &Rc<Frame>) -> Vec<Hold> {
        let holds = self.holds.borrow();
        let held = holds.iter().filter_map(|entry| entry.held.clone());
        held.map(|held| to.clone().hold(held.what, held.place)).collect()
    }

    pub(crate) fn holds_any(&self) -> bool {
        self.counter.get() >= ONE
    }

    /// How many are open.
    #[inline]
    fn held(&self) -> usize {
        (self.counter.get() / ONE) as usize
    }

    #[inline]
    pub(crate) fn hold(
        self: Rc<Self>,
        what: Cow<'static, str>,
        place: &'static Location<'static>,
    ) -> Hold {
        // Not to be dropped from here on, which would need it in memory: what is written there
        // narrow and copied wide is what the processor waits for.
        let held = Some(Held { what, place });
        let mut entry = ManuallyDrop::new(Entry { number: 0, held, passed_on: None });
        self.counter.set(self.counter.get() + ONE);
        let number = {
            let mut holds = self.holds.borrow_mut();
            entry.number = holds.last().map_or(0, |last| last.number + 1);
            let number = entry.number;
            holds.push(entry);
            number
        };
        Hold { frame: self, number }
    }

    /// Takes out what has this number. The answer is what it was passed on to.
    #[inline]
    fn release(&self, number: u64) -> Option<Hold> {
        let mut holds = self.holds.borrow_mut();
        match holds.last_mut() {
            Some(last) if last.number == number && last.passed_on.is_none() => {
                last.held = None; // dropped where it is
                holds.pop();
                if holds.len() > self.held() {
                    trim(&mut holds);
                }
                None
            }
            _ => self.release_earlier(number, &mut holds),
        }
    }

    /// Leaves a gap, of which there are never more than of the others.
    #[cold]
    fn release_earlier(&self, number: u64, holds: &mut Vec<ManuallyDrop<Entry>>) -> Option<Hold> {
        let index = holds.binary_search_by_key(&number, |entry| entry.number).ok()?;
        holds[index].held = None;
        let passed_on = holds[index].passed_on.take();
        trim(holds);
        if holds.len() > 2 * self.held() {
            holds.retain(|entry| entry.held.is_some());
        }
        passed_on
    }
}

/// The last is no gap.
#[cold]
fn trim(holds: &mut Vec<ManuallyDrop<Entry>>) {
    while holds.pop_if(|last| last.held.is_none()).is_some() {}
}

/// Notes that the current frame, if there is one, waits for an operation.
#[inline]
pub(crate) fn awaits(operation: &'static str) {
    with_frame(|frame| frame.awaiting.set(Some(operation)));
}

/// Counts something in the current frame, if there is one.
#[inline]
pub(crate) fn hold_in_current(
    what: impl FnOnce() -> Cow<'static, str>,
    place: &'static Location<'static>,
) -> Option<Hold> {
    current_frame().map(|frame| frame.hold(what(), place))
}

/// One count in a frame.
pub(crate) struct Hold {
    frame: Rc<Frame>,
    number: u64,
}

impl Drop for Hold {
    #[inline]
    fn drop(&mut self) {
        let frame = &*self.frame;
        frame.counter.set(frame.counter.get() - ONE);
        drop(frame.release(self.number));
    }
}

/// Forbids the current generator to yield for as long as the guard lives.
///
/// For types that, like a cancel scope, must not stay open while the generator is suspended: a
/// lock, a span of a profiler, a value in a thread-local. Scopes, timeouts and nurseries do it by
/// themselves. A yield while a guard is there is the error
/// [`YieldInCancelScope`](crate::YieldInCancelScope), which names the reason.
///
/// The guard counts in the frame it is made in, wherever and in whatever order guards are
/// dropped. If that frame ends first, because it returned the guard, it counts in the frame that
/// ran it. Outside of generators and context managers it does nothing. It is PEP 789's
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
