//! `run_on_cores`: a run on each of several threads, all of which belong together.
#![cfg(unix)]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use seedbed::net::{TcpListener, TcpSocket, TcpStream};
use seedbed::testing::VirtualClock;
use seedbed::{
    AlreadyRunning, Builder, CancelScope, Cancelled, Error, Reason, Result, Yielder, checkpoint,
    generator, nursery, run, run_on_cores, sleep, sleep_forever,
};

fn texts(error: &Error) -> Vec<String> {
    error.as_group().expect("it is a group").errors().map(ToString::to_string).collect()
}

fn failure_of(error: &Error) -> &str {
    match error.downcast_ref().map(Cancelled::reason) {
        Some(Reason::ChildFailed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

fn kind_of(error: &Error) -> io::ErrorKind {
    error.downcast_ref::<io::Error>().expect("it is an `io::Error`").kind()
}

/// Waits, shielded, until another thread has set the flag.
async fn until(flag: &AtomicBool) -> Result<()> {
    let scope = CancelScope::new().with_shield();
    let waited = scope.enter(async |_| {
        while !flag.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(1)).await?;
        }
        Ok(())
    });
    waited.await.map(drop)
}

#[test]
fn values_come_in_the_order_of_the_cores() {
    let last_is_over = AtomicBool::new(false);
    let values = run_on_cores(4, async |core| {
        if core == 3 {
            last_is_over.store(true, Ordering::SeqCst);
        } else {
            until(&last_is_over).await?;
        }
        Ok(core * 10)
    });
    assert_eq!(values.unwrap(), [0, 10, 20, 30]);
    assert_eq!(run_on_cores(1, async |core| Ok(core)).unwrap(), [0]);
}

#[test]
fn as_many_as_the_machine_has() {
    let count = thread::available_parallelism().unwrap().get();
    assert_eq!(run_on_cores(0, async |_| Ok(())).unwrap().len(), count);
}

#[test]
fn each_has_a_thread_and_the_first_has_the_callers() {
    let threads = run_on_cores(3, async |_| {
        checkpoint().await?;
        Ok(thread::current())
    })
    .unwrap();
    assert_eq!(threads[0].id(), thread::current().id());
    assert_eq!(threads[1].name(), Some("core 1"));
    assert_eq!(threads[2].name(), Some("core 2"));
}

#[test]
fn they_borrow_what_is_around_them() {
    let names = [String::from("ada"), String::from("grace")];
    let seen = Mutex::new(Vec::new());
    let borrowed: Vec<&str> = run_on_cores(2, async |core| {
        let name = names[core].as_str();
        nursery(async |n| {
            n.spawn(async {
                seen.lock().unwrap().push(name);
                Ok(())
            });
            Ok(())
        })
        .await?;
        Ok(name)
    })
    .unwrap();
    assert_eq!(borrowed, ["ada", "grace"]);
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    assert_eq!(seen, borrowed);
}

#[test]
fn what_is_not_send_stays_on_its_core() {
    let values = run_on_cores(2, async |core| {
        let local = std::rc::Rc::new(std::cell::Cell::new(core));
        checkpoint().await?;
        local.set(local.get() + 1);
        Ok(local.get())
    });
    assert_eq!(values.unwrap(), [1, 2]);
}

#[test]
fn one_that_ends_leaves_the_others_running() {
    for first_to_end in [0, 1] {
        let over = AtomicBool::new(false);
        run_on_cores(2, async |core| {
            if core == first_to_end {
                over.store(true, Ordering::SeqCst);
                return Ok(());
            }
            until(&over).await?;
            for _ in 0..10 {
                sleep(Duration::from_millis(1)).await?; // would fail
            }
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_failure_cancels_the_others_and_all_are_joined() {
    for failing in 0..3 {
        let cleaned_up = AtomicUsize::new(0);
        let line = line!() + 1;
        let outcome = run_on_cores(3, async |core| {
            if core == failing {
                return Err(Error::msg("out of paper"));
            }
            let error = sleep_forever().await.unwrap_err();
            assert_eq!(failure_of(&error), "out of paper");
            let shield = CancelScope::new().with_shield();
            shield.enter(async |_| sleep(Duration::from_millis(5)).await).await?;
            cleaned_up.fetch_add(1, Ordering::SeqCst);
            Err::<(), _>(error)
        });
        let error = outcome.unwrap_err();
        assert_eq!(cleaned_up.into_inner(), 2);
        assert_eq!(texts(&error), ["out of paper"]);
        let place = error.as_group().unwrap().place();
        assert_eq!((place.file(), place.line()), (file!(), line));
    }
}

#[test]
fn failures_are_in_the_order_in_which_they_happened() {
    let error = run_on_cores(3, async |core| {
        if core == 2 {
            return Err(Error::msg("the first"));
        }
        let cancelled = sleep_forever().await;
        if core == 0 {
            return Err(Error::msg("the clean-up"));
        }
        cancelled
    })
    .unwrap_err();
    assert_eq!(texts(&error), ["the first", "the clean-up"]);
    let tree = format!("{error:?}");
    let cores: Vec<_> = tree.lines().filter(|line| line.contains(" on core ")).collect();
    assert!(cores[0].ends_with("core 2") && cores[1].ends_with("core 0"), "{tree}");
}

#[test]
fn cancellations_are_taken_out_of_groups() {
    let error = run_on_cores(2, async |core| {
        if core == 1 {
            return Err(Error::msg("out of paper"));
        }
        nursery(async |n| {
            n.spawn(async {
                let _cancelled = sleep_forever().await;
                Err::<(), _>(Error::msg("the clean-up"))
            });
            sleep_forever().await
        })
        .await
    })
    .unwrap_err();
    let group = error.as_group().unwrap();
    let inner: Vec<_> = group.errors().map(|error| error.as_group().map(|g| g.len())).collect();
    assert_eq!(inner, [None, Some(1)]);
}

#[test]
fn one_that_has_a_value_nevertheless_has_not_failed() {
    let error = run_on_cores(2, async |core| {
        if core == 1 {
            return Err(Error::msg("out of paper"));
        }
        let _cancelled = sleep_forever().await;
        Ok(())
    })
    .unwrap_err();
    assert_eq!(texts(&error), ["out of paper"]);
}

/// The others learn of a failure when it happens, not when the run that it ended has been cleaned
/// up.
#[test]
fn a_failure_is_heard_of_before_its_run_has_ended() {
    for failing in [0, 1] {
        let heard = Arc::new(AtomicBool::new(false)); // the generator belongs to the run
        let error = run_on_cores(2, async |core| {
            if core == failing {
                let heard = heard.clone();
                let mut half_way = generator(async move |y: Yielder<()>| {
                    let outcome = y.yield_(()).await;
                    until(&heard).await?;
                    outcome.map(drop)
                });
                half_way.anext().await?;
                return Err(Error::msg("out of paper"));
            }
            let cancelled = sleep_forever().await;
            heard.store(true, Ordering::SeqCst);
            cancelled
        })
        .unwrap_err();
        assert_eq!(texts(&error), ["out of paper"]);
    }
}

/// The first core's scope is cancelled, and stays open until the last core has cleaned up. That
/// takes longer than something may be stuck without a report.
#[test]
fn to_wait_for_the_others_is_not_to_be_stuck() {
    let error = Builder::new()
        .fail_when_stuck(true)
        .run_on_cores(3, async |core| match core {
            0 => Ok(()),
            1 => Err(Error::msg("out of paper")),
            _ => {
                let cancelled = sleep_forever().await;
                let shield = CancelScope::new().with_shield();
                shield.enter(async |_| sleep(Duration::from_millis(2_500)).await).await?;
                cancelled
            }
        })
        .unwrap_err();
    assert_eq!(texts(&error), ["out of paper"]);
}

#[test]
fn a_panic_resumes_when_all_have_ended() {
    for panicking in 0..3 {
        let cleaned_up = AtomicUsize::new(0);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            run_on_cores(3, async |core| {
                if core == panicking {
                    std::panic::panic_any(42);
                }
                let error = sleep_forever().await.unwrap_err();
                assert_eq!(failure_of(&error), "it panicked");
                cleaned_up.fetch_add(1, Ordering::SeqCst);
                Err::<(), _>(error)
            })
        }));
        assert_eq!(panic.unwrap_err().downcast_ref(), Some(&42));
        assert_eq!(cleaned_up.into_inner(), 2);
    }
}

#[test]
fn of_several_panics_the_first_goes_on_and_failures_are_lost_to_it() {
    let panic = catch_unwind(|| {
        run_on_cores(3, async |core| {
            if core == 2 {
                std::panic::panic_any("the first");
            }
            let _cancelled = sleep_forever().await;
            if core == 0 {
                std::panic::panic_any("the second");
            }
            Err::<(), _>(Error::msg("a failure"))
        })
    });
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"the first"));
}

