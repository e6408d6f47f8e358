//! C10 for TLS: whatever is cancelled at any moment has happened or has not, and its connection goes
//! on; and one that was still shaking hands ends at both sides.

#[path = "../support/tls.rs"]
mod configs;
#[path = "../support/memory.rs"]
mod memory;

use std::io::ErrorKind;

use rustls::version::{TLS12, TLS13};
use seedbed::tls::{self, TlsStream};
use seedbed::{Error, Result, nursery};

use crate::support::run;
use crate::{Op, cancelled_after};
use configs::{Configs, NAME};
use memory::{Memory, pair};

/// Operations that wait without end.
pub fn waits() -> Vec<Op<'static>> {
    async fn connection() -> Result<(TlsStream<Memory>, TlsStream<Memory>)> {
        let (near, far) = pair(5_000);
        configs().connect(near, far).await
    }
    vec![
        (
            "tls connect",
            Box::pin(async {
                let (near, _far) = pair(5_000);
                let handshake = tls::connect(&configs().client, NAME, near);
                handshake.limit(std::time::Duration::MAX).await.map(drop)
            }),
        ),
        (
            "tls accept",
            Box::pin(async {
                let (near, _far) = pair(5_000);
                let handshake = tls::accept(&configs().server, near);
                handshake.limit(std::time::Duration::MAX).await.map(drop)
            }),
        ),
        (
            "tls read",
            Box::pin(async {
                let (client, _server) = connection().await?;
                client.read(&mut [0; 8]).await.map(drop)
            }),
        ),
        (
            "tls write_all",
            Box::pin(async {
                let (client, _server) = connection().await?;
                client.write_all(&[0; 50_000]).await
            }),
        ),
        (
            "tls shutdown",
            Box::pin(async {
                let (client, _server) = connection().await?;
                client.write(&[0; 10_000]).await?;
                client.shutdown().await
            }),
        ),
    ]
}

fn configs() -> Configs {
    Configs::new(&[&TLS12, &TLS13])
}

/// Two ends that take and give little at once, so that nothing is done in a single step.
fn slow(seed: u64) -> (Memory, Memory) {
    let (near, far) = pair(1_500);
    for pipe in [near.incoming(), near.outgoing()] {
        pipe.at_once.set(300);
        pipe.unrest.set(seed | 1);
    }
    (near, far)
}

fn contents() -> Vec<u8> {
    (0..9_000).map(|at| (at * 31 + at / 251) as u8).collect()
}

/// Each operation is cancelled after so many rounds, and done again until it has not been.
async fn send(rounds: usize, stream: &TlsStream<Memory>, mut rest: &[u8]) -> Result<()> {
    while !rest.is_empty() {
        let piece = &rest[..rest.len().min(2_000)];
        if let Some(n) = cancelled_after(rounds, stream.write(piece)).await? {
            rest = &rest[n..];
        }
        cancelled_after(rounds, stream.flush()).await?;
    }
    while cancelled_after(rounds, stream.shutdown()).await?.is_none() {}
    Ok(())
}

async fn receive(rounds: usize, stream: &TlsStream<Memory>) -> Result<Vec<u8>> {
    let (mut received, mut buffer) = (Vec::new(), [0; 700]);
    for turn in 0.. {
        match turn % 3 {
            // It is resumed where it was.
            0 => {
                if cancelled_after(rounds, stream.read_to_end(&mut received)).await?.is_some() {
                    break;
                }
            }
            _ => match cancelled_after(rounds, stream.read(&mut buffer)).await? {
                Some(0) => break,
                Some(n) => received.extend_from_slice(&buffer[..n]),
                None => {}
            },
        }
    }
    Ok(received)
}

#[test]
fn c10_no_byte_of_a_connection_with_tls_is_lost_or_doubled() {
    let sent = contents();
    for version in [&TLS12, &TLS13] {
        for rounds in 1..10 {
            let received = run(async {
                let (near, far) = slow(rounds as u64);
                let (client, server) = Configs::new(&[version]).connect(near, far).await?;
                nursery(async |n| {
                    n.spawn(send(rounds, &client, &sent));
                    receive(rounds, &server).await
                })
                .await
            });
            assert!(received.unwrap() == sent, "{version:?} after {rounds} rounds");
        }
    }
}

/// The other side of what was cancelled does not hang, and is not told that all is well.
fn cut(error: &Error) {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    let told = matches!(kind, Some(ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe));
    assert!(told, "{error:?}");
}

#[test]
fn c10_a_handshake_that_is_cancelled_at_any_moment_ends_at_both_sides() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Which {
        Connect,
        Accept,
    }
    for which in [Which::Connect, Which::Accept] {
        for rounds in 0.. {
            let is_done = run(async {
                let (near, far) = slow(7);
                let configs = configs();
                nursery(async |n| {
                    let connect = tls::connect(&configs.client, NAME, near);
                    let accept = tls::accept(&configs.server, far);
                    let (cancelled, other) = match which {
                        Which::Connect => (connect, accept),
                        Which::Accept => (accept, connect),
                    };
                    let other = n.spawn(async {
                        // It may be done before the other is.
                        Ok(match other.await {
                            Ok(stream) => stream.read(&mut [0]).await,
                            Err(error) => Err(error),
                        })
                    });
                    let stream = cancelled_after(rounds, cancelled).await?;
                    let is_done = stream.is_some();
                    drop(stream);
                    cut(&other.await?.expect_err("it is not an end"));
                    Ok(is_done)
                })
                .await
            });
            if is_done.unwrap() {
                assert!(rounds > 2, "{which:?} takes only {rounds} rounds");
                break;
            }
        }
    }
}

#[test]
fn c10_a_close_that_is_cancelled_at_any_moment_is_an_end_or_none() {
    let sent = contents();
    let (mut ends, mut cuts) = (0, 0);
    for rounds in 0.. {
        let is_done = run(async {
            let (near, far) = slow(5);
            let (client, server) = configs().connect(near, far).await?;
            nursery(async |n| {
                let mut received = Vec::new();
                let reading = n.spawn(async {
                    let outcome = server.read_to_end(&mut received).await;
                    server.close().await?;
                    assert!(sent.starts_with(&received));
                    Ok(outcome.map(|_| received))
                });
                let mut rest = &sent[..];
                while !rest.is_empty() {
                    rest = &rest[client.write(rest).await?..];
                }
                let is_done = cancelled_after(rounds, client.close()).await?.is_some();
                match reading.await? {
                    Ok(received) => {
                        assert!(received == sent, "an end after {} bytes", received.len());
                        ends += 1;
                    }
                    Err(error) => {
                        assert!(!is_done, "{error}");
                        cut(&error);
                        cuts += 1;
                    }
                }
                Ok(is_done)
            })
            .await
        });
        if is_done.unwrap() {
            break;
        }
    }
    assert!(ends > 1 && cuts > 1, "{ends} ends, {cuts} cuts");
}
