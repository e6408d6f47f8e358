//! Nurseries: N1 to N15.

#[path = "../support/mod.rs"]
mod support;

mod borrowing;
mod cancelling;
mod dropped;
mod ending;
mod failures;
mod naming;
mod panics;
mod races;
mod services;
mod spawning;
mod start;
mod task_cancellation;
mod tasks;

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use seedbed::testing::VirtualClock;
use seedbed::{Builder, CancelScope, Error, NurseryHandle, Result, nursery, sleep, sleep_forever};

use crate::support::listener;

const SECOND: Duration = Duration::from_secs(1);

/// Runs on a virtual clock; what would wait for ever is an error. Also says how long it took, in
/// seconds.
#[track_caller]
fn timed<T>(main: impl Future<Output = Result<T>>) -> (Result<T>, u64) {
    let clock = VirtualClock::new();
    let outcome = Builder::new()
        .clock(&clock)
        .ctrl_c(false)
        .detect_deadlock(true)
        .fail_when_stuck(true)
        .run(main);
    (outcome, clock.elapsed().as_secs())
}

#[track_caller]
fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    timed(main).0
}

/// What happened, in order.
#[derive(Default)]
struct Log(RefCell<Vec<String>>);

impl Log {
    fn say(&self, text: impl fmt::Display) {
        self.0.borrow_mut().push(text.to_string());
    }

    #[track_caller]
    fn assert(&self, expected: &str) {
        assert_eq!(self.0.borrow().join(" "), expected);
    }
}

fn fails<T>(text: &str) -> Result<T> {
    Err(Error::msg(text))
}

/// Waits until it is cancelled, and then for that many seconds under a shield.
async fn clean_up(seconds: u64) {
    sleep_forever().await.unwrap_err();
    shielded(seconds).await;
}

async fn shielded(seconds: u64) {
    let shield = CancelScope::new().with_shield();
    shield.enter(async |_| sleep(SECOND * seconds as u32).await).await.unwrap();
}

/// A subscriber that keeps warnings and errors, each as its fields in one line.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

impl Events {
    fn record<R>(&self, f: impl FnOnce() -> R) -> R {
        listener::always();
        tracing::subscriber::with_default(self.clone(), f)
    }

    fn with(&self, text: &str) -> Vec<String> {
        let events = self.0.lock().unwrap();
        events.iter().filter(|event| event.contains(text)).cloned().collect()
    }
}

impl tracing::Subscriber for Events {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Line(String);
        impl tracing::field::Visit for Line {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
                self.0 += &format!(" {field}={value:?}");
            }
        }
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// A nursery with a child, open, whose run has ended.
fn of_an_earlier_run() -> (Pin<Box<dyn Future<Output = Result<()>>>>, NurseryHandle) {
    let handle = Rc::new(RefCell::new(None));
    let kept = handle.clone();
    let mut open: Pin<Box<dyn Future<Output = Result<()>>>> = Box::pin(nursery(async move |n| {
        kept.replace(Some(n.handle()));
        n.spawn(sleep_forever());
        sleep_forever().await
    }));
    seedbed::run(poll_fn(|cx| {
        assert!(open.as_mut().poll(cx).is_pending());
        Poll::Ready(Ok(()))
    }))
    .unwrap();
    (open, handle.take().expect("its body has run"))
}
