//! What concerns the whole process that starts others: how many descriptors it may have, what it
//! does with signals, and which children it has left. So each of these tests runs in a process of
//! its own.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::select;
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use seedbed::process::{Command, Stdio, Stopped};
use seedbed::testing::statistics;
use seedbed::{Result, move_on_after, nursery, run, sleep};

use crate::support;
use crate::support::alone::{alone, descriptors, interrupted_all_the_time, with_descriptors};
use crate::{is_reaped, ready, shell};

/// Whether this process has children, be they running or not reaped.
fn has_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    match waitid(WaitId::All, options) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, Errno::CHILD);
            false
        }
    }
}

/// The children of this process by what `/proc` says, zombies among them.
fn children() -> BTreeSet<u32> {
    let is_ours = |process: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let parent = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?;
        (parent.parse() == Ok(std::process::id())).then_some(process)
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(is_ours).collect()
}

/// One that is open and was not. (One that was may have gone: a thread holds on for a moment to what
/// the run before was woken by.)
fn further_than(before: &BTreeMap<u64, PathBuf>) -> Option<(u64, PathBuf)> {
    descriptors().into_iter().find(|(number, _)| !before.contains_key(number))
}

/// How often starting this has failed, each time with one descriptor more than before, until there
/// were enough. Nothing is left of it.
fn failures_until_there_are_enough(start: fn(&mut Command) -> Option<Result<()>>) -> usize {
    let is_started = |more| {
        // On a virtual clock, a poll that lasts does not let others run before it has started this.
        let started = support::run(async {
            // The run has its own descriptors by now.
            assert!(shell("").status().await?.success());
            let before = (statistics()?, descriptors());
            let outcome = with_descriptors(more, || start(&mut shell("cat")));
            assert_eq!(statistics()?, before.0);
            assert_eq!(further_than(&before.1), None);
            if let Some(outcome) = &outcome {
                let text = outcome.as_ref().unwrap_err().to_string();
                assert!(text.starts_with("starting `sh`: Too many open files"), "{text}");
            }
            Ok(outcome.is_none())
        });
        assert!(!has_children(), "the run has waited");
        started.unwrap()
    };
    (0..).position(is_started).unwrap()
}

#[test]
fn w03_without_descriptors_it_says_so_and_leaves_nothing() {
    alone("alone::w03_without_descriptors_it_says_so_and_leaves_nothing", || {
        // What is started is started in the first poll, and dropped then.
        let with_pipes = failures_until_there_are_enough(|command| {
            command.input("word").output().now_or_never().map(|outcome| outcome.map(drop))
        });
        assert!(with_pipes > 0);
        // It has been started when there is no descriptor for its end.
        let without = failures_until_there_are_enough(|command| {
            command.status().now_or_never().map(|outcome| outcome.map(drop))
        });
        assert!(without > 0);
    });
}

#[test]
fn w03_a_process_that_ignores_sigchld_cannot_know_how_others_end() {
    alone("alone::w03_a_process_that_ignores_sigchld_cannot_know_how_others_end", || {
        // SAFETY: it is this process's to decide.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        run(async {
            let unknown = |error: seedbed::Error| {
                let expected = "`sh` has ended, and how is not known: this process ignores SIGCHLD";
                assert!(error.to_string().starts_with(expected), "{error}");
            };
            unknown(shell("exit 3").status().await.unwrap_err());
            unknown(shell("cat; echo words").input("word").output().await.unwrap_err());
            nursery(async |n| {
                let mut child = shell("exit 3").spawn(n)?;
                unknown(child.wait().await.unwrap_err());
                unknown(child.try_wait().unwrap_err());
                child.signal(seedbed::signal::Signal::TERM)
            })
            .await?;
            // It is put to an end all the same.
            nursery(async |n| {
                ready(n, &mut shell("echo ready; exec sleep 1000")).await?;
                n.cancel();
                Ok(())
            })
            .await
        })
        .unwrap();
        assert!(!has_children());
    });
}

#[test]
fn w03_system_calls_that_are_interrupted_go_on() {
    alone("alone::w03_system_calls_that_are_interrupted_go_on", || {
        let done = interrupted_all_the_time(|| {
            run(async {
                for _ in 0..20 {
                    let input = vec![b'x'; 1 << 20];
                    let output = shell("tee /dev/stderr").input(input.clone()).run().await?;
                    assert!(output.stdout == input && output.stderr == input);
                    assert_eq!(shell("exit 3").status().await?.code(), Some(3));
                    nursery(async |n| {
                        let (child, _) =
                            ready(n, &mut shell("echo ready; exec sleep 1000")).await?;
                        child.cancel();
                        Ok(())
                    })
                    .await?;
                }
                Ok(())
            })
        });
        done.unwrap();
        assert!(!has_children());
    });
}

