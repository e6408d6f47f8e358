//! S2 and S3: connections with HTTP/1 and HTTP/2, and how they end.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::error::Error as StdError;
use std::rc::Rc;
use std::time::Duration;

use futures::stream;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version, client, rt, server};
use seedbed::hyper::{Io, NurseryExecutor, Timer, closing, gracefully};
use seedbed::net::{TcpListener, TcpStream, UnixStream};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Error, Event, HandlerPanicked, Result, Server, cancel_scope, fail_after,
    move_on_after, nursery, run, serve, sleep, sleep_forever, yield_now,
};

use super::{GET, SECOND, run_virtually};

type Answer = Response<Full<Bytes>>;

fn text(text: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(text.into()))
}

/// Serves one connection with HTTP/1.
async fn http1<S>(
    stream: S,
    handler: impl AsyncFn(Request<Incoming>) -> Result<Answer>,
) -> Result<()>
where
    S: futures::AsyncRead + futures::AsyncWrite + Unpin,
{
    let service = closing(service_fn(async |request| handler(request).await));
    let connection =
        server::conn::http1::Builder::new().timer(Timer).serve_connection(Io::new(stream), service);
    gracefully(connection, server::conn::http1::Connection::graceful_shutdown).await
}

/// Serves one connection with HTTP/2.
async fn http2<S>(
    stream: S,
    handler: impl AsyncFn(Request<Incoming>) -> Result<Answer>,
) -> Result<()>
where
    S: futures::AsyncRead + futures::AsyncWrite + Unpin,
{
    let handler = &handler;
    nursery(async |n| {
        let service = service_fn(move |request| handler(request));
        let connection = server::conn::http2::Builder::new(NurseryExecutor::new(n))
            .timer(Timer)
            .serve_connection(Io::new(stream), service);
        gracefully(connection, server::conn::http2::Connection::graceful_shutdown).await
    })
    .await
}

/// Reads the head and the body of one HTTP/1 answer that states its length.
async fn read_answer(client: &UnixStream) -> Result<(String, String)> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split_once("content-length: ").expect("it has a length").1;
            let length: usize = length.lines().next().unwrap_or_default().parse()?;
            assert!(body.len() <= length, "more than one answer: {text}");
            if body.len() == length {
                return Ok((head.to_owned(), body.to_owned()));
            }
        }
        let mut buffer = [0; 1024];
        match client.read(&mut buffer).await? {
            0 => return Err(Error::msg(format_args!("the connection was closed after: {text}"))),
            n => read.extend_from_slice(&buffer[..n]),
        }
    }
}

async fn is_closed(client: &UnixStream) -> Result<bool> {
    Ok(client.read(&mut [0; 64]).await? == 0)
}

