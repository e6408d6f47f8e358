//! Epochs, the lives in them, and what must hold after each.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, panic_any, resume_unwind};
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{Either, select};
use rustix::net::{SendFlags, send};
use seedbed::net::{TcpListener, TcpSocket, UnixStream};
use seedbed::testing::{VirtualClock, statistics};
use seedbed::{
    Builder, CancelScope, Error, Event, HandlerPanicked, Nursery, Result, Server, TooSlow, Yielder,
    cancel_scope, fail_after, generator, now, nursery, sleep_until, yield_now,
};

use crate::client::{self, Plan};
use crate::kinds::{self, KINDS};
use crate::process::{Scarcity, descriptors, interrupt, memory};
use crate::server::{Connection, Counted, handle};
use crate::world::{Count, Life, Planned, Random};

/// How many lives there are in an epoch.
const LIVES: u64 = 6;
/// How many operations a life has at the most.
const OPERATIONS: u64 = 60;

/// Where a failure is: the seed of the epoch, and how many operations there were in it.
static SEED: AtomicU64 = AtomicU64::new(0);
static OPERATION: AtomicU64 = AtomicU64::new(0);

fn place() -> String {
    let (seed, operation) = (SEED.load(Relaxed), OPERATION.load(Relaxed));
    format!("SEEDBED_SOAK_SEED={seed}, operation {operation}")
}

/// Ends the process when nothing happens any more: a wake was lost.
fn watch() {
    let mut before = None;
    loop {
        let now = Some((SEED.load(Relaxed), OPERATION.load(Relaxed)));
        if now == before {
            println!("test soak ... FAILED: {}: it hangs", place());
            std::process::exit(1);
        }
        before = now;
        std::thread::sleep(Duration::from_secs(120));
    }
}

/// How a life ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// When all clients have left that do so by themselves.
    Quiet,
    Graceful,
    /// Gracefully, by the server's own signal.
    Signal,
    Cancel,
    CancelAll,
    /// It is dropped as it is.
    Drop,
    /// The body of its nursery panics.
    Panic,
    /// A handler's panic is let through.
    HandlerPanic,
}

const ENDS: [End; 8] = [
    End::Quiet,
    End::Graceful,
    End::Signal,
    End::Cancel,
    End::CancelAll,
    End::Drop,
    End::Panic,
    End::HandlerPanic,
];

#[derive(Default)]
struct Totals {
    operations: u64,
    connections: u64,
    whole: u64,
    short: u64,
    panics: u64,
    not_accepted: u64,
    not_connected: u64,
    /// For each kind of other work: done, cut, and without a descriptor.
    kinds: [[u64; 3]; KINDS.len()],
}

pub fn main() -> ExitCode {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        if !info.payload().is::<Planned>() {
            println!("{}:", place());
            report(info);
        }
    }));
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    // Any other argument is meant for tests that have names.
    let argument = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let seconds = argument.or_else(|| number("SEEDBED_SOAK_SECONDS"));
    let one = number("SEEDBED_SOAK_SEED");
    let begun = Instant::now();
    let first = u64::from(std::process::id()) << 32;
    let seeds: Box<dyn Iterator<Item = u64>> = match (one, seconds) {
        (Some(seed), _) => Box::new([0, seed].into_iter()),
        (None, None) => Box::new(0..crate::EPOCHS),
        (None, Some(seconds)) => Box::new(
            std::iter::once(0)
                .chain(first..)
                .take_while(move |_| begun.elapsed() < Duration::from_secs(seconds)),
        ),
    };
    std::thread::spawn(watch);
    std::thread::spawn(interrupt);
    let mut totals = Totals::default();
    let mut epochs = 0;
    for seed in seeds {
        let outcome = catch_unwind(AssertUnwindSafe(|| epoch(seed, epochs == 0, &mut totals)));
        if outcome.is_err() {
            println!("test soak ... FAILED, in the epoch with SEEDBED_SOAK_SEED={seed}");
            return ExitCode::FAILURE;
        }
        epochs += 1;
        totals.operations += OPERATION.load(Relaxed);
    }
    let Totals {
        operations,
        connections,
        whole,
        short,
        panics,
        not_accepted,
        not_connected,
        kinds,
    } = totals;
    println!(
        "test soak ... ok: {operations} operations in {epochs} epochs; {connections} connections, \
         {whole} whole answers, {short} short ones, {panics} panics; {not_accepted} times the \
         server, {not_connected} times a client was without a descriptor"
    );
    let all = [connections, whole, short, panics, not_accepted, not_connected];
    for (kind, [done, cut, starved]) in KINDS.iter().zip(kinds) {
        println!("  {}: {done} done, {cut} cut, {starved} times without a descriptor", kind.name);
    }
    let all = all.into_iter().chain(kinds.into_iter().flatten());
    assert!(one.is_some() || { all }.all(|count| count > 0), "all of it happens");
    ExitCode::SUCCESS
}

