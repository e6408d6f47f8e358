//! What a task waits for, where, and since when.

use std::cell::RefCell;
use std::future::poll_fn;
use std::panic;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex as StdMutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures::future::{join, select};
use seedbed::sync::Mutex;
use seedbed::{Event, cancellable, channel, inspect, nursery, sleep, sleep_forever, yield_now};

use super::{lines_with, run, seen_waiting, text};

const SECOND: Duration = Duration::from_secs(1);

thread_local! {
    static FOREIGN: RefCell<Option<Waker>> = const { RefCell::new(None) };
}

/// A future that this crate knows nothing of, and that ends when the dump has been taken.
async fn foreign() {
    let mut ends = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut ends, true) {
            return Poll::Ready(());
        }
        FOREIGN.set(Some(cx.waker().clone()));
        Poll::Pending
    })
    .await;
}

/// Polls it once.
async fn begin_to_wait(mut future: Pin<&mut impl Future>) {
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

/// The line of the task "it", which runs `task` for a second.
fn line_of(task: impl Future<Output = seedbed::Result<()>>) -> String {
    run(async {
        let mut dump = String::new();
        nursery(async |n| {
            n.named("it").spawn(task);
            sleep(SECOND).await?;
            dump = text();
            if let Some(waker) = FOREIGN.take() {
                waker.wake();
            }
            n.scope().cancel();
            Ok(())
        })
        .await?;
        let line = lines_with(&dump, "\"it\"").pop().expect("it is there");
        Ok(line.strip_prefix("task \"it\" spawned at <spawn>: ").unwrap().to_owned())
    })
}

#[test]
fn l01_the_operation_its_place_and_since_when() {
    let line = line_of(async {
        let (_sender, receiver) = channel::<()>(1);
        sleep(SECOND / 4).await?;
        receiver.recv().await.map(drop)
    });
    assert_eq!(line, "in `Receiver::recv` at <recv>, for 750 ms");
    assert_eq!(line_of(sleep_forever()), "in `sleep` at <sleep_forever>, for 1.0 s");
    let line = line_of(async {
        let lock = Mutex::new(());
        let _held = lock.lock().await?;
        lock.lock().await.map(drop)
    });
    assert_eq!(line, "in `Mutex::lock` at <lock>, for 1.0 s");
    let line = line_of(nursery(async |n| n.spawn(sleep_forever()).await));
    assert_eq!(line, "in the nursery below");
}

#[test]
fn l01_a_task_that_awaits_another_says_which() {
    let dump = seen_waiting(|n| {
        let slow = n.spawn(sleep_forever());
        n.named("it").spawn(slow);
    });
    assert_eq!(
        lines_with(&dump, "\"it\""),
        ["task \"it\" spawned at <spawn>: awaiting the task spawned at <spawn>, for 1.0 s"]
    );
}

#[test]
fn l01_a_task_that_is_awaited_is_named() {
    let (dump, json) = run(async {
        let mut dumps = (String::new(), serde_json::Value::Null);
        nursery(async |n| {
            let slow = n.named("slow").spawn(sleep_forever());
            let mut given_up = n.named("given up").spawn(sleep_forever());
            n.named("it").spawn(async move {
                begin_to_wait(pin!(&mut given_up)).await;
                slow.await
            });
            sleep(SECOND).await?;
            dumps = (text(), serde_json::from_str(&inspect::dump()?.to_json()).unwrap());
            n.scope().cancel();
            Ok(())
        })
        .await?;
        Ok(dumps)
    });
    assert_eq!(
        lines_with(&dump, "\"it\""),
        [
            "task \"it\" spawned at <spawn>: awaiting the task \"slow\" spawned at <spawn>, for 1.0 s"
        ]
    );
    let tasks = &json["tree"][0]["children"][0]["children"];
    assert_eq!(tasks[3]["name"], "it");
    assert_eq!(tasks[3]["awaits"], serde_json::json!([tasks[1]["id"]]));
}

#[test]
fn l01_a_foreign_future_shows_as_such() {
    let line = line_of(async {
        sleep(SECOND / 2).await?;
        foreign().await;
        Ok(())
    });
    assert_eq!(line, "in a future of another crate, last polled 500 ms ago");
}

/// The operation that it waited for before is not shown, even if both were in the same poll.
#[test]
fn l01_a_foreign_future_after_an_operation_that_was_dropped() {
    let line = line_of(async {
        {
            let sleep = pin!(sleep(SECOND));
            let ready = pin!(async {});
            select(sleep, ready).await;
        }
        foreign().await;
        Ok(())
    });
    assert_eq!(line, "in a future of another crate, last polled 1.0 s ago");
    let line = line_of(async {
        let event = Event::new();
        {
            let wait = pin!(event.wait());
            let ready = pin!(async {});
            select(wait, ready).await;
        }
        foreign().await;
        Ok(())
    });
    assert_eq!(line, "in a future of another crate, last polled 1.0 s ago");
}

#[test]
fn l01_cancellable_says_where_it_is_or_what_is_in_it() {
    let line = line_of(async {
        cancellable(foreign()).await?;
        Ok(())
    });
    assert_eq!(line, "in `cancellable` at <cancellable>, for 1.0 s");
    let line = line_of(async { cancellable(sleep_forever()).await? });
    assert_eq!(line, "in `sleep` at <sleep_forever>, for 1.0 s");
}

#[test]
fn l01_a_sleep_says_when_it_ends() {
    assert_eq!(line_of(sleep(5 * SECOND)), "in `sleep` at <sleep>, for 1.0 s, 4.0 s to go");
    let many = seen_waiting(|n| {
        for nth in 2..10 {
            n.spawn(sleep(nth * SECOND));
        }
    });
    assert_eq!(
        lines_with(&many, "8 tasks"),
        ["8 tasks spawned at <spawn>: all in `sleep` at <sleep>, for 1.0 s, 1.0 s to 8.0 s to go"],
        "{many}"
    );
}

/// A timer is known, whatever was polled after it.
#[test]
fn l01_a_timer_beside_something_else() {
    let line = line_of(async {
        let event = Event::new();
        join(sleep(5 * SECOND), event.wait()).await.0
    });
    assert_eq!(line, "in `Event::wait` at <wait>, for 1.0 s; also woken by a timer in 4.0 s");
    let line = line_of(async {
        let mut sleep = pin!(sleep(5 * SECOND));
        begin_to_wait(sleep.as_mut()).await;
        foreign().await;
        Ok(())
    });
    assert_eq!(line, "in `sleep` at <sleep>, for 1.0 s, 4.0 s to go");
    let line = line_of(async {
        let mut sleep = pin!(sleep(5 * SECOND));
        begin_to_wait(sleep.as_mut()).await;
        yield_now().await?;
        foreign().await;
        Ok(())
    });
    assert_eq!(
        line,
        "in a future of another crate, last polled 1.0 s ago; woken by a timer in 4.0 s"
    );
}

/// Of several the last one is shown.
#[test]
fn l01_several_at_once_show_the_last() {
    let line = line_of(async {
        let event = Event::new();
        let both = join(event.wait(), sleep_forever());
        both.await.0
    });
    assert_eq!(line, "in `sleep` at <sleep_forever>, for 1.0 s");
}

#[test]
fn l01_a_nursery_beside_an_operation() {
    let dump = seen_waiting(|n| {
        n.named("it").spawn(async {
            let beside = nursery(async |inner| {
                inner.spawn(sleep_forever());
                Ok(())
            });
            join(sleep_forever(), beside).await.0
        });
    });
    assert_eq!(
        lines_with(&dump, "\"it\""),
        ["task \"it\" spawned at <spawn>: in `sleep` at <sleep_forever>, for 1.0 s"],
        "{dump}"
    );
}

#[test]
fn l01_what_is_ready_and_what_runs() {
    let dump = run(async {
        let mut dump = String::new();
        nursery(async |n| {
            n.named("it").spawn(async { yield_now().await });
            dump = text();
            Ok(())
        })
        .await?;
        Ok(dump)
    });
    assert_eq!(
        lines_with(&dump, "\"it\""),
        ["task \"it\" spawned at <spawn>: ready, for less than 1 ms"]
    );
    assert!(dump.lines().next().unwrap().ends_with("2 tasks, 1 running, 1 ready"), "{dump}");
}

/// A unit that is woken in its own poll, and then parks.
#[test]
fn l01_ready_again_before_it_waits() {
    let line = line_of(async {
        let mut woken = false;
        let mut sleep = pin!(sleep_forever());
        poll_fn(move |cx| {
            if !std::mem::replace(&mut woken, true) {
                cx.waker().wake_by_ref();
            }
            sleep.as_mut().poll(cx)
        })
        .await
    });
    assert_eq!(line, "in `sleep` at <sleep_forever>, for 1.0 s");
}

/// A hook is called at the panic itself, wherever that is.
#[test]
fn l01_from_a_panic_hook() {
    let dumps = Arc::new(StdMutex::new(Vec::new()));
    let (seen, here) = (dumps.clone(), std::thread::current().id());
    let before = Arc::new(panic::take_hook());
    let former = before.clone();
    panic::set_hook(Box::new(move |panic| match std::thread::current().id() == here {
        true => seen.lock().unwrap().push(inspect::dump().map(|dump| dump.to_string())),
        false => former(panic),
    }));
    let polled_twice = async {
        let mut done = pin!(async {});
        poll_fn(|cx| done.as_mut().poll(cx)).await;
        let mut event = pin!(async { Event::new().wait().await });
        poll_fn(|cx| {
            assert!(event.as_mut().poll(cx).is_pending());
            panic!("in a poll");
            #[expect(unreachable_code)]
            Poll::Ready(())
        })
        .await;
        Ok(())
    };
    let ran = panic::catch_unwind(panic::AssertUnwindSafe(|| seedbed::run(polled_twice)));
    drop(panic::take_hook());
    panic::set_hook(Box::new(move |panic| before(panic)));
    assert!(ran.is_err());
    let dumps = dumps.lock().unwrap();
    let dump = dumps[0].as_ref().unwrap();
    assert!(dump.contains("main future: running"), "{dump}");
}
