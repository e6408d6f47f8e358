//! Context managers, which may yield inside scopes, and guards that are gone at the yield.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use seedbed::{
    ContextManager, Nursery, PreventYields, Receiver, Result, Yielder, channel, context_manager,
    fail_after, generator, nursery, prevent_yields, sleep, with,
};

use crate::programs::drain;

const SECOND: Duration = Duration::from_secs(1);

fn in_background() -> ContextManager<'static, Receiver<u32>> {
    context_manager(async |y: Yielder<Receiver<u32>>| {
        nursery(async |n| {
            let (tx, rx) = channel(1);
            n.spawn(async move { Ok(tx.send(1).await?) });
            y.yield_(rx).await.map(drop)
        })
        .await
    })
}

pub async fn a_manager_yields_in_a_nursery() -> Result<()> {
    with(in_background(), async |items| {
        while items.recv().await?.is_some() {}
        Ok(())
    })
    .await
}

pub async fn the_consumer_opens_it() -> Result<()> {
    fn doubled(items: Receiver<u32>) -> seedbed::Generator<'static, u32> {
        generator(async move |y: Yielder<u32>| {
            while let Some(item) = items.recv().await? {
                y.yield_(item * 2).await?;
            }
            Ok(())
        })
    }
    with(in_background(), async |items| drain(doubled(items)).await).await
}

pub async fn a_manager_that_holds_nothing() -> Result<()> {
    let log = Rc::new(RefCell::new(Vec::new()));
    let to = log.clone();
    let logged = move || {
        let to = to.clone();
        context_manager(async move |y: Yielder<()>| {
            to.borrow_mut().push("begin");
            y.yield_(()).await?;
            to.borrow_mut().push("end");
            Ok(())
        })
    };
    drain(generator(async move |y: Yielder<u32>| {
        with(logged(), async |()| y.yield_(1).await.map(drop)).await
    }))
    .await?;
    assert_eq!(*log.borrow(), ["begin", "end"]);
    Ok(())
}

pub async fn a_manager_that_has_left_its_scope() -> Result<()> {
    let connected = context_manager(async |y: Yielder<u32>| {
        let connection = fail_after(SECOND, async { Ok(7) }).await?;
        y.yield_(connection).await?;
        fail_after(SECOND, sleep(SECOND / 2)).await
    });
    drain(generator(async |y: Yielder<u32>| {
        with(connected, async |connection| y.yield_(connection).await.map(drop)).await
    }))
    .await
}

pub async fn a_manager_used_in_between() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let item = with(in_background(), async |items| items.recv().await).await?;
        y.yield_(item.unwrap_or(0)).await.map(drop)
    }))
    .await
}

pub async fn a_guard_that_was_dropped() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let guard = prevent_yields("for a moment");
        sleep(SECOND).await?;
        drop(guard);
        y.yield_(1).await.map(drop)
    }))
    .await
}

pub async fn a_guard_of_a_block() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        for i in 0..3 {
            let square = {
                let _guard = prevent_yields("while it is computed");
                i * i
            };
            y.yield_(square).await?;
        }
        Ok(())
    }))
    .await
}

pub async fn a_guard_that_moved_on() -> Result<()> {
    fn finish(_: PreventYields) -> u32 {
        1
    }
    drain(generator(async |y: Yielder<u32>| {
        let guard = prevent_yields("until it is finished");
        let value = finish(guard);
        y.yield_(value).await.map(drop)
    }))
    .await
}

pub async fn a_guard_of_the_consumer() -> Result<()> {
    let mut numbers = generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop));
    let _guard = prevent_yields("this is no generator");
    numbers.anext().await?;
    numbers.aclose().await
}

pub async fn a_helper_that_is_called_outside() -> Result<()> {
    async fn page(y: &Yielder<u32>, n: u32) -> Result<()> {
        let last = fail_after(SECOND, async { Ok(n) }).await?;
        for i in 0..last {
            y.yield_(i).await?;
        }
        Ok(())
    }
    drain(generator(async |y: Yielder<u32>| {
        page(&y, 2).await?;
        fail_after(SECOND, sleep(SECOND / 2)).await?;
        page(&y, 3).await
    }))
    .await
}

pub async fn a_helper_of_a_manager() -> Result<()> {
    async fn opened(y: &Yielder<u32>) -> Result<()> {
        nursery(async |_: &Nursery<'_, '_>| y.yield_(1).await.map(drop)).await
    }
    let manager = context_manager(async |y: Yielder<u32>| opened(&y).await);
    with(manager, async |one| sleep(one * SECOND).await).await
}

pub async fn a_manager_in_a_generator() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let manager = context_manager(async |m: Yielder<u32>| {
            fail_after(SECOND, async { m.yield_(1).await.map(drop) }).await
        });
        let one = with(manager, async |one| Ok(one)).await?;
        y.yield_(one).await.map(drop)
    }))
    .await
}

async fn limited<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    fail_after(SECOND, future).await
}

async fn after_a_while<T>(pause: Duration, future: impl Future<Output = Result<T>>) -> Result<T> {
    limited(sleep(pause)).await?;
    fail_after(SECOND, async { sleep(pause).await }).await?;
    future.await
}

pub async fn a_helper_that_runs_it_outside() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        after_a_while(SECOND / 2, async { y.yield_(1).await.map(drop) }).await?;
        let value = limited(async { Ok(2) }).await?;
        after_a_while(SECOND / 2, y.yield_(value)).await.map(drop)
    }))
    .await
}

pub async fn a_helper_that_is_given_what_came_out() -> Result<()> {
    async fn checked(answer: Option<()>, limit: Duration) -> Result<()> {
        fail_after(limit, async {
            sleep(SECOND / 2).await?;
            assert!(answer.is_none());
            Ok(())
        })
        .await
    }
    drain(generator(async |y: Yielder<u32>| {
        checked(y.yield_(1).await?, SECOND).await?;
        limited(checked(y.yield_(2).await?, SECOND)).await
    }))
    .await
}

pub async fn a_helper_that_uses_what_came_out_inside() -> Result<()> {
    async fn then_wait(future: impl Future<Output = Result<u32>>) -> Result<()> {
        let seconds = future.await?;
        fail_after(10 * SECOND, sleep(seconds * SECOND)).await
    }
    drain(generator(async |y: Yielder<u32>| {
        then_wait(async {
            y.yield_(1).await?;
            Ok(2)
        })
        .await
    }))
    .await
}
