//! Foreign code that does anything, wherever it runs: wakers' `clone`, `wake` and `drop`; `Drop` of
//! futures, values, errors and payloads; `source` and `Display`; bodies, hooks and a subscriber.
//! The bytes say what each of them does: panic, call back, spawn, cancel, wake, poll, drop or
//! forget whatever there is, in several runs and outside any.
//!
//! Under AddressSanitizer nothing freed is touched. Apart from that, the following must hold:
//!
//! - Nothing aborts, and each run returns.
//! - Tasks that mind their own business, in a nursery of their own, are served, although they wait
//!   for the same event and the same limiter as the others, unless the run itself ends in a panic.
//! - Where nothing was forgotten, nothing is left over, and every permit has come back.

use std::cell::{Cell, RefCell};
use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Once};
use std::task::{Context, Waker};
use std::time::Duration;

use cooked_waker::{IntoWaker, Wake, WakeRef};
use futures::FutureExt;
use futures::future::select;
use seedbed::testing::VirtualClock;
use seedbed::{
    AsyncgenHooks, Builder, CancelScope, CapacityLimiter, Event, Generator, NurseryHandle, Permit,
    Receiver, Result, Sender, Started, Task, Unfinished, Yielder, cancellable, channel,
    context_manager, generator, nursery, race, set_asyncgen_hooks, sleep, sync_generator, with,
    yield_now,
};

type Boxed = Pin<Box<dyn Future<Output = Result<()>>>>;

/// What there is to do something to. Whatever is used is taken out meanwhile, so that nothing is
/// borrowed when foreign code comes back here.
#[derive(Default)]
struct World {
    futures: Vec<Boxed>,
    tasks: Vec<Task<'static, Value>>,
    nurseries: Vec<NurseryHandle>,
    scopes: Vec<CancelScope>,
    generators: Vec<Generator<'static, Value>>,
    senders: Vec<Sender<Value>>,
    receivers: Vec<Receiver<Value>>,
    permits: Vec<Permit>,
    started: Vec<Started<Value>>,
    wakers: Vec<Waker>,
    unfinished: Vec<Unfinished<'static>>,
    errors: Vec<seedbed::Error>,
}

thread_local! {
    static BYTES: RefCell<(Vec<u8>, usize)> = const { RefCell::new((Vec::new(), 0)) };
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
    static SHARED: RefCell<Option<(Rc<Event>, CapacityLimiter)>> = const { RefCell::new(None) };
    /// How deep foreign code is in foreign code, and how often it may still do something.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static LEFT: Cell<u32> = const { Cell::new(0) };
    static FORGOTTEN: Cell<bool> = const { Cell::new(false) };
    /// Whether the thread ends, which no panic may come out of.
    static ENDS: Cell<bool> = const { Cell::new(false) };
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static LOUD: Cell<bool> = const { Cell::new(false) };
    /// How many values, bodies and wakers there are.
    static ALIVE: Cell<i64> = const { Cell::new(0) };
}

/// Tells what is done, where an input is run for somebody to read.
fn say(what: impl FnOnce() -> String) {
    if LOUD.get() {
        eprintln!("{}", what());
    }
}

/// What the bytes say next; 0 when they are used up.
fn byte() -> usize {
    let next = BYTES.try_with(|bytes| {
        let (bytes, at) = &mut *bytes.borrow_mut();
        *at += 1;
        bytes.get(*at - 1).copied()
    });
    usize::from(next.ok().flatten().unwrap_or(0))
}

fn world<R>(f: impl FnOnce(&mut World) -> R) -> Option<R> {
    WORLD.try_with(|world| world.borrow_mut().as_mut().map(f)).ok().flatten()
}

fn shared() -> Option<(Rc<Event>, CapacityLimiter)> {
    SHARED.try_with(|shared| shared.borrow().clone()).ok().flatten()
}

fn take<T>(of: impl FnOnce(&mut World) -> &mut Vec<T>) -> Option<T> {
    let which = byte();
    world(|world| {
        let all = of(world);
        (!all.is_empty()).then(|| all.swap_remove(which % all.len()))
    })?
}

/// Keeps something. If there are too many it is dropped, and foreign code with it.
fn keep<T>(of: impl FnOnce(&mut World) -> &mut Vec<T>, what: T) {
    let mut what = Some(what);
    world(|world| {
        let all = of(world);
        if all.len() < 8 {
            all.extend(what.take());
        }
    });
}

