//! Listening to signals.

use rustix::process::Signal as Sent;
use seedbed::signal::{Signal, Signals};
use seedbed::{
    CancelScope, Interrupted, Result, cancel_scope, nursery, run, sleep_forever, yield_now,
};

use super::{Process, raise, say, wait};

pub mod signals_are_received {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        for signal in [Sent::HUP, Sent::USR1, Sent::HUP, Sent::TERM] {
            process.send(signal);
            process.expect(match signal {
                Sent::HUP => "SIGHUP",
                Sent::USR1 => "SIGUSR1",
                _ => "SIGTERM",
            });
        }
        process.ends_well();
    }

    pub fn process() {
        run(async {
            let signals = Signals::new([Signal::TERM, Signal::HUP, Signal::USR1])?;
            assert_eq!(format!("{signals:?}"), "{SIGTERM, SIGHUP, SIGUSR1}");
            say("up");
            loop {
                let signal = signals.recv().await?;
                say(&signal.to_string());
                if signal == Signal::TERM {
                    break;
                }
            }
            // Several of one kind count as one; none keeps another from being received.
            for _ in 0..3 {
                raise(Signal::HUP);
            }
            raise(Signal::USR1);
            let first = signals.recv().await?;
            raise(first);
            let second = signals.recv().await?;
            assert_ne!(first, second);
            assert_eq!(signals.recv().await?, first);
            Ok(())
        })
        .unwrap();
    }
}

pub mod signals_have_their_default_effect_when_nobody_listens {
    use super::*;

    pub fn test(mut process: Process) {
        process.send_when_up(Sent::TERM);
        process.dies_of(Sent::TERM);
    }

    pub fn process() {
        let signals = Signals::new([Signal::TERM, Signal::WINCH, Signal::CHLD]).unwrap();
        raise(Signal::TERM);
        assert_eq!(run(signals.recv()).unwrap(), Signal::TERM);
        drop(signals);
        raise(Signal::WINCH); // by default it has no effect
        say("up");
        wait();
    }
}

pub mod c10_a_signal_is_not_lost_to_a_cancellation {
    use super::*;

    pub fn test(process: Process) {
        process.ends_well();
    }

    pub fn process() {
        run(async {
            let signals = Signals::new([Signal::TERM])?;
            // One that waits.
            let scope = CancelScope::new();
            nursery(async |n| {
                let waiting = n.spawn(scope.enter(async |_| signals.recv().await));
                yield_now().await?;
                yield_now().await?;
                raise(Signal::TERM);
                scope.cancel();
                assert_eq!(waiting.await?, None);
                Ok(())
            })
            .await?;
            // One that could be served at once.
            let none = cancel_scope(async |scope| {
                scope.cancel();
                signals.recv().await
            });
            assert_eq!(none.await?, None);
            assert_eq!(signals.recv().await?, Signal::TERM);
            Ok(())
        })
        .unwrap();
    }
}

pub mod c10_a_signal_that_was_not_received_has_its_effect {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("interrupted");
        process.dies_of(Sent::TERM);
    }

    pub fn process() {
        let outcome: Result<()> = run(async {
            let signals = Signals::new([Signal::INT])?;
            raise(Signal::INT);
            drop(signals);
            sleep_forever().await
        });
        assert!(outcome.unwrap_err().is::<Interrupted>());
        let signals = Signals::new([Signal::TERM]).unwrap();
        raise(Signal::TERM);
        say("interrupted");
        drop(signals);
        say("not reached");
    }
}

pub mod c11_a_listener_in_a_combinator_is_reached {
    use super::*;

    pub fn test(process: Process) {
        process.ends_well();
    }

    pub fn process() {
        run(async {
            let signals = Signals::new([Signal::TERM])?;
            let none = Signals::new([])?;
            let scope = CancelScope::new();
            nursery(async |n| {
                let waiting = n.spawn(scope.enter(async |_| {
                    let all = [signals.recv(), none.recv(), signals.recv()];
                    let outcomes = futures::future::join_all(all).await;
                    assert!(outcomes.iter().all(Result::is_err));
                    outcomes.into_iter().next().unwrap()
                }));
                yield_now().await?;
                yield_now().await?;
                scope.cancel();
                assert_eq!(waiting.await?, None);
                Ok(())
            })
            .await
        })
        .unwrap();
    }
}

pub mod signals_that_cannot_be_listened_to {
    use super::*;

    pub fn test(process: Process) {
        process.ends_well();
    }

    pub fn process() {
        for number in [9, 19, 4, 8, 11, 0, -1, 1000] {
            let error = Signals::new([Signal::TERM, Signal::from_raw(number)]).unwrap_err();
            let error: &std::io::Error = error.downcast_ref().unwrap();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        }
    }
}
