//! What the tests of generators share: a runtime on a virtual clock, a log, a recorder of
//! warnings.
#![allow(dead_code, reason = "not every test binary needs all of it")]

mod listener;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use seedbed::testing::VirtualClock;
use seedbed::{Builder, CancelScope, Result, Yielder, cancel_scope, sleep};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Runs on a virtual clock, and fails where it would hang.
pub fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    run_on(&VirtualClock::new(), main)
}

pub fn run_on<T>(clock: &VirtualClock, main: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new().clock(clock).detect_deadlock(true).run(main)
}

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What happened, in its order. Clones are the same log.
#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub fn new() -> Log {
        Log::default()
    }

    pub fn add(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }

    /// The lines so far, which the log forgets.
    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// Writes a line when it is dropped.
    pub fn on_drop(&self, line: &str) -> OnDrop {
        OnDrop(self.clone(), line.to_owned())
    }
}

pub struct OnDrop(Log, String);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add(self.1.clone());
    }
}

/// Runs `future` shielded, as clean-up that has to wait does.
pub async fn shielded<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let scope = CancelScope::new().with_shield();
    let value = scope.enter(async |_| future.await).await?;
    Ok(value.expect("nobody cancels this scope"))
}

/// Runs `future` in a scope that is cancelled already.
pub async fn cancelled<T>(future: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    cancel_scope(async |scope| {
        scope.cancel();
        future.await
    })
    .await
}

/// A body that yields 0, 1, 2, … for ever, and says how it was left.
pub fn counting(log: &Log) -> impl AsyncFnOnce(Yielder<u32>) -> Result<()> + 'static {
    let log = log.clone();
    async move |y| {
        for i in 0.. {
            if let Err(error) = y.yield_(i).await {
                log.add(format!("left at {i}: {error}"));
                return Err(error);
            }
        }
        Ok(())
    }
}

/// As `counting`, with a clean-up that takes a second, under a shield.
pub fn slow_to_close(log: &Log) -> impl AsyncFnOnce(Yielder<u32>) -> Result<()> + 'static {
    let log = log.clone();
    async move |y| {
        let outcome = count(&y).await;
        log.add("cleaning");
        shielded(sleep(secs(1))).await?;
        log.add("cleaned");
        outcome
    }
}

pub async fn count(y: &Yielder<u32>) -> Result<()> {
    for i in 0.. {
        y.yield_(i).await?;
    }
    Ok(())
}

/// Polls once.
pub async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

/// The future's outcome, or the text of its panic.
pub async fn catching<T>(future: impl Future<Output = T>) -> std::result::Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(payload) => Poll::Ready(Err(panic_text(payload))),
    })
    .await
}

/// The text of the panic of `f`, which has to panic.
pub fn panics<T: Debug>(f: impl FnOnce() -> T) -> String {
    panic_text(catch_unwind(AssertUnwindSafe(f)).expect_err("it was to panic"))
}

fn panic_text(payload: Box<dyn std::any::Any + Send>) -> String {
    match payload.downcast::<&'static str>() {
        Ok(text) => (*text).to_owned(),
        Err(payload) => match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(payload) => resume_unwind(payload),
        },
    }
}

/// How often its guards were dropped.
#[derive(Clone, Default)]
pub struct Drops(Rc<Cell<u32>>);

impl Drops {
    pub fn guard(&self) -> DropGuard {
        DropGuard(self.0.clone())
    }

    pub fn count(&self) -> u32 {
        self.0.get()
    }
}

pub struct DropGuard(Rc<Cell<u32>>);

impl Drop for DropGuard {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// One event of `tracing`.
#[derive(Clone, Debug)]
pub struct Record {
    pub level: Level,
    pub fields: BTreeMap<String, String>,
}

impl Record {
    pub fn message(&self) -> &str {
        self.field("message")
    }

    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_else(|| panic!("no field `{name}` in {self:?}"))
    }
}

struct Recorder(Arc<Mutex<Vec<Record>>>);

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("seedbed") && *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Fields(BTreeMap<String, String>);
        impl Visit for Fields {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                self.0.insert(field.name().to_owned(), format!("{value:?}"));
            }
        }
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        let record = Record { level: *event.metadata().level(), fields: fields.0 };
        self.0.lock().unwrap().push(record);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Runs `f`, and returns what it warned of as well.
pub fn recording<T>(f: impl FnOnce() -> T) -> (T, Vec<Record>) {
    listener::always();
    let records = Arc::new(Mutex::new(Vec::new()));
    let value = tracing::subscriber::with_default(Recorder(records.clone()), f);
    let records = records.lock().unwrap().clone();
    (value, records)
}

/// How many records say this.
pub fn said(records: &[Record], what: &str) -> usize {
    records.iter().filter(|record| format!("{record:?}").contains(what)).count()
}
