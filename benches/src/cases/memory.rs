//! The memory of what is idle, in bytes: a child that waits and only holds its waker, a child that
//! sleeps for an hour, and a connection of the `tcp_echo` server that waits for a message, with a
//! buffer of 64 bytes so that the buffer is not most of it.
//!
//! Each is measured in a process of its own. There are two figures: what was allocated, including
//! the allocator's overhead, and what became resident (`resident`), which includes what the runtime
//! itself got from the kernel, and the allocator's reserve. What the kernel keeps on its side is in
//! neither.
//!
//! Handles are dropped where tasks live on without them; a set of them (`JoinSet`) is not used.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::{Size, tcp_echo};
use crate::load::{self, Exchange};
use crate::memory::Memory;
use crate::process::{self, Inside};
use crate::row::{Better, Figure, Row};
use crate::runtimes;
use crate::subjects::*;
use crate::tally;

const HOUR: Duration = Duration::from_secs(3600);

/// The subjects whose idle children can be measured.
const SPAWNERS: &[&str] = &[
    SEEDBED,
    #[cfg(feature = "peers")]
    TOKIO,
    #[cfg(feature = "peers")]
    SMOL,
    #[cfg(feature = "peers")]
    FUTURES_UNORDERED,
    #[cfg(feature = "peers")]
    MORO_LOCAL,
    #[cfg(feature = "peers")]
    MONOIO_EPOLL,
    #[cfg(feature = "peers")]
    COMPIO_EPOLL,
    #[cfg(feature = "peers")]
    GLOMMIO,
];

pub fn rows(size: Size) -> Vec<Row> {
    let children = size.of(100_000, 10_000);
    let connections = size.of(5_000, 500);
    let row = |what: &str| {
        let unit = format!("bytes/{what}");
        let figures = vec![
            Figure::new("", &unit, Better::Less),
            Figure::new("/resident", &unit, Better::Less),
        ];
        Row::new(format!("memory/{what}"), figures).rounds_divided_by(4)
    };
    let (mut child, mut sleep, mut connection) = (row("child"), row("sleep"), row("connection"));
    for subject in SPAWNERS {
        child = child.sample(subject, move || idle("child", subject, children));
        sleep = match *subject {
            FUTURES_UNORDERED | MORO_LOCAL => sleep.absent(subject, "it has no timers"),
            _ => sleep.sample(subject, move || idle("sleep", subject, children)),
        };
    }
    for subject in tcp_echo::SERVERS {
        connection = connection.sample(subject, move || connected(subject, connections));
    }
    vec![child, sleep, connection]
}

fn idle(what: &str, subject: &str, n: usize) -> Vec<f64> {
    Inside::start(&["memory", what, subject, &n.to_string()]).numbers()
}

fn connected(subject: &str, n: usize) -> Vec<f64> {
    let (mut server, address) = process::start_server(&["tcp_echo", subject, "64"]);
    let exchange = Exchange { request: b"!", answer: 1, check: &|answer| answer == b"!" };
    // This is needed once, whatever the number of connections.
    let first = load::connect(address, 1, &exchange);
    let before = server.memory();
    let others = load::connect(address, n, &exchange);
    let bytes = server.memory().each_since(before, n);
    drop((first, others));
    bytes
}

/// The futures that the children wait for.
#[derive(Clone, Copy, PartialEq)]
enum Idle {
    Child,
    Sleep,
}

/// The inside of the process: prints what each of `n` children takes, and ends.
pub fn inside(what: &str, subject: &str, n: usize) {
    let idle = match what {
        "child" => Idle::Child,
        "sleep" => Idle::Sleep,
        _ => panic!("no such thing: {what}"),
    };
    match subject {
        SEEDBED => seedbed(idle, n),
        #[cfg(feature = "peers")]
        TOKIO => peers::tokio(idle, n),
        #[cfg(feature = "peers")]
        SMOL => peers::smol(idle, n),
        #[cfg(feature = "peers")]
        FUTURES_UNORDERED => peers::futures_unordered(n),
        #[cfg(feature = "peers")]
        MORO_LOCAL => peers::moro_local(n),
        #[cfg(feature = "peers")]
        MONOIO_EPOLL => peers::monoio(idle, n),
        #[cfg(feature = "peers")]
        COMPIO_EPOLL => peers::compio(idle, n),
        #[cfg(feature = "peers")]
        GLOMMIO => peers::glommio(idle, n),
        _ => panic!("no such subject: {subject}"),
    }
}

