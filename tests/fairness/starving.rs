//! R7: a task that is always ready cannot starve the others, the timers, the network or other
//! threads, whatever its loop consists of, and however many such tasks there are.
//!
//! The tests count how many operations greedy tasks finish after something has happened outside,
//! until the task that waits for it goes on. (Ctrl-C reaches only a process's main thread, and is
//! tested in `tests/signal`.)

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use seedbed::fd::AsyncFd;
use seedbed::net::{UnixDatagram, UnixStream};
use seedbed::pipe;
use seedbed::sync::{
    Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, oneshot, watch,
};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CapacityLimiter, Error, Event, Result, Task, Token, Yielder, aclosing, cancel_scope,
    cancellable, cancellable_stream, channel, checkpoint, context_manager, fail_after, finishing,
    generator, idle, iterate, move_on_after, nursery, sleep, sync_generator, thread_channel, with,
    yield_now,
};

/// The default budget, of a unit in one poll.
pub const BUDGET: u64 = 128;

/// How many budgets each ready task has, at most, before a task that waits for the world goes on.
pub const FEW: u64 = 4;

/// What greedy tasks have in common.
#[derive(Default)]
struct Greed {
    done: Cell<u64>,
    /// What happens when that many operations are done.
    when: u64,
    happens: RefCell<Option<Box<dyn FnOnce()>>>,
    served: Cell<Option<u64>>,
}

impl Greed {
    fn new(tasks: u64, happens: impl FnOnce() + 'static) -> Self {
        // By then every one of them has had its turn several times.
        let when = 2 * BUDGET * tasks;
        Greed { when, happens: RefCell::new(Some(Box::new(happens))), ..Greed::default() }
    }

    /// Another operation is done. True if it was not the last.
    fn goes_on(&self) -> bool {
        self.done.set(self.done.get() + 1);
        if self.done.get() == self.when {
            self.happens.take().expect("it happens once")();
        }
        let after = self.done.get().saturating_sub(self.when);
        assert!(after < 1_000_000, "who waits for the world is never served");
        self.served.get().is_none()
    }

    /// The task that waits for the world goes on.
    fn serve(&self) {
        assert!(self.done.get() >= self.when, "it has happened");
        self.served.set(Some(self.done.get() - self.when));
    }
}

type Greedy = for<'a> fn(&'a Greed) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// A greedy task: a loop in which there is always something ready.
macro_rules! greedy {
    ($name:literal, |$greed:ident| $body:block) => {
        (
            $name,
            (|$greed| {
                Box::pin(async move {
                    $body;
                    Ok(())
                })
            }) as Greedy,
        )
    };
}

