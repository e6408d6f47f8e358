//! R1: streams that outlive a run.

use std::cell::Cell;
use std::future::Future;
use std::io::Write;
use std::task::{Context, Poll, Waker};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use seedbed::net::{TcpListener, TcpStream, UnixStream};
use seedbed::{checkpoint, nursery, run, yield_now};

use super::{poll_once, tcp_pair};

#[test]
fn r01_a_stream_goes_from_one_run_to_the_next() {
    let (one, other) = run(async {
        let (one, other) = tcp_pair().await?;
        // Registered, and found not to be ready.
        assert!(poll_once(&mut Box::pin(one.read(&mut [0; 8]))).await.is_pending());
        Ok((one, other))
    })
    .unwrap();
    for round in 0..3 {
        run(async {
            nursery(async |n| {
                drop(n.spawn(async {
                    let mut buffer = [0; 8];
                    assert_eq!(one.read(&mut buffer).await?, 1); // waits
                    assert_eq!(buffer[0], round);
                    Ok(())
                }));
                yield_now().await?;
                other.write_all(&[round]).await
            })
            .await
        })
        .unwrap();
    }
    // What came between two runs is there in the next.
    let mut other = other.into_std();
    other.write_all(b"between").unwrap();
    let (one, two) = run(async {
        let mut buffer = [0; 8];
        assert_eq!(one.read(&mut buffer).await?, 7);
        tcp_pair().await.map(|(two, _)| (one, two))
    })
    .unwrap();
    drop(one); // outside of a run
    run(async {
        drop(two); // in a run in which it was not used
        checkpoint().await
    })
    .unwrap();
}

#[test]
fn r01_an_operation_goes_on_in_the_next_run() {
    let (one, other) = run(async { UnixStream::pair() }).unwrap();
    let mut buffer = [0; 8];
    let mut reading = Box::pin(one.read(&mut buffer));
    run(async {
        assert!(poll_once(&mut reading).await.is_pending());
        // And with a waker of another kind, which is watched for.
        let mut group: FuturesUnordered<_> = [&mut reading].into_iter().collect();
        assert!(poll_once(&mut group.next()).await.is_pending());
        Ok(())
    })
    .unwrap();
    run(async {
        nursery(async |n| {
            drop(n.spawn(async {
                assert_eq!((&mut reading).await?, 3);
                Ok(())
            }));
            yield_now().await?;
            other.write_all(b"abc").await
        })
        .await
    })
    .unwrap();
}

/// What is known about the streams of different runs lies side by side.
#[test]
fn r01_streams_of_several_runs_beside_each_other() {
    let mut pairs = Vec::new();
    for round in 0..3 {
        run(async {
            for _ in 0..20 {
                pairs.push(UnixStream::pair()?);
            }
            let heard = Cell::new(0);
            nursery(async |n| {
                for (i, (one, _)) in (0..).zip(&pairs) {
                    let heard = &heard;
                    n.spawn(async move {
                        let mut buffer = [0; 8];
                        assert_eq!(one.read(&mut buffer).await?, 1); // waits
                        assert_eq!(buffer[0], i, "each gets its own");
                        heard.set(heard.get() + 1);
                        Ok(())
                    });
                }
                yield_now().await?;
                for (i, (_, other)) in (0..).zip(&pairs) {
                    other.write_all(&[i]).await?;
                }
                Ok(())
            })
            .await?;
            assert_eq!(heard.get(), pairs.len());
            Ok(())
        })
        .unwrap();
        let mut nth = 0;
        pairs.retain(|_| {
            nth += 1;
            nth % 3 != round
        });
    }
}

#[test]
fn r01_made_outside_of_a_run_and_used_outside_of_one() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let mut accept = Box::pin(listener.accept());
    let outcome = accept.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Err(error)) = outcome else { panic!("nothing runs") };
    assert!(error.is::<seedbed::NotRunning>());
    drop(accept);
    let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(b"x").unwrap();
    let stream = run(async { Ok(listener.accept().await?.0) }).unwrap();
    let fd = std::os::fd::OwnedFd::from(stream);
    let stream = TcpStream::try_from(fd).unwrap();
    assert_eq!(run(stream.read(&mut [0; 8])).unwrap(), 1);
}
