//! S1 and S2: serving. `Arrivals` is a listener whose connections and errors come from the test.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use seedbed::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Error, Event, HandlerPanicked, Listener, Receiver, Result, Sender,
    Server, cancel_scope, channel, checkpoint, finishing, idle, move_on_after, now, nursery, run,
    serve, sleep, sleep_forever, yield_now,
};

const SECOND: Duration = Duration::from_secs(1);
const EMFILE: i32 = 24;
#[cfg(target_os = "linux")]
const ECONNABORTED: i32 = 103;
#[cfg(not(target_os = "linux"))]
const ECONNABORTED: i32 = 53;
const EBADF: i32 = 9;

struct Arrivals {
    queue: Receiver<Result<UnixStream, i32>>,
    /// Every attempt fails with this, whatever is in the queue.
    failing: Cell<Option<i32>>,
    attempts: Cell<usize>,
}

struct Clients(Sender<Result<UnixStream, i32>>);

fn arrivals() -> (Clients, Arrivals) {
    let (sender, queue) = channel(1000);
    (Clients(sender), Arrivals { queue, failing: Cell::new(None), attempts: Cell::new(0) })
}

impl Clients {
    fn connect(&self) -> UnixStream {
        let (client, server) = UnixStream::pair().unwrap();
        self.0.try_send(Ok(server)).map_err(drop).expect("there is room for 1,000");
        client
    }

    fn fail(&self, number: i32) {
        self.0.try_send(Err(number)).map_err(drop).expect("there is room for 1,000");
    }
}

impl Arrivals {
    fn attempt(&self) -> Result<()> {
        self.attempts.set(self.attempts.get() + 1);
        self.failing.get().map_or(Ok(()), |number| Err(io::Error::from_raw_os_error(number).into()))
    }
}

fn arrived(arrival: Result<UnixStream, i32>) -> Result<(UnixStream, u32)> {
    Ok((arrival.map_err(io::Error::from_raw_os_error)?, 7))
}

impl Listener for Arrivals {
    type Stream = UnixStream;
    type Address = u32;

    async fn accept(&self) -> Result<(UnixStream, u32)> {
        checkpoint().await?;
        self.attempt()?;
        match self.queue.recv().await? {
            Some(arrival) => arrived(arrival),
            None => loop {
                sleep_forever().await?;
            },
        }
    }

    fn try_accept(&self) -> Result<Option<(UnixStream, u32)>> {
        self.attempt()?;
        self.queue.try_recv().ok().map(arrived).transpose()
    }
}

/// Answers each byte with the next one.
async fn count_on(stream: &UnixStream) -> Result<()> {
    let mut byte = [0];
    while stream.read(&mut byte).await? == 1 {
        stream.write_all(&[byte[0] + 1]).await?;
    }
    Ok(())
}

async fn ask(client: &UnixStream, byte: u8) -> Result<u8> {
    client.write_all(&[byte]).await?;
    let mut answer = [0];
    client.read_exact(&mut answer).await?;
    Ok(answer[0])
}

async fn is_closed(client: &UnixStream) -> Result<bool> {
    Ok(client.read(&mut [0]).await? == 0)
}

/// Runs on a clock that jumps, and says how far it got.
fn run_virtually(main: impl AsyncFnOnce(&VirtualClock) -> Result<()>) -> Duration {
    let clock = VirtualClock::new();
    Builder::new().clock(&clock).run(main(&clock)).unwrap();
    clock.elapsed()
}

// S1

