//! R9: what a run waits for outside itself when nothing in it can run.
//!
//! Threads and tests wait for each other; nothing sleeps to let something happen. What must not be
//! waited for would take hours.

use std::future::Future;
use std::io::Write;
use std::os::unix::net::UnixStream as StdStream;
use std::panic::Location;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use seedbed::net::{TcpListener, UnixStream};
use seedbed::signal::{Signal, Signals};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, CapacityLimiter, Deadlock, Error, Event, Result, Stuck, Token, TooSlow,
    cancel_scope, cancellable, current_default_thread_limiter, fail_after, nursery, run, sleep,
    to_thread,
};

use crate::support::secs;

const HOUR: Duration = Duration::from_secs(3600);

/// Reads a byte within ten seconds of this clock. The other end is `theirs`.
async fn read_in_time(theirs: impl FnOnce(StdStream)) -> Result<()> {
    let (ours, other) = StdStream::pair()?;
    theirs(other);
    let ours = UnixStream::from_std(ours)?;
    let read = fail_after(secs(10), async { ours.read(&mut [0; 1]).await }).await?;
    assert_eq!(read, 1);
    Ok(())
}

#[test]
fn r09_asked_to_a_virtual_clock_waits_for_input() {
    let clock = VirtualClock::new().wait_for_io(HOUR);
    let main = read_in_time(|mut theirs| {
        thread::spawn(move || theirs.write_all(b"x").unwrap());
    });
    Builder::new().clock(&clock).run(main).unwrap();
    assert_eq!(clock.elapsed(), Duration::ZERO);
}

/// Nor does it if it is asked no more.
#[test]
fn r09_otherwise_it_does_not() {
    let clock = VirtualClock::new();
    clock.wait_for_io(HOUR).wait_for_io(Duration::ZERO);
    let mut other = None;
    let main = read_in_time(|theirs| other = Some(theirs));
    let error = Builder::new().clock(&clock).run(main).unwrap_err();
    assert!(error.is::<TooSlow>(), "{error:?}");
    assert_eq!(clock.elapsed(), secs(10));
}

/// It waits before each jump, and then jumps.
#[test]
fn r09_input_that_never_comes_is_not_waited_for_without_end() {
    let clock = VirtualClock::new();
    let mut others = Vec::new();
    let builder = Builder::new().clock(&clock.wait_for_io(Duration::from_millis(1)));
    let main = async {
        for _ in 0..3 {
            let error = read_in_time(|theirs| others.push(theirs)).await.unwrap_err();
            assert!(error.is::<TooSlow>(), "{error:?}");
        }
        Ok(())
    };
    builder.run(main).unwrap();
    assert_eq!(clock.elapsed(), secs(30));
}

/// That nobody comes is not news, and neither is what nobody waits for.
#[test]
fn r09_listeners_and_idle_sockets_are_not_waited_for() {
    let clock = VirtualClock::new().wait_for_io(HOUR);
    let main = nursery(async |n| {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let signals = Signals::new([Signal::USR2])?;
        n.spawn(async move { listener.accept().await.map(drop) });
        n.spawn(async move { signals.recv().await.map(drop) });
        let (ours, mut theirs) = StdStream::pair()?;
        theirs.write_all(b"x")?;
        let ours = UnixStream::from_std(ours)?;
        ours.read(&mut [0; 1]).await?;
        sleep(secs(5)).await?;
        n.cancel();
        Ok(())
    });
    Builder::new().clock(&clock).run(main).unwrap();
    assert_eq!(clock.elapsed(), secs(5));
}

/// The thread takes no real time then.
#[test]
fn r09_a_thread_that_waits_for_the_run_does_not_hold_a_virtual_clock_up() {
    let clock = VirtualClock::new();
    let main = to_thread(|| Token::current()?.run(async || sleep(HOUR).await)?);
    Builder::new().clock(&clock).run(async { main.await? }).unwrap();
    assert_eq!(clock.elapsed(), HOUR);
}

#[test]
fn r09_another_thread_that_is_at_work_does() {
    let clock = VirtualClock::new();
    let time = clock.clone();
    let main = nursery(async |n| {
        let (sleeps, asleep) = oneshot::channel();
        n.spawn(async {
            let asks = to_thread(move || {
                Token::current()?.run(async move || {
                    let _ = sleeps.send(());
                    sleep(HOUR).await
                })?
            });
            asks.await?
        });
        let (go_on, told) = mpsc::channel::<()>();
        let at_work = n.spawn(async move { to_thread(move || told.recv().is_err()).await });
        cancellable(asleep).await?.map_err(Error::from)?;
        for _ in 0..10 {
            // The run has nothing to do meanwhile.
            to_thread(|| ()).await?;
            assert_eq!(time.elapsed(), Duration::ZERO);
        }
        drop(go_on);
        assert!(at_work.await?);
        Ok(())
    });
    Builder::new().clock(&clock).run(main).unwrap();
    assert_eq!(clock.elapsed(), HOUR);
}