/// Something alive.
struct Count;

impl Count {
    fn new() -> Count {
        ALIVE.set(ALIVE.get() + 1);
        Count
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
    }
}

/// A value: a message, a task's or a generator's.
struct Value {
    _count: Count,
}

impl Value {
    fn new() -> Value {
        Value { _count: Count::new() }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        act();
    }
}

/// What is thrown.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        act();
    }
}

/// An error each of whose functions is foreign code.
struct Failure;

impl Drop for Failure {
    fn drop(&mut self) {
        act();
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        act();
        f.write_str("a failure")
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        act();
        f.write_str("Failure")
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        act();
        (byte() % 2 == 1).then_some(self)
    }
}

/// A waker each of whose functions is foreign code.
struct Foreign {
    wakes: Waker,
    _count: Count,
}

impl Foreign {
    fn waker(wakes: &Waker) -> Waker {
        Box::new(Mine(Arc::new(Foreign { wakes: wakes.clone(), _count: Count::new() })))
            .into_waker()
    }
}

/// Its counts are of one thread, on which it stays.
struct Mine(Arc<Foreign>);

// `cooked-waker` asks for a `Send` waker: the counts are thread-locals, and nothing here is sent.
impl Clone for Mine {
    fn clone(&self) -> Mine {
        act();
        Mine(self.0.clone())
    }
}

impl WakeRef for Mine {
    fn wake_by_ref(&self) {
        act();
        self.0.wakes.wake_by_ref();
    }
}

impl Wake for Mine {}

impl Drop for Mine {
    fn drop(&mut self) {
        act();
    }
}

/// Tells whoever listens, and whoever listens does something. In half of all cases that is also
/// whoever is told of tasks, with the feature `console`.
struct Subscriber {
    is_told_of_tasks: bool,
}

impl tracing::Subscriber for Subscriber {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        let is_of_task = ["seedbed::task", "runtime::waker"].contains(&metadata.target());
        *metadata.level() <= tracing::Level::WARN || is_of_task && self.is_told_of_tasks
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        act();
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Visit;
        impl tracing::field::Visit for Visit {
            fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn fmt::Debug) {
                let _ = format!("{value:?}");
            }
        }
        event.record(&mut Visit);
        act();
    }
    fn enter(&self, _: &tracing::span::Id) {
        act();
    }
    fn exit(&self, _: &tracing::span::Id) {
        act();
    }
    fn try_close(&self, _: tracing::span::Id) -> bool {
        act();
        true
    }
}

/// Foreign code runs here, and does something.
fn act() {
    if ENDS.get() || std::thread::panicking() {
        // A panic in a destructor while unwinding aborts, as Rust has it, and so does one while a
        // thread ends. But what is called here may panic with good reason.
        forget_panic(catch_unwind(act_now));
    } else {
        act_now();
    }
}

