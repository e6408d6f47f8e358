//! W1 and W2: pipes, datagrams and other descriptors, with a task that is cancelled at every
//! possible moment: nothing is lost or doubled.

use std::cell::RefCell;

use seedbed::fd::AsyncFd;
use seedbed::net::UnixDatagram;
use seedbed::testing::explore;
use seedbed::{CancelScope, Result, checkpoint, nursery, pipe};

/// One task sends three messages, another one receives until a third one cancels it; what it has
/// received, and what is received afterwards, is everything, in order.
async fn receiving_cancelled(
    send: impl AsyncFn(u8) -> Result<()>,
    receive: impl AsyncFn() -> Result<u8>,
) -> Result<()> {
    let received = RefCell::new(Vec::new());
    let scope = CancelScope::new();
    nursery(async |n| {
        n.spawn(scope.enter(async |_| {
            while received.borrow().len() < 2 {
                let message = receive().await?;
                received.borrow_mut().push(message);
            }
            Ok(())
        }));
        n.spawn(async {
            send(1).await?;
            send(2).await
        });
        n.spawn(async {
            checkpoint().await?;
            scope.cancel();
            Ok(())
        });
        Ok(())
    })
    .await?;
    send(3).await?;
    let mut received = received.into_inner();
    while received.last() != Some(&3) {
        received.push(receive().await?);
    }
    assert_eq!(received, [1, 2, 3]);
    Ok(())
}

fn explored(program: impl AsyncFn() -> Result<()>) {
    let report = explore(program);
    assert!(report.is_complete(), "{report}");
}

#[test]
fn w02_a_cancelled_reader_of_a_pipe_loses_nothing() {
    explored(async || {
        let (sender, receiver) = pipe::pipe()?;
        receiving_cancelled(
            async |message| sender.write_all(&[message]).await,
            async || {
                let mut buffer = [0];
                assert_eq!(receiver.read(&mut buffer).await?, 1);
                Ok(buffer[0])
            },
        )
        .await
    });
}

#[test]
fn w02_a_cancelled_receiver_of_datagrams_loses_none() {
    explored(async || {
        let (one, other) = UnixDatagram::pair()?;
        receiving_cancelled(
            async |message| one.send(&[message]).await,
            async || {
                let mut buffer = [0];
                assert_eq!(other.recv(&mut buffer).await?, 1);
                Ok(buffer[0])
            },
        )
        .await
    });
}

#[test]
fn w01_a_cancelled_call_on_a_descriptor_has_not_happened() {
    explored(async || {
        let (reads, writes) = std::io::pipe()?;
        let (reads, writes) = (AsyncFd::new(reads)?, AsyncFd::new(writes)?);
        receiving_cancelled(
            async |message| writes.write(&[message]).await.map(drop),
            async || {
                let mut buffer = [0];
                assert_eq!(reads.read(&mut buffer).await?, 1);
                Ok(buffer[0])
            },
        )
        .await
    });
}
