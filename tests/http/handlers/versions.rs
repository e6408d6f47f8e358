//! S3 and S4: versions, methods and stages, before a handler is called.

use std::cell::Cell;
use std::net::SocketAddr;

use hyper::body::Incoming;
use hyper::{Request, Response};
use seedbed::hyper::{Body, Peer, serve_connection};
use seedbed::net::{TcpListener, TcpStream, UnixStream};
use seedbed::{Error, Event, nursery, sleep};

use crate::{SECOND, run_virtually};

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
