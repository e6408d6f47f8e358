//! Generators, managers and guards in methods and traits.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use seedbed::{
    CancelScope, ContextManager, Generator, Nursery, PreventYields, Receiver, Result, Yielder,
    cancel_scope, channel, context_manager, fail_after, generator, nursery, prevent_yields, sleep,
    with,
};

use crate::programs::drain;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Feed {
    limit: Duration,
}

impl Feed {
    fn items(self) -> Generator<'static, u32> {
        generator(async move |y: Yielder<u32>| self.produce(&y).await)
    }

    async fn produce(&self, y: &Yielder<u32>) -> Result<()> {
        fail_after(self.limit, async {
            for i in 0..3 {
                y.yield_(i).await?; //~ yield-in-scope
            }
            Ok(())
        })
        .await
    }
}

pub async fn a_method_that_opens() -> Result<()> {
    drain(Feed { limit: SECOND }.items()).await
}

struct Pages {
    pause: Duration,
}

impl Pages {
    async fn page(&self, n: u32, y: &Yielder<u32>) -> Result<()> {
        sleep(self.pause).await?;
        y.yield_(n).await.map(drop)
    }

    fn all(self) -> Generator<'static, u32> {
        generator(async move |y: Yielder<u32>| {
            for n in 0..3 {
                let page = self.page(n, &y);
                fail_after(SECOND, page).await?; //~ yield-in-scope
            }
            Ok(())
        })
    }

    fn last(self) -> Generator<'static, u32> {
        generator(async move |y: Yielder<u32>| {
            cancel_scope(async |_| Self::page(&self, 9, &y).await).await?; //~ yield-in-scope
            Ok(())
        })
    }
}

pub async fn a_method_that_is_called_inside() -> Result<()> {
    drain(Pages { pause: SECOND / 2 }.all()).await
}

pub async fn an_associated_function_that_is_called_inside() -> Result<()> {
    drain(Pages { pause: SECOND / 2 }.last()).await
}

struct Table {
    locks: Rc<Cell<u32>>,
}

impl Table {
    fn lock(&self) -> PreventYields {
        self.locks.set(self.locks.get() + 1);
        prevent_yields("what `lock` returns")
    }

    fn rows(self) -> Generator<'static, u32> {
        generator(async move |y: Yielder<u32>| {
            let _lock = self.lock();
            y.yield_(self.locks.get()).await.map(drop) //~ yield-in-scope
        })
    }
}

pub async fn a_guard_from_a_method() -> Result<()> {
    drain(Table { locks: Rc::default() }.rows()).await
}

struct Server;

impl Server {
    fn session(&self) -> ContextManager<'static, Receiver<u32>> {
        context_manager(async |y: Yielder<Receiver<u32>>| {
            nursery(async |n: &Nursery<'_, '_>| {
                let (tx, rx) = channel(1);
                n.spawn(async move { Ok(tx.send(1).await?) });
                y.yield_(rx).await.map(drop)
            })
            .await
        })
    }

    fn events(self) -> Generator<'static, u32> {
        generator(async move |y: Yielder<u32>| {
            with(self.session(), async |events| {
                while let Some(event) = events.recv().await? {
                    y.yield_(event).await?; //~ yield-in-scope
                }
                Ok(())
            })
            .await
        })
    }
}

pub async fn a_manager_from_a_method() -> Result<()> {
    drain(Server.events()).await
}

pub async fn a_manager_from_a_method_of_a_variable() -> Result<()> {
    let server = Server;
    drain(generator(async move |y: Yielder<u32>| {
        with(server.session(), async |_| y.yield_(1).await.map(drop)).await //~ yield-in-scope
    }))
    .await
}

trait Numbers: Sized + 'static {
    async fn emit(&self, y: &Yielder<u32>) -> Result<()>;

    fn in_time(self) -> Generator<'static, u32> {
        generator(async move |y: Yielder<u32>| {
            let scope = CancelScope::new().with_timeout(SECOND);
            scope.enter(async |_| self.emit(&y).await).await?; //~ yield-in-scope
            Ok(())
        })
    }
}

struct One;

impl Numbers for One {
    async fn emit(&self, y: &Yielder<u32>) -> Result<()> {
        y.yield_(1).await.map(drop)
    }
}

pub async fn a_default_method_of_a_trait() -> Result<()> {
    drain(One.in_time()).await
}

enum Tree {
    Leaf(u32),
    Node(Vec<Tree>),
}

async fn walk(tree: &Tree, y: &Yielder<u32>) -> Result<()> {
    match tree {
        Tree::Leaf(value) => y.yield_(*value).await.map(drop),
        Tree::Node(children) => {
            for child in children {
                Box::pin(walk(child, y)).await?;
            }
            Ok(())
        }
    }
}

pub async fn a_recursion_inside() -> Result<()> {
    let tree = Tree::Node(vec![Tree::Leaf(1), Tree::Node(vec![Tree::Leaf(2)])]);
    drain(generator(async move |y: Yielder<u32>| {
        fail_after(SECOND, walk(&tree, &y)).await //~ yield-in-scope
    }))
    .await
}

pub async fn a_function_item_as_the_body() -> Result<()> {
    async fn body(y: Yielder<u32>) -> Result<()> {
        nursery(async |_: &Nursery<'_, '_>| y.yield_(1).await.map(drop)).await //~ yield-in-scope
    }
    drain(generator(body)).await
}

pub async fn an_associated_function_as_the_body() -> Result<()> {
    struct Source;
    impl Source {
        async fn body(y: Yielder<u32>) -> Result<()> {
            cancel_scope(async |_| y.yield_(1).await).await.map(drop) //~ yield-in-scope
        }
    }
    drain(generator(Source::body)).await
}

pub async fn a_guard_that_is_assigned() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let _guard;
        sleep(SECOND).await?;
        _guard = prevent_yields("the rest");
        y.yield_(1).await.map(drop) //~ yield-in-scope
    }))
    .await
}

struct Session {
    scope: CancelScope,
    children: seedbed::NurseryHandle,
}

impl Session {
    fn items(self) -> Generator<'static, u32> {
        generator(async move |y: Yielder<u32>| {
            self.scope.enter(async |_| y.yield_(1).await).await?; //~ yield-in-scope
            Ok(())
        })
    }

    fn items_of_a_child(self) -> Generator<'static, u32> {
        generator(async move |y: Yielder<u32>| {
            let (tx, rx) = channel(1);
            let child = self.children.spawn(async move {
                let outcome = y.yield_(1).await.map(drop); //~ yield-in-other-frame
                Ok(tx.send(outcome).await?)
            });
            assert!(child.is_ok());
            rx.recv().await?.unwrap_or(Ok(()))
        })
    }
}

pub async fn a_scope_in_a_field() -> Result<()> {
    nursery(async |n: &Nursery<'_, '_>| {
        drain(Session { scope: CancelScope::new(), children: n.handle() }.items()).await
    })
    .await
}

pub async fn a_nursery_in_a_field() -> Result<()> {
    nursery(async |n: &Nursery<'_, '_>| {
        let session = Session { scope: CancelScope::new(), children: n.handle() };
        drain(session.items_of_a_child()).await
    })
    .await
}
