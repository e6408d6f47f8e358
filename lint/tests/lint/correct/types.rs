//! Methods that look like those which open or yield.

use std::sync::Mutex;
use std::time::Duration;

use seedbed::{
    ContextManager, Generator, Nursery, PreventYields, Result, Yielder, cancel_scope,
    context_manager, fail_after, generator, nursery, prevent_yields, sleep, with,
};

use crate::programs::drain;

const SECOND: Duration = Duration::from_secs(1);

struct Pages {
    pause: Duration,
}

impl Pages {
    async fn page(&self, n: u32, y: &Yielder<u32>) -> Result<()> {
        fail_after(SECOND, sleep(self.pause)).await?;
        y.yield_(n).await.map(drop)
    }

    fn all(self) -> Generator<'static, u32> {
        generator(async move |y: Yielder<u32>| {
            for n in 0..3 {
                self.page(n, &y).await?;
            }
            Self::page(&self, 9, &y).await
        })
    }
}

pub async fn a_method_that_has_left_its_scope() -> Result<()> {
    drain(Pages { pause: SECOND / 2 }.all()).await
}

/// Another type with a method of that name, which opens.
struct Book;

impl Book {
    async fn page(&self, y: &Yielder<u32>) -> Result<()> {
        nursery(async |_: &Nursery<'_, '_>| y.yield_(1).await.map(drop)).await
    }

    fn opened(self) -> ContextManager<'static, u32> {
        context_manager(async move |y: Yielder<u32>| self.page(&y).await)
    }
}

pub async fn a_method_of_a_manager() -> Result<()> {
    with(Book.opened(), async |one| sleep(one * SECOND).await).await
}

struct Table;

impl Table {
    fn lock(&self) -> PreventYields {
        prevent_yields("the table is locked")
    }
}

pub async fn another_type_with_that_method() -> Result<()> {
    let cell = Mutex::new(1);
    let sum = {
        let _lock = Table.lock();
        *cell.lock().unwrap() + 1
    };
    drain(generator(async move |y: Yielder<u32>| {
        let value = *cell.lock().unwrap() + sum;
        y.yield_(value).await?;
        let value = cell.lock().map(|value| *value).unwrap_or(0);
        y.yield_(value).await.map(drop)
    }))
    .await
}

trait Numbers: Sized + 'static {
    async fn emit(&self, y: &Yielder<u32>) -> Result<()>;

    fn all(self) -> Generator<'static, u32> {
        generator(async move |y: Yielder<u32>| {
            cancel_scope(async |_| sleep(SECOND).await).await?;
            self.emit(&y).await
        })
    }
}

struct One;
struct Two;

impl Numbers for One {
    async fn emit(&self, y: &Yielder<u32>) -> Result<()> {
        y.yield_(1).await.map(drop)
    }
}

impl Numbers for Two {
    async fn emit(&self, y: &Yielder<u32>) -> Result<()> {
        let two = fail_after(SECOND, async { Ok(2) }).await?;
        y.yield_(two).await.map(drop)
    }
}

pub async fn methods_of_a_trait() -> Result<()> {
    drain(One.all()).await?;
    drain(Two.all()).await
}

struct Cursor {
    at: u32,
}

impl Cursor {
    /// It yields nothing, though it has a yielder.
    async fn skip(&mut self, n: u32, _: &Yielder<u32>) -> Result<()> {
        self.at += n;
        sleep(SECOND).await
    }
}

pub async fn a_method_that_only_has_a_yielder() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let mut cursor = Cursor { at: 0 };
        fail_after(2 * SECOND, cursor.skip(2, &y)).await?;
        y.yield_(cursor.at).await.map(drop)
    }))
    .await
}

enum Tree {
    Leaf(u32),
    Node(Vec<Tree>),
}

async fn walk(tree: &Tree, y: &Yielder<u32>) -> Result<()> {
    match tree {
        Tree::Leaf(value) => y.yield_(*value).await.map(drop),
        Tree::Node(children) => {
            fail_after(SECOND, sleep(SECOND / 2)).await?;
            for child in children {
                Box::pin(walk(child, y)).await?;
            }
            Ok(())
        }
    }
}

pub async fn a_recursion() -> Result<()> {
    let tree = Tree::Node(vec![Tree::Leaf(1), Tree::Node(vec![Tree::Leaf(2)])]);
    drain(generator(async move |y: Yielder<u32>| walk(&tree, &y).await)).await
}

pub async fn a_guard_that_is_assigned_and_dropped() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        for i in 0..3 {
            let guard;
            let square = {
                guard = prevent_yields("while it is computed");
                i * i
            };
            drop(guard);
            y.yield_(square).await?;
        }
        Ok(())
    }))
    .await
}
