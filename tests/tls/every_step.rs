//! A cancellation at every operation of the stream underneath, one after the other.

use seedbed::tls::{self, TlsStream};
use seedbed::{Builder, CancelScope, Event, Result, nursery};

use super::memory::{Memory, pair};
use super::support::{builder, run};
use super::{Configs, NAME, pattern};

/// The scope of which something is cancelled at this operation of the stream, counted from 0, in
/// one of its directions.
fn cancelled_at(stream: &TlsStream<Memory>, half: Half, step: usize) -> CancelScope {
    let scope = CancelScope::new();
    let pipe = match half {
        Half::Reads => stream.with_stream(Memory::incoming),
        Half::Writes => stream.with_stream(Memory::outgoing),
    };
    pipe.cancels.replace(Some((step, scope.clone())));
    scope
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Half {
    Reads,
    Writes,
}

/// Sends everything, and is cancelled once; goes on with what was not written.
async fn send(stream: &TlsStream<Memory>, sent: &[u8], scope: CancelScope) -> Result<()> {
    let mut written = 0;
    scope
        .enter(async |_| {
            while written < sent.len() {
                written += stream.write(&sent[written..]).await?;
            }
            stream.flush().await
        })
        .await?;
    while written < sent.len() {
        written += stream.write(&sent[written..]).await?;
    }
    stream.shutdown().await
}

/// Receives everything, and is cancelled once.
async fn receive(stream: &TlsStream<Memory>, scope: CancelScope) -> Result<Vec<u8>> {
    let mut received = Vec::new();
    let mut buffer = [0; 3_000];
    let ended = scope
        .enter(async |_| {
            loop {
                match stream.read(&mut buffer).await? {
                    0 => return Ok(()),
                    n => received.extend_from_slice(&buffer[..n]),
                }
            }
        })
        .await?;
    if ended.is_none() {
        stream.read_to_end(&mut received).await?;
    }
    Ok(received)
}

#[test]
fn w06_nothing_is_lost_or_doubled_wherever_a_transfer_is_cancelled() {
    let configs = Configs::new();
    let sent = pattern(40_000);
    for half in [Half::Reads, Half::Writes] {
        for step in 0.. {
            let was_cancelled = run(async {
                let (client, server) = configs.pair(7_000).await?;
                let (reads, writes) = match half {
                    Half::Reads => (cancelled_at(&server, half, step), CancelScope::new()),
                    Half::Writes => (CancelScope::new(), cancelled_at(&client, half, step)),
                };
                let cancelled = if half == Half::Reads { &reads } else { &writes }.clone();
                nursery(async |n| {
                    n.spawn(send(&client, &sent, writes));
                    let received = receive(&server, reads).await?;
                    assert!(received == sent, "{half:?} {step}: {} bytes", received.len());
                    Ok(())
                })
                .await?;
                Ok(cancelled.cancel_called())
            })
            .unwrap();
            if !was_cancelled {
                assert!(step > 5, "{half:?}: only {step} steps");
                break;
            }
        }
    }
}

#[test]
fn w06_a_handshake_that_is_cancelled_anywhere_ends_both_sides() {
    let configs = Configs::new();
    for half in [Half::Reads, Half::Writes] {
        for step in 0.. {
            let outcome = run(async {
                let (near, far) = pair(500);
                let scope = CancelScope::new();
                let pipe = if half == Half::Reads { near.incoming() } else { near.outgoing() };
                pipe.cancels.replace(Some((step, scope.clone())));
                nursery(async |n| {
                    let other = n.spawn(async {
                        let server = tls::accept(&configs.server, far).await;
                        Ok(match server {
                            Ok(server) => server.read(&mut [0]).await.err(),
                            Err(error) => Some(error),
                        })
                    });
                    let connecting = tls::connect(&configs.client, NAME, near);
                    let client = scope.enter(async |_| connecting.await).await?;
                    let is_done = client.is_some();
                    drop(client);
                    assert!(other.await?.is_some(), "{half:?} {step}: the other side knows");
                    Ok(is_done && !scope.cancel_called())
                })
                .await
            });
            if outcome.unwrap() {
                assert!(step > 2, "{half:?}: only {step} steps");
                break;
            }
        }
    }
}

#[test]
fn w06_reading_what_has_come_already_lets_others_run() {
    for through_traits in [false, true] {
        run(async {
            let (client, server) = Configs::new().pair(1 << 20).await?;
            client.write_all(&pattern(16_000)).await?;
            server.read_exact(&mut [0]).await?; // the rest is in memory now
            let ran = Event::new();
            nursery(async |n| {
                n.spawn(async {
                    ran.set();
                    Ok(())
                });
                for i in 0..10_000 {
                    if ran.is_set() {
                        return Ok(());
                    }
                    assert!(i < 1_000, "nobody else runs");
                    match through_traits {
                        false => _ = server.read(&mut [0]).await?,
                        true => _ = futures::AsyncReadExt::read(&mut &server, &mut [0]).await?,
                    }
                }
                Ok(())
            })
            .await
        })
        .unwrap();
    }
}

#[test]
fn w06_with_a_budget_of_one_every_operation_lets_others_run() {
    let one: Builder = builder().budget(1);
    one.run(async {
        let (client, server) = Configs::new().pair(5_000).await?;
        let sent = pattern(50_000);
        nursery(async |n| {
            n.spawn(send(&client, &sent, CancelScope::new()));
            assert!(receive(&server, CancelScope::new()).await? == sent);
            Ok(())
        })
        .await
    })
    .unwrap();
}