fn act_now() {
    if DEPTH.get() >= 3 || LEFT.get() == 0 {
        return;
    }
    struct Deeper;
    impl Drop for Deeper {
        fn drop(&mut self) {
            DEPTH.set(DEPTH.get() - 1);
        }
    }
    DEPTH.set(DEPTH.get() + 1);
    LEFT.set(LEFT.get() - 1);
    let _deeper = Deeper;
    let what = byte() % 41;
    say(|| format!("{:1$}act {what}", "", 4 * DEPTH.get() as usize));
    match what {
        0..=9 => {}
        10..=12 if !std::thread::panicking() && !ENDS.get() => panic_any(Payload),
        13 => drop(take(|world| &mut world.futures)),
        14 => drop(take(|world| &mut world.tasks)),
        15 => drop(take(|world| &mut world.generators)),
        16 => drop(take(|world| &mut world.senders)),
        17 => drop(take(|world| &mut world.receivers)),
        18 => drop(take(|world| &mut world.permits)),
        19 => drop(take(|world| &mut world.started)),
        20 => drop(take(|world| &mut world.unfinished)),
        21 => drop(take(|world| &mut world.wakers)),
        22 => {
            if let Some(waker) = take(|world| &mut world.wakers) {
                waker.wake();
            }
        }
        23 => {
            if let Some(scope) = take(|world| &mut world.scopes) {
                scope.cancel();
                keep(|world| &mut world.scopes, scope);
            }
        }
        24 => {
            if let Some(scope) = take(|world| &mut world.scopes) {
                scope.cancel_gracefully(Duration::from_secs(1));
                keep(|world| &mut world.scopes, scope);
            }
        }
        25 | 26 => {
            if let Some(nursery) = take(|world| &mut world.nurseries) {
                let spawned = match what {
                    25 => nursery.spawn(body(2)),
                    _ => nursery.named("a task").spawn(body(2)),
                };
                if let Ok(task) = spawned {
                    keep(|world| &mut world.tasks, task);
                }
                keep(|world| &mut world.nurseries, nursery);
            }
        }
        27 => {
            if let Some(started) = take(|world| &mut world.started) {
                started.ready(Value::new());
            }
        }
        28 => {
            if let Some((event, _)) = shared() {
                event.set();
            }
        }
        29 => {
            if let Some((_, limiter)) = shared()
                && let Some(permit) = limiter.try_acquire()
            {
                keep(|world| &mut world.permits, permit);
            }
        }
        30 => {
            if let Some(sender) = take(|world| &mut world.senders) {
                let _ = sender.try_send(Value::new());
                keep(|world| &mut world.senders, sender);
            }
        }
        31 => {
            if let Some(receiver) = take(|world| &mut world.receivers) {
                let _ = receiver.try_recv();
                keep(|world| &mut world.receivers, receiver);
            }
        }
        32 => {
            if let Some(sender) = take(|world| &mut world.senders) {
                sender.close();
            }
        }
        33 => {
            // Inside a run this is an error, and outside it is a run.
            let _ = run_one(async {
                drop(body(1).await);
                Ok(())
            });
        }
        34 => {
            drop(set_asyncgen_hooks(hooks(byte() % 2 == 1)));
        }
        35 => poll_one(),
        36 => keep(|world| &mut world.futures, new_future(1)),
        37 => keep(|world| &mut world.errors, Failure.into()),
        38 => {
            if let Some(error) = take(|world| &mut world.errors) {
                let _ = format!("{error:?}{error}");
            }
        }
        39 if byte() % 8 == 1 => {
            FORGOTTEN.set(true);
            std::mem::forget(take(|world| &mut world.futures));
        }
        40 => {
            if let Some(task) = take(|world| &mut world.tasks) {
                task.cancel();
                keep(|world| &mut world.tasks, task);
            }
        }
        _ => {}
    }
}

fn hooks(acts: bool) -> AsyncgenHooks {
    if !acts {
        return AsyncgenHooks::default();
    }
    AsyncgenHooks {
        first_iter: Some(Rc::new(|_, _| act())),
        finalizer: Some(Rc::new(|unfinished| {
            act();
            keep(|world| &mut world.unfinished, unfinished);
        })),
    }
}

/// Polls a future that is parked, with some waker.
fn poll_one() {
    let Some(mut future) = take(|world| &mut world.futures) else { return };
    let waker = match byte() % 3 {
        0 => Waker::noop().clone(),
        1 => Foreign::waker(Waker::noop()),
        _ => take(|world| &mut world.wakers).unwrap_or_else(|| Waker::noop().clone()),
    };
    if future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        keep(|world| &mut world.futures, future);
    }
    keep(|world| &mut world.wakers, waker);
}

/// A future that is polled with a foreign waker, as other libraries poll theirs.
async fn foreign<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);
    poll_fn(|cx| {
        let waker = Foreign::waker(cx.waker());
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        drop(waker); // before the answer is given: it would be leaked if this panics
        polled
    })
    .await
}

fn new_future(depth: u32) -> Boxed {
    match byte() % 3 {
        0 => Box::pin(async move { body(depth).await.map(drop) }),
        1 => Box::pin(open(depth)),
        _ => Box::pin(foreign(open(depth))),
    }
}

/// A nursery with children.
async fn open(depth: u32) -> Result<()> {
    nursery(async |n: &seedbed::Nursery<'_, '_>| {
        keep(|world| &mut world.nurseries, n.handle());
        keep(|world| &mut world.scopes, n.scope());
        for _ in 0..byte() % 4 {
            drop(n.spawn(body(depth)));
        }
        if byte() % 4 == 1 {
            let first = n.service(async move { body(depth).await.map(drop) });
            if byte() % 2 == 1 {
                drop(n.service(async move { body(depth).await.map(drop) }).after(&first));
            }
        }
        body(depth).await.map(drop)
    })
    .await
}