fn epoch(seed: u64, first: bool, totals: &mut Totals) {
    SEED.store(seed, Relaxed);
    OPERATION.store(0, Relaxed);
    let before = (memory(), descriptors());
    {
        let mut random = Random(seed);
        // Two in three are on the virtual clock.
        let clock = (seed % 3 != 2).then(VirtualClock::new);
        let mut builder = Builder::new();
        if let Some(clock) = &clock {
            builder = builder.clock(clock);
        }
        // The thread that watches for it is made once and kept. Half of the runs are not watched,
        // where that is not the default.
        if first || seed.is_multiple_of(2) {
            builder = builder.warn_when_blocked(Duration::from_secs(600));
        }
        if random.one_in(2) {
            builder = builder.seed(random.next());
        }
        if random.one_in(2) {
            builder = builder.budget(1 + random.below(8) as u32);
        }
        let outcome = builder.run(async {
            make_room().await?;
            kinds::make_room().await?;
            kinds::be_idle().await?;
            let before = memory();
            for number in 0..LIVES {
                life(&mut random, clock.as_ref(), totals).await?;
                kinds::be_idle().await?;
                let left = memory() - before;
                assert!(first || left == 0, "{left} bytes are left of life {number}");
            }
            Ok(())
        });
        outcome.expect("a run ends well");
    }
    let after = (memory(), descriptors());
    assert_eq!(after.1, before.1, "descriptors");
    assert!(first || after.0 == before.0, "{} bytes are left", after.0 - before.0);
}

/// Has more of everything at a time than any life will, so that the run has made room for it.
async fn make_room() -> Result<()> {
    // The memory of children of all sizes is used again, and so much of each is kept.
    let done = Cell::new(false);
    nursery(async |n| {
        spawn_of_all_sizes(n, &done);
        yield_now().await?;
        done.set(true);
        Ok(())
    })
    .await?;
    // That of scopes and nurseries, too.
    let (open, all_are_open) = (Cell::new(0), Event::new());
    nursery(async |n| {
        for _ in 0..512 {
            n.spawn(nursery(async |_| {
                cancel_scope(async |_| {
                    open.set(open.get() + 1);
                    all_are_open.wait().await
                })
                .await
            }));
        }
        while open.get() < 512 {
            yield_now().await?;
        }
        all_are_open.set();
        Ok(())
    })
    .await?;
    // Timers are sorted when they come due, and all of these are set before they do.
    let due = now() + Duration::from_millis(20);
    nursery(async |n| {
        (0..256).for_each(|_| drop(n.spawn(sleep_until(due))));
        Ok(())
    })
    .await?;
    let pairs: Vec<_> = (0..256).map(|_| UnixStream::pair()).collect::<Result<_>>()?;
    nursery(async |n| {
        for (reader, _) in &pairs {
            n.spawn(async {
                let mut numbers = generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop));
                numbers.anext().await?;
                fail_after(Duration::from_secs(3600), reader.read_exact(&mut [0; 1])).await?;
                numbers.aclose().await
            });
        }
        // They have a budget, and may let others run before they wait.
        for _ in 0..8 {
            yield_now().await?;
        }
        // Without letting others run: one look finds news of all of them.
        pairs
            .iter()
            .try_for_each(|(_, writer)| send(writer, &[0], SendFlags::empty()).map(drop))?;
        Ok(())
    })
    .await
}

/// Waits until it is done, and is as large as it says: that many times 8 and 256 bytes.
struct Large<'a, const SMALL: usize, const BIG: usize>(
    &'a Cell<bool>,
    [[u8; 8]; SMALL],
    [[u8; 256]; BIG],
);

