//! G12: yielders and yields that are leaked, or outlive what they belong to.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use seedbed::{
    Result, Yielder, YielderMisused, generator, iterate, sleep, sync_generator, yield_now,
};

use crate::support::{DropGuard, Drops, catching, poll_once, run, secs};

type Yield = Pin<Box<dyn Future<Output = Result<Option<()>>>>>;

/// A yield that has been polled once, and that may go anywhere, as its yielder is leaked.
async fn begun(y: Yielder<DropGuard>, value: DropGuard) -> Yield {
    let y: &'static Yielder<DropGuard> = Box::leak(Box::new(y));
    let mut waiting: Yield = Box::pin(y.yield_(value));
    assert!(poll_once(waiting.as_mut()).await.is_none());
    waiting
}

#[test]
fn g12_a_body_leaks_its_yield_and_ends() {
    let drops = Drops::default();
    run(async {
        let value = drops.guard();
        let mut g = generator(async move |y| {
            std::mem::forget(begun(y, value).await);
            Ok(())
        });
        assert!(g.anext().await?.is_none());
        assert!(g.anext().await?.is_none());
        Ok(())
    })
    .unwrap();
    assert_eq!(drops.count(), 1, "the value that nobody got");
    let value = drops.guard();
    let mut g = sync_generator(async move |y| {
        std::mem::forget(begun(y, value).await);
        Ok(())
    });
    assert!(g.next().is_none());
    drop(g);
    assert_eq!(drops.count(), 2);
}

#[test]
fn g12_a_body_leaks_its_yield_and_panics() {
    let drops = Drops::default();
    run(async {
        let value = drops.guard();
        let mut g = generator(async move |y| {
            std::mem::forget(begun(y, value).await);
            panic!("of the body")
        });
        assert!(catching(g.anext()).await.is_err());
        assert!(g.anext().await?.is_none());
        Ok(())
    })
    .unwrap();
    assert_eq!(drops.count(), 1);
}

#[test]
fn g12_a_body_leaks_its_yield_and_panics_and_so_does_its_waker() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("of the waker");
        }
    }
    let mut g = sync_generator(async |y: Yielder<i32>| {
        let mut waiting = Box::pin(y.yield_(1));
        let waker = Waker::from(Arc::new(Bomb));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        std::mem::forget(waiting); // the last waker is the one that it was polled with
        drop(waker);
        panic!("of the body")
    });
    let panicked = catch_unwind(AssertUnwindSafe(|| g.next())).unwrap_err();
    assert_eq!(*panicked.downcast::<&str>().unwrap(), "of the body");
    assert!(g.next().is_none());
}

#[test]
fn g12_a_body_leaks_its_yield_and_goes_on() {
    let drops = Drops::default();
    run(async {
        let value = drops.guard();
        let mut g = generator(async move |y| {
            std::mem::forget(begun(y, value).await);
            yield_now().await
        });
        let next = g.anext().await?;
        assert!(next.is_some(), "it was suspended there, even so");
        drop(next);
        assert!(g.anext().await?.is_none());
        Ok(())
    })
    .unwrap();
    assert_eq!(drops.count(), 1);
}

#[test]
fn g12_a_yield_outlives_its_generator() {
    let drops = Drops::default();
    let kept: Rc<RefCell<Option<Yield>>> = Rc::default();
    run(async {
        let (value, place) = (drops.guard(), kept.clone());
        let mut g = generator(async move |y| {
            *place.borrow_mut() = Some(begun(y, value).await);
            sleep(secs(1)).await
        });
        assert!(g.anext().await?.is_some());
        drop(g);
        Ok(())
    })
    .unwrap();
    let mut waiting = kept.take().expect("the body has kept it");
    run(async {
        assert!(poll_once(waiting.as_mut()).await.is_none(), "nobody resumes it any more");
        drop(waiting);
        Ok(())
    })
    .unwrap();
    assert_eq!(drops.count(), 1);
}

#[test]
fn g12_a_yielder_outlives_its_generator() {
    run(async {
        let kept: Rc<RefCell<Option<Yielder<u32>>>> = Rc::default();
        let place = kept.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            y.yield_(1).await?;
            *place.borrow_mut() = Some(y);
            Ok(())
        });
        assert_eq!(g.anext().await?, Some(1));
        assert_eq!(g.anext().await?, None);
        let y = kept.take().expect("the body has kept it");
        let before = y.yield_(2).await.unwrap_err();
        drop(g);
        let after = y.yield_(3).await.unwrap_err();
        for error in [before, after] {
            assert!(error.is::<YielderMisused>());
            assert!(error.to_string().contains("after"), "{error}");
        }
        let place = kept.clone();
        iterate(
            async move |y: Yielder<u32>| {
                *place.borrow_mut() = Some(y);
                Ok(())
            },
            async |items| items.anext().await,
        )
        .await?;
        let y = kept.take().expect("the body has kept it");
        assert!(y.yield_(4).await.unwrap_err().is::<YielderMisused>());
        Ok(())
    })
    .unwrap();
}

/// A value that uses its own generator's yielder when it is dropped.
struct Yields(Rc<RefCell<Option<Yielder<Yields>>>>, Rc<Cell<u32>>);

impl Drop for Yields {
    fn drop(&mut self) {
        let Some(y) = self.0.borrow_mut().take() else { return };
        let value = Yields(Rc::default(), self.1.clone());
        let mut refused = Box::pin(async move { y.yield_(value).await.map(drop) });
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(matches!(refused.as_mut().poll(&mut cx), Poll::Ready(Err(_))));
        self.1.set(self.1.get() + 1);
    }
}

#[test]
fn g12_a_value_yields_while_its_link_is_dropped() {
    let count = Rc::new(Cell::new(0));
    let shared: Rc<RefCell<Option<Yielder<Yields>>>> = Rc::default();
    run(async {
        let (place, count) = (shared.clone(), count.clone());
        let mut g = generator(async move |y: Yielder<Yields>| {
            let value = Yields(place.clone(), count);
            let mut waiting = Box::pin(y.yield_(value));
            // It has its value in the link, and stays there: the body ends.
            poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await;
            std::mem::forget(waiting);
            *place.borrow_mut() = Some(y);
            Ok(())
        });
        assert!(g.anext().await?.is_none());
        Ok(())
    })
    .unwrap();
    assert_eq!(count.get(), 1);
}
