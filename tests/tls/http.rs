//! An HTTPS server is an HTTP server with a stage before it.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures::AsyncReadExt;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, Version};
use seedbed::hyper::{Body, Io, Limits, NurseryExecutor, Server, upgrade};
use seedbed::net::{TcpListener, TcpStream};
use seedbed::testing::VirtualClock;
use seedbed::tls::{self, TlsFailed, TlsStream};
use seedbed::{CancelScope, Error, Event, Result, nursery, sleep, sleep_forever};

use super::support::{run_on, secs};
use super::{Configs, NAME};

type Answer<'a> = Result<Response<Body<'a>>>;

/// Serves while `client` runs, which is given the port and how to stop the server. Returns what was
/// reported.
async fn serving<'a>(
    configs: &Configs,
    handler: impl AsyncFn(Request<Incoming>) -> Answer<'a>,
    client: impl AsyncFnOnce(&Connector<'_>, &CancelScope) -> Result<()>,
) -> Result<Vec<Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let connector = Connector { configs, address: listener.local_addr()? };
    let (scope, reported) = (CancelScope::new(), RefCell::new(Vec::new()));
    nursery(async |n| {
        n.spawn(scope.enter(async |_| {
            Server::new(listener)
                .limits(Limits::new().handshake(secs(5)))
                .on_error(|error, _| reported.borrow_mut().push(error))
                .on_accept(async |stream, _| tls::accept(&configs.server, stream).await)
                .serve(&handler)
                .await
        }));
        client(&connector, &scope).await?;
        scope.cancel();
        Ok(())
    })
    .await?;
    Ok(reported.into_inner())
}

struct Connector<'a> {
    configs: &'a Configs,
    address: std::net::SocketAddr,
}

impl Connector<'_> {
    async fn connect(&self) -> Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        tls::connect(&self.configs.client, NAME, stream).await
    }
}

fn speaking(protocol: &str) -> Configs {
    Configs::with(|client, server| {
        client.alpn_protocols = vec![protocol.into()];
        server.alpn_protocols = vec!["h2".into(), "http/1.1".into()];
    })
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("https://{NAME}{path}")).header("host", NAME).body(Empty::new()).unwrap()
}

fn virtually<T>(main: impl Future<Output = Result<T>>) -> T {
    run_on(&VirtualClock::new(), main).unwrap()
}

#[test]
fn w06_a_server_speaks_both_versions_of_http_over_tls() {
    for protocol in ["http/1.1", "h2"] {
        let hits = Cell::new(0); // borrowed by the handler
        let reported = virtually(serving(
            &speaking(protocol),
            async |request| {
                hits.set(hits.get() + 1);
                let body = request.into_body().collect().await?.to_bytes();
                Ok(Response::new(Body::from(format!("hit {}, {}", hits.get(), body.len()))))
            },
            async |connector, _| {
                let stream = connector.connect().await?;
                assert_eq!(stream.alpn_protocol().unwrap(), protocol.as_bytes());
                nursery(async |n| {
                    let answer = if protocol == "h2" {
                        let (mut sender, connection) =
                            http2::handshake(NurseryExecutor::new(n), Io::new(stream)).await?;
                        n.spawn(async { Ok(connection.await?) });
                        sender.send_request(get("/")).await?
                    } else {
                        let (mut sender, connection) = http1::handshake(Io::new(stream)).await?;
                        n.spawn(async { Ok(connection.await?) });
                        sender.send_request(get("/")).await?
                    };
                    let version = if protocol == "h2" { Version::HTTP_2 } else { Version::HTTP_11 };
                    assert_eq!(answer.version(), version);
                    assert_eq!(answer.into_body().collect().await?.to_bytes(), "hit 1, 0");
                    Ok(())
                })
                .await
            },
        ));
        assert!(reported.is_empty(), "{reported:?}");
    }
}

#[test]
fn w06_a_handshake_that_stalls_delays_nobody_and_is_cut() {
    let reported = virtually(serving(
        &speaking("http/1.1"),
        async |_| Ok(Response::new(Body::from("hello"))),
        async |connector, _| {
            let silent = TcpStream::connect(connector.address).await?;
            let begun = seedbed::now();
            let stream = connector.connect().await?;
            stream.write_all(b"GET / HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n").await?;
            let mut text = Vec::new();
            stream.read_to_end(&mut text).await?; // an end, not a cut
            assert!(text.ends_with(b"hello"));
            stream.close().await?;
            assert!(seedbed::now() - begun < secs(1));
            // The limit of the server, since that is shorter than the handshake's own.
            assert_eq!(silent.read(&mut [0]).await?, 0);
            assert_eq!((seedbed::now() - begun).as_secs(), 5);
            Ok(())
        },
    ));
    assert!(reported.is_empty(), "{reported:?}");
}

