//! Futures that are dropped.

use std::io::{Read, Write};

use seedbed::fs::{self, File, OpenOptions};
use seedbed::{nursery, yield_now};

use crate::support::{poll_once, run};
use crate::{Fifo, folder, hold_up, make_fifo, under_way};

#[test]
fn w04_a_write_that_is_dropped_before_it_has_begun_does_not_happen() {
    let folder = folder();
    let fifo = make_fifo(&folder);
    run(nursery(async |n| {
        let path = folder.path().join("file");
        let mut file = File::create_new(&path).await?;
        let held = n.spawn(hold_up(fifo.clone()));
        under_way(1).await?;
        assert!(poll_once(file.write_all(b"never")).await.is_none());
        assert!(poll_once(file.write_all_at(b"nor this", 0)).await.is_none());
        drop(Fifo::write_to(&fifo).await?);
        held.await?;
        file.write_all(b"yes").await?;
        assert_eq!(fs::read(&path).await?, b"yes");
        Ok(())
    }))
    .unwrap();
}

/// A write to a FIFO that is full takes until it is read.
#[test]
fn w04_a_write_that_is_dropped_when_it_has_begun_comes_before_the_next() {
    let folder = folder();
    let fifo = make_fifo(&folder);
    let mut other = Fifo::read_from(&fifo);
    run(nursery(async |n| {
        let mut file = OpenOptions::new().append(true).open(&fifo).await?;
        assert!(poll_once(file.write(&[b'a'; 200_000])).await.is_none());
        while other.filled() < 4096 {
            yield_now().await?;
        }
        let writing = n.spawn(async {
            file.write_all(b"b").await?;
            Ok(file)
        });
        yield_now().await?;
        let mut all = Vec::new();
        while all.last() != Some(&b'b') {
            let mut some = [0; 10_000];
            match other.0.read(&mut some) {
                Ok(n) => all.extend_from_slice(&some[..n]),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
            yield_now().await?;
        }
        assert_eq!(all.len(), 200_001);
        assert!(all[..200_000].iter().all(|&byte| byte == b'a'));
        drop(writing.await?);
        Ok(())
    }))
    .unwrap();
}

#[test]
fn w04_a_read_that_is_dropped_leaves_the_cursor() {
    let folder = folder();
    let path = folder.path().join("file");
    std::fs::write(&path, "hello").unwrap();
    run(async {
        let mut file = File::open(&path).await?;
        assert!(
            poll_once(file.read(&mut [0; 3])).await.is_none(),
            "on a virtual clock by a thread"
        );
        assert!(poll_once(file.read_to_end(&mut Vec::new())).await.is_none());
        let mut text = String::new();
        file.read_to_string(&mut text).await?;
        assert_eq!(text, "hello");
        Ok(())
    })
    .unwrap();
}

/// The run waits for the call that has begun; the rest does not happen.
#[test]
fn w04_several_steps_stop_when_they_are_dropped() {
    let folder = folder();
    let fifo = make_fifo(&folder);
    let copy = folder.path().join("copy");
    run(async {
        let mut reading = Box::pin(fs::read(&fifo));
        assert!(poll_once(&mut reading).await.is_none());
        let mut other = Fifo::write_to(&fifo).await?; // it has opened it
        // Without a reader of our own the write would fail, if that is closed before.
        let _reader = std::fs::OpenOptions::new().read(true).write(true).open(&fifo)?;
        drop(reading);
        other.0.write_all(b"x")?;
        // A reader that had not stopped would go on reading, since this is open, and the run hang.
        std::mem::forget(other);
        fs::write(&copy, "after").await
    })
    .unwrap();
    assert_eq!(std::fs::read(copy).unwrap(), b"after");
}
