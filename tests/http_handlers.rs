//! HTTP handlers are tasks: what they see when their client goes, or the server does.
#![cfg(unix)]

use std::cell::{Cell, RefCell};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::{Request, Response, StatusCode};
use seedbed::hyper::{
    Body, Connection, Io, NurseryExecutor, Peer, Timer, gracefully, serve_connection, upgrade,
};
use seedbed::net::{TcpListener, TcpStream, UnixStream};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Error, Event, HandlerPanicked, Nursery, Result, Yielder, cancel_scope,
    cancellable, finishing, generator, idle, move_on_after, nursery, sleep, sleep_forever,
};

const SECOND: Duration = Duration::from_secs(1);
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: me\r\n\r\n";
const CLEANED_UP: [&str; 3] = ["begin", "cancelled", "rolled back"];

fn run_virtually(main: impl AsyncFnOnce() -> Result<()>) -> Duration {
    let clock = VirtualClock::new();
    Builder::new().clock(&clock).detect_deadlock(true).run(main()).unwrap();
    clock.elapsed()
}

/// What a handler has come to.
#[derive(Default)]
struct Log {
    lines: RefCell<Vec<&'static str>>,
    begun: Event,
}

impl Log {
    fn add(&self, line: &'static str) {
        self.lines.borrow_mut().push(line);
        self.begun.set();
    }

    /// Something that waits, and cleans up for a while under a shield.
    async fn transaction(&self, wait: impl Future<Output = Result<()>>) -> Result<()> {
        struct Guard<'a>(Option<&'a Log>);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                if let Some(log) = self.0 {
                    log.add("dropped");
                }
            }
        }
        let mut guard = Guard(Some(self));
        self.add("begin");
        let outcome = wait.await;
        self.add(match &outcome {
            Ok(()) => "done",
            Err(error) if error.is_cancelled() => "cancelled",
            Err(_) => "failed",
        });
        let shield = CancelScope::new().with_shield().with_timeout(SECOND);
        shield.enter(async |_| sleep(SECOND / 10).await).await?;
        self.add("rolled back");
        guard.0 = None;
        outcome
    }

    /// A request for what comes later, or for a stream of events.
    async fn answer<'a>(&'a self, request: Request<Incoming>) -> Result<Response<Body<'a>>> {
        match request.uri().path() {
            "/events" => Ok(Response::new(Body::stream(async |sender| {
                let events = async {
                    loop {
                        sender.send("data: something\n\n").await?;
                        sleep(SECOND).await?;
                    }
                };
                self.transaction(events).await
            }))),
            _ => {
                self.transaction(sleep_forever()).await?;
                Ok(Response::new(Body::empty()))
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Departure {
    /// Of a process that is killed: all is closed.
    Killed,
    Reset,
    HalfClosed,
}

async fn tcp_pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

fn reset(client: TcpStream) -> Result<()> {
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
    drop(client);
    Ok(())
}

/// What becomes of a handler when its client goes away, and after which time.
fn departs(how: Departure, path: &str, behind: &[u8]) -> (Vec<&'static str>, Duration) {
    let log = Log::default();
    let time = run_virtually(async || {
        let log = &log;
        nursery(async |n| {
            let request = format!("GET {path} HTTP/1.1\r\nhost: me\r\n\r\n");
            let request = [request.as_bytes(), behind].concat();
            if how == Departure::Killed {
                let (client, stream) = UnixStream::pair()?;
                n.spawn(serve_connection(stream, "test", async |r| log.answer(r).await));
                client.write_all(&request).await?;
                log.begun.wait().await?;
                return Ok(());
            }
            let (client, stream) = tcp_pair().await?;
            n.spawn(serve_connection(stream, "test", async |r| log.answer(r).await));
            client.write_all(&request).await?;
            log.begun.wait().await?;
            match how {
                Departure::Reset => reset(client),
                _ => {
                    client.shutdown(Shutdown::Write)?;
                    while client.read(&mut [0; 1024]).await? > 0 {}
                    Ok(())
                }
            }
        })
        .await
    });
    (log.lines.into_inner(), time)
}

#[test]
fn s04_a_departure_cancels_the_handler_at_once() {
    let pipelined = [GET, GET].concat();
    for how in [Departure::Killed, Departure::Reset] {
        for path in ["/", "/events"] {
            for behind in [&b""[..], GET, &pipelined, b"GET / HT"] {
                let (lines, time) = departs(how, path, behind);
                assert_eq!(lines, CLEANED_UP, "{how:?} {path}");
                assert!(time < SECOND / 5, "{how:?} {path}: {time:?}");
            }
        }
    }
}

#[test]
fn s04_the_end_of_the_input_alone_cancels_the_handler_after_a_while() {
    for path in ["/", "/events"] {
        let (lines, time) = departs(Departure::HalfClosed, path, b"");
        assert_eq!(lines, CLEANED_UP, "{path}");
        assert!((10 * SECOND..11 * SECOND).contains(&time), "{path}: {time:?}");
    }
}

#[test]
fn s04_a_client_that_has_ended_its_side_gets_its_answers() {
    let time = run_virtually(async || {
        nursery(async |n| {
            let (client, stream) = tcp_pair().await?;
            n.spawn(serve_connection(stream, "test", async |_| {
                sleep(3 * SECOND).await?;
                Ok::<_, Error>(Response::new(String::from("late")))
            }));
            client.write_all(&[GET, GET].concat()).await?;
            client.shutdown(Shutdown::Write)?;
            let mut answers = Vec::new();
            client.read_to_end(&mut answers).await?;
            let answers = String::from_utf8(answers)?;
            assert_eq!(answers.matches("200 OK").count(), 2, "{answers}");
            Ok(())
        })
        .await
    });
    assert_eq!(time, 6 * SECOND);
}

async fn http2_client<'scope>(
    n: &'scope Nursery<'scope, '_>,
    stream: impl futures::AsyncRead + futures::AsyncWrite + Unpin + 'static,
) -> Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = hyper::client::conn::http2::Builder::new(NurseryExecutor::new(n))
        .handshake(Io::new(stream))
        .await?;
    drop(n.spawn(async {
        let _broken = connection.await;
        Ok(())
    }));
    Ok(sender)
}

fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(format!("http://me{path}")).body(Full::default()).unwrap()
}

#[test]
fn s04_a_client_of_http2_that_goes_cancels_all_its_handlers_and_a_reset_only_that_one() {
    for (path, reset_only) in [("/", false), ("/events", false), ("/", true), ("/events", true)] {
        let (log, other) = (Log::default(), Log::default());
        run_virtually(async || {
            let (client, stream) = UnixStream::pair()?;
            nursery(async |n| {
                n.spawn(serve_connection(
                    stream,
                    "test",
                    async |request: Request<_>| match request.uri().path() {
                        "/other" => {
                            let outcome = other.transaction(sleep(5 * SECOND)).await;
                            outcome.map(|()| Response::new(Body::from("fine")))
                        }
                        _ => log.answer(request).await,
                    },
                ));
                let gone = cancel_scope(async |clients| {
                    nursery(async |n| {
                        let mut sender = http2_client(n, client).await?;
                        let mut second = sender.clone();
                        let other = n.spawn(async move {
                            let answer = second.send_request(get("/other")).await?;
                            Ok(answer.into_body().collect().await?.to_bytes())
                        });
                        let asking = cancellable(async {
                            let answer = sender.send_request(get(path)).await?;
                            answer.into_body().collect().await?;
                            Ok::<_, Error>(())
                        });
                        // Dropped, which resets the stream.
                        assert!(move_on_after(SECOND, asking).await?.is_none());
                        if !reset_only {
                            clients.cancel();
                        }
                        drop(sender);
                        sleep(SECOND).await?;
                        assert_eq!(other.await?, "fine");
                        Ok(())
                    })
                    .await
                });
                gone.await?;
                Ok(())
            })
            .await
        });
        assert_eq!(log.lines.into_inner(), CLEANED_UP, "{path}");
        let expected = if reset_only { ["begin", "done", "rolled back"] } else { CLEANED_UP };
        assert_eq!(other.lines.into_inner(), expected, "{path}");
    }
}

#[test]
fn s04_the_end_of_a_server_reaches_handlers_and_bodies_over_both_versions() {
    for (http2, path, graceful) in [
        (false, "/", false),
        (false, "/", true),
        (false, "/events", false),
        (false, "/events", true),
        (true, "/", false),
        (true, "/", true),
        (true, "/events", false),
        (true, "/events", true),
    ] {
        let log = Log::default();
        let server = CancelScope::new();
        let time = run_virtually(async || {
            let (client, stream) = UnixStream::pair()?;
            let log = &log;
            nursery(async |n| {
                n.spawn(server.enter(async |_| {
                    let ended = serve_connection(stream, "test", async |r| log.answer(r).await);
                    let ended = ended.await;
                    assert!(ended.as_ref().is_err_and(Error::is_cancelled), "{ended:?}");
                    ended
                }));
                n.spawn(async move {
                    nursery(async |n| match http2 {
                        true => {
                            let mut sender = http2_client(n, client).await?;
                            if let Ok(answer) = sender.send_request(get(path)).await {
                                let _cut_off = answer.into_body().collect().await;
                            }
                            Ok(())
                        }
                        false => {
                            let get = format!("GET {path} HTTP/1.1\r\nhost: me\r\n\r\n");
                            client.write_all(get.as_bytes()).await?;
                            while client.read(&mut [0; 64]).await? > 0 {}
                            Ok(())
                        }
                    })
                    .await
                });
                log.begun.wait().await?;
                match graceful {
                    true => server.cancel_gracefully(5 * SECOND),
                    false => server.cancel(),
                }
                Ok(())
            })
            .await
        });
        assert_eq!(log.lines.into_inner(), CLEANED_UP, "{http2} {path} {graceful}");
        let grace = if graceful { 5 * SECOND } else { Duration::ZERO };
        assert!(time >= grace && time < grace + SECOND, "{http2} {path} {graceful}: {time:?}");
    }
}