/// Spawns `n` children, lets them run until all wait, prints what they take, and ends the process.
async fn report(n: usize, mut spawn: impl FnMut(), yields: impl AsyncFn()) {
    let before = Memory::now();
    for _ in 0..n {
        spawn();
    }
    while tally::so_far() < n {
        yields().await;
    }
    let bytes = Memory::now().each_since(before, n);
    println!("{} {}", bytes[0], bytes[1]);
    std::process::exit(0);
}

/// A child that waits for nothing, but keeps its waker as if it waited for something. Some runtimes
/// drop a task that nothing could wake.
async fn child<T>() -> T {
    let _alive = Alive::new();
    let mut waker = None;
    poll_fn(|cx| {
        waker = Some(cx.waker().clone());
        Poll::Pending
    })
    .await
}

/// Something each child owns. It must exist to the end.
struct Alive;

impl Alive {
    fn new() -> Alive {
        tally::count();
        Alive
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        eprintln!("a child was dropped that was to be idle");
        std::process::abort();
    }
}

fn seedbed(idle: Idle, n: usize) {
    runtimes::seedbed::run(seedbed::nursery(async |nursery| {
        let spawn = || match idle {
            Idle::Child => drop(nursery.spawn::<_, ()>(child())),
            Idle::Sleep => drop(nursery.spawn(async {
                let _alive = Alive::new();
                seedbed::sleep(HOUR).await
            })),
        };
        let yields = async || seedbed::yield_now().await.expect("not cancelled");
        report(n, spawn, yields).await;
        Ok(())
    }))
}

#[cfg(feature = "peers")]
mod peers {
    use crate::runtimes::Driver;
    use std::cell::RefCell;
    use std::task::Context;

    use ::futures::stream::{FuturesUnordered, StreamExt};
    use futures_lite::future::yield_now;

    use super::*;

    pub fn tokio(idle: Idle, n: usize) {
        use ::tokio::task::{spawn_local, yield_now};
        let spawn = || match idle {
            Idle::Child => drop(spawn_local(child::<()>())),
            Idle::Sleep => drop(spawn_local(async {
                let _alive = Alive::new();
                ::tokio::time::sleep(HOUR).await;
            })),
        };
        runtimes::tokio::run(report(n, spawn, yield_now))
    }

    pub fn smol(idle: Idle, n: usize) {
        runtimes::smol::run(async |executor| {
            let spawn = || match idle {
                Idle::Child => executor.spawn(child::<()>()).detach(),
                Idle::Sleep => {
                    let sleep = async {
                        let _alive = Alive::new();
                        async_io::Timer::after(HOUR).await;
                    };
                    executor.spawn(sleep).detach();
                }
            };
            report(n, spawn, yield_now).await
        })
    }

    pub fn futures_unordered(n: usize) {
        let children = RefCell::new(FuturesUnordered::new());
        let spawn = || children.borrow_mut().push(child::<()>());
        runtimes::futures::run(report(n, spawn, async || {
            let poll =
                |cx: &mut Context<'_>| children.borrow_mut().poll_next_unpin(cx).is_pending();
            assert!(poll_fn(|cx| Poll::Ready(poll(cx))).await, "a child has ended");
        }))
    }

    pub fn moro_local(n: usize) {
        runtimes::futures::run(moro_local::async_scope!(|scope| {
            report(n, || drop(scope.spawn(child::<()>())), yield_now).await
        }))
    }

    pub fn monoio(idle: Idle, n: usize) {
        let spawn = || match idle {
            Idle::Child => drop(::monoio::spawn(child::<()>())),
            Idle::Sleep => drop(::monoio::spawn(async {
                let _alive = Alive::new();
                ::monoio::time::sleep(HOUR).await;
            })),
        };
        // In monoio a task that wakes itself runs again before the others.
        let yields = async || ::monoio::time::sleep(Duration::from_millis(1)).await;
        runtimes::monoio::run(Driver::Epoll, report(n, spawn, yields))
    }

    pub fn compio(idle: Idle, n: usize) {
        let spawn = || match idle {
            Idle::Child => ::compio::runtime::spawn(child::<()>()).detach(),
            Idle::Sleep => {
                let sleep = async {
                    let _alive = Alive::new();
                    ::compio::runtime::time::sleep(HOUR).await;
                };
                ::compio::runtime::spawn(sleep).detach();
            }
        };
        runtimes::compio::run(Driver::Epoll, report(n, spawn, yield_now))
    }

    pub fn glommio(idle: Idle, n: usize) {
        let spawn = || match idle {
            Idle::Child => drop(::glommio::spawn_local(child::<()>()).detach()),
            Idle::Sleep => {
                let sleep = async {
                    let _alive = Alive::new();
                    ::glommio::timer::sleep(HOUR).await;
                };
                drop(::glommio::spawn_local(sleep).detach());
            }
        };
        runtimes::glommio::run(report(n, spawn, yield_now))
    }
}
