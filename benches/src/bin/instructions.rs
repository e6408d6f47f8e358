//! The hot paths by instruction count. The result, `benches/instructions.txt`, is kept in the
//! repository, so that a change which makes one slower shows in its diff.
//!
//! ```text
//! cargo run --release -p seedbed-bench --no-default-features --bin instructions
//! ```
//!
//! It needs `valgrind`. Each path runs under callgrind once with n items and once with 2n. The
//! difference divided by n is the cost of an item, without starting and ending. The kernel's
//! instructions are not counted. The figures depend on the compiler, whose version is in the file,
//! and hardly on the machine.

use std::cell::Cell;
use std::fmt::Write;
use std::future::poll_fn;
use std::hint::black_box;
use std::io::{Read, Write as _};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::process::Command;
use std::sync::OnceLock;
use std::task::{Poll, Waker};
use std::time::Duration;
use std::{env, fs, thread};

use futures_core::Stream;
use seedbed::sync::broadcast::{self, WhenFull};
use seedbed::sync::{Mutex, Notify, Semaphore, oneshot, watch};
use seedbed::{
    Generator, Local, Result, Yielder, cancel_scope, channel, checkpoint, fail_after, flow,
    generator, idle, iterate, nursery, sleep, sync_generator, yield_now,
};

struct Path {
    name: &'static str,
    /// What one item is.
    item: &'static str,
    /// Does this many items.
    run: fn(usize) -> Result<()>,
    /// The number of items in the first of the two runs.
    items: usize,
}

const MANY: usize = 20_000;
const FEW: usize = 500;

const HOUR: Duration = Duration::from_secs(3600);