#[test]
fn s04_a_handler_of_a_connection_that_has_a_time_limit_is_cancelled_by_that() {
    for http2 in [false, true] {
        let log = Log::default();
        run_virtually(async || {
            let (client, stream) = UnixStream::pair()?;
            nursery(async |n| {
                let task = n.spawn(async {
                    let connection =
                        serve_connection(stream, "test", async |r| log.answer(r).await);
                    move_on_after(SECOND, connection).await
                });
                nursery(async |n| match http2 {
                    true => {
                        let mut sender = http2_client(n, client).await?;
                        assert!(sender.send_request(get("/")).await.is_err());
                        Ok(())
                    }
                    false => {
                        client.write_all(GET).await?;
                        assert_eq!(client.read(&mut [0; 64]).await?, 0);
                        Ok(())
                    }
                })
                .await?;
                assert_eq!(task.await?, None);
                Ok(())
            })
            .await
        });
        assert_eq!(log.lines.into_inner(), CLEANED_UP);
    }
}

#[test]
fn s04_a_handler_that_waits_for_a_body_half_sent_is_cancelled_as_well() {
    for http2 in [false, true] {
        let log = Log::default();
        let server = CancelScope::new();
        let time = run_virtually(async || {
            let (client, stream) = UnixStream::pair()?;
            nursery(async |n| {
                n.spawn(server.enter(async |_| {
                    serve_connection(stream, "test", async |request: Request<Incoming>| {
                        let all = async {
                            let error =
                                Error::from(request.into_body().collect().await.unwrap_err());
                            let why = error.to_string();
                            assert!(!why.contains("the client has gone"), "{why}");
                            Err(error)
                        };
                        log.transaction(all).await?;
                        Ok::<_, Error>(Response::new(String::new()))
                    })
                    .await
                }));
                n.spawn(async {
                    nursery(async |n| match http2 {
                        true => {
                            let stream =
                                futures::stream::pending::<Result<Frame<Bytes>, std::io::Error>>();
                            let body = StreamBody::new(stream);
                            let executor = NurseryExecutor::new(n);
                            let (mut sender, connection) =
                                hyper::client::conn::http2::Builder::new(executor)
                                    .handshake(Io::new(client))
                                    .await?;
                            drop(n.spawn(async {
                                let _broken = connection.await;
                                Ok(())
                            }));
                            let request = Request::post("http://me/").body(body)?;
                            assert!(sender.send_request(request).await.is_err());
                            Ok(())
                        }
                        false => {
                            let post =
                                b"POST / HTTP/1.1\r\nhost: me\r\ncontent-length: 9\r\n\r\nhalf";
                            client.write_all(post).await?;
                            while client.read(&mut [0; 64]).await? > 0 {}
                            Ok(())
                        }
                    })
                    .await
                });
                log.begun.wait().await?;
                sleep(SECOND).await?;
                server.cancel();
                Ok(())
            })
            .await
        });
        assert_eq!(*log.lines.borrow(), CLEANED_UP);
        assert!(time < 2 * SECOND, "{time:?}");
    }
}

#[test]
fn s04_a_client_that_goes_while_its_body_is_read_cancels_the_handler() {
    let log = Log::default();
    run_virtually(async || {
        let (client, stream) = tcp_pair().await?;
        nursery(async |n| {
            n.spawn(serve_connection(stream, "test", async |request: Request<Incoming>| {
                let all = async { Ok(request.into_body().collect().await.map(drop)?) };
                log.transaction(all).await?;
                Ok::<_, Error>(Response::new(String::new()))
            }));
            client
                .write_all(b"POST / HTTP/1.1\r\nhost: me\r\ncontent-length: 9\r\n\r\nhalf")
                .await?;
            log.begun.wait().await?;
            sleep(SECOND).await?;
            reset(client)
        })
        .await
    });
    assert_eq!(log.lines.into_inner(), CLEANED_UP);
}