/// A function on another thread that calls its run back, which needs the permit that it holds. The
/// lines are those of the function and of the call.
async fn needs_its_own_permit(lines: &mut (u32, u32)) -> Result<i32> {
    current_default_thread_limiter()?.set_total(1);
    *lines = (line!() + 1, line!() + 3);
    let one = to_thread(|| {
        let token = Token::current()?;
        token.run(async || to_thread(|| 1).await)?
    });
    one.await?
}

#[test]
fn r09_a_thread_that_waits_for_the_run_that_waits_for_it_is_a_deadlock() {
    let clock = VirtualClock::new();
    for builder in [Builder::new(), Builder::new().clock(&clock)] {
        let mut lines = (0, 0);
        let builder = builder.detect_deadlock(true).fail_when_stuck(true);
        let error = builder.run(needs_its_own_permit(&mut lines)).unwrap_err();
        let deadlock = error.find::<Deadlock>().unwrap_or_else(|| panic!("{error:?}"));
        let text = deadlock.to_string();
        assert!(text.contains(&format!("outside.rs:{}:", lines.0)), "{text}");
        assert!(text.contains(&format!("outside.rs:{}:", lines.1)), "{text}");
        assert!(text.contains("limiter of its own"), "{text}");
    }
}

/// It is not a deadlock where something may still come from another thread.
#[test]
fn r09_nor_is_it_one_while_another_thread_is_at_work() {
    let (go_on, told) = mpsc::channel::<()>();
    let main = nursery(async |n| {
        let value = n.spawn(async { needs_its_own_permit(&mut (0, 0)).await });
        let others = CapacityLimiter::new(2);
        let at_work = to_thread(move || told.recv().is_err()).limiter(&others);
        let at_work = n.spawn(at_work);
        to_thread(move || drop(go_on)).limiter(&others).await?;
        assert!(at_work.await?);
        current_default_thread_limiter()?.set_total(2);
        assert_eq!(value.await?, 1);
        Ok(())
    });
    Builder::new().detect_deadlock(true).run(main).unwrap();
}

/// Resolves what is reported, and returns what was said.
async fn mended<T>(mend: fn(), main: impl Future<Output = Result<T>>) -> Result<(T, Vec<String>)> {
    struct Mends {
        token: Token,
        mend: fn(),
        said: Arc<Mutex<Vec<String>>>,
    }
    impl tracing::Subscriber for Mends {
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
            event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                text += &format!("{field}={value:?} ");
            });
            self.said.lock().unwrap().push(text);
            self.token.run_sync_soon(self.mend).unwrap();
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    let said = Arc::default();
    let mends = Mends { token: Token::current()?, mend, said: Arc::clone(&said) };
    let _guard = tracing::subscriber::set_default(mends);
    let value = main.await?;
    let said = said.lock().unwrap().clone();
    Ok((value, said))
}

/// Where deadlocks are not looked for it is reported.
#[test]
fn r09_it_is_reported_in_production() {
    let (mut lines, clock) = ((0, 0), VirtualClock::new());
    let mend = || current_default_thread_limiter().unwrap().set_total(2);
    let main = mended(mend, needs_its_own_permit(&mut lines));
    let (value, said) = Builder::new().clock(&clock).run(main).unwrap();
    assert_eq!(value, 1);
    let [text] = &said[..] else { panic!("{said:?}") };
    assert!(text.contains("stuck") && text.contains(&format!("outside.rs:{}:", lines.0)), "{text}");
    assert!(text.contains(&format!("outside.rs:{}:", lines.1)), "{text}");
}

/// A clean-up that waits for what never comes keeps the run from ending.
#[test]
fn r09_a_clean_up_that_nothing_will_end_is_reported() {
    thread_local! { static EVENT: Rc<Event> = Rc::new(Event::new()); }
    let (mut line, clock, event) = (0, VirtualClock::new(), EVENT.with(Rc::clone));
    let main = mended(|| EVENT.with(|event| event.set()), async {
        cancel_scope(async |scope| {
            scope.cancel();
            line = line!() + 1;
            let shield = CancelScope::new().with_shield();
            shield.enter(async |_| event.wait().await).await?;
            Ok(())
        })
        .await
    });
    let (cleaned, said) = Builder::new().clock(&clock).run(main).unwrap();
    assert!(cleaned.is_some());
    let [text] = &said[..] else { panic!("{said:?}") };
    assert!(
        text.contains(&format!(
            "the clean-up in the scope opened at tests/time/outside.rs:{line}:"
        ))
    );
}

/// As an error, where that was asked for.
#[test]
fn r09_or_fails_the_run_that_is_to_fail_when_stuck() {
    let mut lines = (0, 0);
    let builder = Builder::new().fail_when_stuck(true);
    let error = builder.run(needs_its_own_permit(&mut lines)).unwrap_err();
    let place: &Location<'_> = error.find::<Stuck>().expect("it is stuck").place();
    assert_eq!(place.line(), lines.0);
    run(async { Ok(()) }).unwrap(); // and nothing is left behind on this thread
}
