//! The inboxes of the process, by number.
//!
//! They are never freed: what holds a number may outlive its runtime, and finds an inbox that
//! nobody uses, or another runtime's, which bears a wake too many and refuses a stranger's call.

use std::io;

use crate::remote::inbox::{Inbox, Tenancy};
use crate::shim::Interrupter;
use crate::wake::table::UnitId;
pub(crate) use places::{InboxRef, inbox};

/// A runtime's place among those of the process, until it is dropped.
pub(crate) struct Tenant {
    pub(crate) inbox: InboxRef,
    pub(crate) slot: u16,
    pub(crate) tenancy: Tenancy,
}

impl Tenant {
    pub(crate) fn new(interrupter: Interrupter) -> io::Result<Tenant> {
        let slot = places::take();
        let slot = slot.ok_or_else(|| io::Error::other("too many runtimes in one process"))?;
        let inbox = inbox(slot).expect("it was taken");
        let tenancy = inbox.open(interrupter);
        Ok(Tenant { inbox, slot, tenancy })
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        self.inbox.close();
        places::give_back(self.slot);
    }
}

/// Wakes a unit of another thread's runtime. Does nothing if the runtime has gone.
pub(crate) fn wake(id: UnitId) {
    if let Some(inbox) = inbox(id.run().slot()) {
        inbox.wake(id);
    }
}

#[cfg(not(loom))]
mod places {
    use std::sync::OnceLock;

    use parking_lot::Mutex;

    use super::Inbox;
    use crate::wake::table::MAX_RUNTIMES;

    pub(crate) type InboxRef = &'static Inbox;

    /// Inboxes that are made together. The first ones are for nearly every process all there are.
    const PAGE: usize = 64;

    static PAGES: [OnceLock<Box<[Inbox]>>; MAX_RUNTIMES.div_ceil(PAGE)] =
        [const { OnceLock::new() }; MAX_RUNTIMES.div_ceil(PAGE)];

    static VACANT: Mutex<Vacant> = Mutex::new(Vacant { slots: Vec::new(), next: 0 });

    /// The numbers that no runtime has at present.
    struct Vacant {
        slots: Vec<u16>,
        /// The first that none has had yet.
        next: usize,
    }

    /// The inbox with this number.
    pub(crate) fn inbox(slot: u16) -> Option<InboxRef> {
        let slot = usize::from(slot);
        Some(&PAGES[slot / PAGE].get()?[slot % PAGE])
    }

    pub(super) fn take() -> Option<u16> {
        let mut vacant = VACANT.lock();
        let slot = vacant.slots.pop().or_else(|| {
            let slot = vacant.next;
            (slot < MAX_RUNTIMES).then(|| {
                vacant.next += 1;
                slot as u16
            })
        })?;
        PAGES[usize::from(slot) / PAGE]
            .get_or_init(|| std::iter::repeat_with(Inbox::new).take(PAGE).collect());
        Some(slot)
    }

    pub(super) fn give_back(slot: u16) {
        VACANT.lock().slots.push(slot);
    }
}

/// In a model inboxes last as long as an execution of it, and for those who come late a little
/// longer. All threads of a model are one of the system's.
#[cfg(loom)]
mod places {
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Inbox;
    use crate::shim::{self, Mutex};
    use crate::wake::table::MAX_RUNTIMES;

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
        /// Those of an execution, by number.
        static INBOXES: RefCell<(u64, Vec<Arc<Inbox>>)> = const { RefCell::new((0, Vec::new())) };
    }

    pub(crate) fn inbox(slot: u16) -> Option<InboxRef> {
        INBOXES.with_borrow(|(_, inboxes)| inboxes.get(usize::from(slot)).cloned())
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
        if !shim::has_failed() {
            VACANT.slots.lock().push(slot);
        }
    }
}
