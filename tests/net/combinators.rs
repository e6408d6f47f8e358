//! C11: operations inside other libraries' combinators.

use futures::stream::FuturesUnordered;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, future};
use seedbed::net::{TcpListener, UnixStream};
use seedbed::{CancelScope, Result, nursery, run, yield_now};

use super::tcp_pair;

/// Runs something that waits, cancels it, and checks that it ends.
async fn is_reached(waits: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
    let scope = CancelScope::new();
    nursery(async |n| {
        let task = n.spawn(scope.enter(async |_| waits().await));
        for _ in 0..5 {
            yield_now().await?;
        }
        scope.cancel();
        assert_eq!(task.await?, None);
        Ok(())
    })
    .await
}

#[test]
fn c11_operations_within_combinators_are_reached() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut pairs = Vec::new();
        for _ in 0..4 {
            pairs.push(tcp_pair().await?);
        }
        let pairs = &pairs;
        // Full, so that writes wait too.
        let (full, _peer) = UnixStream::pair()?;
        while rustix::io::write(&full, &[0; 4096]).is_ok() {}

        is_reached(async || {
            let reads = pairs.iter().map(async |(one, _)| one.read(&mut [0; 8]).await);
            let outcomes = future::join_all(reads).await;
            assert_eq!(outcomes.len(), 4);
            outcomes.into_iter().try_for_each(|read| read.map(drop))
        })
        .await?;
        is_reached(async || {
            let mut reads: FuturesUnordered<_> =
                pairs.iter().map(async |(one, _)| one.read(&mut [0; 8]).await).collect();
            let mut last = Ok(());
            while let Some(read) = reads.next().await {
                assert!(read.is_err());
                last = read.map(drop);
            }
            last
        })
        .await?;
        is_reached(async || {
            let accept = Box::pin(listener.accept());
            let write = Box::pin(full.write(b"x"));
            match future::select(accept, write).await {
                future::Either::Left((accepted, _)) => accepted.map(drop),
                future::Either::Right((written, _)) => written.map(drop),
            }
        })
        .await?;
        // Through foreign traits.
        is_reached(async || {
            let mut reads: FuturesUnordered<_> =
                pairs.iter().map(async |(one, _)| (&mut &*one).read(&mut [0; 8]).await).collect();
            let mut last = Ok(());
            while let Some(read) = reads.next().await {
                assert!(read.is_err());
                last = read.map(drop);
            }
            Ok(last?)
        })
        .await?;
        is_reached(async || {
            let mut stream = &full;
            let mut writes: FuturesUnordered<_> =
                [AsyncWriteExt::write(&mut stream, b"x")].into_iter().collect();
            writes.next().await.unwrap()?;
            Ok(())
        })
        .await
    })
    .unwrap();
}
