//! S4: what a handler sees when its server ends, or when its own time is up.

use std::cell::RefCell;
use std::time::Duration;

use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{Request, Response};
use seedbed::hyper::{Body, Io, NurseryExecutor, serve_connection};
use seedbed::net::{TcpListener, TcpStream, UnixStream};
use seedbed::{CancelScope, Error, Result, move_on_after, nursery, sleep, sleep_forever};

use super::{CLEANED_UP, Log, get, http2_client};
use crate::{GET, SECOND, run_virtually};

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