/// What a task does.
fn body(depth: u32) -> Pin<Box<dyn Future<Output = Result<Value>>>> {
    let count = Count::new();
    Box::pin(async move {
        let _count = count;
        for _ in 0..byte() % 4 {
            act();
            step(depth).await?;
        }
        act();
        Ok(Value::new())
    })
}

async fn step(depth: u32) -> Result<()> {
    let what = byte() % 20;
    say(|| format!("step {what}"));
    match what {
        0 => yield_now().await,
        1 => sleep(Duration::from_secs(byte() as u64 % 4)).await,
        2 => foreign(sleep(Duration::from_secs(byte() as u64 % 4))).await,
        3 => match shared() {
            Some((event, _)) if byte().is_multiple_of(2) => event.wait().await,
            Some((event, _)) => foreign(event.wait()).await,
            None => Ok(()),
        },
        4 => match shared() {
            Some((_, limiter)) => {
                let permit = foreign(limiter.acquire()).await?;
                keep(|world| &mut world.permits, permit);
                Ok(())
            }
            None => Ok(()),
        },
        5 => {
            let Some(receiver) = take(|world| &mut world.receivers) else { return Ok(()) };
            let received = foreign(receiver.recv()).await;
            keep(|world| &mut world.receivers, receiver);
            received.map(drop)
        }
        6 => {
            let Some(sender) = take(|world| &mut world.senders) else { return Ok(()) };
            let sent = foreign(sender.send(Value::new())).await;
            keep(|world| &mut world.senders, sender);
            Ok(sent?)
        }
        7 => {
            let (sender, receiver) = channel(byte() % 2);
            keep(|world| &mut world.senders, sender);
            keep(|world| &mut world.receivers, receiver);
            Ok(())
        }
        8 if depth > 0 => Box::pin(open(depth - 1)).await,
        9 if depth > 0 => Box::pin(foreign(open(depth - 1))).await,
        10 => {
            let scope = CancelScope::new().with_timeout(Duration::from_secs(3));
            keep(|world| &mut world.scopes, scope.clone());
            scope.enter(async |_| sleep(Duration::from_secs(1)).await).await.map(drop)
        }
        11 => {
            let Some(task) = take(|world| &mut world.tasks) else { return Ok(()) };
            foreign(task).await.map(drop)
        }
        12 => {
            let mut new = generator(async |y: Yielder<Value>| {
                for _ in 0..3 {
                    act();
                    y.yield_(Value::new()).await?;
                    foreign(yield_now()).await?;
                }
                Ok(())
            });
            let first = new.anext().await;
            keep(|world| &mut world.generators, new);
            first.map(drop)
        }
        13 => {
            let Some(mut old) = take(|world| &mut world.generators) else { return Ok(()) };
            let next = match byte() % 4 {
                0 => foreign(old.anext()).await.map(drop),
                1 => foreign(old.aclose()).await,
                2 => old.athrow(Failure).await.map(drop),
                _ => old.anext().await.map(drop),
            };
            keep(|world| &mut world.generators, old);
            next
        }
        14 => {
            let manager = context_manager(async |y: Yielder<Value>| {
                act();
                y.yield_(Value::new()).await?;
                act();
                foreign(yield_now()).await
            });
            with(manager, async |_| foreign(yield_now()).await).await
        }
        15 if depth > 0 => {
            let Some(nursery) = take(|world| &mut world.nurseries) else { return Ok(()) };
            let start = nursery.start(async move |started| {
                keep(|world| &mut world.started, started);
                body(depth - 1).await.map(drop)
            });
            keep(|world| &mut world.nurseries, nursery);
            match start {
                Ok(start) => foreign(start).await.map(drop),
                Err(_) => Ok(()),
            }
        }
        16 => {
            for value in sync_generator(async |y: Yielder<Value>| {
                act();
                y.yield_(Value::new()).await?;
                act();
                Ok(())
            }) {
                value?;
            }
            cancellable(foreign(yield_now())).await?
        }
        17 => Err(Failure.into()),
        18 if depth > 0 => {
            let raced = race((0..byte() % 3).map(|_| body(depth - 1)));
            foreign(raced).await.map(drop)
        }
        _ => {
            poll_one();
            Ok(())
        }
    }
}

fn run_one<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new().clock(&VirtualClock::new()).ctrl_c(false).detect_deadlock(true).run(main)
}

