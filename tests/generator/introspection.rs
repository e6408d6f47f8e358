//! G8: names, states and places.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use seedbed::{Error, Event, Generator, GeneratorState, Result, Yielder, generator, sleep};

use crate::support::{cancelled, count, poll_once, run, secs};

pub fn ticker() -> Generator<'static, u32> {
    generator(async |y: Yielder<u32>| {
        y.yield_(1).await?;
        sleep(secs(1)).await?;
        Event::new().wait().await
    })
}

fn of_values<T: Default + 'static>() -> Generator<'static, T> {
    generator(async |y: Yielder<T>| y.yield_(T::default()).await.map(drop))
}

struct Feed;

impl Feed {
    fn items(&self) -> Generator<'static, u32> {
        generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop))
    }
}

async fn a_body(y: Yielder<u32>) -> Result<()> {
    y.yield_(1).await.map(drop)
}

#[test]
fn g08_names() {
    let g = ticker();
    assert_eq!(g.name(), "ticker");
    assert_eq!(g.qualname(), format!("{}::ticker", module_path!()));
    // As in Python, the qualified name may be set, and identifies the generator in errors.
    g.set_qualname("Sensor.ticks");
    assert_eq!((g.name(), &*g.qualname()), ("ticker", "Sensor.ticks"));
    assert_eq!(Feed.items().name(), "items");
    assert_eq!(generator(a_body).name(), "a_body");
    assert_eq!(of_values::<Vec<String>>().name(), "of_values", "without the types of the call");
    assert_eq!(of_values::<Vec<String>>().qualname().split('<').next(), {
        let path = concat!(module_path!(), "::of_values");
        Some(path)
    });
}

#[test]
fn g08_the_name_is_in_the_errors() {
    run(async {
        let mut g = generator(async |y: Yielder<u32, u32>| y.yield_(1).await.map(drop));
        g.set_qualname("Sensor.ticks");
        let error: Error = g.asend(1).await.unwrap_err().into();
        assert!(error.to_string().contains("Sensor.ticks"), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn g08_state_place_and_what_it_awaits() {
    run(async {
        let mut g = ticker();
        let made = g.place();
        assert_eq!(made.file(), file!());
        assert_eq!(
            (g.state(), g.suspended_at(), g.awaiting()),
            (GeneratorState::Created, None, None)
        );
        g.anext().await?;
        assert_eq!(g.state(), GeneratorState::Suspended);
        let at = g.suspended_at().expect("it is suspended");
        assert_eq!((at.file(), at.line()), (file!(), made.line() + 1));
        assert_eq!(g.awaiting(), None, "suspended at a yield it awaits nothing");
        assert!(poll_once(g.anext()).await.is_none());
        assert_eq!((g.state(), g.suspended_at()), (GeneratorState::Running, None));
        assert_eq!(g.awaiting(), Some("sleep"));
        sleep(secs(2)).await?;
        assert!(poll_once(g.anext()).await.is_none());
        let awaiting = g.awaiting().expect("it awaits the event");
        assert!(awaiting.contains("vent"), "{awaiting}");
        let debug = format!("{g:?}");
        assert!(debug.contains("ticker") && debug.contains("Running"), "{debug}");
        assert!(debug.contains(awaiting), "{debug}");
        cancelled(g.aclose()).await?;
        assert_eq!(
            (g.state(), g.suspended_at(), g.awaiting()),
            (GeneratorState::Finished, None, None)
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn g08_running_as_seen_from_its_own_body() {
    run(async {
        let seen = Rc::new(Cell::new(None));
        let shared: Rc<RefCell<Option<Generator<'static, u32>>>> = Rc::default();
        let see = seen.clone();
        let mut other = generator(async move |y: Yielder<u32>| count(&y).await);
        other.anext().await?;
        shared.replace(Some(other));
        let inside = shared.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            see.set(inside.borrow().as_ref().map(Generator::state));
            y.yield_(1).await.map(drop)
        });
        g.anext().await?;
        assert_eq!(seen.get(), Some(GeneratorState::Suspended));
        g.aclose().await?;
        shared.take().unwrap().aclose().await
    })
    .unwrap();
}
