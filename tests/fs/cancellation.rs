//! An operation has happened or was cancelled; one of several steps says how far it came.

use std::io::Write;

use seedbed::fs::{self, Failure, File};
use seedbed::{Error, Result, cancel_scope, checkpoint, nursery, yield_now};

use crate::support::{cancelled, is_cancelled, run, shielded};
use crate::{Fifo, folder, hold_up, long, make_fifo, under_way};

#[test]
fn w04_in_a_cancelled_scope_nothing_happens() {
    let folder = folder();
    let path = folder.path().join("file");
    std::fs::write(&path, "hello").unwrap();
    let new = folder.path().join("new");
    let program = async || {
        let mut file = File::options().read(true).write(true).open(&path).await?;
        cancelled(async {
            let outcomes: [Result<()>; 18] = [
                fs::read(&path).await.map(drop),
                fs::write(&path, "J").await,
                fs::write(&new, "J").await,
                fs::copy(&path, &new).await.map(drop),
                fs::rename(&path, &new).await,
                fs::remove_file(&path).await,
                fs::create_dir(&new).await,
                fs::create_dir_all(new.join("a/b")).await,
                fs::remove_dir_all(folder.path()).await,
                fs::metadata(&path).await.map(drop),
                File::create(&path).await.map(drop),
                file.write(b"J").await.map(drop),
                file.write_all(b"J").await,
                file.write_all_at(b"J", 0).await,
                file.read(&mut [0]).await.map(drop),
                file.read(&mut []).await.map(drop),
                file.read_to_end(&mut Vec::new()).await.map(drop),
                file.seek(std::io::SeekFrom::Start(1)).await.map(drop),
            ];
            for (number, outcome) in outcomes.iter().enumerate() {
                assert!(is_cancelled(outcome), "{number}: {outcome:?}");
            }
            let mut entries = fs::read_dir(folder.path());
            assert!(is_cancelled(&entries.anext().await));
            assert_eq!(file.position(), 0);
            Ok(())
        })
        .await
    };
    run(program()).unwrap();
    seedbed::run(program()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"hello");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn w04_what_waits_for_a_thread_is_cancelled_and_does_not_happen() {
    let folder = folder();
    let fifo = make_fifo(&folder);
    run(nursery(async |n| {
        let held = n.spawn(hold_up(fifo.clone()));
        under_way(1).await?;
        let new = folder.path().join("new");
        cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(async {
                    let outcome = fs::create_dir(&new).await;
                    assert!(is_cancelled(&outcome), "{outcome:?}");
                    outcome
                }));
                yield_now().await?;
                scope.cancel();
                Ok(())
            })
            .await
        })
        .await?;
        drop(Fifo::write_to(&fifo).await?);
        held.await?;
        assert!(!fs::exists(&new).await?);
        Ok(())
    }))
    .unwrap();
}

/// Opening a FIFO takes until somebody opens the other end.
#[test]
fn w04_a_call_that_has_begun_happens() {
    let folder = folder();
    let fifo = make_fifo(&folder);
    run(async {
        let opened = cancel_scope(async |scope| {
            nursery(async |n| {
                let opening = n.spawn(async {
                    let file = File::open(&fifo).await?;
                    assert!(checkpoint().await.unwrap_err().is_cancelled());
                    Ok(file)
                });
                under_way(1).await?;
                scope.cancel();
                shielded(yield_now()).await?;
                assert!(!opening.is_finished());
                let _other = Fifo::write_to(&fifo).await?;
                shielded(opening).await
            })
            .await
        })
        .await?;
        assert!(opened.is_some());
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_a_call_of_several_steps_stops_between_two_and_says_how_far_it_came() {
    let folder = folder();
    let fifo = make_fifo(&folder);
    run(async {
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(async {
                    let error = fs::read(&fifo).await.unwrap_err();
                    assert!(error.is_cancelled(), "{error}");
                    let failure = error.find::<Failure>().expect("it had begun");
                    assert_eq!(failure.done(), 5);
                    assert_eq!((failure.operation(), failure.path()), ("reading", &*fifo));
                    assert!(failure.io_error().is_none());
                    let text = format!("; reading `{}` was stopped after 5 bytes", fifo.display());
                    assert!(error.to_string().ends_with(&text), "{error}");
                    assert_eq!(format!("{error:?}").matches("was stopped").count(), 1, "{error:?}");
                    Err::<(), Error>(error)
                }));
                let mut other = Fifo::write_to(&fifo).await?;
                other.pass(b"abc").await?;
                scope.cancel();
                // The task has seen it when this returns.
                shielded(yield_now()).await?;
                shielded(yield_now()).await?;
                other.0.write_all(b"de")?;
                let _open_until_it_has_stopped = shielded(async {
                    while fs::current_limiter()?.borrowed() > 0 {
                        yield_now().await?;
                    }
                    Ok(other)
                })
                .await?;
                Ok(())
            })
            .await
        })
        .await?;
        assert!(outcome.is_none(), "the scope has absorbed it");
        Ok(())
    })
    .unwrap();
}

/// How far a task came is its own business, although its siblings are cancelled for the same reason.
#[test]
fn w04_others_are_not_said_to_have_been_stopped() {
    let folder = folder();
    let fifo = make_fifo(&folder);
    run(async {
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                let reading = n.spawn(async { fs::read(&fifo).await });
                let mut other = Fifo::write_to(&fifo).await?;
                other.pass(b"abc").await?;
                scope.cancel();
                shielded(yield_now()).await?;
                shielded(yield_now()).await?;
                other.0.write_all(b"de")?;
                shielded(async {
                    while !reading.is_finished() {
                        yield_now().await?;
                    }
                    Ok(())
                })
                .await?;
                let error = checkpoint().await.unwrap_err();
                assert!(error.find::<Failure>().is_none(), "{error}");
                Err::<(), _>(error)
            })
            .await
            .inspect_err(|error| assert!(error.find::<Failure>().is_some(), "{error}"))
        })
        .await?;
        assert!(outcome.is_none());
        Ok(())
    })
    .unwrap();
}

/// Each MiB is an operation: the first that is cancelled says what was written before.
#[test]
fn w04_a_write_that_is_cancelled_says_how_much_was_written() {
    let folder = folder();
    let path = folder.path().join("file");
    run(async {
        let mut file = File::create_new(&path).await?;
        cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(async {
                    let bytes = long();
                    let error = file.write_all(&bytes).await.unwrap_err();
                    assert!(error.is_cancelled(), "{error}");
                    let done = error.find().map_or(0, Failure::done);
                    assert_eq!(done, file.position());
                    assert_eq!(done, std::fs::metadata(&path)?.len());
                    assert!(done > 0 && done < bytes.len() as u64, "{done}");
                    Err::<(), Error>(error)
                }));
                under_way(1).await?;
                scope.cancel();
                Ok(())
            })
            .await
        })
        .await?;
        Ok(())
    })
    .unwrap();
}
