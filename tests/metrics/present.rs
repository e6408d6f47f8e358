//! What there is at present is always known.

use std::time::Duration;

use seedbed::inspect;
use seedbed::{
    Yielder, cancel_scope, generator, move_on_after, nursery, sleep, sleep_forever, to_thread,
    yield_now,
};

use super::run;

#[test]
fn l04_what_there_is_at_present_is_known_without_counting() {
    run(async {
        let before = inspect::metrics()?;
        assert_eq!((before.tasks, before.nurseries, before.shields), (1, 0, 0));
        let mut numbers = generator(async |y: Yielder<i32>| y.yield_(1).await.map(drop));
        numbers.anext().await?;
        let (release, released) = std::sync::mpsc::channel::<()>();
        let within = nursery(async |n| {
            n.spawn(to_thread(move || released.recv()));
            n.spawn(move_on_after(Duration::from_secs(60), sleep_forever()));
            n.spawn(cancel_scope(async |scope| {
                scope.set_shield(true);
                sleep(Duration::from_secs(60)).await
            }));
            n.spawn(nursery(async |_| sleep_forever().await));
            yield_now().await?; // they begin to wait
            n.spawn(async { Ok(()) });
            let within = inspect::metrics()?;
            drop(release);
            n.scope().cancel();
            assert_eq!(inspect::metrics()?.scopes_cancelled, 1);
            Ok(within)
        })
        .await?;
        assert_eq!(within.tasks, 6);
        assert_eq!(within.ready, 1, "the task that was spawned last");
        assert_eq!(within.nurseries, 2);
        assert_eq!(within.scopes - before.scopes, 4); // two nurseries', the timeout's, the shield
        assert_eq!(within.shields, 1);
        assert_eq!(within.timers, 2);
        assert_eq!(within.generators, 1);
        assert_eq!((within.jobs, within.jobs_abandoned), (1, 0));
        assert_eq!(within.counted, None);
        numbers.aclose().await?;
        let mut after = inspect::metrics()?;
        after.elapsed = before.elapsed;
        assert_eq!(after, before);
        Ok(())
    });
    assert!(inspect::metrics().is_err(), "there is no run");
    assert!(inspect::enable().is_err(), "there is no run");
}