impl<const SMALL: usize, const BIG: usize> Future for Large<'_, SMALL, BIG> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.0.get() {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Children of each size, 100 KiB of them.
fn spawn_of_all_sizes<'scope>(n: &'scope Nursery<'scope, '_>, done: &'scope Cell<bool>) {
    macro_rules! spawn {
        ($big:literal: $($small:literal)*) => {$(
            for _ in 0..512.min((100 << 10) / (64 + 8 * $small + 256 * $big)) {
                n.spawn(Large(done, [[0; 8]; $small], [[0; 256]; $big]));
            }
        )*};
        ($($big:literal)*) => {$(
            spawn!($big: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
        )*};
    }
    spawn!(0 1 2 3 4 5 6 7 8);
}

/// A life, and what it must leave.
async fn life(
    random: &mut Random,
    clock: Option<&VirtualClock>,
    totals: &mut Totals,
) -> Result<()> {
    let before = (statistics()?, descriptors());
    let end = ENDS[random.below(ENDS.len() as u64) as usize];
    let operations = random.below(OPERATIONS);
    let most = if random.one_in(3) { 1 + random.below(8) as usize } else { usize::MAX };
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let life = Life::new(clock.cloned(), listener.local_addr()?);
        life.ending.set(end == End::HandlerPanic); // at any time
        let drop_now = Event::new();
        let mut driver = Driver { random, life: &life, end, most, drop_now: &drop_now };
        let lived = AssertUnwindSafe(driver.drive(listener, operations)).catch_unwind();
        match select(pin!(lived), pin!(drop_now.wait())).await {
            Either::Left((Ok(outcome), _)) => outcome.expect("a life ends well"),
            Either::Left((Err(payload), _)) if payload.is::<Planned>() => {
                assert!(matches!(end, End::Panic | End::HandlerPanic), "it was not to get out");
            }
            Either::Left((Err(payload), _)) => resume_unwind(payload),
            Either::Right((dropped, _)) => dropped?,
        }
        account(&life, end, most, totals);
    }
    // Generators that were dropped are closed in tasks of the run, which do not wait.
    for _ in 0..1000 {
        if statistics()?.tasks == before.0.tasks {
            break;
        }
        yield_now().await?;
    }
    kinds::settle().await?;
    assert_eq!((statistics()?, descriptors()), before, "after a life that ended by {end:?}");
    Ok(())
}

fn account(life: &Life, end: End, most: usize, totals: &mut Totals) {
    let [accepted, closed] = [&life.accepted, &life.closed].map(Count::get);
    assert_eq!(accepted, closed, "every connection is closed in the end");
    assert_eq!(life.handled.get(), life.handled_to_the_end.get(), "handlers end");
    // Where it is limited some may have been accepted that wait for others to end.
    if end != End::Drop && most == usize::MAX {
        assert_eq!(accepted, life.handled.get(), "every connection is handled");
    }
    // On the system's clock the grace is too short to count on.
    if end == End::Quiet && life.clock.is_some() {
        // One that was given up while it connected may be among them.
        let connected = life.connected.get()..=life.attempts.get();
        assert!(connected.contains(&accepted), "{accepted} accepted of {connected:?}");
    }
    if !matches!(end, End::Drop | End::HandlerPanic) {
        assert_eq!(life.panics.get(), life.panics_reported.get(), "panics are reported");
        assert_eq!(life.failures.get(), life.failures_reported.get(), "failures are reported");
    }
    kinds::account(life);
    for (total, tally) in totals.kinds.iter_mut().zip(&life.kinds) {
        for (total, count) in total.iter_mut().zip([&tally.done, &tally.cut, &tally.starved]) {
            *total += count.get();
        }
    }
    totals.connections += life.connected.get();
    totals.whole += life.whole_answers.get();
    totals.short += life.short_answers.get();
    totals.panics += life.panics_reported.get();
    totals.not_accepted += life.not_accepted.get();
    totals.not_connected += life.not_connected.get();
}

/// Counts an error that a handler ended with. There are no others than were meant.
fn judge(life: &Life, error: &Error) {
    if error.is::<HandlerPanicked>() {
        life.panics_reported.add();
    } else if error.find::<Planned>().is_some() {
        life.failures_reported.add();
    } else {
        let meant = error.find::<io::Error>().is_some() || error.is::<TooSlow>();
        assert!(meant, "a handler has failed: {error}");
    }
}