const PATHS: &[Path] = &[
    Path {
        name: "spawn_join",
        item: "a child that does nothing, one of 100 in a nursery",
        run: |n| seedbed::run(spawn_join(n)),
        items: MANY,
    },
    Path {
        name: "yield",
        item: "a yield of one of 100 tasks",
        run: |n| seedbed::run(yields(n, 100)),
        items: MANY,
    },
    Path {
        name: "yield_alone",
        item: "a yield of the only task that is ready",
        run: |n| seedbed::run(yields(n, 1)),
        items: MANY,
    },
    Path {
        name: "nursery",
        item: "a nursery with no children, opened and left",
        run: |n| seedbed::run(empty_nursery(n)),
        items: MANY,
    },
    Path {
        name: "scope",
        item: "a cancel scope, entered and left",
        run: |n| seedbed::run(scope(n)),
        items: MANY,
    },
    Path {
        name: "checkpoint",
        item: "a checkpoint in a cancel scope",
        run: |n| seedbed::run(checkpoints(n)),
        items: MANY,
    },
    Path {
        name: "fail_after",
        item: "a time limit around what is ready",
        run: |n| seedbed::run(limits(n)),
        items: MANY,
    },
    Path {
        name: "idle",
        item: "a wait for work, as a server's for the next request, around what is ready",
        run: |n| seedbed::run(waits_for_work(n)),
        items: MANY,
    },
    Path {
        name: "local",
        item: "a value of a Local, set around a future that reads it",
        run: |n| seedbed::run(locals(n)),
        items: MANY,
    },
    Path {
        name: "sleep",
        item: "a sleep, set and dropped",
        run: |n| seedbed::run(sleeps(n)),
        items: MANY,
    },
    Path {
        name: "cancel",
        item: "a sleeping child, one of 100 in a nursery: spawned, cancelled, joined",
        run: |n| seedbed::run(cancel(n)),
        items: MANY,
    },
    Path {
        name: "ping_pong",
        item: "two messages, there and back, over channels of capacity 1",
        run: |n| seedbed::run(ping_pong(n)),
        items: MANY,
    },
    Path {
        name: "lock",
        item: "a mutex that is free, locked and unlocked",
        run: |n| seedbed::run(lock(n)),
        items: MANY,
    },
    Path {
        name: "lock_handed",
        item: "a mutex for which others wait, locked and handed over, with a yield in between",
        run: |n| seedbed::run(lock_handed(n)),
        items: MANY,
    },
    Path {
        name: "semaphore",
        item: "a permit of a semaphore, acquired and given back",
        run: |n| seedbed::run(semaphore(n)),
        items: MANY,
    },
    Path {
        name: "notify",
        item: "a notification, there and back between two tasks",
        run: |n| seedbed::run(notify(n)),
        items: MANY,
    },
    Path {
        name: "oneshot",
        item: "a channel for one message, made, sent to and received from",
        run: |n| seedbed::run(oneshot(n)),
        items: MANY,
    },
    Path {
        name: "watch_1",
        item: "a change of a watched value, and a receiver that sees it",
        run: |n| seedbed::run(watch::<1>(n)),
        items: MANY,
    },
    Path {
        name: "watch_1000",
        item: "the same for each of 1,000 receivers",
        run: |n| seedbed::run(watch::<1000>(n)),
        items: MANY,
    },
    Path {
        name: "broadcast_1",
        item: "a message to all receivers, of which there is one",
        run: |n| seedbed::run(broadcast::<1>(n)),
        items: MANY,
    },
    Path {
        name: "broadcast_1000",
        item: "the same for each of 1,000 receivers",
        run: |n| seedbed::run(broadcast::<1000>(n)),
        items: MANY,
    },
    Path {
        name: "anext",
        item: "an item of a generator, by anext",
        run: |n| seedbed::run(anext(items(n), n)),
        items: MANY,
    },
    Path {
        name: "stream",
        item: "an item of a generator, as a Stream",
        run: |n| seedbed::run(stream(n)),
        items: MANY,
    },
    Path {
        name: "asend",
        item: "an item of a generator, with a value sent in",
        run: |n| seedbed::run(asend(n)),
        items: MANY,
    },
    Path {
        name: "sync_generator",
        item: "an item of a synchronous generator",
        run: sync_items,
        items: MANY,
    },
    Path {
        name: "iterate",
        item: "an item of a generator that is part of its consumer's future",
        run: |n| seedbed::run(iterate_items(n)),
        items: MANY,
    },
    Path {
        name: "yield_all",
        item: "an item of a generator that yields 100 at once",
        run: |n| seedbed::run(anext(batches(n), n)),
        items: MANY,
    },
    Path {
        name: "flow_map",
        item: "an item of an iterator, through a flow's map",
        run: |n| seedbed::run(flow::from_iter(0..n).map(black_box).for_each(async |_| Ok(()))),
        items: MANY,
    },
    Path {
        name: "flow_operators",
        item: "the same, through filter, scan, enumerate, inspect, take and map",
        run: |n| {
            let items = flow::from_iter(0..n).filter(|i| black_box(*i) != usize::MAX);
            let sums = items.scan(0, |sum: &mut usize, i| {
                *sum = sum.wrapping_add(i);
                Some(*sum)
            });
            let items = sums.enumerate().inspect(|i| _ = black_box(*i)).take(n);
            seedbed::run(items.map(black_box).for_each(async |_| Ok(())))
        },
        items: MANY,
    },
    Path {
        name: "flow_buffer",
        item: "an item of an iterator, got ahead of its consumer by buffer(16)",
        run: |n| seedbed::run(flow::from_iter(0..n).buffer(16).for_each(async |_| Ok(()))),
        items: MANY,
    },
    Path {
        name: "flow_chunks",
        item: "the same, in chunks by chunks_timeout(16, a minute)",
        run: |n| {
            let chunks = flow::from_iter(0..n).chunks_timeout(16, Duration::from_secs(60));
            seedbed::run(chunks.for_each(async |_| Ok(())))
        },
        items: MANY,
    },
    Path {
        name: "flow_buffered",
        item: "the same, through buffered(16, f), where f yields once",
        run: |n| {
            seedbed::run(flow::from_iter(0..n).buffered(16, yields_once).for_each(async |_| Ok(())))
        },
        items: MANY,
    },
    Path {
        name: "remote_wake",
        item: "a wake from another thread, while the run is awake; both threads",
        run: |n| seedbed::run(remote_wakes(n, Run::Polls)),
        items: MANY,
    },
    Path {
        name: "remote_wake_up",
        item: "a wake from another thread, which ends the run's sleep; both threads",
        run: |n| seedbed::run(remote_wakes(n, Run::Sleeps)),
        items: FEW,
    },
];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => count_all(),
        ["--run", name, n] => {
            let path = PATHS.iter().find(|path| path.name == *name).expect("it is a path");
            (path.run)(n.parse().expect("a number")).expect("it does not fail");
        }
        _ => panic!("it takes no arguments"),
    }
}