#[test]
fn s04_the_end_of_a_server_does_not_wait_for_a_client_that_reads_nothing_of_a_body() {
    for (http2, foreign) in [(false, false), (true, false), (false, true), (true, true)] {
        let server = CancelScope::new();
        let time = run_virtually(async || {
            let (client, stream) = UnixStream::pair()?;
            nursery(async |n| {
                let served = n.spawn(server.enter(async |_| {
                    serve_connection(stream, "test", async |_: Request<Incoming>| {
                        Ok::<_, Error>(Response::new(match foreign {
                            true => {
                                let some = Frame::data(Bytes::from(vec![0; 65_536]));
                                let more = futures::stream::iter([Ok::<_, Error>(some)]);
                                Body::new(StreamBody::new(more.chain(futures::stream::pending())))
                            }
                            false => Body::stream(async |sender| {
                                loop {
                                    sender.send(vec![0; 65_536]).await?;
                                }
                            }),
                        }))
                    })
                    .await
                }));
                let clients = CancelScope::new();
                let mut sender = None;
                match http2 {
                    true => sender = Some(http2_client(n, client).await?),
                    false => {
                        client.write_all(GET).await?;
                        n.spawn(clients.enter(async |_| {
                            let _unread = client;
                            sleep_forever().await
                        }));
                    }
                }
                let mut answer = None;
                if let Some(sender) = &mut sender {
                    answer = Some(sender.send_request(get("/")).await?);
                }
                sleep(SECOND).await?;
                server.cancel();
                served.await?;
                drop((answer, sender));
                clients.cancel();
                Ok(())
            })
            .await
        });
        // A connection's own end may take two seconds more.
        assert!(time <= 3 * SECOND, "{time:?} {http2} {foreign}");
    }
}

#[test]
fn s04_a_body_that_waits_for_its_client_sees_it_go() {
    let log = Log::default();
    run_virtually(async || {
        let (client, stream) = tcp_pair().await?;
        nursery(async |n| {
            n.spawn(serve_connection(stream, "test", async |_: Request<Incoming>| {
                Ok::<_, Error>(Response::new(Body::stream(async |sender| {
                    let pieces = async {
                        loop {
                            sender.send(vec![0; 65_536]).await?;
                        }
                    };
                    log.transaction(pieces).await
                })))
            }));
            client.write_all(GET).await?;
            log.begun.wait().await?;
            sleep(SECOND).await?;
            reset(client)
        })
        .await
    });
    assert_eq!(log.lines.into_inner(), CLEANED_UP);
}

#[test]
fn s04_a_handler_that_is_cancelled_and_still_answers_is_heard() {
    for http2 in [false, true] {
        let server = CancelScope::new();
        let begun = Event::new();
        run_virtually(async || {
            let (client, stream) = UnixStream::pair()?;
            nursery(async |n| {
                n.spawn(server.enter(async |_| {
                    serve_connection(stream, "test", async |_: Request<Incoming>| {
                        begun.set();
                        let _cancelled = sleep_forever().await;
                        let shield = CancelScope::new().with_shield();
                        shield.enter(async |_| sleep(SECOND).await).await?;
                        let mut answer = Response::new(String::from("sorry"));
                        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                        Ok::<_, Error>(answer)
                    })
                    .await
                }));
                let asking = n.spawn(async {
                    nursery(async |n| match http2 {
                        true => {
                            let mut sender = http2_client(n, client).await?;
                            let answer = sender.send_request(get("/")).await?;
                            Ok(answer.status() == StatusCode::SERVICE_UNAVAILABLE)
                        }
                        false => {
                            client.write_all(GET).await?;
                            let mut answer = Vec::new();
                            client.read_to_end(&mut answer).await?;
                            Ok(answer.starts_with(b"HTTP/1.1 503") && answer.ends_with(b"sorry"))
                        }
                    })
                    .await
                });
                begun.wait().await?;
                server.cancel();
                assert!(asking.await?);
                Ok(())
            })
            .await
        });
    }
}

#[test]
fn s04_a_handler_whose_children_clean_up_is_waited_for() {
    let log = Log::default();
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        nursery(async |n| {
            n.spawn(serve_connection(stream, "test", async |_: Request<Incoming>| {
                nursery(async |n| {
                    n.spawn(log.transaction(sleep_forever()));
                    n.spawn(sleep_forever());
                    Ok(())
                })
                .await?;
                Ok::<_, Error>(Response::new(String::new()))
            }));
            client.write_all(GET).await?;
            log.begun.wait().await?;
            drop(client);
            Ok(())
        })
        .await
    });
    assert_eq!(log.lines.into_inner(), CLEANED_UP);
}

/// Serves one request of HTTP/1, and gives what has come back and what was reported.
fn outcome<'a, B: seedbed::hyper::IntoBody>(
    handler: impl AsyncFn(Request<Incoming>) -> Result<Response<B>> + 'a,
) -> (String, Vec<Error>) {
    let (answer, reported) = (Cell::new(Vec::new()), RefCell::new(Vec::new()));
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        nursery(async |n| {
            let connection = Connection::new(stream, "test")
                .on_error(|error, _| reported.borrow_mut().push(error));
            n.spawn(connection.serve(&handler));
            client.write_all(GET).await?;
            let mut bytes = Vec::new();
            let reading = move_on_after(SECOND, client.read_to_end(&mut bytes));
            reading.await?;
            answer.set(bytes);
            Ok(())
        })
        .await
    });
    (String::from_utf8(answer.into_inner()).unwrap(), reported.into_inner())
}