#[test]
fn s03_http1_keeps_the_connection_and_borrows_the_state() {
    run(async {
        let hits = Cell::new(0);
        let (client, stream) = UnixStream::pair()?;
        nursery(async |n| {
            drop(n.spawn(http1(stream, async |_| {
                hits.set(hits.get() + 1);
                Ok(text(format!("hit {}", hits.get())))
            })));
            for hit in 1..=3 {
                client.write_all(GET).await?;
                let (head, body) = read_answer(&client).await?;
                assert!(head.starts_with("http/1.1 200 ok") && !head.contains("connection: close"));
                assert_eq!(body, format!("hit {hit}"));
            }
            drop(client);
            Ok(())
        })
        .await?;
        assert_eq!(hits.get(), 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn s03_http2_borrows_the_state_in_requests_side_by_side() {
    run(async {
        let hits = Cell::new(0);
        let all_there = Event::new();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let scope = CancelScope::new();
        nursery(async |n| {
            drop(n.spawn(scope.enter(async |_| {
                serve(listener, async |stream, _| {
                    http2(stream, async |request| {
                        assert_eq!(request.version(), Version::HTTP_2);
                        hits.set(hits.get() + 1);
                        if hits.get() == 3 {
                            all_there.set();
                        }
                        all_there.wait().await?;
                        Ok(text(request.uri().path().to_owned()))
                    })
                    .await
                })
                .await
            })));
            // The client also puts what it spawns into a nursery.
            nursery(async |n| {
                let stream = TcpStream::connect(address).await?;
                let (sender, connection) =
                    client::conn::http2::Builder::new(NurseryExecutor::new(n))
                        .timer(Timer)
                        .handshake::<_, Empty<Bytes>>(Io::new(stream))
                        .await?;
                drop(n.spawn(async { Ok(connection.await?) }));
                let answers = futures::future::try_join_all((0..3).map(|i| {
                    let mut sender = sender.clone();
                    async move {
                        let uri = format!("http://me/{i}");
                        let answer = sender.send_request(Request::get(uri).body(Empty::new())?);
                        let answer = answer.await?.into_body().collect().await?.to_bytes();
                        assert_eq!(answer, format!("/{i}"));
                        Ok::<_, Error>(())
                    }
                }));
                answers.await?;
                drop(sender);
                Ok(())
            })
            .await?;
            scope.cancel_gracefully(SECOND);
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn s03_a_handler_that_fails_or_panics_ends_its_connection_only() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let reported = RefCell::new(Vec::new());
        let stop = Event::new();
        nursery(async |n| {
            let server = Server::new(listener)
                .shutdown_on(stop.wait())
                .on_error(|error, _| reported.borrow_mut().push(error));
            drop(n.spawn(server.serve(async |stream, _| {
                http1(stream, async |request| match request.uri().path() {
                    "/fail" => Err(Error::msg("out of paper")),
                    "/panic" => panic!("a bug"),
                    _ => Ok(text("fine")),
                })
                .await
            })));
            for (path, answered) in [("/fail", false), ("/panic", false), ("/", true)] {
                let client = TcpStream::connect(address).await?;
                let request = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n\r\n");
                client.write_all(request.as_bytes()).await?;
                let mut answer = Vec::new();
                client.read_to_end(&mut answer).await?;
                assert_eq!(answer.ends_with(b"fine"), answered);
            }
            stop.set();
            Ok(())
        })
        .await?;
        let reported = reported.into_inner();
        assert_eq!(reported.len(), 2);
        assert!(reported[0].find::<hyper::Error>().is_some_and(hyper::Error::is_user));
        assert!(reported[1].is::<HandlerPanicked>());
        Ok(())
    })
    .unwrap();
}

#[test]
fn s04_a_panic_in_one_stream_of_http2_resets_that_stream_only() {
    run(async {
        let (client, stream) = UnixStream::pair()?;
        nursery(async |n| {
            drop(n.spawn(http2(stream, async |request| match request.uri().path() {
                "/panic" => panic!("a bug"),
                _ => Ok(text("fine")),
            })));
            let (mut sender, connection) =
                client::conn::http2::Builder::new(NurseryExecutor::new(n))
                    .handshake(Io::new(client))
                    .await?;
            drop(n.spawn(async { Ok(connection.await?) }));
            let request = Request::get("http://me/panic").body(Empty::<Bytes>::new())?;
            assert!(sender.send_request(request).await.is_err());
            let request = Request::get("http://me/").body(Empty::<Bytes>::new())?;
            assert_eq!(sender.send_request(request).await?.status(), StatusCode::OK);
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn s03_a_cancellation_is_recognised_when_it_comes_back_from_hyper() {
    let time = run_virtually(async || {
        for serve in [true, false] {
            let (_client, stream) = UnixStream::pair()?;
            let outcome = move_on_after(SECOND, async {
                let answer = async |_: Request<Incoming>| Ok(text("never asked for"));
                match serve {
                    true => http1(stream, answer).await,
                    false => http2(stream, answer).await,
                }
            });
            assert_eq!(outcome.await?, None);
        }
        Ok(())
    });
    assert_eq!(time, 2 * SECOND);
}

#[test]
fn s03_a_deadline_reaches_a_handler() {
    let time = run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        nursery(async |n| {
            drop(n.spawn(http1(stream, async |_| {
                let outcome = fail_after(SECOND, sleep_forever()).await;
                assert!(outcome.unwrap_err().is::<seedbed::TooSlow>());
                let mut answer = text("too slow");
                *answer.status_mut() = StatusCode::GATEWAY_TIMEOUT;
                Ok(answer)
            })));
            client.write_all(GET).await?;
            assert!(read_answer(&client).await?.0.starts_with("http/1.1 504"));
            drop(client);
            Ok(())
        })
        .await
    });
    assert_eq!(time, SECOND);
}

#[test]
fn s03_hypers_own_limits_keep_to_the_clock() {
    let time = run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        client.write_all(b"GET / HT").await?;
        let service = service_fn(async |_| Ok::<_, Infallible>(text("never")));
        let error = server::conn::http1::Builder::new()
            .timer(Timer)
            .header_read_timeout(7 * SECOND)
            .serve_connection(Io::new(stream), service)
            .await
            .unwrap_err();
        assert!(error.is_timeout());
        Ok(())
    });
    assert_eq!(time, 7 * SECOND);
}

#[test]
fn s03_bytes_read_before_come_first() {
    run(async {
        let (client, stream) = UnixStream::pair()?;
        client.write_all(&GET[5..]).await?;
        client.shutdown(std::net::Shutdown::Write)?;
        let service = service_fn(async |_| Ok::<_, Infallible>(text("whole")));
        server::conn::http1::Builder::new()
            .half_close(true)
            .serve_connection(Io::with_prefix(stream, GET[..5].to_vec()), service)
            .await?;
        assert_eq!(read_answer(&client).await?.1, "whole");
        Ok(())
    })
    .unwrap();
}

#[test]
fn s03_a_body_is_dropped_when_the_client_goes() {
    run(async {
        let (client, stream) = UnixStream::pair()?;
        let alive = Rc::new(());
        let gone = Rc::downgrade(&alive);
        nursery(async |n| {
            drop(n.spawn(async move {
                let service = service_fn(|_| {
                    let lines = stream::unfold(alive.clone(), |alive| async {
                        yield_now().await.ok()?; // seedbed-lint: allow(swallowed-cancellation)
                        Some((Ok::<_, Infallible>(Frame::data(Bytes::from("line\n"))), alive))
                    });
                    std::future::ready(Ok::<_, Infallible>(Response::new(StreamBody::new(lines))))
                });
                let connection =
                    server::conn::http1::Builder::new().serve_connection(Io::new(stream), service);
                assert!(connection.await.is_err());
                Ok(())
            }));
            client.write_all(GET).await?;
            client.read_exact(&mut [0; 10_000]).await?;
            drop(client);
            while gone.strong_count() > 0 {
                yield_now().await?;
            }
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn s02_a_request_in_flight_is_answered_and_closes_the_connection() {
    let time = run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(http1(stream, async |_| {
                    sleep(5 * SECOND).await?;
                    Ok(text("at last"))
                })));
                client.write_all(GET).await?;
                sleep(SECOND).await?;
                scope.cancel_gracefully(10 * SECOND);
                let (head, body) = finishing_read(&client).await?;
                assert!(head.contains("connection: close"));
                assert_eq!(body, "at last");
                Ok(())
            })
            .await
        })
        .await?;
        Ok(())
    });
    assert_eq!(time, 5 * SECOND);
}

/// Reads an answer in a scope that is cancelled gracefully.
async fn finishing_read(client: &UnixStream) -> Result<(String, String)> {
    seedbed::finishing(read_answer(client)).await
}

#[test]
fn s02_a_request_that_comes_during_the_shutdown_is_answered_and_closes_the_connection() {
    let time = run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(http1(stream, async |_| Ok(text("fine")))));
                client.write_all(GET).await?;
                assert!(!read_answer(&client).await?.0.contains("connection: close"));
                client.write_all(GET).await?; // not read yet
                scope.cancel_gracefully(10 * SECOND);
                let (head, _) = finishing_read(&client).await?;
                assert!(head.contains("connection: close"));
                assert!(seedbed::finishing(is_closed(&client)).await?);
                Ok(())
            })
            .await
        })
        .await?;
        Ok(())
    });
    assert_eq!(time, Duration::ZERO);
}