/// Every way for a loop to come to an await of this crate that is over at once.
fn greedy_tasks() -> Vec<(&'static str, Greedy)> {
    async fn numbers(y: Yielder<u64, ()>) -> Result<()> {
        for number in 0.. {
            y.yield_(number).await?;
        }
        Ok(())
    }
    vec![
        greedy!("checkpoint", |greed| {
            while greed.goes_on() {
                checkpoint().await?;
            }
        }),
        greedy!("yield_now", |greed| {
            while greed.goes_on() {
                yield_now().await?;
            }
        }),
        greedy!("a checkpoint that fails", |greed| {
            cancel_scope(async |scope| {
                scope.cancel();
                while greed.goes_on() {
                    checkpoint().await.unwrap_err();
                }
                Ok(())
            })
            .await?
        }),
        greedy!("anext", |greed| {
            let mut values = generator(numbers);
            while greed.goes_on() {
                values.anext().await?;
            }
            values.aclose().await?
        }),
        greedy!("a generator as a stream", |greed| {
            let mut values = generator(numbers);
            while greed.goes_on() {
                values.next().await.unwrap()?;
            }
            values.aclose().await?
        }),
        greedy!("asend", |greed| {
            let mut values = generator(numbers);
            values.anext().await?;
            while greed.goes_on() {
                values.asend(()).await.map_err(|error| error.to_string()).unwrap();
            }
            values.aclose().await?
        }),
        greedy!("aclose, of one that has ended", |greed| {
            let mut values = generator(numbers);
            while greed.goes_on() {
                values.aclose().await?;
            }
        }),
        greedy!("athrow, into one that has ended", |greed| {
            let mut values = generator(numbers);
            values.aclose().await?;
            while greed.goes_on() {
                values.athrow(std::fmt::Error).await.unwrap_err();
            }
        }),
        greedy!("aclosing", |greed| {
            while greed.goes_on() {
                aclosing(generator(numbers), async |_| Ok(())).await?;
            }
        }),
        greedy!("items of batches", |greed| {
            let mut values = generator(async |y: Yielder<u64>| {
                loop {
                    y.yield_all(Vec::from_iter(0..1000)).await?;
                }
            });
            while greed.goes_on() {
                values.anext().await?;
            }
        }),
        greedy!("items of an iteration", |greed| {
            iterate(numbers, async |items| {
                while greed.goes_on() {
                    items.anext().await?;
                }
                Ok(())
            })
            .await?
        }),
        greedy!("iterations", |greed| {
            while greed.goes_on() {
                iterate(numbers, async |_| Ok(())).await?;
            }
        }),
        greedy!("a scope around items of a synchronous generator", |greed| {
            let mut values = sync_generator(numbers);
            while greed.goes_on() {
                values.next().unwrap()?;
                finishing(async { Ok(()) }).await?;
            }
        }),
        greedy!("cancel_scope", |greed| {
            while greed.goes_on() {
                cancel_scope(async |_| Ok(())).await?;
            }
        }),
        greedy!("fail_after", |greed| {
            while greed.goes_on() {
                fail_after(Duration::from_secs(3600), async { Ok(()) }).await?;
            }
        }),
        greedy!("move_on_after", |greed| {
            while greed.goes_on() {
                move_on_after(Duration::from_secs(3600), async { Ok(()) }).await?;
            }
        }),
        greedy!("finishing", |greed| {
            while greed.goes_on() {
                finishing(async { Ok(()) }).await?;
            }
        }),
        greedy!("idle", |greed| {
            while greed.goes_on() {
                idle(async { Ok(()) }).await?;
            }
        }),
        greedy!("cancellable", |greed| {
            while greed.goes_on() {
                cancellable(async {}).await?;
            }
        }),
        greedy!("cancellable_stream", |greed| {
            let mut stream = cancellable_stream(stream::repeat(()).map(Ok::<_, Error>));
            while greed.goes_on() {
                stream.next().await.transpose()?;
            }
        }),
        greedy!("a nursery with nothing in it", |greed| {
            while greed.goes_on() {
                nursery(async |_| Ok(())).await?;
            }
        }),
        greedy!("a nursery with a child", |greed| {
            while greed.goes_on() {
                nursery(async |n| {
                    n.spawn(async { Ok(()) });
                    Ok(())
                })
                .await?;
            }
        }),
        greedy!("start", |greed| {
            while greed.goes_on() {
                nursery(async |n| {
                    n.start(async |started| {
                        started.ready(());
                        Ok(())
                    })
                    .await
                })
                .await?;
            }
        }),
        greedy!("a start that comes too late", |greed| {
            let handle = nursery(async |n| Ok(n.handle())).await?;
            while greed.goes_on() {
                assert!(handle.spawn(async { Ok(()) }).is_err());
                cancel_scope(async |_| Ok(())).await?;
            }
        }),
        greedy!("tasks that have ended", |greed| {
            nursery(async |n| {
                let mut tasks: VecDeque<Task<'_, ()>> = VecDeque::new();
                while greed.goes_on() {
                    match tasks.pop_front() {
                        Some(task) => task.await?,
                        None => {
                            tasks.extend((0..1000).map(|_| n.spawn(async { Ok(()) })));
                            yield_now().await?;
                        }
                    }
                }
                Ok(())
            })
            .await?
        }),
        greedy!("an event that is set", |greed| {
            let event = Event::new();
            while greed.goes_on() {
                event.set();
                event.wait().await?;
            }
        }),
        greedy!("a limiter", |greed| {
            let limiter = CapacityLimiter::new(1);
            while greed.goes_on() {
                drop(limiter.acquire().await?);
            }
        }),
        greedy!("locks", |greed| {
            let (mutex, lock, semaphore) = (Mutex::new(()), RwLock::new(()), Semaphore::new(2));
            while greed.goes_on() {
                drop(mutex.lock().await?);
                drop((lock.read().await?, lock.read().await?));
                drop(lock.write().await?);
                drop(semaphore.acquire_many(2).await?);
            }
        }),
        greedy!("locks without waiting, beside a scope", |greed| {
            let (mutex, semaphore) = (Mutex::new(()), Semaphore::new(1));
            while greed.goes_on() {
                drop((mutex.try_lock().unwrap(), semaphore.try_acquire().unwrap()));
                cancel_scope(async |_| Ok(())).await?;
            }
        }),
        greedy!("notifications", |greed| {
            let (notify, barrier, cell) = (Notify::new(), Barrier::new(1), OnceCell::new());
            while greed.goes_on() {
                notify.notify_one();
                notify.notified().await?;
                barrier.wait().await?;
                cell.get_or_init(async || Ok(())).await?;
            }
        }),
        greedy!("a message for all", |greed| {
            let (sender, mut receiver) = broadcast::channel(1, broadcast::WhenFull::Wait);
            while greed.goes_on() {
                sender.send(()).await?;
                receiver.recv().await?;
            }
        }),
        greedy!("one message, and the latest value", |greed| {
            let (latest, mut watched) = watch::channel(0);
            while greed.goes_on() {
                let (sender, receiver) = oneshot::channel();
                sender.send(()).unwrap();
                receiver.await?;
                latest.send(1).unwrap();
                watched.changed().await?;
            }
        }),
        greedy!("a channel", |greed| {
            let (sender, receiver) = channel(1);
            while greed.goes_on() {
                sender.send(()).await.unwrap();
                receiver.recv().await?;
            }
        }),
        greedy!("places in a channel", |greed| {
            let (sender, receiver) = channel(1);
            while greed.goes_on() {
                sender.reserve().await?.send(()).unwrap();
                receiver.try_recv().unwrap();
            }
        }),
        greedy!("a channel for threads", |greed| {
            let (sender, receiver) = thread_channel(1);
            while greed.goes_on() {
                sender.send(()).await?;
                receiver.recv().await?;
            }
        }),
        greedy!("a channel without waiting, beside a scope", |greed| {
            let (sender, receiver) = channel(1);
            while greed.goes_on() {
                sender.try_send(()).unwrap();
                receiver.try_recv().unwrap();
                cancel_scope(async |_| Ok(())).await?;
            }
        }),
        greedy!("a channel that is closed", |greed| {
            let (sender, receiver) = channel::<()>(1);
            drop(sender);
            while greed.goes_on() {
                assert_eq!(receiver.recv().await?, None);
            }
        }),
        greedy!("with", |greed| {
            while greed.goes_on() {
                let manager = context_manager(async |y: Yielder<()>| y.yield_(()).await.map(drop));
                with(manager, async |()| Ok(())).await?;
            }
        }),
        greedy!("sleeps that are over", |greed| {
            while greed.goes_on() {
                sleep(Duration::ZERO).await?;
            }
        }),
        greedy!("a socket", |greed| {
            let (one, other) = UnixStream::pair()?;
            while greed.goes_on() {
                one.write(b"x").await?;
                other.read(&mut [0]).await?;
            }
        }),
        greedy!("datagrams", |greed| {
            let (one, other) = UnixDatagram::pair()?;
            while greed.goes_on() {
                one.send(b"x").await?;
                other.recv(&mut [0]).await?;
            }
        }),
        greedy!("a pipe", |greed| {
            let (sender, receiver) = pipe::pipe()?;
            while greed.goes_on() {
                sender.write(b"x").await?;
                receiver.read(&mut [0]).await?;
            }
        }),
        greedy!("a descriptor", |greed| {
            let fd = AsyncFd::new(std::os::unix::net::UnixStream::pair()?.0)?;
            while greed.goes_on() {
                fd.writable().await?;
                fd.write_with(|_| Ok(())).await?;
            }
        }),
        greedy!("a socket through foreign traits", |greed| {
            use futures::{AsyncReadExt, AsyncWriteExt};
            let (one, other) = UnixStream::pair()?;
            while greed.goes_on() {
                AsyncWriteExt::write(&mut &one, b"x").await.unwrap();
                AsyncReadExt::read(&mut &other, &mut [0]).await.unwrap();
            }
        }),
        greedy!("checkpoints in another library's combinators", |greed| {
            let mut done = stream::repeat_with(checkpoint).buffer_unordered(8);
            while greed.goes_on() {
                done.next().await.unwrap()?;
                futures::try_join!(checkpoint(), checkpoint())?;
            }
        }),
        greedy!("nurseries in another library's combinators", |greed| {
            let mut done =
                stream::repeat_with(|| nursery(async |_| checkpoint().await)).buffer_unordered(8);
            while greed.goes_on() {
                done.next().await.unwrap()?;
            }
        }),
        greedy!("an address that is none", |greed| {
            while greed.goes_on() {
                seedbed::net::TcpStream::connect("no address").await.unwrap_err();
            }
        }),
        greedy!("a shielded scope in a cancelled one", |greed| {
            cancel_scope(async |outer| {
                outer.cancel();
                seedbed::CancelScope::new()
                    .with_shield()
                    .enter(async |_| {
                        while greed.goes_on() {
                            checkpoint().await?;
                        }
                        Ok(())
                    })
                    .await
            })
            .await?
        }),
    ]
}