/// A run, in which some mind their own business.
fn run_with_others() {
    let (event, limiter) = (Rc::new(Event::new()), CapacityLimiter::new(1));
    SHARED.set(Some((event.clone(), limiter.clone())));
    let done = Cell::new(false);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        run_one(async {
            // Some wait before them for the same, with foreign wakers.
            let mut beside: Vec<_> = (0..2).map(|_| Box::pin(event.wait())).collect();
            for wait in &mut beside {
                let waker = Foreign::waker(Waker::noop());
                let mut cx = Context::from_waker(&waker);
                forget_panic(catch_unwind(AssertUnwindSafe(|| wait.as_mut().poll(&mut cx))));
            }
            nursery(async |n| {
                let honest: Vec<_> = (0..3)
                    .map(|_| {
                        let (event, limiter) = (event.clone(), limiter.clone());
                        n.spawn(async move {
                            event.wait().await?;
                            let _permit = limiter.acquire().await?;
                            yield_now().await
                        })
                    })
                    .collect();
                let others = async {
                    for _ in 0..4 {
                        let future = new_future(2);
                        keep(|world| &mut world.futures, future);
                        // What takes too long is dropped as it is.
                        let limit = Box::pin(sleep(Duration::from_secs(60)));
                        drop(select(body(3), limit).await);
                    }
                };
                forget_panic(AssertUnwindSafe(others).catch_unwind().await);
                // Whatever they hold is given up, and they take nothing more.
                SHARED.set(None);
                LEFT.set(0);
                drop(world(|world| std::mem::take(&mut world.permits)));
                drop(world(|world| std::mem::take(&mut world.futures)));
                LEFT.set(20);
                forget_panic(catch_unwind(AssertUnwindSafe(|| event.set())));
                LEFT.set(0);
                drop(beside);
                LEFT.set(20);
                say(|| format!("the event is set; {limiter:?}"));
                for task in honest {
                    task.await?;
                }
                done.set(true);
                Ok(())
            })
            .await
        })
    }));
    SHARED.set(None);
    match outcome {
        Ok(outcome) => {
            let forgot = FORGOTTEN.get();
            assert!(done.get() || forgot, "those who mind their own business: {outcome:?}");
        }
        Err(payload) => std::mem::forget(payload), // a foreign waker's, in the run's own loop
    }
}

fn forget_panic<T>(outcome: T) {
    let caught = catch_unwind(AssertUnwindSafe(|| drop(outcome)));
    std::mem::forget(caught);
}

/// Nobody wants to read the panics of this target's threads.
fn be_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // What aborts should still be readable.
            let text = panic.payload_as_str().unwrap_or_default();
            if !QUIET.get() || text.contains("cleanup") || text.contains("unwind") {
                before(panic);
            }
        }));
    });
    LOUD.set(std::env::var_os("SEEDBED_FUZZ_INPUT").is_some());
    QUIET.set(!LOUD.get());
}

fn run_here(bytes: Vec<u8>) {
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            ENDS.set(true);
        }
    }
    let _ends = Ends; // what is left is dropped with the thread's variables
    be_quiet();
    BYTES.set((bytes, 0));
    WORLD.set(Some(World::default()));
    for _ in 0..2 {
        LEFT.set(300);
        run_with_others();
        // Outside any run.
        for _ in 0..4 {
            LEFT.set(20);
            forget_panic(catch_unwind(act));
        }
    }
    LEFT.set(100);
    if byte() % 4 == 1 {
        return;
    }
    forget_panic(WORLD.take());
    LEFT.set(0);
    drop(set_asyncgen_hooks(AsyncgenHooks::default()));
    drop(WORLD.take());
    assert!(ALIVE.get() == 0 || FORGOTTEN.get(), "{} are left", ALIVE.get());
}

pub fn run(bytes: &[u8]) {
    let bytes = bytes.to_vec();
    let case = std::thread::Builder::new().stack_size(8 << 20).spawn(move || {
        let is_told_of_tasks = bytes.first().is_some_and(|byte| byte.is_multiple_of(2));
        let subscriber = Subscriber { is_told_of_tasks };
        tracing::subscriber::with_default(subscriber, || run_here(bytes));
    });
    if let Err(payload) = case.expect("a thread starts").join() {
        panic!("{}", payload.downcast_ref::<String>().cloned().unwrap_or_default());
    }
}