#[test]
fn s04_a_handler_that_fails_or_panics_is_a_500_without_its_text() {
    let (answer, reported) =
        outcome(async |_| Err::<Response<String>, _>(Error::msg("out of paper")));
    assert!(answer.starts_with("HTTP/1.1 500") && !answer.contains("paper"), "{answer}");
    assert_eq!(reported[0].to_string(), "out of paper");

    let (answer, reported) = outcome(async |_| -> Result<Response<String>> { panic!("a bug") });
    assert!(answer.starts_with("HTTP/1.1 500") && !answer.contains("bug"), "{answer}");
    assert!(reported[0].is::<HandlerPanicked>());
    assert_eq!(reported.len(), 1);
}

#[test]
fn s04_a_body_that_fails_or_panics_is_cut_off() {
    for panics in [false, true] {
        let (answer, reported) = outcome(async |_| {
            Ok(Response::new(Body::stream(async move |sender| {
                sender.send("the beginning").await?;
                sleep(SECOND / 2).await?;
                assert!(!panics, "a bug");
                Err(Error::msg("out of paper"))
            })))
        });
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("the beginning"), "{answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
        assert_eq!(reported.len(), 1, "{reported:?}");
        assert_eq!(reported[0].is::<HandlerPanicked>(), panics);
    }
}

#[test]
fn s04_a_body_of_another_library_that_fails_or_panics_is_cut_off_and_reported() {
    for panics in [false, true] {
        let (answer, reported) = outcome(async |_| {
            let pieces = futures::stream::iter(0..).map(move |i| match i {
                0 => Ok(Frame::data(Bytes::from("the beginning"))),
                _ if panics => panic!("a bug"),
                _ => Err(Error::msg("out of paper")),
            });
            Ok(Response::new(Body::new(StreamBody::new(pieces))))
        });
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
        assert_eq!(reported.len(), 1, "{reported:?}");
        assert_eq!(reported[0].is::<HandlerPanicked>(), panics);
    }
}

#[test]
fn s04_a_body_of_another_library_that_fails_is_reported_while_its_connection_goes_on() {
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        let reported = RefCell::new(Vec::new());
        nursery(async |n| {
            let connection = Connection::new(stream, "test")
                .on_error(|error, _| reported.borrow_mut().push(error.to_string()));
            n.spawn(connection.serve(async |_: Request<Incoming>| {
                let pieces = [Ok(Frame::data(Bytes::from("begun"))), Err(Error::msg("no paper"))];
                let body = StreamBody::new(futures::stream::iter(pieces));
                Ok::<_, Error>(Response::new(Body::new(body)))
            }));
            let mut sender = http2_client(n, client).await?;
            let answer = async { sender.send_request(get("/")).await?.into_body().collect().await };
            assert!(answer.await.is_err());
            sleep(SECOND).await?;
            assert_eq!(*reported.borrow(), ["no paper"]);
            drop(sender);
            Ok(())
        })
        .await
    });
}

#[test]
fn s04_a_body_of_http2_that_fails_resets_its_stream() {
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        let reported = RefCell::new(Vec::new());
        nursery(async |n| {
            let connection = Connection::new(stream, "test")
                .on_error(|error, _| reported.borrow_mut().push(error.to_string()));
            n.spawn(connection.serve(async |request: Request<Incoming>| {
                Ok::<_, Error>(Response::new(match request.uri().path() {
                    "/fails" => Body::stream(async |sender| {
                        sender.send("the beginning").await?;
                        Err(Error::msg("out of paper"))
                    }),
                    _ => Body::from("fine"),
                }))
            }));
            let mut sender = http2_client(n, client).await?;
            let answer = sender.send_request(get("/fails")).await?;
            assert!(answer.into_body().collect().await.is_err());
            let answer = sender.send_request(get("/")).await?;
            assert_eq!(answer.into_body().collect().await?.to_bytes(), "fine");
            Ok(())
        })
        .await?;
        assert_eq!(reported.into_inner(), ["out of paper"]);
        Ok(())
    });
}

#[test]
fn s04_a_client_that_goes_closes_the_generator_of_its_body() {
    let log = Rc::new(Log::default());
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        nursery(async |n| {
            n.spawn(serve_connection(stream, "test", async |_: Request<Incoming>| {
                let log = log.clone();
                let events = generator(async move |y: Yielder<String>| {
                    let events = async {
                        loop {
                            y.yield_(String::from("event\n")).await?;
                            sleep(SECOND).await?;
                        }
                    };
                    log.transaction(events).await
                });
                Ok::<_, Error>(Response::new(Body::generator(events)))
            }));
            client.write_all(GET).await?;
            client.read(&mut [0; 1024]).await?;
            drop(client);
            Ok(())
        })
        .await
    });
    assert_eq!(*log.lines.borrow(), CLEANED_UP);
}