/// Runs `work` that many nurseries deeper.
fn deeper<'a>(
    depth: u32,
    work: impl Future<Output = Result<()>> + 'a,
) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
    let mut work: Pin<Box<dyn Future<Output = Result<()>> + 'a>> = Box::pin(work);
    for _ in 0..depth {
        let inner = work;
        work = Box::pin(nursery(async move |n| {
            n.spawn(inner);
            Ok(())
        }));
    }
    work
}

/// How many operations are done before `waiter` is served, beside so many greedy tasks, so many
/// nurseries deeper.
fn served_after<'a>(
    builder: Builder,
    greedy: Greedy,
    tasks: u64,
    depth: u32,
    greed: &'a Greed,
    waiter: impl Future<Output = Result<()>> + 'a,
) -> u64 {
    let all = async {
        nursery(async |n| {
            for _ in 0..tasks {
                n.spawn(greedy(greed));
            }
            Ok(())
        })
        .await
    };
    let run = builder.run(async {
        nursery(async |n| {
            n.spawn(async {
                waiter.await?;
                greed.serve();
                Ok(())
            });
            n.spawn(deeper(depth, all));
            Ok(())
        })
        .await
    });
    run.unwrap();
    greed.served.get().unwrap()
}

/// Says which case it was that panicked.
struct Case(String);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the case of {}", self.0);
        }
    }
}