fn count_all() {
    let rustc = Command::new("rustc").arg("--version").output().expect("there is a compiler");
    let rustc = String::from_utf8(rustc.stdout).expect("it is text");
    let mut table = String::from(
        "Instructions for each item, as callgrind counts them (see src/bin/instructions.rs).\n",
    );
    writeln!(table, "{}, {}\n", rustc.trim(), env::consts::ARCH).expect("it is a string");
    for Path { name, item, items, .. } in PATHS {
        let more = count(name, 2 * items) - count(name, *items);
        let each = (more as f64 / *items as f64).round();
        let line = format!("{name:<14} {each:>6}  {item}");
        println!("{line}");
        writeln!(table, "{line}").expect("it is a string");
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");
    fs::write(file, table).unwrap_or_else(|error| panic!("{file}: {error}"));
}

/// The instructions that this program takes for this many items.
fn count(name: &str, n: usize) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().expect("this program is a file"))
        .args(["--run", name, &n.to_string()])
        .output()
        .expect("valgrind is installed");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} failed:\n{text}");
    let counted = text.lines().find_map(|line| line.split_once("Collected : "));
    counted.expect("callgrind says how many").1.trim().parse().expect("a number")
}

async fn yields_once(i: usize) -> Result<usize> {
    yield_now().await?;
    Ok(i)
}

async fn spawn_join(n: usize) -> Result<()> {
    let done = Cell::new(0);
    for _ in 0..n / 100 {
        nursery(async |nursery| {
            for _ in 0..100 {
                nursery.spawn(async {
                    done.set(done.get() + 1);
                    Ok(())
                });
            }
            Ok(())
        })
        .await?;
    }
    assert_eq!(done.get(), n);
    Ok(())
}

async fn yields(n: usize, tasks: usize) -> Result<()> {
    nursery(async |nursery| {
        for _ in 0..tasks {
            nursery.spawn(async move {
                for _ in 0..n / tasks {
                    yield_now().await?;
                }
                Ok(())
            });
        }
        Ok(())
    })
    .await
}

async fn empty_nursery(n: usize) -> Result<()> {
    for _ in 0..n {
        nursery(async |_| Ok(())).await?;
    }
    Ok(())
}

async fn scope(n: usize) -> Result<()> {
    for i in 0..n {
        assert_eq!(cancel_scope(async |_| Ok(black_box(i))).await?, Some(i));
    }
    Ok(())
}

async fn checkpoints(n: usize) -> Result<()> {
    cancel_scope(async |_| {
        for _ in 0..n {
            checkpoint().await?;
        }
        Ok(())
    })
    .await?;
    Ok(())
}

async fn limits(n: usize) -> Result<()> {
    for i in 0..n {
        assert_eq!(fail_after(HOUR, async { Ok(black_box(i)) }).await?, i);
    }
    Ok(())
}

async fn locals(n: usize) -> Result<()> {
    static NUMBER: Local<usize> = Local::new();
    for i in 0..n {
        assert_eq!(NUMBER.scope(i, async { black_box(NUMBER.get()) }).await, Some(i));
    }
    Ok(())
}

async fn waits_for_work(n: usize) -> Result<()> {
    for i in 0..n {
        assert_eq!(idle(async { Ok(black_box(i)) }).await?, i);
    }
    Ok(())
}

async fn sleeps(n: usize) -> Result<()> {
    for _ in 0..n {
        let mut sleep = pin!(sleep(HOUR));
        let first = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx)));
        assert!(first.await.is_pending());
    }
    Ok(())
}

