//! What onlookers are told.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::onlookers::{self, Happening, Occasion, Onlooker};
use crate::nursery::core::Core;
use crate::platform::virtual_clock::VirtualClock;
use crate::schedule::units::unit::Unit;
use crate::{Builder, Result, nursery, sleep, yield_now};

/// Writes down what it is told. Children are named by the order in which they were spawned.
#[derive(Default)]
struct Log {
    lines: RefCell<Vec<String>>,
    known: RefCell<Vec<u32>>,
}

impl Log {
    fn add(&self, what: &str, unit: &Unit) {
        let name = if Core::is_child(unit) {
            let mut known = self.known.borrow_mut();
            let at = known.iter().position(|&index| index == unit.index()).unwrap_or_else(|| {
                known.push(unit.index());
                known.len() - 1
            });
            format!("child {at}")
        } else {
            "a body".into()
        };
        self.lines.borrow_mut().push(format!("{what} {name}"));
    }

    fn take(&self) -> Vec<String> {
        self.lines.take()
    }
}

impl Onlooker for Log {
    fn spawned(&self, unit: &Unit) {
        self.add("spawned", unit);
    }

    fn woken(&self, unit: &Unit) {
        self.add("woken", unit);
    }

    fn happened(&self, what: &Happening) {
        self.lines.borrow_mut().push(format!("{what:?}"));
    }

    fn before_poll(&self, unit: &Unit, occasion: Occasion) {
        self.add(&format!("{occasion:?}: poll of"), unit);
    }

    fn after_poll(&self, unit: &Unit) {
        self.add("polled", unit);
    }

    fn ended(&self, unit: &Unit) {
        self.add("ended", unit);
    }

    fn before_sleep(&self, longest: Option<Duration>) {
        self.lines.borrow_mut().push(format!("sleeps {longest:?}"));
    }

    fn after_sleep(&self) {
        self.lines.borrow_mut().push("slept".into());
    }
}

fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new().clock(&VirtualClock::new()).detect_deadlock(true).run(main)
}

/// Calls `main` with a log that begins when it calls `look_on`.
async fn logged(main: impl AsyncFnOnce(&dyn Fn()) -> Result<()>) -> Result<Vec<String>> {
    let log = Rc::new(Log::default());
    let onlooker: Rc<dyn Onlooker> = log.clone();
    main(&|| onlookers::add(onlooker.clone())).await?;
    onlookers::remove(&onlooker);
    Ok(log.take())
}

#[test]
fn polls_wakes_and_sleeps_are_told_in_their_order() {
    let lines = run(logged(async |look_on| {
        look_on();
        nursery(async |n| {
            n.spawn(async { yield_now().await });
            n.spawn(sleep(Duration::from_secs(1)));
            Ok(())
        })
        .await
    }));
    let expected = [
        "Opened: poll of a body",
        "spawned child 0",
        "woken child 0",
        "spawned child 1",
        "woken child 1",
        "polled a body", // the main future's poll has begun before
        "Woken: poll of child 0",
        "woken child 0",
        "polled child 0",
        "Woken: poll of child 1",
        "polled child 1",
        "Woken: poll of child 0",
        "ended child 0",
        "polled child 0",
        "sleeps Some(1s)",
        "slept",
        "woken child 1",
        "Nurseries: poll of a body",
        "Woken: poll of child 1",
        "ended child 1",
        "polled child 1",
        "woken a body",
    ];
    assert_eq!(lines.unwrap(), expected);
}

/// Nurseries further up have begun to poll when nobody looked on.
#[test]
fn who_begins_to_look_on_deep_in_the_tree_sees_the_next_poll_on_every_level() {
    for budget in [1, 128] {
        let lines = Builder::new().clock(&VirtualClock::new()).budget(budget).run(logged(
            async |look_on| {
                nursery(async |outer| {
                    outer.spawn(nursery(async |inner| {
                        inner.spawn(async {
                            look_on();
                            Ok(())
                        });
                        inner.spawn(async { Ok(()) });
                        Ok(())
                    }));
                    outer.spawn(yield_now());
                    outer.spawn(yield_now());
                    Ok(())
                })
                .await
            },
        ));
        let polls: Vec<_> = lines.unwrap();
        let polls: Vec<_> =
            polls.iter().filter(|line| line.contains("Woken: poll of child")).collect();
        assert_eq!(polls.len(), 3, "{polls:?}");
    }
}