/// Asserts the bound for every kind of greedy task, alone and with many of its kind, at the root
/// and deeper.
fn assert_served(what: &str, mut run: impl FnMut(Greedy, u64, u32) -> u64) {
    for (name, greedy) in greedy_tasks() {
        for (tasks, depth) in [(1, 0), (1, 1), (1, 5), (10, 0), (10, 3), (100, 1)] {
            let _case = Case(format!("{what} beside {tasks} × {name}, {depth} deep"));
            let after = run(greedy, tasks, depth);
            assert!(
                after <= FEW * BUDGET * tasks,
                "{what} beside {tasks} × {name}, {depth} deep: served after {after} operations"
            );
        }
    }
}

#[test]
fn r07_a_due_timer_waits_for_a_few_budgets_of_each_ready_task() {
    assert_served("a timer", |greedy, tasks, depth| {
        let clock = VirtualClock::new();
        let its = clock.clone();
        let greed = Greed::new(tasks, move || its.advance(Duration::from_secs(1)));
        let waiter = sleep(Duration::from_secs(1));
        served_after(Builder::new().clock(&clock), greedy, tasks, depth, &greed, waiter)
    });
}

/// Whatever decides who runs when: there, what is not a checkpoint has a count of its own.
#[test]
fn r07_a_due_timer_waits_for_a_few_budgets_with_a_budget_of_1_and_with_a_seed() {
    let choices: [fn(Builder) -> Builder; 3] =
        [|builder| builder.budget(1), |builder| builder.seed(1), |builder| builder.budget(2)];
    for (name, greedy) in greedy_tasks() {
        for choice in choices {
            let _case = Case(name.to_owned());
            let clock = VirtualClock::new();
            let its = clock.clone();
            let greed = Greed::new(1, move || its.advance(Duration::from_secs(1)));
            let waiter = sleep(Duration::from_secs(1));
            let builder = choice(Builder::new().clock(&clock));
            let after = served_after(builder, greedy, 1, 1, &greed, waiter);
            assert!(after <= FEW * BUDGET, "{name}: served after {after} operations");
        }
    }
}