async fn cancel(n: usize) -> Result<()> {
    for _ in 0..n / 100 {
        nursery(async |nursery| {
            for _ in 0..100 {
                nursery.spawn(sleep(HOUR));
            }
            yield_now().await?;
            nursery.cancel();
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn ping_pong(n: usize) -> Result<()> {
    let (there, there_end) = channel(1);
    let (back, back_end) = channel(1);
    nursery(async |nursery| {
        nursery.spawn(async {
            for i in 0..n {
                there.send(i).await?;
                assert_eq!(back_end.recv().await?, Some(i));
            }
            Ok(())
        });
        for _ in 0..n {
            back.send(there_end.recv().await?.expect("there is a sender")).await?;
        }
        Ok(())
    })
    .await
}

async fn lock(n: usize) -> Result<()> {
    let mutex = Mutex::new(0);
    for _ in 0..n {
        *mutex.lock().await? += 1;
    }
    assert_eq!(mutex.into_inner(), n);
    Ok(())
}

async fn lock_handed(n: usize) -> Result<()> {
    let mutex = Mutex::new(0);
    nursery(async |nursery| {
        for _ in 0..10 {
            nursery.spawn(async {
                for _ in 0..n / 10 {
                    let mut guard = mutex.lock().await?;
                    yield_now().await?;
                    *guard += 1;
                }
                Ok(())
            });
        }
        Ok(())
    })
    .await?;
    assert_eq!(mutex.into_inner(), n);
    Ok(())
}

async fn semaphore(n: usize) -> Result<()> {
    let semaphore = Semaphore::new(2);
    for _ in 0..n {
        drop(black_box(semaphore.acquire().await?));
    }
    Ok(())
}

async fn notify(n: usize) -> Result<()> {
    let (there, back) = (Notify::new(), Notify::new());
    nursery(async |nursery| {
        nursery.spawn(async {
            for _ in 0..n {
                there.notify_one();
                back.notified().await?;
            }
            Ok(())
        });
        for _ in 0..n {
            there.notified().await?;
            back.notify_one();
        }
        Ok(())
    })
    .await
}

async fn oneshot(n: usize) -> Result<()> {
    for i in 0..n {
        let (sender, receiver) = oneshot::channel();
        sender.send(black_box(i))?;
        assert_eq!(receiver.await?, i);
    }
    Ok(())
}

async fn watch<const RECEIVERS: usize>(n: usize) -> Result<()> {
    let (sender, receiver) = watch::channel(0);
    let seen = Cell::new(0);
    nursery(async |nursery| {
        for _ in 0..RECEIVERS {
            let (mut receiver, seen) = (receiver.clone(), &seen);
            nursery.spawn(async move {
                while let Some(()) = receiver.changed().await? {
                    black_box(*receiver.borrow_and_update());
                    seen.set(seen.get() + 1);
                }
                Ok(())
            });
        }
        yield_now().await?;
        for i in 1..=n / RECEIVERS {
            sender.send(i)?;
            while seen.get() < i * RECEIVERS {
                yield_now().await?;
            }
        }
        drop(sender);
        Ok(())
    })
    .await
}

async fn broadcast<const RECEIVERS: usize>(n: usize) -> Result<()> {
    let (sender, receiver) = broadcast::channel(16, WhenFull::DropOldest);
    let seen = Cell::new(0);
    nursery(async |nursery| {
        for _ in 0..RECEIVERS {
            let (mut receiver, seen) = (receiver.clone(), &seen);
            nursery.spawn(async move {
                while let Some(i) = receiver.recv().await? {
                    black_box(i);
                    seen.set(seen.get() + 1);
                }
                Ok(())
            });
        }
        drop(receiver);
        yield_now().await?;
        for i in 1..=n / RECEIVERS {
            sender.send(i).await?;
            while seen.get() < i * RECEIVERS {
                yield_now().await?;
            }
        }
        drop(sender);
        Ok(())
    })
    .await
}

/// A generator of the numbers up to n. Its items are the same in all the rows about generators.
fn items(n: usize) -> Generator<'static, usize> {
    generator(async move |y: Yielder<usize>| {
        for i in 0..n {
            y.yield_(black_box(i)).await?;
        }
        Ok(())
    })
}

/// The same items, 100 at a time.
fn batches(n: usize) -> Generator<'static, usize> {
    generator(async move |y: Yielder<usize>| {
        for i in (0..n).step_by(100) {
            y.yield_all(Vec::from_iter(i..i + 100)).await?;
        }
        Ok(())
    })
}

async fn anext(mut items: Generator<'static, usize>, n: usize) -> Result<()> {
    let mut sum = 0;
    while let Some(i) = items.anext().await? {
        sum += i;
    }
    assert_eq!(sum, n * (n - 1) / 2);
    Ok(())
}

async fn stream(n: usize) -> Result<()> {
    let mut items = pin!(items(n));
    let mut sum = 0;
    while let Some(i) = poll_fn(|cx| items.as_mut().poll_next(cx)).await {
        sum += i?;
    }
    assert_eq!(sum, n * (n - 1) / 2);
    Ok(())
}

async fn asend(n: usize) -> Result<()> {
    let mut items = generator(async move |y: Yielder<usize, usize>| {
        let mut sent = 0;
        for i in 0..n {
            sent += y.yield_(black_box(i)).await?.unwrap_or(0);
        }
        assert_eq!(sent, n * (n - 1) / 2);
        Ok(())
    });
    let mut sum = 0;
    let mut next = items.anext().await?;
    while let Some(i) = next {
        sum += i;
        next = items.asend(i).await?;
    }
    assert_eq!(sum, n * (n - 1) / 2);
    Ok(())
}

fn sync_items(n: usize) -> Result<()> {
    let items = sync_generator(async move |y: Yielder<usize>| {
        for i in 0..n {
            y.yield_(black_box(i)).await?;
        }
        Ok(())
    });
    let mut sum = 0;
    for i in items {
        sum += i?;
    }
    assert_eq!(sum, n * (n - 1) / 2);
    Ok(())
}

async fn iterate_items(n: usize) -> Result<()> {
    let sum = iterate(
        async |y: Yielder<usize>| {
            for i in 0..n {
                y.yield_(black_box(i)).await?;
            }
            Ok(())
        },
        async |items| {
            let mut sum = 0;
            while let Some(i) = items.anext().await? {
                sum += i;
            }
            Ok(sum)
        },
    );
    assert_eq!(sum.await?, n * (n - 1) / 2);
    Ok(())
}

/// What the run does when the other thread wakes its task.
#[derive(Clone, Copy, PartialEq)]
enum Run {
    Polls,
    Sleeps,
}

/// The threads take turns by means of a socket, because waiting for each other in the way of the
/// standard library takes more instructions or fewer, depending on which of them is first.
async fn remote_wakes(n: usize, run: Run) -> Result<()> {
    static WAKER: OnceLock<Waker> = OnceLock::new();
    /// After this time the run sleeps.
    const WHILE: Duration = Duration::from_millis(2);
    let (mut task, mut other) = UnixStream::pair()?;
    let thread = thread::spawn(move || {
        for _ in 0..n {
            other.read_exact(&mut [0]).expect("the task writes");
            if run == Run::Sleeps {
                thread::sleep(WHILE);
            }
            WAKER.wait().wake_by_ref();
            other.write_all(&[0]).expect("the task reads");
        }
    });
    let mut wakes = 0;
    poll_fn(|cx| {
        WAKER.get_or_init(|| cx.waker().clone());
        if run == Run::Sleeps && wakes > 0 {
            task.read_exact(&mut [0]).expect("the other writes");
        }
        if wakes == n {
            return Poll::Ready(());
        }
        task.write_all(&[0]).expect("the other reads");
        if run == Run::Polls {
            task.read_exact(&mut [0]).expect("the other writes");
        }
        wakes += 1;
        Poll::Pending
    })
    .await;
    thread.join().expect("it does not panic");
    Ok(())
}
