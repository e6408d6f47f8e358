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
    if let Some(inbox) = inbox(id.slot()) {
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

/// In a model inboxes last as long as an execution of it. All threads of a model are one of the
/// system's.
#[cfg(loom)]
mod places {
    use std::cell::RefCell;
    use std::mem;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Inbox;
    use crate::wake::table::MAX_RUNTIMES;

    pub(crate) type InboxRef = Arc<Inbox>;

    loom::lazy_static! {
        /// The number of the execution.
        static ref EXECUTION: u64 = {
            static EXECUTIONS: AtomicU64 = AtomicU64::new(1);
            EXECUTIONS.fetch_add(1, Ordering::Relaxed)
        };
    }

    struct Places {
        execution: u64,
        inboxes: Vec<Arc<Inbox>>,
        vacant: Vec<u16>,
    }

    std::thread_local! {
        static PLACES: RefCell<Places> =
            const { RefCell::new(Places { execution: 0, inboxes: vec![], vacant: vec![] }) };
    }

    pub(crate) fn inbox(slot: u16) -> Option<InboxRef> {
        PLACES.with_borrow(|places| places.inboxes.get(usize::from(slot)).cloned())
    }

    pub(super) fn take() -> Option<u16> {
        let execution = *EXECUTION;
        PLACES.with_borrow_mut(|places| {
            if places.execution != execution {
                *places = Places { execution, inboxes: vec![], vacant: vec![] };
            }
            places.vacant.pop().or_else(|| {
                let slot = places.inboxes.len();
                (slot < MAX_RUNTIMES).then(|| {
                    places.inboxes.push(Arc::new(Inbox::new()));
                    slot as u16
                })
            })
        })
    }

    pub(super) fn give_back(slot: u16) {
        PLACES.with_borrow_mut(|places| places.vacant.push(slot));
    }

    /// What a model that has failed leaves behind can be used by nobody, nor dropped.
    impl Drop for Places {
        fn drop(&mut self) {
            if self.vacant.len() != self.inboxes.len() {
                mem::forget(mem::take(&mut self.inboxes));
            }
        }
    }
}
