//! Futures that are dropped.

use std::future::Future;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::thread;

use seedbed::process::{Command, Output, Stdio};
use seedbed::{Result, nursery, yield_now};

use crate::support::{poll_once, run};
use crate::{is_reaped, rest, shell};

type Running<'a> = Pin<Box<dyn Future<Output = Result<Output>> + 'a>>;

/// Runs a command that writes its number to its standard error, until it has done so.
async fn until_it_runs(command: &mut Command) -> Result<(Running<'_>, u32)> {
    let (mut reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    command.stderr(Stdio::from(OwnedFd::from(writer)));
    let mut running: Running<'_> = Box::pin(command.output());
    let mut number = Vec::new();
    while number.last() != Some(&b'\n') {
        assert!(poll_once(running.as_mut()).await.is_none());
        let mut byte = [0];
        if let Ok(1) = reader.read(&mut byte) {
            number.push(byte[0]);
        }
        yield_now().await?;
    }
    Ok((running, String::from_utf8(number).unwrap().trim().parse().unwrap()))
}

#[test]
fn w03_a_future_that_is_dropped_leaves_no_process() {
    let number = run(async {
        let mut command = shell("trap '' TERM; echo $$ >&2; while :; do sleep 0.01; done");
        let (running, number) = until_it_runs(&mut command).await?;
        drop(running);
        Ok(number)
    });
    assert!(is_reaped(number.unwrap()), "the run has waited for that");
}

#[test]
fn w03_a_run_that_panics_leaves_no_process() {
    let mut number = 0;
    let text = crate::support::panics(|| {
        run::<()>(async {
            let mut command = shell("echo $$ >&2; exec sleep 1000");
            let (_running, id) = until_it_runs(&mut command).await?;
            number = id;
            panic!("of the test");
        })
    });
    assert_eq!(text, "of the test");
    assert!(is_reaped(number));
}

#[test]
fn w03_a_group_is_killed_when_the_future_is_dropped() {
    run(async {
        let mut command = shell("echo $$ >&2; sleep 1000 | sleep 1000");
        let (reader, writer) = UnixStream::pair()?;
        let stdout = seedbed::net::UnixStream::from_std(reader)?;
        command.own_group().stdout(Stdio::from(OwnedFd::from(writer)));
        let (running, _) = until_it_runs(&mut command).await?;
        drop(running);
        drop(command); // it has the other end
        // The end comes when none of them is left.
        assert_eq!(stdout.read_to_end(&mut Vec::new()).await?, 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w03_outside_of_a_run_a_thread_reaps_it() {
    let mut command = shell("echo $$ >&2; exec sleep 1000");
    let (running, number) = run(until_it_runs(&mut command)).unwrap();
    assert!(!is_reaped(number));
    drop(running);
    while !is_reaped(number) {
        thread::yield_now();
    }
}

#[test]
fn w03_a_nursery_that_is_dropped_says_so_to_whoever_waits() {
    run(async {
        let mut child = None;
        let mut dropped = Box::pin(nursery(async |n| {
            let mut command = shell("exec sleep 1000");
            child = Some(command.stdout(Stdio::piped()).spawn(n)?);
            Ok(())
        }));
        assert!(poll_once(dropped.as_mut()).await.is_none());
        drop(dropped);
        let mut child = child.unwrap();
        let error = child.wait().await.unwrap_err();
        let text = "`sh` was killed, because the future that waited for it was dropped";
        assert_eq!(error.to_string(), text);
        assert_eq!(rest(child.stdout.as_ref().unwrap()).await?, "");
        Ok(())
    })
    .unwrap();
}
