//! S4: handlers and bodies that fail or panic.

use std::cell::RefCell;
use std::rc::Rc;

use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{Request, Response};
use seedbed::hyper::{Body, Connection, serve_connection};
use seedbed::net::UnixStream;
use seedbed::{Error, HandlerPanicked, Result, Yielder, generator, nursery, sleep};

use super::{CLEANED_UP, Log, get, http2_client, outcome};
use crate::{GET, SECOND, run_virtually};

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
