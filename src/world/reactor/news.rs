//! News of sources, as the kernel reports it.
//!
//! On Linux the system call is made inline, for the reason given in `net/stream/transfer.rs`.

use std::io;
use std::time::Duration;

use mio::Poll;
#[cfg(not(target_os = "linux"))]
use mio::{Events, event::Event};
#[cfg(target_os = "linux")]
use rustix::{buffer::spare_capacity, event::Timespec, event::epoll, event::epoll::EventFlags};

/// How many events are taken at once.
const EVENTS: usize = 1024;

/// What has happened to a source.
#[derive(Clone, Copy)]
pub(super) struct News {
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) read_closed: bool,
    pub(super) write_closed: bool,
    pub(super) error: bool,
    pub(super) priority: bool,
}

/// The buffer into which the kernel puts the events.
pub(super) struct Queue {
    poll: Poll,
    #[cfg(target_os = "linux")]
    events: Vec<epoll::Event>,
    #[cfg(not(target_os = "linux"))]
    events: Events,
}

#[cfg(target_os = "linux")]
impl Queue {
    pub(super) fn new(poll: Poll) -> Queue {
        Queue { poll, events: Vec::with_capacity(EVENTS) }
    }

    /// Whether as many events came the last time as are taken at once.
    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= EVENTS
    }

    /// Waits for news, for `timeout` at most, and reports each piece with the source's number.
    pub(super) fn wait(
        &mut self,
        timeout: Option<Duration>,
        mut tell: impl FnMut(usize, News),
    ) -> io::Result<()> {
        // In whole milliseconds, rounded up so as not to be early.
        let timeout = timeout.map(|timeout| {
            let millis = timeout.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as i64;
            Timespec { tv_sec: millis / 1000, tv_nsec: millis % 1000 * 1_000_000 }
        });
        self.events.clear();
        epoll::wait(self.poll.registry(), spare_capacity(&mut self.events), timeout.as_ref())?;
        for event in &self.events {
            let (flags, data) = (event.flags, event.data);
            tell(data.u64() as usize, News::of(flags));
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
impl News {
    #[inline]
    fn of(flags: EventFlags) -> News {
        let has = |flag| flags.contains(flag);
        let (input, output) = (has(EventFlags::IN), has(EventFlags::OUT));
        let (error, hang_up) = (has(EventFlags::ERR), has(EventFlags::HUP));
        let priority = has(EventFlags::PRI);
        News {
            readable: input || priority,
            writable: output,
            read_closed: hang_up || input && has(EventFlags::RDHUP),
            write_closed: hang_up || output && error || flags == EventFlags::ERR,
            error,
            priority,
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Queue {
    pub(super) fn new(poll: Poll) -> Queue {
        Queue { poll, events: Events::with_capacity(EVENTS) }
    }

    /// Whether as many events came the last time as are taken at once.
    pub(super) fn is_full(&self) -> bool {
        self.events.iter().count() >= EVENTS
    }

    /// Waits for news, for `timeout` at most, and reports each piece with the source's number.
    pub(super) fn wait(
        &mut self,
        timeout: Option<Duration>,
        mut tell: impl FnMut(usize, News),
    ) -> io::Result<()> {
        self.poll.poll(&mut self.events, timeout)?;
        for event in &self.events {
            tell(event.token().0, News::of(event));
        }
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
impl News {
    fn of(event: &Event) -> News {
        News {
            readable: event.is_readable(),
            writable: event.is_writable(),
            read_closed: event.is_read_closed(),
            write_closed: event.is_write_closed(),
            error: event.is_error(),
            priority: event.is_priority(),
        }
    }
}
