//! S4: handlers that hyper runs itself.

use std::net::Shutdown;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::{Request, Response};
use seedbed::hyper::{Io, NurseryExecutor, Timer, gracefully};
use seedbed::net::UnixStream;
use seedbed::{CancelScope, Error, Result, cancel_scope, nursery, sleep};

use super::{CLEANED_UP, Log, get, http2_client};
use crate::{GET, SECOND, run_virtually};

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

/// [`Log::transaction`] in a handler that hyper runs itself, driven by `gracefully`.
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
