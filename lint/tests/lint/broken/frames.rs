//! Yielders that are used in other frames than their own.

use std::rc::Rc;

use seedbed::{
    Nursery, NurseryHandle, Result, Yielder, channel, context_manager, generator, iterate,
    nursery, safe_channel, with,
};

use crate::programs::drain;

pub async fn in_a_child() -> Result<()> {
    let mut numbers = generator(async |y: Yielder<u32>| {
        let y = Rc::new(y);
        nursery(async |n| {
            for i in 0..3 {
                let y = y.clone();
                n.spawn(async move { y.yield_(i).await.map(drop) }); //~ yield-in-other-frame
            }
            Ok(())
        })
        .await
    });
    numbers.anext().await.map(drop)
}

pub async fn in_a_child_that_is_given_a_function() -> Result<()> {
    async fn feed(y: &Yielder<u32>) -> Result<()> {
        y.yield_(1).await.map(drop)
    }
    drain(generator(async |y: Yielder<u32>| {
        let y = &y;
        nursery(async |n: &Nursery<'_, '_>| {
            n.spawn(feed(y)).await //~ yield-in-other-frame
        })
        .await
    }))
    .await
}

pub async fn in_an_inner_generator() -> Result<()> {
    drain(generator(async |outer: Yielder<u32>| {
        nursery(async |n| {
            let mut inner = n.generator(async |inner: Yielder<u32>| {
                inner.yield_(1).await?;
                outer.yield_(2).await.map(drop) //~ yield-in-other-frame
            });
            while inner.anext().await?.is_some() {}
            Ok(())
        })
        .await
    }))
    .await
}

pub async fn in_a_manager() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let manager = context_manager(async |m: Yielder<()>| {
            y.yield_(1).await?; //~ yield-in-other-frame
            m.yield_(()).await.map(drop)
        });
        with(manager, async |()| Ok(())).await
    }))
    .await
}

pub async fn in_a_producer() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        safe_channel(
            1,
            async |feed| {
                feed.yield_(1).await?;
                y.yield_(2).await.map(drop) //~ yield-in-other-frame
            },
            async |items| {
                while items.recv().await?.is_some() {}
                Ok(())
            },
        )
        .await
    }))
    .await
}

pub async fn beside_a_handle() -> Result<()> {
    async fn with_handle(handle: NurseryHandle) -> Result<()> {
        let (tx, rx) = channel::<Result<()>>(1);
        drain(generator(async move |y: Yielder<u32>| {
            let y = Rc::new(y);
            let child = handle.spawn(async move {
                let outcome = y.yield_(1).await.map(drop); //~ yield-in-other-frame
                Ok(tx.send(outcome).await?)
            });
            assert!(child.is_ok());
            rx.recv().await?.unwrap_or(Ok(()))
        }))
        .await
    }
    nursery(async |n: &Nursery<'_, '_>| with_handle(n.handle()).await).await
}

pub async fn in_the_body_of_an_iterate() -> Result<()> {
    drain(generator(async |outer: Yielder<u32>| {
        iterate(
            async |inner: Yielder<u32>| {
                inner.yield_(1).await?;
                outer.yield_(2).await.map(drop) //~ yield-in-other-frame
            },
            async |items| {
                while items.anext().await?.is_some() {}
                Ok(())
            },
        )
        .await
    }))
    .await
}