#[test]
fn s04_an_upgraded_connection_is_part_of_the_graceful_stop() {
    let time = run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        let greeting = String::from("hello"); // borrowed
        let server = CancelScope::new();
        nursery(async |n| {
            n.spawn(server.enter(async |_| {
                serve_connection(stream, "test", async |request| {
                    Ok::<_, Error>(upgrade(request, async |mut stream| {
                        stream.write_all(greeting.as_bytes()).await?;
                        let mut buffer = [0; 4];
                        loop {
                            let read = idle(async { Ok(stream.read(&mut buffer).await?) }).await;
                            match read {
                                Ok(n) => stream.write_all(&buffer[..n]).await?,
                                Err(error) => {
                                    finishing(sleep(SECOND)).await?;
                                    stream.write_all(b"bye").await?;
                                    return Err(error);
                                }
                            }
                        }
                    }))
                })
                .await
            }));
            client
                .write_all(
                    b"GET / HTTP/1.1\r\nhost: me\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nping",
                )
                .await?;
            let mut answer = Vec::new();
            while !answer.ends_with(b"ping") {
                let mut buffer = [0; 64];
                let n = client.read(&mut buffer).await?;
                assert!(n > 0, "{}", String::from_utf8_lossy(&answer));
                answer.extend_from_slice(&buffer[..n]);
            }
            assert!(answer.starts_with(b"HTTP/1.1 101"));
            assert!(answer.ends_with(b"helloping"));
            sleep(SECOND).await?;
            server.cancel_gracefully(5 * SECOND);
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).await?;
            assert_eq!(rest, b"bye");
            Ok(())
        })
        .await
    });
    assert!(time >= 2 * SECOND && time < 3 * SECOND, "{time:?}");
}

#[test]
fn s04_bytes_of_the_other_protocol_that_come_early_are_not_lost() {
    run_virtually(async || {
        let (client, stream) = tcp_pair().await?;
        nursery(async |n| {
            let echo = async |request| {
                sleep(SECOND).await?;
                Ok::<_, Error>(upgrade(request, async |mut stream| {
                    let mut text = String::new();
                    stream.read_to_string(&mut text).await?;
                    stream.write_all(text.as_bytes()).await?;
                    Ok(())
                }))
            };
            n.spawn(serve_connection(Opaque(stream), "test", echo));
            let upgrade =
                b"GET / HTTP/1.1\r\nhost: me\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
            client.write_all(upgrade).await?;
            sleep(SECOND / 2).await?;
            client.write_all(b"early").await?;
            sleep(SECOND).await?;
            client.write_all(b" late").await?;
            client.shutdown(Shutdown::Write)?;
            let mut answer = String::new();
            (&client).read_to_string(&mut answer).await?;
            assert!(
                answer.starts_with("HTTP/1.1 101") && answer.ends_with("early late"),
                "{answer}"
            );
            Ok(())
        })
        .await
    });
}

#[test]
fn s04_the_key_of_a_websocket_is_answered() {
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        nursery(async |n| {
            n.spawn(serve_connection(stream, "test", async |request| {
                Ok::<_, Error>(upgrade(request, async |_| Ok(())))
            }));
            // The example of RFC 6455, 1.2.
            let request =
                b"GET /chat HTTP/1.1\r\nhost: server.example.com\r\nupgrade: websocket\r\n\
                connection: Upgrade\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
            client.write_all(request).await?;
            let mut answer = String::new();
            (&client).read_to_string(&mut answer).await?;
            let accept = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
            assert!(answer.starts_with("HTTP/1.1 101") && answer.contains(accept), "{answer}");
            assert!(answer.contains("upgrade: websocket\r\n"), "{answer}");
            Ok(())
        })
        .await
    });
}

#[test]
fn s04_a_request_that_asks_for_no_upgrade_is_told_so() {
    let (answer, _) = outcome(async |request| Ok(upgrade(request, async |_| unreachable!())));
    assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");
}

#[test]
fn s04_head_has_no_body_and_makes_none() {
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        nursery(async |n| {
            n.spawn(serve_connection(stream, "test", async |_: Request<Incoming>| {
                Ok::<_, Error>(Response::new(Body::stream(async |_| unreachable!())))
            }));
            client.write_all(b"HEAD / HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n").await?;
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await?;
            assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"\r\n\r\n"));
            Ok(())
        })
        .await
    });
}

#[test]
fn s03_half_a_preface_is_waited_for() {
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        nursery(async |n| {
            n.spawn(serve_connection(stream, "test", async |request: Request<_>| {
                let _: &Incoming = request.body();
                Ok::<_, Error>(Response::new(format!("{:?}", request.version())))
            }));
            for piece in [&b"PRI * HT"[..], b"TP/2.0\r\n\r\nSM\r", b"\n\r\n"] {
                client.write_all(piece).await?;
                sleep(SECOND).await?;
            }
            // The settings of both sides are the first frames.
            client.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await?;
            let mut frame = [0; 9];
            client.read_exact(&mut frame).await?;
            assert_eq!(frame[3], 4);
            drop(client);
            Ok(())
        })
        .await
    });
}

