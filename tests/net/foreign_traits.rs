//! Streams through other libraries' traits.

use std::cell::Cell;

use futures::{AsyncReadExt, AsyncWriteExt};
use seedbed::net::UnixStream;
use seedbed::{Builder, Event, nursery, run, yield_now};

use super::{pattern, tcp_pair};

#[test]
fn foreign_traits() {
    for budget in [1, 2, 128] {
        Builder::new()
            .budget(budget)
            .run(async {
                let (client, server) = tcp_pair().await?;
                let data = pattern(200_000);
                let (mut reader, mut writer) = client.into_split();
                nursery(async |n| {
                    drop(n.spawn(async {
                        let copied = futures::io::copy(&server, &mut &server).await?;
                        assert_eq!(copied, 200_000);
                        AsyncWriteExt::close(&mut &server).await?;
                        Ok(())
                    }));
                    drop(n.spawn(async {
                        AsyncWriteExt::write_all(&mut writer, &data).await?;
                        AsyncWriteExt::close(&mut writer).await?;
                        Ok(())
                    }));
                    let mut received = Vec::new();
                    AsyncReadExt::read_to_end(&mut reader, &mut received).await?;
                    assert!(received == data);
                    Ok(())
                })
                .await
            })
            .unwrap();
    }
}

#[test]
fn foreign_traits_wake_every_task_that_waits() {
    run(async {
        let (one, other) = UnixStream::pair()?;
        let got = Cell::new(0);
        let both = Event::new();
        nursery(async |n| {
            for _ in 0..2 {
                drop(n.spawn(async {
                    (&mut &one).read_exact(&mut [0]).await?;
                    got.set(got.get() + 1);
                    if got.get() == 2 {
                        both.set();
                    }
                    Ok(())
                }));
            }
            yield_now().await?;
            yield_now().await?; // both wait
            other.write_all(b"x").await?;
            while got.get() < 1 {
                yield_now().await?;
            }
            other.write_all(b"y").await?;
            both.wait().await
        })
        .await
    })
    .unwrap();
}
