//! R5: a second signal ends a server's drain, and a third one the process.

use std::cell::Cell;
use std::time::Duration;

use rustix::process::Signal as Sent;
use seedbed::net::{TcpListener, TcpStream};
use seedbed::signal::{Signal, Signals};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, Listener, Result, Server, cancel_scope, checkpoint, idle, move_on_after, nursery, run,
    sleep_forever, yield_now,
};

use super::{Process, raise, say};

/// Serves one connection, which says when the server drains, and when it is cancelled.
async fn serve_until<T>(
    shutdown: impl Future<Output = Result<T>>,
    when_cancelled: impl Fn(),
) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let _client = TcpStream::connect(listener.local_addr()?).await?;
    Server::new(listener)
        .shutdown_on(shutdown)
        .grace(Duration::from_secs(3600))
        .serve(async |_, _| {
            say("up");
            let _cancelled: Result<()> = idle(sleep_forever()).await;
            for _ in 0..10 {
                yield_now().await?; // the server has gone as far, too
            }
            say("drains");
            let outcome = sleep_forever().await;
            say("cancelled");
            when_cancelled();
            outcome
        })
        .await
}

pub mod r05_a_second_signal_ends_a_servers_drain {
    use super::*;

    pub fn test(mut process: Process) {
        process.drains_and_is_cancelled(Sent::TERM, Sent::TERM);
        process.expect("what comes after");
        process.ends_well();
    }

    pub fn process() {
        run(async {
            let signals = Signals::new([Signal::TERM])?;
            serve_until(signals.recv(), || ()).await?;
            checkpoint().await?;
            say("what comes after");
            Ok(())
        })
        .unwrap();
    }
}

pub mod r05_a_second_signal_of_another_kind_ends_a_servers_drain {
    use super::*;

    pub fn test(mut process: Process) {
        for (first, second) in [(Sent::INT, Sent::INT), (Sent::TERM, Sent::INT)] {
            process.drains_and_is_cancelled(first, second);
            process.expect("what comes after");
        }
        process.ends_well();
    }

    pub fn process() {
        for _ in 0..2 {
            run(async {
                // When the first has come, only the server still listens.
                let shutdown = async { Signals::new([Signal::INT, Signal::TERM])?.recv().await };
                serve_until(shutdown, || ()).await?;
                say("what comes after");
                Ok(())
            })
            .unwrap();
        }
    }
}

pub mod r05_a_third_signal_ends_a_process_that_hangs_in_its_drain {
    use super::*;

    pub fn test(mut process: Process) {
        process.drains_and_is_cancelled(Sent::TERM, Sent::TERM);
        process.send(Sent::TERM);
        process.dies_of(Sent::TERM);
    }

    pub fn process() {
        let _ = run(async {
            let signals = Signals::new([Signal::TERM])?;
            let hang = || {
                loop {
                    std::hint::spin_loop();
                }
            };
            serve_until(signals.recv(), hang).await
        });
    }
}

pub mod r05_a_third_signal_ends_a_process_whose_server_has_ended {
    use super::*;

    pub fn test(mut process: Process) {
        process.drains_and_is_cancelled(Sent::TERM, Sent::TERM);
        process.expect("what comes after");
        process.send(Sent::TERM);
        process.dies_of(Sent::TERM);
    }

    pub fn process() {
        let _ = run(async {
            let signals = Signals::new([Signal::TERM])?;
            serve_until(signals.recv(), || ()).await?;
            say("what comes after");
            sleep_forever().await
        });
    }
}

pub mod r05_a_second_signal_reaches_a_server_that_was_stopped_from_outside {
    use super::*;

    pub fn test(mut process: Process) {
        process.drains_and_is_cancelled(Sent::TERM, Sent::TERM);
        process.expect("what comes after");
        process.ends_well();
    }

    pub fn process() {
        run(async {
            let signals = Signals::new([Signal::TERM])?;
            cancel_scope(async |scope| {
                nursery(async |n| {
                    n.spawn(async {
                        signals.recv().await?;
                        scope.cancel_gracefully(Duration::from_secs(3600));
                        Ok(())
                    });
                    serve_until(sleep_forever(), || ()).await
                })
                .await
            })
            .await?;
            say("what comes after");
            Ok(())
        })
        .unwrap();
    }
}

pub mod r05_a_signal_that_ended_a_drain_has_no_further_effect {
    use super::*;

    pub fn test(mut process: Process) {
        process.drains_and_is_cancelled(Sent::TERM, Sent::TERM);
        // A listener receives it nevertheless, and the process is spared again if it listens anew.
        process.expect("SIGTERM");
        process.drains_and_is_cancelled(Sent::TERM, Sent::TERM);
        process.expect("not lost");
        process.dies_of(Sent::TERM);
    }

    pub fn process() {
        run(async {
            let signals = Signals::new([Signal::TERM])?;
            serve_until(signals.recv(), || ()).await?;
            say(&signals.recv().await?.to_string());
            drop(signals);
            let signals = Signals::new([Signal::TERM])?;
            serve_until(signals.recv(), || ()).await?;
            drop(signals); // with the second in it
            // One that comes when no server drains, and is not received.
            let signals = Signals::new([Signal::TERM])?;
            raise(Signal::TERM);
            say("not lost");
            drop(signals);
            Ok(())
        })
        .unwrap();
    }
}

/// It is here because a process has only one limit.
pub mod s05_by_default_connections_leave_descriptors_for_others {
    use super::*;

    pub fn test(process: Process) {
        process.ends_well();
    }

    /// There is always one more.
    struct Endless;

    impl Listener for Endless {
        type Stream = ();
        type Address = ();

        async fn accept(&self) -> Result<((), ())> {
            checkpoint().await?;
            Ok(((), ()))
        }

        fn try_accept(&self) -> Result<Option<((), ())>> {
            Ok(None)
        }
    }

    fn most(server: impl FnOnce(Server<'_, Endless>) -> Server<'_, Endless>) -> usize {
        let open = Cell::new(0);
        let clock = VirtualClock::new();
        let outcome: Result<_> = Builder::new().clock(&clock).run(async {
            move_on_after(
                Duration::from_secs(1),
                server(Server::new(Endless)).serve(async |(), ()| {
                    open.set(open.get() + 1);
                    sleep_forever().await
                }),
            )
            .await
        });
        assert!(outcome.unwrap().is_none());
        open.get()
    }

    pub fn process() {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = Some(100);
        setrlimit(Resource::Nofile, limit).unwrap();
        assert_eq!(most(|server| server), 75);
        assert_eq!(most(|server| server.max_connections(300)), 300);
    }
}