#[test]
fn s01_a_handler_per_connection_borrows_what_is_outside() {
    run(async {
        let (clients, listener) = arrivals();
        let served = Cell::new(0);
        let stop = Event::new();
        nursery(async |n| {
            drop(n.spawn(Server::new(listener).shutdown_on(stop.wait()).serve(
                async |stream, peer| {
                    assert_eq!(peer, 7);
                    served.set(served.get() + 1);
                    count_on(&stream).await
                },
            )));
            let (one, other) = (clients.connect(), clients.connect());
            assert_eq!(ask(&one, 1).await?, 2);
            assert_eq!(ask(&other, 11).await?, 12);
            assert_eq!(ask(&one, 2).await?, 3);
            drop((one, other));
            stop.set();
            Ok(())
        })
        .await?;
        assert_eq!(served.get(), 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn s01_tcp_and_unix_listeners() {
    let folder = std::env::temp_dir().join(format!("seedbed-serve-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    run(async {
        let tcp = TcpListener::bind("127.0.0.1:0").await?;
        let unix = UnixListener::bind(&path).await?;
        let address = tcp.local_addr()?;
        let scope = &CancelScope::new();
        nursery(async |n| {
            drop(n.spawn(scope.enter(async |_| {
                serve(tcp, async |stream, peer| stream.write_all(peer.to_string().as_bytes()).await)
                    .await
            })));
            drop(n.spawn(async {
                // Borrowed, a listener can be used again.
                let stop = Event::new();
                stop.set();
                let server = Server::new(&unix).shutdown_on(stop.wait());
                server.serve(async |_, _| Ok(())).await?;
                cancel_scope(async |server| {
                    serve(&unix, async |stream, _| {
                        stream.write_all(b"unix").await?;
                        server.cancel();
                        Ok(())
                    })
                    .await
                })
                .await
            }));
            let client = TcpStream::connect(address).await?;
            let mut text = Vec::new();
            client.read_to_end(&mut text).await?;
            assert_eq!(String::from_utf8(text)?, client.local_addr()?.to_string());
            let client = UnixStream::connect(&path).await?;
            let mut text = Vec::new();
            client.read_to_end(&mut text).await?;
            assert_eq!(text, b"unix");
            scope.cancel();
            Ok(())
        })
        .await
    })
    .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn s01_a_failing_connection_is_reported_and_the_server_goes_on() {
    run(async {
        let (clients, listener) = arrivals();
        let reported = RefCell::new(Vec::new());
        let stop = Event::new();
        nursery(async |n| {
            let server = Server::new(listener)
                .shutdown_on(stop.wait())
                .on_error(|error, peer| reported.borrow_mut().push((error, *peer)));
            drop(n.spawn(server.serve(async |stream, _| {
                let mut byte = [0];
                stream.read_exact(&mut byte).await?;
                match byte[0] {
                    0 => Err(Error::msg("out of paper")),
                    1 => panic!("a bug in the {}", "handler"),
                    2 => {
                        // A cancellation that is not the server's is a failure like any other.
                        let inner = nursery(async |n| {
                            let task = n.spawn(sleep_forever());
                            n.cancel();
                            task.await
                        });
                        inner.await?;
                        Err(cancelled_elsewhere().await)
                    }
                    byte => stream.write_all(&[byte]).await,
                }
            })));
            for failing in 0..3 {
                let client = clients.connect();
                client.write_all(&[failing]).await?;
                assert!(is_closed(&client).await?);
            }
            let client = clients.connect();
            client.write_all(&[9]).await?;
            client.read_exact(&mut [0]).await?;
            stop.set();
            Ok(())
        })
        .await?;
        let reported = reported.into_inner();
        assert_eq!(reported.len(), 3);
        assert!(reported.iter().all(|(_, peer)| *peer == 7));
        assert_eq!(reported[0].0.to_string(), "out of paper");
        let panicked: &HandlerPanicked = reported[1].0.downcast_ref().unwrap();
        assert_eq!(panicked.message(), "a bug in the handler");
        assert!(reported[2].0.is_cancelled());
        Ok(())
    })
    .unwrap();
}

/// A `Cancelled` of a scope that has nothing to do with the one it is returned in.
async fn cancelled_elsewhere() -> Error {
    let kept = Cell::new(None);
    let caught = cancel_scope(async |scope| {
        scope.cancel();
        kept.set(checkpoint().await.err());
        Ok(())
    });
    caught.await.unwrap();
    kept.take().unwrap()
}

#[test]
fn s01_a_panic_ends_the_server_where_that_is_asked_for() {
    let panic = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            let (clients, listener) = arrivals();
            let _clients = [clients.connect(), clients.connect()];
            let seen = Cell::new(0);
            Server::new(listener)
                .resume_panics()
                .serve(async |_, _| {
                    seen.set(seen.get() + 1);
                    if seen.get() == 2 {
                        panic!("a bug");
                    }
                    sleep_forever().await
                })
                .await
        })
    }));
    assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "a bug");
}

