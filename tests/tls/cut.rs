//! A peer that cuts the connection anywhere, and tasks that are cancelled anywhere: whatever has
//! come is the beginning of what was sent, and only an end that the peer has told is an end.
//!
//! Random, and repeatable: a failure names its seed. `SEEDBED_FUZZ_SECONDS=60` goes on for longer,
//! and `SEEDBED_SEED=7` runs one.

use std::cell::{Cell, RefCell};
use std::env;
use std::time::{Duration, Instant};

use futures::{AsyncRead, AsyncWrite};
use rustls::client::Resumption;
use seedbed::tls::{self, TlsStream};
use seedbed::{Result, move_on_after, nursery};

use super::memory::{Memory, pair};
use super::support::builder;
use super::{Configs, NAME, pattern};

struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ x >> 31) % most
    }
}

/// What became of one direction.
#[derive(Default)]
struct Direction {
    written: Cell<usize>,
    ended: Cell<bool>,
    received: RefCell<Vec<u8>>,
    /// The end has been read.
    complete: Cell<bool>,
}

/// Writes, and is cancelled now and then; counts only what is known to be written.
async fn write<S>(
    stream: &TlsStream<S>,
    direction: &Direction,
    sent: &[u8],
    seed: u64,
) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut random = Random(seed);
    while direction.written.get() < sent.len() {
        let rest = &sent[direction.written.get()..];
        let piece = &rest[..rest.len().min(1 + random.below(20_000) as usize)];
        let limit = Duration::from_millis(random.below(3));
        if let Some(n) = move_on_after(limit, stream.write(piece)).await? {
            direction.written.set(direction.written.get() + n);
        } else if random.below(4) == 0 {
            move_on_after(limit, stream.flush()).await?;
        } else {
            seedbed::yield_now().await?;
        }
    }
    while move_on_after(Duration::from_millis(1), stream.shutdown()).await?.is_none() {}
    direction.ended.set(true);
    Ok(())
}

async fn read<S>(stream: &TlsStream<S>, direction: &Direction, seed: u64) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut random = Random(seed);
    loop {
        let mut buffer = vec![0; 1 + random.below(20_000) as usize];
        let limit = Duration::from_millis(random.below(3));
        match move_on_after(limit, stream.read(&mut buffer)).await? {
            Some(0) => break,
            Some(n) => direction.received.borrow_mut().extend_from_slice(&buffer[..n]),
            None => seedbed::yield_now().await?,
        }
    }
    direction.complete.set(true);
    Ok(())
}

/// One connection. Returns whether both directions have come to their end.
fn connection(configs: &Configs, seed: u64) -> bool {
    let mut random = Random(seed);
    let scale = [10, 1_000, 100_000][random.below(3) as usize];
    let capacity = 1 + random.below(scale) as usize;
    let (near, far) = pair(capacity);
    for pipe in [near.incoming(), near.outgoing()] {
        if random.below(2) == 0 {
            pipe.unrest.set(seed | 1);
        }
        if random.below(2) == 0 {
            pipe.at_once.set(1 + random.below(5_000) as usize);
        }
    }
    let is_cut = random.below(2) == 0;
    if is_cut {
        let pipe = if random.below(2) == 0 { near.incoming() } else { near.outgoing() };
        let scale = [2_000, 60_000][random.below(2) as usize];
        pipe.cut_after.set(random.below(scale) as usize);
    }
    let sent = pattern(random.below(scale.min(1_000) * 50) as usize);
    let [up, down] = [Direction::default(), Direction::default()];
    let outcome = builder().seed(seed).run(async {
        nursery(async |n| {
            let (near, far): (Memory, Memory) = (near, far);
            n.spawn(async {
                let server = tls::accept(&configs.server, far).await?;
                nursery(async |n| {
                    n.spawn(write(&server, &down, &sent, seed ^ 1));
                    read(&server, &up, seed ^ 2).await
                })
                .await?;
                server.close().await
            });
            let client = tls::connect(&configs.client, NAME, near).await?;
            nursery(async |n| {
                n.spawn(write(&client, &up, &sent, seed ^ 3));
                read(&client, &down, seed ^ 4).await
            })
            .await?;
            client.close().await
        })
        .await
    });
    for direction in [&up, &down] {
        let received = direction.received.borrow();
        assert!(sent.starts_with(&received), "seed {seed}: something else has come");
        // The last write may have happened when it was not seen to, but only to the error.
        assert!(!direction.complete.get() || received.len() == sent.len(), "seed {seed}: no end");
    }
    if !is_cut {
        assert!(outcome.is_ok(), "seed {seed}: {outcome:?}");
    }
    let is_whole = up.complete.get() && down.complete.get();
    assert!(is_whole || outcome.is_err(), "seed {seed}");
    is_whole
}

#[test]
fn w06_whatever_is_cut_or_cancelled_only_an_end_is_an_end() {
    let configs = Configs::new();
    if let Ok(seed) = env::var("SEEDBED_SEED") {
        connection(&configs, seed.parse().unwrap());
        return;
    }
    let seconds = env::var("SEEDBED_FUZZ_SECONDS").map_or(0, |seconds| seconds.parse().unwrap());
    let until = Instant::now() + Duration::from_secs(seconds);
    let (mut count, mut whole) = (0, 0);
    while count < 300 || Instant::now() < until {
        whole += u64::from(connection(&configs, count));
        count += 1;
    }
    assert!(whole > count / 3 && whole < count, "{whole} of {count} were whole");
}

/// A transfer in which every byte of the connection is, once, the last.
#[test]
fn w06_a_connection_may_be_cut_after_every_byte() {
    // All of the same length.
    let configs = Configs::with(|client, _| client.resumption = Resumption::disabled());
    let exchange = |cut: usize| {
        let (near, far) = pair(1 << 20);
        let pipe = far.outgoing();
        pipe.cut_after.set(cut);
        let outcome = builder().run(async {
            nursery(async |n| {
                n.spawn(async {
                    // How the server fares does not matter here.
                    let Ok(server) = tls::accept(&configs.server, far).await else { return Ok(()) };
                    let _ = server.write_all(b"all of it").await;
                    let _ = server.close().await;
                    Ok(())
                });
                let client = tls::connect(&configs.client, NAME, near).await?;
                let mut text = Vec::new();
                let outcome = client.read_to_end(&mut text).await;
                assert!(b"all of it".starts_with(&text));
                assert!(outcome.is_err() || text == b"all of it", "cut after {cut}: {text:?}");
                outcome
            })
            .await
        });
        (outcome, pipe.passed.get())
    };
    let (outcome, length) = exchange(usize::MAX);
    outcome.unwrap();
    // The close_notify is the last record, of 24 bytes; signatures differ in length by a few.
    for cut in 0..length - 28 {
        let error = exchange(cut).0.expect_err(&format!("cut after {cut} of {length}"));
        assert!(error.to_string().contains("`server.test`"), "cut after {cut}: {error}");
    }
}