#[test]
fn r07_a_ready_socket_waits_for_a_few_budgets_of_each_ready_task() {
    assert_served("a socket", |greedy, tasks, depth| {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let greed = Greed::new(tasks, move || theirs.write_all(b"x").unwrap());
        let waiter = async {
            UnixStream::from_std(ours)?.read(&mut [0]).await?;
            Ok(())
        };
        served_after(Builder::new(), greedy, tasks, depth, &greed, waiter)
    });
}

#[test]
fn r07_a_call_from_another_thread_waits_for_a_few_budgets_of_each_ready_task() {
    assert_served("a call", |greedy, tasks, depth| {
        let (sender, called) = futures::channel::oneshot::channel();
        let token = Rc::new(Cell::new(None::<Token>));
        let its = token.clone();
        let greed = Greed::new(tasks, move || {
            let token = its.take().expect("the run has begun");
            let call = move || sender.send(()).unwrap();
            let thread = std::thread::spawn(move || token.run_sync_soon(call).map_err(drop));
            thread.join().unwrap().unwrap();
        });
        let waiter = async {
            token.set(Some(Token::current()?));
            cancellable(called).await?.unwrap();
            Ok(())
        };
        served_after(Builder::new(), greedy, tasks, depth, &greed, waiter)
    });
}

#[test]
fn r07_a_wake_from_another_thread_waits_for_a_few_budgets_of_each_ready_task() {
    assert_served("a wake", |greedy, tasks, depth| {
        let (sender, woken) = futures::channel::oneshot::channel();
        let greed = Greed::new(tasks, move || {
            std::thread::spawn(move || sender.send(()).unwrap()).join().unwrap();
        });
        let waiter = async {
            cancellable(woken).await?.unwrap();
            Ok(())
        };
        served_after(Builder::new(), greedy, tasks, depth, &greed, waiter)
    });
}

/// All of them at once, at different depths, beside each other.
#[test]
fn r07_a_due_timer_waits_for_a_few_budgets_of_all_kinds_together() {
    let kinds = greedy_tasks();
    let clock = VirtualClock::new();
    let its = clock.clone();
    let greed = Greed::new(kinds.len() as u64, move || its.advance(Duration::from_secs(1)));
    let run = Builder::new().clock(&clock).run(async {
        nursery(async |n| {
            for (depth, (_, greedy)) in (0..4).cycle().zip(&kinds) {
                n.spawn(deeper(depth, greedy(&greed)));
            }
            sleep(Duration::from_secs(1)).await?;
            greed.serve();
            Ok(())
        })
        .await
    });
    run.unwrap();
    let after = greed.served.get().unwrap();
    assert!(after <= FEW * BUDGET * kinds.len() as u64, "served after {after} operations");
}

/// What is polled beside a greedy nursery by the same task is no worse off.
#[test]
fn r07_what_is_joined_with_a_greedy_nursery_waits_for_a_few_budgets() {
    for (name, greedy) in greedy_tasks() {
        let _case = Case(name.to_owned());
        let clock = VirtualClock::new();
        let its = clock.clone();
        let greed = Greed::new(1, move || its.advance(Duration::from_secs(1)));
        let waiter = async {
            sleep(Duration::from_secs(1)).await?;
            greed.serve();
            Ok(())
        };
        let run = Builder::new().clock(&clock).run(async {
            nursery(async |n| {
                n.spawn(async { futures::try_join!(deeper(2, greedy(&greed)), waiter).map(drop) });
                Ok(())
            })
            .await
        });
        run.unwrap();
        let after = greed.served.get().unwrap();
        assert!(after <= 2 * FEW * BUDGET, "{name}: served after {after} operations");
    }
}