#[test]
fn s01_no_more_connections_than_allowed() {
    run(async {
        let (clients, listener) = arrivals();
        let clients: Vec<_> = (0..10).map(|_| clients.connect()).collect();
        let (open, most) = (Cell::new(0), Cell::new(0));
        let stop = Event::new();
        let listener = &listener;
        nursery(async |n| {
            let server = Server::new(listener).max_connections(3).shutdown_on(stop.wait());
            drop(n.spawn(server.serve(async |stream, _| {
                open.set(open.get() + 1);
                most.set(most.get().max(open.get()));
                let outcome = count_on(&stream).await;
                open.set(open.get() - 1);
                outcome
            })));
            for _ in 0..100 {
                yield_now().await?;
            }
            assert_eq!(open.get(), 3);
            // It does not even try.
            assert_eq!(listener.attempts.get(), 3);
            for client in clients {
                assert_eq!(ask(&client, 1).await?, 2);
            }
            stop.set();
            Ok(())
        })
        .await?;
        assert_eq!(most.get(), 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn s01_backs_off_while_descriptors_have_run_out() {
    let time = run_virtually(async |_| {
        let (clients, listener) = arrivals();
        let client = clients.connect();
        listener.failing.set(Some(EMFILE));
        let listener = &listener;
        let stop = Event::new();
        nursery(async |n| {
            let server = Server::new(listener).shutdown_on(stop.wait());
            drop(n.spawn(server.serve(async |stream, _| count_on(&stream).await)));
            sleep(100 * SECOND).await?;
            // 10, 20, 40 … 640 milliseconds, then a second each.
            let attempts = listener.attempts.get();
            assert!((100..=110).contains(&attempts), "{attempts} attempts in 100 seconds");
            listener.failing.set(None);
            assert_eq!(ask(&client, 1).await?, 2);
            drop(client);

            // It starts again after a success.
            listener.failing.set(Some(EMFILE));
            let other = clients.connect(); // comes out of the attempt that waits already
            assert_eq!(ask(&other, 1).await?, 2);
            listener.attempts.set(0);
            sleep(Duration::from_millis(75)).await?;
            assert_eq!(listener.attempts.get(), 3); // after 10, 30 and 70 milliseconds
            listener.failing.set(None);
            drop(other);
            stop.set();
            Ok(())
        })
        .await
    });
    assert!((100 * SECOND..=102 * SECOND).contains(&time), "{time:?}");
}

#[test]
fn s01_tries_again_as_soon_as_a_connection_closes() {
    let time = run_virtually(async |_| {
        let (clients, listener) = arrivals();
        let listener = &listener;
        let stop = Event::new();
        nursery(async |n| {
            let server = Server::new(listener).shutdown_on(stop.wait());
            drop(n.spawn(server.serve(async |stream, _| {
                let outcome = count_on(&stream).await;
                listener.failing.set(None); // its descriptor is free
                outcome
            })));
            let one = clients.connect();
            assert_eq!(ask(&one, 1).await?, 2);
            listener.failing.set(Some(EMFILE));
            let other = clients.connect(); // comes out of an attempt that began before
            let third = clients.connect();
            sleep(Duration::from_millis(9500)).await?;
            drop(one);
            assert_eq!(ask(&third, 1).await?, 2);
            drop(other);
            stop.set();
            Ok(())
        })
        .await
    });
    assert_eq!(time, Duration::from_millis(9500));
}

#[test]
fn s01_passes_over_connections_that_failed_before_they_were_accepted() {
    let time = run_virtually(async |_| {
        let (clients, listener) = arrivals();
        let stop = Event::new();
        nursery(async |n| {
            let server = Server::new(listener).shutdown_on(stop.wait());
            drop(n.spawn(server.serve(async |stream, _| count_on(&stream).await)));
            for _ in 0..10 {
                clients.fail(ECONNABORTED);
            }
            let client = clients.connect();
            assert_eq!(ask(&client, 1).await?, 2);
            stop.set();
            Ok(())
        })
        .await
    });
    assert_eq!(time, Duration::ZERO);
}

#[test]
fn s01_backs_off_from_an_error_of_connections_that_does_not_end() {
    let time = run_virtually(async |_| {
        let (_clients, listener) = arrivals();
        listener.failing.set(Some(ECONNABORTED));
        let listener = &listener;
        let server = serve(listener, async |_, _| Ok(()));
        assert_eq!(move_on_after(10 * SECOND, server).await?, None);
        assert!(listener.attempts.get() < 100);
        Ok(())
    });
    assert_eq!(time, 10 * SECOND);
}

#[test]
fn s01_any_other_error_ends_the_server_and_lets_connections_finish() {
    let time = run_virtually(async |_| {
        let (clients, listener) = arrivals();
        let finished = Cell::new(false);
        let _client = clients.connect();
        clients.fail(EBADF);
        let server = serve(listener, async |_, _| {
            sleep(SECOND).await?;
            finished.set(true);
            Ok(())
        });
        // No group: the nursery is the server's own affair.
        let error = server.await.unwrap_err().downcast::<io::Error>().unwrap();
        assert_eq!(error.raw_os_error(), Some(EBADF));
        assert!(finished.get());
        Ok(())
    });
    assert_eq!(time, SECOND);
}

// S2

#[test]
fn s02_lets_connections_finish_and_then_cancels_them() {
    let time = run_virtually(async |_| {
        let (clients, listener) = arrivals();
        let clients = [clients.connect(), clients.connect()];
        let ended = RefCell::new(Vec::new());
        Server::new(listener)
            .shutdown_on(sleep(SECOND))
            .grace(5 * SECOND)
            .on_error(|error, _| panic!("not a failure: {error}"))
            .serve(async |_, _| {
                let time = if ended.borrow().is_empty() { 3 * SECOND } else { 60 * SECOND };
                ended.borrow_mut().push("begun");
                let outcome = sleep(time).await;
                ended.borrow_mut().push(if outcome.is_ok() { "finished" } else { "cancelled" });
                outcome
            })
            .await?;
        assert_eq!(*ended.borrow(), ["begun", "begun", "finished", "cancelled"]);
        drop(clients);
        Ok(())
    });
    assert_eq!(time, 6 * SECOND);
}

#[test]
fn s02_serves_those_who_wait_in_the_kernels_queue() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut clients = Vec::new();
        for _ in 0..100 {
            clients.push(TcpStream::connect(address).await?);
        }
        let stop = Event::new();
        stop.set();
        let served = Cell::new(0);
        let server = Server::new(listener).max_connections(4).shutdown_on(stop.wait());
        nursery(async |n| {
            drop(n.spawn(server.serve(async |stream, _| {
                let mut request = [0; 7];
                stream.read_exact(&mut request).await?;
                stream.write_all(&request).await?;
                served.set(served.get() + 1);
                Ok(())
            })));
            // The listener is closed before they are served.
            while TcpStream::connect(address).await.is_ok() {
                yield_now().await?;
            }
            for (i, client) in clients.into_iter().enumerate() {
                let request = format!("ask {i:3}");
                client.write_all(request.as_bytes()).await?;
                let mut answer = Vec::new();
                client.read_to_end(&mut answer).await?;
                assert_eq!(answer, request.as_bytes());
            }
            Ok(())
        })
        .await?;
        assert!(served.get() >= 100);
        Ok(())
    })
    .unwrap();
}

#[test]
fn s02_a_shutdown_that_runs_out_of_descriptors_serves_those_it_has() {
    let time = run_virtually(async |_| {
        let (clients, listener) = arrivals();
        let clients = [clients.connect(), clients.connect()];
        let stop = Event::new();
        stop.set();
        let listener = &listener;
        let server = Server::new(listener).shutdown_on(stop.wait()).grace(5 * SECOND);
        nursery(async |n| {
            drop(n.spawn(server.serve(async |stream, _| {
                listener.failing.set(Some(EMFILE));
                stream.write_all(&[1]).await
            })));
            clients[0].read_exact(&mut [0]).await?;
            Ok(())
        })
        .await
    });
    assert!(time <= 5 * SECOND, "{time:?}");
}

#[test]
fn s02_idle_connections_are_closed_at_once() {
    let time = run_virtually(async |_| {
        let (clients, listener) = arrivals();
        let client = clients.connect();
        let stop = Event::new();
        nursery(async |n| {
            let server = Server::new(listener).shutdown_on(stop.wait());
            drop(n.spawn(server.serve(async |stream, _| {
                let mut byte = [0];
                while idle(stream.read(&mut byte)).await? == 1 {
                    sleep(SECOND).await?; // work, which goes on
                    stream.write_all(&[byte[0] + 1]).await?;
                }
                Ok(())
            })));
            assert_eq!(ask(&client, 1).await?, 2);
            client.write_all(&[7]).await?;
            sleep(SECOND / 2).await?;
            stop.set();
            let mut answer = [0];
            client.read_exact(&mut answer).await?;
            assert_eq!(answer, [8]);
            assert!(is_closed(&client).await?);
            Ok(())
        })
        .await
    });
    // The idle wait ends with the next look at the kernel.
    assert!((2 * SECOND..2 * SECOND + Duration::from_millis(1)).contains(&time), "{time:?}");
}

#[test]
fn s02_a_request_that_has_arrived_is_not_lost_to_the_shutdown() {
    run_virtually(async |_| {
        let (clients, listener) = arrivals();
        let clients: Vec<_> = (0..10).map(|_| clients.connect()).collect();
        let stop = Event::new();
        nursery(async |n| {
            let server = Server::new(listener).shutdown_on(stop.wait());
            drop(n.spawn(server.serve(async |stream, _| {
                let mut byte = [0];
                while idle(stream.read(&mut byte)).await? == 1 {
                    stream.write_all(&[byte[0] + 1]).await?;
                }
                Ok(())
            })));
            for client in &clients {
                assert_eq!(ask(client, 1).await?, 2);
            }
            for client in &clients {
                client.write_all(&[5]).await?;
            }
            stop.set(); // before the server has looked
            for client in &clients {
                let mut answers = Vec::new();
                client.read_to_end(&mut answers).await?;
                assert_eq!(answers, [6]);
            }
            Ok(())
        })
        .await
    });
}

#[test]
fn s02_a_graceful_cancellation_from_outside_is_a_shutdown() {
    let time = run_virtually(async |_| {
        let (clients, listener) = arrivals();
        let _client = clients.connect();
        let finished = Cell::new(false);
        let scope = CancelScope::new();
        let served = scope
            .enter(async |scope| {
                serve(listener, async |_, _| {
                    scope.cancel_gracefully(5 * SECOND); // a handler may end its server
                    sleep(SECOND).await?;
                    finished.set(true);
                    Ok(())
                })
                .await
            })
            .await?;
        assert_eq!(served, None);
        assert!(scope.cancelled_caught() && finished.get());
        Ok(())
    });
    assert_eq!(time, SECOND);
}

#[test]
fn s02_any_other_cancellation_is_at_once() {
    let time = run_virtually(async |_| {
        let (clients, listener) = arrivals();
        let _clients = [clients.connect(), clients.connect()];
        let server = serve(listener, async |_, _| sleep_forever().await);
        assert_eq!(move_on_after(SECOND, server).await?, None);
        Ok(())
    });
    assert_eq!(time, SECOND);
}

#[test]
fn s02_a_signal_that_fails_is_the_servers_error() {
    let time = run_virtually(async |_| {
        let (clients, listener) = arrivals();
        let _client = clients.connect();
        let signal = async {
            sleep(SECOND).await?;
            Err::<(), _>(Error::msg("no more signals"))
        };
        let server = Server::new(listener).shutdown_on(signal);
        let error = server.serve(async |_, _| sleep(2 * SECOND).await).await.unwrap_err();
        assert_eq!(error.to_string(), "no more signals");
        Ok(())
    });
    assert_eq!(time, 2 * SECOND);
}

#[test]
fn s02_connections_cut_short_that_clean_up() {
    let time = run_virtually(async |_| {
        let (clients, listener) = arrivals();
        let client = clients.connect();
        nursery(async |n| {
            let server = Server::new(listener).shutdown_on(sleep(SECOND)).grace(SECOND);
            drop(n.spawn(server.serve(async |stream, _| {
                let outcome = sleep_forever().await;
                CancelScope::new()
                    .with_shield()
                    .with_timeout(SECOND)
                    .enter(async |_| {
                        sleep(SECOND / 2).await?;
                        stream.write_all(b"!").await
                    })
                    .await?;
                outcome
            })));
            client.read_exact(&mut [0]).await
        })
        .await
    });
    assert_eq!(time, 2 * SECOND + SECOND / 2);
}

// C13, idle

#[test]
fn c13_idle_is_reached_through_any_number_of_finishing_sections() {
    let time = run_virtually(async |_| {
        cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(finishing(finishing(nursery(async |n| {
                    drop(n.spawn(finishing(sleep(2 * SECOND)))); // is not reached
                    idle(sleep_forever()).await
                })))));
                sleep(SECOND).await?;
                scope.cancel_gracefully(10 * SECOND);
                Ok(())
            })
            .await
        })
        .await?;
        Ok(())
    });
    assert_eq!(time, 2 * SECOND);
}

