//! Functions on other threads that a run waits for at its end, or at that of a scope.

use std::pin::pin;
use std::thread;

use futures::channel::oneshot;
use seedbed::testing::VirtualClock;
use seedbed::{Builder, Error, Result, Token, cancel_scope, cancellable, nursery, to_thread};

use super::hears::Heard;
use super::place;
use crate::support::{poll_once, secs};

thread_local! {
    /// What a call to the run finds on its thread.
    static CLOCK: VirtualClock = VirtualClock::new();
}

/// In a function that a run waits for: moves the run's clock on until something is said of that.
fn hang_until_it_is_told(heard: &Heard) {
    let token = Token::current().unwrap();
    while heard.of("for the function").is_empty() {
        token.run_sync(|| CLOCK.with(|clock| clock.advance(secs(1)))).unwrap();
        thread::yield_now();
    }
}

fn run(heard: &Heard, main: impl AsyncFnOnce(Heard) -> Result<String>) -> String {
    let builder = CLOCK.with(|clock| Builder::new().clock(clock).warn_when_blocked(secs(2)));
    heard.listen(|| builder.run(main(heard.clone()))).unwrap()
}

#[test]
fn l02_one_that_holds_up_a_cancelled_scope_is_named_with_the_scope() {
    let heard = Heard::default();
    let started = run(&heard, async |heard| {
        let (begin, begun) = oneshot::channel();
        let scope = place(8);
        let started = place(1);
        let work = to_thread(move || {
            let _ = begin.send(());
            hang_until_it_is_told(&heard);
        });
        cancel_scope(async |outer| {
            // The innermost scope that has to wait is named.
            nursery(async |n| {
                let work = n.spawn(work);
                cancellable(begun).await?.map_err(Error::from)?;
                outer.cancel();
                work.await
            })
            .await
        })
        .await?;
        Ok(format!("{started} {scope}"))
    });
    let said = heard.of("for the function");
    let [record] = &said[..] else { panic!("{said:?}") };
    let (text, (job, scope)) = (record.message(), started.split_once(' ').unwrap());
    assert!(text.contains("waited for 2 s, since the scope opened at "), "{text}");
    assert!(text.contains(&format!("opened at {scope}")), "{text}");
    assert!(text.contains(&format!("in the `to_thread` at {job}")), "{text}");
    assert!(record.field("job").starts_with(job), "{record:?}");
}

#[test]
fn l02_one_that_holds_up_the_end_of_the_run_is_named() {
    let heard = Heard::default();
    let started = run(&heard, async |heard| {
        let started = place(1);
        let work = to_thread(move || hang_until_it_is_told(&heard));
        assert!(poll_once(&mut pin!(work)).await.is_none());
        Ok(started) // its future is dropped
    });
    let said = heard.of("for the function");
    let [record] = &said[..] else { panic!("{said:?}") };
    assert!(record.message().contains("waited for 2 s, since it began to end"), "{record:?}");
    assert!(record.field("job").starts_with(&started), "{record:?}");
}