#[test]
fn s04_a_stage_between_accepting_and_http_gives_another_stream() {
    run_virtually(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (accepted, stop) = (Cell::new(0), Event::new());
        nursery(async |n| {
            let server = seedbed::hyper::Server::new(listener)
                .with_peers()
                .shutdown_on(stop.wait())
                .on_accept(async |stream: TcpStream, _| {
                    accepted.set(accepted.get() + 1);
                    let mut secret = [0; 6];
                    stream.read_exact(&mut secret).await?;
                    assert_eq!(&secret, b"secret");
                    Ok(futures::io::BufReader::new(stream))
                });
            n.spawn(server.serve(async |request: Request<Incoming>| {
                let Peer(peer) =
                    request.extensions().get::<Peer<SocketAddr>>().expect("it is told");
                assert!(peer.ip().is_loopback());
                Ok::<_, Error>(Response::new(format!("{}", accepted.get())))
            }));
            let client = TcpStream::connect(address).await?;
            client.write_all(b"secret").await?;
            client.write_all(b"GET / HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n").await?;
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await?;
            assert!(answer.ends_with(b"\r\n\r\n1"));
            stop.set();
            Ok(())
        })
        .await
    });
}

#[test]
fn s03_to_drive_a_connection_does_not_multiply_its_size() {
    let (_client, stream) = UnixStream::pair().unwrap();
    let service = hyper::service::service_fn(async |_: Request<Incoming>| {
        Ok::<_, Error>(Response::new(String::new()))
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(Io::new(stream), service);
    let alone = size_of_val(&connection);
    let driven = gracefully(connection, hyper::server::conn::http1::Connection::graceful_shutdown);
    assert!(size_of_val(&driven) < 2 * alone, "{alone} and {}", size_of_val(&driven));
}

/// As [`Log::transaction`] in a handler that hyper runs itself, driven by `gracefully`.
fn by_hand(http2: bool, act: impl AsyncFnOnce(UnixStream, CancelScope, &Log) -> Result<()>) -> Log {
    let log = Log::default();
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        let (server, log) = (CancelScope::new(), &log);
        nursery(async |n| {
            n.spawn(server.enter(async |_| {
                let answer = async |_: Request<Incoming>| {
                    log.transaction(sleep(5 * SECOND)).await?;
                    Ok::<_, Error>(Response::new(String::from("late")))
                };
                let _of_the_client = match http2 {
                    true => {
                        nursery(async |n| {
                            let service = hyper::service::service_fn(answer);
                            let connection =
                                hyper::server::conn::http2::Builder::new(NurseryExecutor::new(n))
                                    .timer(Timer)
                                    .serve_connection(Io::new(stream), service);
                            let shutdown =
                                hyper::server::conn::http2::Connection::graceful_shutdown;
                            gracefully(connection, shutdown).await
                        })
                        .await
                    }
                    false => {
                        let connection = hyper::server::conn::http1::Builder::new()
                            .timer(Timer)
                            .serve_connection(Io::new(stream), hyper::service::service_fn(answer));
                        let shutdown = hyper::server::conn::http1::Connection::graceful_shutdown;
                        gracefully(connection, shutdown).await
                    }
                };
                Ok(())
            }));
            act(client, server, log).await
        })
        .await
    });
    log
}

#[test]
fn s04_a_handler_that_hyper_runs_itself_sees_departures_as_well() {
    for behind in [&b""[..], GET] {
        let log = by_hand(false, async |client, _, log| {
            client.write_all(&[GET, behind].concat()).await?;
            log.begun.wait().await?;
            drop(client);
            Ok(())
        });
        assert_eq!(log.lines.into_inner(), CLEANED_UP);
    }
    let log = by_hand(true, async |client, _, log| {
        let gone = cancel_scope(async |clients| {
            nursery(async |n| {
                let mut sender = http2_client(n, client).await?;
                n.spawn(async move {
                    let _never = sender.send_request(get("/")).await;
                    Ok(())
                });
                log.begun.wait().await?;
                clients.cancel();
                Ok(())
            })
            .await
        });
        gone.await.map(drop)
    });
    assert_eq!(log.lines.into_inner(), CLEANED_UP);
}

#[test]
fn s04_a_handler_that_hyper_runs_itself_answers_a_client_that_has_ended_its_side() {
    let log = by_hand(false, async |client, _, _| {
        client.write_all(GET).await?;
        client.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await?;
        assert!(answer.ends_with(b"late"));
        Ok(())
    });
    assert_eq!(log.lines.into_inner(), ["begin", "done", "rolled back"]);
}

/// A stream of which nothing is known but what it reads and writes, as one of TLS.
struct Opaque(TcpStream);

