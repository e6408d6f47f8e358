//! G11: moving to another task between yields.

use std::cell::RefCell;
use std::rc::Rc;

use futures::TryStreamExt;
use futures::stream::FuturesUnordered;
use seedbed::testing::VirtualClock;
use seedbed::{
    CancelScope, Event, Generator, Yielder, aclosing, channel, fail_after, generator, nursery,
    sleep,
};

use crate::support::{Log, counting, poll_once, run, run_on, secs};

#[test]
fn g11_it_may_move_to_another_task_between_yields() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let (to_tasks, gs) = channel::<(u32, Generator<'static, u32>)>(0);
        let got = Rc::new(RefCell::new(Vec::new()));
        nursery(async |n| {
            for worker in 0..3_u32 {
                let (gs, again, got) = (&gs, &to_tasks, &got);
                drop(n.spawn(async move {
                    while let Some((turn, mut g)) = gs.recv().await? {
                        // In a scope of the task's own.
                        let value = fail_after(secs(10), g.anext()).await?.unwrap();
                        got.borrow_mut().push((turn, value, worker));
                        if turn == 8 {
                            g.aclose().await?;
                            again.close();
                        } else {
                            again.send((turn + 1, g)).await?;
                        }
                    }
                    Ok(())
                }));
            }
            let g = generator(async |y: Yielder<u32>| {
                for i in 0.. {
                    nursery(async |n| {
                        drop(n.spawn(sleep(secs(1))));
                        Ok(())
                    })
                    .await?;
                    y.yield_(i).await?;
                }
                Ok(())
            });
            to_tasks.send((0, g)).await?;
            Ok(())
        })
        .await?;
        let got = got.take();
        assert!(got.iter().all(|(turn, value, _)| turn == value), "{got:?}");
        assert_eq!((got.len(), clock.elapsed()), (9, secs(9)));
        let workers: std::collections::BTreeSet<_> = got.iter().map(|(_, _, who)| who).collect();
        assert!(workers.len() > 1, "more than one task has driven it: {got:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn g11_a_body_in_flight_moves_as_well() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        for foreign in [false, true] {
            let begun = clock.elapsed();
            let event = Rc::new(Event::new());
            let waits = event.clone();
            let mut g = generator(async move |y: Yielder<u32>| {
                if foreign {
                    let all = (0..50).map(|_| waits.wait());
                    all.collect::<FuturesUnordered<_>>().try_collect::<Vec<_>>().await?;
                } else {
                    waits.wait().await?;
                }
                sleep(secs(1)).await?;
                y.yield_(1).await.map(drop)
            });
            let g = nursery(async |n| {
                let first = n.spawn(async move {
                    assert!(poll_once(g.anext()).await.is_none());
                    Ok(g)
                });
                let mut g = first.await?;
                let second = n.spawn(async move {
                    assert_eq!(g.anext().await?, Some(1));
                    Ok(g)
                });
                sleep(secs(1)).await?;
                event.set();
                second.await
            })
            .await?;
            assert_eq!(clock.elapsed() - begun, secs(2), "foreign: {foreign}");
            aclosing(g, async |_| Ok(())).await?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn g11_cancelling_the_task_it_was_in_does_not_reach_it() {
    run(async {
        let scope = CancelScope::new();
        let log = Log::new();
        let mut g = generator(counting(&log));
        scope.enter(async |_| g.anext().await).await?;
        scope.cancel();
        let mut g = nursery(async |n| {
            let moved = n.spawn(async move {
                assert_eq!(g.anext().await?, Some(1));
                Ok(g)
            });
            let g = moved.await?;
            n.cancel();
            Ok(g)
        })
        .await?;
        assert_eq!(g.anext().await?, Some(2));
        assert!(log.take().is_empty());
        g.aclose().await
    })
    .unwrap();
}
