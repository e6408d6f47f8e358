//! Subjects that take turns at pieces of work, round by round, each in a process of its own, which
//! does the work once before it counts. A table of the medians is printed.

use std::env;
use std::process::Command;
use std::time::Duration;

use crate::clock::{Stopwatch, use_cpu_time};

/// How many subjects there are. The first is seedbed.
pub const SUBJECTS: usize = 4;

/// Does a piece of work, with what it is given for it.
pub type Run<P> = fn(&P);

/// A piece of work, done by each subject.
pub struct Work<P> {
    pub name: &'static str,
    pub title: &'static str,
    /// How many things are done. The figure is for each.
    pub count: usize,
    pub subjects: [(&'static str, Run<P>); SUBJECTS],
}

impl<P> Work<P> {
    /// Does it twice, and prints what the second time took, in units of which a second has so many.
    /// `prepare` comes before each, and does not count.
    pub fn measure(&self, per_second: f64, prepare: impl Fn(), run: impl Fn()) {
        let mut time = Duration::ZERO;
        for _ in 0..2 {
            prepare();
            let watch = Stopwatch::start();
            run();
            time = watch.elapsed();
        }
        print!("{}", time.as_secs_f64() * per_second / self.count as f64);
    }
}

/// What the program was told to do.
pub struct Turns {
    rounds: usize,
    only: Option<String>,
    subject: Option<String>,
    clock: String,
    /// Any other argument.
    pub rest: Option<String>,
}

impl Turns {
    pub fn from_arguments() -> Turns {
        let (mut rounds, clock) = (5, "--wall-time".to_owned());
        let mut turns = Turns { rounds, only: None, subject: None, clock, rest: None };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--rounds" => {
                    rounds = arguments.next().and_then(|n| n.parse().ok()).expect("a number");
                }
                "--only" => turns.only = arguments.next(),
                "--subject" => turns.subject = arguments.next(),
                "--wall-time" | "--cpu-time" => turns.clock = argument,
                _ => turns.rest = Some(argument),
            }
        }
        Turns { rounds, ..turns }
    }

    /// What is to be measured in this process, by which subject, if it is one of those that take
    /// turns.
    pub fn here<'w, P>(&self, works: &'w [Work<P>]) -> Option<(&'w Work<P>, Run<P>)> {
        let subject = self.subject.as_ref()?;
        if self.clock == "--cpu-time" {
            use_cpu_time();
        }
        let work = self.chosen(works).next().expect("a piece of work");
        let (_, run) = work.subjects.iter().find(|(name, _)| name == subject).expect("a subject");
        Some((work, *run))
    }

    fn chosen<'w, P>(&self, works: &'w [Work<P>]) -> impl Iterator<Item = &'w Work<P>> {
        works.iter().filter(|work| self.only.as_ref().is_none_or(|only| work.name == only))
    }

    /// Has them all take turns. Each process is given `rest`, and prints a number.
    pub fn take<P>(&self, works: &[Work<P>], head: &str, rest: Option<&str>) {
        println!("{head}\n|---|---|---|---|---|");
        for work in self.chosen(works) {
            let mut samples = [const { Vec::new() }; SUBJECTS];
            for round in 0..self.rounds {
                for turn in 0..SUBJECTS {
                    let index = (turn + round) % SUBJECTS; // none is always first
                    let mut child = Command::new(env::current_exe().unwrap());
                    let subject = work.subjects[index].0;
                    child.args(["--only", work.name, "--subject", subject, &self.clock]);
                    let output = child.args(rest).output().unwrap();
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
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
