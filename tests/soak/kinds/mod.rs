//! What else is done while a server lives: files, processes, TLS, and whatever has a file here. Each
//! piece of it is a task that may be cancelled or dropped at any time, and may find that there are
//! no descriptors left.
//!
//! A further kind is a type that implements [`Kind`], in a file of its own, and a line in [`KINDS`].
#![cfg_attr(
    not(any(feature = "fs", feature = "process", feature = "tls")),
    allow(dead_code, reason = "each kind needs a feature")
)]

#[cfg(target_os = "linux")]
mod datagrams;
#[cfg(feature = "fs")]
mod files;
#[cfg(feature = "process")]
mod processes;
#[cfg(feature = "tls")]
mod tls;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Barrier};

use rustix::io::Errno;
use seedbed::{CancelScope, CapacityLimiter, Error, Result, Token, nursery, to_thread};

use crate::process::{wait_for_main_thread, wait_for_threads};
use crate::world::{Count, CountDrop, Life, Random, is_exhaustion};

/// All of them.
pub const KINDS: &[Entry] = &[
    #[cfg(target_os = "linux")]
    entry::<datagrams::Datagrams>(),
    #[cfg(feature = "fs")]
    entry::<files::Files>(),
    #[cfg(feature = "process")]
    entry::<processes::Processes>(),
    #[cfg(feature = "tls")]
    entry::<tls::Tls>(),
];

/// How many jobs all kinds together may have on other threads at once. A job that has ended counts
/// until its report has come; for these there is room beside them, up to the next power of two.
const THREADS: usize = 24;

/// A kind of work. A value is what one piece of it is to do.
pub trait Kind: Sized + 'static {
    const NAME: &'static str;

    /// Draws what a piece does.
    fn draw(random: &mut Random) -> Self;

    /// Does it, and panics if anything is not as it has to be.
    ///
    /// If it is cancelled it says so, like every other future. It may also fail because there was
    /// no descriptor left. It pauses by `life.rest`.
    fn run(&self, life: &Life) -> impl Future<Output = Result<()>>;

    /// Has as much of everything at a time as it ever will in this run, so that the run has made
    /// room for it. With its jobs on other threads it stays below its share of [`THREADS`].
    fn make_room() -> impl Future<Output = Result<()>> + 'static;

    /// Waits until nothing is under way of what was dropped, and panics if it has left anything
    /// that it should not have. A life has ended.
    fn settle() -> impl Future<Output = Result<()>> + 'static;

    /// Whether it has failed because there was no descriptor left.
    fn is_starved(error: &Error) -> bool {
        // An error that names the address has only the text of the system's.
        let exhausted = io::Error::from(Errno::MFILE).to_string();
        error.find().is_some_and(is_exhaustion) || error.to_string().contains(&exhausted)
    }
}

type Work<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// A kind, in a table of all.
pub struct Entry {
    pub name: &'static str,
    begin: for<'l> fn(&mut Random, &'l Life) -> Work<'l>,
    make_room: fn() -> Work<'static>,
    settle: fn() -> Work<'static>,
    is_starved: fn(&Error) -> bool,
}

const fn entry<K: Kind>() -> Entry {
    Entry {
        name: K::NAME,
        begin: |random, life| {
            let piece = K::draw(random);
            Box::pin(async move { piece.run(life).await })
        },
        make_room: || Box::pin(K::make_room()),
        settle: || Box::pin(K::settle()),
        is_starved: K::is_starved,
    }
}

/// How the pieces of a kind have ended.
#[derive(Default, Debug)]
pub struct Tally {
    begun: Count,
    over: Count,
    pub done: Count,
    pub cut: Count,
    /// There was no descriptor left.
    pub starved: Count,
}

/// Draws a piece of some kind. Without features there is none.
pub fn draw<'l>(
    random: &mut Random,
    life: &'l Life,
) -> Option<impl Future<Output = Result<()>> + use<'l>> {
    let at = random.below(KINDS.len().max(1) as u64) as usize;
    let kind = KINDS.get(at)?;
    let work = (kind.begin)(random, life);
    let scope = CancelScope::new();
    life.clients.borrow_mut().push(scope.clone());
    let tally = &life.kinds[at];
    Some(async move {
        tally.begun.add();
        let _over = CountDrop(&tally.over);
        match scope.enter(async |_| work.await).await {
            Ok(Some(())) => tally.done.add(),
            Ok(None) => tally.cut.add(),
            Err(error) if (kind.is_starved)(&error) => tally.starved.add(),
            Err(error) if error.is_cancelled() => {
                tally.cut.add();
                return Err(error);
            }
            Err(error) => panic!("{}: {error}", kind.name),
        }
        Ok(())
    })
}

/// Has all kinds make room.
pub async fn make_room() -> Result<()> {
    for kind in KINDS {
        (kind.make_room)().await?;
    }
    // Threads report to the run, which may find many reports at a time.
    let token = Token::current()?;
    (0..128).for_each(|_| drop(token.run_sync_soon(|| ())));
    settle().await
}

/// Waits until nothing is under way any more, and until there are as many threads as always: they
/// have memory, and those that are idle for long end.
pub async fn settle() -> Result<()> {
    for kind in KINDS {
        (kind.settle)().await?;
    }
    be_idle().await
}

/// Has the run sleep, beside as many threads as always: what it keeps only while it is busy goes
/// when it has nothing to do. A timer would not make sure of that, because it may be due before the
/// run gets so far.
///
/// Threads that are idle end after a while, which may be too many of them if this machine is slow,
/// and there may have been more of them. Then this begins anew.
pub async fn be_idle() -> Result<()> {
    let threads = if KINDS.is_empty() { 1 } else { THREADS };
    let limiter = CapacityLimiter::new(threads);
    loop {
        let all = Arc::new(Barrier::new(threads));
        nursery(async |n| {
            for _ in 0..threads {
                let all = all.clone();
                let wait = move || {
                    all.wait();
                };
                n.spawn(to_thread(wait).limiter(&limiter));
            }
            Ok(())
        })
        .await?;
        to_thread(wait_for_main_thread).await?;
        if wait_for_threads().is_none_or(|asleep| asleep == threads) {
            return Ok(());
        }
    }
}

/// What is made up from a seed.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let words = (0..length.div_ceil(8) as u64).map(|at| Random(seed.wrapping_add(at)).next());
    let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    bytes.truncate(length);
    bytes
}

/// What must hold of all kinds when a life is over.
pub fn account(life: &Life) {
    for (kind, tally) in KINDS.iter().zip(&life.kinds) {
        assert_eq!(tally.begun.get(), tally.over.get(), "{} that have begun end", kind.name);
    }
}