#[test]
fn w06_clients_that_do_not_speak_tls_are_told_and_reported() {
    let reported = virtually(serving(
        &speaking("http/1.1"),
        async |_| Ok(Response::new(Body::empty())),
        async |connector, _| {
            let plain = TcpStream::connect(connector.address).await?;
            plain.write_all(b"GET / HTTP/1.1\r\nhost: me\r\n\r\n").await?;
            let mut answer = Vec::new();
            plain.read_to_end(&mut answer).await?;
            assert_eq!(answer[0], 21, "an alert");
            connector.connect().await?.close().await // the server goes on
        },
    ));
    let [error] = &reported[..] else { panic!("{reported:?}") };
    assert!(error.find::<TlsFailed>().is_some());
    assert!(error.to_string().contains("the TLS handshake with 127.0.0.1:"), "{error}");
    assert!(error.to_string().contains("it began with `GET / HTTP/1.1"), "{error}");
}

#[test]
fn w06_a_handler_is_cancelled_when_its_client_over_tls_has_gone() {
    for protocol in ["http/1.1", "h2"] {
        let (begun, cleaned_up) = (Event::new(), Event::new());
        virtually(serving(
            &speaking(protocol),
            async |_| {
                begun.set();
                let error = sleep_forever().await.unwrap_err();
                cleaned_up.set();
                Err(error)
            },
            async |connector, _| {
                let stream = connector.connect().await?;
                if protocol == "h2" {
                    nursery(async |n| {
                        let (mut sender, connection) =
                            http2::handshake(NurseryExecutor::new(n), Io::new(stream)).await?;
                        n.spawn(async { Ok(connection.await?) });
                        let asking =
                            n.spawn(async move { Ok(sender.send_request(get("/")).await?) });
                        begun.wait().await?;
                        drop(asking);
                        n.cancel();
                        Ok(())
                    })
                    .await?;
                } else {
                    stream.write_all(b"GET / HTTP/1.1\r\nhost: me\r\n\r\n").await?;
                    begun.wait().await?;
                    // Reset.
                    stream.with_stream(|tcp| tcp.set_linger(Some(Duration::ZERO)))?;
                    drop(stream);
                }
                cleaned_up.wait().await
            },
        ));
    }
}

#[test]
fn w06_a_server_that_stops_ends_its_connections_in_order_and_cuts_what_it_cancels() {
    for is_graceful in [true, false] {
        let begun = Event::new();
        virtually(serving(
            &speaking("http/1.1"),
            async |_| {
                begun.set();
                Ok(Response::new(Body::stream(async |sender| {
                    sender.send("a part, ").await?;
                    sleep(secs(1)).await?;
                    sender.send("and the rest").await?;
                    Ok(())
                })))
            },
            async |connector, server| {
                let stream = connector.connect().await?;
                stream.write_all(b"GET / HTTP/1.0\r\nhost: me\r\n\r\n").await?;
                begun.wait().await?;
                let mut text = vec![0; 1024];
                let mut n = 0;
                while !text[..n].ends_with(b"a part, ") {
                    n += stream.read(&mut text[n..]).await?;
                }
                text.truncate(n);
                if is_graceful {
                    server.cancel_gracefully(secs(5));
                } else {
                    server.cancel();
                }
                // What ends with the connection looks complete only if it is.
                let outcome = stream.read_to_end(&mut text).await;
                assert_eq!(outcome.is_ok(), is_graceful, "{outcome:?}");
                assert_eq!(text.ends_with(b"and the rest"), is_graceful);
                Ok(())
            },
        ));
    }
}

#[test]
fn w06_a_connection_over_tls_can_go_on_with_another_protocol() {
    virtually(serving(
        &speaking("http/1.1"),
        async |request| {
            Ok(upgrade(request, async |mut stream| {
                let mut text = Vec::new();
                stream.read_to_end(&mut text).await?;
                text.reverse();
                futures::AsyncWriteExt::write_all(&mut stream, &text).await?;
                futures::AsyncWriteExt::close(&mut stream).await?;
                Ok(())
            }))
        },
        async |connector, _| {
            let stream = connector.connect().await?;
            let head =
                b"GET / HTTP/1.1\r\nhost: me\r\nconnection: upgrade\r\nupgrade: mirror\r\n\r\n";
            stream.write_all(head).await?;
            stream.write_all(b"desserts").await?;
            stream.shutdown().await?;
            let mut text = Vec::new();
            stream.read_to_end(&mut text).await?;
            assert!(text.starts_with(b"HTTP/1.1 101 "));
            assert!(text.ends_with(b"stressed"));
            Ok(())
        },
    ));
}
