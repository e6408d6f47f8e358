//! What a run consists of.

use std::time::Duration;

use seedbed::{
    Event, Token, Yielder, aclosing, cancel_scope, context_manager, fail_after, finishing,
    generator, inspect, nursery, sleep, sleep_forever, to_thread, with, yield_now,
};

use super::{lines_with, run, seen_waiting, text, text_of_each};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn l01_a_run_that_does_nothing() {
    let dump = run(async { Ok(text()) });
    let mut lines = dump.lines();
    let head = lines.next().unwrap();
    assert!(head.starts_with("the run at <run>, less than 1 ms after it began: 1 task"), "{head}");
    assert!(head.ends_with(", 1 running"), "{head}");
    assert_eq!(lines.next(), Some("  main future: running"));
    assert_eq!(lines.next(), None);
}

#[test]
fn l01_tasks_nurseries_and_scopes_are_where_they_were_opened() {
    let dump = run(async {
        let mut dump = String::new();
        nursery(async |n| {
            n.named("outer").spawn(fail_after(
                9 * SECOND,
                nursery(async |inner| {
                    inner.spawn(sleep(SECOND));
                    Event::new().wait().await
                }),
            ));
            sleep(SECOND / 2).await?;
            dump = text();
            n.scope().cancel();
            Ok(())
        })
        .await?;
        Ok(dump)
    });
    let rest: Vec<_> = dump.lines().skip(1).collect();
    assert_eq!(
        rest,
        [
            "  main future: running: polls the nursery below",
            "    nursery opened at <nursery>",
            "      body: running",
            "      task \"outer\" spawned at <spawn>: in the nursery below",
            "        scope opened at <fail_after>: deadline in 8.5 s",
            "          nursery opened at <nursery>",
            "            body: in `Event::wait` at <wait>, for 500 ms",
            "            task spawned at <spawn>: in `sleep` at <sleep>, for 500 ms, 500 ms to go",
        ],
        "{dump}"
    );
}

#[test]
fn l01_what_looks_alike_is_folded() {
    let (folded, each) = run(async {
        let mut dumps = (String::new(), String::new());
        nursery(async |n| {
            for nth in 0..990 {
                n.spawn(async move {
                    sleep(Duration::from_millis(nth % 3)).await?;
                    Event::new().wait().await
                });
            }
            for nth in 0..5 {
                n.named(format!("named {nth}")).spawn(cancel_scope(async |scope| {
                    scope.set_shield(true);
                    sleep(SECOND).await
                }));
            }
            sleep(SECOND / 10).await?;
            dumps = (text(), text_of_each());
            n.scope().cancel();
            Ok(())
        })
        .await?;
        Ok(dumps)
    });
    assert_eq!(
        lines_with(&folded, "<wait>"),
        ["990 tasks spawned at <spawn>: all in `Event::wait` at <wait>, for 98 ms to 100 ms"],
        "{folded}"
    );
    let names = "\"named 0\", \"named 1\", \"named 2\" and 2 more";
    assert_eq!(
        lines_with(&folded, "<sleep>"),
        [
            "body: running",
            &format!(
                "5 tasks spawned at <spawn> ({names}): all in `sleep` at <sleep>, for 100 ms, 900 ms to go; each with"
            ),
        ][1..],
        "{folded}"
    );
    assert_eq!(lines_with(&folded, "shielded"), ["scope opened at <cancel_scope>: shielded"]);
    assert_eq!(lines_with(&each, "<wait>").len(), 990);
    assert_eq!(lines_with(&each, "shielded").len(), 5);
}

#[test]
fn l01_a_cancelled_scope_says_by_whom_and_why() {
    let dump = run(async {
        let mut dump = String::new();
        nursery(async |n| {
            n.spawn(cancel_scope(async |scope| {
                scope.cancel_with("superseded");
                cancel_scope(async |clean_up| {
                    clean_up.set_shield(true);
                    sleep(SECOND).await
                })
                .await
            }));
            n.spawn(cancel_scope(async |scope| {
                scope.cancel_gracefully(5 * SECOND);
                finishing(sleep(SECOND)).await
            }));
            sleep(SECOND / 2).await?;
            dump = text();
            Ok(())
        })
        .await?;
        Ok(dump)
    });
    assert_eq!(
        lines_with(&dump, "superseded"),
        ["scope opened at <cancel_scope>: cancelled by <cancel_with>: superseded"],
        "{dump}"
    );
    assert_eq!(lines_with(&dump, "shielded"), ["scope opened at <cancel_scope>: shielded"]);
    let graceful = lines_with(&dump, "gracefully)");
    assert!(
        graceful[0].starts_with("scope opened at <cancel_scope>: deadline in 4.5 s, "),
        "{dump}"
    );
    assert_eq!(
        lines_with(&dump, "finishes its work"),
        ["scope opened at <finishing>: finishes its work, to be finished: a graceful stop"],
        "{dump}"
    );
}

#[test]
fn l01_a_nursery_whose_body_has_ended() {
    let dump = seen_waiting(|n| {
        n.spawn(nursery(async |inner| {
            inner.spawn(sleep_forever());
            Ok(())
        }));
    });
    assert_eq!(
        lines_with(&dump, "whose body has ended"),
        ["nursery opened at <nursery>, whose body has ended"],
        "{dump}"
    );
    assert_eq!(lines_with(&dump, "body:").len(), 1, "{dump}");
}

