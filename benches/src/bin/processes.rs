//! Child processes, beside those of tokio and async-process, and beside the standard library's.
//!
//! ```text
//! cargo run --release -p seedbed-bench --no-default-features --features processes --bin processes -- [--rounds N] [--only WORK] [--cpu-time]
//! ```
//!
//! The subjects take turns, round by round, each in a process of its own, which does the work once
//! before it counts. A figure is the median of the rounds. `--cpu-time` counts the running time of
//! that process, without its children, in place of wall time: what each adds to what the children
//! take, which is the same for all.

#[path = "../clock.rs"]
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod clock;
#[path = "../turns.rs"]
mod turns;

use std::process::Command;

use turns::{Turns, Work};

const PROCESSES: usize = 400;
const TASKS: usize = 16;
const MIB: usize = 1 << 20;
const OUTPUTS: usize = 50;

macro_rules! work {
    ($name:ident, $count:ident, $title:literal) => {
        Work {
            name: stringify!($name),
            title: $title,
            count: $count,
            subjects: [
                ("seedbed", |()| seedbed::run(seedbed_::$name()).unwrap()),
                ("tokio", |()| run_tokio(tokio_::$name())),
                ("async-process", |()| {
                    futures_lite::future::block_on(async_process_::$name()).unwrap()
                }),
                ("std", |()| std_::$name()),
            ],
        }
    };
}

const WORKS: &[Work<()>] = &[
    work!(status, PROCESSES, "`true`, one after the other"),
    work!(status_in_tasks, PROCESSES, "`true`, by 16 tasks"),
    work!(output, OUTPUTS, "the output of a MiB"),
];

fn run_tokio(main: impl Future<Output = std::io::Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(main).unwrap();
}

/// Writes a MiB.
macro_rules! head {
    ($command:ty) => {
        <$command>::new("head").args(["-c", &MIB.to_string(), "/dev/zero"])
    };
}

mod seedbed_ {
    use seedbed::process::Command;
    use seedbed::{Result, nursery};

    use super::*;

    pub async fn status() -> Result<()> {
        for _ in 0..PROCESSES {
            assert!(Command::new("true").status().await?.success());
        }
        Ok(())
    }

    pub async fn status_in_tasks() -> Result<()> {
        nursery(async |n| {
            for _ in 0..TASKS {
                drop(n.spawn(async {
                    for _ in 0..PROCESSES / TASKS {
                        assert!(Command::new("true").status().await?.success());
                    }
                    Ok(())
                }));
            }
            Ok(())
        })
        .await
    }

    pub async fn output() -> Result<()> {
        for _ in 0..OUTPUTS {
            assert_eq!(head!(Command).output().await?.stdout.len(), MIB);
        }
        Ok(())
    }
}

mod tokio_ {
    use std::io::Result;

    use tokio::process::Command;

    use super::*;

    pub async fn status() -> Result<()> {
        for _ in 0..PROCESSES {
            assert!(Command::new("true").status().await?.success());
        }
        Ok(())
    }

    pub async fn status_in_tasks() -> Result<()> {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..TASKS {
            tasks.spawn(async {
                for _ in 0..PROCESSES / TASKS {
                    assert!(Command::new("true").status().await.unwrap().success());
                }
            });
        }
        tasks.join_all().await;
        Ok(())
    }

    pub async fn output() -> Result<()> {
        for _ in 0..OUTPUTS {
            assert_eq!(head!(Command).output().await?.stdout.len(), MIB);
        }
        Ok(())
    }
}

mod async_process_ {
    use std::io::Result;

    use async_process::Command;

    use super::*;

    pub async fn status() -> Result<()> {
        for _ in 0..PROCESSES {
            assert!(Command::new("true").status().await?.success());
        }
        Ok(())
    }

    pub async fn status_in_tasks() -> Result<()> {
        let task = || async {
            for _ in 0..PROCESSES / TASKS {
                assert!(Command::new("true").status().await.unwrap().success());
            }
        };
        futures::future::join_all((0..TASKS).map(|_| task())).await;
        Ok(())
    }

    pub async fn output() -> Result<()> {
        for _ in 0..OUTPUTS {
            assert_eq!(head!(Command).output().await?.stdout.len(), MIB);
        }
        Ok(())
    }
}

mod std_ {
    use super::*;

    pub fn status() {
        for _ in 0..PROCESSES {
            assert!(Command::new("true").status().unwrap().success());
        }
    }

    pub fn status_in_tasks() {
        status();
    }

    pub fn output() {
        for _ in 0..OUTPUTS {
            assert_eq!(head!(Command).output().unwrap().stdout.len(), MIB);
        }
    }
}

fn main() {
    let turns = Turns::from_arguments();
    if let Some(argument) = &turns.rest {
        panic!("what is `{argument}`?");
    }
    if let Some((work, run)) = turns.here(WORKS) {
        return work.measure(1e6, || (), || run(&()));
    }
    let head = "| microseconds for each | seedbed | tokio | async-process | std, in place |";
    turns.take(WORKS, head, None);
}