#[test]
fn choices_that_concern_one_thread_are_refused() {
    let clock = VirtualClock::new();
    for (builder, choice) in [
        (Builder::new().clock(&clock), "clock"),
        (Builder::new().detect_deadlock(true), "detect_deadlock"),
    ] {
        let error = builder.run_on_cores(1, async |_| Ok(())).unwrap_err();
        assert_eq!(kind_of(&error), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&format!("`Builder::{choice}`")), "{error}");
    }
    let values = Builder::new().seed(7).budget(1).run_on_cores(2, async |core| Ok(core));
    assert_eq!(values.unwrap(), [0, 1]);
}

#[test]
fn not_inside_of_a_run() {
    let error = run(async { run_on_cores(2, async |_| Ok(())) }).unwrap_err();
    assert!(error.is::<AlreadyRunning>());
    let outcomes = run_on_cores(2, async |_| Ok(run_on_cores(2, async |_| Ok(())).is_err()));
    assert_eq!(outcomes.unwrap(), [true, true]);
}

#[test]
fn listeners_share_a_port() {
    let reserved = TcpSocket::v4().unwrap();
    reserved.set_reuse_port(true).unwrap();
    reserved.bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    // A listener that has not asked for it does not share.
    let error = run(TcpListener::bind(address)).unwrap_err();
    assert_eq!(kind_of(&error), io::ErrorKind::AddrInUse);

    let listening = AtomicUsize::new(0);
    let served = [const { AtomicUsize::new(0) }; 2];
    let over = AtomicBool::new(false);
    run_on_cores(2, async |core| {
        let listener = TcpListener::bind_reuse_port(address).await?;
        listening.fetch_add(1, Ordering::SeqCst);
        nursery(async |n| {
            n.spawn::<_, ()>(async {
                loop {
                    let (stream, _) = listener.accept().await?;
                    served[core].fetch_add(1, Ordering::SeqCst);
                    stream.write_all(&[core as u8]).await?;
                }
            });
            if core == 1 {
                until(&over).await?;
                n.cancel();
                return Ok(());
            }
            while listening.load(Ordering::SeqCst) < 2 {
                sleep(Duration::from_millis(1)).await?;
            }
            // Each time the client has another port, which is as good as another draw.
            let mut asked = 0;
            while served.iter().any(|served| served.load(Ordering::SeqCst) == 0) {
                assert!(asked < 1_000, "one listener gets them all");
                let client = TcpStream::connect(address).await?;
                client.read_exact(&mut [0]).await?;
                asked += 1;
            }
            over.store(true, Ordering::SeqCst);
            n.cancel();
            Ok(())
        })
        .await
    })
    .unwrap();
}
