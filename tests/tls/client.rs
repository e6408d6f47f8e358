//! The client of the guide's page about HTTPS, with servers that are good, bad and worse.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode, Uri, Version};
use rustls::ClientConfig;
use seedbed::hyper::Server;
use seedbed::net::{TcpListener, TcpStream};
use seedbed::testing::VirtualClock;
use seedbed::tls::{self, TlsFailed, TlsStream};
use seedbed::{Builder, Error, Result, TooSlow, move_on_after, nursery, sleep, sleep_forever};

use super::support::{run_on, secs};
use super::{Configs, NAME};

#[path = "../../examples/pagination/https.rs"]
mod https;

/// Runs with this server's name known, and returns what the client got, and how many connections
/// there were.
fn getting(
    configs: &Configs,
    server: impl AsyncFn(TlsStream<TcpStream>) -> Result<()>,
) -> (Result<Response<Bytes>>, u32) {
    let (connections, client) = (Cell::new(0), &configs.client);
    let outcome = at_home(async |listener| {
        nursery(async |n| {
            n.spawn(seedbed::serve(listener, async |stream, _| {
                connections.set(connections.get() + 1);
                if let Ok(stream) = tls::accept(&configs.server, stream).await {
                    server(stream).await?;
                }
                Ok(())
            }));
            let outcome = https::get(client, &url("/")).await;
            n.cancel();
            Ok(outcome)
        })
        .await
    });
    (outcome.unwrap(), connections.get())
}

/// Runs on a clock that jumps, with a listener whose address has the name of the certificates.
fn at_home<T>(main: impl AsyncFnOnce(TcpListener) -> Result<T>) -> Result<T> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let here = listener.local_addr()?;
    Builder::new()
        .clock(&VirtualClock::new())
        .resolver(async move |host: &str, _| {
            assert_eq!(host, NAME);
            Ok(vec![here])
        })
        .run(async { main(TcpListener::from_std(listener)?).await })
}

fn url(path: &str) -> Uri {
    format!("https://{NAME}{path}").parse().unwrap()
}

fn speaking(protocol: &str) -> Configs {
    Configs::with(|client, server| {
        client.alpn_protocols = vec!["h2".into(), "http/1.1".into()];
        server.alpn_protocols = vec![protocol.into()];
    })
}

/// Reads a request, and writes this.
async fn say(stream: &TlsStream<TcpStream>, answer: &[u8]) -> Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        request.extend(byte);
    }
    stream.write_all(answer).await
}

#[test]
fn w06_the_client_of_the_guide_speaks_both_versions() {
    for (protocol, version) in [("http/1.1", Version::HTTP_11), ("h2", Version::HTTP_2)] {
        let configs = speaking(protocol);
        let asked = RefCell::new(Vec::new());
        let answer = at_home(async |listener| {
            nursery(async |n| {
                n.spawn(async {
                    Server::new(listener)
                        .on_accept(async |stream, _| tls::accept(&configs.server, stream).await)
                        .serve(async |request: Request<Incoming>| {
                            let path = request.uri().path_and_query().unwrap().to_string();
                            asked.borrow_mut().push((request.version(), path));
                            Ok::<_, Error>(Response::new(Full::<Bytes>::from("hello")))
                        })
                        .await
                });
                let answer = https::get(&configs.client, &url("/there?x=1")).await?;
                n.cancel();
                Ok(answer)
            })
            .await
        });
        assert_eq!(answer.unwrap().into_body(), "hello");
        assert_eq!(*asked.borrow(), [(version, "/there?x=1".to_owned())]);
    }
}