/// The task that became ready first does not keep the thread while the kernel has news for the
/// others.
#[test]
fn r07_equals_have_equal_shares() {
    const TASKS: usize = 5;
    const ALL: u64 = 100_000;
    let counts = [const { Cell::new(0_u64) }; TASKS];
    let pairs: Vec<_> = (0..TASKS).map(|_| UnixStream::pair().unwrap()).collect();
    let done = || counts.iter().map(Cell::get).sum::<u64>();
    let serve = async |me: usize| {
        let (ours, theirs) = &pairs[me];
        while done() < ALL {
            ours.read(&mut [0]).await?;
            theirs.write(b"x").await?;
            counts[me].set(counts[me].get() + 1);
            // Only the first has news in the beginning.
            if me == 0 && counts[me].get() == 1 {
                for (_, theirs) in &pairs[1..] {
                    theirs.write(b"x").await?;
                }
            }
        }
        for (_, theirs) in &pairs {
            theirs.write(b"x").await?; // to end the others
        }
        Ok(())
    };
    seedbed::run(async {
        nursery(async |n| {
            for me in 0..TASKS {
                n.spawn(serve(me));
            }
            pairs[0].1.write(b"x").await?;
            Ok(())
        })
        .await
    })
    .unwrap();
    let counts = counts.map(Cell::into_inner);
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(most * 10 <= least * 12, "{counts:?}");
}

/// What is no checkpoint lets others run when the budget is spent, and does not look for
/// cancellation.
#[test]
fn r07_what_is_no_checkpoint_does_not_fail() {
    let (others, items) = (Cell::new(0_u64), Rc::new(Cell::new(0_u64)));
    Builder::new()
        .clock(&VirtualClock::new())
        .run(async {
            nursery(async |n| {
                n.spawn(async {
                    while items.get() < 10 * BUDGET {
                        yield_now().await?;
                        others.set(others.get() + 1);
                    }
                    Ok(())
                });
                cancel_scope(async |scope| {
                    scope.cancel();
                    let items = items.clone();
                    let mut values = generator(async move |y: Yielder<()>| {
                        while items.get() < 10 * BUDGET {
                            items.set(items.get() + 1);
                            y.yield_(()).await?;
                        }
                        Ok(())
                    });
                    while values.anext().await?.is_some() {
                        finishing(async { Ok(()) }).await?;
                    }
                    Ok(())
                })
                .await?;
                Ok(())
            })
            .await
        })
        .unwrap();
    assert!((10..=40).contains(&others.get()), "{} times", others.get());
}

/// With a budget of 1 every operation lets others run, and what is no checkpoint does not: it has a
/// count of its own.
#[test]
fn r07_with_a_budget_of_1_what_is_no_checkpoint_is_no_point_of_the_schedule() {
    let (others, seen) = (Cell::new(0_u64), RefCell::new(Vec::new()));
    Builder::new()
        .clock(&VirtualClock::new())
        .budget(1)
        .run(async {
            nursery(async |n| {
                n.spawn(async {
                    while seen.borrow().len() < 4 {
                        yield_now().await?;
                        others.set(others.get() + 1);
                    }
                    Ok(())
                });
                checkpoint().await?;
                let mut values = generator(async |y: Yielder<()>| {
                    loop {
                        y.yield_(()).await?;
                    }
                });
                for _ in 0..4 {
                    let before = others.get();
                    for _ in 0..50 {
                        values.anext().await?;
                        cancel_scope(async |_| Ok(())).await?;
                    }
                    seen.borrow_mut().push(others.get() - before);
                    checkpoint().await?;
                }
                values.aclose().await
            })
            .await
        })
        .unwrap();
    assert_eq!(seen.take(), [0, 0, 0, 0]);
}

/// After a millisecond in one poll the next operation lets others run.
#[test]
fn r07_a_poll_that_lasts_lets_others_run() {
    const LONG: u64 = 20;
    let (others, done) = (Cell::new(0_u64), Cell::new(0_u64));
    seedbed::run(async {
        nursery(async |n| {
            n.spawn(async {
                while done.get() < LONG {
                    yield_now().await?;
                    others.set(others.get() + 1);
                }
                Ok(())
            });
            yield_now().await?;
            for _ in 0..LONG {
                compute(Duration::from_millis(2));
                done.set(done.get() + 1);
                checkpoint().await?;
            }
            Ok(())
        })
        .await
    })
    .unwrap();
    assert!(others.get() >= LONG / 2, "{} times", others.get());
}

