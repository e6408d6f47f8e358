//! Yields in what something else holds open: context managers, guards, functions.

use std::time::Duration;

use seedbed::{
    ContextManager, Nursery, PreventYields, Receiver, Result, Yielder, aclosing, channel,
    context_manager, fail_after, generator, iterate, nursery, prevent_yields, sleep, with,
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

pub async fn a_manager_of_the_file() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        with(in_background(), async |items| {
            while let Some(item) = items.recv().await? {
                y.yield_(item).await?; //~ yield-in-scope
            }
            Ok(())
        })
        .await
    }))
    .await
}

pub async fn a_manager_in_a_variable() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let limited = context_manager(async |inside: Yielder<()>| {
            fail_after(SECOND, async { inside.yield_(()).await.map(drop) }).await
        });
        with(limited, async |()| {
            sleep(SECOND / 2).await?;
            y.yield_(1).await //~ yield-in-scope
        })
        .await?;
        Ok(())
    }))
    .await
}

pub async fn a_manager_that_uses_a_manager() -> Result<()> {
    fn doubled() -> ContextManager<'static, u32> {
        context_manager(async |y: Yielder<u32>| {
            with(in_background(), async |items| {
                let item = items.recv().await?.unwrap_or(0);
                y.yield_(item * 2).await.map(drop)
            })
            .await
        })
    }
    drain(generator(async |y: Yielder<u32>| {
        with(doubled(), async |item| y.yield_(item).await.map(drop)).await //~ yield-in-scope
    }))
    .await
}

pub async fn a_guard() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let _span = prevent_yields("a span is open");
        y.yield_(1).await?; //~ yield-in-scope
        Ok(())
    }))
    .await
}

pub async fn a_guard_that_is_dropped_too_late() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let guard = prevent_yields("the table is locked");
        for i in 0..3 {
            y.yield_(i).await?; //~ yield-in-scope
        }
        drop(guard);
        Ok(())
    }))
    .await
}

pub async fn a_guard_that_a_function_returns() -> Result<()> {
    fn lock() -> PreventYields {
        prevent_yields("what `lock` returns")
    }
    drain(generator(async |y: Yielder<u32>| {
        let _guard = lock();
        y.yield_(1).await.map(drop) //~ yield-in-scope
    }))
    .await
}

pub async fn a_helper_that_is_called_inside() -> Result<()> {
    async fn page(y: &Yielder<u32>, n: u32) -> Result<()> {
        for i in 0..n {
            y.yield_(i).await?;
        }
        Ok(())
    }
    drain(generator(async |y: Yielder<u32>| {
        fail_after(SECOND, page(&y, 3)).await //~ yield-in-scope
    }))
    .await
}

pub async fn a_helper_that_opens() -> Result<()> {
    async fn page(to: &Yielder<u32>) -> Result<()> {
        fail_after(SECOND, async {
            to.yield_(1).await?; //~ yield-in-scope
            Ok(())
        })
        .await
    }
    drain(generator(async |y: Yielder<u32>| page(&y).await)).await
}

pub async fn a_helper_of_a_helper() -> Result<()> {
    async fn outer(y: &Yielder<u32>) -> Result<()> {
        inner(7, y).await
    }
    async fn inner(value: u32, y: &Yielder<u32>) -> Result<()> {
        y.yield_(value).await.map(drop)
    }
    drain(generator(async |y: Yielder<u32>| {
        nursery(async |_: &Nursery<'_, '_>| outer(&y).await).await //~ yield-in-scope
    }))
    .await
}

pub async fn a_closure_that_is_called_inside() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let emit = async |value: u32| y.yield_(value).await;
        emit(1).await?; // this one is right
        fail_after(SECOND, async { emit(2).await.map(drop) }).await //~ yield-in-scope
    }))
    .await
}

pub async fn the_future_of_a_closure() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let emit = async |value: u32| y.yield_(value).await.map(drop);
        emit(1).await?;
        let second = emit(2);
        fail_after(SECOND, second).await //~ yield-in-scope
    }))
    .await
}

pub async fn around_a_consumer() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let inner = generator(async |inner: Yielder<u32>| inner.yield_(1).await.map(drop));
        fail_after(
            SECOND,
            aclosing(inner, async |inner| {
                while let Some(item) = inner.anext().await? {
                    y.yield_(item).await?; //~ yield-in-scope
                }
                Ok(())
            }),
        )
        .await
    }))
    .await
}

pub async fn in_the_body_of_an_iterate() -> Result<()> {
    iterate(
        async |y: Yielder<u32>| {
            fail_after(SECOND, async { y.yield_(1).await.map(drop) }).await //~ yield-in-scope
        },
        async |items| items.anext().await.map(drop),
    )
    .await
}

async fn limited<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    fail_after(SECOND, future).await
}

async fn limited_each<T>(limit: Duration, f: impl AsyncFn(u32) -> Result<T>) -> Result<Vec<T>> {
    let mut all = Vec::new();
    for i in 0..3 {
        all.push(fail_after(limit, async { f(i).await }).await?);
    }
    Ok(all)
}

pub async fn a_helper_that_is_given_a_future() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        limited(async {
            y.yield_(1).await?; //~ yield-in-scope
            Ok(())
        })
        .await
    }))
    .await
}

pub async fn a_helper_that_is_given_a_closure() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        limited_each(SECOND, async |i| y.yield_(i).await).await?; //~ yield-in-scope
        Ok(())
    }))
    .await
}

pub async fn a_helper_that_is_given_what_has_a_name() -> Result<()> {
    async fn twice_limited<T>(work: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
        limited(work()).await
    }
    drain(generator(async |y: Yielder<u32>| {
        let step = async || y.yield_(1).await.map(drop);
        twice_limited(step).await //~ yield-in-scope
    }))
    .await
}
