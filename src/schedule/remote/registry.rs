//! The inboxes of the process, by number.
//!
//! They are never freed: the holder of a number may outlive its runtime, and then finds an inbox
//! that nobody uses, or that of another runtime, which tolerates a spurious wake and refuses a
//! stranger's call.
//!
//! The runtimes of a process are not those of one forked from it, though their inboxes are in its
//! memory. So each page of inboxes belongs to one process, and a child begins with a page of its
//! own.

use std::io;

use crate::platform;
use crate::platform::part::part;
use crate::schedule::ids::{RunId, UnitId};
use crate::schedule::remote::calls::Call;
use crate::schedule::remote::inbox::{Alarm, Inbox};
use places::{InboxRef, inbox, inbox_here};

/// A run's place among those of the process, until it is dropped.
pub(crate) struct Tenant {
    pub(crate) inbox: InboxRef,
    pub(crate) run: RunId,
    /// The process that this was made in.
    process: u32,
}

part! {
    /// The present run, as other threads know it.
    pub(crate) const TENANT: Tenant;
}

/// Gives a run a function to call, which comes back if the run has ended. See [`Inbox::call`].
pub(crate) fn call(run: RunId, call: Call) -> Result<(), Call> {
    match inbox_here(run.slot()) {
        Some(inbox) => inbox.call(run, call),
        None => Err(call),
    }
}

/// Like [`call`], even while the run ends. See [`Inbox::report`].
pub(crate) fn report(run: RunId, call: Call) -> Result<(), Call> {
    match inbox_here(run.slot()) {
        Some(inbox) => inbox.report(run, call),
        None => Err(call),
    }
}

impl Tenant {
    pub(crate) fn new(alarm: Alarm) -> io::Result<Tenant> {
        let slot = places::take();
        let slot = slot.ok_or_else(|| io::Error::other("too many runtimes in one process"))?;
        let run = RunId::begin(slot);
        let inbox = inbox(slot).expect("it was taken");
        inbox.open(run, alarm);
        Ok(Tenant { inbox, run, process: platform::process() })
    }

    /// Whether this process is the one that the tenant was made in, and not one forked since.
    pub(crate) fn is_here(&self) -> bool {
        self.process == platform::process()
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        self.inbox.close();
        if self.is_here() {
            places::give_back(self.run.slot());
        }
    }
}

/// Wakes a unit of another thread's runtime. Does nothing if the runtime is gone.
pub(crate) fn wake(id: UnitId) {
    if let Some(inbox) = inbox(id.slot()) {
        inbox.wake(id);
    }
}

#[cfg(not(loom))]
mod places {
    use std::sync::OnceLock;

    use super::Inbox;
    use crate::platform::{Mutex, OfProcess, get_or_set, process};
    use crate::schedule::ids::MAX_RUNTIMES;

    pub(crate) type InboxRef = &'static Inbox;

    /// How many inboxes are made together. Nearly every process needs only the first page.
    const PAGE: usize = 16;

    static PAGES: [OnceLock<Page>; MAX_RUNTIMES.div_ceil(PAGE)] =
        [const { OnceLock::new() }; MAX_RUNTIMES.div_ceil(PAGE)];

    static VACANT: OfProcess<Mutex<Vacant>> = OfProcess::new(|| {
        let pages = PAGES.iter().take_while(|page| page.get().is_some()).count();
        Mutex::new(Vacant { slots: Vec::new(), next: pages * PAGE })
    });

    struct Page {
        /// The process that the page belongs to.
        process: u32,
        inboxes: Box<[Inbox]>,
    }

    /// The numbers that are not in use at present.
    struct Vacant {
        slots: Vec<u16>,
        /// The first number that has never been used.
        next: usize,
    }

    /// The inbox with this number.
    pub(crate) fn inbox(slot: u16) -> Option<InboxRef> {
        let slot = usize::from(slot);
        Some(&PAGES[slot / PAGE].get()?.inboxes[slot % PAGE])
    }

    /// The inbox with this number, if it belongs to this process. This asks the system for the
    /// process's number.
    pub(crate) fn inbox_here(slot: u16) -> Option<InboxRef> {
        let is_here = PAGES[usize::from(slot) / PAGE].get()?.process == process();
        if is_here { inbox(slot) } else { None }
    }

    pub(super) fn take() -> Option<u16> {
        let mut vacant = VACANT.get().lock();
        let slot = vacant.slots.pop().or_else(|| {
            let slot = vacant.next;
            (slot < MAX_RUNTIMES).then(|| {
                vacant.next += 1;
                slot as u16
            })
        })?;
        get_or_set(&PAGES[usize::from(slot) / PAGE], || Page {
            process: process(),
            inboxes: std::iter::repeat_with(Inbox::new).take(PAGE).collect(),
        });
        Some(slot)
    }

    pub(super) fn give_back(slot: u16) {
        VACANT.get().lock().slots.push(slot);
    }
}

/// In a model, inboxes last as long as an execution of it, and a little longer for latecomers. All
/// threads of a model are one thread of the system.
#[cfg(loom)]
mod places {
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Inbox;
    use crate::platform::{self, Mutex};
    use crate::schedule::ids::MAX_RUNTIMES;

    pub(crate) type InboxRef = Arc<Inbox>;

    struct Vacant {
        /// The number of the execution.
        execution: u64,
        slots: Mutex<Vec<u16>>,
    }

    loom::lazy_static! {
        static ref VACANT: Vacant = {
            static EXECUTIONS: AtomicU64 = AtomicU64::new(1);
            let execution = EXECUTIONS.fetch_add(1, Ordering::Relaxed);
            Vacant { execution, slots: Mutex::new(Vec::new()) }
        };
    }

    std::thread_local! {
        /// The inboxes of an execution, by number.
        static INBOXES: RefCell<(u64, Vec<Arc<Inbox>>)> = const { RefCell::new((0, Vec::new())) };
    }

    pub(crate) fn inbox(slot: u16) -> Option<InboxRef> {
        INBOXES.with_borrow(|(_, inboxes)| inboxes.get(usize::from(slot)).cloned())
    }

    /// A model does not fork.
    pub(crate) fn inbox_here(slot: u16) -> Option<InboxRef> {
        inbox(slot)
    }

    pub(super) fn take() -> Option<u16> {
        let vacant = &*VACANT;
        vacant.slots.lock().pop().or_else(|| {
            INBOXES.with_borrow_mut(|places| {
                if places.0 != vacant.execution {
                    *places = (vacant.execution, Vec::new());
                }
                let slot = places.1.len();
                (slot < MAX_RUNTIMES).then(|| {
                    places.1.push(Arc::new(Inbox::new()));
                    slot as u16
                })
            })
        })
    }

    pub(super) fn give_back(slot: u16) {
        if !platform::has_failed() {
            VACANT.slots.lock().push(slot);
        }
    }
}