/// The millisecond begins with the poll, in the first one of a run as well. A thread may stop for
/// longer than that at any moment, so it is enough that not each of many runs lets others run.
#[test]
fn r07_the_first_operation_of_a_run_does_not_let_others_run() {
    let goes_on = || {
        let goes_on = Cell::new(false);
        seedbed::run(async {
            let operation = std::pin::pin!(checkpoint());
            goes_on.set(futures::poll!(operation).is_ready());
            Ok(())
        })
        .unwrap();
        goes_on.get()
    };
    let on_a_new_thread = || std::thread::spawn(goes_on).join().unwrap();
    assert!((0..100).any(|_| on_a_new_thread()), "the first run of a thread");
    let later = || {
        compute(Duration::from_millis(2));
        goes_on()
    };
    assert!((0..100).any(|_| later()), "later runs");
}

/// The same, if what it does was quick in this poll until then: this is noticed a few operations
/// later.
#[test]
fn r07_a_poll_that_becomes_slow_lets_others_run() {
    const ROUNDS: u64 = 10;
    const MANY: u64 = 16;
    let (others, done) = (Cell::new(0_u64), Cell::new(false));
    let (mut in_a_row, mut rounds) = (Vec::new(), 0);
    seedbed::run(async {
        nursery(async |n| {
            n.spawn(async {
                while !done.get() {
                    yield_now().await?;
                    others.set(others.get() + 1);
                }
                Ok(())
            });
            while rounds < ROUNDS {
                rounds += 1;
                yield_now().await?;
                for _ in 0..50 {
                    checkpoint().await?;
                }
                let (before, mut slow) = (others.get(), 0);
                while others.get() == before {
                    compute(Duration::from_millis(2));
                    checkpoint().await?;
                    slow += 1;
                }
                in_a_row.push(slow);
            }
            done.set(true);
            Ok(())
        })
        .await
    })
    .unwrap();
    assert!(in_a_row.iter().all(|slow| *slow <= MANY + 1), "{in_a_row:?}");
}

/// After five milliseconds a turn ends, and who waited for what has happened meanwhile goes ahead
/// of those that compute: it does not wait until each of them has had its turn.
#[test]
fn r07_a_due_timer_does_not_wait_for_all_that_compute() {
    const LONG: Duration = Duration::from_millis(2);
    const FEW: u64 = 12;
    for depth in [0, 1, 4] {
        let (after, fired) = (Cell::new(0_u64), Cell::new(0_u64));
        let due = Cell::new(None::<Instant>);
        seedbed::run(async {
            let all = async {
                nursery(async |n| {
                    for _ in 0..100 {
                        n.spawn(async {
                            while fired.get() < 10 {
                                compute(LONG);
                                let is_due = due.get().is_some_and(|due| due <= Instant::now());
                                after.set(after.get() + u64::from(is_due));
                                checkpoint().await?;
                            }
                            Ok(())
                        });
                    }
                    Ok(())
                })
                .await
            };
            nursery(async |n| {
                n.spawn(deeper(depth, all));
                while fired.get() < 10 {
                    let time = Duration::from_millis(1);
                    due.set(Some(Instant::now() + time));
                    sleep(time).await?;
                    let done = after.replace(0);
                    assert!(done <= FEW, "{done} operations, {depth} deep");
                    fired.set(fired.get() + 1);
                }
                Ok(())
            })
            .await
        })
        .unwrap();
    }
}

/// So does a task that has let others run, when its time is over.
#[test]
fn r07_a_limit_reaches_one_of_many_that_compute() {
    const LONG: Duration = Duration::from_millis(2);
    let (after, over) = (Cell::new(0_u64), Cell::new(false));
    let limit = Duration::from_millis(20);
    seedbed::run(async {
        let began = Instant::now();
        let busy = async || {
            while !over.get() {
                compute(LONG);
                after.set(after.get() + u64::from(began.elapsed() >= limit));
                checkpoint().await?;
            }
            Ok(())
        };
        nursery(async |n| {
            for _ in 0..100 {
                n.spawn(busy());
            }
            assert_eq!(move_on_after(limit, busy()).await?, None);
            over.set(true);
            Ok(())
        })
        .await
    })
    .unwrap();
    assert!(after.get() <= 12, "{} operations", after.get());
}

/// Has the thread for at least so long.
fn compute(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}
