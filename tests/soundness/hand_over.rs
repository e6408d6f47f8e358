//! A child changes nurseries, and what is woken for it drops the nursery it goes to.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use futures::task::noop_waker;
use seedbed::{
    CancelScope, NurseryHandle, cancel_scope, checkpoint, nursery, sleep_forever, yield_now,
};

use super::{Boxed, Slot, run};

thread_local! {
    static DOOMED: Slot = Slot::default();
}

/// Drops the nursery in `DOOMED` when it is woken.
struct Drops;

impl Wake for Drops {
    fn wake(self: Arc<Self>) {
        let doomed = DOOMED.with(Slot::take);
        drop(doomed);
    }
}

fn drops() -> Waker {
    Waker::from(Arc::new(Drops))
}

/// Opens a nursery that is dropped by its own host's waker, and gives a handle to it.
fn doomed(waker: &Waker) -> NurseryHandle {
    let slot = Rc::new(RefCell::new(None));
    let keep = slot.clone();
    let mut future: Boxed<'static> = Box::pin(nursery(async move |n| {
        *keep.borrow_mut() = Some(n.handle());
        let shielded = CancelScope::new().with_shield();
        shielded.enter(async |_| sleep_forever().await).await.map(drop)
    }));
    assert!(future.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    DOOMED.with(|slot| slot.put(future));
    slot.take().expect("the body has run")
}

#[test]
fn n07_the_host_of_the_nursery_drops_it() {
    run(async {
        let handle = doomed(&drops());
        let ran = Rc::new(Cell::new(false));
        let log = ran.clone();
        let start = handle.start(async move |started| {
            let kept = Box::new(7);
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::Ready(())
            })
            .await;
            started.ready(());
            log.set(*kept == 7);
            Ok(())
        })?;
        start.await?;
        assert!(ran.get());
        assert!(!handle.is_open());
        Ok(())
    })
    .unwrap();
}

#[test]
fn n07_what_waits_in_the_child_drops_the_nursery() {
    run(async {
        let handle = doomed(&noop_waker());
        let slot = Rc::new(RefCell::new(None));
        let keep = slot.clone();
        let mut start = Box::pin(handle.start(async move |started| {
            *keep.borrow_mut() = Some(started);
            let foreign = drops();
            let mut waits = Box::pin(cancel_scope(async |_| sleep_forever().await));
            poll_fn(|_| {
                let polled = waits.as_mut().poll(&mut Context::from_waker(&foreign));
                assert!(polled.is_pending());
                Poll::<()>::Pending
            })
            .await;
            Ok(())
        })?);
        for _ in 0..3 {
            poll_fn(|cx| {
                assert!(start.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            yield_now().await?;
        }
        handle.cancel();
        slot.take().expect("the child has run").ready(());
        assert!(!handle.is_open());
        Ok(())
    })
    .unwrap();
}

/// The scope a child was handed over to is kept by whoever keeps the one it came from.
#[test]
fn n07_a_with_outlives_both_nurseries() {
    let elsewhere: Rc<RefCell<Option<Boxed<'static>>>> = Rc::default();
    run(async {
        let keep = elsewhere.clone();
        nursery(async move |n| {
            let start = n.handle().start(async move |started| {
                let manager = seedbed::context_manager(async |y: seedbed::Yielder<()>| {
                    let _guard = seedbed::prevent_yields("kept");
                    y.yield_(()).await.map(drop)
                });
                let mut entered: Boxed<'static> = Box::pin(seedbed::with(manager, async |()| {
                    for _ in 0..3 {
                        cancel_scope(async |_| yield_now().await).await?;
                        checkpoint().await?;
                    }
                    Ok(())
                }));
                poll_fn(|cx| {
                    assert!(entered.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                started.ready(());
                *keep.borrow_mut() = Some(entered);
                Ok(())
            })?;
            start.await
        })
        .await?;
        let entered = elsewhere.take().expect("it was put there");
        entered.await
    })
    .unwrap();
}
