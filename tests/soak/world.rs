//! What the server, the clients and the other work of one life share: what they have counted, and what excuses an
//! answer that is incomplete.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::io::Errno;
use seedbed::testing::VirtualClock;
use seedbed::{CancelScope, Result, sleep, yield_now};

use crate::kinds::{KINDS, Tally};

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Below `most`, and small ones as often as large ones.
    pub fn of_magnitude(&mut self, most: u64) -> u64 {
        let bits = self.below(u64::from(most.ilog2()) + 1);
        self.below(2 << bits).min(most - 1)
    }
}

/// A failure that belongs to the test.
#[derive(Debug)]
pub struct Planned;

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("planned")
    }
}

impl std::error::Error for Planned {}

/// How often something has happened.
#[derive(Default, Debug)]
pub struct Count(Cell<u64>);

impl Count {
    pub fn add(&self) {
        self.0.set(self.0.get() + 1);
    }

    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

/// Counts when it is dropped.
pub struct CountDrop<'a>(pub &'a Count);

impl Drop for CountDrop<'_> {
    fn drop(&mut self) {
        self.0.add();
    }
}

/// From the time a server begins to listen until all that came of it is over.
pub struct Life {
    pub clock: Option<VirtualClock>,
    pub address: SocketAddr,
    /// The server is stopping, or the whole life is.
    pub ending: Cell<bool>,
    /// Connections, by the client's address, that something was done to from outside.
    excused: RefCell<HashSet<SocketAddr>>,
    pub handlers: RefCell<Vec<(SocketAddr, CancelScope)>>,
    pub clients: RefCell<Vec<CancelScope>>,

    pub attempts: Count,
    pub connected: Count,
    pub accepted: Count,
    pub closed: Count,
    pub handled: Count,
    pub handled_to_the_end: Count,
    pub panics: Count,
    pub panics_reported: Count,
    pub failures: Count,
    pub failures_reported: Count,
    pub whole_answers: Count,
    pub short_answers: Count,
    /// How often the server, or a client, found that there was no descriptor left.
    pub not_accepted: Count,
    pub not_connected: Count,
    /// For each of [`KINDS`].
    pub kinds: Vec<Tally>,
}

impl Life {
    pub fn new(clock: Option<VirtualClock>, address: SocketAddr) -> Life {
        Life {
            clock,
            address,
            ending: Cell::new(false),
            excused: RefCell::default(),
            handlers: RefCell::default(),
            clients: RefCell::default(),
            attempts: Count::default(),
            connected: Count::default(),
            accepted: Count::default(),
            closed: Count::default(),
            handled: Count::default(),
            handled_to_the_end: Count::default(),
            panics: Count::default(),
            panics_reported: Count::default(),
            failures: Count::default(),
            failures_reported: Count::default(),
            whole_answers: Count::default(),
            short_answers: Count::default(),
            not_accepted: Count::default(),
            not_connected: Count::default(),
            kinds: KINDS.iter().map(|_| Tally::default()).collect(),
        }
    }

    pub fn excuse(&self, peer: SocketAddr) {
        self.excused.borrow_mut().insert(peer);
    }

    /// Whether a connection may break off although neither side has planned it.
    pub fn is_excused(&self, peer: SocketAddr) -> bool {
        self.ending.get() || self.excused.borrow().contains(&peer)
    }

    /// A time that passes for the program, and hardly for whoever runs it: up to 255 seconds on a
    /// virtual clock, up to 2 milliseconds on the system's.
    pub fn pause(&self, length: u8) -> Duration {
        match &self.clock {
            Some(_) => Duration::from_secs(u64::from(length)),
            None => Duration::from_micros(u64::from(length) * 8),
        }
    }

    /// Lets others run: for a short one by the scheduler, for others by the clock.
    pub async fn rest(&self, length: u8) -> Result<()> {
        match length {
            0..64 => yield_now().await,
            _ => sleep(self.pause(length)).await,
        }
    }
}

/// Sets a failure of the network apart from all others.
pub fn network<T>(outcome: Result<T>) -> Result<io::Result<T>> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(error) => match error.downcast::<io::Error>() {
            Ok(error) => Ok(Err(error)),
            Err(error) => Err(error),
        },
    }
}

/// Whether there were no descriptors left.
pub fn is_exhaustion(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}