#[test]
fn c13_idle_is_not_reached_through_a_shield() {
    let time = run_virtually(async |_| {
        cancel_scope(async |scope| {
            scope.cancel_gracefully(10 * SECOND);
            let shield = CancelScope::new().with_shield();
            shield.enter(async |_| idle(sleep(SECOND)).await).await
        })
        .await?;
        Ok(())
    });
    assert_eq!(time, SECOND);
}

#[test]
fn c13_idle_inside_a_combinator() {
    let time = run_virtually(async |_| {
        cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(finishing(async {
                    let waits: futures::stream::FuturesUnordered<_> =
                        (0..3).map(|_| idle(sleep_forever())).collect();
                    let ended: Vec<_> = futures::StreamExt::collect(waits).await;
                    assert!(ended.iter().all(|e| e.as_ref().is_err_and(Error::is_cancelled)));
                    sleep(SECOND).await // still finishing
                })));
                sleep(SECOND).await?;
                scope.cancel_gracefully(10 * SECOND);
                Ok(())
            })
            .await
        })
        .await?;
        Ok(())
    });
    assert!((2 * SECOND..2 * SECOND + Duration::from_millis(1)).contains(&time), "{time:?}");
}

#[test]
fn c13_idle_passes_on_values_errors_and_other_cancellations() {
    run_virtually(async |_| {
        assert_eq!(idle(async { Ok(1) }).await?, 1);
        let error = idle(async { Err::<(), _>(Error::msg("out of paper")) }).await.unwrap_err();
        assert_eq!(error.to_string(), "out of paper");
        assert_eq!(move_on_after(SECOND, idle(sleep_forever())).await?, None);
        Ok(())
    });
}