#[test]
fn s02_a_connection_that_is_kept_open_is_closed() {
    let time = run_virtually(async || {
        let (client1, stream1) = UnixStream::pair()?;
        let (client2, stream2) = UnixStream::pair()?;
        let server = CancelScope::new();
        nursery(async |n| {
            drop(n.spawn(server.enter(async |_| {
                nursery(async |n| {
                    drop(n.spawn(http1(stream1, async |_| Ok(text("fine")))));
                    drop(n.spawn(async {
                        // The client may hang up before hyper has said the last of it.
                        let _outcome = http2(stream2, async |_| Ok(text("fine"))).await;
                        Ok(())
                    }));
                    Ok(())
                })
                .await
            })));
            client1.write_all(GET).await?;
            read_answer(&client1).await?;
            let (mut sender, connection) =
                client::conn::http2::Builder::new(NurseryExecutor::new(n))
                    .handshake(Io::new(client2))
                    .await?;
            let connection = n.spawn(async { Ok(connection.await?) });
            let request = Request::get("http://me/").body(Empty::<Bytes>::new())?;
            sender.send_request(request).await?.into_body().collect().await?;
            sleep(SECOND).await?;
            server.cancel_gracefully(10 * SECOND);
            assert!(is_closed(&client1).await?);
            connection.await?; // in HTTP/2 both sides agree on it
            Ok(())
        })
        .await
    });
    assert!(time < 2 * SECOND, "{time:?}");
}

#[test]
fn s02_what_is_not_answered_within_the_grace_is_cancelled() {
    let time = run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(http1(stream, async |_| {
                    loop {
                        sleep_forever().await?;
                    }
                })));
                client.write_all(GET).await?;
                sleep(SECOND).await?;
                scope.cancel_gracefully(3 * SECOND);
                Ok(())
            })
            .await
        })
        .await?;
        assert!(is_closed(&client).await?);
        Ok(())
    });
    assert_eq!(time, 4 * SECOND);
}

#[test]
fn timers_may_go_to_other_threads() {
    use hyper::rt::Timer as _;

    fn send<T: Send + Sync>(value: T) -> T {
        value
    }
    run(async {
        let mut polled = send(Timer.sleep(SECOND));
        assert!(futures::poll!(polled.as_mut()).is_pending());
        // Dropped or polled where there is no run, or another one.
        let mut dropped = Timer.sleep(SECOND);
        assert!(futures::poll!(dropped.as_mut()).is_pending());
        let polled = std::thread::spawn(move || {
            drop(dropped);
            let clock = VirtualClock::new();
            Builder::new()
                .clock(&clock)
                .run(async {
                    polled.as_mut().await;
                    Ok(())
                })
                .unwrap();
            polled
        })
        .join()
        .unwrap();
        drop(polled);
        Ok(())
    })
    .unwrap();
    let sleep: std::pin::Pin<Box<dyn rt::Sleep>> = Timer.sleep(SECOND);
    drop(sleep);
}

/// What `?` makes of an error in a handler is what hyper accepts.
const _: fn(Error) -> Box<dyn StdError + Send + Sync> = From::from;
