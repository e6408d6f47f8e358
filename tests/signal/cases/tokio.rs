//! X1: Ctrl-C where tokio listens to it as well.

use std::pin::pin;
use std::sync::mpsc;

use ::tokio::signal::ctrl_c;
use futures::poll;
use rustix::process::Signal as Sent;
use seedbed::signal::{Signal, Signals};
use seedbed::tokio::{Companion, call};
use seedbed::{Builder, Interrupted, Result, checkpoint, run, sleep_forever};

use super::{Process, say};

/// The process is sent Ctrl-C twice, and says each time that it was told.
fn is_told_twice(mut process: Process) {
    for _ in 0..2 {
        process.send_when_up(Sent::INT);
        process.expect("told");
    }
    process.ends_well();
}

async fn wait_twice() {
    for _ in 0..2 {
        let mut pressed = pin!(ctrl_c());
        assert!(poll!(&mut pressed).is_pending()); // it listens
        say("up");
        pressed.await.unwrap();
        say("told");
    }
}

pub mod x01_ctrl_c_is_tokios_after_a_run {
    use super::*;

    pub fn test(process: Process) {
        is_told_twice(process);
    }

    pub fn process() {
        run(async { checkpoint().await }).unwrap();
        drop(Signals::new([Signal::INT]).unwrap());
        ::tokio::runtime::Runtime::new().unwrap().block_on(wait_twice());
        // Nor is it taken away by a further run.
        run(async { checkpoint().await }).unwrap();
    }
}

pub mod x01_ctrl_c_is_tokios_in_a_run_that_leaves_it_alone {
    use super::*;

    pub fn test(process: Process) {
        is_told_twice(process);
    }

    pub fn process() {
        let builder = Builder::new().ctrl_c(false).tokio(Companion::new());
        builder.run(async { call(wait_twice()).output().await }).unwrap();
    }
}

pub mod x01_ctrl_c_reaches_tokio_and_cancels_the_run {
    use super::*;

    pub fn test(mut process: Process) {
        process.send_when_up(Sent::INT);
        process.expect("told");
        process.ends_well();
    }

    pub fn process() {
        let (tell, told) = mpsc::channel();
        let outcome: Result<()> = Builder::new().tokio(Companion::new()).run(async {
            let (listen, listens) = ::tokio::sync::oneshot::channel();
            ::tokio::spawn(async move {
                let mut pressed = pin!(ctrl_c());
                assert!(poll!(&mut pressed).is_pending());
                listen.send(()).unwrap();
                pressed.await.unwrap();
                tell.send(()).unwrap();
            });
            call(listens).await?;
            say("up");
            sleep_forever().await
        });
        assert!(outcome.unwrap_err().is::<Interrupted>());
        told.recv().unwrap();
        say("told");
    }
}

pub mod x01_a_companion_ends_with_an_interrupted_run {
    use super::*;

    pub fn test(mut process: Process) {
        process.send_when_up(Sent::INT);
        process.ends_well();
    }

    pub fn process() {
        let (alive, dropped) = mpsc::channel::<()>();
        let companion = Companion::new().grace(std::time::Duration::ZERO);
        let outcome: Result<()> = Builder::new().tokio(companion).run(async {
            ::tokio::spawn(async move {
                let _alive = alive;
                std::future::pending::<()>().await;
            });
            say("up");
            call(std::future::pending::<Result<()>>()).await
        });
        assert!(outcome.unwrap_err().is::<Interrupted>());
        dropped.recv().unwrap_err();
    }
}
