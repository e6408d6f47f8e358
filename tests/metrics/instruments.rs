//! Instruments: what they are told, in which order, and what they may do.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use seedbed::inspect::{self, AddedInstrument, Instrument, TaskInfo, add_instrument};
use seedbed::testing::VirtualClock;
use seedbed::{
    CancelScope, Event, NurseryHandle, Result, cancel_scope, nursery, sleep, sleep_forever,
    yield_now,
};

use super::{builder, run};

/// Writes down what it is told.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn add(&self, what: &str, task: &TaskInfo) {
        self.0.borrow_mut().push(format!("{what} {}", task.name().unwrap_or("main")));
    }

    fn line(&self, line: String) {
        self.0.borrow_mut().push(line);
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

impl Instrument for Log {
    fn before_run(&self) {
        self.line("before the run".into());
    }

    fn after_run(&self) {
        self.line("after the run".into());
    }

    fn task_spawned(&self, task: &TaskInfo) {
        self.add("spawned", task);
    }

    fn task_scheduled(&self, task: &TaskInfo) {
        self.add("scheduled", task);
    }

    fn before_task_step(&self, task: &TaskInfo) {
        self.add("before", task);
    }

    fn after_task_step(&self, task: &TaskInfo) {
        self.add("after", task);
    }

    fn task_exited(&self, task: &TaskInfo) {
        self.add("exited", task);
    }

    fn before_io_wait(&self, timeout: Option<Duration>) {
        self.line(format!("before a wait of {timeout:?}"));
    }

    fn after_io_wait(&self, timeout: Option<Duration>) {
        self.line(format!("after a wait of {timeout:?}"));
    }
}

/// Trio tells the same, except that there the nursery's end is one step further.
#[test]
fn l04_an_instrument_is_told_what_trios_are() {
    let log = Log::default();
    let main = nursery(async |n| {
        n.named("outer").spawn(nursery(async |inner| {
            inner.named("inner").spawn(async {
                yield_now().await?;
                sleep(Duration::from_secs(1)).await
            });
            Ok(())
        }));
        Ok(())
    });
    builder(&VirtualClock::new()).instrument(log.clone()).run(main).unwrap();
    let expected = [
        "before the run",
        "spawned main",
        "scheduled main",
        "before main",
        "spawned outer",
        "scheduled outer",
        "after main",
        "before outer",
        "spawned inner",
        "scheduled inner",
        "after outer",
        "before inner",
        "scheduled inner",
        "after inner",
        "before inner",
        "after inner",
        "before a wait of Some(1s)",
        "after a wait of Some(1s)",
        "scheduled inner",
        "before inner",
        "exited inner",
        "after inner",
        "scheduled outer",
        "before outer",
        "exited outer",
        "after outer",
        "scheduled main",
        "before main",
        "exited main",
        "after main",
        "after the run",
    ];
    let told = log.take();
    assert_eq!(told, expected, "{told:#?}");
}

#[test]
fn l04_an_instrument_is_added_and_removed_while_the_run_goes_on() {
    let log = Log::default();
    let added: AddedInstrument = run(async {
        let added = nursery(async |n| {
            n.named("one").spawn(async { yield_now().await });
            yield_now().await?;
            let added = add_instrument(log.clone())?;
            n.named("two").spawn(async { Ok(()) });
            Ok(added)
        })
        .await?;
        assert!(added.is_active());
        added.remove();
        assert!(!added.is_active());
        nursery(async |n| {
            n.named("three").spawn(async { Ok(()) });
            Ok(())
        })
        .await?;
        added.remove(); // a second time changes nothing
        Ok(added)
    });
    added.remove();
    let told = log.take();
    assert!(told.contains(&"before one".into()), "{told:?}");
    assert!(told.contains(&"spawned two".into()), "{told:?}");
    assert!(told.contains(&"exited two".into()), "{told:?}");
    assert!(!told.iter().any(|line| line.contains("three")), "{told:?}");
    assert!(add_instrument(log).is_err(), "there is no run");
}

#[test]
fn l04_an_instrument_that_panics_is_removed_with_a_warning() {
    struct Panics(Cell<u32>);
    impl Instrument for Panics {
        fn task_exited(&self, _: &TaskInfo) {
            self.0.set(self.0.get() + 1);
            std::panic::resume_unwind(Box::new("out of paper"));
        }
    }
    let (panics, log) = (Rc::new(Panics(Cell::new(0))), Log::default());
    let (outcome, records) = super::support::recording(|| {
        let choices = builder(&VirtualClock::new());
        choices.instrument(panics.clone()).instrument(log.clone()).run(nursery(async |n| {
            n.named("one").spawn(async { Ok(()) });
            n.named("two").spawn(async { Ok(()) });
            Ok(())
        }))
    });
    outcome.unwrap();
    assert_eq!(panics.0.get(), 1);
    assert!(log.take().contains(&"exited two".into()), "the other one goes on");
    let [record] = &records[..] else { panic!("{records:?}") };
    assert!(record.message().contains("an instrument has panicked"), "{record:?}");
    assert!(record.field("instrument").contains("Panics"));
    assert!(record.field("function").contains("task_exited"));
    assert!(record.field("panic").contains("out of paper"));
}

/// A panic in its destructor is nobody's: neither that of the task that has just been polled, whose
/// value is there, nor that of the one whose turn it is.
#[test]
fn l04_an_instrument_that_panics_when_it_is_removed_takes_no_task_with_it() {
    struct Panics(&'static str);
    impl Instrument for Panics {
        fn before_task_step(&self, task: &TaskInfo) {
            assert_ne!((self.0, task.name()), ("before", Some("second")), "in the function");
        }
        fn after_task_step(&self, task: &TaskInfo) {
            assert_ne!((self.0, task.name()), ("after", Some("first")), "in the function");
        }
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in the destructor");
        }
    }
    for when in ["before", "after"] {
        let got = run(async {
            add_instrument(Panics(when))?;
            nursery(async |n| {
                let first = n.named("first").spawn(async { Ok(vec![7_u64; 3]) });
                let second = n.named("second").spawn(async { Ok(Box::new(8_u64)) });
                Ok((first.await?, second.await?))
            })
            .await
        });
        assert_eq!(got, (vec![7; 3], Box::new(8)));
    }
}

/// A deadline that is set just before the run would sleep is kept.
#[test]
fn l04_an_instrument_may_set_a_deadline_before_a_wait() {
    struct Sets(CancelScope, Cell<bool>);
    impl Instrument for Sets {
        fn before_io_wait(&self, _: Option<Duration>) {
            if !self.1.replace(true) {
                self.0.set_timeout(Duration::from_millis(100));
            }
        }
    }
    for virtual_clock in [true, false] {
        let waits = async {
            let scope = CancelScope::new();
            add_instrument(Sets(scope.clone(), Cell::new(false)))?;
            scope.enter(async |_| sleep(Duration::from_secs(3600)).await).await
        };
        let outcome = match virtual_clock {
            true => run(waits),
            false => seedbed::run(waits).unwrap(),
        };
        assert_eq!(outcome, None, "it was cut short");
    }
}

/// What is made ready just before the run would sleep keeps it awake.
#[test]
fn l04_an_instrument_may_make_something_ready_before_a_wait() {
    struct Sets(Rc<Event>);
    impl Instrument for Sets {
        fn before_io_wait(&self, _: Option<Duration>) {
            self.0.set();
        }
    }
    for virtual_clock in [true, false] {
        let event = Rc::new(Event::new());
        let waits = async {
            add_instrument(Sets(event.clone()))?;
            seedbed::move_on_after(Duration::from_secs(3600), event.wait()).await
        };
        let outcome = match virtual_clock {
            true => run(waits),
            false => seedbed::run(waits).unwrap(),
        };
        assert_eq!(outcome, Some(()), "an hour has not gone by");
    }
}

/// Whatever it does, it is called for that when it has returned, and nothing breaks.
#[test]
fn l04_an_instrument_may_do_anything() {
    #[derive(Default)]
    struct Wild {
        handle: RefCell<Option<NurseryHandle>>,
        victim: RefCell<Option<CancelScope>>,
        event: Event,
        is_inside: Cell<bool>,
        calls: Cell<u32>,
    }
    impl Wild {
        fn act(&self) {
            assert!(!self.is_inside.replace(true), "it is not called before it has returned");
            let calls = self.calls.get() + 1;
            self.calls.set(calls);
            self.event.set();
            inspect::metrics().unwrap();
            inspect::dump().unwrap();
            if calls < 60
                && let Some(handle) = &*self.handle.borrow()
            {
                drop(handle.spawn(async { yield_now().await }));
            }
            if calls == 20 {
                inspect::enable().unwrap();
            }
            if calls == 30
                && let Some(victim) = self.victim.take()
            {
                victim.cancel();
            }
            if calls.is_multiple_of(7) {
                let added = add_instrument(Log::default()).unwrap();
                if calls.is_multiple_of(2) {
                    added.remove();
                }
            }
            if calls == 40 {
                // Polls a nursery by itself, and drops it half-way.
                let mut inner = Box::pin(nursery(async |n| {
                    n.spawn(sleep_forever());
                    sleep_forever().await
                }));
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                for _ in 0..3 {
                    let polled: std::task::Poll<Result<()>> = inner.as_mut().poll(&mut cx);
                    assert!(polled.is_pending());
                }
            }
            self.is_inside.set(false);
        }
    }
    impl Instrument for Wild {
        fn task_spawned(&self, _: &TaskInfo) {
            self.act();
        }
        fn task_scheduled(&self, _: &TaskInfo) {
            self.act();
        }
        fn before_task_step(&self, _: &TaskInfo) {
            self.act();
        }
        fn after_task_step(&self, _: &TaskInfo) {
            self.act();
        }
        fn task_exited(&self, _: &TaskInfo) {
            self.act();
        }
        fn before_io_wait(&self, _: Option<Duration>) {
            self.act();
        }
        fn after_io_wait(&self, _: Option<Duration>) {
            self.act();
        }
    }
    let wild = Rc::new(Wild::default());
    let choices = builder(&VirtualClock::new()).instrument(wild.clone());
    let interrupted = choices.run(nursery(async |n| {
        *wild.handle.borrow_mut() = Some(n.handle());
        let scope = CancelScope::new();
        *wild.victim.borrow_mut() = Some(scope.clone());
        n.spawn(wild.event.wait());
        let interrupted = scope.enter(async |_| sleep_forever().await).await?;
        cancel_scope(async |_| sleep(Duration::from_secs(1)).await).await?;
        wild.handle.take();
        Ok(interrupted)
    }));
    assert_eq!(interrupted.unwrap(), None);
    assert!(wild.calls.get() > 60);
}

#[test]
fn l04_an_instrument_stays_on_its_core() {
    let choices = seedbed::Builder::new().instrument(Log::default());
    let error = choices.run_on_cores(2, async |core| Ok(core)).unwrap_err();
    assert!(error.to_string().contains("Builder::instrument"), "{error}");
}