/// Whoever draws the operations of a life.
struct Driver<'l> {
    random: &'l mut Random,
    life: &'l Life,
    end: End,
    /// How many connections there may be.
    most: usize,
    drop_now: &'l Event,
}

impl<'l> Driver<'l> {
    async fn drive(&mut self, listener: TcpListener, operations: u64) -> Result<()> {
        let life = self.life;
        let (stop, signal) = (CancelScope::new(), Event::new());
        let grace = life.pause(self.random.next() as u8 | 1);
        let mut server = Server::new(Counted(listener, life))
            .max_connections(self.most)
            .grace(grace)
            .shutdown_on(signal.wait())
            .on_error(|error, _| judge(life, &error));
        if self.end == End::HandlerPanic {
            server = server.resume_panics();
        }
        let handler = async |stream: Connection<'_>, peer| handle(life, &stream, peer).await;
        nursery(async |around| {
            around.spawn(stop.enter(async |_| server.serve(handler).await));
            nursery(async |n| {
                for operation in 0..operations {
                    OPERATION.fetch_add(1, Relaxed);
                    if self.end == End::Drop && operation == operations / 2 {
                        self.drop_now.set();
                    }
                    self.operation(around, n).await?;
                }
                life.ending.set(life.ending.get() || self.end != End::Quiet);
                match self.end {
                    End::Quiet | End::HandlerPanic | End::Drop => {}
                    End::Graceful => stop.cancel_gracefully(grace),
                    End::Signal => signal.set(),
                    End::Cancel => stop.cancel(),
                    End::CancelAll => around.cancel(),
                    End::Panic => panic_any(Planned),
                }
                Ok(())
            })
            .await?;
            life.ending.set(true);
            stop.cancel_gracefully(grace);
            Ok(())
        })
        .await
    }

    /// Does something that may happen while a server lives. The clients in `n` are waited for
    /// before it is stopped; those in `around` stay until it is.
    async fn operation<'a, 'n>(
        &mut self,
        around: &'a Nursery<'a, '_>,
        n: &'n Nursery<'n, '_>,
    ) -> Result<()>
    where
        'l: 'a + 'n,
    {
        let life = self.life;
        let client = |random: &mut Random, socket: Option<TcpSocket>| {
            // Where connections are limited, those that stay would keep out the others.
            let plan = Plan::new(random, self.most == usize::MAX);
            if plan.stays() {
                around.spawn(async move { client::run(life, &plan, socket).await });
            } else {
                n.spawn(async move { client::run(life, &plan, socket).await });
            }
        };
        let random = &mut *self.random;
        match random.below(20) {
            16..20 => drop(kinds::draw(random, life).map(|piece| n.spawn(piece))),
            0..7 => client(random, None),
            7 => (0..random.below(12)).for_each(|_| client(random, None)),
            8 => {
                // All of them are there before the server can look.
                let sockets = (0..random.below(6)).map(|_| TcpSocket::v4());
                let sockets = sockets.collect::<Result<Vec<_>>>()?;
                let _scarcity = Scarcity::new(random.below(4) as usize);
                sockets.into_iter().for_each(|socket| client(random, Some(socket)));
                (0..random.below(3)).for_each(|_| client(random, None));
                for _ in 0..random.below(8) {
                    life.rest(random.next() as u8).await?;
                }
            }
            9 | 10 => {
                if let Some(scope) = draw(random, &life.clients) {
                    scope.cancel();
                }
            }
            11 | 12 => {
                if let Some((peer, scope)) = draw(random, &life.handlers) {
                    life.excuse(peer);
                    scope.cancel();
                }
            }
            13 => match &life.clock {
                Some(clock) => clock.advance(Duration::from_millis(random.of_magnitude(1 << 30))),
                None => yield_now().await?,
            },
            _ => life.rest(random.next() as u8).await?,
        }
        // Otherwise clients would hardly ever get to anything before the next one.
        for _ in 0..random.of_magnitude(32) {
            yield_now().await?;
        }
        Ok(())
    }
}

/// Takes one out, lately begun or not.
fn draw<T>(random: &mut Random, from: &RefCell<Vec<T>>) -> Option<T> {
    let mut from = from.borrow_mut();
    let last = from.len().checked_sub(1)?;
    let at = last.saturating_sub(random.of_magnitude(16) as usize);
    Some(from.swap_remove(at))
}
