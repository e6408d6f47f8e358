//! `debounce`, `sample` and `chunks_timeout` on random schedules, against a simulation that knows
//! nothing of tasks: only when something happens.
//!
//! A schedule says how long the source takes for each item, whether it fails in the end, and how
//! long the consumer is busy with each. If two things happen at the same time and it matters which
//! comes first, the simulation does not judge.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use seedbed::flow::{Flow, Source};
use seedbed::{Error, Result, Yielder, flow, generator, now, sleep};

use crate::support::{run, shape};

/// All times are in milliseconds.
#[derive(Clone, Debug)]
struct Schedule {
    /// How long the source takes for each item, and at last for its end.
    pauses: Vec<u64>,
    fails: bool,
    /// How long the consumer is busy with each item. After that, not at all.
    busy: Vec<u64>,
    /// After which time the consumer gives up a wait, to wait anew.
    patience: Option<u64>,
}

/// What came when; and at the end, when that was, and whether it was an error.
#[derive(Debug, PartialEq)]
struct Trace<T> {
    items: Vec<(u64, T)>,
    end: (u64, bool),
}

const SCHEDULES: u64 = 3000;

impl Schedule {
    fn random(draw: &mut Draw) -> Schedule {
        let items = draw.below(9);
        // Some are slow and some are quick, so that there are bursts.
        let pauses = (0..=items).map(|_| draw.time()).collect();
        let busy = (0..items).map(|_| draw.time()).collect();
        let patience = (draw.below(2) == 0).then(|| 1 + draw.below(30));
        Schedule { pauses, fails: draw.below(2) == 0, busy, patience }
    }

    fn busy(&self, given: usize) -> u64 {
        self.busy.get(given).copied().unwrap_or(0)
    }

    fn source(&self) -> Flow<'static, impl Source<Value = usize>> {
        let Schedule { pauses, fails, .. } = self.clone();
        flow(generator(async move |y: Yielder<usize>| {
            for (i, pause) in pauses.iter().enumerate() {
                sleep(Duration::from_millis(*pause)).await?;
                if i + 1 < pauses.len() {
                    y.yield_(i).await?;
                }
            }
            if fails { Err(Error::msg("worn out")) } else { Ok(()) }
        }))
    }

    /// What really happens.
    fn run<'a, T>(&self, flow: Flow<'a, impl Source<Value = T> + 'a>) -> Trace<T> {
        let traced = run(async {
            let start = now();
            let since = || (now() - start).as_millis() as u64;
            let mut items = Vec::new();
            let outcome: Result<()> = flow
                .open(async |source| {
                    while let Some(item) = self.next(source).await? {
                        items.push((since(), item));
                        sleep(Duration::from_millis(self.busy(items.len() - 1))).await?;
                    }
                    Ok(())
                })
                .await;
            if let Err(error) = &outcome {
                assert_eq!(shape(error), "worn out");
            }
            Ok(Trace { items, end: (since(), outcome.is_err()) })
        });
        traced.unwrap()
    }

    async fn next<S: Source>(&self, source: &mut flow::Items<S>) -> Result<Option<S::Value>> {
        let Some(patience) = self.patience else { return source.next().await };
        loop {
            let patience = sleep(Duration::from_millis(patience));
            match select(pin!(source.next()), patience).await {
                Either::Left((next, _)) => return next,
                Either::Right((slept, _)) => slept?,
            }
        }
    }
}

/// The source of a schedule, in a task that is up to `ahead` items ahead of the consumer.
struct Feed<'a> {
    schedule: &'a Schedule,
    ahead: usize,
    /// When each item arrived.
    arrived: Vec<u64>,
    /// When each item was taken from the task.
    taken: Vec<u64>,
}

impl<'a> Feed<'a> {
    fn new(schedule: &'a Schedule, ahead: usize) -> Self {
        Feed { schedule, ahead, arrived: Vec::new(), taken: Vec::new() }
    }

    /// When the next item arrives, or the end, and which of them it is.
    fn next(&mut self) -> (u64, Option<usize>) {
        let next = self.taken.len();
        while self.arrived.len() <= next {
            let i = self.arrived.len();
            let before = self.arrived.last().copied().unwrap_or(0);
            let room = if i < self.ahead { 0 } else { self.taken[i - self.ahead] };
            self.arrived.push(before.max(room) + self.schedule.pauses[i]);
        }
        (self.arrived[next], (next + 1 < self.schedule.pauses.len()).then_some(next))
    }

    /// The consumer takes the next item, if it is there. Returns when that was.
    fn take(&mut self, time: u64) -> u64 {
        let time = time.max(self.next().0);
        self.taken.push(time);
        time
    }
}