// R7

#[test]
fn r07_sleeps_that_are_over_at_once_do_not_keep_others_waiting() {
    run(async {
        let (one, other) = UnixStream::pair()?;
        nursery(async |n| {
            drop(n.spawn(async move {
                yield_now().await?;
                other.write_all(b"!").await
            }));
            for nanos in [1, 10, 100, 1000, 10_000] {
                drop(n.spawn(async move {
                    loop {
                        sleep(Duration::from_nanos(nanos)).await?;
                    }
                    #[expect(unreachable_code, reason = "says what the block gives")]
                    Ok(())
                }));
            }
            one.read_exact(&mut [0]).await?;
            n.cancel();
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn r07_timers_that_are_always_due_do_not_keep_the_network_waiting() {
    run(async {
        let (one, other) = UnixStream::pair()?;
        nursery(async |n| {
            drop(n.spawn(async move {
                yield_now().await?;
                other.write_all(b"!").await
            }));
            drop(n.spawn(async {
                for _ in 0..100 {
                    // Due, but not ready yet, whenever the run loop comes to look at the timers.
                    let mut due = pin!(sleep(Duration::from_micros(20)));
                    poll_fn(|cx| {
                        let begin = now();
                        let poll = due.as_mut().poll(cx);
                        while poll.is_pending() && now() - begin < Duration::from_micros(40) {}
                        poll
                    })
                    .await?;
                }
                Err::<(), _>(Error::msg("the network has had no turn"))
            }));
            one.read_exact(&mut [0]).await?;
            n.cancel();
            Ok(())
        })
        .await
    })
    .unwrap();
}