#[test]
fn w06_a_server_that_is_silent_is_given_up_each_time() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let configs = Configs::new();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let url = format!("https://{address}/").parse().unwrap();
        let begun = seedbed::now();
        nursery(async |n| {
            n.spawn(seedbed::serve(listener, async |_stream, _| sleep_forever().await));
            let error = https::get(&configs.client, &url).await.unwrap_err();
            assert!(error.find::<TooSlow>().is_some(), "{error}");
            assert!(error.to_string().starts_with(&format!("no answer from {url}: ")), "{error}");
            n.cancel();
            Ok(())
        })
        .await?;
        // Five seconds three times, and the pauses.
        assert_eq!(seedbed::now() - begun, secs(16) + Duration::from_millis(100));
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_limit_around_the_client_stops_it_at_once() {
    let configs = speaking("h2");
    at_home(async |listener| {
        nursery(async |n| {
            n.spawn(seedbed::serve(listener, async |stream, _| {
                let _stream = tls::accept(&configs.server, stream).await?;
                sleep_forever().await
            }));
            let begun = seedbed::now();
            let outcome = move_on_after(secs(1), https::get(&configs.client, &url("/"))).await?;
            assert!(outcome.is_none());
            assert_eq!(seedbed::now() - begun, secs(1));
            n.cancel();
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn w06_a_connection_that_breaks_is_tried_again() {
    let count = Cell::new(0);
    let (outcome, connections) = getting(&speaking("http/1.1"), async |stream| {
        count.set(count.get() + 1);
        match count.get() {
            1 => Ok(()), // it is cut
            2 => say(&stream, b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await,
            _ => {
                say(&stream, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole").await?;
                stream.close().await
            }
        }
    });
    assert_eq!(outcome.unwrap().into_body(), "whole");
    assert_eq!(connections, 3);
}

#[test]
fn w06_a_body_that_ends_with_the_connection_has_to_end_in_order() {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nthis and that";
    let configs = speaking("http/1.1");
    let (outcome, connections) = getting(&configs, async |stream| {
        say(&stream, ANSWER).await?;
        stream.close().await
    });
    assert_eq!((&**outcome.unwrap().body(), connections), (&b"this and that"[..], 1));
    let (outcome, connections) = getting(&configs, async |stream| say(&stream, ANSWER).await);
    let error = outcome.unwrap_err();
    assert!(error.find::<TlsFailed>().is_some(), "{error:?}");
    assert_eq!(connections, 3);
}

#[test]
fn w06_a_certificate_that_is_refused_is_not_tried_again() {
    let configs = speaking("http/1.1");
    let strangers = super::Authority::new().client();
    let configs = Configs { client: Arc::new(strangers), ..configs };
    let (outcome, connections) = getting(&configs, async |_| Ok(()));
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains("`server.test`"), "{error}");
    assert_eq!(connections, 1);
}

#[test]
fn w06_answers_that_are_garbage_or_without_end_are_errors() {
    let configs = speaking("http/1.1");
    let refused = |answer: &[u8]| {
        let (outcome, _) = getting(&configs, async |stream| {
            say(&stream, answer).await?;
            stream.close().await
        });
        outcome.unwrap_err()
    };
    for answer in
        [b"\x00\x01\x02garbage\r\n\r\n".as_slice(), b"HTTP/9 200\r\n\r\n", b"", b"HTTP/1.1"]
    {
        let error = refused(answer);
        assert!(error.find::<hyper::Error>().is_some(), "{error:?}");
        assert!(error.to_string().starts_with("no answer from https://server.test/: "), "{error}");
    }
    // Half a body, each time.
    let error = refused(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    assert!(error.to_string().contains("https://server.test/"), "{error}");
    // A body without an end, as fast as it is taken.
    let (outcome, _) = getting(&configs, async |stream| {
        say(&stream, b"HTTP/1.1 200 OK\r\n\r\n").await?;
        while stream.write_all(&[b'x'; 10_000]).await.is_ok() {}
        Ok(())
    });
    let text = outcome.unwrap_err().to_string();
    assert!(text.starts_with("no answer from https://server.test/: "), "{text}");
    assert!(text.ends_with("length limit exceeded"), "{text}");
    // And one that comes slowly.
    let (outcome, connections) = getting(&configs, async |stream| {
        say(&stream, b"HTTP/1.1 200 OK\r\n\r\n").await?;
        loop {
            stream.write_all(b"x").await?;
            sleep(secs(1)).await?;
        }
    });
    let error = outcome.unwrap_err();
    assert!(error.find::<TooSlow>().is_some(), "{error}");
    assert!(error.to_string().contains("https://server.test/"), "{error}");
    assert_eq!(connections, 3);
}

#[test]
fn w06_a_redirect_to_itself_is_an_answer() {
    let (outcome, connections) = getting(&speaking("http/1.1"), async |stream| {
        say(&stream, b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n").await?;
        stream.close().await
    });
    assert_eq!((outcome.unwrap().status(), connections), (StatusCode::FOUND, 1));
}

#[test]
fn w06_a_url_without_a_host_is_refused() {
    run_on(&VirtualClock::new(), async {
        let config: &Arc<ClientConfig> = &Configs::new().client;
        let error = https::get(config, &"/only/a/path".parse().unwrap()).await.unwrap_err();
        assert_eq!(error.to_string(), "no answer from /only/a/path: a URL without a host");
        Ok(())
    })
    .unwrap();
}
