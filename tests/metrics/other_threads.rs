//! Metrics from other threads, and of several runs.

use std::sync::{Barrier, Mutex};

use seedbed::inspect::{self, Metrics};
use seedbed::{
    CallRefused, Refusal, Result, Token, cancel_scope, nursery, sleep_forever, to_thread, yield_now,
};

#[test]
fn l04_metrics_are_read_from_another_thread_while_the_run_is_asleep() {
    let (metrics, token) = seedbed::run(async {
        let token = Token::current()?;
        inspect::enable()?;
        nursery(async |n| {
            n.spawn(sleep_forever());
            let metrics = to_thread(move || token.metrics()).await??;
            n.scope().cancel();
            Ok((metrics, token))
        })
        .await
    })
    .unwrap();
    assert_eq!((metrics.tasks, metrics.nurseries, metrics.jobs), (2, 1, 1));
    assert_eq!(metrics.counted.unwrap().polls, 1);
    let refused = token.metrics().unwrap_err();
    assert_eq!(refused.find::<CallRefused>().unwrap().why(), Refusal::RunFinished);
}

#[test]
fn l04_each_core_counts_for_itself_and_there_is_a_sum() {
    const CORES: usize = 3;
    let (all, begun) = (Mutex::new(Vec::new()), Barrier::new(CORES));
    let outcomes = seedbed::run_on_cores(CORES, async |core| {
        cancel_scope(async |scope| {
            inspect::enable()?;
            nursery(async |n| {
                for _ in 0..core {
                    n.spawn(sleep_forever());
                }
                yield_now().await?; // they begin to wait
                all.lock().unwrap().push((core, Token::current()?, scope.cancel_handle()));
                begun.wait();
                if core > 0 {
                    sleep_forever().await?;
                }
                let mut all = all.lock().unwrap().clone();
                all.sort_by_key(|(core, ..)| *core);
                to_thread(move || {
                    let each: Result<Vec<_>> =
                        all.iter().map(|(_, token, _)| token.metrics()).collect();
                    all.iter().for_each(|(.., scope)| scope.cancel());
                    each
                })
                .await?
            })
            .await
        })
        .await
    });
    let each = outcomes.unwrap().swap_remove(0).expect("it was not interrupted");
    let tasks: Vec<_> = each.iter().map(|metrics| metrics.tasks).collect();
    assert_eq!(tasks, [1, 2, 3]);
    let spawned = |metrics: &Metrics| metrics.counted.as_ref().unwrap().spawned;
    assert_eq!(each.iter().map(spawned).collect::<Vec<_>>(), [0, 1, 2]);

    let sum: Metrics = each.iter().cloned().sum();
    assert_eq!((sum.tasks, sum.nurseries, spawned(&sum)), (6, 3, 3));
    let longest = each.iter().map(|metrics| metrics.elapsed).max();
    assert_eq!(Some(sum.elapsed), longest);
    let mut without = each.clone();
    without[1].counted = None;
    assert_eq!(without.into_iter().sum::<Metrics>().counted, None, "it would be a part of it");
    assert_eq!([].into_iter().sum::<Metrics>(), Metrics::default());
}
