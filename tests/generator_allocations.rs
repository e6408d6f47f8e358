//! G9: an item of a generator allocates nothing. The test is a program of its own because of its
//! allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use futures::StreamExt;
use seedbed::{
    Generator, Result, Yielder, checkpoint, context_manager, generator, iterate, nursery,
    sync_generator, with, yield_now,
};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: it is the system's, except for a count of this thread, which needs no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations `body` makes.
async fn allocations<T>(body: impl Future<Output = Result<T>>) -> Result<usize> {
    let before = COUNT.get();
    body.await?;
    Ok(COUNT.get() - before)
}

fn numbers() -> Generator<'static, u64, u64> {
    generator(async |y: Yielder<u64, u64>| {
        for i in 0.. {
            y.yield_(i).await?;
        }
        Ok(())
    })
}

#[test]
fn g09_an_item_allocates_nothing() {
    seedbed::run(async {
        let mut g = numbers();
        g.anext().await?;
        let by_anext = async {
            for i in 1..=1000 {
                assert_eq!(g.anext().await?, Some(i));
            }
            Ok(())
        };
        assert_eq!(allocations(by_anext).await?, 0);
        let by_asend = async {
            for i in 0..1000 {
                g.asend(i).await?;
            }
            Ok(())
        };
        assert_eq!(allocations(by_asend).await?, 0);
        let as_a_stream = async {
            for _ in 0..1000 {
                g.next().await.expect("it goes on")?;
            }
            Ok(())
        };
        assert_eq!(allocations(as_a_stream).await?, 0);
        assert_eq!(allocations(g.aclose()).await?, 1, "`GeneratorExit` is an error in a box");
        Ok(())
    })
    .unwrap();
}

#[test]
fn g09_nor_where_it_waits_inside_or_goes_through_others() {
    seedbed::run(async {
        let mut g = generator(async |y: Yielder<u64>| {
            let mut inner = numbers();
            while let Some(i) = inner.anext().await? {
                checkpoint().await?;
                y.yield_(i).await?;
            }
            Ok(())
        });
        g.anext().await?;
        let body = async {
            for _ in 0..1000 {
                g.anext().await?;
            }
            Ok(())
        };
        assert_eq!(allocations(body).await?, 0);
        // In another task, in a nursery.
        let count = nursery(async |n| {
            n.spawn(async {
                let body = async {
                    for _ in 0..1000 {
                        g.anext().await?;
                    }
                    Ok(())
                };
                allocations(body).await
            })
            .await
        })
        .await?;
        assert_eq!(count, 0);
        let manager = context_manager(async |y: Yielder<()>| y.yield_(()).await.map(drop));
        let count = with(manager, async |()| {
            yield_now().await?; // with the first wait in it, the manager is listed for dumps
            let body = async {
                for _ in 0..1000 {
                    g.anext().await?;
                }
                Ok(())
            };
            allocations(body).await
        })
        .await?;
        assert_eq!(count, 0);
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn g09_a_generator_is_made_of_two_boxes_whatever_its_length() {
    seedbed::run(async {
        let before = COUNT.get();
        let unused = numbers();
        assert_eq!(COUNT.get() - before, 2, "the body, and what everybody shares");
        drop(unused);
        let body = async {
            let mut g = numbers();
            for _ in 0..1000 {
                g.anext().await?;
            }
            g.aclose().await
        };
        let count = allocations(body).await?;
        assert!(count <= 4, "{count}: those two, the list of generators, and `GeneratorExit`");
        Ok(())
    })
    .unwrap();
}

#[test]
fn g09_nor_does_an_item_of_an_iteration_and_nothing_of_that_is_boxed() {
    seedbed::run(async {
        let body = iterate(
            async |y: Yielder<u64, u64>| {
                for i in 0.. {
                    y.yield_(i).await?;
                }
                Ok(())
            },
            async |items| {
                items.anext().await?;
                let before = COUNT.get();
                for i in 0..1000 {
                    assert_eq!(items.anext().await?, Some(3 * i + 1));
                    items.next().await.expect("it goes on")?;
                    items.asend(i).await?;
                }
                assert_eq!(COUNT.get(), before);
                Ok(())
            },
        );
        let count = allocations(body).await?;
        assert_eq!(count, 2, "what body and consumer share, and `GeneratorExit`");
        Ok(())
    })
    .unwrap();
}

#[test]
fn g09_nor_does_an_item_of_a_batch() {
    seedbed::run(async {
        let mut g = generator(async |y: Yielder<u64>| {
            let batch = Vec::from_iter(0..1000);
            let before = COUNT.get();
            y.yield_all(batch).await?;
            assert_eq!(COUNT.get(), before, "the values stay where they were");
            Ok(())
        });
        while g.anext().await?.is_some() {}
        Ok(())
    })
    .unwrap();
}

#[test]
fn g10_nor_does_an_item_of_a_synchronous_one() {
    let mut g = sync_generator(async |y: Yielder<u64>| {
        for i in 0.. {
            y.yield_(i).await?;
        }
        Ok(())
    });
    g.next();
    let before = COUNT.get();
    assert_eq!(g.by_ref().take(1000).map(|i| i.unwrap()).sum::<u64>(), 500_500);
    assert_eq!(COUNT.get() - before, 0);
}