#[test]
fn l01_generators_are_shown_with_where_they_are() {
    let dump = run(async {
        let mut suspended = generator(async |y: Yielder<i32>| y.yield_(1).await.map(drop));
        suspended.set_qualname("suspended");
        suspended.anext().await?;
        let mut dump = String::new();
        nursery(async |n| {
            n.named("driver").spawn(async {
                let running = generator(async |_: Yielder<i32>| sleep(SECOND).await);
                running.set_qualname("running");
                aclosing(running, async |running| running.anext().await.map(drop)).await
            });
            sleep(SECOND / 2).await?;
            dump = text();
            Ok(())
        })
        .await?;
        suspended.aclose().await?;
        Ok(dump)
    });
    assert_eq!(
        lines_with(&dump, "generator "),
        [
            "generator suspended made at <generator>: at its yield at <yield_>",
            "generator running made at <generator>: in its body, in `sleep`, for task \"driver\" spawned at <spawn>",
        ],
        "{dump}"
    );
}

#[test]
fn l01_generators_of_a_nursery_are_shown_too() {
    let dump = run(async {
        let mut dump = String::new();
        let numbers = [1, 2];
        nursery(async |n| {
            let mut suspended = n.generator(async |y: Yielder<i32>| {
                for number in &numbers {
                    y.yield_(*number).await?;
                }
                Ok(())
            });
            suspended.set_qualname("suspended");
            suspended.anext().await?;
            let mut ended = n.generator(async |_: Yielder<i32>| Ok(()));
            ended.anext().await?;
            let _new = n.generator(async |_: Yielder<i32>| Ok(()));
            dump = text();
            Ok(())
        })
        .await?;
        Ok(dump)
    });
    assert_eq!(
        lines_with(&dump, "generator "),
        ["generator suspended made at <generator>: at its yield at <yield_>"],
        "{dump}"
    );
}

#[test]
fn l01_context_managers_say_how_far_they_are() {
    let dumps = run(async {
        let mut dumps = Vec::new();
        nursery(async |n| {
            n.named("it").spawn(async {
                let manager = context_manager(async |y: Yielder<()>| {
                    sleep(SECOND).await?;
                    y.yield_(()).await?;
                    sleep(SECOND).await
                });
                with(manager, async |()| sleep(SECOND).await).await
            });
            n.spawn(async {
                with(
                    context_manager(async |y: Yielder<()>| y.yield_(()).await.map(drop)),
                    async |()| Ok(()),
                )
                .await
            });
            sleep(SECOND / 2).await?;
            for _ in 0..4 {
                dumps.extend(lines_with(&text(), "context manager "));
                sleep(SECOND).await?;
            }
            Ok(())
        })
        .await?;
        Ok(dumps)
    });
    let line = "context manager made at <context_manager>, entered at <with> in task \"it\" spawned at <spawn>";
    let stages = ["sets up", "around the body", "cleans up"];
    assert_eq!(dumps, stages.map(|stage| format!("{line}: {stage}")));
}

#[test]
fn l01_the_scopes_of_a_context_manager_are_around_its_body() {
    let dump = run(async {
        let manager = context_manager(async |y: Yielder<()>| {
            nursery(async |n| {
                n.named("served by").spawn(sleep_forever());
                y.yield_(()).await?;
                n.scope().cancel();
                Ok(())
            })
            .await
        });
        with(manager, async |()| {
            sleep(SECOND).await?;
            Ok(text())
        })
        .await
    });
    assert_eq!(
        lines_with(&dump, "served by"),
        ["task \"served by\" spawned at <spawn>: in `sleep` at <sleep_forever>, for 1.0 s"],
        "{dump}"
    );
}

#[test]
fn l01_jobs_on_other_threads_with_where_they_were_started() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let dump = seedbed::run(async {
        let mut dump = String::new();
        nursery(async |n| {
            n.spawn(async {
                to_thread(move || released.recv().unwrap()).await?;
                Ok(())
            });
            while !dump.contains("`to_thread` at <to_thread>: on another thread") {
                yield_now().await?;
                dump = text();
            }
            release.send(()).unwrap();
            Ok(())
        })
        .await?;
        Ok(dump)
    })
    .unwrap();
    assert_eq!(lines_with(&dump, "in `to_thread` at <to_thread>").len(), 1, "{dump}");
}

#[test]
fn l01_tasks_of_the_run_itself() {
    let dump = seedbed::run(async {
        let token = Token::current()?;
        let dump = to_thread(move || token.run(async || Ok(text())));
        dump.await??
    })
    .unwrap();
    assert_eq!(lines_with(&dump, "task of the run itself"), ["task of the run itself: running"]);
    assert_eq!(lines_with(&dump, "main future").len(), 1, "{dump}");
}

#[test]
fn l01_outside_of_a_run_there_is_none() {
    assert!(inspect::dump().unwrap_err().is::<seedbed::NotRunning>());
}

/// Nothing that walks the tree recurses.
#[test]
fn l01_ten_thousand_scopes_in_one_another() {
    fn nested(depth: u32) -> std::pin::Pin<Box<dyn Future<Output = seedbed::Result<String>>>> {
        Box::pin(async move {
            if depth == 0 {
                let dump = inspect::dump()?;
                return Ok(dump.to_json() + &dump.to_string());
            }
            let inner = fail_after(SECOND, nested(depth - 1));
            inner.await
        })
    }
    let run = || run(nested(10_000));
    let thread = std::thread::Builder::new().stack_size(512 << 20).spawn(run).unwrap();
    let dump = thread.join().unwrap();
    assert_eq!(lines_with(&dump, "scope opened").len(), 10_000);
}
