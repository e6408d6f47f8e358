//! S4: connections that go on in another protocol.

use std::net::Shutdown;

use futures::{AsyncReadExt, AsyncWriteExt};
use seedbed::hyper::{serve_connection, upgrade};
use seedbed::net::UnixStream;
use seedbed::{CancelScope, Error, finishing, idle, nursery, sleep};

use super::{Opaque, outcome, tcp_pair};
use crate::{SECOND, run_virtually};

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

/// The answer to a request with these headers. What it upgrades to ends at once.
fn answer_to(headers: &'static str) -> String {
    let mut answer = String::new();
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        nursery(async |n| {
            n.spawn(serve_connection(stream, "test", async |request| {
                Ok::<_, Error>(upgrade(request, async |_| Ok(())))
            }));
            let head = format!("GET /chat HTTP/1.1\r\nhost: server.example.com\r\n{headers}\r\n");
            client.write_all(head.as_bytes()).await?;
            client.shutdown(Shutdown::Write)?;
            (&client).read_to_string(&mut answer).await?;
            Ok(())
        })
        .await
    });
    answer
}

/// The example of RFC 6455, 1.2.
const WEBSOCKET: &str = "upgrade: websocket\r\nconnection: keep-alive, Upgrade\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n";

#[test]
fn s04_the_key_of_a_websocket_is_answered() {
    let answer = answer_to(WEBSOCKET);
    let accept = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    assert!(answer.starts_with("HTTP/1.1 101") && answer.contains(accept), "{answer}");
    assert!(answer.contains("upgrade: websocket\r\n"), "{answer}");
}

#[test]
fn s04_a_websocket_of_another_version_or_without_its_key_is_refused() {
    let other = answer_to(WEBSOCKET.replace("version: 13", "version: 8").leak());
    assert!(other.starts_with("HTTP/1.1 426"), "{other}");
    assert!(other.contains("sec-websocket-version: 13\r\n"), "{other}");
    for (complete, lacking) in [
        ("sec-websocket-key", "x"),
        ("sec-websocket-version", "x"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j=Q=="),
    ] {
        let answer = answer_to(WEBSOCKET.replace(complete, lacking).leak());
        assert!(answer.starts_with("HTTP/1.1 400"), "{lacking}: {answer}");
    }
    // What a proxy would have to take out is not for us.
    let passed_on = answer_to(WEBSOCKET.replace("keep-alive, Upgrade", "keep-alive").leak());
    assert!(passed_on.starts_with("HTTP/1.1 426"), "{passed_on}");
}

#[test]
fn s04_a_request_that_asks_for_no_upgrade_is_told_so() {
    let (answer, _) = outcome(async |request| Ok(upgrade(request, async |_| unreachable!())));
    assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");
}