impl futures::AsyncRead for Opaque {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl futures::AsyncWrite for Opaque {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

#[test]
fn s04_departures_are_found_on_any_stream() {
    for (how, pipelined) in [
        (Departure::Reset, &b""[..]),
        (Departure::Reset, GET),
        (Departure::HalfClosed, &b""[..]),
        (Departure::HalfClosed, GET),
    ] {
        let log = Log::default();
        let time = run_virtually(async || {
            let (client, stream) = tcp_pair().await?;
            let log = &log;
            nursery(async |n| {
                n.spawn(serve_connection(Opaque(stream), "test", async |r| log.answer(r).await));
                client.write_all(&[GET, pipelined].concat()).await?;
                log.begun.wait().await?;
                match how {
                    Departure::Reset => reset(client),
                    _ => {
                        client.shutdown(Shutdown::Write)?;
                        while client.read(&mut [0; 1024]).await? > 0 {}
                        Ok(())
                    }
                }
            })
            .await
        });
        assert_eq!(log.lines.into_inner(), CLEANED_UP, "{how:?}");
        let limit = if how == Departure::Reset { Duration::ZERO } else { 10 * SECOND };
        assert!(time >= limit && time < limit + SECOND, "{how:?}: {time:?}");
    }
}

#[test]
fn s04_a_connection_that_is_cancelled_while_it_waits_is_recognised_as_cancelled() {
    for (http2, asked) in [(false, false), (false, true), (true, false), (true, true)] {
        let time = run_virtually(async || {
            let (client, stream) = UnixStream::pair()?;
            nursery(async |n| {
                let task = n.spawn(async {
                    let handler = async |_: Request<Incoming>| {
                        Ok::<_, Error>(Response::new(String::from("fine")))
                    };
                    move_on_after(2 * SECOND, serve_connection(stream, "test", handler)).await
                });
                nursery(async |n| match (http2, asked) {
                    (true, true) => {
                        let mut sender = http2_client(n, client).await?;
                        sender.send_request(get("/")).await?.into_body().collect().await?;
                        assert_eq!(task.await?, None);
                        Ok(())
                    }
                    _ => {
                        client.write_all(if http2 { b"PRI * " } else { b"" }).await?;
                        client.write_all(if asked { GET } else { b"" }).await?;
                        assert_eq!(task.await?, None);
                        drop(client);
                        Ok(())
                    }
                })
                .await
            })
            .await
        });
        // The first request may be waited for, and the preface, but not for longer.
        assert_eq!(time, 2 * SECOND, "{http2} {asked}");
    }
}

#[test]
fn s04_a_server_whose_grace_is_over_has_its_handlers_clean_up() {
    let log = Log::default();
    let reported = RefCell::new(Vec::new());
    let time = run_virtually(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        nursery(async |n| {
            let server = seedbed::hyper::Server::new(listener)
                .shutdown_on(log.begun.wait())
                .grace(3 * SECOND)
                .on_error(|error, _| reported.borrow_mut().push(error));
            let serving = n.spawn(server.serve(async |request| log.answer(request).await));
            let client = TcpStream::connect(address).await?;
            client.write_all(GET).await?;
            assert_eq!(client.read(&mut [0; 64]).await?, 0);
            serving.await
        })
        .await
    });
    assert_eq!(log.lines.into_inner(), CLEANED_UP);
    assert!(reported.borrow().is_empty(), "{reported:?}");
    assert!(time >= 3 * SECOND && time < 4 * SECOND, "{time:?}");
}

#[test]
fn s04_a_shield_holds_for_as_long_as_it_says_whatever_the_client_does() {
    let log = Log::default();
    let time = run_virtually(async || {
        let (client, stream) = tcp_pair().await?;
        nursery(async |n| {
            n.spawn(serve_connection(stream, "test", async |_: Request<Incoming>| {
                let shield = CancelScope::new().with_shield();
                log.add("begin");
                shield.enter(async |_| sleep(30 * SECOND).await).await?;
                log.add("done");
                Ok::<_, Error>(Response::new(String::new()))
            }));
            client.write_all(&[GET, GET].concat()).await?;
            log.begun.wait().await?;
            reset(client)
        })
        .await
    });
    // Once: the request behind it has nobody to be answered to.
    assert_eq!(log.lines.into_inner(), ["begin", "done"]);
    assert_eq!(time, 30 * SECOND);
}

#[test]
fn s04_a_stream_for_hyper_may_be_carried_to_another_thread_and_is_of_no_use_there() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let alive = Rc::new(());
    let io = is_send(Io::new(alive.clone()));
    let (io, panicked) = std::thread::spawn(move || {
        let used = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            io.get_ref();
        }));
        (io, used.is_err())
    })
    .join()
    .unwrap();
    assert!(panicked);
    drop(io.into_inner());
    let io = Io::new(alive.clone());
    std::thread::spawn(move || drop(io)).join().unwrap();
    assert_eq!(Rc::strong_count(&alive), 2); // leaked: nothing there may touch the count
}