/// How a process comes to its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum End {
    /// By itself.
    Itself,
    /// Its scope's time is up.
    Cancelled,
    /// Its handle in a nursery cancels it.
    ByHandle,
    /// Its future is dropped.
    Dropped,
}

/// As many as `SEEDBED_PROCESSES` says.
#[test]
fn w03_nothing_is_left_of_processes_that_end_at_random_moments() {
    const AT_ONCE: u64 = 10;
    alone("alone::w03_nothing_is_left_of_processes_that_end_at_random_moments", || {
        let count = std::env::var("SEEDBED_PROCESSES").map_or(200, |count| count.parse().unwrap());
        let begun = Instant::now();
        let mut ends = BTreeMap::new();
        let all_descriptors = descriptors();
        for round in 0..count / AT_ONCE {
            let round_ends = run(async {
                shell("").status().await?; // the run has its own descriptors by now
                let before = (statistics()?, descriptors());
                assert_eq!(children(), BTreeSet::new());
                let ends = nursery(async |n| {
                    let tasks = (0..AT_ONCE).map(|task| {
                        let random = (round * AT_ONCE + task).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                        n.spawn(ends_somehow(random >> 32))
                    });
                    let tasks: Vec<_> = tasks.collect();
                    let mut ends = Vec::new();
                    for task in tasks {
                        ends.push(task.await?);
                    }
                    Ok(ends)
                })
                .await?;
                assert_eq!(statistics()?, before.0);
                assert_eq!(further_than(&before.1), None);
                Ok(ends)
            });
            for end in round_ends.unwrap() {
                *ends.entry(end).or_insert(0) += 1;
            }
            assert!(!has_children(), "the run has waited for those that were dropped");
            assert_eq!(children(), BTreeSet::new());
        }
        while descriptors() != all_descriptors {
            std::thread::yield_now();
        }
        assert_eq!(ends.len(), 4, "all of it happens: {ends:?}");
        eprintln!("{count} processes in {:.1?}: {ends:?}", begun.elapsed());
    });
}

/// Has a process end in a way and at a moment that are drawn.
async fn ends_somehow(random: u64) -> Result<End> {
    let moment = Duration::from_micros((random >> 8) % 5000);
    let way = [End::Itself, End::Cancelled, End::ByHandle, End::Dropped][random as usize % 4];
    let mut command = shell(match way {
        End::Itself => "echo word; cat >&2",
        _ => "echo word; cat >&2; exec sleep 1000",
    });
    if random & 4 == 0 {
        command.own_group();
    }
    if random & 8 == 0 {
        command.grace(Duration::ZERO);
    }
    command.input("word");
    match way {
        End::Itself => assert!(command.run().await?.status.success()),
        End::Cancelled => {
            let ended = move_on_after(moment, async {
                let error = command.output().await.unwrap_err();
                // Unless the time was up before it was started.
                assert!(error.find::<Stopped>().is_none_or(|stopped| is_reaped(stopped.id())));
                Err::<(), _>(error)
            });
            assert!(ended.await?.is_none());
        }
        End::ByHandle => {
            nursery(async |n| {
                let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn(n)?;
                sleep(moment).await?;
                child.cancel();
                let signal = child.wait().await?.signal();
                assert!(matches!(signal, Some(libc::SIGTERM | libc::SIGKILL)), "{signal:?}");
                assert!(is_reaped(child.id()));
                Ok(())
            })
            .await?;
        }
        End::Dropped => {
            select(pin!(command.output()), pin!(sleep(moment))).await;
        }
    }
    Ok(way)
}

#[test]
fn w03_what_a_program_writes_takes_no_memory_where_it_is_thrown_away() {
    /// The most memory that this process has had, in kilobytes.
    fn peak() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
    alone("alone::w03_what_a_program_writes_takes_no_memory_where_it_is_thrown_away", || {
        run(async {
            let before = peak();
            let mut program = shell("head -c 134217728 /dev/zero");
            assert!(program.stdout(Stdio::piped()).status().await?.success());
            assert!(peak() - before < 65536, "{} kB", peak() - before);
            Ok(())
        })
        .unwrap();
    });
}