/// `None` if the outcome depends on which of two things comes first.
fn debounce(schedule: &Schedule, quiet: u64) -> Option<Trace<usize>> {
    let mut feed = Feed::new(schedule, 1);
    let (mut time, mut items) = (0, Vec::new());
    loop {
        let (arrives, Some(mut newest)) = feed.next() else {
            return Some(Trace { items, end: (time.max(feed.next().0), schedule.fails) });
        };
        time = feed.take(time.max(arrives));
        // It is replaced by each that comes before it has settled.
        loop {
            let settles = time + quiet;
            let (arrives, next) = feed.next();
            if arrives == settles {
                return None;
            }
            if arrives > settles {
                time = settles;
                break;
            }
            time = arrives;
            let Some(next) = next else { break };
            feed.take(time);
            newest = next;
        }
        items.push((time, newest));
        time += schedule.busy(items.len() - 1);
    }
}

fn sample(schedule: &Schedule, period: u64) -> Option<Trace<usize>> {
    // The source never waits for the consumer.
    let arrivals: Vec<u64> = schedule
        .pauses
        .iter()
        .scan(0, |time, pause| {
            *time += pause;
            Some(*time)
        })
        .collect();
    let (end, arrivals) = arrivals.split_last().unwrap();
    let (mut time, mut given, mut items) = (0, 0, Vec::new());
    loop {
        let Some(first) = arrivals.get(given) else {
            return Some(Trace { items, end: (time.max(*end), schedule.fails) });
        };
        let window = (first / period + 1) * period;
        time = time.max(window.min(*end));
        if arrivals.contains(&time) && window <= time {
            return None;
        }
        given = arrivals.iter().filter(|arrival| **arrival <= time).count();
        items.push((time, given - 1));
        time += schedule.busy(items.len() - 1);
    }
}

fn chunks_timeout(schedule: &Schedule, n: usize, limit: u64) -> Option<Trace<Vec<usize>>> {
    let mut feed = Feed::new(schedule, n);
    let (mut time, mut items) = (0, Vec::new());
    loop {
        let (first, Some(item)) = feed.next() else {
            return Some(Trace { items, end: (time.max(feed.next().0), schedule.fails) });
        };
        time = feed.take(time);
        let mut chunk = vec![item];
        let due = first + limit;
        while chunk.len() < n {
            let (arrives, next) = feed.next();
            if arrives == due.max(time) {
                return None;
            }
            if arrives > due.max(time) {
                time = due.max(time);
                break;
            }
            let Some(next) = next else {
                time = time.max(arrives);
                break;
            };
            time = feed.take(time);
            chunk.push(next);
        }
        items.push((time, chunk));
        time += schedule.busy(items.len() - 1);
    }
}

/// Compares many random schedules. Most of them have to be judged.
fn compare<T: PartialEq + std::fmt::Debug>(
    simulated: impl Fn(&Schedule, &mut Draw) -> Option<(Trace<T>, Trace<T>)>,
) {
    let mut judged = 0;
    for seed in 0..SCHEDULES {
        let mut draw = Draw(seed);
        let schedule = Schedule::random(&mut draw);
        if let Some((real, expected)) = simulated(&schedule, &mut draw) {
            assert_eq!(real, expected, "seed {seed}: {schedule:?}");
            judged += 1;
        }
    }
    assert!(judged > SCHEDULES / 3, "only {judged}");
}

#[test]
fn o01_debounce_as_simulated() {
    compare(|schedule, draw| {
        let quiet = 1 + draw.below(40);
        let expected = debounce(schedule, quiet)?;
        let real = schedule.source().debounce(Duration::from_millis(quiet));
        Some((schedule.run(real), expected))
    });
}

#[test]
fn o01_sample_as_simulated() {
    compare(|schedule, draw| {
        let period = 1 + draw.below(60);
        let expected = sample(schedule, period)?;
        let real = schedule.source().sample(Duration::from_millis(period));
        Some((schedule.run(real), expected))
    });
}

#[test]
fn o01_chunks_timeout_as_simulated() {
    compare(|schedule, draw| {
        let (n, limit) = (1 + draw.below(5) as usize, draw.below(60));
        let expected = chunks_timeout(schedule, n, limit)?;
        let real = schedule.source().chunks_timeout(n, Duration::from_millis(limit));
        Some((schedule.run(real), expected))
    });
}

/// Random numbers: SplitMix64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    /// Often short, sometimes none, seldom long.
    fn time(&mut self) -> u64 {
        match self.below(4) {
            0 => 0,
            1 => self.below(200),
            _ => self.below(30),
        }
    }
}
