//! S4: what a handler sees when its client goes.

use std::net::Shutdown;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use seedbed::hyper::{Body, serve_connection};
use seedbed::net::{TcpStream, UnixStream};
use seedbed::{
    CancelScope, Error, Event, Result, cancel_scope, cancellable, move_on_after, nursery, sleep,
    sleep_forever,
};

use super::{CLEANED_UP, Log, Opaque, get, http2_client, tcp_pair};
use crate::{GET, SECOND, run_virtually};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Departure {
    /// That of a process which is killed: everything is closed.
    Killed,
    Reset,
    HalfClosed,
}

fn reset(client: TcpStream) -> Result<()> {
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
    drop(client);
    Ok(())
}

/// What becomes of a handler when its client goes away, and when.
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
    // Only once: there is nobody left to answer the request behind it to.
    assert_eq!(log.lines.into_inner(), ["begin", "done"]);
    assert_eq!(time, 30 * SECOND);
}
