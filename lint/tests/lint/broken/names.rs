//! The same under other names.

use std::time::Duration;

use seedbed as s;
use seedbed::{Result, Yielder as Out, fail_after as within};

use crate::programs::drain;

const SECOND: Duration = Duration::from_secs(1);

pub async fn a_renamed_crate() -> Result<()> {
    drain(s::generator(async |y: s::Yielder<u32>| {
        s::fail_after(SECOND, async { y.yield_(1).await.map(drop) }).await //~ yield-in-scope
    }))
    .await
}

pub async fn renamed_imports() -> Result<()> {
    drain(s::generator(async |out: Out<u32>| {
        within(SECOND, async {
            out.yield_(1).await?; //~ yield-in-scope
            Ok(())
        })
        .await
    }))
    .await
}

pub async fn full_paths() -> Result<()> {
    let numbers = ::seedbed::generator(async |y: ::seedbed::Yielder<u32>| {
        ::seedbed::nursery(async |_| y.yield_(1).await.map(drop)).await //~ yield-in-scope
    });
    drain(numbers).await
}

pub async fn imports_in_a_function() -> Result<()> {
    use seedbed::*;
    drain(generator(async |y: Yielder<u32>| {
        cancel_scope(async |_| y.yield_(1).await).await.map(drop) //~ yield-in-scope
    }))
    .await
}

mod prelude {
    pub use seedbed::{Yielder, generator, nursery};
    pub mod limits {
        pub use seedbed::move_on_after as try_for;
    }
}

pub async fn a_prelude_of_the_file() -> Result<()> {
    use prelude::*;
    use self::prelude::limits::try_for;
    drain(generator(async |y: Yielder<u32>| {
        try_for(SECOND, async { y.yield_(1).await }).await?; //~ yield-in-scope
        nursery(async |_| Ok(())).await
    }))
    .await
}

type Numbers = s::Yielder<u64>;
type Answered<T> = s::Yielder<T, bool>;

pub async fn aliases_of_types() -> Result<()> {
    async fn produce(to: &Numbers) -> Result<()> {
        s::idle(async { to.yield_(1).await.map(drop) }).await //~ yield-in-scope
    }
    let outcome = drain(s::generator(async |y: Numbers| produce(&y).await)).await;
    assert!(outcome.is_err());
    let mut asked = s::generator(async |question: Answered<&str>| {
        within(SECOND, question.yield_("well?")).await.map(drop) //~ yield-in-scope
    });
    asked.anext().await.map(drop)
}

pub async fn raw_names() -> Result<()> {
    drain(s::r#generator(async |r#yield: Out<u32>| {
        within(SECOND, async { r#yield.yield_(1).await.map(drop) }).await //~ yield-in-scope
    }))
    .await
}

pub mod inner {
    use seedbed::{Result, Yielder, generator};

    use super::*;

    pub async fn what_a_parent_imports() -> Result<()> {
        drain(generator(async |y: Yielder<u32>| {
            within(SECOND, async { y.yield_(1).await.map(drop) }).await //~ yield-in-scope
        }))
        .await
    }

    pub async fn by_super() -> Result<()> {
        drain(generator(async |y: Yielder<u32>| {
            super::s::nursery(async |_| y.yield_(1).await.map(drop)).await //~ yield-in-scope
        }))
        .await
    }
}
