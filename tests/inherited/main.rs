//! X5: what is set around a piece of code holds for all that runs in it. Everything here is shown
//! for a span of `tracing`, for a `task_local!` of tokio's and for the crate's own `Local`.

#[path = "../support/mod.rs"]
mod support;

mod ending;
mod local;
mod outside;
mod tasks;
mod yielding;

use std::cell::RefCell;
use std::future::Future;

use tracing::{Instrument, info_span};

/// A way to set something around a piece of code.
trait Surroundings {
    fn around<F: Future>(name: &'static str, future: F) -> impl Future<Output = F::Output>;
    fn around_call<T>(name: &'static str, f: impl FnOnce() -> T) -> T;
    /// The name that holds here, or "nothing".
    fn here() -> &'static str;
}

struct Span;

fn span(name: &str) -> tracing::Span {
    match name {
        "outer" => info_span!("outer"),
        "inner" => info_span!("inner"),
        "other" => info_span!("other"),
        _ => panic!("a span has a name that is known when the program is compiled: not {name}"),
    }
}

impl Surroundings for Span {
    fn around<F: Future>(name: &'static str, future: F) -> impl Future<Output = F::Output> {
        future.instrument(span(name))
    }

    fn around_call<T>(name: &'static str, f: impl FnOnce() -> T) -> T {
        span(name).in_scope(f)
    }

    /// The span of the task itself, which `tokio-console` is told of with the feature `console`, is
    /// the current one only where no other is.
    fn here() -> &'static str {
        match tracing::Span::current().metadata() {
            Some(metadata) if metadata.name() != "runtime.spawn" => metadata.name(),
            _ => "nothing",
        }
    }
}

struct TaskLocal;

tokio::task_local! { static TOKIOS: &'static str; }

impl Surroundings for TaskLocal {
    fn around<F: Future>(name: &'static str, future: F) -> impl Future<Output = F::Output> {
        TOKIOS.scope(name, future)
    }

    fn around_call<T>(name: &'static str, f: impl FnOnce() -> T) -> T {
        TOKIOS.sync_scope(name, f)
    }

    fn here() -> &'static str {
        TOKIOS.try_with(|name| *name).unwrap_or("nothing")
    }
}

struct Local;

static OURS: seedbed::Local<&'static str> = seedbed::Local::new();

impl Surroundings for Local {
    fn around<F: Future>(name: &'static str, future: F) -> impl Future<Output = F::Output> {
        OURS.scope(name, future)
    }

    fn around_call<T>(name: &'static str, f: impl FnOnce() -> T) -> T {
        OURS.sync_scope(name, f)
    }

    fn here() -> &'static str {
        OURS.get().unwrap_or("nothing")
    }
}

/// Runs a test for each of them.
macro_rules! for_each {
    ($test:ident) => {
        crate::listen();
        $test::<crate::Span>();
        $test::<crate::TaskLocal>();
        $test::<crate::Local>();
    };
}
use for_each;

/// Spans are nothing unless somebody listens.
fn listen() {
    drop(tracing::subscriber::set_global_default(tracing_subscriber::registry()));
}

/// What was seen, in order.
#[derive(Default)]
struct Seen(RefCell<Vec<&'static str>>);

impl Seen {
    fn look<S: Surroundings>(&self) {
        self.0.borrow_mut().push(S::here());
    }

    /// Looks when it is dropped.
    fn at_drop<S: Surroundings>(&self) -> impl Drop {
        struct Looks<'a, S: Surroundings>(&'a Seen, std::marker::PhantomData<S>);
        impl<S: Surroundings> Drop for Looks<'_, S> {
            fn drop(&mut self) {
                self.0.look::<S>();
            }
        }
        Looks(self, std::marker::PhantomData::<S>)
    }

    #[track_caller]
    fn assert(&self, expected: &[&str]) {
        assert_eq!(self.0.take(), expected);
    }
}
