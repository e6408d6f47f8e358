//! A thread that hangs while a run waits for it is reported.

use std::panic::Location;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures::channel::oneshot;
use seedbed::testing::VirtualClock;
use seedbed::{Builder, Error, Result, Token, cancel_scope, cancellable, nursery, to_thread};

use crate::support::{poll_once, secs};

thread_local! {
    /// What a call to the run finds on its thread.
    static CLOCK: VirtualClock = VirtualClock::new();
}

/// In a function that a run waits for: moves its clock on until something is said of it.
fn hang_until_it_is_told(told: &AtomicBool) {
    let token = Token::current().unwrap();
    while !told.load(Ordering::SeqCst) {
        token.run_sync(|| CLOCK.with(|clock| clock.advance(secs(1)))).unwrap();
    }
}

/// Runs what hangs until it is told, and checks that it was, once, and of the line that it returns.
#[track_caller]
fn assert_hang_is_told(main: impl AsyncFnOnce(Arc<AtomicBool>) -> Result<u32>) {
    struct Tells {
        told: Arc<AtomicBool>,
        said: Arc<Mutex<Vec<String>>>,
    }
    impl tracing::Subscriber for Tells {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            metadata.target().starts_with("seedbed") && *metadata.level() <= tracing::Level::WARN
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            let mut text = String::new();
            event.record(&mut |_: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                text += &format!("{value:?} ");
            });
            self.said.lock().unwrap().push(text);
            self.told.store(true, Ordering::SeqCst);
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    let (told, said) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let tells = Tells { told: told.clone(), said: Arc::clone(&said) };
    let line = tracing::subscriber::with_default(tells, || {
        CLOCK.with(|clock| Builder::new().clock(clock).run(main(told)))
    });
    let said = said.lock().unwrap();
    let [text] = &said[..] else { panic!("{said:?}") };
    assert!(text.contains(&format!("{}:{}:", Location::caller().file(), line.unwrap())), "{text}");
    assert!(text.contains("waited for 5 s") && text.contains("abandon_on_cancel"), "{text}");
}

#[test]
fn r03_a_thread_that_hangs_in_a_cancelled_scope_is_told() {
    assert_hang_is_told(async |told| {
        let (begin, begun) = oneshot::channel();
        let work = move || {
            let _ = begin.send(());
            hang_until_it_is_told(&told);
        };
        let (work, line) = (to_thread(work), line!());
        cancel_scope(async |scope| {
            nursery(async |n| {
                let work = n.spawn(work);
                cancellable(begun).await?.map_err(Error::from)?;
                scope.cancel();
                work.await // it is waited for
            })
            .await
        })
        .await?;
        Ok(line)
    });
}

/// Its future has been dropped.
#[test]
fn r03_a_thread_that_hangs_when_the_run_ends_is_told() {
    assert_hang_is_told(async |told| {
        let (work, line) = (to_thread(move || hang_until_it_is_told(&told)), line!());
        assert!(poll_once(&mut pin!(work)).await.is_none());
        Ok(line)
    });
}
