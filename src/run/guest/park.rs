//! Sleeping: in the reactor, or in the host's place of it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use crate::generator::finalize::{AsyncgenHooks, get_asyncgen_hooks, set_asyncgen_hooks};
use crate::platform::clock::{Nanos, instant_of};
use crate::run::Run;
use crate::run::blocked::Watched;
use crate::run::guest::host::Host;

/// What only a run has that is a guest.
pub(in crate::run) struct Hosted {
    host: RefCell<Box<dyn Host>>,
    /// The hooks for generators that the run has set, while it is not the present one. It begins
    /// with those of the thread.
    hooks: RefCell<AsyncgenHooks>,
}

impl Hosted {
    pub(in crate::run) fn new(host: Box<dyn Host>) -> Hosted {
        Hosted { host: RefCell::new(host), hooks: RefCell::new(get_asyncgen_hooks()) }
    }

    /// As long as the returned value lives, the thread has the hooks of this run.
    pub(in crate::run) fn swap_hooks(&self) -> impl Drop {
        struct Swapped<'a>(&'a Hosted);
        impl Swapped<'_> {
            fn swap(&self) {
                let others = set_asyncgen_hooks(self.0.hooks.take());
                self.0.hooks.replace(others);
            }
        }
        impl Drop for Swapped<'_> {
            fn drop(&mut self) {
                self.swap();
            }
        }
        let swapped = Swapped(self);
        swapped.swap();
        swapped
    }
}

impl Run {
    /// Sleeps until something comes from outside, or for this long. `next` is when that is over on
    /// the run's clock, if it is a time on that. The inbox knows about the sleep.
    ///
    /// `run` sleeps right here, and a guest leaves that to its host, which is the only difference
    /// between the two.
    pub(in crate::run) async fn park(
        &self,
        time: Option<Duration>,
        next: Option<Nanos>,
    ) -> io::Result<()> {
        match &self.guest {
            None => {
                let _sleeps = self.watched.as_ref().map(Watched::sleeps);
                self.reactor.poll(time)
            }
            Some(guest) => {
                let on_clock = next.filter(|_| !self.clock.is_virtual());
                let moment = match on_clock.and_then(|next| instant_of(&self.clock, next)) {
                    Some(moment) => Some(moment),
                    None => time.and_then(|time| Instant::now().checked_add(time)),
                };
                self.park_as_guest(guest, moment).await
            }
        }
    }

    async fn park_as_guest(&self, guest: &Hosted, moment: Option<Instant>) -> io::Result<()> {
        let mut asleep = false;
        poll_fn(|cx| {
            // Whoever has it polled again has woken it, or wants to know how it is getting on.
            if mem::replace(&mut asleep, true)
                || self.reactor.may_have_more()
                || !self.remote.inbox.sleep_until_woken(cx.waker())
            {
                return Poll::Ready(Ok(()));
            }
            let mut host = guest.host.borrow_mut(); // foreign code
            if let Poll::Ready(readable) = host.poll_readable(cx) {
                return Poll::Ready(readable);
            }
            match moment {
                Some(moment) => {
                    ready!(host.poll_at(moment, cx));
                    Poll::Ready(Ok(()))
                }
                None => Poll::Pending,
            }
        })
        .await?;
        self.reactor.poll_all()
    }

    /// Lets the other tasks of the host run, if the run is a guest.
    pub(in crate::run) async fn let_host_run(&self) {
        let Some(guest) = &self.guest else { return };
        let mut has_let = false;
        poll_fn(|cx| {
            if mem::replace(&mut has_let, true) {
                return Poll::Ready(());
            }
            guest.host.borrow_mut().wake_later(cx); // foreign code
            Poll::Pending
        })
        .await;
    }
}
