//! Names that mean something else.

use std::time::Duration;

use seedbed::{Result, Yielder, generator};

use crate::programs::drain;

const SECOND: Duration = Duration::from_secs(1);

mod other {
    use super::*;

    /// Like `seedbed::nursery`, but opens nothing.
    pub async fn nursery<T>(body: impl AsyncFnOnce(&()) -> Result<T>) -> Result<T> {
        body(&()).await
    }

    pub async fn cancel_scope<T>(body: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
        body().await
    }

    pub async fn move_on_after<T>(_: Duration, body: impl Future<Output = T>) -> T {
        body.await
    }
}

pub async fn a_function_of_a_module() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        other::nursery(async |_| y.yield_(1).await.map(drop)).await
    }))
    .await
}

pub async fn an_import_from_elsewhere() -> Result<()> {
    use other::cancel_scope;
    drain(generator(async |y: Yielder<u32>| {
        cancel_scope(async || y.yield_(1).await.map(drop)).await
    }))
    .await
}

pub async fn a_glob_that_is_shadowed() -> Result<()> {
    #[allow(unused_imports)]
    use seedbed::*;
    use other::move_on_after;
    drain(generator(async |y: Yielder<u32>| {
        move_on_after(SECOND, async { y.yield_(1).await.map(drop) }).await
    }))
    .await
}

pub async fn a_local_that_shadows() -> Result<()> {
    use seedbed::fail_after;
    fail_after(SECOND, seedbed::checkpoint()).await?;
    drain(generator(async |y: Yielder<u32>| {
        let fail_after = async |_: Duration, body: std::pin::Pin<&mut dyn Future<Output = _>>| {
            body.await
        };
        let step = std::pin::pin!(async { y.yield_(1).await.map(drop) });
        fail_after(SECOND, step).await
    }))
    .await
}

mod shadowed {
    #[allow(dead_code)]
    pub mod seedbed {
        pub async fn nursery<T>(body: impl AsyncFnOnce(&()) -> T) -> T {
            body(&()).await
        }
    }
}

pub async fn a_module_with_the_name_of_the_crate() -> Result<()> {
    use shadowed::seedbed;
    drain(generator(async |y: Yielder<u32>| {
        seedbed::nursery(async |_| y.yield_(1).await.map(drop)).await
    }))
    .await
}
