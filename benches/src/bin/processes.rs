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

use std::env;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Instant;

const PROCESSES: usize = 400;
const TASKS: usize = 16;
const MIB: usize = 1 << 20;
const OUTPUTS: usize = 50;

/// A piece of work, done by each subject.
struct Work {
    name: &'static str,
    title: &'static str,
    /// How many processes there are in it.
    count: usize,
    subjects: [(&'static str, fn()); 4],
}

macro_rules! work {
    ($name:ident, $count:ident, $title:literal) => {
        Work {
            name: stringify!($name),
            title: $title,
            count: $count,
            subjects: [
                ("seedbed", || seedbed::run(seedbed_::$name()).unwrap()),
                ("tokio", || run_tokio(tokio_::$name())),
                ("async-process", || {
                    futures_lite::future::block_on(async_process_::$name()).unwrap()
                }),
                ("std", std_::$name),
            ],
        }
    };
}

const WORKS: &[Work] = &[
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

/// Does a subject's work twice, and returns how many microseconds each process took the second time.
fn measure(work: &Work, subject: &str, clock: fn() -> f64) -> f64 {
    let (_, run) = work.subjects.iter().find(|(name, _)| *name == subject).expect("a subject");
    run();
    let begin = clock();
    run();
    (clock() - begin) * 1e6 / work.count as f64
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn wall_time() -> f64 {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGIN.elapsed().as_secs_f64()
}

/// The time that all threads of the process have run.
fn cpu_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is there to be written to.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn main() {
    let mut rounds = 5;
    let (mut only, mut subject, mut clock) = (None, None, "--wall-time".to_owned());
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--rounds" => rounds = arguments.next().and_then(|n| n.parse().ok()).expect("a number"),
            "--only" => only = arguments.next(),
            "--subject" => subject = arguments.next(),
            "--wall-time" | "--cpu-time" => clock = argument,
            _ => panic!("what is `{argument}`?"),
        }
    }
    let chosen = |work: &&Work| only.as_ref().is_none_or(|only| work.name == only);
    let works: Vec<_> = WORKS.iter().filter(chosen).collect();
    if let Some(subject) = subject {
        let clock = if clock == "--cpu-time" { cpu_time } else { wall_time };
        return print!("{}", measure(works[0], &subject, clock));
    }
    println!(
        "| microseconds for each | seedbed | tokio | async-process | std, in place |\n\
         |---|---|---|---|---|"
    );
    for work in works {
        let mut samples = [const { Vec::new() }; 4];
        for round in 0..rounds {
            for turn in 0..4 {
                let index = (turn + round) % 4; // none is always first
                let mut child = Command::new(env::current_exe().unwrap());
                child.args(["--only", work.name, "--subject", work.subjects[index].0, &clock]);
                let output = child.output().unwrap();
                assert!(output.status.success(), "{output:?}");
                samples[index].push(String::from_utf8_lossy(&output.stdout).parse().unwrap());
            }
        }
        let [ours, others @ ..] = samples.map(|mut samples| median(&mut samples));
        print!("| {} | {ours:.0} |", work.title);
        for other in others {
            print!(" {other:.0} ({:.2}) |", other / ours);
        }
        println!();
    }
}
